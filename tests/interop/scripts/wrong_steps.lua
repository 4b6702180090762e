-- exit: 1
-- says: wrong_steps.lua:11: expected: message 1 of a takes S1 S2 S7 R7
-- says: observed: message 1: S1 S2 S3 S4 S5 S6 R3 R4 R5 R6 R7
-- says: wrong_steps.lua:12: expected: every message of c's connection takes S1
-- says: observed: no message was sent
-- stack: tcp
local a, b = node "a", node "b"
local c = a:connect(b)
c:send { front = "x" }
wait(expect.delivered(b, 1))
expect.steps(c:message(1), "S1 S2 S7 R7")
expect.steps(node { "c", type = "mon" }:connect(b, { anon = true }), "S1")
