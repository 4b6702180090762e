/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c: how nodes treat their peers, by type: who said so, and what follows. */
#include "scenarios/lab/policy.h"

#include <errno.h>
#include <stdio.h>

#include "engine/util.h"
#include "scenarios/lab/node.h"

static struct lab_policy *own_row(struct lab_node *node, int peer_type)
{
    for (int i = 0; i < node->n_policies; i++) {
        if (node->policies[i].peer_type == peer_type) {
            return &node->policies[i];
        }
    }
    return NULL;
}

/* That for the type, or that for all types. */
static struct lab_policy *effective_row(struct lab_node *node, int peer_type)
{
    struct lab_policy *row = own_row(node, peer_type);

    return row != NULL ? row : own_row(node, 0);
}

const struct lab_policy *lab_policy_find(const struct lab_node *node, int peer_type)
{
    return effective_row((struct lab_node *)(uintptr_t)node, peer_type);
}

const struct policy *lab_node_policy(const struct lab_node *node, int peer_type)
{
    const struct lab_policy *row = lab_policy_find(node, peer_type);

    return row != NULL ? row->policy : policy_find("stateless_server");
}

/* ---- the messenger ----------------------------------------------------------------- */

static void limit(struct lab_node *node, int peer_type)
{
    const struct lab_node_opts *opts = &node->opts;

    if (opts->throttle_messages != 0 || opts->throttle_bytes != 0) {
        messenger_set_throttlers(node->messenger, peer_type, opts->throttle_messages,
                                 opts->throttle_bytes);
    }
}

void lab_policy_configure(struct lab_node *node)
{
    messenger_set_policy(node->messenger, 0, lab_node_policy(node, 0));
    for (int i = 0; i < node->n_policies; i++) {
        messenger_set_policy(node->messenger, node->policies[i].peer_type,
                             node->policies[i].policy);
    }
    limit(node, 0);
    for (int i = 0; i < node->n_policies; i++) {
        limit(node, node->policies[i].peer_type);
    }
}

static void add_row(struct lab_node *node, int peer_type, const struct policy *policy,
                    const char *where, bool said)
{
    struct lab_policy *row = &node->policies[node->n_policies];

    CHECK(node->n_policies < LAB_POLICIES_MAX); /* there are fewer entity types */
    *row = (struct lab_policy){.peer_type = peer_type, .said = said, .policy = policy};
    snprintf(row->where, sizeof(row->where), "%s", where);
    node->n_policies++;
    if (node->started && node->messenger != NULL) {
        limit(node, peer_type);
        messenger_set_policy(node->messenger, peer_type, policy);
    }
}

/* ---- saying, and what follows ------------------------------------------------------ */

int lab_policy_say(struct lab_node *node, int peer_type, const struct policy *policy,
                   const char *where, const struct lab_policy **ret_former)
{
    struct lab_policy *row = effective_row(node, peer_type);

    if (row == NULL) {
        add_row(node, peer_type, policy, where, true);
        return 0;
    }
    if (row->policy != policy) {
        *ret_former = row;
        return row->said ? -EEXIST : -EBUSY;
    }
    if (!row->said) {
        row->said = true;
        snprintf(row->where, sizeof(row->where), "%s", where);
    }
    return 0;
}

int lab_policy_follow(struct lab_node *node, int peer_type, const struct policy *policy,
                      const char *where, const struct lab_policy **ret_former)
{
    struct lab_policy *row = effective_row(node, peer_type);

    if (row == NULL) {
        add_row(node, peer_type, policy, where, false);
        return 0;
    }
    if (!row->said && row->policy->lossy != policy->lossy) {
        *ret_former = row;
        return -EBUSY;
    }
    return 0;
}
