-- fair_stopped_reader.lua: an application keeps the one message that its budget for a type of
-- peers allows, so what such a peer sends is not read; others arrive as fast as alone. Later
-- all of it is read, or, where nobody can stop the sender (a shared receive queue) and it was
-- more than all memory that may wait for readers, its connection ended; nobody else's did.
local b = node {
    "b",
    throttle = { messages = 1 },
    policy = "lossless_peer",
    policies = { client = "stateless_server" },
}
local flood = node { "flood", policy = "lossless_peer" }
local other = node { "other", type = "client", policies = { osd = "lossy_client" } }
local from_flood, from_other = flood:connect(b), other:connect(b)
wait(function() return from_flood:is_connected() and from_other:is_connected() end)
local function arrives_at_once(within)
    from_other:send { data = 1000 }
    wait(expect.session(from_other):within(within or "1ms"))
end

arrives_at_once() -- alone
b:keep(flood)
from_flood:send_many(set.messages or 1500, { data = 60000 })
for _ = 1, 10 do
    sleep(set.every or "20ms")
    arrives_at_once(set.within)
end
expect.that(from_other:is_connected(), "the other one is gone: " .. from_other:why())
b:let_go()
if set.ends then
    wait(expect.session(from_flood):prefix_then_reset():within "10s")
    expect.that(stats(b, "rdma").rx_unread_ended == 1, "it was ended, once")
else
    wait(expect.session(from_flood):within "10s")
end
