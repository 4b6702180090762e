/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c: received messages that a handler of the script is to see. */
#include "scenarios/lab/inbox.h"

#include <stdlib.h>

#include "engine/util.h"
#include "scenarios/lab/node.h"

void lab_inbox_put(struct lab_node *node, struct message *msg)
{
    struct lab *lab = node->lab;
    struct lab_inbox *item = calloc(1, sizeof(*item));

    CHECK(item != NULL); /* the dispatch throttle bounds it */
    item->node = node;
    item->msg = message_ref(msg);
    item->ledger = (uint32_t)(msg->header.tid >> 32);
    item->index = (uint32_t)msg->header.tid;
    *lab->inbox_tail = item;
    lab->inbox_tail = &item->next;
}

struct lab_inbox *lab_inbox_pop(struct lab *lab)
{
    struct lab_inbox *item;

    lab_lock(lab);
    item = lab->inbox;
    if (item != NULL) {
        lab->inbox = item->next;
        if (lab->inbox == NULL) {
            lab->inbox_tail = &lab->inbox;
        }
    }
    lab_unlock(lab);
    return item;
}

void lab_inbox_free(struct lab_inbox *item)
{
    message_unref(item->msg);
    free(item);
}

struct lab_inbox *lab_inbox_take(struct lab *lab, const struct lab_node *node)
{
    struct lab_inbox *taken = NULL, **at = &lab->inbox;

    while (*at != NULL) {
        struct lab_inbox *item = *at;

        if (item->node == node) {
            *at = item->next;
            item->next = taken;
            taken = item;
        } else {
            at = &item->next;
        }
    }
    lab->inbox_tail = at;
    return taken;
}
