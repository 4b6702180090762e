/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.c: node "a", node { "b", ... }, and what a node can do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

#define CLASS "node"

static const char *const node_options[] = {
    "workers",       "driver",    "type",          "num",          "policy",
    "policies",      "throttle",  "out_queue",     "backoff",      "dispatch_bytes",
    "message_bytes", "accepting", "fast_dispatch", "echo",         "addr",
    "serve",         "msgr20",    "ready_timeout", "idle_timeout", "nodelay",
    "rcvbuf",        "sndbuf",    "nonce",         "rdma",         "handling"};
static const char *const pair_options[] = {"messages", "bytes"};
static const char *const backoff_options[] = {"initial", "max"};
static const char *const connect_options[] = {"policy", "anon", "type"};

struct lab_node *api_test_node(lua_State *L, int idx)
{
    struct lab_node **box = luaL_testudata(L, idx, CLASS);

    return box != NULL ? *box : NULL;
}

struct lab_node *api_check_node(lua_State *L, int idx)
{
    return *(struct lab_node **)luaL_checkudata(L, idx, CLASS);
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

/* Who is dialled may be dead: then nobody answers where it was. */
static void start_peer(lua_State *L, struct lab_node *node, const char *what)
{
    if (lab_node_is_dead(node)) {
        return;
    }
    api_start_node(L, node);
    if (!node->bound) {
        luaL_error(L, "%s: node %s has serve = false: nobody can %s to it", what,
                   node->opts.name, what);
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

static void read_node(lua_State *L, int idx, struct lab_node_opts *opts)
{
    static const char *const drivers[] = {"epoll", "poll", "select"};
    int driver = args_choice(L, idx, "node", "driver", drivers, ARRAY_SIZE(drivers));

    read_messenger(L, idx, opts);
    read_pair(L, idx, "throttle", &opts->throttle_messages, &opts->throttle_bytes);
    opts->handling_ns = args_duration(L, idx, "node", "handling", 0);
    opts->driver = driver < 0 ? NULL : drivers[driver];
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
    api_set_class(L, CLASS);
    api_read_policies(L, 1, *box);
    return 1;
}

/* ---- connecting -------------------------------------------------------------------- */

static int connect_failed(lua_State *L, const struct lab_node *node, int rc)
{
    return api_cannot(L, rc, "connect: node %s cannot start a connection: %s",
                      node->opts.name, strerror(-rc));
}

static int connect_node(lua_State *L, struct lab_node *a, struct lab_node *b)
{
    struct lab_conn *conn;
    int rc;

    if (args_field(L, 3, "type") != LUA_TNIL) {
        return luaL_error(L, "connect: the type of node %s is known", b->opts.name);
    }
    lua_pop(L, 1);
    api_agree_on_policy(L, 3, a, b);
    start_peer(L, b, "connect");
    api_start_node(L, a);
    rc = lab_connect(a, b, args_boolean(L, 3, "connect", "anon", false), &conn);
    if (rc < 0) {
        return connect_failed(L, a, rc);
    }
    api_push_conn(L, conn);
    return 1;
}

/* An address that can be bound, and not dialled, would be dialled for ever. */
static void check_dialable(lua_State *L, const char *text,
                           const struct entity_addrvec *addrs)
{
    const struct entity_addr *addr = entity_addrvec_find(addrs, ADDR_MSGR2);
    const char *why = addr == NULL                  ? "none of it is a v2 address"
                      : entity_addr_port(addr) == 0 ? "it has no port"
                      : entity_addr_is_ip_any(addr)
                          ? "one can listen at every ip, and call one only"
                          : NULL;

    if (why != NULL) {
        luaL_error(L, "connect: nobody can be called at '%s': %s", text, why);
    }
}

/* a:connect("v2:127.0.0.1:3300/0", { type = "mon" }) */
static int connect_outside(lua_State *L, struct lab_node *a)
{
    int type = args_choice(L, 3, "connect", "type", api_entity_names, API_ENTITIES);
    const char *text = luaL_checkstring(L, 2), *why;
    struct entity_addrvec addrs;
    struct lab_conn *conn;
    int rc;

    if (lab_node_find(story_of(L)->lab, text) != NULL) {
        return luaL_error(L,
                          "connect: '%s' is the name of a node; a node is meant by what "
                          "node \"%s\" returned, without quotes: a:connect(%s)",
                          text, text, text);
    }
    if (entity_addrvec_parse(text, ADDR_MSGR2, 0, &addrs, &why) < 0) {
        return luaL_error(L, "connect: '%s' is no address: %s", text, why);
    }
    if (type < 0) {
        return luaL_error(L, "connect: say who is there: { type = \"mon\" }");
    }
    check_dialable(L, text, &addrs);
    api_dial_policy(L, 3, a, api_entity_type(type));
    api_start_node(L, a);
    rc = lab_connect_outside(a, api_entity_type(type), &addrs,
                             args_boolean(L, 3, "connect", "anon", false), &conn);
    if (rc < 0) {
        return connect_failed(L, a, rc);
    }
    api_push_conn(L, conn);
    return 1;
}

static int node_connect(lua_State *L)
{
    struct lab_node *a = api_check_node(L, 1);
    struct lab_node *b = api_test_node(L, 2);

    lua_settop(L, 3);
    args_table(L, 3, "connect", connect_options, ARRAY_SIZE(connect_options), 0);
    if (b != NULL) {
        return connect_node(L, a, b);
    }
    if (lua_type(L, 2) != LUA_TSTRING) {
        return luaL_error(L,
                          "connect: to whom? a:connect(b) or a:connect(\"v2:IP:PORT/0\")");
    }
    return connect_outside(L, a);
}

/* ---- sending by address ------------------------------------------------------------ */

/* The book of sends from node 1 to node 2, both started. */
static struct lab_ledger *pair_ledger(lua_State *L)
{
    struct lab_node *a = api_check_node(L, 1), *b = api_check_node(L, 2);
    struct lab_ledger *ledger;

    lua_newtable(L);
    api_agree_on_policy(L, lua_gettop(L), a, b);
    lua_pop(L, 1);
    start_peer(L, b, "send");
    api_start_node(L, a);
    ledger = lab_pair_ledger(a, b);
    if (ledger == NULL) {
        luaL_error(L, "send: out of memory");
    }
    return ledger;
}

static int node_send(lua_State *L)
{
    struct lab_ledger *ledger = pair_ledger(L);
    struct lab_spec spec;

    api_spec(L, 3, "send", &spec);
    lua_pushinteger(L, api_send(L, ledger, &spec));
    return 1;
}

static int node_message(lua_State *L)
{
    api_push_message(L, pair_ledger(L), luaL_checkinteger(L, 3));
    return 1;
}

/* The strings of a specification must outlive the call that starts the threads. */
static void keep_literals(lua_State *L, int idx)
{
    static const char *const segments[] = {"front", "middle", "data"};

    for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
        if (args_field(L, idx, segments[i]) == LUA_TSTRING) {
            luaL_ref(L, LUA_REGISTRYINDEX);
        } else {
            lua_pop(L, 1);
        }
    }
}

/* How many could be started: what a fault keeps from being sent is unsent. */
static int start_senders(lua_State *L, struct lab_ledger *ledger,
                         const struct lab_spec *spec, int k, uint64_t n)
{
    int started = 0;

    for (int i = 0; i < k; i++) {
        int rc = lab_sender_start(ledger, spec, n);

        if (rc == -EAGAIN && !spec->strict && lab_is_disturbed(story_of(L)->lab)) {
            uint32_t first;

            rc = lab_book_unsent(ledger, spec, n, &first);
            lab_lock(story_of(L)->lab);
            ledger->kept += rc == 0 ? n : 0;
            lab_unlock(story_of(L)->lab);
        } else {
            started += rc == 0;
        }
        if (rc == -ENOSPC) {
            luaL_error(L, "sender_threads: a run has at most %d of them", LAB_SENDERS_MAX);
        } else if (rc < 0) {
            api_cannot(L, rc, "sender_threads: cannot start a thread: %s", strerror(-rc));
        }
    }
    return started;
}

/* a:sender_threads(target, k, n, { ... }): target is a connection of a, or a node */
static int node_sender_threads(lua_State *L)
{
    struct lab_node *a = api_check_node(L, 1);
    struct lab_conn *conn = api_test_conn(L, 2);
    lua_Integer k = luaL_checkinteger(L, 3), n = luaL_checkinteger(L, 4);
    struct lab_ledger *ledger;
    struct lab_spec spec;

    luaL_argcheck(L, k >= 1 && k <= LAB_SENDERS_MAX, 3, "from 1 to 64 threads");
    luaL_argcheck(L, n >= 1 && n <= (lua_Integer)LAB_MESSAGES_MAX, 4, "too many messages");
    if (conn != NULL && conn->node != a) {
        return luaL_error(L, "sender_threads: that connection is not one of node %s",
                          a->opts.name);
    }
    ledger = conn != NULL ? conn->ledger : pair_ledger(L);
    api_spec(L, 5, "sender_threads", &spec);
    api_check_not_ended(L, "sender_threads", conn);
    keep_literals(L, 5);
    lua_pushinteger(L, start_senders(L, ledger, &spec, (int)k, (uint64_t)n));
    return 1;
}

/* ---- the rest of a node ------------------------------------------------------------ */

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
                          what, story_of(L)->world->name);
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
    static const luaL_Reg methods[] = {{"connect", node_connect},
                                       {"send", node_send},
                                       {"message", node_message},
                                       {"sender_threads", node_sender_threads},
                                       {"on_message", node_on_message},
                                       {"received", node_received},
                                       {"connections", node_connections},
                                       {"events", node_events},
                                       {"pause", node_pause},
                                       {"resume", node_resume},
                                       {"keep", node_keep},
                                       {"let_go", node_let_go},
                                       {"kill", node_kill},
                                       {"restart", node_restart},
                                       {"rebind", node_rebind},
                                       {"start", node_start},
                                       {"name", node_name},
                                       {"addr", node_addr},
                                       {"__tostring", node_tostring},
                                       {NULL, NULL}};

    api_class(L, CLASS, methods);
    lua_pushcfunction(L, api_node);
    lua_setglobal(L, "node");
}
