-- faults_wakeups.lua: an event loop that is told too much, too late, and in another order.
--
-- What it shows: readiness that is not true, comes late, comes twice or in another order,
-- one event a wait; a wake-up pipe that is full, slow, or gives nothing; waits that last too
-- long, conditions that wake for nothing, threads that stand still in the middle of a send.
-- A loop that looks again before it acts does not mind.
--
-- What to look at: file_skip and wake_drain in the trace, and the counters of the centers.
--
--   msgrlab run scenarios/faults_wakeups.lua --trace wakeups.trace
--   msgrlab show wakeups.trace --view text | grep -E "skip|drain"
--
-- stack: tcp

local a = node { "a", workers = 2 }
local b = node { "b", workers = 2, echo = true }
local conns = {}
for i = 1, 4 do conns[i] = a:connect(b, { policy = "lossy_client", anon = true }) end

local rules = {}
for _, f in ipairs {
    { id = "t01_spurious", probability = 0.2 }, { id = "t01_late", probability = 0.2 },
    { id = "t01_twice", probability = 0.2 },    { id = "t02_wake_full", probability = 0.3 },
    { id = "t02_wake_late", probability = 0.3 }, { id = "t02_read_eagain", probability = 0.3 },
    { id = "t03_late", probability = 0.05 },    { id = "t03_cond", probability = 0.3 },
    { id = "t05_pause", point = "send", probability = 0.1 },
} do
    rules[f.id] = fault.inject(f)
end
fault.inject { id = "t01_reorder" }
fault.inject { id = "t01_one", probability = 0.5 }

for _ = 1, 5 do
    for _, c in ipairs(conns) do c:send_many(4, { type = "ping", front = 400 }) end
    sleep "2ms"
end

for _, c in ipairs(conns) do
    wait(expect.delivered(b, 20):from(c):in_order():exactly_once())
end
wait(expect.delivered(a, 80):in_order():exactly_once())
if world.name == "sim" then -- on Linux nobody knows how often it wakes, and draws
    for id, rule in pairs(rules) do expect.that(rule:fired() > 0, id .. " happened") end
end
fault.stop()
expect.event(a, "reset", 0)
expect.event(b, "reset", 0)
