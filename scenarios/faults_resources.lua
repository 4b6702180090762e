-- faults_resources.lua: no descriptor is left when somebody calls.
--
-- What it shows: accept fails with EMFILE, then for other reasons. The listener does not spin
-- and does not give up: it pauses for 100 ms, while the kernel's backlog holds whoever came,
-- and then takes them. A caller that is lost in accept dials again. Dialling, too, finds no
-- descriptor at first.
--
-- What to look at: accept_error in the trace, and the pause behind it.
--
--   msgrlab run scenarios/faults_resources.lua --trace resources.trace
--   msgrlab show resources.trace --view text | grep -E "accept|backoff"
--
-- stack: tcp

fault.accept { "no_resource", "conn_loss", "refused" }

local a = node { "a", workers = 1, policy = "lossy_client",
                 backoff = { initial = "5ms", max = "20ms" } }
local b = node { "b", workers = 1 }
a:start()
b:start()

local f = fault.inject { id = "s01_accept", node = b, errno = "EMFILE", count = 2 }
local c = a:connect(b, { anon = true })
c:send { type = "ping", front = 10 }
wait(expect.delivered(b, 1):from(c))
expect.that(f:fired() == 2, "accept found no descriptor twice")

for _, errno in ipairs { "ECONNABORTED", "EPERM", "EPROTO", "ENETDOWN" } do
    local lost = fault.inject { id = "s02_accept_lost", node = b, errno = errno, nth = 1 }
    local d = a:connect(b, { anon = true })
    d:send { type = "ping", front = 10 }
    wait(expect.delivered(b, 1):from(d))
    expect.that(lost:fired() == 1, errno .. " cost one attempt")
end

local s = fault.inject { id = "s01_socket", node = a, count = 3 }
local e = a:connect(b, { anon = true })
e:send { type = "ping", front = 10 }
wait(expect.delivered(b, 1):from(e))
expect.that(s:fired() == 3, "dialling found no descriptor three times")
expect.delivered(b, 6)
