-- exit: 0
-- says: got hello / mid / world
-- says: expectations  2 of 2 met
local a, b = node "a", node "b"
local got
b:on_message(function(msg)
  got = msg:front() .. " / " .. msg:middle() .. " / " .. msg:data()
end)
a:send(b, { front = "hello", middle = "mid", data = "world", type = 77, priority = 200 })
wait(function() return got end)
print("got " .. got)
expect.delivered(b, 1):from(a):in_order():exactly_once()
expect.that(b:received()[1].type == 77 and b:received()[1].priority == 200, "header")
