/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_driver.h: how an event center asks which descriptors are ready. Three drivers,
 * chosen at run time: epoll (edge-triggered), poll and select (level-triggered).
 *
 * A driver belongs to one center and is called by its owner thread only. It remembers, for
 * each fd, a mask and a 64-bit cookie, and gives the cookie back with each event: the
 * center puts a generation in it, so that an event for a former life of the number is
 * detected.
 */
#ifndef MSGRLAB_ENGINE_EVENT_DRIVER_H
#define MSGRLAB_ENGINE_EVENT_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/os.h"

#ifdef __cplusplus
extern "C" {
#endif

enum event_driver_kind { DRIVER_EPOLL, DRIVER_POLL, DRIVER_SELECT, DRIVER_COUNT };

struct fired_event {
    uint64_t cookie;
    int mask; /* OS_READABLE | OS_WRITABLE; errors and hang-ups set both, with select only
               * those that are watched */
};

struct event_driver;

struct event_driver_ops {
    const char *name;
    bool edge; /* reports changes, not levels */
    /* Start to watch a new fd / watch it differently / forget it. 0; -EMFILE or -EINVAL
     * when the driver cannot take such an fd; -ENOMEM. An fd that was closed already is
     * forgotten without error. */
    int (*add)(struct event_driver *d, int fd, int mask, uint64_t cookie);
    int (*mod)(struct event_driver *d, int fd, int mask, uint64_t cookie);
    void (*del)(struct event_driver *d, int fd);
    /* Blocks up to timeout_ns (< 0: for ever). Returns how many of the n places it filled,
     * or a negative errno. */
    int (*wait)(struct event_driver *d, struct fired_event *fired, int n,
                int64_t timeout_ns);
    void (*free)(struct event_driver *d);
};

struct event_driver {
    const struct event_driver_ops *ops;
    struct os *os; /* borrowed */
};

/* 0 or a negative errno; -EINVAL: an unknown kind. */
int event_driver_new(struct os *os, enum event_driver_kind kind, struct event_driver **ret);
/* "epoll", "poll", "select"; NULL for an unknown kind, -1 for an unknown name. */
const char *event_driver_name(enum event_driver_kind kind);
int event_driver_by_name(const char *name);

/* The constructors, one per file. */
int driver_epoll_new(struct os *os, struct event_driver **ret);
int driver_poll_new(struct os *os, struct event_driver **ret);
int driver_select_new(struct os *os, struct event_driver **ret);

#ifdef __cplusplus
}
#endif

#endif
