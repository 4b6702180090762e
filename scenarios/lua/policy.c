/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c: types of peers; node { policy = ... }, policies = { ... }, and the policy of a
 * connection.
 */
#include <errno.h>
#include <string.h>

#include "engine/policy.h"
#include "engine/util.h"
#include "scenarios/lab/policy.h"
#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

const char *const api_entity_names[API_ENTITIES] = {"mon", "mds", "osd", "client", "mgr"};

int api_entity_type(int choice)
{
    return 1 << choice; /* in the order of enum entity_type */
}

static const struct policy *to_policy(lua_State *L, const char *what, const char *name)
{
    const struct policy *policy = policy_find(name);

    if (policy == NULL) {
        luaL_error(L, "%s: there is no policy '%s'; valid: %s", what, name, policy_names());
    }
    return policy;
}

static const char *type_name(int peer_type)
{
    for (int i = 0; i < API_ENTITIES; i++) {
        if (api_entity_type(i) == peer_type) {
            return api_entity_names[i];
        }
    }
    return "any type";
}

/* ---- saying ------------------------------------------------------------------------ */

static void say(lua_State *L, struct lab_node *node, int peer_type,
                const struct policy *policy)
{
    const struct lab_policy *former;
    char where[LAB_WHERE_BYTES];
    int rc = lab_policy_say(node, peer_type, policy,
                            lua_host_where(L, where, sizeof(where)), &former);

    if (rc == -EEXIST) {
        luaL_error(
            L,
            "node %s treats these peers as %s already, as %s says; a node has one "
            "policy for each type of peer (these are of type %s), and %s contradicts "
            "it",
            node->opts.name, former->policy->name, former->where, type_name(peer_type),
            policy->name);
    } else if (rc < 0) {
        luaL_error(L,
                   "node %s treats these peers (of type %s) as %s since the connection of "
                   "%s, where nobody said otherwise; say %s before that: node { \"%s\", "
                   "policy = \"%s\" }",
                   node->opts.name, type_name(peer_type), former->policy->name,
                   former->where, policy->name, node->opts.name, policy->name);
    }
}

void api_read_policies(lua_State *L, int idx, struct lab_node *node)
{
    const char *name;

    if (args_field(L, idx, "policies") != LUA_TNIL) {
        args_table(L, -1, "node: policies", api_entity_names, API_ENTITIES, 0);
        for (int i = 0; i < API_ENTITIES; i++) {
            name = args_string(L, -1, "node: policies", api_entity_names[i], NULL);
            if (name != NULL) {
                say(L, node, api_entity_type(i), to_policy(L, "node: policies", name));
            }
        }
    }
    lua_pop(L, 1);
    name = args_string(L, idx, "node", "policy", NULL);
    if (name != NULL) {
        say(L, node, 0, to_policy(L, "node", name));
    }
}

/* ---- what follows ------------------------------------------------------------------ */

/* What the other side is when nobody says what. */
static const char *counterpart(const struct policy *policy)
{
    if (strcmp(policy->name, "lossy_client") == 0) {
        return "stateless_server";
    }
    return strcmp(policy->name, "lossless_client") == 0 ? "stateful_server" : policy->name;
}

static int never_dials(lua_State *L, const struct lab_node *node,
                       const struct lab_policy *row, int peer_type)
{
    return luaL_error(
        L,
        "connect: node %s treats peers of type %s as %s, as %s %s: that is a server's "
        "policy, "
        "it never dials; give the node one that does, such as \"lossless_peer\"",
        node->opts.name, type_name(peer_type), row->policy->name, row->where,
        row->said ? "says" : "made it do");
}

const struct policy *api_dial_policy(lua_State *L, int idx, struct lab_node *a,
                                     int peer_type)
{
    const char *name = args_string(L, idx, "connect", "policy", NULL);
    const struct lab_policy *row;
    char where[LAB_WHERE_BYTES];

    if (name != NULL) {
        const struct policy *policy = to_policy(L, "connect", name);

        if (policy->server) {
            luaL_error(L, "connect: '%s' is a server's policy: it never dials", name);
        }
        say(L, a, peer_type, policy);
        return policy;
    }
    row = lab_policy_find(a, peer_type);
    if (row == NULL) {
        lab_policy_follow(a, peer_type, policy_find("lossy_client"),
                          lua_host_where(L, where, sizeof(where)), &row);
    } else if (row->policy->server) {
        never_dials(L, a, row, peer_type);
    }
    return lab_node_policy(a, peer_type);
}

void api_agree_on_policy(lua_State *L, int idx, struct lab_node *a, struct lab_node *b)
{
    int type_a = (int)a->opts.messenger.entity_type;
    int type_b = (int)b->opts.messenger.entity_type;
    const struct policy *policy = api_dial_policy(L, idx, a, type_b);
    const struct lab_policy *former;
    char where[LAB_WHERE_BYTES];

    if (a != b && lab_policy_follow(b, type_a, policy_find(counterpart(policy)),
                                    lua_host_where(L, where, sizeof(where)), &former) < 0) {
        luaL_error(L,
                   "connect: node %s treats peers of type %s as %s since the connection of "
                   "%s, where nobody said otherwise, and the session would be %s; say what "
                   "it is to be: node { \"%s\", policy = \"%s\" }",
                   b->opts.name, type_name(type_a), former->policy->name, former->where,
                   former->policy->lossy ? "lossy" : "lossless", b->opts.name,
                   counterpart(policy));
    }
}
