-- lite.lua: the workload of every campaign: two nodes, four sessions, 200 messages, while
-- transports break, dials fail, links and readiness are slow. What is asked of it:
--
--   - each session delivers in order and exactly once, up to its reset if it has one;
--   - one whose peer says nothing is over in time, however much its own side sends;
--   - once the faults are over, new sessions deliver everything, soon;
--   - nothing is left behind.
--
--     msgrlab campaign scenarios/campaigns/lite.lua --seeds 1..10000 --profile lite
--
-- stack: tcp

if world.name ~= "sim" then skip("a campaign needs the simulated world") end
fault.accept { "conn_loss", "refused" }

local pick = swarm.pick
local policy = pick("policy", { "lossy_client", "lossless_client", "lossless_peer" })

local function member(name, idle_timeout)
    return node {
        name,
        workers = pick(name .. "_workers", { 2, 1, 3 }),
        driver = pick(name .. "_driver", { "epoll", "poll", "select" }),
        fast_dispatch = pick(name .. "_fast_dispatch", { false, true }),
        throttle = {
            messages = pick(name .. "_throttle_messages", { 0, 2 }),
            bytes = pick(name .. "_throttle_bytes", { 0, 60000 }),
        },
        backoff = { initial = "1ms", max = "50ms" },
        ready_timeout = "2s",
        idle_timeout = idle_timeout or pick(name .. "_idle_timeout", { "15m", "15m", "30s", "8s" }),
    }
end

local a, b = member "a", member "b"
local spec = {
    type = "ping",
    front = pick("front", { 64, 0, 1, 4096, 20000 }),
    data = pick("data", { 0, 100, 9000 }),
}

local function dial(from, to, opts) return { from = from, conn = from:connect(to, opts) } end

-- A stateful server keeps one session for each peer, so there the four are between three
-- nodes; and only peers dial each other.
local sessions
if policy == "lossy_client" then
    local opts = { policy = policy, anon = true }
    sessions = { dial(a, b, opts), dial(a, b, opts), dial(a, b, opts), dial(a, b, opts) }
else
    local opts = { policy = policy }
    local c = member "c"
    sessions = { dial(a, b, opts), dial(c, a, opts), dial(c, b, opts) }
    if policy == "lossless_peer" then sessions[4] = dial(b, c, opts) end
end
-- Over RDMA all that a device may refuse is asked of it, too: now that the nodes are there.
if world.stack == "rdma" then fault.accept { "no_resource" } end
for i, session in ipairs(sessions) do
    local threads = pick("threads_" .. i, { 0, 1, 2 })
    if threads > 0 then -- fewer, where threads are scarce
        session.from:sender_threads(session.conn, threads, 50 // threads, spec)
    else
        session.conn:send_many(50, spec)
    end
end
sleep(pick("chaos", { "2ms", "200us", "20ms", "300ms" }))
for _ = 1, pick("keepalives", { 0, 0, 0, 20 }) do
    for _, session in ipairs(sessions) do session.conn:keepalive() end
    sleep "1s"
end

heal()
for _, session in ipairs(sessions) do
    expect.session(session.conn):prefix_then_reset()
end
local late = member("late", "15m") -- it may wait
for _, session in ipairs { dial(late, a, { policy = policy }), dial(late, b, { policy = policy }) } do
    session.conn:send_many(10, spec)
    expect.session(session.conn):within("20s")
end
