-- rdma.lua: little registered memory for many senders, for campaigns over RDMA: pools of a few
-- chunks, short receive queues, threads that spin or sleep; and connections that are closed
-- in the middle of it all. What is lost is lost with its session and from its end; once all
-- is well, everything arrives, and every chunk is where it belongs.
--
--     msgrlab campaign scenarios/campaigns/rdma.lua --seeds 1..1000 --profile chaos
--
-- stack: rdma

if world.name ~= "sim" or world.stack ~= "rdma" then
    skip("only the virtual RDMA device can be made to fail: --on sim --stack rdma")
end
fault.accept { "conn_loss", "refused" }

-- Throttles only where each connection has its own receives: with a shared queue who waits for
-- a budget keeps what it was sent, and with pools as small as these its connection may end for
-- it (stacks/rdma/README.md).
local pick = swarm.pick
local chunk = pick("buffer_size", { 4096, 1024, 32768 }) -- the same everywhere

local function member(name, policy, idle_timeout)
    local queue = pick(name .. "_receive_queue", { 4, 2, 16 })
    local more = pick(name .. "_receive_more", { 4, 0, 64 }) -- for what is read late
    local shared = pick(name .. "_support_srq", { true, false })
    local queues = shared and 1 or 10 -- as many as there are queue pairs, at the most
    return node {
        name,
        policy = policy,
        workers = pick(name .. "_workers", { 1, 2 }),
        fast_dispatch = pick(name .. "_fast_dispatch", { false, true }),
        echo = pick(name .. "_echo", { false, true }),
        throttle = { messages = shared and 0 or pick(name .. "_throttle", { 0, 4, 1 }) },
        backoff = { initial = "1ms", max = "8ms" },
        ready_timeout = "2s",
        idle_timeout = idle_timeout or pick(name .. "_idle_timeout", { "15m", "15m", "30s", "8s" }),
        rdma = table.concat({
            "buffer_size=" .. chunk,
            "send_buffers=" .. pick(name .. "_send_buffers", { 2, 1, 4, 16 }),
            "receive_queue_len=" .. queue,
            "receive_buffers=" .. queues * queue + more,
            "support_srq=" .. tostring(shared),
            "polling_us=" .. pick(name .. "_polling_us", { 10, 0, 1000 }),
            "linger_ms=" .. pick(name .. "_linger_ms", { 1000, 1 }),
        }, ","),
    }
end

local a, b = member("a", "lossless_peer"), member("b", "lossless_peer")
local spec = { data = pick("data", { 3000, 64, 20000 }) }
local sessions = { a:connect(b) }

a:sender_threads(sessions[1], pick("senders", { 2, 1 }), pick("messages", { 10, 30 }), spec)
b:sender_threads(a, 1, pick("messages_back", { 10, 30 }), spec)
for _ = 1, pick("closed", { 1, 0, 3 }) do
    sleep(pick("lives_for", { "200us", "50us", "1ms", "5ms" }))
    sessions[#sessions]:close()
    local again = a:connect(b)
    a:sender_threads(again, 1, 5, spec)
    sessions[#sessions + 1] = again
end

for _ = 1, pick("keepalives", { 0, 0, 0, 20 }) do
    sessions[#sessions]:keepalive() -- the others are closed
    sleep "1s"
end

heal()
for _, session in ipairs(sessions) do
    expect.session(session):prefix_then_reset():within("1m") -- starved threads are slow
end
pcall(sessions[#sessions].send_many, sessions[#sessions], 5, spec) -- it may be over already
local late = member("late", "lossless_peer", "15m"):connect(b) -- it meets no fault
late:send_many(5, spec)
expect.session(late):within("1m")
