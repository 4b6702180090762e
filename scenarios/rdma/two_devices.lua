-- two_devices.lua: a conversation between two RDMA devices, while something happens to the
-- wire between them.
--
-- What it shows: a is on one device, b on the other. Packets between them can be lost,
-- delayed, doubled, damaged; a port can lose its link, an address can go; b can stop reading.
-- --set trouble= says what is going to happen; the script prints how far it is, and whoever
-- started it makes the trouble then (tests/softroce/t_loss.sh). The side channel goes through
-- the loopback and stays whole.
--
--   none      nothing in particular: whatever the wire is like, everything arrives
--   survives  after "quiet" the link goes: what was said meanwhile ("sent") arrives when it
--             is back
--   breaks    after "quiet" link or address go: the session is over ("broken"). Then it is
--             mended, and there is a new session
--   silence   after "quiet" every packet is lost, and the device never gives up: a's
--             idle_timeout notices. Then as for breaks
--   rnr       b reads nothing until its receives are used up and a's device gives up
--
-- What to look at: cqe_error, async_event and rdma_fault in the trace.
--
--   msgrlab softroce -- msgrlab run scenarios/rdma/two_devices.lua --on linux
--
-- stack: rdma

if world.name == "sim" or world.stack ~= "rdma" then
    skip("two real devices and a wire: --on linux --stack rdma")
end

local trouble = set.trouble or "none"
local messages, bytes = set.messages or 10, set.bytes or 4096
local patience = "50s"
local here = "device_name=" .. (set.here or "rxe0")
local there = "device_name=" .. (set.there or "rxe1")
if trouble == "rnr" then -- few receives, and time for b to post them again as long as it reads
    there = there .. ",receive_queue_len=8,receive_buffers=8,min_rnr_timer=26"
end

local a = node { "a", rdma = here, workers = 1, backoff = { initial = "20ms", max = "200ms" },
    idle_timeout = trouble == "silence" and "3s" or nil }
local b = node { "b", rdma = there, workers = 1, echo = true }

local function rdma(n) return stats(n, "rdma") end
local function is_over() return a:events().reset == 1 end

-- Messages there, and their echoes back.
local function talk(c)
    local before = #a:received()
    c:send_many(messages, { type = "ping", data = bytes })
    wait(function() return #a:received() == before + messages end, patience)
end

local c = a:connect(b, { policy = "lossy_client" })
talk(c)

-- Nothing is on its way any more, and nobody owes an answer: so b, whose own port is going to
-- be down, has nothing to send.
local before = c:keepalives()
c:keepalive()
wait(function() return c:keepalives() > before end, patience)
wait(function() return rdma(a).inflight_tx_chunks + rdma(b).inflight_tx_chunks == 0 end, patience)
local events = rdma(a).total_async_events
expect.that(not is_over(), "nothing has broken the session so far")

if trouble == "survives" or trouble == "breaks" then
    print "quiet"
    wait(function() return rdma(a).total_async_events > events end, patience)
elseif trouble == "silence" then
    print "quiet"
elseif trouble == "rnr" then
    b:pause()
end

if trouble == "survives" then
    c:send_many(messages, { type = "ping", data = bytes })
    wait(function() return rdma(a).inflight_tx_chunks > 0 end, patience)
    print "sent"
    wait(function() return #a:received() == 2 * messages end, patience)
    wait(function() return rdma(a).total_async_events > events + 1 end, patience) -- it is back
end

if trouble == "none" or trouble == "survives" then
    expect.that(not is_over(), "the session goes on")
    expect.session(c)
    return
end

-- a goes on talking until the session is over.
for _ = 1, 800 do
    if is_over() then break end
    pcall(c.try_send, c, { type = "ping", data = bytes })
    sleep "50ms"
end
expect.that(is_over(), "the session is over")
if trouble == "rnr" then b:resume() else print "broken" end
talk(a:connect(b, { anon = true }))
expect.session(c):prefix_then_reset()
expect.event(a, "reset", 1)
