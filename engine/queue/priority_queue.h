/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority_queue.h: the order in which received messages are served (Ceph:
 * PrioritizedQueue). A pure data structure: no lock, no thread, no clock. Private to
 * dispatch_queue.c, which locks it; borrowed messages come in and the same messages go out.
 *
 *   levels, highest first      lanes, in turn order              messages, in order
 *   strict    255 -----------> conn 7 -------------------------> m1
 *             196
 *   weighted  127  tokens ---> conn 3 -> conn 7 ---------------> m2 m5 m6
 *              64  tokens ---> conn 3 -------------------------> m3 m4
 *
 * Priorities >= PRIO_HIGH are strict. Below, whatever is served gives each waiting level
 * new tokens, in proportion to its priority; a level whose tokens exceed the cost of its
 * next message is served for tokens, the lowest such level first; if there is none, the
 * highest level is served for nothing. So each level gets at least the share of its
 * priority, and the highest gets what the others leave. Within a level connections take
 * turns.
 *
 * Push is O(log levels), pop O(levels that wait), take O(messages taken); there are rarely
 * more than three levels. If there is no memory for a lane, messages wait in a plain queue
 * behind all lanes until that has been served: the priorities suffer, the order of one
 * connection does not, and nothing can fail.
 */
#ifndef MSGRLAB_ENGINE_QUEUE_PRIORITY_QUEUE_H
#define MSGRLAB_ENGINE_QUEUE_PRIORITY_QUEUE_H

#include <stdint.h>

#include "engine/list.h"

struct message;
struct priority_entry;
struct priority_level;

#define PRIORITY_TOKENS_MAX (16u << 20) /* per level: ms_pq_max_tokens_per_priority */
#define PRIORITY_COST_MIN (64u << 10)   /* per message: ms_pq_min_cost */

/* Private part: use the functions. Not to be moved in memory. */
struct priority_queue {
    struct priority_level **levels; /* owned, sorted, highest first */
    uint32_t n_levels, cap_levels;
    uint64_t weight;                 /* sum of the weighted priorities that wait */
    struct priority_entry **buckets; /* owned: lanes and connections by key */
    uint32_t n_entries, n_buckets;
    struct list overflow; /* of struct message by node */
};

void priority_queue_init(struct priority_queue *q);
void priority_queue_fini(struct priority_queue *q); /* empty (CHECKed) */
/* Queues the message for the connection of that id. */
void priority_queue_push(struct priority_queue *q, struct message *msg, uint64_t conn_id);
/* The next message; NULL if empty. */
struct message *priority_queue_pop(struct priority_queue *q);
/* Moves everything queued for that connection to the back of `to`; returns how many. */
uint64_t priority_queue_take(struct priority_queue *q, uint64_t conn_id, struct list *to);

#endif
