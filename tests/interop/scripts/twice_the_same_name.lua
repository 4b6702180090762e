-- exit: 3
-- says: twice_the_same_name.lua:4: node: there is a node 'a' already
local a = node "a"
node "a"
