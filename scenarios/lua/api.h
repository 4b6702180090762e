/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.h: what a scenario can say: node, connections, expect, stats, wait, sleep, world.
 * Each file registers its part. Every call checks its arguments and raises an error that
 * names the line of the script and what would be right.
 */
#ifndef MSGRLAB_SCENARIOS_LUA_API_H
#define MSGRLAB_SCENARIOS_LUA_API_H

#include "scenarios/lab/conns.h"
#include "scenarios/lab/expect.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/send.h"
#include "scenarios/lab/world.h"
#include "scenarios/lua/host.h"
#include "scenarios/lua/story.h"

/* open.c: opens all of it. Called under protection. */
int lua_api_open(lua_State *L);

/* story.c: what is told here. */
struct story *story_of(lua_State *L);
/* Raises what cannot be done here and now, with -errno `rc`: if the script does not get
 * over it, the run ends as one that cannot run here, or, when a fault of the run is why, as
 * skipped. -EINVAL without a fault is a mistake of the script. */
int api_cannot(lua_State *L, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* class.c: a class of userdata: methods by name; unknown names are errors that suggest one.
 */
void api_class(lua_State *L, const char *class_, const luaL_Reg *methods);
/* More methods for it. */
void api_more_methods(lua_State *L, const char *class_, const luaL_Reg *methods);
/* Gives the userdata on top its class. */
void api_set_class(lua_State *L, const char *class_);
/* A global whose fields are what `index` answers, and can only be read. */
void api_view(lua_State *L, const char *name, lua_CFunction index);

/* node.c */
#define API_NODE "node" /* the class, to which other files add methods */
void api_open_node(lua_State *L);
struct lab_node *api_check_node(lua_State *L, int idx);
struct lab_node *api_test_node(lua_State *L, int idx); /* NULL: it is none */
/* Starts the node if need be; raises what goes wrong. */
void api_start_node(lua_State *L, struct lab_node *node);

/* connect.c, fates.c: more methods of nodes. */
void api_open_connect(lua_State *L);
void api_open_fates(lua_State *L);

/* policy.c: types of peers by name, and the number of the i-th. */
extern const char *const api_entity_names[];
#define API_ENTITIES 5
int api_entity_type(int choice);
/* Policies: each raises what contradicts what was said before. */
void api_read_policies(lua_State *L, int idx, struct lab_node *node);
/* The policy of a connection from a to peers of a type, by the options at idx, by what a
 * said, or as usual. */
const struct policy *api_dial_policy(lua_State *L, int idx, struct lab_node *a,
                                     int peer_type);
/* Both ends' for a connection from a to b. */
void api_agree_on_policy(lua_State *L, int idx, struct lab_node *a, struct lab_node *b);

/* conn.c */
void api_open_conn(lua_State *L);
void api_push_conn(lua_State *L, struct lab_conn *conn);
struct lab_conn *api_check_conn(lua_State *L, int idx);
struct lab_conn *api_test_conn(lua_State *L, int idx);

/* send.c: the options at idx as what to send. Literals point into the table. */
void api_spec(lua_State *L, int idx, const char *what, struct lab_spec *ret);
/* Raises when the script itself has ended that connection (NULL: it is none): using it is a
 * mistake then, and nothing that befell it. */
void api_check_not_ended(lua_State *L, const char *what, const struct lab_conn *conn);
/* Sends one, or counts it as unsent if the session is over; raises what else goes wrong. */
uint32_t api_send(lua_State *L, struct lab_ledger *ledger, const struct lab_spec *spec);
/* Raises what a failed send means. */
int api_send_failed(lua_State *L, int rc);

/* message.c */
struct api_message { /* a message that was sent, to be named in expect.steps */
    struct lab_ledger *ledger;
    uint32_t index;
};
void api_open_message(lua_State *L);
struct api_message *api_check_message(lua_State *L, int idx);
void api_push_message(lua_State *L, struct lab_ledger *ledger, lua_Integer index);
/* Calls the handler on top of the stack with the message that is being handled. */
void api_call_handler(lua_State *L);

/* expect.c */
void api_open_expect(lua_State *L);
struct expectation *api_test_expectation(lua_State *L, int idx);

/* world.c, fault.c, swarm.c, net.c */
void api_open_world(lua_State *L);
void api_open_fault(lua_State *L);
void api_open_swarm(lua_State *L);
void api_open_net(lua_State *L);

/* wait.c */
void api_open_wait(lua_State *L);
/* Runs handlers and waits, until nothing of what is expected is pending. */
int api_await_expectations(lua_State *L);
/* Messages still under way have a moment to arrive. */
int api_settle(lua_State *L);
/* Where handlers are kept: a table in the registry, by number of the node. */
#define API_HANDLERS "msgrlab.handlers"

#endif
