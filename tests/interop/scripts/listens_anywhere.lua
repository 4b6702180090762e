-- exit: 0
-- Who listens at every ip of its machine is called at one of them.
local a, b = node "a", node { "b", addr = "0.0.0.0:0" }
a:connect(b):send { front = "x" }
wait(expect.delivered(b, 1))
