/* SPDX-License-Identifier: Apache-2.0 */
/*
 * center_impl.h: what event_center.c, the loop, has from its kinds of events. Owner thread.
 */
#ifndef MSGRLAB_ENGINE_EVENT_CENTER_IMPL_H
#define MSGRLAB_ENGINE_EVENT_CENTER_IMPL_H

#include "engine/event_center.h"

/* Runs the timers that were armed before this pass and are due. One that arms itself again
 * waits for the next pass, whatever its delay. */
int center_run_time_events(struct event_center *c);
/* Runs the whole queue as it is now; what these post waits for the next pass. Both return
 * how many ran. */
int center_run_external_events(struct event_center *c);

/* Statistics are read by other threads while the loop runs. Each has one writer at a
 * time. */
static inline void center_stat_add(uint64_t *stat, uint64_t n)
{
    __atomic_store_n(stat, __atomic_load_n(stat, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline struct time_event *center_to_time_event(struct heap_node *node)
{
    return container_of(node, struct time_event, node);
}

#endif
