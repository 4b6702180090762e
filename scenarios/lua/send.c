/* SPDX-License-Identifier: Apache-2.0 */
/* send.c: what to send, as a table of options says it; and what it means that it failed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lab/books.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

static const char *const spec_options[] = {"type", "front",    "middle",
                                           "data", "priority", "strict"};

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

int api_send_failed(lua_State *L, int rc)
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
        api_send_failed(L, rc);
    }
    return index;
}

uint32_t api_send(lua_State *L, struct lab_ledger *ledger, const struct lab_spec *spec)
{
    api_check_not_ended(L, "send", ledger->conn);
    return send_one(L, ledger, spec);
}
