/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbox.h: received messages that a handler of the script is to see, in the order of
 * arrival.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_INBOX_H
#define MSGRLAB_SCENARIOS_LAB_INBOX_H

#include <stdint.h>

struct lab;
struct lab_node;
struct message;

/* A received message that a handler of the script is to see. */
struct lab_inbox {
    struct lab_inbox *next;
    struct lab_node *node;
    struct message *msg; /* shared */
    uint32_t ledger, index;
};

/* Under the lock. */
void lab_inbox_put(struct lab_node *node, struct message *msg);
/* The next message for a handler, or NULL. The caller frees it with lab_inbox_free. */
struct lab_inbox *lab_inbox_pop(struct lab *lab);
void lab_inbox_free(struct lab_inbox *item);
/* Under the lock: those of that node, out of it; a list. */
struct lab_inbox *lab_inbox_take(struct lab *lab, const struct lab_node *node);

#endif
