/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lua_net.c: `net`, the network of the simulated world, as scripts steer it: what a link is
 * like, cutting it, healing it. On Linux each is an error that says so.
 */
#include <lauxlib.h>
#include <lua.h>

#include "engine/util.h"
#include "scenarios/lua_api.h"
#include "scenarios/lua_args.h"
#include "scenarios/run.h"
#include "sim/world.h"

static const char *const names[] = {"link", "cut", "cut_one_way", "heal"};

static struct sim_world *check_sim(lua_State *L)
{
    struct sim_world *sim = run_of(L)->world.sim;

    CHECK(sim != NULL); /* net_index gives these functions out in that world only */
    return sim;
}

/* net.link(a, b, { latency = "1ms", jitter = "100us", rate = bytes a second }): both ways,
 * from now on. What is not said is nothing: no latency, no jitter, no limit. */
static int net_link(lua_State *L)
{
    static const char *const keys[] = {"latency", "jitter", "rate"};
    struct sim_world *sim = check_sim(L);
    struct os *a = api_check_node(L, 1)->os, *b = api_check_node(L, 2)->os;
    struct sim_link link;

    args_table(L, 3, "net.link", keys, ARRAY_SIZE(keys), 0);
    link = (struct sim_link){
        .latency_ns = args_duration(L, 3, "net.link", "latency", 0),
        .jitter_ns = args_duration(L, 3, "net.link", "jitter", 0),
        .bytes_per_sec =
            (uint64_t)args_integer(L, 3, "net.link", "rate", 0, 0, 1000000000000),
    };
    sim_world_set_link(sim, a, b, &link);
    sim_world_set_link(sim, b, a, &link);
    return 0;
}

/* net.cut(a, b): nothing passes either way. */
static int net_cut(lua_State *L)
{
    struct sim_world *sim = check_sim(L);
    struct os *a = api_check_node(L, 1)->os, *b = api_check_node(L, 2)->os;

    sim_world_cut(sim, a, b, true);
    sim_world_cut(sim, b, a, true);
    return 0;
}

/* net.cut_one_way(a, b): nothing passes from a to b. */
static int net_cut_one_way(lua_State *L)
{
    struct sim_world *sim = check_sim(L);

    sim_world_cut(sim, api_check_node(L, 1)->os, api_check_node(L, 2)->os, true);
    return 0;
}

/* net.heal(a, b): both ways; what waited goes on. */
static int net_heal(lua_State *L)
{
    struct sim_world *sim = check_sim(L);
    struct os *a = api_check_node(L, 1)->os, *b = api_check_node(L, 2)->os;

    sim_world_cut(sim, a, b, false);
    sim_world_cut(sim, b, a, false);
    return 0;
}

int api_net_index(lua_State *L)
{
    static const lua_CFunction functions[] = {net_link, net_cut, net_cut_one_way, net_heal};

    lua_pushcfunction(
        L, functions[args_to_choice(L, 2, "net", "function", names, ARRAY_SIZE(names))]);
    return 1;
}
