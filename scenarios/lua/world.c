/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.c: classes of objects, the world a script can read, what it can wait for, and
 * what this world cannot do.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"
#include "scenarios/lua/sandbox.h"
#include "sim/faults/faults.h"
#include "sim/rdma/personality.h"
#include "stacks/rdma/rdma_stack.h"

#define METHODS_MAX 64
#define POLL_NS NSEC_PER_MSEC             /* between two looks at wait's condition */
#define COALESCE_NS (100 * NSEC_PER_USEC) /* between two looks at expectations */

struct run *run_of(lua_State *L)
{
    return lua_host_of(L)->user;
}

int api_cannot(lua_State *L, int rc, const char *format, ...)
{
    struct run *run = run_of(L);
    char why[sizeof(run->cannot_why)];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    if (rc != -EINVAL || lab_has_met(run->lab, FC_NO_RESOURCE)) {
        memcpy(run->cannot_why, why, sizeof(why));
        run->cannot_rc = rc;
    }
    return luaL_error(L, "%s", why);
}

/* ---- classes ----------------------------------------------------------------------- */

/* Upvalues: the methods, the class. */
static int class_index(lua_State *L)
{
    const char *names[METHODS_MAX];
    size_t n = 0;

    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
            return 1;
        }
        for (lua_pushnil(L); lua_next(L, lua_upvalueindex(1)) && n < METHODS_MAX;
             lua_pop(L, 1)) {
            names[n++] = lua_tostring(L, -2);
        }
        return args_unknown(L, lua_tostring(L, lua_upvalueindex(2)), "method",
                            lua_tostring(L, 2), names, n);
    }
    return luaL_error(L, "%s: methods have names", lua_tostring(L, lua_upvalueindex(2)));
}

void api_class(lua_State *L, const char *class_, const luaL_Reg *methods)
{
    luaL_newmetatable(L, class_);
    lua_newtable(L);
    for (; methods->name != NULL; methods++) {
        lua_pushcfunction(L, methods->func);
        if (strncmp(methods->name, "__", 2) == 0) {
            lua_setfield(L, -3, methods->name);
        } else {
            lua_setfield(L, -2, methods->name);
        }
    }
    lua_pushstring(L, class_);
    lua_pushcclosure(L, class_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void api_set_class(lua_State *L, const char *class_)
{
    luaL_setmetatable(L, class_);
}

/* ---- handlers ---------------------------------------------------------------------- */

static int call_handler(lua_State *L)
{
    struct lab_inbox *item = run_of(L)->handling;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, API_HANDLERS);
    lua_rawgeti(L, -1, item->node->number);
    api_call_handler(L);
    return 0;
}

/* Runs the handlers of everything that has arrived. */
static void pump(lua_State *L)
{
    struct run *run = run_of(L);
    struct lab_inbox *item;

    while ((item = lab_inbox_pop(run->lab)) != NULL) {
        int rc;

        run->in_handler = true;
        run->handling = item;
        run->handlings++;
        lua_pushcfunction(L, call_handler);
        rc = lua_pcall(L, 0, 0, 0);
        run->in_handler = false;
        run->handling = NULL;
        lab_inbox_free(item);
        if (rc != LUA_OK) {
            lua_error(L);
        }
        lua_host_check_stop(L);
    }
}

/* ---- waiting ----------------------------------------------------------------------- */

static uint64_t changes(struct lab *lab)
{
    uint64_t n;

    lab_lock(lab);
    n = lab->changes;
    lab_unlock(lab);
    return n;
}

/* Waits until something has changed since `seen`, at most until that time. */
static void wait_for_change(struct run *run, uint64_t seen, uint64_t until)
{
    struct lab *lab = run->lab;
    bool handlers = false;

    lab_lock(lab);
    if (lab->changes == seen) {
        lab_wait_change(lab, until);
    }
    for (int i = 0; i < lab->n_nodes; i++) {
        handlers = handlers || lab->nodes[i]->handler;
    }
    lab_unlock(lab);
    if (!handlers) { /* nobody waits for us: do not wake up for every single message */
        os_sleep_ns(lab->world->os, COALESCE_NS);
    }
}

static void not_in_handler(lua_State *L, const char *what)
{
    if (run_of(L)->in_handler) {
        luaL_error(L, "%s: a message handler must not wait", what);
    }
}

static int api_sleep(lua_State *L)
{
    struct run *run = run_of(L);
    uint64_t until = lab_now(run->lab) + args_to_duration(L, 1, "sleep");

    not_in_handler(L, "sleep");
    do {
        uint64_t seen = changes(run->lab);

        lua_host_check_stop(L);
        pump(L);
        lab_lock(run->lab);
        if (run->lab->changes == seen) {
            lab_wait_change(run->lab, until);
        }
        lab_unlock(run->lab);
    } while (lab_now(run->lab) < until);
    pump(L);
    return 0;
}

/* The script cannot go on as it was meant to. */
static int give_up(lua_State *L)
{
    run_of(L)->gave_up = true;
    return lua_host_end(L);
}

/* The run may take so long; in the simulated world only, where it costs nothing. */
static void extend_run(struct run *run, uint64_t until)
{
    if (run->world.sim != NULL) {
        run->deadline_ns = MAX(run->deadline_ns, until + 2 * RUN_SETTLE_NS);
    }
}

static int wait_expectation(lua_State *L, struct expectation *e)
{
    struct run *run = run_of(L);

    if (lab_is_shaped(run->lab)) {
        extend_run(run, expect_until(e, run->lab));
    }
    if (e->kind == EXPECT_COUNT || e->kind == EXPECT_STEPS) {
        return luaL_error(L, "wait: counters and steps are judged when the run is over");
    }
    for (;;) {
        uint64_t seen = changes(run->lab);

        lua_host_check_stop(L);
        pump(L);
        if (expect_poll_one(e, run->lab)) {
            break;
        }
        wait_for_change(run, seen, expect_until(e, run->lab));
    }
    e->final = true;
    if (e->state == EXPECT_FAILED) {
        return give_up(L);
    }
    lua_pushboolean(L, true);
    return 1;
}

static bool is_true(lua_State *L)
{
    bool result;

    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    result = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return result;
}

/* A condition that did not come true is an expectation that failed. */
static int wait_failed(lua_State *L, uint64_t within_ns)
{
    struct expectation *e = expect_new(&run_of(L)->expectations, EXPECT_THAT);
    char time[32];

    if (e != NULL) {
        lua_host_where(L, e->where, sizeof(e->where));
        snprintf(e->text, sizeof(e->text), "the condition of wait comes true");
        snprintf(e->observed, sizeof(e->observed), "not within %s",
                 words_duration_text(within_ns, time, sizeof(time)));
        e->state = EXPECT_FAILED;
    }
    return give_up(L);
}

/* wait(function [, time]), wait(expectation), try_wait(function [, time]) */
static int wait_until(lua_State *L, bool may_fail)
{
    struct run *run = run_of(L);
    struct expectation *e = api_test_expectation(L, 1);
    uint64_t within = EXPECT_WITHIN_NS, until;
    bool result;

    not_in_handler(L, "wait");
    if (e != NULL) {
        return wait_expectation(L, e);
    }
    if (!lua_isfunction(L, 1)) {
        return luaL_error(L, "wait: for what? wait(function() return ... end) or an "
                             "expectation");
    }
    if (!lua_isnoneornil(L, 2)) {
        within = args_to_duration(L, 2, "wait");
    }
    until = lab_now(run->lab) + within;
    for (;;) {
        uint64_t now;

        lua_host_check_stop(L);
        pump(L);
        result = is_true(L);
        now = lab_now(run->lab);
        if (result || now >= until) {
            break;
        }
        lab_lock(run->lab);
        lab_wait_change(run->lab, MIN(until, now + POLL_NS));
        lab_unlock(run->lab);
    }
    if (!result && !may_fail) {
        return wait_failed(L, within);
    }
    lua_pushboolean(L, result);
    return 1;
}

static int api_wait(lua_State *L)
{
    return wait_until(L, false);
}

static int api_try_wait(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    return wait_until(L, true);
}

/* All faults end. In the simulated world, where time costs nothing, the run then has as
 * much of it as converging may take. */
static void heal(struct run *run)
{
    bool first = run->lab->healed_ns == 0;

    lab_heal(run->lab);
    if (first && run->lab->disturbed) {
        extend_run(run, run->lab->healed_ns + lab_converge_ns(run->lab));
    }
}

/* heal(): the end of all faults, before the script's own end */
static int api_heal(lua_State *L)
{
    not_in_handler(L, "heal");
    heal(run_of(L));
    return 0;
}

int api_await_expectations(lua_State *L)
{
    struct run *run = run_of(L);

    heal(run);
    for (;;) {
        uint64_t seen = changes(run->lab), until;
        uint32_t pending;
        int senders, error;

        lua_host_check_stop(L);
        pump(L);
        senders = lab_senders_running(run->lab, &error); /* before: they send no more */
        pending = expect_poll(&run->expectations, run->lab, &until);
        if (error != 0) {
            return luaL_error(L, "a sender thread failed: %s", strerror(-error));
        }
        if (pending == 0 && senders == 0) {
            return 0;
        }
        wait_for_change(run, seen, until);
    }
}

/* Messages on their way on connections that are still there. */
static uint64_t count_outstanding(struct lab *lab)
{
    uint64_t n = 0;

    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_ledgers; i++) {
        struct lab_ledger *ledger = lab->ledgers[i];

        if (ledger->to != NULL && (ledger->conn == NULL || ledger->conn->conn != NULL)) {
            n += ledger->n - ledger->failed - (ledger->delivered - ledger->duplicates);
        }
    }
    lab_unlock(lab);
    return n;
}

int api_settle(lua_State *L)
{
    struct run *run = run_of(L);
    uint64_t settled = lab_now(run->lab) + RUN_SETTLE_NS;

    for (;;) {
        uint64_t seen = changes(run->lab), until;
        uint32_t pending;

        lua_host_check_stop(L);
        pump(L);
        /* An answer sent meanwhile is part of its session, which has its own time. */
        pending = expect_poll(&run->expectations, run->lab, &until);
        until = pending > 0 ? MAX(until, settled) : settled;
        if (count_outstanding(run->lab) == 0 || lab_now(run->lab) >= until) {
            break;
        }
        wait_for_change(run, seen, until);
    }
    expect_settle(&run->expectations, run->lab);
    return 0;
}

/* ---- the world --------------------------------------------------------------------- */

static int read_only(lua_State *L)
{
    return luaL_error(L, "'%s' can only be read", lua_tostring(L, lua_upvalueindex(1)));
}

/* A global that answers with `index` (which has one upvalue, on top of the stack). */
static void set_view(lua_State *L, const char *name, lua_CFunction index)
{
    lua_pushcclosure(L, index, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_pushcclosure(L, read_only, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setglobal(L, name);
    lua_pop(L, 1);
}

/* What kind of RDMA device; elsewhere the name of the one that was asked for. */
static const char *device_of(const struct world *world)
{
    if (world->device != NULL) {
        return world->device;
    }
    return world->sim != NULL ? rdma_hca.name : "";
}

static int world_index(lua_State *L)
{
    static const char *const names[] = {"name", "stack", "driver", "seed", "device"};
    const struct world *world = &run_of(L)->world;

    switch (args_to_choice(L, 2, "world", "field", names, ARRAY_SIZE(names))) {
    case 0:
        lua_pushstring(L, world->name);
        return 1;
    case 1:
        lua_pushstring(L, world->stack);
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
    struct run *run = run_of(L);
    const char *key = luaL_checkstring(L, 2);

    for (int i = 0; i < run->opts.n_sets; i++) {
        struct run_set *set = &run->opts.sets[i];

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

/* Upvalue: "net". */
static int needs_simulation(lua_State *L)
{
    lua_sandbox_tostring(L, 2); /* shows no address */
    if (run_of(L)->world.sim != NULL) {
        return luaL_error(L, "%s.%s is not in this version",
                          lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, -1));
    }
    return luaL_error(L,
                      "%s.%s needs the simulated world (--on sim); this run is --on %s; "
                      "a script that wants to go on says: if world.name ~= \"sim\" then "
                      "skip(\"...\") end",
                      lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, -1),
                      run_of(L)->world.name);
}

static int api_skip(lua_State *L)
{
    struct run *run = run_of(L);

    snprintf(run->skip_reason, sizeof(run->skip_reason), "%s", luaL_checkstring(L, 1));
    run->skipped = true;
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
            strcmp(run_of(L)->world.stack, "rdma") != 0) {
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
    static const luaL_Reg functions[] = {{"sleep", api_sleep},       {"wait", api_wait},
                                         {"try_wait", api_try_wait}, {"skip", api_skip},
                                         {"heal", api_heal},         {"stats", api_stats}};

    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        lua_pushcfunction(L, functions[i].func);
        lua_setglobal(L, functions[i].name);
    }
    lua_pushnil(L);
    set_view(L, "world", world_index);
    lua_pushnil(L);
    set_view(L, "set", set_index);
    lua_pushnil(L);
    set_view(L, "fault", api_fault_index);
    lua_pushnil(L);
    set_view(L, "swarm", api_swarm_index);
    lua_pushliteral(L, "net");
    set_view(L, "net", run_of(L)->world.sim != NULL ? api_net_index : needs_simulation);
}

int lua_api_open(lua_State *L)
{
    api_open_node(L);
    api_open_conn(L);
    api_open_expect(L);
    api_open_world(L);
    api_open_fault(L);
    return 0;
}
