-- exit: 3
-- says: fault_unknown.lua:4: fault.inject: there is no fault 's06_short_read'; did you mean 's06_short_recv'?
local a = node "a"
fault.inject { id = "s06_short_read", node = a }
