-- exit: 3
-- says: unknown_node_option.lua:4: node: there is no option 'worker'; did you mean 'workers'? valid: workers, driver,

local a = node { "a", worker = 2 }
