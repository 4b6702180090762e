-- exit: 0
-- says: result        ok
-- A pause after healing ends with the script, like one before it.
local a, b = node "a", node "b"
local c = a:connect(b)
heal()
a:pause()
c:send { data = 100 }
expect.delivered(b, 1)
