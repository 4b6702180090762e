-- faults_dial.lua: dialling goes wrong in every way it can, and then works.
--
-- What it shows: errors at once, errors later, slow connects, a peer that resets what it has
-- just accepted. Each costs one attempt; the pause before the next one doubles until a
-- session is up. on_refused is told for a refusal, and only then.
--
-- What to look at: conn_backoff in the trace: 5 ms, 10 ms, 20 ms, 20 ms, ...
--
--   msgrlab run scenarios/faults_dial.lua --trace dial.trace
--   msgrlab show dial.trace --view text | grep -E "connect|backoff"
--
-- stack: tcp

fault.accept { "refused", "conn_loss" }

local a = node { "a", workers = 1, policy = "lossy_client",
                 backoff = { initial = "5ms", max = "20ms" } }
local b = node { "b", workers = 1 }
local errnos = { "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "ECONNRESET" }
a:start()
b:start()

-- All of these, one attempt each, on the way to one session.
local function dial(rules)
    local c, handles = nil, {}
    for i, r in ipairs(rules) do handles[i] = fault.inject(r) end
    c = a:connect(b, { anon = true })
    c:send { type = "ping", front = 10 }
    wait(expect.delivered(b, 1):from(c))
    for i, h in ipairs(handles) do
        expect.that(h:fired() == 1, rules[i].id .. " happened once")
    end
end

for _, id in ipairs { "s04_connect", "s04_connect_later" } do
    local rules = {}
    for i, errno in ipairs(errnos) do
        rules[i] = { id = id, node = a, peer = b, errno = errno, count = 1 }
    end
    dial(rules)
end
dial { { id = "s03_ports", node = a, count = 1 } }
dial { { id = "s04_connect_slow", node = a, count = 1, time = "30ms" } }
dial { { id = "s04_connect_now", node = a, count = 1, time = "5ms" } }
dial { { id = "s04_accept_reset", node = b, count = 1 } }

expect.event(a, "refused", 1)
expect.delivered(b, 6)
