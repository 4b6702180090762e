-- exit: 0
-- says: expectations  1 of 1 met
local a, b = node "a", node "b"
local c = a:connect(b)
wait(function() return c:is_connected() end)
for i = 1, 3 do
  c:keepalive()
  wait(function() return c:keepalives() == i end)
end
expect.that(c:keepalives() == 3, "three round trips")
