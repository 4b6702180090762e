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

struct sim_timer {
    uint64_t at; /* virtual ns */
    uint64_t order;
    uint32_t slot; /* 1 + place in the heap; 0 = not armed */
    /* Runs between two steps of whatever thread is current; must not block. */
    void (*fn)(void *arg);
    void *arg;
};

struct sim_timers {
    struct sim_timer **heap; /* owned array of borrowed timers */
    uint32_t n, cap;
    uint64_t next_order;
};

void sim_timers_fini(struct sim_timers *t);
void sim_timer_init(struct sim_timer *timer, void (*fn)(void *arg), void *arg);
static inline bool sim_timer_is_armed(const struct sim_timer *timer)
{
    return timer->slot != 0;
}
/* Arms, or arms anew. */
void sim_timer_arm(struct sim_timers *t, struct sim_timer *timer, uint64_t at);
void sim_timer_cancel(struct sim_timers *t,
                      struct sim_timer *timer); /* not armed is fine */
/* The next one; NULL if none is armed. */
static inline struct sim_timer *sim_timers_first(const struct sim_timers *t)
{
    return t->n > 0 ? t->heap[0] : 0;
}
/* Whether the first one may have others of its instant. */
static inline bool sim_timers_tie(const struct sim_timers *t)
{
    return (t->n > 1 && t->heap[1]->at == t->heap[0]->at) ||
           (t->n > 2 && t->heap[2]->at == t->heap[0]->at);
}

/* Those of the same instant as the first one, at most SIM_TIES_MAX, in the order of arming.
 * How many. */
#define SIM_TIES_MAX 16
uint32_t sim_timers_ties(const struct sim_timers *t, struct sim_timer *ret[SIM_TIES_MAX]);

#endif
