/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_center.h: the loop under every worker: file events, time events, external events.
 *
 *     any thread                         owner thread
 *   event_center_post --> external q --.   loop pass (event_center_process):
 *        |                             |     1 wait = min(caller's, first timer); 0 if the
 *        | 0 -> 1, other thread        |       external queue is not empty
 *        '------> notify pipe -----.   |     2 driver wait
 *                                  v   |     3 file events, as the driver gave them
 *   sockets ------> driver -----> file |     4 time events that are due, by (time, id)
 *                                      '---> 5 external events, the whole queue as it was
 *
 * Events posted by external callbacks run in the next pass. The pipe is written only when
 * the queue goes from empty to not empty and the caller is not the owner: a hundred posts,
 * one write. File and time events belong to the owner thread alone, and CHECK it.
 * (Ceph: EventCenter.)
 */
#ifndef MSGRLAB_ENGINE_EVENT_CENTER_H
#define MSGRLAB_ENGINE_EVENT_CENTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/heap.h"
#include "engine/event_center_stats.h"
#include "engine/event_driver.h"
#include "engine/list.h"
#include "engine/os.h"

/* A read or write callback of an fd; called on the owner thread. */
struct file_callback {
    void (*fn)(void *arg, int fd, int mask);
    void *arg;
};

/* Embedded by the owner of the timer; zero it, or time_event_init, before first use. */
struct time_event {
    struct heap_node node;
    uint64_t deadline_ns;
    uint64_t id; /* order of arming breaks ties; 0 = not armed */
    void (*fn)(void *arg, uint64_t id);
    void *arg;
};

/* Embedded by whoever posts it. Queued at most once: a post while it is queued is
 * merged. */
struct external_event {
    struct list node;
    bool queued; /* guarded by the center's lock */
    void (*fn)(void *arg);
    void *arg;
    const char *name; /* static; appears in traces */
    uint32_t name_id; /* the name in the trace's string table; 0 = not asked yet */
    uint64_t cause;   /* trace id of the post */
    uint64_t ordinal; /* n-th post of this center */
};

struct file_slot {
    int mask; /* 0: no event */
    uint32_t generation;
    struct file_callback read, write;
};

struct event_center {
    struct os *os; /* borrowed */
    uint32_t id;
    uint32_t trace_id;
    _Atomic(struct os_thread *) owner;

    struct event_driver *driver; /* owned */
    struct file_slot *files;     /* owned, indexed by fd */
    uint32_t n_files;
    struct fired_event *fired; /* owned: CENTER_EVENTS_PER_WAIT places */

    struct heap timers; /* of time_event.node */
    uint64_t next_timer_id;

    struct os_mutex *external_lock; /* owned */
    struct os_cond *submitted;      /* owned: some submission is done */
    struct list external;           /* under external_lock */
    _Atomic uint64_t external_n;
    uint64_t post_ordinal;       /* of the last post; under external_lock */
    uint64_t batch_ordinal;      /* of the last post in the batch being run; likewise */
    _Atomic uint64_t wake_cause; /* trace id of the last write to the pipe */

    int notify_read_fd, notify_write_fd; /* owned */
    uint64_t cycle;
    struct event_center_stats stats; /* posts, merges, wakeups under external_lock */
};

/* A zeroed center becomes usable; no thread owns it yet. 0 or a negative errno. */
int event_center_init(struct event_center *c, struct os *os, uint32_t id,
                      enum event_driver_kind driver);
/* Nothing queued and no timer armed (CHECKed). A zeroed or half-built one is fine. */
void event_center_fini(struct event_center *c);
/* The calling thread becomes the owner and watches the notify pipe. Once. 0 or -errno. */
int event_center_set_owner(struct event_center *c);
/* The calling thread becomes the owner of a center whose loop does not run: to clean up, or
 * to call event_center_process by hand. Needs no memory; wake-ups are not watched. */
void event_center_adopt(struct event_center *c);
static inline bool event_center_in_thread(const struct event_center *c)
{
    return atomic_load_explicit(&c->owner, memory_order_relaxed) == os_thread_self(c->os);
}

/* Adds `mask` (OS_READABLE, OS_WRITABLE) to what is watched on fd, with `cb` for the added
 * bits. The callback never runs inside this call. Owner only. 0; -EMFILE, -EINVAL: the
 * driver cannot watch it (select beyond FD_SETSIZE); -ENOMEM. */
int event_center_create_file_event(struct event_center *c, int fd, int mask,
                                   const struct file_callback *cb);
/* Removes bits; the fd is forgotten with the last one. Always succeeds, also for an unknown
 * fd. Call it before closing the fd. Owner only. */
void event_center_delete_file_event(struct event_center *c, int fd, int mask);

void time_event_init(struct time_event *t, void (*fn)(void *arg, uint64_t id), void *arg);
/* Arms (or arms anew) the timer `delay_ns` from now. It fires once. Owner only. 0,
 * -ENOMEM. */
int event_center_create_time_event(struct event_center *c, struct time_event *t,
                                   uint64_t delay_ns);
/* The same for a time of the os's monotonic clock; one that has passed is due at once. */
int event_center_create_time_event_at(struct event_center *c, struct time_event *t,
                                      uint64_t deadline_ns);
/* Disarms it if armed. Owner only. */
void event_center_delete_time_event(struct event_center *c, struct time_event *t);
static inline bool time_event_is_armed(const struct time_event *t)
{
    return t->id != 0;
}

void external_event_init(struct external_event *ev, const char *name, void (*fn)(void *arg),
                         void *arg);
/* Queues the event: true; or merges it with its queued self: false. Any thread. */
bool event_center_post(struct event_center *c, struct external_event *ev);
/* Takes a queued event back: true if it was queued. Owner only. */
bool event_center_cancel(struct event_center *c, struct external_event *ev);
/* Runs fn(arg) on the owner thread and waits for it; at once if this is the owner. The loop
 * must be running. Needs no memory: it is part of every end. */
void event_center_submit(struct event_center *c, void (*fn)(void *arg), void *arg);
/* Makes the current or next wait return. Any thread. */
void event_center_wakeup(struct event_center *c);

/* Each figure as of some moment; all of them together only when the loop is at rest. Any
 * thread. */
void event_center_stats(const struct event_center *c, struct event_center_stats *ret);

/* One pass. `timeout_ns` < 0: until something happens (at most CENTER_WAIT_MAX_NS). Returns
 * how many callbacks ran. Owner only. */
int event_center_process(struct event_center *c, int64_t timeout_ns);

#endif
