/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c: what a script waits for: sleep, wait, try_wait; meanwhile its handlers run. And
 * the end of its story: heal, what is still expected, what is still under way.
 */
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/lab/books.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/fate.h"
#include "scenarios/lab/inbox.h"
#include "scenarios/lab/senders.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

#define POLL_NS NSEC_PER_MSEC             /* between two looks at wait's condition */
#define COALESCE_NS (100 * NSEC_PER_USEC) /* between two looks at expectations */
#define SETTLE_NS (1 * NSEC_PER_SEC)      /* for messages still under way */

/* ---- handlers ---------------------------------------------------------------------- */

static int call_handler(lua_State *L)
{
    struct lab_inbox *item = story_of(L)->handling;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, API_HANDLERS);
    lua_rawgeti(L, -1, item->node->number);
    api_call_handler(L);
    return 0;
}

/* Runs the handlers of everything that has arrived. */
static void pump(lua_State *L)
{
    struct story *story = story_of(L);
    struct lab_inbox *item;

    while ((item = lab_inbox_pop(story->lab)) != NULL) {
        int rc;

        story->in_handler = true;
        story->handling = item;
        story->handlings++;
        lua_pushcfunction(L, call_handler);
        rc = lua_pcall(L, 0, 0, 0);
        story->in_handler = false;
        story->handling = NULL;
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
static void wait_for_change(struct story *story, uint64_t seen, uint64_t until)
{
    struct lab *lab = story->lab;
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
    if (story_of(L)->in_handler) {
        luaL_error(L, "%s: a message handler must not wait", what);
    }
}

static int api_sleep(lua_State *L)
{
    struct story *story = story_of(L);
    uint64_t until = lab_now(story->lab) + args_to_duration(L, 1, "sleep");

    not_in_handler(L, "sleep");
    do {
        uint64_t seen = changes(story->lab);

        lua_host_check_stop(L);
        pump(L);
        lab_lock(story->lab);
        if (story->lab->changes == seen) {
            lab_wait_change(story->lab, until);
        }
        lab_unlock(story->lab);
    } while (lab_now(story->lab) < until);
    pump(L);
    return 0;
}

/* The script cannot go on as it was meant to. */
static int give_up(lua_State *L)
{
    story_of(L)->gave_up = true;
    return lua_host_end(L);
}

/* The run may take so long; in the simulated world only, where it costs nothing. */
static void extend_run(struct story *story, uint64_t until)
{
    if (story->world->sim != NULL) {
        story->deadline_ns = MAX(story->deadline_ns, until + 2 * SETTLE_NS);
    }
}

static int wait_expectation(lua_State *L, struct expectation *e)
{
    struct story *story = story_of(L);

    if (lab_is_shaped(story->lab)) {
        extend_run(story, expect_until(e, story->lab));
    }
    if (e->kind == EXPECT_COUNT || e->kind == EXPECT_STEPS) {
        return luaL_error(L, "wait: counters and steps are judged when the run is over");
    }
    for (;;) {
        uint64_t seen = changes(story->lab);

        lua_host_check_stop(L);
        pump(L);
        if (expect_poll_one(e, story->lab)) {
            break;
        }
        wait_for_change(story, seen, expect_until(e, story->lab));
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
    struct expectation *e = expect_new(story_of(L)->expectations, EXPECT_THAT);
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
    struct story *story = story_of(L);
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
    until = lab_now(story->lab) + within;
    for (;;) {
        uint64_t now;

        lua_host_check_stop(L);
        pump(L);
        result = is_true(L);
        now = lab_now(story->lab);
        if (result || now >= until) {
            break;
        }
        lab_lock(story->lab);
        lab_wait_change(story->lab, MIN(until, now + POLL_NS));
        lab_unlock(story->lab);
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

/* ---- the end ----------------------------------------------------------------------- */

/* All faults end. In the simulated world, where time costs nothing, the run then has as
 * much of it as converging may take. */
static void heal(struct story *story)
{
    bool first = story->lab->healed_ns == 0;

    lab_heal(story->lab);
    if (first && story->lab->disturbed) {
        extend_run(story, story->lab->healed_ns + lab_converge_ns(story->lab));
    }
}

/* heal(): the end of all faults, before the script's own end */
static int api_heal(lua_State *L)
{
    not_in_handler(L, "heal");
    heal(story_of(L));
    return 0;
}

int api_await_expectations(lua_State *L)
{
    struct story *story = story_of(L);

    heal(story);
    for (;;) {
        uint64_t seen = changes(story->lab), until;
        uint32_t pending;
        int senders, error;

        lua_host_check_stop(L);
        pump(L);
        senders = lab_senders_running(story->lab, &error); /* before: they send no more */
        pending = expect_poll(story->expectations, story->lab, &until);
        if (error != 0) {
            return luaL_error(L, "a sender thread failed: %s", strerror(-error));
        }
        if (pending == 0 && senders == 0) {
            return 0;
        }
        wait_for_change(story, seen, until);
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
    struct story *story = story_of(L);
    uint64_t settled = lab_now(story->lab) + SETTLE_NS;

    for (;;) {
        uint64_t seen = changes(story->lab), until;
        uint32_t pending;

        lua_host_check_stop(L);
        pump(L);
        /* An answer sent meanwhile is part of its session, which has its own time. */
        pending = expect_poll(story->expectations, story->lab, &until);
        until = pending > 0 ? MAX(until, settled) : settled;
        if (count_outstanding(story->lab) == 0 || lab_now(story->lab) >= until) {
            break;
        }
        wait_for_change(story, seen, until);
    }
    expect_settle(story->expectations, story->lab);
    return 0;
}

void api_open_wait(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sleep", api_sleep},
                                         {"wait", api_wait},
                                         {"try_wait", api_try_wait},
                                         {"heal", api_heal}};

    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        lua_pushcfunction(L, functions[i].func);
        lua_setglobal(L, functions[i].name);
    }
}
