-- only: linux
-- exit: 0
-- says: result        skipped: no partition on linux
-- says: messages      1 sent
if world.name == "sim" then error "this version has no such world" end
local a, b = node "a", node "b"
a:connect(b):send { front = 3 }
skip("no partition on " .. world.name)
