-- exit: 0
-- says: expectations  3 of 3 met
-- A bounded out_q says no, and yes again when there is room.
local a = node { "a", policy = "lossy_client", out_queue = { messages = 10, bytes = 100000 } }
local b = node "b"
a:pause()
local c = a:connect(b)
for i = 1, 10 do c:send { front = 10 } end
local index, why = c:try_send { front = 10 }
expect.that(index == nil and why == "out_q is full", "the eleventh is refused")
a:resume()
wait(expect.delivered(b, 10))
c:send_many(50, { front = 10 }) -- waits for room by itself
expect.delivered(b, 60):in_order():exactly_once()
