-- exit: 0
-- says: expectations  7 of 7 met, 2 of them but for what faults took
-- says: unsent        8 (
-- stack: tcp
-- A fault ends a lossy session: what is said from then on is counted, and not an error.
fault.accept "conn_loss"
local a, b = node "a", node "b"
local c = a:connect(b)
c:send { front = 10 }
wait(expect.delivered(b, 1))
fault.reset { from = a, to = b, frame = "MESSAGE" }
c:send { front = 10 } -- goes with the session
wait(function() return a:events().reset == 1 end)
local first, last = c:send_many(5, { front = 10 })
c:send { data = "x" }
expect.that(first == 3 and last == 7, "they have indexes all the same")
expect.that(not c:keepalive(), "there is nothing to keep alive")
a:sender_threads(c, 1, 2, { front = 1 })
local index, why = c:try_send { front = 1 }
expect.that(index == nil and why == "the session is over", "who tries is told")
expect.that(not pcall(c.send, c, { front = 1, strict = true }) and
    not pcall(c.send_many, c, 2, { strict = true }) and
    not pcall(c.keepalive, c, { strict = true }), "and who asks for it")
wait(function() local messages, keepalives = c:unsent() return messages == 8 and keepalives == 1 end)
expect.delivered(b, 10):in_order():exactly_once()
expect.session(c)
