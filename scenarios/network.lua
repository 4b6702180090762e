-- network.lua: what a network does to a conversation, one thing after the other.
--
-- What it shows: slow, lossy, cut, jammed and clogged links cost time and nothing else: every
-- message arrives, in order, exactly once. A reset ends a lossy session; a filter keeps a new
-- one away until it is gone.
--
-- What to look at: net.stats, and how long each took: a lost segment costs 200 ms, a jam ends
-- with everything at once, a cut with the next try of TCP.
--
--   msgrlab run scenarios/network.lua --trace network.trace
--   msgrlab show network.trace --view text | less
--
-- stack: tcp

if world.name ~= "sim" then skip("only the simulated world can steer a network") end
fault.accept { "conn_loss", "refused" }

local a = node { "a", workers = 1 }
local b = node { "b", workers = 1 }
local c = a:connect(b, { policy = "lossy_client" })
wait(function() return c:is_connected() end)

local sent = 0
local function talk()
    c:send_many(20, { type = "ping", front = 2000 })
    sent = sent + 20
    wait(expect.delivered(b, sent):from(c):in_order():exactly_once():within("60s"))
end

local function count(key) return net.stats(a, b)[key] end

-- Links of every kind.
for _, shape in ipairs { "uniform", "exponential", "tail" } do
    net.link(a, b, { latency = "1ms", jitter = "5ms", jitter_shape = shape, mtu = 1448 })
    talk()
end
net.link(a, b, { latency = "1ms", rate = 1000000, overhead = 66, mtu = 1448, queue = 20000 })
talk()
expect.that(count("dropped") > 0, "40 kB do not fit into a queue of 20 kB")
net.link(a, b, { latency = "1ms", mtu = 1448, loss_nth = 7 })
local before = count("dropped")
talk()
expect.that(count("dropped") > before, "every seventh segment is lost")
net.link(a, b, { latency = "50us" })
net.slot(a, b, "10ms")
talk()
net.slot(a, b, 0)
net.bottleneck({ a, b }, { rate = 1000000 })
talk()
net.bottleneck { a, b }

-- What does not pass for a while.
for _, stop in ipairs {
    function() net.cut(a, b) end, function() net.cut_one_way(b, a) end,
    function() net.partition({ a }, { b }) end, function() net.isolate(a) end,
    function() net.jam(a, b) end, function() net.clog(a, b, { time = "1s" }) end,
    function() net.swizzle({ a, b }, "1s") end, function() net.pmtu_hole(a, b, 100) end,
    function() net.windows(b, { shut = true }) end,
    function() net.address(b, { family = "v4", up = false }) end,
    function() net.blackhole(a, b, { kind = "host_unreachable" }) end,
} do
    stop()
    c:send_many(20, { type = "ping", front = 2000 })
    sleep "2s"
    net.heal()
    sent = sent + 20
    wait(expect.delivered(b, sent):from(c):in_order():exactly_once():within("60s"))
end

-- What ends a connection, and what keeps the next one away.
expect.that(net.reset(a, b) == 1, "there was one connection")
wait(expect.event(a, "reset", 1))
net.filter(a, b, { kind = "host_unreachable" })
local d = a:connect(b, { policy = "lossy_client", anon = true })
d:send { type = "ping" }
sleep "1s"
expect.that(not d:is_connected(), "nobody gets through the filter")
net.heal()
wait(expect.delivered(b, 1):from(d):within("60s"))
expect.that(count("resets") + net.stats(b, a).resets > 0, "the reset was counted")
