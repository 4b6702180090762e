-- fair.lua: one peer misbehaves, and the others must not notice: it is behind a cut, stands
-- still, keeps what it gets, handles it slowly, stops in the middle of a message, loses its
-- power. All the while a hub that talks to it, in both directions and more than pools and
-- budgets hold, talks to others. What is asked of it:
--
--   - what the hub and the others say to each other arrives in time, although the one that
--     misbehaves goes on doing so;
--   - a session that is new then delivers everything;
--   - each session delivers in order and exactly once, up to its reset if it has one.
--
-- "In time" is not this script's to say: scenarios/lab/fair.h derives it from the run, and
-- looks at the messages of every campaign.
--
--     msgrlab campaign scenarios/campaigns/fair.lua --seeds 1..5000 --profile lite
--

if world.name ~= "sim" then skip("a campaign needs the simulated world") end
fault.accept { "conn_loss", "refused" }

local pick = swarm.pick
local mischief = pick("mischief", {
    "cut", "cut_to", "cut_from", "pause", "freeze", "keep", "keeps_from", "slow", "half",
    "power_loss", "windows",
})
if mischief == "windows" and world.stack == "rdma" then mischief = "cut" end

local chunk = pick("buffer_size", { 4096, 32768, 2048 }) -- the same everywhere
local function rdma(name)
    local queue = pick(name .. "_receive_queue", { 32, 4, 512 })
    return table.concat({
        "buffer_size=" .. chunk,
        "send_buffers=" .. pick(name .. "_send_buffers", { 16, 4, 1, 256 }),
        "receive_queue_len=" .. queue,
        "receive_buffers=" .. queue + pick(name .. "_receive_more", { 32, 0, 8, 512 }),
        "support_srq=" .. tostring(pick(name .. "_support_srq", { true, false })),
        "polling_us=" .. pick(name .. "_polling_us", { 10, 0, 1000 }),
    }, ",")
end

local function member(name, kind, more)
    local options = {
        name,
        type = kind,
        policy = "lossless_peer",
        policies = { mds = "lossless_peer" }, -- budgets of its own for the one that misbehaves
        workers = pick(name .. "_workers", { 2, 1, 3 }),
        driver = pick(name .. "_driver", { "epoll", "poll", "select" }),
        fast_dispatch = pick(name .. "_fast_dispatch", { false, true }),
        backoff = { initial = "1ms", max = "50ms" },
        ready_timeout = "2s",
        idle_timeout = "30s", -- a transport may have vanished without a word
        rdma = rdma(name),
    }
    for key, value in pairs(more or {}) do options[key] = value end
    return node(options)
end

local large = mischief == "half" and 400000 or 0
local hub = member("hub", "osd", {
    throttle = { messages = pick("throttle", { 4, 0, 1 }) },
    dispatch_bytes = large > 0 and 500000 or nil,
})
local bad = member("bad", "mds", {
    throttle = { messages = pick("bad_throttle", { 1, 4 }) },
    handling = mischief == "slow" and pick("handling", { "20ms", "1ms", "300ms" }) or "0s",
})
local good, other = member("good", "osd"), member("other", "osd")

local to_bad, to_good = hub:connect(bad), hub:connect(good)
try_wait(function() return to_bad:is_connected() and to_good:is_connected() end, "1s")

local begin = {
    cut = function() net.cut(hub, bad) end,
    cut_to = function() net.cut_one_way(hub, bad) end,
    cut_from = function() net.cut_one_way(bad, hub) end,
    pause = function() bad:pause() end,
    freeze = function() bad:pause "1m" end,
    keep = function() bad:keep(hub) end,
    keeps_from = function() hub:keep(bad) end,
    slow = function() end,
    half = function() sleep(pick("half_after", { "100us", "60us", "200us", "1ms" })) net.cut(hub, bad) end,
    power_loss = function() bad:kill { how = "power_loss" } end,
    windows = function() net.windows(bad, { shut = true }) end,
}

local spec = { data = pick("data", { 20000, 30000, 300 }) }
local flood = pick("flood", { 30, 60, 10 })
local function flood_both_ways()
    pcall(to_bad.send_many, to_bad, flood, spec) -- it may be over already
    if mischief ~= "power_loss" then
        pcall(bad.sender_threads, bad, hub, 1, large > 0 and 3 or flood, { data = large > 0 and large or spec.data })
    end
end

if pick("flood_first", { false, true }) or mischief == "half" then
    flood_both_ways()
    begin[mischief]()
else
    begin[mischief]()
    flood_both_ways()
end

local useful = { data = pick("useful_data", { 1000, 100, 30000 }) }
pcall(to_good.send_many, to_good, pick("useful", { 10, 1, 30 }), useful)
pcall(good.sender_threads, good, hub, 1, 5, large > 0 and { data = 200000 } or useful)
sleep(pick("chaos", { "2ms", "200us", "100ms" }))

fault.stop() -- the profile's faults end, what the script did goes on
local to_other = hub:connect(other)
to_other:send_many(5, useful)
wait(expect.session(to_good):prefix_then_reset():within "10s")
wait(expect.session(to_other):within "10s")
sleep "100ms"

heal()
expect.session(to_good):prefix_then_reset():within "1m"
if mischief ~= "power_loss" then -- who was not connected yet dials that machine for ever
    expect.session(to_bad):prefix_then_reset():within "2m"
end
