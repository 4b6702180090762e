-- A planted error: one value of one knob among many.
local n = 0
for i = 1, 20 do n = n + swarm.pick("filler_" .. i, { 0, 1, 2 }) end
local mode = swarm.pick("mode", { "plain", "odd", "even", "broken", "late" })
if mode == "broken" then error("mode broken is not supported") end
local a, b = node "a", node "b"
local conn = a:connect(b)
conn:send_many(1 + n % 3, { front = 10 })
expect.session(conn)
