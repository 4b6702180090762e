-- exit: 3
-- says: fault.inject: there is no state 'READ'; did you mean 'READY'
-- says: READY
local a = node "a"
fault.inject { id = "s06_reset", node = a, state = "READ" }
