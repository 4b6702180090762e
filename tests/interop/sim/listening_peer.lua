-- A peer that only listens is there: who speaks to it asks, and the session lives, however the
-- pauses lie to idle_timeout.
local a = node { "a", idle_timeout = "1s" }
local b = node { "b", idle_timeout = "1h" }
local c = a:connect(b)
wait(function() return c:is_connected() end)
for _, pause in ipairs { "400ms", "600ms", "900ms", "500ms", "990ms" } do
    for _ = 1, 6 do c:send { data = 100 }; sleep(pause) end
end
expect.that(c:is_connected(), "given up: " .. c:why())
expect.delivered(b, 30):in_order():exactly_once()
