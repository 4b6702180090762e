-- b has room for one message, and the thread that handles it stands still for longer than
-- idle_timeout. Until there is room b does not listen, so that a is silent is its own doing:
-- the session lives, and everything arrives.
local b = node { "b", idle_timeout = "1s", throttle = { messages = 1 } }
local a = node "a"
local c = a:connect(b)
wait(function() return c:is_connected() end)
local pause = fault.inject { id = "t05_pause", node = b, thread = "ms_dispatch", point = "cond", nth = 1, time = "5s" }
c:send_many(3, { front = 100 })
wait(expect.delivered(b, 3):from(c):in_order():exactly_once())
expect.that(pause:fired() == 1, "the handler stood still")
expect.that(c:is_connected(), "the session is up")
