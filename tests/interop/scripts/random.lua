-- args: --seed 7
-- exit: 0
-- says: 7: 6 7 7
-- The same on every machine: random numbers are a function of the seed.
print(world.seed .. ": " .. math.random(10) .. " " .. math.random(10) .. " " .. math.random(10))
