/* SPDX-License-Identifier: Apache-2.0 */
/* timers.c: a binary heap. */
#include "sim/sched/timers.h"

#include "engine/util.h"

static bool is_before(const struct sim_timer *a, const struct sim_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void place(struct sim_timers *t, struct sim_timer *timer, uint32_t i)
{
    t->heap[i] = timer;
    timer->slot = i + 1;
}

static void sift_up(struct sim_timers *t, struct sim_timer *timer, uint32_t i)
{
    while (i > 0 && is_before(timer, t->heap[(i - 1) / 2])) {
        place(t, t->heap[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    place(t, timer, i);
}

static void sift_down(struct sim_timers *t, struct sim_timer *timer, uint32_t i)
{
    for (;;) {
        uint32_t child = 2 * i + 1;

        if (child + 1 < t->n && is_before(t->heap[child + 1], t->heap[child])) {
            child++;
        }
        if (child >= t->n || !is_before(t->heap[child], timer)) {
            break;
        }
        place(t, t->heap[child], i);
        i = child;
    }
    place(t, timer, i);
}

void sim_timers_fini(struct sim_timers *t)
{
    free(t->heap);
    *t = (struct sim_timers){0};
}

void sim_timer_init(struct sim_timer *timer, void (*fn)(void *arg), void *arg)
{
    *timer = (struct sim_timer){.fn = fn, .arg = arg};
}

void sim_timer_arm(struct sim_timers *t, struct sim_timer *timer, uint64_t at)
{
    sim_timer_cancel(t, timer);
    if (t->n == t->cap) {
        uint32_t cap = MAX(64u, t->cap * 2);
        struct sim_timer **heap = realloc(t->heap, cap * sizeof(struct sim_timer *));

        CHECK(heap != NULL);
        t->heap = heap;
        t->cap = cap;
    }
    timer->at = at;
    timer->order = t->next_order++;
    sift_up(t, timer, t->n++);
}

void sim_timer_cancel(struct sim_timers *t, struct sim_timer *timer)
{
    struct sim_timer *last;
    uint32_t i = timer->slot - 1;

    if (timer->slot == 0) {
        return;
    }
    timer->slot = 0;
    last = t->heap[--t->n];
    if (last == timer) {
        return;
    }
    if (i > 0 && is_before(last, t->heap[(i - 1) / 2])) {
        sift_up(t, last, i);
    } else {
        sift_down(t, last, i);
    }
}

/* Keeps them in order; there is room. */
static void insert_tie(struct sim_timer *ties[SIM_TIES_MAX], uint32_t n,
                       struct sim_timer *timer)
{
    while (n > 0 && ties[n - 1]->order > timer->order) {
        ties[n] = ties[n - 1];
        n--;
    }
    ties[n] = timer;
}

/* In the heap, who is of the first one's instant has a parent that is so, too. */
uint32_t sim_timers_ties(const struct sim_timers *t, struct sim_timer *ret[SIM_TIES_MAX])
{
    uint32_t places[SIM_TIES_MAX], n = 0, next = 0;

    for (places[n++] = 0; next < n; next++) {
        for (uint32_t i = 2 * places[next] + 1; i <= 2 * places[next] + 2; i++) {
            if (i < t->n && n < SIM_TIES_MAX && t->heap[i]->at == t->heap[0]->at) {
                places[n++] = i;
            }
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        insert_tie(ret, i, t->heap[places[i]]);
    }
    return n;
}
