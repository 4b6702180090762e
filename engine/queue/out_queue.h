/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_queue.h: a connection's `out_q`: messages by priority, first in first out within one,
 * the highest priority first. Bounded in messages and bytes. Owned by a connection and
 * guarded by its write lock; no locking of its own.
 *
 *   replay    m7 m8                     what push_front brought back: before everything
 *   levels[0] 255: m12
 *   levels[1] 127: m9 m10 m13           sorted array; an emptied level keeps its place
 *   levels[2]  64: m11                  until the place is needed
 */
#ifndef MSGRLAB_ENGINE_QUEUE_OUT_QUEUE_H
#define MSGRLAB_ENGINE_QUEUE_OUT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/list.h"

struct message;

#define OUT_QUEUE_PRIORITIES 8 /* distinct priorities kept apart without allocation */
#define OUT_QUEUE_SCAN_MAX 64  /* empty levels looked at before they are thrown out */

struct out_queue_level {
    uint16_t priority;
    struct list messages; /* of struct message by node */
};

/* Not to be moved in memory: it holds list heads. */
struct out_queue {
    struct list replay;             /* of struct message by node */
    struct out_queue_level *levels; /* sorted, highest first; `own`, or an owned array */
    uint32_t n_levels, cap_levels;
    struct out_queue_level own[OUT_QUEUE_PRIORITIES];
    uint64_t messages, bytes;
    uint64_t messages_max, bytes_max;
};

void out_queue_init(struct out_queue *q, uint64_t messages_max, uint64_t bytes_max);
/* Drops every message; returns how many. */
uint64_t out_queue_clear(struct out_queue *q);
void out_queue_fini(struct out_queue *q); /* drops every message; a zeroed one is fine */
/* Takes over the caller's reference on success. -EAGAIN at a bound, -ENOMEM: the caller
 * keeps it. A single message beyond bytes_max passes when the queue is empty. */
int out_queue_push(struct out_queue *q, struct message *msg);
/* Puts a message in front of everything else, also of what is pushed later (replay after
 * reconnect: call it for the youngest first). Takes over the reference, ignores the bounds
 * and cannot fail. */
void out_queue_push_front(struct out_queue *q, struct message *msg);
/* The next message, with its reference, in no list any more; NULL if empty. */
struct message *out_queue_pop(struct out_queue *q);
bool out_queue_is_empty(const struct out_queue *q);

#endif
