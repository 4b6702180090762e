-- faults_clocks.lua: clocks that stand, step and jump.
--
-- What it shows: a monotonic clock that moves in steps of 10 ms, a wall clock that goes back
-- an hour, and a node that was suspended for an hour. Timers fire late, never early, and not
-- twice; a keepalive's stamp is compared with nothing else; only the idle time-out of the
-- suspended node notices, and ends the session.
--
-- What to look at: the time stamps of node a in the trace jump, those of b do not.
--
--   msgrlab run scenarios/faults_clocks.lua --trace clocks.trace
--   msgrlab show clocks.trace --view text
--
-- stack: tcp

fault.accept { "conn_loss" }

local a = node { "a", workers = 1, idle_timeout = "900s" }
local b = node { "b", workers = 1 }
local c = a:connect(b, { policy = "lossy_client" })
wait(function() return c:is_connected() end)

local coarse = fault.inject { id = "t06_coarse", time = "10ms", count = 2 }
local back = fault.inject { id = "t06_realtime", node = a, value = -3600, count = 1 }
c:send_many(10, { type = "ping", front = 100 })
c:keepalive()
wait(expect.delivered(b, 10):from(c):in_order():exactly_once())
wait(function() return c:keepalives() == 1 end)
expect.that(coarse:fired() == 2 and back:fired() == 1, "the clocks were bent")

-- Twice something happens on its loop: the first time it then falls asleep for an hour, the
-- second time it sees what time it is.
local jump = fault.inject { id = "t06_suspend", node = a, time = "3600s", count = 1 }
for _ = 1, 2 do
    a:pause()
    a:resume()
    wait(function() return jump:fired() == 1 end)
end
wait(function() return not c:is_connected() end)
expect.event(a, "reset", 1)
