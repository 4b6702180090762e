-- b dies in the middle of a conversation and lives again at the same address. What was lost
-- is lost with its session; what is sent afterwards arrives.
local how = set.how or "crash"
local a = node { "a", type = "client", policies = { osd = "lossy_client" }, workers = 2, backoff = { initial = "1ms", max = "100ms" },
    ready_timeout = "2s", idle_timeout = "5s" }
local b = node { "b", workers = 2, policies = { client = "stateless_server" }, echo = true }
local c = a:connect(b)
a:sender_threads(c, 2, 50, { data = 5000 })
sleep(set.after or "300us")

b:kill { how = how }
expect.that(not pcall(function() stats(b) end), "a dead node tells nothing")
sleep "10ms"
local to_nobody = a:connect(b)
sleep "5ms"
b:restart { nonce = set.nonce or "new" }
sleep "200ms"
local again = a:connect(b, { anon = true })
again:send_many(20, { data = 5000 })

expect.session(c):prefix_then_reset()
expect.delivered(b, 20):from(again):in_order():exactly_once()
