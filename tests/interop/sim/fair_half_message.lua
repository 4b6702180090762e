-- fair_half_message.lua: a large message whose sender is cut off in the middle of it holds the
-- budget that others need: no longer than the ready time-out. If nobody needs it, it may take
-- its time.
local b = node { "b", dispatch_bytes = 31000000, ready_timeout = "2s", policy = "lossless_peer" }
local half = node { "half", policy = "lossless_peer" }
local other = node { "other", policy = "lossless_peer" }
fault.accept { "conn_loss" }
net.link(half, b, { latency = "5ms" }) -- so that it takes a while
local from_half, from_other = half:connect(b), other:connect(b)
wait(function() return from_half:is_connected() and from_other:is_connected() end)

from_half:send { data = 30000000 }
sleep "30ms"
net.cut(half, b)
sleep "5s"
net.heal(half, b)
wait(function() return #b:received() == 1 end, "30s") -- nobody waited for it

from_half:send { data = 30000000 }
sleep "30ms"
net.cut(half, b)
sleep "1s"
from_other:send { data = 3000000 }
wait(expect.session(from_other):within "3s")
heal()
wait(expect.session(from_half):prefix_then_reset():within "2m")
expect.that(b:events().reset == 1, "its connection ended at b")
