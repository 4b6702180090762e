-- exit: 0
-- says: result        ok
local a, b = node "a", node "b"
local before = b:addr()
b:pause()
assert(not pcall(b.rebind, b) and b:addr() == before)
b:resume()
b:rebind()
assert(b:addr() ~= before)
a:connect(b):send { data = 100 }
expect.delivered(b, 1)
