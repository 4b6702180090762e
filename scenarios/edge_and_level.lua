-- edge_and_level.lua: the same traffic under an edge-triggered and two level-triggered drivers.
--
-- What it shows: epoll tells changes, poll and select tell levels. The engine has to read until
-- nothing is left for the first, and to stop watching for "writable" for the others; the user
-- must see no difference. Three pairs of nodes, one for each driver, carry the same messages
-- (sizes and priorities from the seed); what arrives is equal, message by message.
--
-- What to look at: the number of cycles and file events each driver needs for the same work.
--
--   msgrlab run scenarios/edge_and_level.lua --seed 7 --trace drivers.trace
--   msgrlab show drivers.trace --view eventcenter -o drivers.svg

local n = set.messages or 60
local drivers = { "epoll", "poll", "select" }
local priorities = { "low", "default", "high" }

local traffic = {}
for i = 1, n do
  traffic[i] = {
    type = "ping",
    front = math.random(1, 2000),
    data = math.random(4) == 1 and math.random(100000, 400000) or math.random(0, 5000),
    priority = priorities[math.random(#priorities)],
  }
end

local pairs_of = {}
for _, driver in ipairs(drivers) do
  local from = node { "from-" .. driver, driver = driver, workers = 1,
                      policy = "lossy_client" }
  local to = node { "to-" .. driver, driver = driver, workers = 1, echo = true,
                    fast_dispatch = true, rcvbuf = 65536 }
  from:pause() -- so that out_q is full before anything leaves: the order is the same for all
  local c = from:connect(to)
  for i = 1, n do c:send(traffic[i]) end
  from:resume()
  pairs_of[driver] = { from = from, to = to, conn = c }
end

for _, driver in ipairs(drivers) do
  local p = pairs_of[driver]
  wait(expect.delivered(p.to, n):from(p.conn):by_priority():in_order():exactly_once())
  wait(expect.delivered(p.from, n):from(p.to):in_order():exactly_once())
end

local function history(node)
  local lines = {}
  for i, msg in ipairs(node:received()) do
    lines[i] = string.format("%d %d %d", msg.index, msg.priority, msg.bytes)
  end
  return table.concat(lines, "\n")
end

local reference = history(pairs_of.epoll.to)
for _, driver in ipairs(drivers) do
  local s = stats(pairs_of[driver].to)
  print(string.format("%-6s %5d cycles, %5d file events, %4d empty waits", driver, s.cycles,
                      s.file_events, s.waits_empty))
  expect.that(history(pairs_of[driver].to) == reference,
              driver .. ": the same messages in the same order as with epoll")
end
