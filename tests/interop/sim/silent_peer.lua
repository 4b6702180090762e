-- A session whose peer is cut off ends by idle_timeout, however much its own side sends.
--
-- stack: tcp
fault.accept { "conn_loss" }
local a = node { "a", idle_timeout = "10s" }
local b = node "b"
local c = a:connect(b)
wait(function() return c:is_connected() end)
net.cut(a, b)
local t = 0
while c:is_connected() and t < 50 do c:keepalive(); sleep "1s"; t = t + 1 end
expect.that(t <= 25, "still connected after " .. t)
