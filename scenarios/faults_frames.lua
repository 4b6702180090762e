-- faults_frames.lua: the connection breaks at each frame in turn.
--
-- What it shows: every frame of the handshake, and a message, meets a reset just before it
-- is written and just after it was begun to be read. Before the session is up the dialler
-- tries again by itself, after a pause; a lossy session that was up ends with one reset on
-- each side that knew of it, and what had arrived is a prefix.
--
-- What to look at: conn_fault and conn_backoff in the trace, and how few frames a second
-- attempt needs.
--
--   msgrlab run scenarios/faults_frames.lua --trace frames.trace
--   msgrlab show frames.trace --view text | grep -E "fault|backoff|reset"
--
-- stack: tcp

fault.accept { "conn_loss" }

local a = node { "a", workers = 1, policy = "lossy_client",
                 backoff = { initial = "5ms", max = "20ms" } }
local b = node { "b", workers = 1, echo = true }
a:start()
b:start()

local from_a = { "HELLO", "AUTH_REQUEST", "AUTH_SIGNATURE", "CLIENT_IDENT" }
local from_b = { "HELLO", "AUTH_DONE", "AUTH_SIGNATURE", "SERVER_IDENT" }

-- A break before the session is up costs an attempt, and nothing that was to be sent.
local function breaks(from, to, tag, side)
    local f = fault.reset { from = from, to = to, frame = tag, side = side }
    local c = a:connect(b, { anon = true })
    local rest = stats(b).messages_received

    c:send_many(3, { type = "ping", front = 100 })
    wait(function() return f:fired() == 1 end)
    wait(function() return stats(b).messages_received == rest + 3 or c:why() ~= "" end)
    expect.that(f:fired() == 1, tag .. " was hit once, " .. side .. " side")
    c:close()
end

for _, side in ipairs { "write", "read" } do
    for _, tag in ipairs(from_a) do breaks(a, b, tag, side) end
    for _, tag in ipairs(from_b) do breaks(b, a, tag, side) end
end

-- A break in the session: the second of three messages never arrives, nor does the third.
local d = a:connect(b, { anon = true })
wait(function() return d:is_connected() end)
local before = stats(b).messages_received
local lost = fault.drop { from = a, to = b, frame = "MESSAGE", nth = 2 }
d:send_many(3, { type = "ping", front = 2000 })
wait(function() return not d:is_connected() end)
expect.that(lost:fired() == 1, "the second message was dropped")
expect.that(stats(b).messages_received == before + 1, "what arrived is a prefix")
expect.event(a, "reset", 1):at_least()
