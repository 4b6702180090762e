-- exit: 0
-- says: expectations  2 of 2 met
-- Nobody listens at port 1: the dispatcher is told, the connection keeps trying, and the run
-- ends without waiting for it.
local a = node { "a", policy = "lossless_client", backoff = { initial = "10ms", max = "50ms" } }
local c = a:connect("v2:127.0.0.1:1/0", { type = "mon", policy = "lossless_client" })
c:send { front = "into the void" }
expect.event(a, "refused", 1):at_least():within "5s"
expect.that(not c:is_connected(), "there is no session")
