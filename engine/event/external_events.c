/* SPDX-License-Identifier: Apache-2.0 */
/*
 * external_events.c: what any thread posts to a center, and the wake-up that tells the
 * center of it.
 */
#include <errno.h>

#include "engine/event/center_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

void external_event_init(struct external_event *ev, const char *name, void (*fn)(void *arg),
                         void *arg)
{
    *ev = (struct external_event){.fn = fn, .arg = arg, .name = name};
    list_init(&ev->node);
}

/* Counts and records a wake-up that is about to be written. Under the lock. */
static void note_wakeup(struct event_center *c)
{
    center_stat_add(&c->stats.wakeups, 1);
    atomic_store(&c->wake_cause,
                 TRACE(c->os, WAKEUP, .obj = c->trace_id, .a0 = c->stats.wakeups));
}

static void write_wakeup(struct event_center *c)
{
    ssize_t n = os_write(c->os, c->notify_write_fd, "w", 1);

    /* EAGAIN: the pipe is full of wake-ups nobody has read yet; one more adds nothing. */
    CHECK(n == 1 || n == -EAGAIN);
}

void event_center_wakeup(struct event_center *c)
{
    os_lock(c->os, c->external_lock);
    note_wakeup(c);
    os_unlock(c->os, c->external_lock);
    write_wakeup(c);
}

bool event_center_post(struct event_center *c, struct external_event *ev)
{
    bool wake, posted = false;

    CHECK(ev->fn != NULL);
    wake = !event_center_in_thread(c);
    os_lock(c->os, c->external_lock);
    if (TRACE_ON(c->os) && ev->name_id == 0) {
        ev->name_id = trace_string(c->os, ev->name);
    }
    if (ev->queued) {
        wake = false;
        center_stat_add(&c->stats.merges, 1);
        TRACE(c->os, EXT_MERGE, .obj = c->trace_id, .a1 = ev->name_id);
    } else {
        uint64_t n = atomic_fetch_add(&c->external_n, 1);

        posted = ev->queued = true;
        wake = wake && n == 0;
        ev->ordinal = ++c->post_ordinal;
        list_push_back(&c->external, &ev->node);
        center_stat_add(&c->stats.posts, 1);
        ev->cause = TRACE(c->os, EXT_POST, .obj = c->trace_id, .val = wake,
                          .a0 = ev->ordinal, .a1 = ev->name_id, .aux = (uint32_t)(n + 1));
        if (wake) {
            note_wakeup(c);
        }
    }
    os_unlock(c->os, c->external_lock);
    if (wake) {
        write_wakeup(c);
    }
    return posted;
}

bool event_center_cancel(struct event_center *c, struct external_event *ev)
{
    bool was_queued;

    CHECK(event_center_in_thread(c));
    os_lock(c->os, c->external_lock);
    was_queued = ev->queued;
    if (was_queued) {
        list_unlink(&ev->node);
        ev->queued = false;
        if (ev->ordinal > c->batch_ordinal) {
            atomic_fetch_sub(&c->external_n, 1);
        }
        TRACE(c->os, EXT_CANCEL, .obj = c->trace_id, .a0 = ev->ordinal);
    }
    os_unlock(c->os, c->external_lock);
    return was_queued;
}

/* Takes the next event of the batch out, so that posting it again queues it again. A copy:
 * as soon as the lock is free another thread may post the event anew. */
static bool next_external(struct event_center *c, struct list *batch,
                          struct external_event *ret)
{
    struct external_event *ev;
    struct list *node;

    os_lock(c->os, c->external_lock);
    node = list_pop_front(batch);
    if (node != NULL) {
        ev = container_of(node, struct external_event, node);
        ev->queued = false;
        *ret = *ev;
    }
    os_unlock(c->os, c->external_lock);
    return node != NULL;
}

int center_run_external_events(struct event_center *c)
{
    struct external_event ev;
    struct list batch;
    int ran = 0;

    if (atomic_load(&c->external_n) == 0) {
        return 0;
    }
    list_init(&batch);
    os_lock(c->os, c->external_lock);
    list_splice_back(&batch, &c->external);
    c->batch_ordinal = c->post_ordinal;
    atomic_store(&c->external_n, 0);
    os_unlock(c->os, c->external_lock);
    while (next_external(c, &batch, &ev)) {
        uint64_t event, before;

        event = TRACE(c->os, EXT_RUN, .obj = c->trace_id, .a0 = ev.ordinal,
                      .a1 = ev.name_id, .cause = ev.cause);
        before = TRACE_ON(c->os) ? trace_enter(c->os, event) : 0;
        ev.fn(ev.arg); /* may free the event */
        if (TRACE_ON(c->os)) {
            trace_enter(c->os, before);
        }
        ran++;
    }
    center_stat_add(&c->stats.external_events, (uint64_t)ran);
    return ran;
}

struct submission {
    struct external_event ev;
    struct event_center *center;
    void (*fn)(void *arg);
    void *arg;
    bool done; /* under external_lock */
};

static void run_submission(void *arg)
{
    struct submission *s = arg;
    struct event_center *c = s->center;

    s->fn(s->arg);
    os_lock(c->os, c->external_lock);
    s->done = true; /* and s is gone as soon as the lock is free */
    os_cond_broadcast(c->os, c->submitted);
    os_unlock(c->os, c->external_lock);
}

void event_center_submit(struct event_center *c, void (*fn)(void *arg), void *arg)
{
    struct submission s = {.center = c, .fn = fn, .arg = arg};

    if (event_center_in_thread(c)) {
        fn(arg);
        return;
    }
    external_event_init(&s.ev, "submit", run_submission, &s);
    event_center_post(c, &s.ev);
    os_lock(c->os, c->external_lock);
    while (!s.done) {
        os_cond_wait(c->os, c->submitted, c->external_lock, -1);
    }
    os_unlock(c->os, c->external_lock);
}
