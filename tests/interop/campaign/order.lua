-- A planted mistake: nothing says that a's messages come first. Most schedules agree.
-- stack: tcp
local a, b, c = node "a", node "b", node "c"
local from_a, from_c = a:connect(b), c:connect(b)
from_a:send_many(5, { front = 100 })
from_c:send_many(5, { front = 100 })
wait(function() return #b:received() == 10 end)
expect.that(b:received()[1].from == "a", "a comes first")
