-- only: linux
-- exit: 1
-- says: expected: delivered to b: 3, whatever faults take
-- says: 1 delivered, 1 gone with a session that a fault ended, 1 not sent as it was over
-- says: expectations  1 of 3 met
fault.accept "conn_loss"
local a, b = node "a", node "b"
local c = a:connect(b)
c:send { front = 10 }
wait(expect.delivered(b, 1))
fault.reset { from = a, to = b, frame = "MESSAGE" }
c:send { front = 10 }
wait(function() return a:events().reset == 1 end)
c:send { front = 10 }
expect.delivered(b, 3):strict():within("200ms")
expect.session(c):strict():within("200ms")
