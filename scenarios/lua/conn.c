/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.c: connections, what is sent on them, and received messages in handlers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

#define CLASS "connection"
#define CLASS_MESSAGE "message"
#define CLASS_RECEIVED "received message"

static const char *const spec_options[] = {"type", "front",    "middle",
                                           "data", "priority", "strict"};
static const char *const keepalive_options[] = {"strict"};

static const struct {
    const char *name;
    uint16_t number;
} message_types[] = {{"ping", MSG_PING},
                     {"mon_map", MSG_MON_MAP},
                     {"mon_get_map", MSG_MON_GET_MAP},
                     {"mon_subscribe", MSG_MON_SUBSCRIBE},
                     {"mon_get_version", MSG_MON_GET_VERSION},
                     {"mon_get_version_reply", MSG_MON_GET_VERSION_REPLY},
                     {"mon_command", MSG_MON_COMMAND},
                     {"mon_command_ack", MSG_MON_COMMAND_ACK},
                     {"config", MSG_CONFIG}};

static const struct {
    const char *name;
    uint16_t number;
} priorities[] = {{"low", PRIO_LOW},
                  {"default", PRIO_DEFAULT},
                  {"high", PRIO_HIGH},
                  {"highest", PRIO_HIGHEST}};

/* ---- what to send ------------------------------------------------------------------ */

static uint16_t read_type(lua_State *L, int idx, const char *what)
{
    const char *names[ARRAY_SIZE(message_types)];
    uint16_t type = MSG_PING;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        names[i] = message_types[i].name;
    }
    if (args_field(L, idx, "type") == LUA_TNUMBER) {
        type = (uint16_t)args_to_integer(L, -1, what, "type", 0, UINT16_MAX);
    } else if (!lua_isnil(L, -1)) {
        type = message_types[args_to_choice(L, -1, what, "type", names, ARRAY_SIZE(names))]
                   .number;
    }
    lua_pop(L, 1);
    return type;
}

static uint16_t read_priority(lua_State *L, int idx, const char *what)
{
    const char *names[ARRAY_SIZE(priorities)];
    uint16_t priority = PRIO_DEFAULT;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        names[i] = priorities[i].name;
    }
    if (args_field(L, idx, "priority") == LUA_TNUMBER) {
        priority = (uint16_t)args_to_integer(L, -1, what, "priority", 0, UINT16_MAX);
    } else if (!lua_isnil(L, -1)) {
        priority =
            priorities[args_to_choice(L, -1, what, "priority", names, ARRAY_SIZE(names))]
                .number;
    }
    lua_pop(L, 1);
    return priority;
}

/* A segment is a number of bytes, or the bytes. */
static void read_segment(lua_State *L, int idx, const char *what, const char *key, int i,
                         struct lab_spec *spec)
{
    if (args_field(L, idx, key) == LUA_TSTRING) {
        size_t len;

        spec->literal[i] = lua_tolstring(L, -1, &len);
        if (len > MESSAGE_BYTES_MAX) {
            luaL_error(L, "%s: %s is longer than %I bytes", what, key,
                       (lua_Integer)MESSAGE_BYTES_MAX);
        }
        spec->bytes[i] = (uint32_t)len;
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
        spec->bytes[i] = (uint32_t)args_to_integer(L, -1, what, key, 0, MESSAGE_BYTES_MAX);
    } else if (!lua_isnil(L, -1)) {
        luaL_error(L, "%s: %s is a number of bytes, or a string", what, key);
    }
    lua_pop(L, 1);
}

void api_spec(lua_State *L, int idx, const char *what, struct lab_spec *ret)
{
    struct lab_spec spec = {.wait = true};

    args_table(L, idx, what, spec_options, ARRAY_SIZE(spec_options), 0);
    spec.type = read_type(L, idx, what);
    spec.priority = read_priority(L, idx, what);
    read_segment(L, idx, what, "front", 0, &spec);
    read_segment(L, idx, what, "middle", 1, &spec);
    read_segment(L, idx, what, "data", 2, &spec);
    spec.strict = args_boolean(L, idx, what, "strict", false);
    *ret = spec;
}

/* Raises what a failed send means. */
static int send_failed(lua_State *L, int rc)
{
    switch (rc) {
    case -ENOTCONN:
        return luaL_error(L, "send: the session is over (strict = true asks for this "
                             "error; without it the message is counted as unsent)");
    case -ECANCELED:
        return luaL_error(L, "send: the run was stopped while out_q was full");
    case -ENOSPC:
        return luaL_error(L, "send: a run has at most %d messages", (int)LAB_MESSAGES_MAX);
    default:
        return luaL_error(L, "send: %s", strerror(-rc));
    }
}

void api_check_not_ended(lua_State *L, const char *what, const struct lab_conn *conn)
{
    char where[140] = "";

    if (conn == NULL || conn->end == LAB_END_NOT) {
        return;
    }
    if (conn->end == LAB_END_CLOSED) {
        snprintf(where, sizeof(where), "the script closed this connection (%s)",
                 conn->end_where);
    } else {
        snprintf(where, sizeof(where), "node %s %s, which ended its connections",
                 conn->node->opts.name,
                 conn->end == LAB_END_KILLED ? "was killed" : "was rebound");
    }
    luaL_error(L, "%s: %s; connect again", what, where);
}

/* One message. When the session is over it is counted as unsent. Its index. */
static uint32_t send_one(lua_State *L, struct lab_ledger *ledger,
                         const struct lab_spec *spec)
{
    uint32_t index = 0;
    int rc = lab_send(ledger, spec, &index);

    if (rc == -ENOTCONN && !spec->strict) {
        rc = lab_book_unsent(ledger, spec, 1, &index);
    }
    if (rc < 0) {
        send_failed(L, rc);
    }
    return index;
}

uint32_t api_send(lua_State *L, struct lab_ledger *ledger, const struct lab_spec *spec)
{
    api_check_not_ended(L, "send", ledger->conn);
    return send_one(L, ledger, spec);
}

/* ---- connections ------------------------------------------------------------------- */

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
        return send_failed(L, rc);
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
            return send_failed(L, rc);
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

/* ---- a message that was sent ------------------------------------------------------- */

void api_push_message(lua_State *L, struct lab_ledger *ledger, lua_Integer index)
{
    struct lab *lab = story_of(L)->lab;
    struct api_message *message;
    uint32_t n;

    lab_lock(lab);
    n = ledger->n;
    lab_unlock(lab);
    if (index < 1 || index > n) {
        luaL_error(L, "message: %d messages were sent, there is no number %I", (int)n,
                   index);
    }
    message = lua_newuserdatauv(L, sizeof(*message), 0);
    message->ledger = ledger;
    message->index = (uint32_t)index;
    api_set_class(L, CLASS_MESSAGE);
}

struct api_message *api_check_message(lua_State *L, int idx)
{
    return luaL_checkudata(L, idx, CLASS_MESSAGE);
}

static int message_tostring(lua_State *L)
{
    struct api_message *message = api_check_message(L, 1);

    lua_pushfstring(L, "message %d from node %s", (int)message->index,
                    message->ledger->from->opts.name);
    return 1;
}

/* ---- a message in a handler -------------------------------------------------------- */

/* The script's box has the number of a handling and no pointer, so it is empty when that
 * one is over, however it ended: by returning, by an error, or with the script. */
static struct lab_inbox *check_received(lua_State *L)
{
    const uint64_t *box = luaL_checkudata(L, 1, CLASS_RECEIVED);
    struct story *story = story_of(L);

    if (story->handling == NULL || *box != story->handlings) {
        luaL_error(L, "a received message lives as long as its handler runs; copy what you "
                      "need from it");
    }
    return story->handling;
}

static int received_index(lua_State *L)
{
    lua_pushinteger(L, check_received(L)->index);
    return 1;
}

static int received_type(lua_State *L)
{
    lua_pushinteger(L, check_received(L)->msg->header.type);
    return 1;
}

static int received_priority(lua_State *L)
{
    lua_pushinteger(L, check_received(L)->msg->header.priority);
    return 1;
}

static int received_bytes(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)message_bytes(check_received(L)->msg));
    return 1;
}

static int received_from(lua_State *L)
{
    struct lab_inbox *item = check_received(L);
    struct lab *lab = item->node->lab;
    struct lab_ledger *ledger;

    lab_lock(lab);
    ledger = lab_ledger_find(lab, item->ledger);
    lab_unlock(lab);
    lua_pushstring(L, ledger != NULL ? ledger->from->opts.name : "");
    return 1;
}

static int push_buffer(lua_State *L, const struct buffer *buffer)
{
    lua_pushlstring(L, buffer->len > 0 ? (const char *)buffer->data : "", buffer->len);
    return 1;
}

static int received_front(lua_State *L)
{
    return push_buffer(L, &check_received(L)->msg->front);
}

static int received_middle(lua_State *L)
{
    return push_buffer(L, &check_received(L)->msg->middle);
}

static int received_data(lua_State *L)
{
    return push_buffer(L, &check_received(L)->msg->data);
}

static int received_reply(lua_State *L)
{
    struct lab_inbox *item = check_received(L);
    struct lab_spec spec;
    uint32_t index;
    struct lab_ledger *ledger;
    int rc;

    api_spec(L, 2, "reply", &spec);
    rc = lab_reply(item->node, item->msg, &spec, &ledger, &index);
    if (rc == -ENOTCONN &&
        !spec.strict) { /* whoever ended it: a handler comes when it may */
        rc = lab_book_unsent(ledger, &spec, 1, &index);
    }
    if (rc < 0) {
        return send_failed(L, rc);
    }
    api_push_message(L, ledger, index);
    return 1;
}

void api_call_handler(lua_State *L)
{
    uint64_t *box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = story_of(L)->handlings;
    api_set_class(L, CLASS_RECEIVED);
    lua_call(L, 1, 0);
}

void api_open_conn(lua_State *L)
{
    static const luaL_Reg conn_methods[] = {{"send", conn_send},
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
    static const luaL_Reg message_methods[] = {{"__tostring", message_tostring},
                                               {NULL, NULL}};
    static const luaL_Reg received_methods[] = {
        {"index", received_index},       {"type", received_type},
        {"priority", received_priority}, {"bytes", received_bytes},
        {"from", received_from},         {"front", received_front},
        {"middle", received_middle},     {"data", received_data},
        {"reply", received_reply},       {NULL, NULL}};

    api_class(L, CLASS, conn_methods);
    api_class(L, CLASS_MESSAGE, message_methods);
    api_class(L, CLASS_RECEIVED, received_methods);
}
