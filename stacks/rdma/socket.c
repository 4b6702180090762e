/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket.c: the connected socket: read, send, shutdown, close (Ceph:
 * RDMAConnectedSocketImpl).
 *
 * send takes what it can post at once, and nothing more: as many bytes as chunks and places
 * in the send queue are free. So bytes that were accepted are the device's, there is no
 * pending list that could grow, and a FIN cannot overtake data.
 */
#include <errno.h>
#include <string.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "engine/worker.h"
#include "stacks/rdma/rdma_impl.h"

#define CHAIN_MAX 32 /* work requests in one ibv_post_send */

static struct rdma_socket *to_socket(const struct connected_socket *s)
{
    return container_of(s, struct rdma_socket, base);
}

/* ---- what others tell it ---- */

/* With the pool locked. */
static void chunks_are_back(struct chunk_user *user)
{
    struct rdma_socket *s = container_of(user, struct rdma_socket, tx_user);

    os_lock(s->os, s->lock);
    s->pool_woken = true;
    if (s->pool_waiting) {
        s->pool_waiting = false;
        notify_set_writable(&s->notify, true);
    }
    os_unlock(s->os, s->lock);
}

/* ---- read ---- */

/* What read says when there are no bytes. With the lock held. */
static int end_of_stream(const struct rdma_socket *s)
{
    return s->error != 0 ? s->error : s->peer_fin || s->shut ? -EPIPE : 0;
}

/* Chunks that came meanwhile. False: none, and *ret_end is why. */
static bool take_received(struct rdma_socket *s, int *ret_end)
{
    bool some;

    os_lock(s->os, s->lock);
    some = !list_is_empty(&s->received);
    list_splice_back(&s->reading, &s->received);
    *ret_end = end_of_stream(s);
    if (!some && *ret_end == 0) {
        notify_clear_readable(&s->notify);
    }
    os_unlock(s->os, s->lock);
    return some;
}

/* R6: copies out of the first chunk; true if that emptied it. */
static bool read_chunk(struct rdma_socket *s, struct chunk *chunk, char *buf, size_t len,
                       size_t *ret_got)
{
    uint32_t n = (uint32_t)MIN(len, (size_t)(chunk->len - chunk->offset));

    memcpy(buf, chunk->data + chunk->offset, n);
    TRACE(s->os, R6_CHUNK_READ, .obj = s->trace_obj, .val = (int32_t)n,
          .a0 = chunk->at + chunk->offset, .a1 = chunk->id,
          .aux = chunk->len - chunk->offset - n, .cause = chunk->cause);
    chunk->offset += n;
    *ret_got += n;
    return chunk->offset == chunk->len;
}

static ssize_t rdma_read(struct connected_socket *base, void *buf, size_t len)
{
    struct rdma_socket *s = to_socket(base);
    struct list empty;
    uint32_t n_empty = 0;
    size_t got = 0;
    int end = 0;

    CHECK(len > 0);
    list_init(&empty);
    do {
        while (got < len && !list_is_empty(&s->reading)) {
            struct chunk *chunk = container_of(s->reading.next, struct chunk, node);

            if (read_chunk(s, chunk, (char *)buf + got, len - got, &got)) {
                list_unlink(&chunk->node);
                list_push_back(&empty, &chunk->node);
                n_empty++;
            }
        }
    } while (got < len && take_received(s, &end));
    RDMA_COUNT(s->stack, rx_bytes, got);
    RDMA_COUNT(s->stack, rx_chunks, n_empty);
    if (got > 0) {
        atomic_store(&s->unread_since_ns, os_monotonic_ns(s->os));
    }
    rdma_socket_give_back(s, &empty);
    return got > 0 ? (ssize_t)got : end;
}

/* ---- send ---- */

/* With the lock held: the fd is not writable until something is free. */
static void block(struct rdma_socket *s, const char *why)
{
    notify_set_writable(&s->notify, false);
    TRACE(s->os, SEND_BLOCKED, .obj = s->trace_obj, .val = (int32_t)s->tx_used,
          .a0 = s->tx_at, .a1 = trace_string(s->os, why));
}

/* How many work requests may be posted; 0: none now; < 0: never again. */
static int places(struct rdma_socket *s)
{
    int result;

    os_lock(s->os, s->lock);
    s->pool_woken = false;
    if (s->error != 0 || s->shut || s->peer_fin) {
        result = s->error != 0 ? s->error : -EPIPE;
    } else {
        result = s->up ? (int)(s->tx_most - s->tx_used) : 0;
        if (result == 0) {
            block(s, s->up ? "send queue full" : "not connected yet");
        }
    }
    os_unlock(s->os, s->lock);
    return result;
}

/* Chunks for so many bytes. 0: it waits; -EAGAIN: try again, some came back meanwhile. */
static int take_chunks(struct rdma_socket *s, uint32_t want, struct list *to)
{
    uint32_t got = chunk_pool_take(&s->stack->tx_pool, want, to, &s->tx_user);
    bool woken;

    if (got > 0) {
        RDMA_COUNT(s->stack, tx_partial_mem, got < want);
        return (int)got;
    }
    RDMA_COUNT(s->stack, tx_no_mem, 1);
    os_lock(s->os, s->lock);
    woken = s->pool_woken;
    if (!woken) {
        s->pool_waiting = true;
        block(s, "its share of the send pool is in flight");
        RDMA_COUNT(s->stack, pending_sent_conns, 1);
    }
    os_unlock(s->os, s->lock);
    return woken ? -EAGAIN : 0;
}

struct gather {
    const struct iovec *iov;
    int n;
    size_t offset; /* in the first */
};

/* Chunk write: the copy into registered memory. */
static void fill_chunk(struct rdma_socket *s, struct chunk *chunk, struct gather *from,
                       uint64_t at)
{
    uint32_t room = s->stack->tx_pool.chunk_bytes;

    while (from->n > 0 && chunk->len < room) {
        size_t n = MIN((size_t)(room - chunk->len), from->iov->iov_len - from->offset);

        if (n > 0) {
            memcpy(chunk->data + chunk->len, (char *)from->iov->iov_base + from->offset, n);
        }
        chunk->len += (uint32_t)n;
        from->offset += n;
        if (from->offset == from->iov->iov_len) {
            from->iov++;
            from->n--;
            from->offset = 0;
        }
    }
    TRACE(s->os, S6_CHUNK_WRITE, .obj = s->trace_obj, .val = (int32_t)chunk->len, .a0 = at,
          .a1 = chunk->id);
}

/* Links the chunks into one chain. */
static void make_chain(struct rdma_socket *s, struct list *chunks, struct ibv_send_wr *wrs,
                       struct ibv_sge *sges)
{
    uint64_t at = s->tx_at;
    int n = 0;

    list_for_each(chunks, it)
    {
        struct chunk *chunk = container_of(it, struct chunk, node);

        chunk_set_state(chunk, CHUNK_HELD, CHUNK_POSTED);
        chunk->owner = s;
        sges[n] = (struct ibv_sge){
            .addr = (uintptr_t)chunk->data, .length = chunk->len, .lkey = chunk->lkey};
        wrs[n] = (struct ibv_send_wr){.wr_id = wr_id_of(WR_SEND, chunk->id),
                                      .sg_list = &sges[n],
                                      .num_sge = 1,
                                      .opcode = IBV_WR_SEND,
                                      .send_flags = IBV_SEND_SIGNALED};
        if (n > 0) {
            wrs[n - 1].next = &wrs[n];
        }
        TRACE(s->os, WR_SEND, .obj = s->trace_obj, .val = (int32_t)chunk->len,
              .a0 = wrs[n].wr_id, .a1 = at, .aux = s->qp.qpn);
        at += chunk->len;
        n++;
    }
}

/* The chunks from the first one that was refused on: back to the pool. */
static void take_back(struct rdma_socket *s, const struct ibv_send_wr *bad, uint32_t n)
{
    struct list refused;

    list_init(&refused);
    os_lock(s->os, s->lock);
    for (; bad != NULL; bad = bad->next) {
        struct chunk *chunk = chunk_pool_find(&s->stack->tx_pool, wr_id_chunk(bad->wr_id));

        chunk->owner = NULL;
        list_unlink(&chunk->node);
        list_push_back(&refused, &chunk->node);
    }
    s->tx_used -= n;
    os_unlock(s->os, s->lock);
    RDMA_COUNT(s->stack, inflight_tx_chunks, -(uint64_t)n);
    chunk_pool_put(&s->stack->tx_pool, &refused);
}

/* S7. Bytes that were posted, or -errno: none, and the chunks are in the pool again. */
static ssize_t post_chunks(struct rdma_socket *s, struct list *chunks, uint32_t n)
{
    struct ibv_send_wr wrs[CHAIN_MAX], *bad = NULL;
    struct ibv_sge sges[CHAIN_MAX];
    uint32_t posted;
    ssize_t bytes = 0;
    int err;

    make_chain(s, chunks, wrs, sges);
    /* Before: the completion may be polled before ibv_post_send has returned. */
    os_lock(s->os, s->lock);
    list_splice_back(&s->tx_posted, chunks);
    s->tx_used += n;
    os_unlock(s->os, s->lock);
    RDMA_COUNT(s->stack, inflight_tx_chunks, n);
    err = ibv_post_send(s->qp.qp, wrs, &bad);
    posted = err == 0 ? n : bad == NULL ? 0 : (uint32_t)(bad - wrs);
    for (uint32_t i = 0; i < posted; i++) {
        bytes += sges[i].length;
    }
    TRACE(s->os, S7_POST_SEND, .obj = s->trace_obj, .val = (int32_t)bytes, .a0 = s->tx_at,
          .a1 = posted, .aux = s->qp.qpn);
    if (posted < n) {
        RDMA_COUNT(s->stack, tx_failed_post, 1);
        take_back(s, &wrs[posted], n - posted);
        if (err != ENOMEM) { /* that would be a full queue; with our own count it is not */
            rdma_socket_fault(s, -err, "ibv_post_send failed");
        }
    }
    RDMA_COUNT(s->stack, tx_chunks, posted);
    RDMA_COUNT(s->stack, tx_bytes, bytes);
    return bytes > 0 ? bytes : -err;
}

static ssize_t rdma_send(struct connected_socket *base, const struct iovec *iov, int n,
                         bool more)
{
    struct rdma_socket *s = to_socket(base);
    struct gather from = {.iov = iov, .n = n};
    uint32_t room = s->stack->tx_pool.chunk_bytes;
    size_t bytes = 0, wanted;
    struct list chunks;
    int got;
    ssize_t sent;

    for (int i = 0; i < n; i++) {
        bytes += iov[i].iov_len;
    }
    list_init(&chunks);
    wanted = (bytes + room - 1) / room;
    do {
        got = places(s);
        if (got <= 0 || wanted == 0) {
            return got < 0 ? got : 0;
        }
        got = take_chunks(s, (uint32_t)MIN(MIN(wanted, (size_t)got), (size_t)CHAIN_MAX),
                          &chunks);
    } while (got == -EAGAIN);
    if (got == 0) {
        return 0;
    }
    bytes = 0;
    list_for_each(&chunks, it)
    {
        struct chunk *chunk = container_of(it, struct chunk, node);

        fill_chunk(s, chunk, &from, s->tx_at + bytes);
        bytes += chunk->len;
    }
    sent = post_chunks(s, &chunks, (uint32_t)got);
    if (sent > 0) {
        s->tx_at += (uint64_t)sent;
    }
    return sent;
}

/* ---- the end ---- */

static void post_fin(struct rdma_socket *s)
{
    bool post;
    int err;

    os_lock(s->os, s->lock);
    /* Whoever received a FIN does not answer with one. */
    post = s->up && s->error == 0 && !s->peer_fin && !s->fin_posted;
    s->fin_posted = s->fin_posted || post;
    os_unlock(s->os, s->lock);
    if (!post) {
        return;
    }
    TRACE(s->os, RDMA_FIN, .obj = s->trace_obj, .a0 = trace_string(s->os, "sent"),
          .a1 = s->tx_at);
    err = queue_pair_post_empty(&s->qp, wr_id_of(WR_FIN, 0));
    if (err < 0) {
        rdma_socket_fault(s, err, "cannot post the FIN");
    }
}

static void rdma_shutdown(struct connected_socket *base)
{
    struct rdma_socket *s = to_socket(base);

    post_fin(s);
    os_lock(s->os, s->lock);
    s->shut = true;
    notify_set_readable(&s->notify);
    notify_set_writable(&s->notify, true);
    os_unlock(s->os, s->lock);
}

/* On the worker's thread. */
static void close_here(void *arg)
{
    struct rdma_socket *s = arg;

    event_center_cancel(&s->worker->center, &s->adopt);
    side_channel_stop(s);
    post_fin(s);
    chunk_pool_cancel(&s->stack->tx_pool, &s->tx_user);
    os_lock(s->os, s->lock);
    s->closed = true; /* from here on what is received goes straight back */
    list_splice_back(&s->reading, &s->received);
    notify_fini(&s->notify);
    os_unlock(s->os, s->lock);
    rdma_socket_give_back(s, &s->reading);
    rdma_dispatcher_close_socket(s->stack, s);
}

/* An accepted socket that never reached its worker may be closed by who accepted it. */
static void rdma_close(struct connected_socket *base)
{
    struct rdma_socket *s = to_socket(base);

    if (event_center_in_thread(&s->worker->center)) {
        close_here(s);
    } else {
        event_center_post(&s->worker->center, &s->abandon);
    }
}

/* ---- the rest ---- */

static int rdma_is_connected(struct connected_socket *base)
{
    struct rdma_socket *s = to_socket(base);
    int error;

    os_lock(s->os, s->lock);
    error = s->error;
    os_unlock(s->os, s->lock);
    return error != 0 ? error : s->side_up;
}

static int rdma_fd(const struct connected_socket *base)
{
    return to_socket(base)->notify.fd;
}

static int rdma_local_addr(struct connected_socket *base, struct entity_addr *ret)
{
    struct rdma_socket *s = to_socket(base);
    struct sockaddr_storage sa;
    int err = os_local_addr(s->os, s->side.fd, &sa);

    if (err == 0) {
        *ret = entity_addr_from_sockaddr((const struct sockaddr *)&sa, ADDR_MSGR2, 0);
    }
    return err;
}

static int rdma_peer_addr(struct connected_socket *base, struct entity_addr *ret)
{
    struct rdma_socket *s = to_socket(base);
    struct sockaddr_storage sa;
    int err = os_peer_addr(s->os, s->side.fd, &sa);

    if (err == 0) {
        *ret = entity_addr_from_sockaddr((const struct sockaddr *)&sa, ADDR_MSGR2, 0);
    }
    return err;
}

static void rdma_trace_as(struct connected_socket *base, uint32_t object)
{
    to_socket(base)->trace_obj = object;
    to_socket(base)->qp.trace_obj = object;
}

static const struct connected_socket_ops socket_ops = {
    .is_connected = rdma_is_connected,
    .why = rdma_socket_why,
    .read = rdma_read,
    .send = rdma_send,
    .shutdown = rdma_shutdown,
    .fd = rdma_fd,
    .local_addr = rdma_local_addr,
    .peer_addr = rdma_peer_addr,
    .trace_as = rdma_trace_as,
    .close = rdma_close,
};

/* ---- making and freeing ---- */

static void adopt(void *arg)
{
    side_channel_start(arg);
}

/* The queue pair and, without SRQ, its receives: posted before the peer can know of us. */
static int make_queues(struct rdma_socket *s)
{
    struct rdma_stack *stack = s->stack;
    int err = queue_pair_create(&s->qp, &stack->shared, (uint32_t)os_random64(s->os));

    s->rq = &stack->srq_queue;
    if (err == 0 && stack->srq == NULL) {
        err = recv_queue_init(&s->own_rq, s->os, &stack->rx_pool, &stack->counters,
                              stack->shared.recv_depth);
        s->own_rq.user = &s->rx_user;
        s->own_rq.qp = s->qp.qp;
        s->rq = &s->own_rq;
        if (err == 0 && recv_queue_refill(s->rq) == 0) {
            err = -ENOBUFS; /* nothing could ever be received */
        }
    }
    return err;
}

/* The socket shares the pools from now on; what it may send with is registered. */
static int join_pools(struct rdma_socket *s)
{
    chunk_pool_join(&s->stack->tx_pool, &s->tx_user, chunks_are_back);
    chunk_pool_join(&s->stack->rx_pool, &s->rx_user, NULL);
    chunk_pool_join(&s->stack->unread_pool, &s->unread_user, NULL);
    return chunk_pool_fill(&s->stack->tx_pool);
}

int rdma_socket_new(struct rdma_stack *stack, struct worker *w, int fd, bool dialled,
                    struct rdma_socket **ret)
{
    struct rdma_socket *s = calloc(1, sizeof(*s));
    int err;

    if (s == NULL) {
        return -ENOMEM;
    }
    s->base.ops = &socket_ops;
    s->stack = stack;
    s->os = stack->os;
    s->worker = w;
    s->side = (struct side_channel){.fd = -1, .dialled = dialled};
    s->tx_most = stack->shared.send_depth;
    s->notify.fd = s->notify.far_fd = -1;
    list_init(&s->reading);
    list_init(&s->received);
    list_init(&s->tx_posted);
    list_init(&s->of_bucket);
    list_init(&s->of_closing);
    list_init(&s->of_flushing);
    external_event_init(&s->adopt, "rdma_adopt", adopt, s);
    external_event_init(&s->abandon, "rdma_abandon", close_here, s);
    s->lock = os_mutex_new(s->os, "rdma socket");
    err = s->lock == NULL ? -ENOMEM : notify_init(&s->notify, s->os);
    if (err == 0) {
        notify_set_writable(&s->notify, false); /* until it is up, as with TCP */
        err = join_pools(s);
    }
    if (err == 0) {
        err = make_queues(s);
    }
    if (err == 0) {
        err = rdma_dispatcher_add(stack, s);
    }
    if (err < 0) {
        rdma_socket_free(s);
        return err;
    }
    s->side.fd = fd;
    *ret = s;
    return 0;
}
