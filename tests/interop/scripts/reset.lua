-- exit: 0
-- says: expectations  4 of 4 met
-- One side closes a lossy session: the other one is told, and can tell the script why.
local a, b = node "a", node "b"
local c = a:connect(b)
c:send { front = "x" }
wait(expect.delivered(b, 1))
c:close()
wait(expect.event(b, "reset", 1))
expect.event(a, "reset", 0)
expect.that(not c:is_connected(), "closed")
