-- exit: 3
-- says: rebound.lua:9: keepalive: node a was rebound, which ended its connections; connect again
-- says: expectations  1 of 1 met
local a, b = node { "a", policy = "lossless_peer" }, node { "b", policy = "lossless_peer" }
local c = a:connect(b)
c:send { front = "x" }
wait(expect.delivered(b, 1))
a:rebind()
c:keepalive()
