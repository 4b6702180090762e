-- large_messages.lua: 800 kB of front and 800 kB of data in each message, and back.
--
-- What it shows: a message larger than any socket buffer goes out in many pieces. The stack
-- takes what fits (S6), the rest waits in `outgoing` until the socket is writable again; the
-- receiver allocates first (R4) and then reads piece by piece into place (R6). Nobody blocks,
-- and every byte is compared with what was sent.
--
-- What to look at: how many S6 and R6 one message needs.
--
--   msgrlab run scenarios/large_messages.lua --trace large.trace
--   msgrlab show large.trace --view message --message 0

local n = set.messages or 4
local front, data = set.front or 800000, set.data or 800000

local a = node { "a", workers = 1 }
local b = node { "b", workers = 1, echo = true }
local c = a:connect(b)

c:send_many(n, { type = "ping", front = front, data = data })

expect.delivered(b, n):from(c):in_order():exactly_once():within("20s")
wait(expect.delivered(a, n):from(b):in_order():exactly_once():within("20s"))
local path = "S1 S2 S3 S4 S5 S6 R3 R4 R5 R6 R7"
if world.stack == "rdma" then path = "S1 S2 S3 S4 S5 S6 S7 R1 R2 R3 R4 R5 R6 R7" end
expect.steps(c, path)

local there, back = stats(b).msgr_recv_bytes, stats(a).msgr_recv_bytes
print(string.format("%d messages of %d bytes: %d bytes there, %d bytes back", n,
                    front + data, there, back))
expect.that(there > n * (front + data), "more than the payload went there")
expect.that(there < n * (front + data) + n * 400 + 4000, "but not much more")
