-- exit: 0
-- says: expectations  1 of 1 met
-- The framing of msgr2.0, over IPv6.
local a = node { "a", msgr20 = true }
local b = node { "b", addr = "[::1]:0", echo = true }
a:connect(b):send_many(20, { front = 100, middle = 10, data = 5000 })
expect.delivered(a, 20):from(b):in_order():exactly_once()
