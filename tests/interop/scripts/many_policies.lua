-- exit: 3
-- says: many_policies.lua:5: node a treats these peers as lossy_client already
local a, b, c = node "a", node "b", node "c"
a:connect(b, { policy = "lossy_client" })
a:connect(c, { policy = "lossless_peer" })
