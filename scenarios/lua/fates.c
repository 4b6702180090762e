/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fates.c: what befalls nodes by the script's will: they stand still, keep what they get,
 * die, live again, move.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lab/fate.h"
#include "scenarios/lab/keep.h"
#include "scenarios/lab/pause.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

static int set_pause(lua_State *L, bool on)
{
    struct lab_node *node = api_check_node(L, 1);
    int rc;

    api_start_node(L, node);
    rc = lab_node_pause(node, on);
    if (rc < 0) {
        return luaL_error(L, "node %s: its workers do not %s: %s", node->opts.name,
                          on ? "stand still" : "go on", strerror(-rc));
    }
    return 0;
}

/* What only the simulated world can do. */
static int fate_failed(lua_State *L, const char *what, const struct lab_node *node, int rc)
{
    if (rc == -EOPNOTSUPP) {
        return luaL_error(L, "%s needs the simulated world (--on sim); this run is --on %s",
                          what, world_kind_names[story_of(L)->world->kind]);
    }
    return luaL_error(L, "%s: node %s %s", what, node->opts.name,
                      rc == -ESRCH ? "does not run" : strerror(-rc));
}

/* a:pause(): its workers, until a:resume(); a:pause("10ms"): all its threads */
static int node_pause(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    int rc;

    if (lua_isnoneornil(L, 2)) {
        return set_pause(L, true);
    }
    api_start_node(L, node);
    rc = lab_node_freeze(node, args_to_duration(L, 2, "pause"));
    return rc < 0 ? fate_failed(L, "pause for a time", node, rc) : 0;
}

static int node_resume(lua_State *L)
{
    return set_pause(L, false);
}

/* b:keep(a): the application keeps what comes from a, and the budgets it holds */
static int node_keep(lua_State *L)
{
    lab_node_keep(api_check_node(L, 1), api_check_node(L, 2));
    return 0;
}

static int node_let_go(lua_State *L)
{
    lab_node_let_go(api_check_node(L, 1));
    return 0;
}

/* b:kill { how = "crash" | "power_loss" } */
static int node_kill(lua_State *L)
{
    static const char *const options[] = {"how"};
    static const char *const ways[] = {"crash", "power_loss"};
    struct lab_node *node = api_check_node(L, 1);
    int how = 0, rc;

    if (story_of(L)->in_handler) {
        return luaL_error(L, "kill: a message handler must not kill a node");
    }
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        args_table(L, 2, "kill", options, ARRAY_SIZE(options), 0);
        how = args_choice(L, 2, "kill", "how", ways, ARRAY_SIZE(ways));
    }
    rc = lab_node_kill(node, how == 1);
    return rc < 0 ? fate_failed(L, "kill", node, rc) : 0;
}

/* b:restart { nonce = "same" | "new" } */
static int node_restart(lua_State *L)
{
    static const char *const options[] = {"nonce"};
    static const char *const nonces[] = {"new", "same"};
    struct lab_node *node = api_check_node(L, 1);
    char why[300] = "";
    int nonce = 0, rc;

    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        args_table(L, 2, "restart", options, ARRAY_SIZE(options), 0);
        nonce = args_choice(L, 2, "restart", "nonce", nonces, ARRAY_SIZE(nonces));
    }
    if (story_of(L)->world->sim == NULL) {
        return fate_failed(L, "restart", node, -EOPNOTSUPP);
    }
    rc = lab_node_restart(node, nonce == 1, why, sizeof(why));
    if (rc < 0) {
        return api_cannot(L, rc, "restart: %s", why);
    }
    return 0;
}

static int node_rebind(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    int rc;

    api_start_node(L, node);
    if (!node->bound) {
        return luaL_error(L, "rebind: node %s has serve = false: it listens nowhere",
                          node->opts.name);
    }
    rc = lab_node_rebind(node);
    if (rc == -EBUSY) {
        return luaL_error(L,
                          "rebind: node %s stands still, so it cannot; %s:resume(), or "
                          "wait until its pause is over, before",
                          node->opts.name, node->opts.name);
    }
    if (rc < 0) {
        return api_cannot(
            L, rc,
            "rebind: node %s cannot listen anew: %s; it goes on listening where it "
            "did",
            node->opts.name, strerror(-rc));
    }
    return 0;
}

void api_open_fates(lua_State *L)
{
    static const luaL_Reg methods[] = {{"pause", node_pause},   {"resume", node_resume},
                                       {"keep", node_keep},     {"let_go", node_let_go},
                                       {"kill", node_kill},     {"restart", node_restart},
                                       {"rebind", node_rebind}, {NULL, NULL}};

    api_more_methods(L, API_NODE, methods);
}
