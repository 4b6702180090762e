-- exit: 1
-- says: wrong_count.lua:9: expected: messages_received of b == 5
-- says: observed: 1
-- says: expected: stale of a > cycles
local a, b = node { "a", workers = 1 }, node "b"
local c = a:connect(b)
c:send { front = "x" }
expect.delivered(b, 1)
expect.count(b, "messages_received", "==", 5)
expect.count(a, "cycles", ">", 0)
expect.count(a, "stale", ">", "cycles")
