/* SPDX-License-Identifier: Apache-2.0 */
/*
 * books.h: the books about the messages of a lab: a ledger for each origin of messages (a
 * connection, or a pair of nodes for sends by address), an entry for each message.
 *
 * Every message carries (ledger, index) in the tid of its header, and payload bytes that
 * are a function of it. The receiving node looks it up and compares everything, byte by
 * byte.
 *
 * Any thread, under the lab's lock, unless a call says that it takes that.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_BOOKS_H
#define MSGRLAB_SCENARIOS_LAB_BOOKS_H

#include "scenarios/lab/lab.h"

#define LAB_LEDGERS_MAX 65536
#define LAB_MESSAGES_MAX (8u << 20) /* of one run: the books take about 60 bytes each */
#define LAB_LANE_ECHO UINT16_MAX /* lane of answers; 0 is the script's, 1.. are senders' */

/* One message as it was sent. */
struct lab_entry {
    uint64_t key;           /* of its payload (keyed.h): of the first message for an echo */
    uint64_t flow;          /* identity in the trace; 0 unknown */
    uint64_t sent_ns;       /* when the messenger had taken it; 0: not yet */
    const uint8_t *literal; /* owned by the ledger that made it: the literal segments */
    uint32_t bytes[3];      /* front, middle, data */
    uint16_t type, priority;
    uint16_t lane;             /* which thread sent it: order is per (lane, priority) */
    uint16_t received;         /* how often */
    uint8_t literal_mask;      /* bit i: segment i is literal */
    bool reply, failed, owned; /* an echo; never sent; literal is freed with this entry */
};

/* Order is kept within a session, for what one thread sent at one priority. */
struct lab_order {
    uint64_t session; /* the receiver's connection */
    uint16_t lane, priority;
    uint32_t last; /* index received */
};

struct lab_ledger {
    uint32_t number;           /* 1.. */
    struct lab_node *from;     /* borrowed */
    struct lab_node *to;       /* borrowed; NULL until known, or outside the run */
    struct lab_conn *conn;     /* borrowed; NULL for sends by address */
    struct lab_entry *entries; /* owned; index 1 is entries[0] */
    uint32_t n, cap;
    struct lab_order *orders; /* owned */
    uint32_t n_orders, cap_orders;
    uint64_t failed; /* entries never sent */
    uint64_t unsent; /* of these, because the session was over, or because of `kept` */
    uint64_t kept;   /* of sender threads that a fault did not let start */
    uint64_t delivered, duplicates, inversions, corrupt; /* seen by the receiver */
};

/* A new ledger. NULL: no memory, too many. */
struct lab_ledger *lab_ledger_new(struct lab *lab, struct lab_node *from,
                                  struct lab_node *to);
/* The ledger of that number, the entry of that index; NULL: there is none. */
struct lab_ledger *lab_ledger_find(struct lab *lab, uint32_t number);
struct lab_entry *lab_entry_find(struct lab_ledger *ledger, uint32_t index);
/* Books one more, at index ledger->n then. 0; -ENOSPC: a run has no more; -ENOMEM. */
int lab_entry_new(struct lab_ledger *ledger, const struct lab_entry *entry);
/* The ledger of sends by address from `node` to `peer`. NULL: no memory. Takes the lock. */
struct lab_ledger *lab_pair_ledger(struct lab_node *node, struct lab_node *peer);

/* Sums over the ledgers, for expectations and the summary. Takes the lock. */
struct lab_sums {
    uint64_t sent, delivered, duplicates, inversions, corrupt, failed, unsent;
};
/* Of messages received by `to` (NULL: all), from that node, from that ledger (NULL: any).
 */
void lab_sums(struct lab *lab, const struct lab_node *to, const struct lab_node *from,
              const struct lab_ledger *ledger, struct lab_sums *ret);

/* Of all ledgers; nobody else looks at them any more. */
void lab_books_free(struct lab *lab);

/* Room for one more in an array of pointers or structs; false: no memory. */
bool lab_make_room(void **array, uint32_t *cap, uint32_t n, size_t element);

#endif
