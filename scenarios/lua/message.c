/* SPDX-License-Identifier: Apache-2.0 */
/* message.c: a message that was sent, and one that a handler looks at. */
#include <errno.h>

#include "scenarios/lab/books.h"
#include "scenarios/lab/inbox.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

#define CLASS_MESSAGE "message"
#define CLASS_RECEIVED "received message"

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
        return api_send_failed(L, rc);
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

void api_open_message(lua_State *L)
{
    static const luaL_Reg message_methods[] = {{"__tostring", message_tostring},
                                               {NULL, NULL}};
    static const luaL_Reg received_methods[] = {
        {"index", received_index},       {"type", received_type},
        {"priority", received_priority}, {"bytes", received_bytes},
        {"from", received_from},         {"front", received_front},
        {"middle", received_middle},     {"data", received_data},
        {"reply", received_reply},       {NULL, NULL}};

    api_class(L, CLASS_MESSAGE, message_methods);
    api_class(L, CLASS_RECEIVED, received_methods);
}
