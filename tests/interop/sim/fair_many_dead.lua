-- fair_many_dead.lua: more dead peers than there are chunks to share, and one that lives:
-- everybody has a reserve.
local a, alive = node { "a", rdma = "send_buffers=4" }, node "alive"
fault.accept { "conn_loss" }
local to_alive = a:connect(alive)
local dead = {}
for i = 1, 12 do
    local peer = node("dead" .. i)
    dead[i] = { peer = peer, conn = a:connect(peer) }
    wait(function() return dead[i].conn:is_connected() end)
end
wait(function() return to_alive:is_connected() end)
for _, it in ipairs(dead) do
    net.cut(a, it.peer)
    it.conn:send_many(10, { data = 60000 })
end
sleep "10ms"
to_alive:send { data = 60000 }
wait(expect.session(to_alive):within "5ms")
