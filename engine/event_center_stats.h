/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_center_stats.h: what an event center counts.
 */
#ifndef MSGRLAB_ENGINE_EVENT_CENTER_STATS_H
#define MSGRLAB_ENGINE_EVENT_CENTER_STATS_H

#include <stdint.h>

struct event_center_stats {
    uint64_t cycles, waits_empty; /* passes; waits that ended with nothing to do */
    uint64_t file_events, time_events, external_events;
    uint64_t posts, merges; /* events posted; posts merged with a queued one */
    uint64_t wakeups;       /* writes to the notify pipe */
    uint64_t stale;         /* events for a former life of an fd */
};

#endif
