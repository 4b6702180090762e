-- exit: 0
-- says: expectations  3 of 3 met
-- Both directions over one lossless session.
local a, b = node { "a", echo = true }, node { "b", echo = true }
local c = a:connect(b, { policy = "lossless_peer" })
c:send_many(100, { front = 10 })
expect.delivered(b, 100):in_order():exactly_once()
expect.delivered(a, 100):in_order():exactly_once()
expect.event(b, "accept", 1)
