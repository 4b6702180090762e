/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swarm.c: swarm.pick("knob", { default, other, ... }): what a script varies from seed
 * to seed. Each draw is a decision, so a replay has it and shrinking tries the default.
 */
#include "engine/util.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"
#include "sim/campaign/profile.h"

#define VALUES_MAX 1000

/* On Linux there are no decisions to replay: a function of the seed and the knob. */
static uint64_t draw(const struct world *w, const char *knob, uint64_t n)
{
    struct sim_decisions scratch;
    struct sim_actor actor;
    uint64_t i;

    if (w->sim != NULL) {
        sim_actor_init(sim_world_decisions(w->sim), &actor, knob);
        return profile_pick(sim_world_decisions(w->sim), &actor, n);
    }
    sim_decisions_init(&scratch, w->seed);
    sim_actor_init(&scratch, &actor, knob);
    i = profile_pick(&scratch, &actor, n);
    sim_decisions_fini(&scratch);
    return i;
}

static int swarm_pick(lua_State *L)
{
    const char *knob = luaL_checkstring(L, 1);
    lua_Integer n;

    luaL_checktype(L, 2, LUA_TTABLE);
    args_table(L, 2, "swarm.pick", NULL, 0, VALUES_MAX);
    n = (lua_Integer)lua_rawlen(L, 2);
    if (n < 1) {
        return luaL_error(L,
                          "swarm.pick: '%s' has no values to pick from; the first is "
                          "the default",
                          knob);
    }
    lua_rawgeti(L, 2, 1 + (lua_Integer)draw(story_of(L)->world, knob, (uint64_t)n));
    return 1;
}

static int swarm_index(lua_State *L)
{
    static const char *const names[] = {"pick"};

    args_to_choice(L, 2, "swarm", "function", names, ARRAY_SIZE(names));
    lua_pushcfunction(L, swarm_pick);
    return 1;
}

void api_open_swarm(lua_State *L)
{
    api_view(L, "swarm", swarm_index);
}
