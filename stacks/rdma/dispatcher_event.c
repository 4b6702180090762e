/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher_event.c: async events, each with an outcome.
 *
 *   QP_FATAL, QP_REQ_ERR, QP_ACCESS_ERR   that connection ends
 *   QP_LAST_WQE_REACHED                   one being closed is drained; else it ends
 *   CQ_ERR, SRQ_ERR, DEVICE_FATAL         every connection ends, and none is made any more;
 *                                         the same when poll_cq fails
 *   SRQ_LIMIT_REACHED                     the SRQ is filled up
 *   PORT_ERR                              none is made until PORT_ACTIVE; those there are
 *                                         stay: the device retries for them
 *   GID_CHANGE                            connections whose GID is gone end; new ones use
 *                                         the best there is
 *   all others                            recorded
 */
#include <errno.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "stacks/rdma/dispatcher.h"

struct fault {
    int err;
    const char *why;
};

/* With the dispatcher's lock held. */
static void fault_one(struct rdma_socket *s, void *arg)
{
    const struct fault *f = arg;

    rdma_socket_fault(s, f->err, f->why);
}

static void fault_all(struct rdma_stack *stack, int err, const char *why)
{
    struct fault f = {err, why};

    rdma_for_each_socket(stack, fault_one, &f);
}

/* Whether there may be new connections: port and address come and go by themselves. */
static void judge(struct rdma_stack *stack)
{
    stack->broken = stack->fatal != 0  ? stack->fatal
                    : stack->port_down ? -ENETDOWN
                    : stack->no_gid    ? -EADDRNOTAVAIL
                                       : 0;
}

void rdma_break(struct rdma_stack *stack, const char *why)
{
    stack->fatal_why = why;
    stack->fatal = -EIO;
    judge(stack);
    fault_all(stack, -EIO, why);
}

static void port_changed(struct rdma_stack *stack, bool up)
{
    stack->port_down = !up;
    judge(stack);
}

/* With the dispatcher's lock held. */
static void fault_without_gid(struct rdma_socket *s, void *arg)
{
    struct rdma_stack *stack = arg;

    if (!rdma_device_has_gid(&stack->device, &s->qp.gid)) {
        rdma_socket_fault(s, -EADDRNOTAVAIL,
                          "GID_CHANGE: the GID of the connection is gone");
    }
}

static void gid_changed(struct rdma_stack *stack)
{
    if (stack->fatal != 0) {
        return;
    }
    stack->no_gid = rdma_device_refresh_gid(&stack->device, &stack->opts) < 0;
    judge(stack);
    rdma_for_each_socket(stack, fault_without_gid, stack);
}

static void queue_pair_event(struct rdma_stack *stack, struct rdma_socket *s,
                             enum ibv_event_type type)
{
    if (type == IBV_EVENT_QP_LAST_WQE_REACHED) {
        RDMA_COUNT(stack, async_last_wqe_events, 1);
        if (s != NULL) {
            s->last_wqe_seen = true;
        }
    }
    if (s != NULL && s->phase == CLOSING_NOT) {
        rdma_socket_fault(s, -EIO, async_event_why(type));
    }
}

static void handle(struct rdma_stack *stack, enum ibv_event_type type,
                   struct rdma_socket *s)
{
    switch (type) {
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR:
    case IBV_EVENT_QP_LAST_WQE_REACHED:
        queue_pair_event(stack, s, type);
        break;
    case IBV_EVENT_CQ_ERR:
    case IBV_EVENT_SRQ_ERR:
    case IBV_EVENT_DEVICE_FATAL:
        rdma_break(stack, async_event_why(type));
        break;
    case IBV_EVENT_SRQ_LIMIT_REACHED:
        if (stack->srq != NULL) {
            recv_queue_refill_if_short(&stack->srq_queue);
        }
        break;
    case IBV_EVENT_PORT_ERR:
    case IBV_EVENT_PORT_ACTIVE:
        port_changed(stack, type == IBV_EVENT_PORT_ACTIVE);
        break;
    case IBV_EVENT_GID_CHANGE:
        gid_changed(stack);
        break;
    default:
        break;
    }
}

static bool is_about_qp(enum ibv_event_type type)
{
    switch (type) {
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR:
    case IBV_EVENT_QP_LAST_WQE_REACHED:
    case IBV_EVENT_COMM_EST:
    case IBV_EVENT_SQ_DRAINED:
    case IBV_EVENT_PATH_MIG:
    case IBV_EVENT_PATH_MIG_ERR:
        return true;
    default:
        return false;
    }
}

void rdma_handle_async_events(struct rdma_stack *stack)
{
    struct ibv_async_event event;

    while (verbs_get_async_event(stack->verbs, stack->device.ctx, &event) == 0) {
        uint32_t qpn = is_about_qp(event.event_type) ? event.element.qp->qp_num : 0;
        struct rdma_socket *s = qpn == 0 ? NULL : rdma_dispatcher_find(stack, qpn);

        verbs_ack_async_event(stack->verbs, &event);
        RDMA_COUNT(stack, total_async_events, 1);
        TRACE(stack->os, ASYNC_EVENT, .obj = s == NULL ? 0 : (uint32_t)s->trace_obj,
              .val = event.event_type,
              .a0 = trace_string(stack->os, async_event_name(event.event_type)),
              .aux = qpn);
        handle(stack, event.event_type, s);
    }
}
