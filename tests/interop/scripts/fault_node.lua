-- exit: 3
-- says: fault_node.lua:4: fault.drop: there is no node 'c' valid: a, b
local a, b = node "a", node "b"
fault.drop { from = "c", to = b, frame = "MESSAGE" }
