-- exit: 0
-- says: expectations  1 of 1 met
-- Sending to oneself is local delivery: nothing touches the stack.
local a = node "a"
a:connect(a):send_many(10, { front = 100 })
expect.delivered(a, 10):in_order():exactly_once()
