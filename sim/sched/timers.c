/* SPDX-License-Identifier: Apache-2.0 */
/* timers.c: the heap of timers, and those of one instant. */
#include "sim/sched/timers.h"

#include "engine/util.h"

static struct sim_timer *timer_at(const struct sim_timers *t, uint32_t i)
{
    return container_of(t->heap.nodes[i], struct sim_timer, node);
}

static bool timer_is_before(const struct heap_node *left, const struct heap_node *right)
{
    const struct sim_timer *a = container_of(left, struct sim_timer, node);
    const struct sim_timer *b = container_of(right, struct sim_timer, node);

    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_timers_fini(struct sim_timers *t)
{
    heap_fini(&t->heap);
    t->next_order = 0;
}

void sim_timer_init(struct sim_timer *timer, void (*fn)(void *arg), void *arg)
{
    CHECK(fn != NULL);
    *timer = (struct sim_timer){.fn = fn, .arg = arg};
}

void sim_timer_arm(struct sim_timers *t, struct sim_timer *timer, uint64_t at)
{
    CHECK(timer->fn != NULL);
    sim_timer_cancel(t, timer);
    timer->at = at;
    timer->order = t->next_order++;
    CHECK(heap_add(&t->heap, &timer->node, timer_is_before) == 0);
}

void sim_timer_cancel(struct sim_timers *t, struct sim_timer *timer)
{
    if (sim_timer_is_armed(timer)) {
        heap_remove(&t->heap, &timer->node, timer_is_before);
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

/* Whether the timer of that place is of the first one's instant. */
static bool is_tie(const struct sim_timers *t, uint32_t i)
{
    return i < t->heap.n && timer_at(t, i)->at == timer_at(t, 0)->at;
}

bool sim_timers_tie(const struct sim_timers *t)
{
    return is_tie(t, 1) || is_tie(t, 2);
}

/* In the heap, who is of the first one's instant has a parent that is so, too. */
uint32_t sim_timers_ties(const struct sim_timers *t, struct sim_timer *ret[SIM_TIES_MAX])
{
    uint32_t places[SIM_TIES_MAX], n = 0, next = 0;

    for (places[n++] = 0; next < n; next++) {
        for (uint32_t i = 2 * places[next] + 1; i <= 2 * places[next] + 2; i++) {
            if (n < SIM_TIES_MAX && is_tie(t, i)) {
                places[n++] = i;
            }
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        insert_tie(ret, i, timer_at(t, places[i]));
    }
    return n;
}
