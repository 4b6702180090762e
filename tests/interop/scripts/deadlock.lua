-- args: --timeout 300ms
-- exit: 6
-- says: deadlock.lua:9: still awaited: delivered to b: 1
-- says: so far: 0 delivered
-- says: the time limit of 300 ms passed
-- says: result        timed out
local a, b = node "a", node { "b" }
local c = a:connect(b)
expect.delivered(b, 1):within "60s"
