-- Takes a while of real time: enough for a test to interfere.
local a, b = node "a", node "b"
local conn = a:connect(b)
conn:send_many(20, { front = 10 })
expect.delivered(b, 20):in_order()
local sum = 0
for i = 1, 3000000 do sum = sum + i end
