/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.h: applications that keep the messages they receive.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_KEEP_H
#define MSGRLAB_SCENARIOS_LAB_KEEP_H

struct lab_node;
struct message;

/* It keeps all it receives from that node, and with it the budgets they hold. */
void lab_node_keep(struct lab_node *node, struct lab_node *from);
/* No more, and what it kept is done. */
void lab_node_let_go(struct lab_node *node);
/* Under the lock, of a message that `node` received: keeps it, if it is to. */
void lab_keep_message(struct lab_node *node, const struct lab_node *from,
                      struct message *msg);

#endif
