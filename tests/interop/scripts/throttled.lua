-- exit: 0
-- says: expectations  1 of 1 met
-- A budget far below what is sent: connections wait for it, everything arrives.
local a = node "a"
local b = node { "b", throttle = { messages = 2, bytes = 3000 }, dispatch_bytes = 5000 }
a:connect(b):send_many(300, { front = 1000 })
expect.delivered(b, 300):in_order():exactly_once()
