/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch_queue.c: the thread ms_dispatch and what it serves.
 *
 *   workers --push--> events (in order) ----.
 *                     messages (priority_    }--> ms_dispatch --> ops
 *                     queue: by weight) ----'
 *
 * One lock guards it all; it is a leaf but for the allocator. A pusher signals only when
 * ms_dispatch is about to sleep or sleeps, so a busy queue costs no system call.
 *
 * Every item has an ordinal. A drain counts the items that were there when it came, and
 * each of them that is done or discarded counts it down: it does not wait for later ones,
 * which may well overtake.
 */
#include "engine/queue/dispatch_queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "engine/list.h"
#include "engine/message.h"
#include "engine/queue/priority_queue.h"
#include "engine/util.h"

struct queued_event {
    struct list node;
    uint64_t ordinal;
    enum dispatch_event event;
    struct connection *conn; /* one reference */
};

/* A thread that waits in dispatch_queue_drain; on its stack. */
struct drainer {
    struct list node;
    uint64_t ordinal; /* of the last item it waits for */
    uint64_t left;
};

struct dispatch_queue {
    struct os *os; /* borrowed */
    struct dispatch_queue_ops ops;
    void *arg;

    struct os_mutex *lock;    /* owned; guards the rest */
    struct os_thread *thread; /* NULL: not started, or joined */
    struct os_cond *work;     /* owned: something was pushed, or the thread shall end */
    struct os_cond *done;     /* owned: a drain or the stop has got what it waits for */
    struct list events;       /* of struct queued_event */
    struct priority_queue messages;
    struct list drainers;
    _Atomic uint64_t depth; /* waiting, and the one being handled; read without the lock */
    uint64_t ordinal;       /* of the last push */
    bool idle;              /* ms_dispatch sleeps and nobody has signalled it yet */
    bool stopping, stopped;
};

int dispatch_queue_new(struct os *os, const struct dispatch_queue_ops *ops, void *arg,
                       struct dispatch_queue **ret)
{
    struct dispatch_queue *q = calloc(1, sizeof(*q));

    if (q == NULL) {
        return -ENOMEM;
    }
    q->os = os;
    q->ops = *ops;
    q->arg = arg;
    list_init(&q->events);
    list_init(&q->drainers);
    priority_queue_init(&q->messages);
    q->lock = os_mutex_new(os, "dispatch_queue");
    q->work = os_cond_new(os, "dispatch_queue_work");
    q->done = os_cond_new(os, "dispatch_queue_done");
    if (q->lock == NULL || q->work == NULL || q->done == NULL) {
        os_cond_free(os, q->done);
        os_cond_free(os, q->work);
        os_mutex_free(os, q->lock);
        free(q);
        return -ENOMEM;
    }
    *ret = q;
    return 0;
}

void dispatch_queue_free(struct dispatch_queue *q)
{
    if (q == NULL) {
        return;
    }
    if (q->thread == NULL) {
        dispatch_queue_stop(q);
    }
    CHECK(q->stopped);
    CHECK(q->depth == 0);
    priority_queue_fini(&q->messages);
    os_cond_free(q->os, q->done);
    os_cond_free(q->os, q->work);
    os_mutex_free(q->os, q->lock);
    free(q);
}

/* ---- the thread ------------------------------------------------------------------- */

/* One item is out of the world. Under the lock. */
static void count_done(struct dispatch_queue *q, uint64_t ordinal)
{
    CHECK(q->depth > 0);
    q->depth--;
    list_for_each(&q->drainers, it)
    {
        struct drainer *d = container_of(it, struct drainer, node);

        if (ordinal <= d->ordinal && --d->left == 0) {
            os_cond_broadcast(q->os, q->done);
        }
    }
}

/* Hands the first event to the dispatchers. Takes the lock away meanwhile. */
static void run_event(struct dispatch_queue *q)
{
    struct list *node = list_pop_front(&q->events);
    struct queued_event *ev = container_of(node, struct queued_event, node);
    uint64_t ordinal = ev->ordinal;

    os_unlock(q->os, q->lock);
    q->ops.on_event(q->arg, ev->event, ev->conn);
    free(ev);
    os_lock(q->os, q->lock);
    count_done(q, ordinal);
}

/* The same for a message that was popped. */
static void run_message(struct dispatch_queue *q, struct message *msg)
{
    uint64_t ordinal = msg->dispatch_ordinal;

    os_unlock(q->os, q->lock);
    q->ops.on_message(q->arg, msg);
    os_lock(q->os, q->lock);
    count_done(q, ordinal);
}

static void ms_dispatch(void *arg)
{
    struct dispatch_queue *q = arg;

    os_lock(q->os, q->lock);
    while (q->depth > 0 || !q->stopping) {
        struct message *msg;

        if (!list_is_empty(&q->events)) {
            run_event(q);
        } else if ((msg = priority_queue_pop(&q->messages)) != NULL) {
            run_message(q, msg);
        } else {
            q->idle = true;
            os_cond_wait(q->os, q->work, q->lock, -1);
            q->idle = false;
        }
    }
    os_unlock(q->os, q->lock);
}

int dispatch_queue_start(struct dispatch_queue *q)
{
    struct os_thread *thread;
    int rc;

    CHECK(q->thread == NULL && !q->stopped);
    rc = os_thread_start(q->os, "ms_dispatch", ms_dispatch, q, &thread);
    if (rc < 0) {
        return rc;
    }
    os_lock(q->os, q->lock);
    q->thread = thread;
    os_unlock(q->os, q->lock);
    return 0;
}

/* ---- pushing ---------------------------------------------------------------------- */

static void wake_thread(struct dispatch_queue *q)
{
    if (q->idle) {
        q->idle = false;
        os_cond_signal(q->os, q->work);
    }
}

static void discard_message(struct message *msg)
{
    message_release_dispatch(msg);
    message_unref(msg);
}

uint64_t dispatch_queue_push(struct dispatch_queue *q, struct message *msg,
                             uint64_t conn_id)
{
    uint64_t depth = 0;

    os_lock(q->os, q->lock);
    if (!q->stopping) {
        msg->dispatch_ordinal = ++q->ordinal;
        priority_queue_push(&q->messages, msg, conn_id);
        depth = ++q->depth;
        wake_thread(q);
    }
    os_unlock(q->os, q->lock);
    if (depth == 0) {
        discard_message(msg);
    }
    return depth;
}

struct queued_event *dispatch_queue_reserve(void)
{
    return calloc(1, sizeof(struct queued_event));
}

void dispatch_queue_unreserve(struct queued_event *room)
{
    free(room);
}

void dispatch_queue_push_reserved(struct dispatch_queue *q, struct queued_event *ev,
                                  enum dispatch_event event, struct connection *conn)
{
    bool queued;

    list_init(&ev->node);
    ev->event = event;
    ev->conn = conn;
    os_lock(q->os, q->lock);
    queued = !q->stopping;
    if (queued) {
        ev->ordinal = ++q->ordinal;
        list_push_back(&q->events, &ev->node);
        q->depth++;
        wake_thread(q);
    }
    os_unlock(q->os, q->lock);
    if (!queued) {
        free(ev);
        q->ops.on_drop_event(q->arg, conn);
    }
}

int dispatch_queue_push_event(struct dispatch_queue *q, enum dispatch_event event,
                              struct connection *conn)
{
    struct queued_event *ev = dispatch_queue_reserve();

    if (ev == NULL) {
        return -ENOMEM;
    }
    dispatch_queue_push_reserved(q, ev, event, conn);
    return 0;
}

uint64_t dispatch_queue_discard(struct dispatch_queue *q, uint64_t conn_id)
{
    struct list dropped, *node;
    uint64_t n;

    list_init(&dropped);
    os_lock(q->os, q->lock);
    n = priority_queue_take(&q->messages, conn_id, &dropped);
    list_for_each(&dropped, it)
    {
        count_done(q, container_of(it, struct message, node)->dispatch_ordinal);
    }
    os_unlock(q->os, q->lock);
    while ((node = list_pop_front(&dropped)) != NULL) {
        discard_message(container_of(node, struct message, node));
    }
    return n;
}

uint64_t dispatch_queue_depth(struct dispatch_queue *q)
{
    return atomic_load(&q->depth);
}

/* ---- waiting and ending ----------------------------------------------------------- */

void dispatch_queue_drain(struct dispatch_queue *q)
{
    struct drainer drainer;

    os_lock(q->os, q->lock);
    CHECK(q->thread == NULL || os_thread_self(q->os) != q->thread);
    drainer = (struct drainer){.ordinal = q->ordinal, .left = q->depth};
    list_init(&drainer.node);
    list_push_back(&q->drainers, &drainer.node);
    while (drainer.left > 0) {
        os_cond_wait(q->os, q->done, q->lock, -1);
    }
    list_unlink(&drainer.node);
    os_unlock(q->os, q->lock);
}

/* Drops what a queue without a thread holds. Nothing is pushed any more. */
static void drop_unserved(struct dispatch_queue *q)
{
    struct message *msg;
    struct list *node;

    while ((node = list_pop_front(&q->events)) != NULL) {
        struct queued_event *ev = container_of(node, struct queued_event, node);

        q->ops.on_drop_event(q->arg, ev->conn);
        free(ev);
        q->depth--;
    }
    while ((msg = priority_queue_pop(&q->messages)) != NULL) {
        discard_message(msg);
        q->depth--;
    }
}

void dispatch_queue_stop(struct dispatch_queue *q)
{
    struct os_thread *thread;

    os_lock(q->os, q->lock);
    CHECK(q->thread == NULL || os_thread_self(q->os) != q->thread);
    if (q->stopping) { /* already, or by another thread right now */
        while (!q->stopped) {
            os_cond_wait(q->os, q->done, q->lock, -1);
        }
        os_unlock(q->os, q->lock);
        return;
    }
    q->stopping = true;
    wake_thread(q);
    thread = q->thread;
    os_unlock(q->os, q->lock);
    if (thread != NULL) {
        os_thread_join(thread);
    } else {
        drop_unserved(q);
    }
    os_lock(q->os, q->lock);
    q->thread = NULL;
    q->stopped = true;
    os_cond_broadcast(q->os, q->done);
    os_unlock(q->os, q->lock);
}
