-- priorities.lua: high priorities overtake in out_q.
--
-- What it shows: the worker of a stands still while the script sends, so that every message
-- is in out_q before the connection is even dialled. When it goes on, the messages leave, and
-- arrive, by priority: all "highest" first, all "low" last, and within one priority in the
-- order they were sent. b takes them by fast dispatch, that is in the order of the wire.
--
-- What to look at: S3 (queue) in the order of sending, S4 (write_message) by priority, and
-- the depth of out_q at S3.
--
--   msgrlab run scenarios/priorities.lua --trace priorities.trace
--   msgrlab show priorities.trace --view text --kind S4

local each = set.each or 20
local names = { "low", "default", "high", "highest" }

local a = node { "a", workers = 1, policy = "lossy_client" }
local b = node { "b", workers = 1, fast_dispatch = true }

a:pause()
local c = a:connect(b)
for i = 1, each do
  for _, name in ipairs(names) do
    c:send { type = "ping", data = 100 + i, priority = name }
  end
end
expect.that(#b:received() == 0, "nothing has left while the worker stands still")
a:resume()

wait(expect.delivered(b, each * #names):from(c):by_priority():in_order():exactly_once())

-- Said once more in the script's own words: what came first, and what last.
local got = b:received()
expect.that(got[1].priority == 255 and got[1].index == 4, "the first is the first 'highest'")
expect.that(got[#got].priority == 64 and got[#got].index == (each - 1) * #names + 1,
            "the last is the last 'low'")
