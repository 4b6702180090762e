-- exit: 3
-- says: unknown_method.lua:4: node: there is no method 'conect'; did you mean 'connect'?
local a, b = node "a", node "b"
local c = a:conect(b)
