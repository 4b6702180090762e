/* SPDX-License-Identifier: Apache-2.0 */
/*
 * throttle.h: a budget (messages or bytes) that connections share, which never blocks a
 * worker: whoever does not get its share leaves an external event and is called when there
 * is room. Waiters are served in order, so a large request cannot be starved by small ones.
 *
 * Ceph polls with a 1 ms timer instead; the rule for requests larger than the budget is
 * Ceph's: they pass when nothing, or nothing beyond the limit, is held.
 * Any thread may call anything.
 */
#ifndef MSGRLAB_ENGINE_QUEUE_THROTTLE_H
#define MSGRLAB_ENGINE_QUEUE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/list.h"
#include "engine/os.h"

struct throttle {
    struct os *os;
    struct os_mutex *lock; /* owned */
    const char *name;      /* borrowed, static */
    uint64_t max;          /* 0 = no limit */
    uint64_t held;
    struct list waiters; /* of struct throttle_waiter, longest waiting first */
    uint32_t trace_id;
};

/* Embedded in whoever may wait. on_room is called by the thread that made room, under the
 * throttle's lock and whatever lock that thread has: it must only post an event. It may
 * come more than once. Whoever was called asks again or cancels: nobody behind it is called
 * before. Once throttle_get gave true, or throttle_cancel returned, it does not run any
 * more. */
struct throttle_waiter {
    struct list node;
    uint64_t n; /* what it waits for */
    void (*on_room)(struct throttle_waiter *waiter);
};

/* `name` is borrowed and must be static. 0, -ENOMEM. */
int throttle_init(struct throttle *t, struct os *os, const char *name, uint64_t max);
/* Nothing held, nobody waiting (CHECKed). A zeroed one is fine. */
void throttle_fini(struct throttle *t);
void throttle_waiter_init(struct throttle_waiter *w,
                          void (*on_room)(struct throttle_waiter *waiter));

/* True: `n` is held now (and the waiter, if it was queued, no longer is). False: the waiter
 * is queued (once) and will be called; it asks again then. First come, first served:
 * someone not at the front does not get in while others wait. */
bool throttle_get(struct throttle *t, struct throttle_waiter *w, uint64_t n);
/* Takes without asking, also beyond the limit: what is in memory must be counted. */
void throttle_take(struct throttle *t, uint64_t n);
/* Gives back what is held (CHECKed). */
void throttle_put(struct throttle *t, uint64_t n);
/* Leaves the queue, if in it; the next waiter gets its chance. */
void throttle_cancel(struct throttle *t, struct throttle_waiter *w);
uint64_t throttle_held(struct throttle *t);
/* Whether somebody waits. */
bool throttle_is_awaited(struct throttle *t);

#endif
