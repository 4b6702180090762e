-- rate.lua: messages of 64 bytes, one after the other, as fast as they go.
--
-- What it shows: what one connection carries when nobody waits for an answer. In the
-- simulated world the real time it takes is what simulating a message costs:
--
--   msgrlab run scenarios/rate.lua --set messages=200000
--   msgrlab bench sim
--
-- What to look at: how many messages share one poll_cq and one read event.
--
--   msgrlab run scenarios/rate.lua --trace rate.trace
--   msgrlab show rate.trace --view io --message 1000 -o rate.svg

local messages = set.messages or 2000

local a = node { "a", workers = 1, policy = "lossless_peer" }
local b = node { "b", workers = 1, policy = "lossless_peer" }
local c = a:connect(b)

c:send_many(messages, { data = 64 })
wait(expect.delivered(b, messages):from(c):in_order():exactly_once():within("60s"))
