/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher.c: the thread "rdma-polling" (Ceph: RDMADispatcher).
 *
 *   loop: poll both completion queues, up to 32 completions each
 *         something came                     handle it, loop
 *         nothing, for less than polling_us  loop (spinning)
 *         nothing for so long                async events; arm both; poll once more, for
 *                                            what came before made no event; then sleep on
 *                                            both channels, async events and wake-up pipe
 *
 * polling_us 0 sleeps at once, RDMA_POLLING_FOR_EVER never.
 */
#include <errno.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "stacks/rdma/dispatcher.h"

/* ---- polling ---- */

/* How many completions came. */
static int poll_queues(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    struct ibv_wc wcs[RDMA_POLL_BATCH];
    int n_tx, n_rx;

    n_tx = ibv_poll_cq(d->tx_cq, RDMA_POLL_BATCH, wcs);
    if (n_tx > 0) {
        rdma_handle_tx(stack, wcs, n_tx);
    }
    n_rx = ibv_poll_cq(d->rx_cq, RDMA_POLL_BATCH, wcs);
    if (n_rx > 0) {
        rdma_handle_rx(stack, wcs, n_rx);
    }
    if (n_tx < 0 || n_rx < 0) {
        rdma_break(stack, "poll_cq failed");
    }
    d->n_polls++;
    d->n_reaped += (uint64_t)(MAX(n_tx, 0) + MAX(n_rx, 0));
    RDMA_COUNT(stack, polling, 1);
    return MAX(n_tx, 0) + MAX(n_rx, 0);
}

/* The side channels that had ended before both queues were drained: whatever those peers
 * sent is here, so one without a FIN is a reset. */
static void end_flushing(struct rdma_stack *stack, struct list *flushing)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    os_lock(stack->os, d->lock);
    while (!list_is_empty(flushing)) {
        struct rdma_socket *s =
            container_of(list_pop_front(flushing), struct rdma_socket, of_flushing);
        bool ended;

        os_lock(stack->os, s->lock);
        ended = s->peer_fin;
        os_unlock(stack->os, s->lock);
        if (!ended) {
            /* A stream that had not begun is only over. */
            rdma_socket_fault(s, s->rx_at == 0 ? -EPIPE : -ECONNRESET, s->side_why);
        }
    }
    os_unlock(stack->os, d->lock);
}

/* One round. True if completions came. */
static bool work(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    uint64_t before = d->n_reaped;
    struct list flushing;
    bool idle;

    list_init(&flushing);
    rdma_mail_take(stack, &flushing); /* before the poll that must be empty */
    idle = poll_queues(stack) == 0;
    if (!list_is_empty(&flushing)) {
        while (!idle && !rdma_all_reaped(stack, before)) {
            idle = poll_queues(stack) == 0;
        }
        end_flushing(stack, &flushing);
    }
    if (!list_is_empty(&d->closing)) {
        rdma_closing_advance(stack, idle);
    }
    return !idle;
}

/* ---- sleeping ---- */

static void take_events(struct rdma_stack *stack, struct ibv_comp_channel *channel,
                        unsigned int *unacked, uint64_t *ret_n)
{
    struct ibv_cq *cq;

    while (verbs_get_cq_event(stack->verbs, channel, &cq) == 0) {
        ++*ret_n;
        if (++*unacked == RDMA_ACK_BATCH) {
            verbs_ack_cq_events(stack->verbs, cq, *unacked);
            *unacked = 0;
        }
    }
}

static int64_t sleep_time(struct rdma_stack *stack, uint64_t now)
{
    uint64_t deadline = MIN(rdma_closing_deadline(stack), stack->dispatcher.refill_at_ns);

    if (deadline == UINT64_MAX) {
        return -1;
    }
    return deadline <= now ? 0 : (int64_t)(deadline - now);
}

/* Until something may have happened. */
static void sleep_on_events(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    struct pollfd fds[] = {
        {.fd = verbs_channel_fd(stack->verbs, d->tx_channel), .events = POLLIN},
        {.fd = verbs_channel_fd(stack->verbs, d->rx_channel), .events = POLLIN},
        {.fd = verbs_async_fd(stack->verbs, stack->device.ctx), .events = POLLIN},
        {.fd = d->wake_fds[0], .events = POLLIN}};
    uint64_t n_tx = 0, n_rx = 0, before = os_monotonic_ns(stack->os);

    TRACE(stack->os, POLL_SLEEP, .a0 = d->n_polls, .a1 = before - d->last_active_ns);
    os_poll(stack->os, fds, (int)ARRAY_SIZE(fds), sleep_time(stack, before));
    rdma_mail_drain(stack);
    take_events(stack, d->tx_channel, &d->unacked_tx, &n_tx);
    take_events(stack, d->rx_channel, &d->unacked_rx, &n_rx);
    RDMA_COUNT(stack, cq_events, n_tx + n_rx);
    TRACE(stack->os, POLL_WOKE, .a1 = os_monotonic_ns(stack->os) - before);
    if (n_tx + n_rx > 0) {
        TRACE(stack->os, CQ_EVENT, .a0 = n_tx, .a1 = n_rx);
    }
    if (fds[2].revents != 0) {
        rdma_handle_async_events(stack);
    }
    d->n_polls = 0;
}

/* Both queues were empty for long enough. */
static void arm_and_sleep(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    rdma_handle_async_events(stack);
    ibv_req_notify_cq(d->tx_cq, 0);
    ibv_req_notify_cq(d->rx_cq, 0);
    RDMA_COUNT(stack, cq_arms, 2);
    TRACE(stack->os, CQ_ARM, .a0 = 1, .a1 = 1);
    if (!work(stack) && rdma_mail_may_sleep(stack)) {
        sleep_on_events(stack);
    }
    d->last_active_ns = os_monotonic_ns(stack->os);
}

static void spin_or_sleep(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    uint64_t now = os_monotonic_ns(stack->os), limit = stack->opts.polling_us;

    rdma_refill_starving(stack, now);
    if (limit != RDMA_POLLING_FOR_EVER &&
        now - d->last_active_ns >= limit * NSEC_PER_USEC) {
        arm_and_sleep(stack);
    } else if (now - d->last_async_ns >= RDMA_ASYNC_EVERY_NS) {
        d->last_async_ns = now;
        rdma_handle_async_events(stack);
    }
}

static bool is_done(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    bool done;

    os_lock(stack->os, d->lock);
    done = d->stopping && d->n_sockets == 0;
    os_unlock(stack->os, d->lock);
    return done;
}

static void run(void *arg)
{
    struct rdma_stack *stack = arg;
    struct rdma_dispatcher *d = &stack->dispatcher;

    d->last_active_ns = os_monotonic_ns(stack->os);
    while (!is_done(stack)) {
        if (work(stack)) {
            d->last_active_ns = os_monotonic_ns(stack->os);
        } else {
            spin_or_sleep(stack);
        }
    }
    verbs_ack_cq_events(stack->verbs, d->tx_cq, d->unacked_tx);
    verbs_ack_cq_events(stack->verbs, d->rx_cq, d->unacked_rx);
}

/* ---- life ---- */

static int make_queue(struct rdma_stack *stack, struct ibv_comp_channel **ret_channel,
                      struct ibv_cq **ret_cq)
{
    int depth = MIN((int)stack->opts.cq_depth, stack->device.attr.max_cqe);
    int err = verbs_create_channel(stack->verbs, stack->device.ctx, ret_channel);

    if (err == 0) {
        err = verbs_create_cq(stack->verbs, stack->device.ctx, depth, NULL, *ret_channel,
                              ret_cq);
    }
    return err;
}

/* Receives that may be posted at one time: without SRQ, so many sockets that the queue
 * cannot overrun. */
static uint32_t most_receivers(const struct rdma_stack *stack, uint32_t depth)
{
    uint32_t each = MAX(stack->opts.receive_queue_len, 1u),
             pool = stack->opts.receive_buffers;
    uint32_t by_queue = depth / each;

    return pool == 0 || depth <= pool ? by_queue
                                      : MAX(by_queue, (depth - pool) / CHUNK_RESERVE);
}

/* So many that neither queue can ever overrun: on the sending side the chunks of the pool,
 * and reserve, FIN and beacon of each; on the receiving side what is posted. */
static uint32_t most_sockets(const struct rdma_stack *stack)
{
    const struct rdma_dispatcher *d = &stack->dispatcher;
    uint32_t tx = (uint32_t)d->tx_cq->cqe, rx = (uint32_t)d->rx_cq->cqe, most;

    if (tx <= stack->opts.send_buffers) {
        return 0;
    }
    most = (tx - stack->opts.send_buffers) / (2 + CHUNK_RESERVE);
    if (!stack->opts.support_srq) {
        most = MIN(most, most_receivers(stack, rx));
    } else if (rx < stack->opts.receive_queue_len) {
        return 0;
    }
    return MIN(most, (uint32_t)stack->device.attr.max_qp);
}

int rdma_dispatcher_init(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    int err;

    d->wake_fds[0] = d->wake_fds[1] = -1;
    d->refill_at_ns = UINT64_MAX;
    for (int i = 0; i < RDMA_BUCKETS; i++) {
        list_init(&d->buckets[i]);
    }
    list_init(&d->closing_arrivals);
    list_init(&d->flush_arrivals);
    list_init(&d->closing);
    d->lock = os_mutex_new(stack->os, "rdma dispatcher");
    if (d->lock == NULL) {
        return -ENOMEM;
    }
    err = os_pipe(stack->os, d->wake_fds);
    if (err == 0) {
        err = make_queue(stack, &d->tx_channel, &d->tx_cq);
    }
    if (err == 0) {
        err = make_queue(stack, &d->rx_channel, &d->rx_cq);
    }
    if (err == 0) {
        d->sockets_max = most_sockets(stack);
    }
    return err;
}

int rdma_dispatcher_start(struct rdma_stack *stack)
{
    return os_thread_start(stack->os, "rdma-polling", run, stack,
                           &stack->dispatcher.thread);
}

void rdma_dispatcher_stop(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;

    if (d->thread == NULL) {
        return;
    }
    os_lock(stack->os, d->lock);
    d->stopping = true;
    rdma_mail_wake(d, stack->os);
    os_unlock(stack->os, d->lock);
    os_thread_join(d->thread);
    d->thread = NULL;
}

void rdma_dispatcher_fini(struct rdma_stack *stack)
{
    struct rdma_dispatcher *d = &stack->dispatcher;
    struct ibv_cq *cqs[] = {d->tx_cq, d->rx_cq};
    struct ibv_comp_channel *channels[] = {d->tx_channel, d->rx_channel};

    for (int i = 0; i < 2; i++) {
        if (cqs[i] != NULL) {
            verbs_destroy_cq(stack->verbs, cqs[i]);
        }
        if (channels[i] != NULL) {
            verbs_destroy_channel(stack->verbs, channels[i]);
        }
        if (d->lock != NULL && d->wake_fds[i] >= 0) {
            os_close(stack->os, d->wake_fds[i]);
        }
    }
    os_mutex_free(stack->os, d->lock);
    *d = (struct rdma_dispatcher){.wake_fds = {-1, -1}};
}
