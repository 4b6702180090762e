/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expect.c: expect.delivered, .event, .session, .count, .steps and .that, and what may
 * follow them: expect.delivered(b, 100):in_order():exactly_once():within("5s").
 */
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/lab/books.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

#define CLASS "expectation"

struct expectation *api_test_expectation(lua_State *L, int idx)
{
    struct expectation **box = luaL_testudata(L, idx, CLASS);

    return box != NULL ? *box : NULL;
}

static struct expectation *check_expectation(lua_State *L, int idx)
{
    return *(struct expectation **)luaL_checkudata(L, idx, CLASS);
}

/* A new one, its userdata on the stack. */
static struct expectation *push_expectation(lua_State *L, enum expect_kind kind)
{
    struct story *story = story_of(L);
    struct expectation **box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = expect_new(story->expectations, kind);
    if (*box == NULL) {
        luaL_error(L, "expect: a run has at most %d expectations", EXPECTATIONS_MAX);
    }
    lua_host_where(L, (*box)->where, sizeof((*box)->where));
    (*box)->made_ns = lab_now(story->lab);
    api_set_class(L, CLASS);
    return *box;
}

static uint64_t check_number(lua_State *L, int idx, const char *what)
{
    int is_integer;
    lua_Integer n = lua_tointegerx(L, idx, &is_integer);

    if (!is_integer || n < 0) {
        luaL_error(L, "%s: argument %d is a whole number, not negative", what, idx);
    }
    return (uint64_t)n;
}

/* ---- kinds ------------------------------------------------------------------------- */

/* expect.that(condition, "text") */
static int expect_that(lua_State *L)
{
    bool met = lua_toboolean(L, 1);
    const char *text = luaL_checkstring(L, 2);
    struct expectation *e = push_expectation(L, EXPECT_THAT);

    snprintf(e->text, sizeof(e->text), "%s", text);
    snprintf(e->observed, sizeof(e->observed), "%s",
             met ? "so it is"
                 : "not so at that moment (wait(function() ... end) waits for something)");
    e->state = met ? EXPECT_MET : EXPECT_FAILED;
    return 1;
}

/* expect.delivered(node, n) */
static int expect_delivered(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    uint64_t n = check_number(L, 2, "expect.delivered");
    struct expectation *e = push_expectation(L, EXPECT_DELIVERED);

    e->node = node;
    e->n = n;
    snprintf(e->text, sizeof(e->text), "delivered to %s: %llu", node->opts.name,
             (unsigned long long)n);
    return 1;
}

/* expect.event(node, "accept", n) */
static int expect_event(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    int event = args_to_choice(L, 2, "expect.event", "event", lab_event_names, LAB_EVENTS);
    uint64_t n = check_number(L, 3, "expect.event");
    struct expectation *e = push_expectation(L, EXPECT_EVENT);

    e->node = node;
    e->event = (enum lab_event)event;
    e->n = n;
    snprintf(e->text, sizeof(e->text), "%s told of '%s': %llu", node->opts.name,
             lab_event_names[event], (unsigned long long)n);
    return 1;
}

/* expect.count(node, "wakeups", "<=", 7 or "posts") */
static int expect_counter(lua_State *L)
{
    static const char what[] = "expect.count";
    struct lab_node *node = api_check_node(L, 1);
    int counter = args_to_choice(L, 2, what, "counter", lab_counter_names, LAB_COUNTERS);
    int op = args_to_choice(L, 3, what, "comparison", expect_ops, EXPECT_OPS);
    bool against_other = lua_type(L, 4) == LUA_TSTRING;
    int other = 0;
    uint64_t n = 0;
    struct expectation *e;

    if (against_other) {
        other = args_to_choice(L, 4, what, "counter", lab_counter_names, LAB_COUNTERS);
    } else {
        n = check_number(L, 4, what);
    }
    e = push_expectation(L, EXPECT_COUNT);
    e->node = node;
    e->counter = (enum lab_counter)counter;
    e->op = (enum expect_op)op;
    e->against_other = against_other;
    e->other = (enum lab_counter)other;
    e->n = n;
    if (against_other) {
        snprintf(e->text, sizeof(e->text), "%s of %s %s %s", lab_counter_names[counter],
                 node->opts.name, expect_ops[op], lab_counter_names[other]);
    } else {
        snprintf(e->text, sizeof(e->text), "%s of %s %s %llu", lab_counter_names[counter],
                 node->opts.name, expect_ops[op], (unsigned long long)n);
    }
    return 1;
}

/* expect.steps(c:message(1), "S1 S2 ..."), or of every message of connection c */
static int expect_steps(lua_State *L)
{
    struct lab_conn *conn = api_test_conn(L, 1);
    struct api_message *message = conn == NULL ? api_check_message(L, 1) : NULL;
    const char *text = luaL_checkstring(L, 2);
    struct expectation *e;
    uint32_t steps;
    char word[24];

    if (story_of(L)->world->trace == NULL) {
        return luaL_error(L, "expect.steps needs a trace; run without --no-trace");
    }
    if (story_of(L)->world->trace_path[0] == '\0') {
        return luaL_error(L, "expect.steps needs a trace, and the word 'steps' is not in "
                             "the script: write it there, or keep one with --trace FILE");
    }
    if (!expect_parse_steps(text, &steps, word, sizeof(word))) {
        return luaL_error(
            L, "expect.steps: '%s' is no step; steps are S1 to S7 and R1 to R7", word);
    }
    e = push_expectation(L, EXPECT_STEPS);
    e->ledger = conn != NULL ? conn->ledger : message->ledger;
    e->index = conn != NULL ? 0 : message->index;
    e->steps = steps;
    if (conn != NULL) {
        snprintf(e->text, sizeof(e->text), "every message of %s's connection takes %s",
                 conn->node->opts.name, text);
    } else {
        snprintf(e->text, sizeof(e->text), "message %u of %s takes %s", e->index,
                 e->ledger->from->opts.name, text);
    }
    return 1;
}

/* expect.session(c): what was sent on it arrives, in order, once */
static int expect_session(lua_State *L)
{
    struct lab_conn *conn = api_check_conn(L, 1);
    struct expectation *e = push_expectation(L, EXPECT_SESSION);

    e->ledger = conn->ledger;
    snprintf(e->text, sizeof(e->text),
             "all that node %s sent on connection %u is delivered, in order, once",
             conn->node->opts.name, conn->number);
    return 1;
}

/* ---- what may follow --------------------------------------------------------------- */

/* Adds words to the text, and leaves the expectation on the stack for the next word. */
static int qualified(lua_State *L, struct expectation *e, const char *words)
{
    size_t len = strlen(e->text);

    snprintf(e->text + len, sizeof(e->text) - len, "%s", words);
    lua_settop(L, 1);
    return 1;
}

static struct expectation *check_kind(lua_State *L, const char *word, bool events)
{
    struct expectation *e = check_expectation(L, 1);

    if (e->kind != EXPECT_DELIVERED && !(events && e->kind == EXPECT_EVENT) &&
        !(events && e->kind == EXPECT_SESSION)) {
        luaL_error(L, "%s belongs to expect.delivered%s", word,
                   events ? ", expect.event and expect.session" : "");
    }
    if (e->state != EXPECT_PENDING) {
        luaL_error(L, "%s comes too late: the expectation was waited for", word);
    }
    return e;
}

static int word_in_order(lua_State *L)
{
    struct expectation *e = check_kind(L, "in_order", false);

    e->in_order = true;
    return qualified(L, e, ", in order");
}

static int word_exactly_once(lua_State *L)
{
    struct expectation *e = check_kind(L, "exactly_once", false);

    e->exactly_once = true;
    return qualified(L, e, ", exactly once");
}

static int word_by_priority(lua_State *L)
{
    struct expectation *e = check_kind(L, "by_priority", false);

    e->by_priority = true;
    return qualified(L, e, ", higher priorities first");
}

static int word_at_least(lua_State *L)
{
    struct expectation *e = check_kind(L, "at_least", true);

    if (e->kind == EXPECT_SESSION) {
        return luaL_error(L, "at_least belongs to expect.delivered and expect.event");
    }
    e->at_least = true;
    return qualified(L, e, " or more");
}

static int word_from(lua_State *L)
{
    struct expectation *e = check_kind(L, "from", false);
    struct lab_conn *conn = api_test_conn(L, 2);
    char words[80];

    if (conn != NULL) {
        e->from = conn->ledger;
        snprintf(words, sizeof(words), " from a connection of %s", conn->node->opts.name);
    } else {
        e->from_node = api_check_node(L, 2);
        snprintf(words, sizeof(words), " from %s", e->from_node->opts.name);
    }
    return qualified(L, e, words);
}

static int word_within(lua_State *L)
{
    struct expectation *e = check_kind(L, "within", true);
    char words[60], time[32];

    e->within_ns = args_to_duration(L, 2, "within");
    e->within_set = true;
    snprintf(words, sizeof(words), " within %s",
             words_duration_text(e->within_ns, time, sizeof(time)));
    return qualified(L, e, words);
}

static int word_prefix_then_reset(lua_State *L)
{
    struct expectation *e = check_expectation(L, 1);

    if (e->kind != EXPECT_SESSION) {
        luaL_error(L, "prefix_then_reset belongs to expect.session");
    }
    if (e->strict) {
        luaL_error(L, "strict and prefix_then_reset contradict each other");
    }
    e->prefix = true;
    return qualified(L, e, ", or its beginning and then a reset");
}

static int word_strict(lua_State *L)
{
    struct expectation *e = check_expectation(L, 1);

    if (e->kind != EXPECT_DELIVERED && e->kind != EXPECT_SESSION &&
        e->kind != EXPECT_STEPS) {
        luaL_error(L, "strict belongs to expect.delivered, expect.session and "
                      "expect.steps");
    }
    if (e->prefix) {
        luaL_error(L, "strict and prefix_then_reset contradict each other");
    }
    e->strict = true;
    return qualified(L, e, ", whatever faults take");
}

static int expectation_tostring(lua_State *L)
{
    lua_pushstring(L, check_expectation(L, 1)->text);
    return 1;
}

void api_open_expect(lua_State *L)
{
    static const luaL_Reg kinds[] = {{"that", expect_that},
                                     {"delivered", expect_delivered},
                                     {"event", expect_event},
                                     {"count", expect_counter},
                                     {"steps", expect_steps},
                                     {"session", expect_session},
                                     {NULL, NULL}};
    static const luaL_Reg words[] = {{"in_order", word_in_order},
                                     {"exactly_once", word_exactly_once},
                                     {"by_priority", word_by_priority},
                                     {"at_least", word_at_least},
                                     {"from", word_from},
                                     {"prefix_then_reset", word_prefix_then_reset},
                                     {"strict", word_strict},
                                     {"within", word_within},
                                     {"__tostring", expectation_tostring},
                                     {NULL, NULL}};

    api_class(L, CLASS, words);
    /* A class with one object: a misspelt kind is an error that suggests the right one. */
    api_class(L, "expect", kinds);
    lua_newuserdatauv(L, 1, 0);
    api_set_class(L, "expect");
    lua_setglobal(L, "expect");
}
