/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.c: node "a", node { "b", ... }, and looking at what it is and has got. What it does
 * to others is in connect.c, what befalls it in fates.c.
 */
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lab/books.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

static const char *const node_options[] = {
    "workers",       "driver",    "type",          "num",          "policy",
    "policies",      "throttle",  "out_queue",     "backoff",      "dispatch_bytes",
    "message_bytes", "accepting", "fast_dispatch", "echo",         "addr",
    "serve",         "msgr20",    "ready_timeout", "idle_timeout", "nodelay",
    "rcvbuf",        "sndbuf",    "nonce",         "rdma",         "handling"};
static const char *const pair_options[] = {"messages", "bytes"};
static const char *const backoff_options[] = {"initial", "max"};

struct lab_node *api_test_node(lua_State *L, int idx)
{
    struct lab_node **box = luaL_testudata(L, idx, API_NODE);

    return box != NULL ? *box : NULL;
}

struct lab_node *api_check_node(lua_State *L, int idx)
{
    return *(struct lab_node **)luaL_checkudata(L, idx, API_NODE);
}

void api_start_node(lua_State *L, struct lab_node *node)
{
    char why[300] = "";
    int rc;

    if (lab_node_is_dead(node)) {
        luaL_error(L, "node %s is dead; %s:restart() gives it another life",
                   node->opts.name, node->opts.name);
    }
    rc = lab_node_start(node, why, sizeof(why));
    if (rc < 0) {
        api_cannot(L, rc, "%s", why);
    }
}

/* ---- making one -------------------------------------------------------------------- */

/* { messages = N, bytes = N } in the named field. */
static void read_pair(lua_State *L, int idx, const char *field, uint64_t *ret_messages,
                      uint64_t *ret_bytes)
{
    char what[40];

    snprintf(what, sizeof(what), "node: %s", field);
    if (args_field(L, idx, field) != LUA_TNIL) {
        args_table(L, -1, what, pair_options, ARRAY_SIZE(pair_options), 0);
        *ret_messages =
            (uint64_t)args_integer(L, -1, what, "messages", 0, 0, LUA_MAXINTEGER);
        *ret_bytes = (uint64_t)args_integer(L, -1, what, "bytes", 0, 0, LUA_MAXINTEGER);
    }
    lua_pop(L, 1);
}

static void read_times(lua_State *L, int idx, struct messenger_opts *m)
{
    m->ready_timeout_ns = args_duration(L, idx, "node", "ready_timeout", 0);
    m->idle_timeout_ns = args_duration(L, idx, "node", "idle_timeout", 0);
    if (args_field(L, idx, "backoff") != LUA_TNIL) {
        args_table(L, -1, "node: backoff", backoff_options, ARRAY_SIZE(backoff_options), 0);
        m->backoff_initial_ns = args_duration(L, -1, "node: backoff", "initial", 0);
        m->backoff_max_ns = args_duration(L, -1, "node: backoff", "max", 0);
    }
    lua_pop(L, 1);
}

static void read_messenger(lua_State *L, int idx, struct lab_node_opts *opts)
{
    struct messenger_opts *m = &opts->messenger;
    int type = args_choice(L, idx, "node", "type", api_entity_names, API_ENTITIES);

    m->entity_type = type < 0 ? ENTITY_OSD : (enum entity_type)api_entity_type(type);
    m->entity_num = args_integer(L, idx, "node", "num", -1, -1, INT32_MAX);
    m->nonce = (uint64_t)args_integer(L, idx, "node", "nonce", 0, 0, UINT32_MAX);
    m->workers = (uint32_t)args_integer(L, idx, "node", "workers", 0, 1, WORKERS_MAX);
    m->msgr20 = args_boolean(L, idx, "node", "msgr20", false);
    m->socket.nodelay = args_boolean(L, idx, "node", "nodelay", true);
    m->socket.rcvbuf = (int)args_integer(L, idx, "node", "rcvbuf", 0, 0, INT32_MAX);
    m->socket.sndbuf = (int)args_integer(L, idx, "node", "sndbuf", 0, 0, INT32_MAX);
    m->message_bytes_max =
        (uint64_t)args_integer(L, idx, "node", "message_bytes", 0, 0, LUA_MAXINTEGER);
    m->dispatch_bytes_max =
        (uint64_t)args_integer(L, idx, "node", "dispatch_bytes", 0, 0, LUA_MAXINTEGER);
    m->accepting_max = (uint32_t)args_integer(L, idx, "node", "accepting", 0, 0, 65536);
    read_pair(L, idx, "out_queue", &m->out_queue_messages_max, &m->out_queue_bytes_max);
    read_times(L, idx, m);
}

static void read_driver(lua_State *L, int idx, struct lab_node_opts *opts)
{
    const char *names[DRIVER_COUNT];
    int driver;

    for (int i = 0; i < DRIVER_COUNT; i++) {
        names[i] = event_driver_name((enum event_driver_kind)i);
    }
    driver = args_choice(L, idx, "node", "driver", names, DRIVER_COUNT);
    opts->driver_said = driver >= 0;
    opts->messenger.driver = (enum event_driver_kind)MAX(driver, 0);
}

static void read_node(lua_State *L, int idx, struct lab_node_opts *opts)
{
    read_messenger(L, idx, opts);
    read_driver(L, idx, opts);
    read_pair(L, idx, "throttle", &opts->throttle_messages, &opts->throttle_bytes);
    opts->handling_ns = args_duration(L, idx, "node", "handling", 0);
    opts->serve = args_boolean(L, idx, "node", "serve", true);
    opts->fast_dispatch = args_boolean(L, idx, "node", "fast_dispatch", false);
    opts->echo = args_boolean(L, idx, "node", "echo", false);
    snprintf(opts->address, sizeof(opts->address), "%s",
             args_string(L, idx, "node", "addr", ""));
    snprintf(opts->rdma, sizeof(opts->rdma), "%s", args_string(L, idx, "node", "rdma", ""));
}

static void check_name(lua_State *L, const char *name)
{
    if (name[0] == '\0' || strlen(name) >= LAB_NAME_BYTES ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
            strlen(name)) {
        luaL_error(L, "node: a name has 1 to %d letters, digits, '.', '_' or '-'",
                   LAB_NAME_BYTES - 1);
    }
    if (lab_node_find(story_of(L)->lab, name) != NULL) {
        luaL_error(L, "node: there is a node '%s' already", name);
    }
}

/* node "a"; node { "b", workers = 2 } */
static int api_node(lua_State *L)
{
    struct lab_node_opts opts = {.serve = true};
    struct lab_node **box;
    char why[200];

    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_settop(L, 1);
        lua_createtable(L, 1, 0);
        lua_insert(L, 1);
        lua_rawseti(L, 1, 1);
    }
    luaL_checkany(L, 1);
    if (lua_istable(L, 1) && lua_getfield(L, 1, "name") != LUA_TNIL) {
        return luaL_error(L, "node: the name stands alone, first: node { \"a\", ... }");
    }
    lua_settop(L, 1);
    args_table(L, 1, "node", node_options, ARRAY_SIZE(node_options), 1);
    if (lua_rawgeti(L, 1, 1) != LUA_TSTRING) {
        return luaL_error(L,
                          "node: a node needs a name: node \"a\" or node { \"a\", ... }");
    }
    check_name(L, lua_tostring(L, -1));
    snprintf(opts.name, sizeof(opts.name), "%s", lua_tostring(L, -1));
    read_node(L, 1, &opts);
    box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = lab_node_new(story_of(L)->lab, &opts, why, sizeof(why));
    if (*box == NULL) {
        return luaL_error(L, "node: %s", why);
    }
    api_set_class(L, API_NODE);
    api_read_policies(L, 1, *box);
    return 1;
}

/* ---- looking at it ----------------------------------------------------------------- */

static int node_on_message(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);

    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, API_HANDLERS);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, node->number);
    lab_lock(node->lab);
    node->handler = true;
    lab_unlock(node->lab);
    return 0;
}

/* One received message as a table. */
static void push_received(lua_State *L, struct lab *lab, uint64_t id)
{
    struct lab_ledger *ledger;
    struct lab_entry entry;

    /* The table is made without the lock: that may fail. */
    lab_lock(lab);
    ledger = lab_ledger_find(lab, (uint32_t)(id >> 32));
    entry = *lab_entry_find(ledger, (uint32_t)id);
    lab_unlock(lab);
    lua_createtable(L, 0, 6);
    lua_pushstring(L, ledger->from->opts.name);
    lua_setfield(L, -2, "from");
    lua_pushinteger(L, ledger->conn != NULL ? ledger->conn->number : 0);
    lua_setfield(L, -2, "connection");
    lua_pushinteger(L, (uint32_t)id);
    lua_setfield(L, -2, "index");
    lua_pushinteger(L, entry.type);
    lua_setfield(L, -2, "type");
    lua_pushinteger(L, entry.priority);
    lua_setfield(L, -2, "priority");
    lua_pushinteger(L, (lua_Integer)entry.bytes[0] + entry.bytes[1] + entry.bytes[2]);
    lua_setfield(L, -2, "bytes");
}

/* What has arrived so far, in the order of arrival. */
static int node_received(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    struct lab *lab = node->lab;
    uint64_t n, id;

    lab_lock(lab);
    n = node->n_log;
    lab_unlock(lab);
    lua_createtable(L, (int)n, 0);
    for (uint64_t i = 0; i < n; i++) {
        lab_lock(lab);
        id = node->log[i];
        lab_unlock(lab);
        push_received(L, lab, id);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* Its ends of connections, dialled and accepted, in the order they were made. */
static int node_connections(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    struct lab *lab = node->lab;
    lua_Integer n = 0;

    lua_newtable(L);
    for (uint32_t i = 0;; i++) {
        struct lab_conn *conn;

        lab_lock(lab);
        conn = i < lab->n_conns ? lab->conns[i] : NULL;
        lab_unlock(lab);
        if (conn == NULL) {
            return 1;
        }
        if (conn->node == node) {
            api_push_conn(L, conn);
            lua_rawseti(L, -2, ++n);
        }
    }
}

/* { connect = N, accept = N, ... } */
static int node_events(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    uint64_t events[LAB_EVENTS];

    lab_lock(node->lab);
    memcpy(events, node->events, sizeof(events));
    lab_unlock(node->lab);
    lua_createtable(L, 0, LAB_EVENTS);
    for (int i = 0; i < LAB_EVENTS; i++) {
        lua_pushinteger(L, (lua_Integer)events[i]);
        lua_setfield(L, -2, lab_event_names[i]);
    }
    return 1;
}

static int node_start(lua_State *L)
{
    api_start_node(L, api_check_node(L, 1));
    lua_settop(L, 1);
    return 1;
}

static int node_name(lua_State *L)
{
    lua_pushstring(L, api_check_node(L, 1)->opts.name);
    return 1;
}

static int node_addr(lua_State *L)
{
    struct lab_node *node = api_check_node(L, 1);
    char text[ENTITY_ADDRVEC_TEXT];

    api_start_node(L, node);
    lua_pushstring(L, entity_addrvec_text(&node->addrs, text));
    return 1;
}

static int node_tostring(lua_State *L)
{
    lua_pushfstring(L, "node %s", api_check_node(L, 1)->opts.name);
    return 1;
}

void api_open_node(lua_State *L)
{
    static const luaL_Reg methods[] = {{"on_message", node_on_message},
                                       {"received", node_received},
                                       {"connections", node_connections},
                                       {"events", node_events},
                                       {"start", node_start},
                                       {"name", node_name},
                                       {"addr", node_addr},
                                       {"__tostring", node_tostring},
                                       {NULL, NULL}};

    api_class(L, API_NODE, methods);
    lua_pushcfunction(L, api_node);
    lua_setglobal(L, "node");
}
