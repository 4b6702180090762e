/* SPDX-License-Identifier: Apache-2.0 */
/* world.c: the world a script can read: world, set, stats; and skip. */
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/setting.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"
#include "sim/rdma/personality.h"
#include "stacks/rdma/rdma_stack.h"

/* ---- the world --------------------------------------------------------------------- */

/* What kind of RDMA device; elsewhere the name of the one that was asked for. */
static const char *device_of(const struct world *world)
{
    if (world->device != NULL) {
        return world->device;
    }
    return world->sim != NULL ? world->personality->name : "";
}

static int world_index(lua_State *L)
{
    static const char *const names[] = {"name", "stack", "driver", "seed", "device"};
    const struct world *world = story_of(L)->world;

    switch (args_to_choice(L, 2, "world", "field", names, ARRAY_SIZE(names))) {
    case 0:
        lua_pushstring(L, world_kind_names[world->kind]);
        return 1;
    case 1:
        lua_pushstring(L, stack_kind_names[world->stack]);
        return 1;
    case 2:
        lua_pushstring(L, event_driver_name(world->driver));
        return 1;
    case 3:
        lua_pushinteger(L, (lua_Integer)world->seed);
        return 1;
    default:
        lua_pushstring(L, device_of(world));
        return 1;
    }
}

/* Numbers and truth values are what they look like. */
static int set_index(lua_State *L)
{
    struct story *story = story_of(L);
    const char *key = luaL_checkstring(L, 2);

    for (int i = 0; i < story->n_sets; i++) {
        struct setting *set = &story->sets[i];

        if (strcmp(set->key, key) != 0) {
            continue;
        }
        set->used = true;
        if (strcmp(set->value, "true") == 0 || strcmp(set->value, "false") == 0) {
            lua_pushboolean(L, set->value[0] == 't');
        } else if (lua_stringtonumber(L, set->value) == 0) {
            lua_pushstring(L, set->value);
        }
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

static int api_skip(lua_State *L)
{
    struct story *story = story_of(L);

    snprintf(story->skip_reason, sizeof(story->skip_reason), "%s", luaL_checkstring(L, 1));
    story->skipped = true;
    return lua_host_end(L);
}

/* ---- statistics -------------------------------------------------------------------- */

static void push_worker(lua_State *L, struct worker *worker)
{
    lua_newtable(L);
    lua_pushinteger(L, atomic_load(&worker->references));
    lua_setfield(L, -2, "references");
#define X(name)                                                                            \
    lua_pushinteger(L, (lua_Integer)atomic_load(&worker->counters.name));                  \
    lua_setfield(L, -2, #name);
    WORKER_COUNTERS(X)
#undef X
}

static int push_rdma(lua_State *L, const struct lab_node *node)
{
    const struct rdma_counters *counters = rdma_stack_counters(node->stack);

    lua_newtable(L);
#define X(name)                                                                            \
    lua_pushinteger(L, (lua_Integer)atomic_load(&counters->name));                         \
    lua_setfield(L, -2, #name);
    RDMA_COUNTERS(X)
#undef X
    return 1;
}

/* stats(node): its counters by name, and workers = { { references = N, ... }, ... }.
 * stats(node, "rdma"): those of its RDMA stack */
static int api_stats(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    uint64_t counters[LAB_COUNTERS];
    struct worker_pool *pool;

    api_start_node(L, node);
    if (!lua_isnoneornil(L, 2)) {
        if (strcmp(luaL_checkstring(L, 2), "rdma") != 0 ||
            story_of(L)->world->stack != STACK_RDMA) {
            return luaL_error(L, "stats: of what? \"rdma\" is all there is, over RDMA");
        }
        return push_rdma(L, node);
    }
    lab_node_counters(node, counters);
    lua_newtable(L);
    for (int i = 0; i < LAB_COUNTERS; i++) {
        lua_pushinteger(L, (lua_Integer)counters[i]);
        lua_setfield(L, -2, lab_counter_names[i]);
    }
    lua_newtable(L);
    pool = messenger_workers(node->messenger);
    for (uint32_t i = 0; i < worker_pool_size(pool); i++) {
        push_worker(L, worker_pool_at(pool, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "workers");
    return 1;
}

void api_open_world(lua_State *L)
{
    lua_pushcfunction(L, api_skip);
    lua_setglobal(L, "skip");
    lua_pushcfunction(L, api_stats);
    lua_setglobal(L, "stats");
    api_view(L, "world", world_index);
    api_view(L, "set", set_index);
}
