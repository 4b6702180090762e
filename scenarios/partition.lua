-- partition.lua: the network is cut in the middle of a conversation, and heals.
--
-- What it shows: TCP carries on. While a and b are cut off, nothing arrives and nothing is
-- lost; a's messages wait in the socket and in out_q. After the heal all of them arrive, in
-- order, exactly once. The whole minute of waiting takes no time: the clock is virtual.
--
-- What to look at: where the messages wait meanwhile, and that the same seed gives the same
-- trace hash, on every machine.
--
--   msgrlab run scenarios/partition.lua --seed 7 --trace partition.trace
--   msgrlab show partition.trace --view message
--
-- stack: tcp

if world.name ~= "sim" then skip("only the simulated world can cut a network") end

local a = node { "a", workers = 1 }
local b = node { "b", workers = 1 }
local c = a:connect(b, { policy = "lossy_client" })
wait(function() return c:is_connected() end)
net.link(a, b, { latency = "2ms", jitter = "500us", rate = 10000000 })

c:send_many(20, { type = "ping", front = 1000 })
wait(expect.delivered(b, 20):from(c):in_order():exactly_once())

net.cut(a, b)
c:send_many(20, { type = "ping", front = 1000 })
sleep "50s"
expect.that(stats(b).messages_received == 20, "nothing arrives while the network is cut")
net.heal(a, b)

expect.delivered(b, 40):from(c):in_order():exactly_once():within("10s")
expect.event(b, "reset", 0)
