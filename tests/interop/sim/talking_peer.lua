-- A peer that answers keepalives is there: the session lives for many times idle_timeout.
local a = node { "a", idle_timeout = "1s" }
local b = node "b"
local c = a:connect(b)
wait(function() return c:is_connected() end)
for _ = 1, 50 do
    c:keepalive()
    sleep "400ms"
end
expect.that(c:is_connected(), "the session is up after 20 s")
expect.event(a, "reset", 0)
