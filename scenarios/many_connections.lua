-- many_connections.lua: one server, many connections, two workers.
--
-- What it shows: each new connection goes to the worker that has the fewest, so the server's
-- two workers end up with equal numbers. Sixty-four connections from four clients send at
-- once; on each of them everything arrives in order, exactly once.
--
-- What to look at: which connection is on which event center, and the file events that one
-- driver wait brings.
--
--   msgrlab run scenarios/many_connections.lua --trace many.trace
--   msgrlab show many.trace --view eventcenter -o many.svg

local clients = set.clients or 4
local each = set.each or 16 -- connections of a client
local messages = set.messages or 10 -- on each connection

local server = node { "server", workers = 2 }
local conns = {}

for i = 1, clients do
  local client = node { "client-" .. i, type = "client", workers = 1, serve = false }
  for _ = 1, each do
    conns[#conns + 1] = client:connect(server, { anon = true })
  end
end
for _, c in ipairs(conns) do
  c:send_many(messages, { type = "ping", front = 64, data = 256 })
end

wait(expect.event(server, "accept", #conns))
for _, c in ipairs(conns) do
  expect.delivered(server, messages):from(c):in_order():exactly_once()
end
wait(expect.delivered(server, #conns * messages):in_order():exactly_once())

local workers = stats(server).workers
local least, most = math.huge, 0
for i, worker in ipairs(workers) do
  print(string.format("worker %d of the server: %d connections, %d messages", i,
                      worker.references, worker.msgr_recv_messages))
  least, most = math.min(least, worker.references), math.max(most, worker.references)
end
expect.that(#workers == 2, "the server has two workers")
expect.that(most - least <= 1, "connections are balanced: at most one apart")
expect.that(least + most == #conns, "every connection has a worker")
