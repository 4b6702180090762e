-- exit: 4
-- says: address_in_use.lua:5: node b cannot listen on v2:127.0.0.1:
-- says: result        cannot run here
local a = node "a"
node { "b", addr = a:start():addr() }:start()
