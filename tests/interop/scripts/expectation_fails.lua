-- exit: 1
-- says: expectation_fails.lua:10: expected: delivered to b: 3 within 500 ms
-- says: observed: 2 delivered after
-- says: expectations  1 of 2 met
-- says: result        FAILED
local a, b = node "a", node "b"
local c = a:connect(b)
c:send { front = "one" }
c:send { front = "two" }
expect.delivered(b, 3):within "500ms"
expect.that(true, "this one is met")
