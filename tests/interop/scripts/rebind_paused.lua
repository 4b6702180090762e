-- exit: 3
-- says: rebind_paused.lua:7: rebind: node b stands still
-- Whoever stands still cannot take part in a rebind, which would wait for ever.
local a, b = node "a", node "b"
a:connect(b)
b:pause()
b:rebind()
