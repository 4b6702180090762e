/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher_close.c: the second phase of close, on the dispatcher's thread.
 *
 *   LINGER  what was sent, FIN included, is on its way: wait until the device says that it
 *           arrived, at most linger_ms; not if the connection failed or the peer ended it
 *   DRAIN   close the side channel; ERR; post the beacon, and wait for it: every work
 *           request before it has come back then. With an SRQ wait for LAST_WQE_REACHED
 *           too, if the device has such a thing
 *   DEAD    both queues were seen empty, or, since they rarely are under load, as many
 *           completions came as they hold: none of it is left. Destroy and free
 */
#include <errno.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "stacks/rdma/dispatcher.h"

bool rdma_all_reaped(const struct rdma_stack *stack, uint64_t since)
{
    const struct rdma_dispatcher *d = &stack->dispatcher;
    int deepest = MAX(d->tx_cq->cqe, d->rx_cq->cqe);

    /* Each round takes as much from one as from the other, as long as both have it. */
    return d->n_reaped - since >= 2 * (uint64_t)deepest;
}

static void enter_linger(struct rdma_socket *s, uint64_t now)
{
    s->phase = CLOSING_LINGER;
    s->deadline_ns = now + s->stack->opts.linger_ms * NSEC_PER_MSEC;
}

/* Everything that can arrive has arrived. */
static bool is_delivered(struct rdma_socket *s)
{
    bool delivered;

    os_lock(s->os, s->lock);
    delivered = !s->up || s->error != 0 || s->peer_fin ||
                (list_is_empty(&s->tx_posted) && (!s->fin_posted || s->fin_done));
    os_unlock(s->os, s->lock);
    return delivered;
}

static void enter_dead(struct rdma_socket *s)
{
    s->phase = CLOSING_DEAD;
    s->reaped_before = s->stack->dispatcher.n_reaped;
}

static void enter_drain(struct rdma_socket *s, uint64_t now)
{
    int err;

    s->phase = CLOSING_DRAIN;
    s->deadline_ns = now + RDMA_DRAIN_MAX_NS;
    os_close(s->os, s->side.fd);
    s->side.fd = -1;
    if (s->rq == &s->own_rq) {
        recv_queue_close(s->rq);
    }
    err = queue_pair_fail(&s->qp);
    if (err == 0) {
        err = queue_pair_post_empty(&s->qp, wr_id_of(WR_BEACON, 0));
    }
    TRACE(s->os, RDMA_BEACON, .obj = s->trace_obj, .aux = s->qp.qpn,
          .a0 = trace_string(s->os, err == 0 ? "posted" : "refused"));
    if (err < 0) { /* the device is gone; nothing will come */
        RDMA_COUNT(s->stack, beacons_lost, 1);
        enter_dead(s);
    }
}

/* Receives that the queue pair had taken from the SRQ are back when this event comes. */
static bool last_wqe_pending(struct rdma_socket *s, uint64_t now)
{
    struct rdma_dispatcher *d = &s->stack->dispatcher;

    if (s->stack->srq == NULL || s->last_wqe_seen || d->no_last_wqe) {
        return false;
    }
    if (s->deadline_ns > now + RDMA_LAST_WQE_MAX_NS) {
        s->deadline_ns = now + RDMA_LAST_WQE_MAX_NS; /* from the beacon on */
    }
    if (now < s->deadline_ns) {
        return true;
    }
    d->no_last_wqe = true; /* rxe does not have it: nobody waits for it any more */
    return false;
}

static void advance(struct rdma_socket *s, uint64_t now, bool idle)
{
    if (s->phase == CLOSING_NOT) {
        enter_linger(s, now);
    }
    if (s->phase == CLOSING_LINGER) {
        bool delivered = is_delivered(s);

        if (delivered || now >= s->deadline_ns) {
            RDMA_COUNT(s->stack, lingers_cut, !delivered);
            enter_drain(s, now);
        }
    }
    if (s->phase == CLOSING_DRAIN) {
        if (s->beacon_seen ? !last_wqe_pending(s, now) : now >= s->deadline_ns) {
            RDMA_COUNT(s->stack, beacons_lost, !s->beacon_seen);
            enter_dead(s);
        }
        return; /* what came with the beacon may have company in the other queue */
    }
    if (s->phase == CLOSING_DEAD && (idle || rdma_all_reaped(s->stack, s->reaped_before))) {
        list_unlink(&s->of_closing);
        rdma_dispatcher_remove(s->stack, s);
        rdma_socket_free(s);
    }
}

void rdma_closing_advance(struct rdma_stack *stack, bool idle)
{
    uint64_t now = os_monotonic_ns(stack->os);

    list_for_each_safe(&stack->dispatcher.closing, it)
    {
        advance(container_of(it, struct rdma_socket, of_closing), now, idle);
    }
}

uint64_t rdma_closing_deadline(struct rdma_stack *stack)
{
    uint64_t deadline = UINT64_MAX;

    list_for_each(&stack->dispatcher.closing, it)
    {
        struct rdma_socket *s = container_of(it, struct rdma_socket, of_closing);

        deadline = MIN(deadline, s->phase == CLOSING_DEAD ? 0 : s->deadline_ns);
    }
    return deadline;
}
