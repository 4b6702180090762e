-- exit: 3
-- says: syntax_error.lua:5: syntax error near 'b'
-- says: result        script error
local a = node "a"
a b
