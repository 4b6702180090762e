/* SPDX-License-Identifier: Apache-2.0 */
/* time_events.c: the timers of a center, by (deadline, id). */
#include <errno.h>

#include "engine/event/center_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

static bool time_is_before(const struct heap_node *left, const struct heap_node *right)
{
    const struct time_event *a = container_of(left, struct time_event, node);
    const struct time_event *b = container_of(right, struct time_event, node);

    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
                                            : a->id < b->id;
}

static void disarm_timer(struct event_center *c, struct time_event *t)
{
    heap_remove(&c->timers, &t->node, time_is_before);
    t->id = 0;
}

void time_event_init(struct time_event *t, void (*fn)(void *arg, uint64_t id), void *arg)
{
    *t = (struct time_event){.fn = fn, .arg = arg};
}

/* `now`: when the delay began. */
static int arm_timer(struct event_center *c, struct time_event *t, uint64_t now,
                     uint64_t delay_ns)
{
    CHECK(event_center_in_thread(c));
    CHECK(t->fn != NULL);
    if (time_event_is_armed(t)) {
        event_center_delete_time_event(c, t);
    }
    t->deadline_ns = now + delay_ns;
    t->id = c->next_timer_id + 1;
    if (heap_add(&c->timers, &t->node, time_is_before) < 0) {
        t->id = 0;
        return -ENOMEM;
    }
    c->next_timer_id++;
    TRACE(c->os, TIME_ADD, .obj = c->trace_id, .a0 = t->id, .a1 = delay_ns);
    return 0;
}

int event_center_create_time_event(struct event_center *c, struct time_event *t,
                                   uint64_t delay_ns)
{
    return arm_timer(c, t, os_monotonic_ns(c->os), delay_ns);
}

int event_center_create_time_event_at(struct event_center *c, struct time_event *t,
                                      uint64_t deadline_ns)
{
    uint64_t now = os_monotonic_ns(c->os);

    return arm_timer(c, t, now, deadline_ns > now ? deadline_ns - now : 0);
}

void event_center_delete_time_event(struct event_center *c, struct time_event *t)
{
    CHECK(event_center_in_thread(c));
    if (time_event_is_armed(t)) {
        TRACE(c->os, TIME_DEL, .obj = c->trace_id, .a0 = t->id);
        disarm_timer(c, t);
    }
}

int center_run_time_events(struct event_center *c)
{
    uint64_t newest = c->next_timer_id, now;
    struct heap_node *first;
    int ran = 0;

    if (heap_first(&c->timers) == NULL) {
        return 0;
    }
    now = os_monotonic_ns(c->os);
    while ((first = heap_first(&c->timers)) != NULL) {
        struct time_event *t = center_to_time_event(first);
        uint64_t id = t->id, late = now - t->deadline_ns, event, before;

        if (t->deadline_ns > now || id > newest) {
            break;
        }
        disarm_timer(c, t);
        event = TRACE(c->os, TIME_EVENT, .obj = c->trace_id, .a0 = id, .a1 = late);
        before = TRACE_ON(c->os) ? trace_enter(c->os, event) : 0;
        t->fn(t->arg, id);
        if (TRACE_ON(c->os)) {
            trace_enter(c->os, before);
        }
        ran++;
    }
    center_stat_add(&c->stats.time_events, (uint64_t)ran);
    return ran;
}
