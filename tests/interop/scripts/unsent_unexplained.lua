-- exit: 1
-- says: unsent: 1 messages from a to b were not sent
-- says: expected: delivered to b: 2
-- A session ends although no fault and no word of the script ended it: nothing is excused.
local a, b = node "a", node { "b", message_bytes = 100 }
local c = a:connect(b)
c:send { front = 1000 } -- longer than b takes
wait(function() return a:events().reset == 1 end)
c:send { front = 10 }
expect.delivered(b, 2):within("200ms")
