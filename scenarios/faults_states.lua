-- faults_states.lua: the connection breaks in the states of the handshake, in turn.
--
-- What it shows: a fault that waits for a state of the engine, not for a frame or a time.
-- The first read of a node while a connection of it is in that state gives ECONNRESET. The
-- dialler tries again by itself, and everything arrives.
--
-- What to look at: proto_state and conn_fault in the trace; which states are entered twice.
--
--   msgrlab run scenarios/faults_states.lua --trace states.trace
--   msgrlab show states.trace --view states -o states.svg
--
-- stack: tcp

if world.name ~= "sim" then skip("states are those of the simulated world: --on sim") end
fault.accept { "conn_loss" }

local a = node { "a", workers = 1, policy = "lossy_client", ready_timeout = "1s",
                 backoff = { initial = "5ms", max = "20ms" } }
local b = node { "b", workers = 1, ready_timeout = "1s" }
a:start()
b:start()

local function breaks(node, state)
    local f = fault.inject { id = "s06_reset", node = node, state = state, count = 1 }
    local before = stats(b).messages_received
    local c = a:connect(b, { anon = true })

    c:send_many(3, { type = "ping", front = 100 })
    wait(function() return stats(b).messages_received == before + 3 or c:why() ~= "" end)
    expect.that(f:fired() == 1, "a read failed in " .. state)
    c:close()
    wait(function() return not c:is_connected() end)
end

-- Where a node has nothing to do but to wait for what its peer says next.
for _, state in ipairs { "BANNER_CONNECTING", "AUTH_CONNECTING", "SESSION_CONNECTING" } do
    breaks(a, state)
end
for _, state in ipairs { "BANNER_ACCEPTING", "AUTH_ACCEPTING_SIGN" } do
    breaks(b, state)
end
