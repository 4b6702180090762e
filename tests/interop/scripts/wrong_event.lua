-- exit: 1
-- says: wrong_event.lua:7: expected: b told of 'accept': 2 within 500 ms
-- says: observed: 1 after
-- says: expectations  1 of 2 met
local a, b = node "a", node "b"
a:connect(b)
expect.event(b, "accept", 2):within "500ms"
expect.event(a, "connect", 1)
