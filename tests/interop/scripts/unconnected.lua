-- exit: 1
-- says: unconnected.lua:10: expected: the condition of wait comes true
-- says: not connected:
-- says: a to v2:127.0.0.1:1/0,
-- says: will dial again: connection refused
-- never: b to
-- What a run that failed says of the connections that are not up.
local a, b = node { "a", backoff = { initial = "10ms", max = "50ms" } }, node "b"
local c, d = a:connect("v2:127.0.0.1:1/0", { type = "mon" }), a:connect(b)
wait(function() return d:is_connected() and c:is_connected() end, "500ms")
