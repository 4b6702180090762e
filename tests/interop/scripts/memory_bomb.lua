-- exit: 3
-- says: the script's memory limit is reached
local s = "x"
while true do s = s .. s end
