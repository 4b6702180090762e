/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c: connections, and what is sent on them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lab/books.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

#define CLASS "connection"

static const char *const keepalive_options[] = {"strict"};

void api_push_conn(lua_State *L, struct lab_conn *conn)
{
    struct lab_conn **box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = conn;
    api_set_class(L, CLASS);
}

struct lab_conn *api_check_conn(lua_State *L, int idx)
{
    return *(struct lab_conn **)luaL_checkudata(L, idx, CLASS);
}

struct lab_conn *api_test_conn(lua_State *L, int idx)
{
    struct lab_conn **box = luaL_testudata(L, idx, CLASS);

    return box != NULL ? *box : NULL;
}

static int conn_send(lua_State *L)
{
    struct lab_conn *conn = api_check_conn(L, 1);
    struct lab_spec spec;

    api_spec(L, 2, "send", &spec);
    lua_pushinteger(L, api_send(L, conn->ledger, &spec));
    return 1;
}

/* The index, or nil and why not. */
static int conn_try_send(lua_State *L)
{
    struct lab_conn *conn = api_check_conn(L, 1);
    struct lab_spec spec;
    uint32_t index;
    int rc;

    api_spec(L, 2, "try_send", &spec);
    spec.wait = false;
    rc = lab_send(conn->ledger, &spec, &index);
    if (rc == -EAGAIN || rc == -ENOTCONN) {
        lua_pushnil(L);
        lua_pushstring(L, rc == -EAGAIN ? "out_q is full" : "the session is over");
        return 2;
    }
    if (rc < 0) {
        return api_send_failed(L, rc);
    }
    lua_pushinteger(L, index);
    return 1;
}

/* c:send_many(n, { ... }): the indexes of the first and the last */
static int conn_send_many(lua_State *L)
{
    struct lab_conn *conn = api_check_conn(L, 1);
    lua_Integer n = lua_isinteger(L, 2) ? lua_tointeger(L, 2) : 0;
    struct lab_spec spec;
    uint32_t first = 0, last = 0, index;
    int rc = 0;

    if (n < 1 || n > (lua_Integer)LAB_MESSAGES_MAX) {
        return luaL_error(L,
                          "send_many: how many? c:send_many(n, { front = 10 }), with n "
                          "from 1 to %d",
                          (int)LAB_MESSAGES_MAX);
    }
    api_spec(L, 3, "send_many", &spec);
    api_check_not_ended(L, "send_many", conn);
    for (lua_Integer i = 0; i < n; i++) {
        rc = lab_send(conn->ledger, &spec, &last);
        if (rc == -ENOTCONN && !spec.strict) { /* nor will the others be sent */
            rc = lab_book_unsent(conn->ledger, &spec, (uint64_t)(n - i), &index);
            last = index + (uint32_t)(n - i) - 1;
            first = i == 0 ? index : first;
            i = n;
        }
        rc = rc == 0 && lab_is_stopped(conn->lab) ? -ECANCELED : rc;
        if (rc < 0) {
            return api_send_failed(L, rc);
        }
        first = i == 0 ? last : first;
    }
    lua_pushinteger(L, first);
    lua_pushinteger(L, last);
    return 2;
}

static int conn_close(lua_State *L)
{
    struct lab_conn *c = api_check_conn(L, 1);

    if (c->end == LAB_END_NOT) {
        lua_host_where(L, c->end_where, sizeof(c->end_where));
    }
    lab_conn_close(c);
    return 0;
}

/* c:keepalive(): whether the session was there to send it on */
static int conn_keepalive(lua_State *L)
{
    struct lab_conn *c = api_check_conn(L, 1);
    struct connection *conn;
    bool strict, there;

    lua_settop(L, 2);
    args_table(L, 2, "keepalive", keepalive_options, ARRAY_SIZE(keepalive_options), 0);
    strict = args_boolean(L, 2, "keepalive", "strict", false);
    api_check_not_ended(L, "keepalive", c);
    conn = lab_conn_get(c);
    there = conn != NULL && !conn_is_closed(conn);
    if (there) {
        conn_send_keepalive(conn);
    }
    conn_unref(conn);
    if (!there && strict) {
        return luaL_error(L, "keepalive: the session is over");
    }
    c->keepalives_unsent += !there;
    lua_pushboolean(L, there);
    return 1;
}

/* c:unsent(): how many messages, and how many keepalives */
static int conn_unsent(lua_State *L)
{
    struct lab_conn *c = api_check_conn(L, 1);
    struct lab_sums sums;

    lab_sums(c->lab, NULL, NULL, c->ledger, &sums);
    lua_pushinteger(L, (lua_Integer)sums.unsent);
    lua_pushinteger(L, (lua_Integer)c->keepalives_unsent);
    return 2;
}

static int conn_keepalives(lua_State *L)
{
    struct connection *conn = lab_conn_get(api_check_conn(L, 1));

    lua_pushinteger(L, conn != NULL ? (lua_Integer)conn_keepalive_acks(conn) : 0);
    conn_unref(conn);
    return 1;
}

static int conn_connected(lua_State *L)
{
    struct connection *conn = lab_conn_get(api_check_conn(L, 1));

    lua_pushboolean(L, conn != NULL && conn_is_connected(conn));
    conn_unref(conn);
    return 1;
}

static int conn_reason(lua_State *L)
{
    char why[sizeof(((struct lab_conn *)NULL)->why)];

    lua_pushstring(L, lab_conn_why(api_check_conn(L, 1), why, sizeof(why)));
    return 1;
}

/* The policy its session has at this end; nil when it is over. */
static int conn_policy_name(lua_State *L)
{
    struct connection *conn = lab_conn_get(api_check_conn(L, 1));

    if (conn != NULL) {
        lua_pushstring(L, conn_policy(conn));
    } else {
        lua_pushnil(L);
    }
    conn_unref(conn);
    return 1;
}

static int conn_message(lua_State *L)
{
    struct lab_conn *conn = api_check_conn(L, 1);

    api_push_message(L, conn->ledger, luaL_checkinteger(L, 2));
    return 1;
}

static int conn_sent(lua_State *L)
{
    struct lab_conn *conn = api_check_conn(L, 1);
    struct lab_sums sums;

    lab_sums(conn->lab, NULL, NULL, conn->ledger, &sums);
    lua_pushinteger(L, (lua_Integer)sums.sent);
    return 1;
}

static int conn_tostring(lua_State *L)
{
    struct lab_conn *conn = api_check_conn(L, 1);

    lua_pushfstring(L, "connection %d of node %s", (int)conn->number,
                    conn->node->opts.name);
    return 1;
}

void api_open_conn(lua_State *L)
{
    static const luaL_Reg methods[] = {{"send", conn_send},
                                       {"try_send", conn_try_send},
                                       {"send_many", conn_send_many},
                                       {"close", conn_close},
                                       {"keepalive", conn_keepalive},
                                       {"keepalives", conn_keepalives},
                                       {"is_connected", conn_connected},
                                       {"why", conn_reason},
                                       {"policy", conn_policy_name},
                                       {"message", conn_message},
                                       {"sent", conn_sent},
                                       {"unsent", conn_unsent},
                                       {"__tostring", conn_tostring},
                                       {NULL, NULL}};

    api_class(L, CLASS, methods);
}
