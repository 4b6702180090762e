-- exit: 3
-- says: runtime_error.lua:7: attempt to index a nil value (global 'nothing')
-- says: runtime_error.lua:7 in 'inner'
-- says: runtime_error.lua:10
local a, b = node "a", node "b"
a:connect(b):send { front = "so that something runs" }
local function inner() return nothing.there end
-- A tail call would leave no trace of its caller.
local function outer()
  local x = inner()
  return x
end
outer()
