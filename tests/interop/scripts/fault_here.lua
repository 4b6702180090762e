-- only: linux
-- exit: 3
-- says: fault_here.lua:5: fault.drop needs the simulated world (--on sim); this run is --on linux
local a, b = node "a", node "b"
fault.drop { from = "a", to = "b", frame = "MESSAGE", nth = 3 }
