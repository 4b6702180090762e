-- args: --set instructions=200000
-- exit: 3
-- says: endless_loop.lua:5: the script ran for more than 200000 instructions
-- says: result        script error
while true do pcall(function() while true do end end) end
