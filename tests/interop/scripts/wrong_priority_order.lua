-- exit: 1
-- says: 1 behind a lower priority
local a, b = node "a", node { "b", fast_dispatch = true }
local c = a:connect(b)
c:send { priority = "low", front = 1 }
wait(expect.delivered(b, 1))
c:send { priority = "high", front = 1 }
expect.delivered(b, 2):by_priority()
