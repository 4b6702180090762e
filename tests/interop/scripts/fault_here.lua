-- exit: 3
-- says: fault_here.lua:4: fault.inject: l06_cut is done to links and nodes (world.link), not to calls
local a, b = node "a", node "b"
fault.inject { id = "l06_cut", node = a, peer = b }
