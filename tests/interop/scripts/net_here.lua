-- only: linux
-- exit: 3
-- says: net_here.lua:4: net.partition needs the simulated world
net.partition("a", "b")
