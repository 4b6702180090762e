/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.c: applications that keep what they receive: a message that is kept holds its
 * budgets (Ceph gives them back when the last reference goes), so those who send the same
 * kind of node wait.
 */
#include "scenarios/lab/keep.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/util.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/node.h"

struct lab_kept {
    struct lab_kept *next;
    struct message *msg; /* shared */
};

void lab_node_keep(struct lab_node *node, struct lab_node *from)
{
    lab_lock(node->lab);
    node->keeps_from = from;
    lab_unlock(node->lab);
}

void lab_keep_message(struct lab_node *node, const struct lab_node *from,
                      struct message *msg)
{
    struct lab_kept *kept;

    if (from == NULL || node->keeps_from != from) {
        return;
    }
    kept = calloc(1, sizeof(*kept));
    CHECK(kept != NULL); /* the throttles bound it */
    kept->msg = message_ref(msg);
    kept->next = node->kept;
    node->kept = kept;
}

void lab_node_let_go(struct lab_node *node)
{
    struct lab *lab = node->lab;
    struct lab_kept *kept, *next;

    lab_lock(lab);
    kept = node->kept;
    node->kept = NULL;
    if (node->keeps_from != NULL) {
        lab_fair_trouble(lab, node, NULL); /* what waited comes now, and all at once */
    }
    node->keeps_from = NULL;
    lab_unlock(lab);
    for (; kept != NULL; kept = next) {
        next = kept->next;
        message_unref(kept->msg);
        free(kept);
    }
}
