/* SPDX-License-Identifier: Apache-2.0 */
/* net.c: `net`, the network of the simulated world, as scripts steer it: what a
 * link is like, and what goes wrong with links, connections and addresses
 * (sim/world/net_control.h). On Linux each is an error that says so. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/util.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"
#include "scenarios/lua/sandbox.h"
#include "sim/world/net_control.h"

#define RATE_MAX 1000000000000
#define BYTES_MAX 1000000000

static struct sim_world *check_sim(lua_State *L)
{
    struct sim_world *sim = story_of(L)->world->sim;

    CHECK(sim != NULL); /* net_index gives these functions out in that world only */
    return sim;
}

/* What the script does to the network of two nodes, or of each one of a list, explains from
 * then on whatever is late between them. */
static void excuse_arguments(lua_State *L)
{
    struct lab *lab = story_of(L)->lab;
    struct lab_node *a = api_test_node(L, 1), *b = api_test_node(L, 2);

    lab_fair_excuse(lab, a, b);
    for (int i = 1; i <= lua_gettop(L) && a == NULL; i++) {
        for (int k = 1; lua_istable(L, i) && lua_rawgeti(L, i, k) != LUA_TNIL; k++) {
            lab_fair_excuse(lab, api_test_node(L, -1), NULL);
            lua_pop(L, 1);
        }
        lua_settop(L, lua_istable(L, i) ? lua_gettop(L) - 1 : lua_gettop(L));
    }
}

/* The same, for what others would call a fault. */
static struct sim_world *disturb(lua_State *L)
{
    lab_disturb(story_of(L)->lab);
    excuse_arguments(L);
    return check_sim(L);
}

/* A node, which starts if it has not yet. */
static struct os *check_os(lua_State *L, int idx)
{
    struct lab_node *node = api_check_node(L, idx);

    if (node->os == NULL) {
        api_start_node(L, node);
    }
    return node->os;
}

/* Two nodes, which are not the same. */
static void check_two(lua_State *L, const char *what, struct os **ret_a, struct os **ret_b)
{
    *ret_a = check_os(L, 1);
    *ret_b = check_os(L, 2);
    if (*ret_a == *ret_b) {
        luaL_error(L, "%s: a node and itself; two nodes are needed", what);
    }
}

/* The nodes in the list at idx. How many. */
static int check_nodes(lua_State *L, int idx, const char *what, int max, struct os **ret)
{
    int n = 0;

    luaL_checktype(L, idx, LUA_TTABLE);
    while (lua_rawgeti(L, idx, n + 1) != LUA_TNIL) {
        if (n == max) {
            luaL_error(L, "%s: at most %d nodes", what, max);
        }
        ret[n++] = check_os(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    if (n == 0) {
        luaL_error(L, "%s: a list of nodes, like { a, b }", what);
    }
    return n;
}

/* A field from 0 to 1, of 1024. */
static uint16_t check_fraction(lua_State *L, int idx, const char *what, const char *key)
{
    double value = 0;

    if (args_field(L, idx, key) != LUA_TNIL) {
        value = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (!(value >= 0 && value <= 1)) {
            luaL_error(L, "%s: %s is a fraction from 0 to 1", what, key);
        }
    }
    lua_pop(L, 1);
    return (uint16_t)(value * SIM_RATE_ALWAYS + (value > 0 ? 0.999 : 0));
}

/* ---- links ------------------------------------------------------------------------ */

static struct sim_link check_link(lua_State *L, int idx, const char *what)
{
    static const char *const shapes[] = {"uniform", "exponential", "tail"};
    int shape = args_choice(L, idx, what, "jitter_shape", shapes, ARRAY_SIZE(shapes));

    return (struct sim_link){
        .latency_ns = args_duration(L, idx, what, "latency", 0),
        .jitter_ns = args_duration(L, idx, what, "jitter", 0),
        .jitter_shape = shape < 0 ? SIM_JITTER_UNIFORM : (enum sim_jitter_shape)shape,
        .bytes_per_sec = (uint64_t)args_integer(L, idx, what, "rate", 0, 0, RATE_MAX),
        .overhead = (uint32_t)args_integer(L, idx, what, "overhead", 0, 0, 10000),
        .queue_bytes = (uint64_t)args_integer(L, idx, what, "queue", 0, 0, BYTES_MAX),
        .mtu = (uint32_t)args_integer(L, idx, what, "mtu", 0, 0, BYTES_MAX),
        .slot_ns = args_duration(L, idx, what, "slot", 0),
        .loss = check_fraction(L, idx, what, "loss"),
        .loss_burst = check_fraction(L, idx, what, "loss_burst"),
        .loss_nth = (uint32_t)args_integer(L, idx, what, "loss_nth", 0, 0, BYTES_MAX),
        .corrupt = check_fraction(L, idx, what, "corrupt"),
    };
}

/* net.link(a, b, { latency = "1ms", ... }): both ways, or one_way, from now on. What
 * is not said is nothing: no latency, no jitter, no limit, no loss. */
static int net_link(lua_State *L)
{
    static const char *const keys[] = {
        "latency", "jitter", "jitter_shape", "rate",     "overhead", "queue",  "mtu",
        "slot",    "loss",   "loss_burst",   "loss_nth", "corrupt",  "one_way"};
    struct sim_world *sim = check_sim(L);
    struct os *a, *b;
    struct sim_link link;

    check_two(L, "net.link", &a, &b);
    args_table(L, 3, "net.link", keys, ARRAY_SIZE(keys), 0);
    link = check_link(L, 3, "net.link");
    if (link.queue_bytes != 0 && link.bytes_per_sec == 0) {
        return luaL_error(L, "net.link: a queue needs a rate to wait for");
    }
    if (link.loss_burst != 0 && link.loss == 0) {
        return luaL_error(L, "net.link: loss_burst says how a loss goes on; loss must be "
                             "more than 0, too");
    }
    if (link.loss != 0 || link.loss_nth != 0 || link.corrupt != 0) {
        disturb(L);
    }
    sim_world_set_link(sim, a, b, &link);
    if (!args_boolean(L, 3, "net.link", "one_way", false)) {
        sim_world_set_link(sim, b, a, &link);
    }
    return 0;
}

/* net.slot(a, b, "1ms"): both ways, things arrive at multiples of it; 0: at any time. */
static int net_slot(lua_State *L)
{
    struct sim_world *sim = check_sim(L);
    uint64_t ns = args_to_duration(L, 3, "net.slot");
    struct os *a, *b;
    struct sim_link link;

    check_two(L, "net.slot", &a, &b);
    link = sim_net_link(sim, a, b);
    link.slot_ns = ns;
    sim_world_set_link(sim, a, b, &link);
    link = sim_net_link(sim, b, a);
    link.slot_ns = ns;
    sim_world_set_link(sim, b, a, &link);
    return 0;
}

/* net.bottleneck({ a, b, c }, { rate = , queue = }): the links between them share a
 * line; no options: they do not. */
static int net_bottleneck(lua_State *L)
{
    static const char *const keys[] = {"rate", "queue"};
    struct sim_world *sim = check_sim(L);
    struct os *nodes[WORLD_NODES_MAX];
    int n = check_nodes(L, 1, "net.bottleneck", WORLD_NODES_MAX, nodes);

    args_table(L, 2, "net.bottleneck", keys, ARRAY_SIZE(keys), 0);
    sim_net_bottleneck(
        sim, nodes, n,
        (uint64_t)args_integer(L, 2, "net.bottleneck", "rate", 0, 0, RATE_MAX),
        (uint64_t)args_integer(L, 2, "net.bottleneck", "queue", 0, 0, BYTES_MAX));
    return 0;
}

/* ---- what does not pass ----------------------------------------------------------- */

/* net.cut(a, b): nothing passes either way. */
static int net_cut(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    struct os *a, *b;

    check_two(L, "net.cut", &a, &b);
    sim_world_cut(sim, a, b, true);
    sim_world_cut(sim, b, a, true);
    return 0;
}

/* net.cut_one_way(a, b): nothing passes from a to b. */
static int net_cut_one_way(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    struct os *a, *b;

    check_two(L, "net.cut_one_way", &a, &b);
    sim_world_cut(sim, a, b, true);
    return 0;
}

/* net.heal(a, b): both ways; net.heal(): everywhere. */
static int net_heal(lua_State *L)
{
    struct sim_world *sim = check_sim(L);
    struct os *a, *b;

    if (lua_gettop(L) == 0) {
        sim_net_heal(sim);
        return 0;
    }
    check_two(L, "net.heal", &a, &b);
    sim_net_heal_between(sim, a, b);
    return 0;
}

/* net.partition({ a, b }, { c }, ...): the groups are cut off from each other. */
static int net_partition(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    struct os *nodes[WORLD_NODES_MAX];
    int group[WORLD_NODES_MAX], groups = lua_gettop(L), n = 0;

    if (groups < 2) {
        return luaL_error(L, "net.partition: at least two groups, like { a, b }, { c }");
    }
    for (int i = 1; i <= groups; i++) {
        int more = check_nodes(L, i, "net.partition", WORLD_NODES_MAX - n, nodes + n);

        for (; more > 0; more--, n++) {
            group[n] = i;
            for (int k = 0; k < n; k++) {
                if (nodes[k] == nodes[n]) {
                    return luaL_error(L, "net.partition: node %s is named twice",
                                      nodes[n]->name);
                }
            }
        }
    }
    sim_net_partition(sim, nodes, group, n);
    return 0;
}

/* net.isolate(a): from all others, which start if they have not yet. */
static int net_isolate(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    struct lab *lab = story_of(L)->lab;
    struct os *a = check_os(L, 1);

    for (int i = 0; i < lab->n_nodes; i++) {
        if (lab->nodes[i]->os == NULL && !lab_node_is_dead(lab->nodes[i])) {
            api_start_node(L, lab->nodes[i]);
        }
    }
    sim_net_isolate(sim, a);
    return 0;
}

/* net.jam(a, b [, time]): both ways, what is sent waits and then comes at once. */
static int net_jam(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    uint64_t ns = lua_isnoneornil(L, 3) ? UINT64_MAX : args_to_duration(L, 3, "net.jam");
    struct os *a, *b;

    check_two(L, "net.jam", &a, &b);
    sim_net_clog(sim, a, b, 0, ns);
    sim_net_clog(sim, b, a, 0, ns);
    return 0;
}

/* net.clog(a, b, { time = , port = }): one way. */
static int net_clog(lua_State *L)
{
    static const char *const keys[] = {"time", "port"};
    struct sim_world *sim = disturb(L);
    struct os *a, *b;

    check_two(L, "net.clog", &a, &b);
    args_table(L, 3, "net.clog", keys, ARRAY_SIZE(keys), 0);
    sim_net_clog(sim, a, b, (uint16_t)args_integer(L, 3, "net.clog", "port", 0, 0, 65535),
                 args_duration(L, 3, "net.clog", "time", UINT64_MAX));
    return 0;
}

/* net.swizzle({ a, b, c }, time) */
static int net_swizzle(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    struct os *nodes[WORLD_NODES_MAX];
    int n = check_nodes(L, 1, "net.swizzle", WORLD_NODES_MAX, nodes);

    sim_net_swizzle(sim, nodes, n, args_to_duration(L, 2, "net.swizzle"));
    return 0;
}

/* net.pmtu_hole(a, b, bytes): both ways, larger segments vanish; 0: none. */
static int net_pmtu_hole(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    lua_Integer bytes = luaL_checkinteger(L, 3);
    struct os *a, *b;

    check_two(L, "net.pmtu_hole", &a, &b);
    luaL_argcheck(L, bytes >= 0 && bytes <= BYTES_MAX, 3, "bytes, 0 to 1000000000");
    sim_net_pmtu_hole(sim, a, b, (uint32_t)bytes);
    sim_net_pmtu_hole(sim, b, a, (uint32_t)bytes);
    return 0;
}

/* ---- connections ------------------------------------------------------------------ */

/* The table's `kind`; both of these have it, and one_way. */
static enum sim_block check_kind(lua_State *L, int idx, const char *what,
                                 enum sim_block count)
{
    static const char *const keys[] = {"kind", "one_way"};
    int kind;

    args_table(L, idx, what, keys, ARRAY_SIZE(keys), 0);
    kind = args_choice(L, idx, what, "kind", sim_block_names, (size_t)count);
    return kind < 0 ? SIM_SILENT : (enum sim_block)kind;
}

/* net.blackhole(a, b, { kind = , one_way = }): what is established now is dead.
 * Returns how many directions of connections that is. */
static int net_blackhole(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    enum sim_block kind = check_kind(L, 3, "net.blackhole", SIM_ACCEPT_RST);
    struct os *a, *b;
    int n;

    check_two(L, "net.blackhole", &a, &b);
    n = sim_net_blackhole(sim, a, b, kind);
    if (!args_boolean(L, 3, "net.blackhole", "one_way", false)) {
        n += sim_net_blackhole(sim, b, a, kind);
    }
    lua_pushinteger(L, n);
    return 1;
}

/* net.filter(a, b, { kind = , one_way = }): what those meet who connect from now on. */
static int net_filter(lua_State *L)
{
    struct sim_world *sim = disturb(L);
    enum sim_block kind = check_kind(L, 3, "net.filter", SIM_BLOCK_COUNT);
    struct os *a, *b;

    check_two(L, "net.filter", &a, &b);
    sim_net_filter(sim, a, b, kind);
    if (!args_boolean(L, 3, "net.filter", "one_way", false)) {
        sim_net_filter(sim, b, a, kind);
    }
    return 0;
}

/* net.reset(a, b [, { kind = "reset" | "timed_out" }]): every connection between them.
 * How many there were. */
static int net_reset(lua_State *L)
{
    static const char *const keys[] = {"kind"}, *const kinds[] = {"reset", "timed_out"};
    struct sim_world *sim = disturb(L);
    struct os *a, *b;

    check_two(L, "net.reset", &a, &b);
    args_table(L, 3, "net.reset", keys, ARRAY_SIZE(keys), 0);
    lua_pushinteger(L, sim_net_reset(sim, a, b,
                                     args_choice(L, 3, "net.reset", "kind", kinds,
                                                 ARRAY_SIZE(kinds)) == 1
                                         ? ETIMEDOUT
                                         : ECONNRESET));
    return 1;
}

/* net.corrupt(a, b, { kind = "bit", nth = 1 }): one way, the nth segment from now. */
static int net_corrupt(lua_State *L)
{
    static const char *const keys[] = {"kind", "nth"};
    struct sim_world *sim = disturb(L);
    struct os *a, *b;
    int kind;

    check_two(L, "net.corrupt", &a, &b);
    args_table(L, 3, "net.corrupt", keys, ARRAY_SIZE(keys), 0);
    kind = args_choice(L, 3, "net.corrupt", "kind", sim_corrupt_names + 1,
                       SIM_CORRUPT_COUNT - 1);
    sim_net_corrupt(sim, a, b, kind < 0 ? SIM_CORRUPT_BIT : (enum sim_corrupt)(kind + 1),
                    (uint32_t)args_integer(L, 3, "net.corrupt", "nth", 1, 1, BYTES_MAX));
    return 0;
}

/* net.windows(a, { shut = true }): a takes nothing more, or does again. */
static int net_windows(lua_State *L)
{
    static const char *const keys[] = {"shut"};
    struct sim_world *sim = disturb(L);
    struct os *a = check_os(L, 1);

    args_table(L, 2, "net.windows", keys, ARRAY_SIZE(keys), 0);
    sim_net_shut_windows(sim, a, args_boolean(L, 2, "net.windows", "shut", true));
    return 0;
}

/* net.address(a, { family = "v4", up = false, reset = true }), { family = , host = 77
 * } */
static int net_address(lua_State *L)
{
    static const char *const keys[] = {"family", "up", "reset", "host"}, *const families[] =
                                                                             {"v4", "v6"};
    struct sim_world *sim = disturb(L);
    struct os *a = check_os(L, 1);
    int family, host, err;
    bool up;

    args_table(L, 2, "net.address", keys, ARRAY_SIZE(keys), 0);
    family = args_choice(L, 2, "net.address", "family", families, ARRAY_SIZE(families));
    if (family < 0) {
        return luaL_error(L, "net.address: family is \"v4\" or \"v6\"");
    }
    host = (int)args_integer(L, 2, "net.address", "host", -1, 0, 254);
    up = args_boolean(L, 2, "net.address", "up", true);
    err = sim_net_family(sim, a, family == 0 ? AF_INET : AF_INET6, up,
                         args_boolean(L, 2, "net.address", "reset", false) ? SIM_RST
                                                                           : SIM_SILENT);
    if (err == 0 && host >= 0) {
        err = sim_net_readdress(sim, a, family == 0 ? AF_INET : AF_INET6, (uint8_t)host);
    }
    if (err < 0) {
        return luaL_error(L, "net.address: host %d: %s", host, strerror(-err));
    }
    return 0;
}

/* ---- counters --------------------------------------------------------------------- */

/* net.stats(a, b): from a to b. */
static int net_stats(lua_State *L)
{
    struct sim_world *sim = check_sim(L);
    struct sim_link_stats stats;
    struct os *a, *b;

    check_two(L, "net.stats", &a, &b);
    sim_net_stats(sim, a, b, &stats);
    lua_newtable(L);
#define FIELD(name, value)                                                                 \
    lua_pushinteger(L, (lua_Integer)(value));                                              \
    lua_setfield(L, -2, name)
    FIELD("packets", stats.segments);
    FIELD("bytes", stats.bytes);
    FIELD("dropped", stats.dropped);
    FIELD("stalled", stats.stalled_ns);
    FIELD("corrupted", stats.corrupted);
    FIELD("resets", stats.resets);
#undef FIELD
    return 1;
}

static int net_index(lua_State *L)
{
    static const char *const names[] = {"link",        "slot",    "bottleneck", "cut",
                                        "cut_one_way", "heal",    "partition",  "isolate",
                                        "jam",         "clog",    "swizzle",    "pmtu_hole",
                                        "blackhole",   "filter",  "reset",      "corrupt",
                                        "windows",     "address", "stats"};
    static const lua_CFunction functions[ARRAY_SIZE(names)] = {
        net_link,    net_slot,      net_bottleneck, net_cut,    net_cut_one_way,
        net_heal,    net_partition, net_isolate,    net_jam,    net_clog,
        net_swizzle, net_pmtu_hole, net_blackhole,  net_filter, net_reset,
        net_corrupt, net_windows,   net_address,    net_stats};

    lua_pushcfunction(
        L, functions[args_to_choice(L, 2, "net", "function", names, ARRAY_SIZE(names))]);
    return 1;
}

/* The same in a world whose network is not ours. */
static int needs_simulation(lua_State *L)
{
    lua_sandbox_tostring(L, 2); /* shows no address */
    return luaL_error(L,
                      "net.%s needs the simulated world (--on sim); this run is --on %s; "
                      "a script that wants to go on says: if world.name ~= \"sim\" then "
                      "skip(\"...\") end",
                      lua_tostring(L, -1), world_kind_names[story_of(L)->world->kind]);
}

void api_open_net(lua_State *L)
{
    api_view(L, "net", story_of(L)->world->sim != NULL ? net_index : needs_simulation);
}
