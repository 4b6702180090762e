/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messenger_dispatch.c: from a received message to the dispatchers: fast dispatch on the
 * worker, or the dispatch queue and its thread. Asks, before each callback, whether the
 * connection was marked down.
 */
#include <errno.h>

#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

static const struct dispatcher *fast_dispatcher(const struct messenger *m,
                                                const struct message *msg)
{
    for (int i = 0; i < m->n_dispatchers; i++) {
        const struct dispatcher *d = &m->dispatchers[i];

        if (d->can_fast_dispatch(d->arg, msg)) {
            return d;
        }
    }
    return NULL;
}

static void fast_dispatch(struct messenger *m, const struct dispatcher *d,
                          struct message *msg)
{
    struct worker *worker = msg->conn->worker;
    uint64_t began = os_monotonic_ns(m->os), event, before = 0;

    event = TRACE(m->os, FAST_DISPATCH, .obj = msg->conn->trace_id, .a0 = msg->header.seq,
                  .a1 = msg->header.type, .flow = msg->flow);
    if (TRACE_ON(m->os)) {
        before = trace_enter(m->os, event);
    }
    message_release_dispatch(msg);
    d->fast_dispatch(d->arg, msg); /* msg is gone */
    if (TRACE_ON(m->os)) {
        trace_enter(m->os, before);
    }
    WORKER_COUNT(worker, msgr_running_fast_dispatch_time_ns,
                 os_monotonic_ns(m->os) - began);
}

static void enqueue(struct messenger *m, struct message *msg)
{
    uint32_t trace_id = msg->conn->trace_id;
    uint64_t id = msg->conn->id;

    msg->queued_ns = os_monotonic_ns(m->os);
    TRACE(m->os, DISPATCH_ENQUEUE, .obj = trace_id, .a0 = msg->header.seq,
          .val = msg->header.priority, .a1 = dispatch_queue_depth(m->dispatch) + 1,
          .flow = msg->flow);
    dispatch_queue_push(m->dispatch, msg, id);
}

void messenger_deliver(struct messenger *m, struct message *msg)
{
    const struct dispatcher *d;

    if (!conn_may_call_back(msg->conn)) {
        message_unref(msg);
        return;
    }
    d = fast_dispatcher(m, msg);
    if (d != NULL) {
        fast_dispatch(m, d, msg);
    } else {
        enqueue(m, msg);
    }
}

int messenger_deliver_local(struct messenger *m, struct message *msg)
{
    bool stopping;

    os_lock(m->os, m->lock);
    stopping = m->stopping;
    os_unlock(m->os, m->lock);
    if (stopping) {
        return -ENOTCONN;
    }
    if (dispatch_queue_depth(m->dispatch) >= m->opts.out_queue_messages_max) {
        TRACE(m->os, OUT_QUEUE_FULL, .obj = m->loopback->trace_id,
              .a0 = dispatch_queue_depth(m->dispatch), .flow = msg->flow);
        return -EAGAIN;
    }
    msg->conn = conn_ref(m->loopback);
    msg->drop_conn = conn_unref;
    TRACE(m->os, LOCAL_DELIVERY, .obj = m->loopback->trace_id,
          .val = (int32_t)message_bytes(msg), .flow = msg->flow);
    enqueue(m, msg);
    return 0;
}

void messenger_queue_event(struct messenger *m, enum dispatch_event event,
                           struct connection *c)
{
    if (dispatch_queue_push_event(m->dispatch, event, conn_ref(c)) < 0) {
        conn_unref(c); /* no memory to tell anybody */
    }
}

void messenger_accept_failed(struct messenger *m, struct connection *c)
{
    /* What we objected to counts more than how the peer left for it. */
    atomic_store(&m->accept_failure_why,
                 c->seen.objection[0] != '\0' ? c->seen.objection : conn_why(c));
    atomic_fetch_add(&m->accept_failures, 1);
    if (!m->tells_accept_failures) {
        return;
    }
    if (atomic_fetch_add(&m->refusals_queued, 1) >= REFUSALS_QUEUED_MAX) {
        atomic_fetch_sub(&m->refusals_queued, 1);
        atomic_fetch_add(&m->accept_failures_untold, 1);
        return;
    }
    dispatch_queue_push_reserved(m->dispatch, c->reset_room, DISPATCH_ACCEPT_FAILED,
                                 conn_ref(c));
    c->reset_room = NULL;
}

/* ---- on ms_dispatch ---- */

static void dispatch_message(void *arg, struct message *msg)
{
    struct messenger *m = arg;
    struct connection *c = conn_ref(msg->conn);
    uint64_t seq = msg->header.seq, flow = msg->flow, began = 0, event, before = 0;
    bool taken = !conn_may_call_back(c);

    if (taken) {
        message_unref(msg);
        conn_unref(c);
        return;
    }
    message_release_dispatch(msg);
    event = TRACE(m->os, DISPATCH_BEGIN, .obj = c->trace_id, .a0 = seq,
                  .a1 = msg->header.type, .flow = flow);
    if (TRACE_ON(m->os)) {
        began = os_monotonic_ns(m->os);
        before = trace_enter(m->os, event);
    }
    for (int i = 0; i < m->n_dispatchers && !taken; i++) {
        const struct dispatcher *d = &m->dispatchers[i];

        if (c->loopback && d->can_fast_dispatch(d->arg, msg)) {
            d->fast_dispatch(d->arg, msg); /* no worker is involved */
            taken = true;
        } else {
            taken = d->dispatch(d->arg, msg);
        }
    }
    if (!taken) {
        message_unref(msg); /* nobody wanted it */
    }
    if (TRACE_ON(m->os)) {
        trace_enter(m->os, before);
        TRACE(m->os, DISPATCH_END, .obj = c->trace_id, .a0 = seq, .flow = flow,
              .aux = (uint32_t)(os_monotonic_ns(m->os) - began));
    }
    conn_unref(c);
}

static bool call_dispatcher(const struct dispatcher *d, enum dispatch_event event,
                            struct connection *c)
{
    switch (event) {
    case DISPATCH_CONNECT:
        d->on_connect(d->arg, c);
        return false;
    case DISPATCH_ACCEPT:
        d->on_accept(d->arg, c);
        return false;
    case DISPATCH_RESET:
        return d->on_reset(d->arg, c);
    case DISPATCH_REMOTE_RESET:
        d->on_remote_reset(d->arg, c);
        return false;
    case DISPATCH_REFUSED:
        return d->on_refused(d->arg, c);
    case DISPATCH_ACCEPT_FAILED:
        d->on_accept_failed(d->arg, c);
        return false;
    }
    return false;
}

static void dispatch_event(void *arg, enum dispatch_event event, struct connection *c)
{
    struct messenger *m = arg;
    bool handled = !conn_may_call_back(c);

    if (event == DISPATCH_ACCEPT_FAILED) {
        atomic_fetch_sub(&m->refusals_queued, 1);
    }
    if (!handled) {
        TRACE(m->os, DISPATCH_EVENT, .obj = c->trace_id, .a0 = event);
    }
    for (int i = 0; i < m->n_dispatchers && !handled; i++) {
        handled = call_dispatcher(&m->dispatchers[i], event, c);
    }
    conn_unref(c);
}

static void drop_event(void *arg, struct connection *c)
{
    (void)arg;
    conn_unref(c);
}

const struct dispatch_queue_ops messenger_dispatch_ops = {
    .on_message = dispatch_message,
    .on_event = dispatch_event,
    .on_drop_event = drop_event,
};
