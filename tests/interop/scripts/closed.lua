-- exit: 3
-- says: closed.lua:9: send: the script closed this connection (
-- says: closed.lua:8); connect again
-- says: expectations  1 of 1 met
local a, b = node "a", node "b"
local c = a:connect(b)
c:send { front = "x" }
wait(expect.delivered(b, 1)) c:close()
c:send { front = "y" }
