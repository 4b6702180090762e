-- exit: 3
-- says: handler_error.lua:5: attempt to call a nil value (global 'oops')
local a, b = node "a", node "b"
b:on_message(function(msg)
  oops(msg)
end)
a:connect(b):send { front = 1 }
expect.delivered(b, 1)
