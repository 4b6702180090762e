-- external_events.lua: many sends, few wake-ups.
--
-- What it shows: a send posts the connection's write_handler as an external event. While it
-- is queued, further sends merge with it; and the notify pipe is written only when the queue
-- of the event center goes from empty to not empty. So a burst costs one post and one wake-up,
-- however many messages it has.
--
--   Part 1: the worker stands still while one thread sends: at most one post, one wake-up.
--           (None if the handler was queued already when the worker stopped.)
--   Part 2: several threads send as fast as they can while the worker runs.
--
-- What to look at: external_post, external_merge and notify_write, and what ran in one cycle.
--
--   msgrlab run scenarios/external_events.lua --trace external.trace
--   msgrlab show external.trace --view eventcenter -o external.svg

local burst = set.burst or 1000
local threads, each = set.threads or 4, set.each or 2500

local a = node { "a", workers = 1 }
local b = node { "b", workers = 1 }
local c = a:connect(b)
wait(function() return c:is_connected() end)

local function difference(before, after)
  local d = {}
  for name, value in pairs(after) do
    if name ~= "workers" then d[name] = value - before[name] end
  end
  return d
end

local function report(what, sends, d)
  print(string.format("%s: %d sends, %d posts, %d merged, %d wake-ups, %d external events",
                      what, sends, d.posts, d.merges, d.wakeups, d.external_events))
end

-- Part 1
a:pause()
local before = stats(a)
c:send_many(burst, { type = "ping", front = 32 })
local d = difference(before, stats(a))
report("worker held", burst, d)
expect.that(d.posts <= 1, "at most one post for the burst")
expect.that(d.posts + d.merges == burst, "all other sends merged with it")
expect.that(d.wakeups <= 1, "at most one write to the notify pipe")
a:resume()
wait(expect.delivered(b, burst):in_order():exactly_once())

-- Part 2
before = stats(a)
a:sender_threads(c, threads, each, { type = "ping", front = 32 })
wait(expect.delivered(b, burst + threads * each):in_order():exactly_once():within("30s"))
d = difference(before, stats(a))
report(threads .. " threads", threads * each, d)
expect.that(d.wakeups <= d.posts, "never more wake-ups than posts")
expect.that(d.posts + d.merges >= threads * each, "every send posted or merged")
