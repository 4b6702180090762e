-- faults_bytes.lua: the stream comes and goes in pieces of every size.
--
-- What it shows: reads of one byte, reads that end exactly where a frame ends and reads that
-- end one byte into the next, EAGAIN after readiness, sends that end inside any iovec, a
-- peer that takes 64 bytes a millisecond: all of it only takes longer. Nothing is lost,
-- doubled, reordered or resent.
--
-- What to look at: the R5/R6 steps of one message: how many pieces it came in.
--
--   msgrlab run scenarios/faults_bytes.lua --trace bytes.trace
--   msgrlab show bytes.trace --view message
--
-- stack: tcp

local a = node { "a", workers = 1 }
local b = node { "b", workers = 1, echo = true }
local c = a:connect(b, { policy = "lossy_client" })
local n = 0

-- Ten messages there and back under these faults.
local function talk(faults)
    local rules = {}
    for i, f in ipairs(faults) do rules[i] = fault.inject(f) end
    c:send_many(10, { type = "ping", front = 300, middle = 20, data = 1500 })
    n = n + 10
    wait(expect.delivered(b, n):from(c):in_order():exactly_once())
    for i, rule in ipairs(rules) do
        expect.that(rule:fired() > 0, faults[i].id .. " happened")
        rule:stop()
    end
end

for value = 1, 3 do talk { { id = "s06_short_recv", value = value } } end
talk { { id = "s06_short_recv", value = 10 }, { id = "s07_short_send", value = 7 } }
talk { { id = "s06_eagain", count = 3 }, { id = "s07_eagain", count = 1 } }
for value = 1, 6 do talk { { id = "s08_iov_cut", value = value } } end
fault.inject { id = "s14_slow_drain", node = a, value = 64, count = 1 }
c:send_many(2, { type = "ping", data = 1000 })

expect.delivered(b, n + 2):from(c):in_order():exactly_once()
expect.delivered(a, n + 2):in_order():exactly_once()
expect.event(a, "reset", 0)
expect.event(b, "reset", 0)
