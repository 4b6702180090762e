/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_end.c: why a connection is over. The first reason is kept and told; what comes of
 * it (flushed work requests, a side channel that ends) is not taken for one.
 */
#include "engine/trace.h"
#include "engine/util.h"
#include "stacks/rdma/rdma_impl.h"

/* These come of something else. */
static bool is_effect(const char *why)
{
    return why == wc_status_why(IBV_WC_WR_FLUSH_ERR) ||
           why == async_event_why(IBV_EVENT_QP_LAST_WQE_REACHED);
}

void rdma_socket_fault(struct rdma_socket *s, int err, const char *why)
{
    bool first;

    CHECK(err < 0);
    os_lock(s->os, s->lock);
    first = s->error == 0 && !s->closed;
    if (s->error == 0 || is_effect(s->why)) {
        s->error = err;
        s->why = why;
    }
    notify_set_readable(&s->notify);
    notify_set_writable(&s->notify, true);
    os_unlock(s->os, s->lock);
    if (first) {
        TRACE(s->os, RDMA_FAULT, .obj = s->trace_obj, .val = err,
              .a0 = trace_string(s->os, why));
    }
}

const char *rdma_socket_why(struct connected_socket *base, int err)
{
    struct rdma_socket *s = container_of(base, struct rdma_socket, base);
    const char *why;

    os_lock(s->os, s->lock);
    why = s->error == err ? s->why : NULL;
    os_unlock(s->os, s->lock);
    return why != NULL ? why : network_stack_reason(err);
}
