-- close_storm.lua: connections that close in every state, under throttles, over a network that
-- is cut now and then. Nothing is expected of the messages; that nothing leaks and nobody
-- hangs is what the run itself checks at its end. sim.sh runs it under many seeds.

local server = node {
  "server", workers = 2, echo = true, policy = set.policy or "stateless_server",
  throttle = { messages = 3, bytes = 5000 }, dispatch_bytes = 20000,
}
local clients = {}
for i = 1, 3 do
  clients[i] = node { "c" .. i, workers = 1, idle_timeout = "200ms", out_queue = { messages = 20 } }
end

for round = 1, 6 do
  for i, client in ipairs(clients) do
    local c = client:connect(server, { policy = "lossy_client", anon = (round + i) % 2 == 0 })
    for k = 1, 5 do
      c:send {
        type = "ping", front = (round * 977 + i * 131 + k * 57) % 3000,
        priority = k % 2 == 0 and "high" or "low",
      }
    end
    if round % 3 == 0 then net.cut(client, server) end
    if (round + i) % 3 ~= 0 then c:keepalive() end
    if (round * i) % 2 == 0 then sleep(round % 3 == 1 and "3ms" or "900us") end
    c:close()
    if round % 3 == 0 then net.heal(client, server) end
  end
end
