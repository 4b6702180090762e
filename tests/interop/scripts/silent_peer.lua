-- exit: 0
-- says: expectations  2 of 2 met
-- A peer that stands still says nothing, whatever we send and its kernel takes: the session
-- ends by idle_timeout. A machine that is slow makes the steps longer, never more.
local a = node { "a", idle_timeout = "1s" }
local b = node "b"
local c = a:connect(b)
wait(function() return c:is_connected() end)
b:pause()
local t = 0
while c:is_connected() and t < 50 do c:keepalive(); sleep "100ms"; t = t + 1 end
expect.that(t <= 25, "still connected after " .. t)
expect.event(a, "reset", 1)
