-- exit: 3
-- says: bad_policy.lua:4: connect: there is no policy 'lossles'; valid: lossy_client
local a, b = node "a", node "b"
a:connect(b, { policy = "lossles" })
