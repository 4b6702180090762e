/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h: how nodes treat their peers, by type.
 *
 * A node has one policy for each type of peer, as a messenger has. It is said once, by the
 * node or by a connection; what nobody said follows from the first connection. Both hold
 * from then on, whether the node runs by then or not.
 *
 * The thread of the scenario only.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_POLICY_H
#define MSGRLAB_SCENARIOS_LAB_POLICY_H

#include <stdbool.h>

#define LAB_POLICIES_MAX 8
#define LAB_WHERE_BYTES 200 /* "x.lua:12" */

struct lab_node;
struct policy;

/* How a node treats peers of one type. */
struct lab_policy {
    int peer_type; /* 0: all that have no other */
    bool said;     /* by the scenario; else it follows from a connection */
    const struct policy *policy;
    char where[LAB_WHERE_BYTES]; /* that was: "x.lua:12" */
};

/* The scenario says it; peer_type 0: for all that have no other. 0; -EEXIST: it said
 * another one, or -EBUSY: another one followed from a connection; *ret_former is that. */
int lab_policy_say(struct lab_node *node, int peer_type, const struct policy *policy,
                   const char *where, const struct lab_policy **ret_former);
/* It follows from a connection, unless the scenario said one. 0; -EBUSY: from a former one
 * followed a policy with which the session would not be what it is to be (lossy or not);
 * *ret_former is that. */
int lab_policy_follow(struct lab_node *node, int peer_type, const struct policy *policy,
                      const char *where, const struct lab_policy **ret_former);
/* What was said or followed; NULL: nothing. */
const struct lab_policy *lab_policy_find(const struct lab_node *node, int peer_type);
/* What the node does: that, or serve without state. */
const struct policy *lab_node_policy(const struct lab_node *node, int peer_type);
/* Gives the messenger what is known before it starts. */
void lab_policy_configure(struct lab_node *node);

#endif
