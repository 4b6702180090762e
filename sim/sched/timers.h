/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers.h: what happens when, in virtual time. A heap ordered by (time, order of arming),
 * so that two things of the same instant always come in the same order. Timers are
 * embedded by their owners; the heap only borrows them.
 */
#ifndef MSGRLAB_SIM_SCHED_TIMERS_H
#define MSGRLAB_SIM_SCHED_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/heap.h"

struct sim_timer {
    struct heap_node node;
    uint64_t at; /* virtual ns */
    uint64_t order;
    /* Runs between two steps of whatever thread is current; must not block. */
    void (*fn)(void *arg);
    void *arg;
};

struct sim_timers {
    struct heap heap; /* of sim_timer.node */
    uint64_t next_order;
};

void sim_timers_fini(struct sim_timers *t);
void sim_timer_init(struct sim_timer *timer, void (*fn)(void *arg), void *arg);
static inline bool sim_timer_is_armed(const struct sim_timer *timer)
{
    return heap_is_member(&timer->node);
}
/* Arms, or arms anew. */
void sim_timer_arm(struct sim_timers *t, struct sim_timer *timer, uint64_t at);
void sim_timer_cancel(struct sim_timers *t,
                      struct sim_timer *timer); /* not armed is fine */
/* The next one; NULL if none is armed. */
static inline struct sim_timer *sim_timers_first(const struct sim_timers *t)
{
    struct heap_node *node = heap_first(&t->heap);

    return node != NULL ? container_of(node, struct sim_timer, node) : NULL;
}
/* Whether the first one, which there is, has others of its instant. */
bool sim_timers_tie(const struct sim_timers *t);

/* Those of the same instant as the first one, at most SIM_TIES_MAX, in the order of arming.
 * How many. */
#define SIM_TIES_MAX 16
uint32_t sim_timers_ties(const struct sim_timers *t, struct sim_timer *ret[SIM_TIES_MAX]);

#endif
