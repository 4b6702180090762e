-- exit: 1
-- says: one_too_many.lua:6: expected: delivered to b: 2
-- says: observed: 3 delivered
local a, b = node "a", node "b"
local c = a:connect(b)
expect.delivered(b, 2)
c:send_many(3, { front = 10 })
