-- hello.lua: two nodes, a few pings, an answer to each.
--
-- What it shows: one connection from a to b. Each ping takes the whole IO path: S1 to S7 at
-- the sender, R1 to R7 at the receiver; over TCP there is no S7, R1 and R2. The answers take
-- the same path back on the same connection.
--
-- What to look at: the numbers at the steps, and which of them happened on which thread.
--
--   msgrlab run scenarios/hello.lua --trace hello.trace
--   msgrlab show hello.trace --view iopath -o hello.svg
--   msgrlab show hello.trace --view message --message 0

local pings = set.pings or 5
local path = "S1 S2 S3 S4 S5 S6 R3 R4 R5 R6 R7"
if world.stack == "rdma" then path = "S1 S2 S3 S4 S5 S6 S7 R1 R2 R3 R4 R5 R6 R7" end

local a = node { "a", workers = 1 }
local b = node { "b", workers = 1 }

b:on_message(function(msg)
  local answer = msg:reply { type = "ping", front = "pong " .. msg:index() }
  expect.steps(answer, path)
end)

local c = a:connect(b, { policy = "lossy_client" })
wait(function() return c:is_connected() end) -- so that no ping waits for the handshake
for i = 1, pings do
  c:send { type = "ping", front = "ping " .. i }
end

expect.delivered(b, pings):from(c):in_order():exactly_once():within("5s")
expect.delivered(a, pings):from(b):in_order():exactly_once():within("5s")
expect.event(a, "connect", 1)
expect.event(b, "accept", 1)
expect.steps(c, path)
