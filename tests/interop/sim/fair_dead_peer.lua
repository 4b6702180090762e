-- fair_dead_peer.lua: 400 messages of 60,000 bytes for a peer behind a cut, and then one for a
-- peer that lives: it arrives as fast as alone, however long the dead one stays dead, and its
-- connection stays.
local a, dead, alive = node "a", node "dead", node "alive"
fault.accept { "conn_loss" }
local to_dead, to_alive = a:connect(dead), a:connect(alive)
wait(function() return to_dead:is_connected() and to_alive:is_connected() end)
local function arrives_at_once()
    to_alive:send { data = 1000 }
    wait(expect.session(to_alive):within "1ms")
end

arrives_at_once() -- alone
net.cut(a, dead)
to_dead:send_many(400, { data = 60000 })
arrives_at_once()
for _ = 1, 10 do
    sleep "100s"
    arrives_at_once()
end
expect.that(to_alive:is_connected(), "the living one is gone: " .. to_alive:why())
