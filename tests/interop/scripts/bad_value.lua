-- exit: 3
-- says: bad_value.lua:3: node: workers is a whole number from 1 to 24
local a = node { "a", workers = 1000 }
