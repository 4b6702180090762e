-- a's only worker stands still for longer than idle_timeout, with the news of one session in
-- its hands. Meanwhile the peer of the other session goes on talking: what it said is read
-- before anybody calls it silent.
local a = node { "a", workers = 1, idle_timeout = "1s" }
local quiet, loud = node "quiet", node "loud"
local q, l = quiet:connect(a), loud:connect(a)
wait(function() return q:is_connected() and l:is_connected() end)
fault.inject { id = "t05_pause", node = a, thread = "msgr-worker-0", point = "waited", nth = 1, time = "3s" }
q:keepalive() -- wakes the worker
sleep "100ms"
for _ = 1, 10 do
    l:keepalive()
    sleep "200ms"
end
sleep "1s"
expect.that(fault.fired "t05_pause" == 1, "the worker stood still")
for _ = 1, 5 do
    l:keepalive()
    sleep "400ms"
end
expect.that(l:is_connected(), "the loud session is up")
