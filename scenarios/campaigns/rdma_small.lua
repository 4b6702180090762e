-- rdma_small.lua: a world so small that every order of what happens in it comes up: two nodes
-- with one worker each, one session at a time, a handful of chunks and messages. What campaigns find in
-- it shrinks to a few decisions.
--
--     msgrlab campaign scenarios/campaigns/rdma_small.lua --seeds 1..10000 --profile lite
--
-- stack: rdma

if world.name ~= "sim" or world.stack ~= "rdma" then
    skip("only the virtual RDMA device can be made to fail: --on sim --stack rdma")
end
fault.accept { "conn_loss", "refused" }

local pick = swarm.pick
local queue = pick("receive_queue", { 2, 1, 4 })
local rdma = table.concat({
    "buffer_size=1024",
    "send_buffers=" .. pick("send_buffers", { 1, 2 }),
    "receive_queue_len=" .. queue,
    "receive_buffers=" .. 2 * queue + pick("receive_more", { 0, 2 }),
    "support_srq=" .. tostring(pick("support_srq", { true, false })),
    "polling_us=" .. pick("polling_us", { 0, 10 }),
}, ",")

local function member(name)
    return node {
        name,
        policy = "lossless_peer",
        workers = 1,
        echo = pick(name .. "_echo", { false, true }),
        backoff = { initial = "1ms", max = "8ms" },
        rdma = rdma,
    }
end

local a, b = member("a"), member("b")
local spec = { data = pick("data", { 3000, 900, 64 }) }
local session = a:connect(b)

for _ = 1, pick("messages", { 3, 1, 6 }) do
    pcall(session.send, session, spec) -- it may be over already
    -- short ones: the next message comes while the buffers of the last are on their way back
    local pause = pick("pauses", { "", "50us", "5us", "10us", "20us" })
    if pause ~= "" then sleep(pause) end
    if pick("closes", { false, false, true }) then
        session:close()
        session = a:connect(b)
    end
end

heal()
expect.session(session):prefix_then_reset():within("5s")
pcall(session.send, session, spec)
expect.session(session):prefix_then_reset():within("5s")
