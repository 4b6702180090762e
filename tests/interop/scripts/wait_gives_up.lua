-- exit: 1
-- says: wait_gives_up.lua:5: expected: the condition of wait comes true
-- says: observed: not within 50 ms
-- never: this line is not reached
wait(function() return false end, "50ms")
print("this line is " .. "not reached")
