-- churn.lua: sessions that come and go, for campaigns: senders on both sides, short timers,
-- narrow throttles, a listener that moves away, a node that stands still. What is lost is
-- lost with its session and from its end; everything else arrives, in order, once.
--
--     msgrlab campaign scenarios/campaigns/churn.lua --seeds 1..1000 --profile lite
--
-- stack: tcp

if world.name ~= "sim" then skip("a campaign needs the simulated world") end
fault.accept { "conn_loss", "refused" }

local pick = swarm.pick

local function member(name)
    return node {
        name,
        policy = "lossless_peer",
        workers = pick(name .. "_workers", { 1, 2 }),
        fast_dispatch = pick(name .. "_fast_dispatch", { false, true }),
        echo = pick(name .. "_echo", { false, true }),
        throttle = { messages = pick(name .. "_throttle", { 0, 1, 4 }) },
        idle_timeout = pick(name .. "_idle_timeout", { "15m", "300us", "1ms" }),
        ready_timeout = "5s",
        backoff = { initial = "1ms", max = "8ms" },
    }
end

local a, b = member "a", member "b"
local spec = { data = pick("bytes", { 64, 3000, 30000 }) }
local sessions = { a:connect(b) }

a:sender_threads(sessions[1], pick("senders", { 1, 2 }), pick("messages", { 5, 20 }), spec)
b:sender_threads(a, pick("senders_back", { 1, 2 }), pick("messages_back", { 5, 20, 60 }), spec)

local stand_still = pick("pause", { "", "100us", "5ms" })
if stand_still ~= "" then a:pause(stand_still) end

for i = 1, pick("rebinds", { 0, 1, 3 }) do
    sleep(pick("rebind_after", { "200us", "50us", "500us" }))
    b:rebind()
    sessions[#sessions]:close() -- nobody is there any more, and it would dial for ever
    local again = a:connect(b)
    a:sender_threads(again, 1, 3, spec)
    sessions[#sessions + 1] = again
end

for _ = 1, pick("keepalives", { 0, 0, 20 }) do
    sessions[#sessions]:keepalive() -- the others are closed
    sleep "200us"
end

heal()
for _, session in ipairs(sessions) do
    expect.session(session):prefix_then_reset()
end
