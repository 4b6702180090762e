-- errors.lua: every error that an RDMA device can show to SEND and RECV.
--
-- What it shows: each error status of a completion, each asynchronous event of a queue pair,
-- a completion queue, an SRQ, a port and a device, and each verb that fails, one by one. The
-- engine notices all of them: the connection is reset and the next one works, or nothing
-- happens at all where nothing is broken. A node whose device, CQ or SRQ is dead is deaf from
-- then on, but does not hang.
--
-- What to look at: cqe_error, async_event and rdma_fault in the trace.
--
-- With --device rxe the same, but for LAST_WQE_REACHED, which that kind never sends.
--
--   msgrlab run scenarios/rdma/errors.lua --stack rdma --trace errors.trace
--   msgrlab show errors.trace --view text | grep -E "cqe_error|async_event|rdma_fault"
--
-- stack: rdma

if world.name ~= "sim" or world.stack ~= "rdma" then
    skip("only the virtual RDMA device has these errors: --on sim --stack rdma")
end

fault.accept { "conn_loss", "refused", "no_resource", "corrupt" }

local backoff = { initial = "5ms", max = "20ms" }
local a = node { "a", workers = 1, policy = "lossy_client", backoff = backoff,
                 ready_timeout = "2s" } -- rxe never says that nobody answers
local b = node { "b", workers = 1, echo = true }
a:start()
b:start()

local function connected(from)
    local c = from:connect(b, { anon = true })
    c:send { type = "ping", data = 1000 }
    wait(function() return c:is_connected() end)
    wait(expect.delivered(b, 1):from(c))
    return c
end

-- A connection meets the fault and is reset; the next one works.
local function breaks(what)
    local c = connected(a)
    what.nth = 1
    local f = fault.inject(what)
    local told = what.id .. " " .. (what.value or what.errno or "")

    pcall(c.send_many, c, 3, { type = "ping", data = 40000 }) -- it may be over by then
    wait(function() return f:fired() == 1 and not c:is_connected() end)
    f:stop()
    expect.that(f:fired() == 1, told .. " happened once")
    connected(a):close()
end

-- It costs attempts to connect, and no message.
local function hinders(what)
    what.nth = 1
    local f = fault.inject(what)
    local c = connected(a)

    expect.that(f:fired() == 1, what.id .. " happened once")
    f:stop()
    c:close()
end

-- It only takes longer.
local function delays(what)
    local c = connected(a)
    local f = fault.inject(what)

    c:send_many(10, { type = "ping", data = 40000 })
    sleep("5ms") -- the poller goes to sleep, and must be woken
    c:send { type = "ping" }
    wait(expect.delivered(b, 12):from(c):in_order():exactly_once())
    expect.that(f:fired() > 0, what.id .. " " .. (what.value or "") .. " happened")
    expect.that(c:is_connected(), what.id .. " breaks nothing")
    f:stop()
    c:close()
end

-- Statuses by their number in ibv_wc_status: LOC_LEN, LOC_QP_OP, LOC_PROT, BAD_RESP,
-- REM_INV_REQ, REM_ACCESS, REM_OP, RETRY_EXC, RNR_RETRY_EXC, REM_ABORT, FATAL, RESP_TIMEOUT,
-- GENERAL. WR_FLUSH comes behind each of them.
for _, status in ipairs { 1, 2, 4, 7, 9, 10, 11, 12, 13, 16, 19, 20, 21 } do
    breaks { id = "v10_send", node = a, peer = b, value = status }
end
for _, status in ipairs { 1, 2, 4, 16, 19, 21 } do
    breaks { id = "v10_recv", node = b, peer = a, value = status }
end
for value = 1, 6 do breaks { id = "v15_qp", node = a, peer = b, value = value } end
for _, errno in ipairs { "ENOMEM", "EINVAL" } do
    breaks { id = "v07_post_send", node = a, peer = b, errno = errno }
end
breaks { id = "v23_gid", node = a, value = 1, time = "10ms" }
breaks { id = "v26_payload", node = b, peer = a } -- the engine's checksums tell

for _, id in ipairs { "v03_qp", "v06_to_init", "v06_to_rtr", "v06_to_rts" } do
    hinders { id = id, node = a }
end
-- Both ends take it for a connection, until nothing comes, or the first bytes are missing.
for value = 1, 3 do hinders { id = "v06_wrong", node = a, value = value } end

for value = 1, 11 do delays { id = "v21_event", node = a, value = value, count = 1 } end
delays { id = "v08_post_recv", node = b, count = 2 }
delays { id = "v18_late", count = 5 }
delays { id = "v18_few" }
delays { id = "v18_none", count = 5 }
delays { id = "v19_overtake" }
delays { id = "v20_late", count = 3 }
delays { id = "v20_extra", count = 3 }
delays { id = "v27_drop", count = 3, probability = 0.2 }
delays { id = "v27_damage", count = 3, probability = 0.2 }
delays { id = "v27_repeat", count = 10 }
delays { id = "v31_page", count = 5 }

-- A port without a link: some devices try again until it is back, others give up at once.
local port = fault.inject { id = "v22_port", node = a, time = "10ms", nth = 1 }
local waits = connected(a)
expect.that(port:fired() == 1, "the port was down")
port:stop()
waits:close()

-- The end of a connection, when LAST_WQE_REACHED is missing, doubled or late, and when the
-- queue pair cannot be put into ERR.
for value = 1, world.device == "rxe" and 0 or 3 do
    local f = fault.inject { id = "v16_last_wqe", node = a, value = value, nth = 1 }
    connected(a):close()
    wait(function() return f:fired() == 1 end)
    connected(a):close()
    f:stop()
end
local stays = fault.inject { id = "v06_to_err", node = a, nth = 1 }
connected(a):close()
wait(function() return stays:fired() == 1 end)
connected(a):close()

-- Queue pairs one behind the other, with one number: none meets what was the other's.
local again = fault.inject { id = "v25_number", node = a }
for _ = 1, 3 do
    connected(a):close()
    sleep("100ms") -- it is destroyed
end
expect.that(again:fired() >= 2, "a number came again")
again:stop()

-- A device that is not there, or not as it should be, when a node starts: the node says so;
-- and one that is only small or slow will do.
local function starts(what)
    local n = node { "s-" .. what.id .. (what.value or ""), workers = 1, policy = "lossy_client" }
    what.node, what.nth, what.count = n, 1, 1
    local f = fault.inject(what)
    local ok = pcall(n.start, n)

    expect.that(f:fired() == 1, what.id .. " happened once")
    f:stop()
    if ok then connected(n):close() end
    return ok
end
for _, id in ipairs { "v01_list", "v01_open", "v02_query", "v03_start" } do
    expect.that(not starts { id = id }, id .. ": the node does not start")
end
expect.that(not starts { id = "v02_limits", value = 3 }, "no start with so small a CQ")
for _, value in ipairs { 1, 2, 4 } do
    expect.that(starts { id = "v02_limits", value = value }, "little is enough")
end
for _, id in ipairs { "v04_more_cqe", "v31_reg_mr" } do
    expect.that(starts { id = id }, id .. " breaks nothing")
end

-- Receive buffers that cannot become more: those there are are used again.
local g = node { "g", workers = 1, policy = "lossy_client", rdma = "receive_queue_len=2" }
g:start()
local grows = fault.inject { id = "v05_reg_mr", node = g, nth = 1, count = 1 }
local echoed = connected(g)
echoed:send_many(3, { type = "ping", data = 400000 })
wait(expect.delivered(b, 4):from(echoed):in_order():exactly_once())
wait(function() return grows:fired() == 1 end)
expect.that(grows:fired() == 1, "v05_reg_mr breaks nothing")
echoed:close()

-- Nodes whose device, CQ or SRQ dies: the connection is reset, and so is what they try next.
for i, id in ipairs { "v17_cq", "v18_fails", "v15_srq", "v24_device" } do
    local d = node { "d" .. i, workers = 1, policy = "lossy_client", backoff = backoff }
    d:start()
    local c = connected(d)
    local f = fault.inject { id = id, node = d, nth = 1 }

    pcall(c.send_many, c, 3, { type = "ping", data = 40000 })
    wait(function() return f:fired() == 1 and not c:is_connected() end)
    expect.that(f:fired() == 1, id .. " happened once")
    connected(a):close()
end

expect.event(a, "reset", 1):at_least()
