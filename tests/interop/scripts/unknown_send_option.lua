-- exit: 3
-- says: unknown_send_option.lua:6: send: there is no option 'prio' valid: type, front, middle, data, priority

local a, b = node "a", node "b"
local c = a:connect(b)
c:send { prio = "high" }
