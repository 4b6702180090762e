-- args: --timeout 200ms
-- exit: 6
-- says: result        timed out
pcall(function() sleep(3600) end)
print "not reached"
