-- exit: 3
-- says: fault_frame.lua:4: fault.inject: s06_fin does not happen at a frame that is written; it happens on the read side
local a = node "a"
fault.inject { id = "s06_fin", node = a, frame = "ACK" }
