-- exit: 0
-- args: --stack tcp
-- says: result        skipped: a fault had it that node b cannot start: Resource temporarily unavailable
-- The third thread of a node, a worker, cannot be had: those that run end well.
fault.accept "no_resource"
local b = node "b"
fault.inject { id = "r03_thread", node = b, nth = 3, count = 1 }
b:start()
