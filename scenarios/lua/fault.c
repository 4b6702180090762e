/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c: `fault`, by which scripts say what goes wrong: at calls of the operating
 * system and at frames, in both worlds; what only links and nodes can suffer is said with
 * `net` and the nodes' own methods.
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "engine/proto/frames.h"
#include "engine/util.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"
#include "sim/faults/faults.h"

#define CLASS "fault"
#define TAGS_MAX 256

struct api_fault {
    int number; /* of the rule */
};

static struct sim_faults *faults_of(lua_State *L)
{
    return story_of(L)->world->faults;
}

/* ---- words ------------------------------------------------------------------------- */

struct errno_name {
    const char *name;
    int value;
};

static const struct errno_name errnos[] = {
#define E(name)                                                                            \
    {                                                                                      \
#name, name                                                                        \
    }
    E(EACCES),       E(EADDRINUSE),   E(EADDRNOTAVAIL), E(EAFNOSUPPORT), E(EAGAIN),
    E(ECONNABORTED), E(ECONNREFUSED), E(ECONNRESET),    E(EHOSTDOWN),    E(EHOSTUNREACH),
    E(EINVAL),       E(EMFILE),       E(ENETDOWN),      E(ENETUNREACH),  E(ENFILE),
    E(ENOBUFS),      E(ENOMEM),       E(ENONET),        E(ENOPROTOOPT),  E(ENOSPC),
    E(EOPNOTSUPP),   E(EPERM),        E(EPIPE),         E(EFAULT),       E(EPROTO),
    E(ETIMEDOUT),
#undef E
};

static int check_errno(lua_State *L, const char *what)
{
    const char *names[ARRAY_SIZE(errnos)];
    int choice;

    for (size_t i = 0; i < ARRAY_SIZE(errnos); i++) {
        names[i] = errnos[i].name;
    }
    choice = args_choice(L, 1, what, "errno", names, ARRAY_SIZE(names));
    return choice < 0 ? 0 : errnos[choice].value;
}

/* The table's `frame`: a tag's name, "any", or nil: 0. */
static uint8_t check_frame(lua_State *L, const char *what)
{
    const char *names[TAGS_MAX];
    uint8_t tags[TAGS_MAX];
    size_t n = 0;
    int choice;

    for (unsigned tag = 1; tag < FAULT_TAG_ANY; tag++) {
        if (frame_tag_name(tag) != NULL) {
            tags[n] = (uint8_t)tag;
            names[n++] = frame_tag_name(tag);
        }
    }
    tags[n] = FAULT_TAG_ANY;
    names[n++] = "any";
    choice = args_choice(L, 1, what, "frame", names, n);
    return choice < 0 ? 0 : tags[choice];
}

/* The table's `state`: that of a connection, or nil: 0. */
static uint8_t check_state(lua_State *L, const char *what)
{
    const char *names[STATE_WATCH_STATES];
    uint8_t states[STATE_WATCH_STATES];
    const struct world *world = story_of(L)->world;
    size_t n = 0;
    int choice;

    for (int state = 0; state < STATE_WATCH_STATES; state++) {
        if (state_watch_name(state) != NULL) {
            states[n] = (uint8_t)state;
            names[n++] = state_watch_name(state);
        }
    }
    choice = args_choice(L, 1, what, "state", names, n);
    if (choice >= 0 && (world->sim == NULL || world->trace == NULL)) {
        luaL_error(L,
                   "%s: state = \"%s\" is known from what is recorded in the simulated "
                   "world: --on sim, without --no-trace",
                   what, names[choice]);
    }
    return choice < 0 ? 0 : states[choice];
}

/* The name of a node, given as such or as the node: copied. It must be one of the run's. */
static void check_node_name(lua_State *L, const char *what, const char *key,
                            char ret[FAULT_NAME])
{
    const struct lab *lab = story_of(L)->lab;
    const char *names[WORLD_NODES_MAX];
    struct lab_node *node;

    if (args_field(L, 1, key) != LUA_TNIL) {
        node = api_test_node(L, -1);
        if (node != NULL) {
            lua_pushstring(L, node->opts.name);
            lua_replace(L, -2);
        }
        for (int i = 0; i < lab->n_nodes; i++) {
            names[i] = lab->nodes[i]->opts.name;
        }
        snprintf(ret, FAULT_NAME, "%s",
                 names[args_to_choice(L, -1, what, "node", names, (size_t)lab->n_nodes)]);
    }
    lua_pop(L, 1);
}

/* The table's `id`. */
static enum fault_id check_id(lua_State *L, const char *what)
{
    const char *word = args_string(L, 1, what, "id", NULL);
    const char *names[FAULT_COUNT];
    int id = word != NULL ? fault_by_name(word) : -1, n = 0;

    if (word == NULL) {
        return (enum fault_id)luaL_error(
            L, "%s: id = \"...\" says which fault; `msgrlab faults` lists them", what);
    }
    if (id >= 0 && fault_info((enum fault_id)id)->decision < 0) {
        return (enum fault_id)luaL_error(
            L,
            "%s: %s is done to links and nodes (%s), not to calls; see `net` and the "
            "methods of a node",
            what, fault_info((enum fault_id)id)->name, fault_info((enum fault_id)id)->site);
    }
    if (id >= 0 && fault_info((enum fault_id)id)->group == 'L' &&
        story_of(L)->world->sim == NULL) {
        return (enum fault_id)luaL_error(
            L, "%s: %s is done to the simulated network; this world has a real one", what,
            fault_info((enum fault_id)id)->name);
    }
    if (id == FAULT_R01_ALLOC) {
        return (enum fault_id)luaL_error(
            L, "%s: allocations fail in tests/unit/engine/msgr/test_faults_alloc.c only",
            what);
    }
    if (id >= 0 && fault_info((enum fault_id)id)->group == 'V' &&
        !sim_faults_has_verbs(faults_of(L))) {
        return (enum fault_id)luaL_error(
            L, "%s: %s is done by virtual RDMA devices: --stack rdma --on sim", what,
            fault_info((enum fault_id)id)->name);
    }
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (fault_info((enum fault_id)i)->decision >= 0 && i != FAULT_R01_ALLOC) {
            names[n++] = fault_info((enum fault_id)i)->name;
        }
    }
    return (enum fault_id)(
        id >= 0 ? id : args_unknown(L, what, "fault", word, names, (size_t)n));
}

/* ---- rules ------------------------------------------------------------------------- */

static enum fault_side check_side(lua_State *L, const char *what)
{
    static const char *const sides[] = {"write", "read"};
    int choice = args_choice(L, 1, what, "side", sides, ARRAY_SIZE(sides));

    return choice == 1 ? FAULT_READ : FAULT_WRITE;
}

/* 0 .. 1 as a rate of 1024; not 0 if it is not said to be. */
static uint16_t check_probability(lua_State *L, const char *what)
{
    double p = 0;

    if (args_field(L, 1, "probability") != LUA_TNIL) {
        p = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (!(p > 0 && p <= 1)) {
            luaL_error(L, "%s: probability is more than 0 and at most 1", what);
        }
    }
    lua_pop(L, 1);
    return (uint16_t)(p * SIM_RATE_ALWAYS + 0.999);
}

/* When and how often. `usual`: what count is if only nth is said. */
static void check_trigger(lua_State *L, const char *what, struct fault_rule *rule)
{
    if (args_field(L, 1, "at") != LUA_TNIL) {
        /* Rules go by the clock below the injector; so does the scenario's own os. */
        rule->at_ns =
            os_monotonic_ns(story_of(L)->world->os) + args_duration(L, 1, what, "at", 0);
    }
    lua_pop(L, 1);
    rule->duration_ns = args_duration(L, 1, what, "duration", 0);
    if (rule->duration_ns != 0 && rule->at_ns == 0) {
        rule->at_ns = os_monotonic_ns(story_of(L)->world->os);
    }
    rule->nth = (uint32_t)args_integer(L, 1, what, "nth", 0, 1, UINT32_MAX);
    rule->count =
        (uint32_t)args_integer(L, 1, what, "count", rule->nth != 0 ? 1 : 0, 1, UINT32_MAX);
    rule->probability = check_probability(L, what);
}

static const char *sides_of(enum fault_id id)
{
    return fault_is_for_frames(id, FAULT_READ)    ? "read"
           : fault_is_for_frames(id, FAULT_WRITE) ? "write"
                                                  : "no";
}

/* Adds the rule and pushes its handle. */
static int add_rule(lua_State *L, const char *what, const struct fault_rule *rule)
{
    struct api_fault *handle;
    int number;

    if (rule->frame != 0 && !fault_is_for_frames(rule->id, rule->side)) {
        return luaL_error(L,
                          "%s: %s does not happen at a frame that is %s; it happens on the "
                          "%s side of frames",
                          what, fault_info(rule->id)->name,
                          rule->side == FAULT_READ ? "read" : "written",
                          sides_of(rule->id));
    }
    handle = lua_newuserdatauv(L, sizeof(*handle), 0);
    number = sim_faults_add(faults_of(L), rule);
    if (number < 0) {
        return luaL_error(L, "%s: %s", what, strerror(-number));
    }
    handle->number = number;
    api_set_class(L, CLASS);
    return 1;
}

/* fault.inject { id = "s06_short_recv", ... } */
static int fault_inject(lua_State *L)
{
    static const char *const keys[] = {
        "id",       "node",  "peer",        "thread", "frame", "side", "nth",   "at",
        "duration", "count", "probability", "value",  "errno", "time", "point", "state"};
    static const char *const points[] = {"send", "recv",  "waited", "wake",
                                         "cond", "start", "close"};
    const char *what = "fault.inject";
    struct fault_rule rule = {0};

    args_table(L, 1, what, keys, ARRAY_SIZE(keys), 0);
    rule.id = check_id(L, what);
    check_node_name(L, what, "node", rule.node);
    check_node_name(L, what, "peer", rule.peer);
    snprintf(rule.thread, sizeof(rule.thread), "%s", args_string(L, 1, what, "thread", ""));
    rule.frame = check_frame(L, what);
    rule.side = check_side(L, what);
    check_trigger(L, what, &rule);
    rule.value = args_integer(L, 1, what, "value", 0, INT32_MIN, INT32_MAX);
    rule.err = check_errno(L, what);
    rule.time_ns = args_duration(L, 1, what, "time", 0);
    rule.point =
        (uint8_t)(args_choice(L, 1, what, "point", points, ARRAY_SIZE(points)) + 1);
    rule.state = check_state(L, what);
    if (rule.state != 0 && fault_info(rule.id)->group == 'L') {
        return luaL_error(L, "%s: state is for calls and frames, not for packets", what);
    }
    if (rule.point != 0 && rule.id != FAULT_T05_PAUSE) {
        return luaL_error(L, "%s: point is for t05_pause only", what);
    }
    return add_rule(L, what, &rule);
}

/* What drop, reset and stall have in common: a frame from a to b, once. The rule sits at
 * the end of the stream that has the side. */
static void frame_rule(lua_State *L, const char *what, struct fault_rule *rule)
{
    char from[FAULT_NAME] = "", to[FAULT_NAME] = "";

    check_node_name(L, what, "from", from);
    check_node_name(L, what, "to", to);
    rule->frame = check_frame(L, what);
    rule->frame = rule->frame != 0 ? rule->frame : FAULT_TAG_ANY;
    rule->side = check_side(L, what);
    check_trigger(L, what, rule);
    rule->count = rule->count != 0 ? rule->count : 1;
    memcpy(rule->node, rule->side == FAULT_READ ? to : from, FAULT_NAME);
    memcpy(rule->peer, rule->side == FAULT_READ ? from : to, FAULT_NAME);
}

#define FRAME_KEYS "from", "to", "frame", "nth", "at", "duration", "count", "probability"

/* fault.drop { from = a, to = b, frame = "MESSAGE", nth = 3 }: it and what is behind it is
 * lost, and the connection is reset `time` [1ms] later. */
static int fault_drop(lua_State *L)
{
    static const char *const keys[] = {FRAME_KEYS, "time"};
    struct fault_rule rule = {.id = FAULT_S07_VANISH};

    args_table(L, 1, "fault.drop", keys, ARRAY_SIZE(keys), 0);
    frame_rule(L, "fault.drop", &rule);
    rule.time_ns = args_duration(L, 1, "fault.drop", "time", 0);
    return add_rule(L, "fault.drop", &rule);
}

/* fault.reset { from = a, to = b, frame = "ACK", side = "read" }: the connection is reset
 * when the frame is about to be written, or has just begun to be read. */
static int fault_reset(lua_State *L)
{
    static const char *const keys[] = {FRAME_KEYS, "side"};
    struct fault_rule rule = {0};

    args_table(L, 1, "fault.reset", keys, ARRAY_SIZE(keys), 0);
    frame_rule(L, "fault.reset", &rule);
    rule.id = rule.side == FAULT_READ ? FAULT_S06_RESET : FAULT_S07_RESET;
    return add_rule(L, "fault.reset", &rule);
}

/* fault.stall { from = a, to = b, frame = "WAIT", time = "2s" }: the frame and what is
 * behind it waits for so long; without time until fault.stop(). */
static int fault_stall(lua_State *L)
{
    static const char *const keys[] = {FRAME_KEYS, "side", "time"};
    struct fault_rule rule = {0};

    args_table(L, 1, "fault.stall", keys, ARRAY_SIZE(keys), 0);
    frame_rule(L, "fault.stall", &rule);
    rule.id = rule.side == FAULT_READ ? FAULT_S06_EAGAIN : FAULT_S07_EAGAIN;
    rule.time_ns = args_duration(L, 1, "fault.stall", "time", FAULT_FOR_EVER);
    return add_rule(L, "fault.stall", &rule);
}

/* ---- the whole --------------------------------------------------------------------- */

/* fault.accept { "conn_loss", ... }: what else than delays the script puts up with. */
static int fault_accept(lua_State *L)
{
    lua_Integer n;

    if (lua_type(L, 1) == LUA_TSTRING) { /* fault.accept "conn_loss" */
        lua_settop(L, 1);
        lua_createtable(L, 1, 0);
        lua_insert(L, 1);
        lua_rawseti(L, 1, 1);
    }
    if (!lua_istable(L, 1)) {
        return luaL_error(L, "fault.accept: what? fault.accept { \"conn_loss\", ... }");
    }
    args_table(L, 1, "fault.accept", NULL, 0, ARRAY_SIZE(fault_consequence_names));
    n = (lua_Integer)lua_rawlen(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        world_accept(story_of(L)->world,
                     1 << args_to_choice(L, -1, "fault.accept", "consequence",
                                         fault_consequence_names,
                                         ARRAY_SIZE(fault_consequence_names)));
        lua_pop(L, 1);
    }
    return 0;
}

/* fault.stop(): no fault from here on; what was held back goes on. */
static int fault_stop(lua_State *L)
{
    sim_faults_stop(faults_of(L), true);
    return 0;
}

/* fault.fired "s06_fin": how often it did, by whatever rule or rate. */
static int fault_fired(lua_State *L)
{
    const char *names[FAULT_COUNT];
    struct fault_counts counts;

    for (int i = 0; i < FAULT_COUNT; i++) {
        names[i] = fault_info((enum fault_id)i)->name;
    }
    sim_faults_counts(
        faults_of(L),
        (enum fault_id)args_to_choice(L, 1, "fault.fired", "fault", names, FAULT_COUNT),
        &counts);
    lua_pushinteger(L, (lua_Integer)counts.fired);
    return 1;
}

static int fault_index(lua_State *L)
{
    static const char *const names[] = {"inject", "drop", "reset", "stall",
                                        "accept", "stop", "fired"};
    static const lua_CFunction functions[] = {fault_inject, fault_drop,   fault_reset,
                                              fault_stall,  fault_accept, fault_stop,
                                              fault_fired};

    lua_pushcfunction(
        L, functions[args_to_choice(L, 2, "fault", "function", names, ARRAY_SIZE(names))]);
    return 1;
}

/* ---- handles ----------------------------------------------------------------------- */

static int check_rule(lua_State *L)
{
    return ((struct api_fault *)luaL_checkudata(L, 1, CLASS))->number;
}

/* f:fired(): how often this rule did. */
static int rule_fired(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)sim_faults_rule_fired(faults_of(L), check_rule(L)));
    return 1;
}

/* f:stop(): no more of this one. */
static int rule_stop(lua_State *L)
{
    sim_faults_remove(faults_of(L), check_rule(L));
    return 0;
}

void api_open_fault(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"fired", rule_fired}, {"stop", rule_stop}, {NULL, NULL}};

    api_class(L, CLASS, methods);
    api_view(L, "fault", fault_index);
}
