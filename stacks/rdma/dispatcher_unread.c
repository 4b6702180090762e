/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatcher_unread.c: where bytes wait until their connection reads them.
 *
 * With a queue pair's own receive queue a reader that stops stops its own peer: what is not
 * read is in the connection's share, nothing more is posted, and the device tells the peer
 * to wait (RNR). A shared receive queue cannot do that: SEND has no credits, so whoever
 * sends gets the next receive. There
 *
 *   within the share    the chunk stays with the connection, nothing is copied
 *   beyond it           the bytes go to ordinary memory, which is shared by the same rule,
 *                       and the chunk is posted again: the others do not notice
 *   beyond that, too    the chunk stays all the same. If so many do that nobody can
 *                       receive, the connection that keeps most ends, if its reader has
 *                       taken nothing for RDMA_UNREAD_MAX_NS: one that reads, however
 *                       slowly, lets all go on
 *
 * The dispatcher's thread only.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "stacks/rdma/dispatcher.h"

/* ---- to ordinary memory ---- */

static void trace_unread(struct rdma_socket *s, const struct chunk *chunk, const char *how)
{
    TRACE(s->os, RECV_SHARE, .obj = s->trace_obj, .val = (int32_t)chunk->len,
          .a0 = chunk->at, .a1 = trace_string(s->os, how));
}

/* A chunk of ordinary memory in the connection's share. False: there is none. */
static bool take_copy(struct rdma_socket *s, struct list *to)
{
    struct chunk_pool *pool = &s->stack->unread_pool;

    return chunk_pool_take(pool, 1, to, &s->unread_user) > 0 ||
           (chunk_pool_may_take(pool, &s->unread_user) &&
            chunk_pool_grow(pool, CHUNK_USERS_PER_REGION) > 0 &&
            chunk_pool_take(pool, 1, to, &s->unread_user) > 0);
}

/* With the lock held: appends to the copy that waits last, if there is one with room: small
 * messages would use up chunks otherwise. */
static bool append_to_last(struct rdma_socket *s, const struct chunk *chunk)
{
    struct chunk *last;

    if (list_is_empty(&s->received)) {
        return false;
    }
    last = container_of(s->received.prev, struct chunk, node);
    if (last->pool != &s->stack->unread_pool ||
        last->pool->chunk_bytes - last->len < chunk->len) {
        return false;
    }
    memcpy(last->data + last->len, chunk->data, chunk->len);
    last->len += chunk->len;
    return true;
}

/* ---- to the socket ---- */

/* R1, R2. With the lock held: after close the connection's records are about another
 * socket. */
static void trace_delivery(struct rdma_socket *s, struct chunk *chunk)
{
    uint64_t polled = TRACE(s->os, R1_POLL_CQ, .obj = s->trace_obj, .a0 = chunk->at,
                            .val = (int32_t)chunk->len, .a1 = chunk->id, .aux = s->qp.qpn);

    chunk->cause = TRACE(s->os, R2_NOTIFY, .obj = s->trace_obj, .val = (int32_t)chunk->len,
                         .a0 = chunk->at, .a1 = !s->notify.readable, .cause = polled,
                         .aux = (uint32_t)s->notify.fd);
}

/* With the lock held. */
static bool is_wanted(const struct rdma_socket *s)
{
    return !s->closed && s->error == 0 && !s->peer_fin;
}

/* With the lock held. */
static void append(struct rdma_socket *s, struct chunk *chunk)
{
    if (list_is_empty(&s->received) && list_is_empty(&s->reading)) {
        atomic_store(&s->unread_since_ns, os_monotonic_ns(s->os));
    }
    list_push_back(&s->received, &chunk->node);
    notify_set_readable(&s->notify);
}

/* With the lock held: the socket may have been closed meanwhile; then nobody misses it. */
static void append_copy(struct rdma_socket *s, struct chunk *chunk, struct list *copy)
{
    struct chunk *to;

    if (!is_wanted(s)) {
        return;
    }
    to = container_of(list_pop_front(copy), struct chunk, node);
    memcpy(to->data, chunk->data, chunk->len);
    to->len = chunk->len;
    to->at = chunk->at;
    trace_delivery(s, chunk);
    to->cause = chunk->cause;
    append(s, to);
}

/* The bytes as a copy. False: there is no memory in the connection's share. */
static bool deliver_copy(struct rdma_socket *s, struct chunk *chunk)
{
    struct list copy;
    bool done;

    os_lock(s->os, s->lock);
    done = is_wanted(s) && append_to_last(s, chunk);
    if (done) {
        trace_delivery(s, chunk);
        notify_set_readable(&s->notify);
    }
    os_unlock(s->os, s->lock);
    list_init(&copy);
    if (!done && take_copy(s, &copy)) {
        done = true;
        os_lock(s->os, s->lock);
        append_copy(s, chunk, &copy);
        os_unlock(s->os, s->lock);
        chunk_pool_put(&s->stack->unread_pool, &copy);
    }
    return done;
}

/* In the share, or as a copy, or beyond the share. True: the chunk stays. */
static bool keep(struct rdma_socket *s, struct chunk *chunk)
{
    struct chunk_pool *pool = &s->stack->rx_pool;

    if (chunk->user != NULL || chunk_pool_charge(pool, chunk, &s->rx_user, false)) {
        return true;
    }
    if (deliver_copy(s, chunk)) {
        RDMA_COUNT(s->stack, rx_unread_copied, 1);
        trace_unread(s, chunk, "copied: more than its share is unread");
        return false;
    }
    RDMA_COUNT(s->stack, rx_unread_beyond, 1);
    trace_unread(s, chunk, "kept beyond its share");
    return chunk_pool_charge(pool, chunk, &s->rx_user, true);
}

bool rdma_deliver(struct rdma_socket *s, struct chunk *chunk, uint32_t len)
{
    bool wanted;

    chunk->len = len;
    chunk->at = s->rx_at;
    s->rx_at += len;
    if (!keep(s, chunk)) {
        return false;
    }
    os_lock(s->os, s->lock);
    wanted = is_wanted(s);
    if (wanted) {
        trace_delivery(s, chunk);
        append(s, chunk);
    }
    os_unlock(s->os, s->lock);
    RDMA_COUNT(s->stack, rx_bufs_in_use, wanted);
    return wanted;
}

/* ---- when nobody can receive ---- */

struct worst {
    struct rdma_socket *socket;
    uint64_t held, now;
    uint32_t n; /* sockets that are open */
};

/* With the dispatcher's lock held. */
static void compare(struct rdma_socket *s, void *arg)
{
    uint64_t held =
        (uint64_t)chunk_user_held(&s->rx_user) + chunk_user_held(&s->unread_user);
    struct worst *worst = arg;

    worst->n += s->phase == CLOSING_NOT;
    if (s->phase == CLOSING_NOT && held > worst->held && s->error == 0 &&
        worst->now - atomic_load(&s->unread_since_ns) >= RDMA_UNREAD_MAX_NS) {
        worst->socket = s;
        worst->held = held;
    }
}

void rdma_end_stopped_reader(struct rdma_stack *stack, uint64_t now)
{
    struct worst worst = {.held = CHUNK_RESERVE, .now = now};
    struct rdma_socket *s;
    struct list unread;

    rdma_for_each_socket(stack, compare, &worst);
    s = worst.socket;
    if (s == NULL || worst.n < 2) {
        return; /* alone, it keeps from nobody what they need */
    }
    RDMA_COUNT(stack, rx_unread_ended, 1);
    rdma_socket_fault(s, -ENOBUFS,
                      "its reader took nothing, and nobody else could receive");
    list_init(&unread);
    os_lock(s->os, s->lock);
    list_splice_back(&unread, &s->received);
    os_unlock(s->os, s->lock);
    rdma_socket_give_back(s, &unread);
    /* Whoever does not read does not see the fault either: the peer, at least, hears of
     * it. The descriptor is closed by this thread only. */
    os_shutdown(s->os, s->side.fd, SHUT_RDWR);
}
