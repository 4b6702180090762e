/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send.h: messages on their way out. Any thread.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_SEND_H
#define MSGRLAB_SCENARIOS_LAB_SEND_H

#include "scenarios/lab/lab.h"

#define LAB_SEND_RETRY_NS 1000000 /* while out_q is full */

struct lab_entry;
struct message;

/* What to send. */
struct lab_spec {
    uint16_t type, priority;
    uint32_t bytes[3];
    const void *literal[3]; /* borrowed; NULL: a pattern */
    uint16_t lane;
    bool wait;   /* while out_q is full */
    bool strict; /* the script wants to be told when the session is over */
};

/* Sends one message on the ledger's connection, or by address. Any thread. 0 with the
 * index; -EAGAIN (out_q is full and spec->wait is false), -ENOTCONN, -ECANCELED (the run is
 * being stopped), -ENOSPC (too many messages), -ENOMEM. */
int lab_send(struct lab_ledger *ledger, const struct lab_spec *spec, uint32_t *ret_index);
/* Books n messages that were not sent because the session is over: they have indexes like
 * all others, and nobody waits for them. 0 with the index of the first; -ENOSPC, -ENOMEM.
 * Any thread. */
int lab_book_unsent(struct lab_ledger *ledger, const struct lab_spec *spec, uint64_t n,
                    uint32_t *ret_first);
/* Answers a received message on its connection; *ret_ledger is set also if that fails, but
 * for want of memory. */
int lab_reply(struct lab_node *node, struct message *msg, const struct lab_spec *spec,
              struct lab_ledger **ret_ledger, uint32_t *ret_index);
/* Sends a received message back as it is. Any thread; never waits. */
void lab_echo(struct lab_node *node, struct message *msg, const struct lab_entry *entry);

#endif
