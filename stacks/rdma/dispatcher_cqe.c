/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher_cqe.c: what a completion means.
 *
 * Of an error completion only wr_id, status and qp_num can be relied on. Each one ends the
 * connection at once, retries included: a reliable queue pair that failed once never sends
 * again. Whatever it was about, the chunk is ours again and goes where it is needed;
 * receives are posted again also when nobody wants their data.
 */
#include <errno.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "stacks/rdma/dispatcher.h"

static int errno_of(enum ibv_wc_status status)
{
    switch (status) {
    case IBV_WC_RETRY_EXC_ERR:
    case IBV_WC_RNR_RETRY_EXC_ERR:
    case IBV_WC_RESP_TIMEOUT_ERR:
        return -ETIMEDOUT;
    case IBV_WC_LOC_LEN_ERR:
        return -EMSGSIZE;
    default:
        return -ECONNRESET;
    }
}

/* A flushed work request is an effect. What failed first has a completion of its own, in
 * this queue or the other, or an event, which is looked for now. */
static void fail_by_flush(struct rdma_socket *s)
{
    bool known;

    os_lock(s->os, s->lock);
    known = s->error != 0;
    os_unlock(s->os, s->lock);
    if (!known) {
        rdma_handle_async_events(s->stack);
        rdma_socket_fault(s, -ECONNRESET, wc_status_why(IBV_WC_WR_FLUSH_ERR));
    }
}

static void fail_socket(struct rdma_socket *s, const struct ibv_wc *wc)
{
    TRACE(s->os, CQE_ERROR, .obj = s->trace_obj, .val = wc->status, .a0 = wc->wr_id,
          .a1 = trace_string(s->os, wc_status_name(wc->status)), .aux = wc->qp_num);
    if (wc->status != IBV_WC_WR_FLUSH_ERR) {
        rdma_socket_fault(s, errno_of(wc->status), wc_status_why(wc->status));
    } else if (s->phase == CLOSING_NOT) {
        fail_by_flush(s);
    }
}

/* ---- sending ---- */

static void count_tx(struct rdma_stack *stack, const struct ibv_wc *wc)
{
    RDMA_COUNT(stack, tx_total_wc, 1);
    if (wc->status == IBV_WC_SUCCESS || wr_id_kind(wc->wr_id) == WR_BEACON) {
        return;
    }
    RDMA_COUNT(stack, tx_total_wc_errors, 1);
    RDMA_COUNT(stack, tx_retry_errors, wc->status == IBV_WC_RETRY_EXC_ERR);
    RDMA_COUNT(stack, tx_wr_flush_errors, wc->status == IBV_WC_WR_FLUSH_ERR);
}

/* The chunk is not the device's any more. */
static void send_completed(struct rdma_socket *s, const struct ibv_wc *wc,
                           struct list *done)
{
    struct chunk *chunk = chunk_pool_find(&s->stack->tx_pool, wr_id_chunk(wc->wr_id));
    bool unblocked = false;

    os_lock(s->os, s->lock);
    if (chunk == NULL || chunk->owner != s) { /* of a queue pair that had the same number */
        os_unlock(s->os, s->lock);
        RDMA_COUNT(s->stack, rx_dead_wc, 1);
        return;
    }
    chunk->owner = NULL;
    list_unlink(&chunk->node);
    s->tx_used--;
    if (s->notify.blocked && !s->pool_waiting && s->up && s->tx_used <= s->tx_most / 2) {
        notify_set_writable(&s->notify, true);
        unblocked = true;
    }
    os_unlock(s->os, s->lock);
    list_push_back(done, &chunk->node);
    RDMA_COUNT(s->stack, inflight_tx_chunks, -1);
    if (unblocked) {
        TRACE(s->os, SEND_UNBLOCKED, .obj = s->trace_obj, .val = (int32_t)s->tx_used);
    }
}

static void handle_one_tx(struct rdma_stack *stack, const struct ibv_wc *wc,
                          struct list *done)
{
    struct rdma_socket *s = rdma_dispatcher_find(stack, wc->qp_num);

    count_tx(stack, wc);
    if (s == NULL) {
        RDMA_COUNT(stack, rx_dead_wc, 1);
        return;
    }
    if (wc->status == IBV_WC_SUCCESS) {
        TRACE(s->os, CQE_SEND, .obj = s->trace_obj, .a0 = wc->wr_id,
              .a1 = trace_string(s->os, wc_status_name(wc->status)), .aux = wc->qp_num);
    } else if (wr_id_kind(wc->wr_id) != WR_BEACON) {
        fail_socket(s, wc);
    }
    switch (wr_id_kind(wc->wr_id)) {
    case WR_SEND:
        send_completed(s, wc, done);
        break;
    case WR_FIN:
        os_lock(s->os, s->lock);
        s->fin_done = true;
        os_unlock(s->os, s->lock);
        break;
    case WR_BEACON:
        s->beacon_seen = true;
        RDMA_COUNT(stack, beacons, 1);
        TRACE(s->os, RDMA_BEACON, .obj = s->trace_obj, .a0 = trace_string(s->os, "seen"),
              .aux = wc->qp_num);
        break;
    default:
        break;
    }
}

void rdma_handle_tx(struct rdma_stack *stack, const struct ibv_wc *wcs, int n)
{
    struct list done;

    list_init(&done);
    for (int i = 0; i < n; i++) {
        handle_one_tx(stack, &wcs[i], &done);
    }
    chunk_pool_put(&stack->tx_pool, &done);
}

/* ---- receiving ---- */

static void peer_ended(struct rdma_socket *s)
{
    RDMA_COUNT(s->stack, rx_fin, 1);
    TRACE(s->os, RDMA_FIN, .obj = s->trace_obj, .a0 = trace_string(s->os, "received"),
          .a1 = s->rx_at);
    os_lock(s->os, s->lock);
    s->peer_fin = true;
    notify_set_readable(&s->notify);
    notify_set_writable(&s->notify, true);
    os_unlock(s->os, s->lock);
}

/* True if the chunk has a reader now. */
static bool handle_one_rx(struct rdma_socket *s, const struct ibv_wc *wc,
                          struct chunk *chunk)
{
    if (wc->status != IBV_WC_SUCCESS) {
        RDMA_COUNT(s->stack, rx_total_wc_errors, 1);
        /* On a receive, rxe says it so: the message does not fit. */
        RDMA_COUNT(s->stack, rx_too_long,
                   wc->status == IBV_WC_LOC_LEN_ERR || wc->status == IBV_WC_LOC_QP_OP_ERR);
        fail_socket(s, wc);
        if (s->rq == &s->own_rq) {
            recv_queue_close(s->rq); /* what is posted to a queue pair in ERR comes back */
        }
        return false;
    }
    if (wc->byte_len == 0) {
        peer_ended(s);
        return false;
    }
    return rdma_deliver(s, chunk, wc->byte_len);
}

/* The chunk of a completion, taken from the queue it was posted on; NULL: none of ours. */
static struct chunk *posted_chunk(struct rdma_stack *stack, struct rdma_socket *s,
                                  const struct ibv_wc *wc)
{
    struct chunk *chunk = chunk_pool_find(&stack->rx_pool, wr_id_chunk(wc->wr_id));
    struct recv_queue *rq = stack->srq != NULL ? &stack->srq_queue
                            : s != NULL        ? s->rq
                                               : NULL;

    if (chunk == NULL || rq == NULL || wr_id_kind(wc->wr_id) != WR_RECV ||
        !recv_queue_completed(rq, chunk)) {
        return NULL;
    }
    return chunk;
}

/* ---- receives that could not be posted ---- */

/* Nothing was posted, so no completion will come that would try again. */
static void note_starving(struct rdma_stack *stack, struct recv_queue *rq)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    if (recv_queue_is_starving(rq)) {
        d->refill_at_ns = MIN(d->refill_at_ns, os_monotonic_ns(stack->os) + RDMA_REFILL_NS);
    }
}

/* With the dispatcher's lock held. */
static void refill_one(struct rdma_socket *s, void *arg)
{
    if (s->phase == CLOSING_NOT && recv_queue_is_starving(s->rq)) {
        recv_queue_refill(s->rq);
        note_starving(arg, s->rq);
    }
}

void rdma_refill_starving(struct rdma_stack *stack, uint64_t now)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    if (now < d->refill_at_ns) {
        return;
    }
    d->refill_at_ns = UINT64_MAX;
    if (stack->srq == NULL) {
        rdma_for_each_socket(stack, refill_one, stack);
    } else if (recv_queue_is_starving(&stack->srq_queue)) {
        if (recv_queue_refill(&stack->srq_queue) == 0) {
            rdma_end_stopped_reader(stack, now);
        }
        note_starving(stack, &stack->srq_queue);
    }
}

/* ---- what came ---- */

void rdma_handle_rx(struct rdma_stack *stack, const struct ibv_wc *wcs, int n)
{
    struct list unwanted;

    list_init(&unwanted);
    for (int i = 0; i < n; i++) {
        struct rdma_socket *s = rdma_dispatcher_find(stack, wcs[i].qp_num);
        struct chunk *chunk = posted_chunk(stack, s, &wcs[i]);

        RDMA_COUNT(stack, rx_total_wc, 1);
        if (chunk == NULL || s == NULL) {
            RDMA_COUNT(stack, rx_dead_wc, 1);
        }
        if (chunk == NULL) {
            continue;
        }
        if (s == NULL || !handle_one_rx(s, &wcs[i], chunk)) {
            list_push_back(&unwanted, &chunk->node);
        }
        if (stack->srq == NULL && s->phase == CLOSING_NOT) {
            recv_queue_refill_if_short(s->rq);
            note_starving(stack, s->rq);
        }
    }
    chunk_pool_put(&stack->rx_pool, &unwanted);
    if (stack->srq != NULL) {
        recv_queue_refill_if_short(&stack->srq_queue);
        note_starving(stack, &stack->srq_queue);
    }
}
