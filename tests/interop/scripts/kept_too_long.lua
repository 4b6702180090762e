-- exit: 3
-- says: kept_too_long.lua:8: a received message lives as long as its handler runs
local a, b = node "a", node "b"
local kept
b:on_message(function(msg) kept = msg end)
a:connect(b):send { front = 1 }
wait(function() return kept end)
print(kept:front())
