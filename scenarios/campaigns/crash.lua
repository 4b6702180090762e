-- crash.lua: a server that dies and lives again, in the middle of conversations, by crash of
-- its process or of its machine, under whatever else the profile does. What was lost is lost
-- with its session and from its end; once all is well, everything arrives.
--
--     msgrlab campaign scenarios/campaigns/crash.lua --seeds 1..10000 --profile chaos
--
-- stack: tcp

if world.name ~= "sim" then skip("a campaign needs the simulated world") end
fault.accept { "conn_loss", "refused", "node_loss" }

local pick = swarm.pick
local client = {
    type = "client",
    policies = { osd = "lossy_client" },
    backoff = { initial = "1ms", max = "50ms" },
    ready_timeout = "2s",
    idle_timeout = "5s", -- a machine that lost its power says nothing
}
local function member(name, options)
    local copy = { name, workers = pick(name .. "_workers", { 2, 1 }) }
    for key, value in pairs(options) do copy[key] = value end
    return node(copy)
end

local a, c = member("a", client), member("c", client)
local b = member("b", { policies = { client = "stateless_server" }, echo = pick("echo", { false, true }) })
local spec = { front = 64, data = pick("data", { 0, 100, 5000 }) }
local sessions = {}
local function talk(from, n)
    local conn = from:connect(b, { anon = true })
    from:sender_threads(conn, pick("threads", { 1, 2 }), n, spec)
    sessions[#sessions + 1] = conn
end

talk(a, 20)
talk(c, 20)
for _ = 1, pick("deaths", { 1, 0, 2 }) do
    sleep(pick("lives_for", { "1ms", "100us", "300us", "20ms" }))
    b:kill { how = pick("how", { "crash", "power_loss" }) }
    sleep(pick("dead_for", { "10ms", "0s", "300ms" }))
    for _ = 1, pick("keepalives", { 0, 0, 0, 10 }) do -- they wake nobody
        for _, session in ipairs(sessions) do session:keepalive() end
        sleep "1s"
    end
    b:restart { nonce = pick("nonce", { "new", "same" }) }
    talk(a, 5)
    talk(c, 5)
end

heal()
for _, session in ipairs(sessions) do
    expect.session(session):prefix_then_reset()
end
local late = member("late", client)
local conn = late:connect(b)
conn:send_many(10, spec)
expect.session(conn):within("20s")
