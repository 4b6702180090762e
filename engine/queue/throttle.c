/* SPDX-License-Identifier: Apache-2.0 */
/*
 * throttle.c: a shared budget with a queue of those who wait for it.
 *
 * Only the front of the queue is ever told that there is room. It leaves the queue by
 * getting its share or by giving up, and either passes the turn on: no wake-up is lost, and
 * nobody overtakes. Being told twice is harmless, since a queued event merges with itself.
 *
 * Everything, the calls of on_room included, happens under the one lock: so a waiter that
 * was cancelled is not being called any more, and its owner may go away.
 */
#include "engine/queue/throttle.h"

#include <errno.h>

#include "engine/trace.h"
#include "engine/util.h"

int throttle_init(struct throttle *t, struct os *os, const char *name, uint64_t max)
{
    struct os_mutex *lock = os_mutex_new(os, "throttle");

    if (lock == NULL) {
        return -ENOMEM;
    }
    *t = (struct throttle){
        .os = os,
        .lock = lock,
        .name = name,
        .max = max,
        .trace_id = trace_object(os, TRACE_OBJECT_THROTTLE, 0, name),
    };
    list_init(&t->waiters);
    return 0;
}

void throttle_fini(struct throttle *t)
{
    if (t->lock == NULL) {
        return;
    }
    CHECK(t->held == 0);
    CHECK(list_is_empty(&t->waiters));
    os_mutex_free(t->os, t->lock);
    t->lock = NULL;
}

void throttle_waiter_init(struct throttle_waiter *w,
                          void (*on_room)(struct throttle_waiter *waiter))
{
    *w = (struct throttle_waiter){.on_room = on_room};
    list_init(&w->node);
}

/* Ceph's rule (Throttle::_should_wait): what fits into the budget at all must fit now; what
 * never could goes as soon as nothing beyond the limit is held. */
static bool has_room(const struct throttle *t, uint64_t n)
{
    if (t->max == 0) {
        return true;
    }
    if (n > t->max) {
        return t->held <= t->max;
    }
    return t->held <= t->max - n;
}

static void tell_front(struct throttle *t)
{
    struct throttle_waiter *w;

    if (list_is_empty(&t->waiters)) {
        return;
    }
    w = container_of(t->waiters.next, struct throttle_waiter, node);
    if (has_room(t, w->n)) {
        w->on_room(w);
    }
}

static bool is_my_turn(const struct throttle *t, const struct throttle_waiter *w)
{
    return list_is_empty(&t->waiters) || t->waiters.next == &w->node;
}

static void hold(struct throttle *t, uint64_t n)
{
    t->held += n;
    TRACE(t->os, THROTTLE_GET, .obj = t->trace_id, .val = (int32_t)n, .a0 = t->held,
          .a1 = t->max);
}

bool throttle_get(struct throttle *t, struct throttle_waiter *w, uint64_t n)
{
    bool got;

    os_lock(t->os, t->lock);
    got = is_my_turn(t, w) && has_room(t, n);
    if (got) {
        hold(t, n);
        if (list_is_linked(&w->node)) {
            list_unlink(&w->node);
            tell_front(t);
        }
    } else {
        w->n = n;
        if (!list_is_linked(&w->node)) {
            list_push_back(&t->waiters, &w->node);
            TRACE(t->os, THROTTLE_WAIT, .obj = t->trace_id, .val = (int32_t)n,
                  .a0 = t->held, .a1 = t->max);
        }
    }
    os_unlock(t->os, t->lock);
    return got;
}

void throttle_take(struct throttle *t, uint64_t n)
{
    os_lock(t->os, t->lock);
    hold(t, n);
    os_unlock(t->os, t->lock);
}

void throttle_put(struct throttle *t, uint64_t n)
{
    os_lock(t->os, t->lock);
    CHECK(n <= t->held);
    t->held -= n;
    TRACE(t->os, THROTTLE_PUT, .obj = t->trace_id, .val = (int32_t)n, .a0 = t->held,
          .a1 = t->max);
    tell_front(t);
    os_unlock(t->os, t->lock);
}

void throttle_cancel(struct throttle *t, struct throttle_waiter *w)
{
    os_lock(t->os, t->lock);
    if (list_is_linked(&w->node)) {
        list_unlink(&w->node);
        tell_front(t);
    }
    os_unlock(t->os, t->lock);
}

uint64_t throttle_held(struct throttle *t)
{
    uint64_t held;

    os_lock(t->os, t->lock);
    held = t->held;
    os_unlock(t->os, t->lock);
    return held;
}

bool throttle_is_awaited(struct throttle *t)
{
    bool awaited;

    os_lock(t->os, t->lock);
    awaited = !list_is_empty(&t->waiters);
    os_unlock(t->os, t->lock);
    return awaited;
}
