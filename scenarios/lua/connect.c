/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect.c: from a node to another: connections, messages by address, and threads that
 * send.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lab/books.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/senders.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

static const char *const connect_options[] = {"policy", "anon", "type"};

/* ---- connecting -------------------------------------------------------------------- */

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

/* ---- threads that send ------------------------------------------------------------- */

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

void api_open_connect(lua_State *L)
{
    static const luaL_Reg methods[] = {{"connect", node_connect},
                                       {"send", node_send},
                                       {"message", node_message},
                                       {"sender_threads", node_sender_threads},
                                       {NULL, NULL}};

    api_more_methods(L, API_NODE, methods);
}
