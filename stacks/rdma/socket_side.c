/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_side.c: the side channel: TCP, three records, and then silence for as long as the
 * connection lives. It is never waited for: every step goes on where the last event left
 * it, with as many bytes as came (Ceph wants whole records).
 */
#include <errno.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "engine/worker.h"
#include "stacks/rdma/rdma_impl.h"

static void side_event(void *arg, int fd, int mask);

static void watch(struct rdma_socket *s, int mask)
{
    struct event_center *center = &s->worker->center;
    const struct file_callback cb = {.fn = side_event, .arg = s};
    struct side_channel *side = &s->side;
    int add = mask & ~side->mask, err = 0;

    if (side->mask & ~mask) {
        event_center_delete_file_event(center, side->fd, side->mask & ~mask);
    }
    side->mask &= mask;
    if (add != 0) {
        err = event_center_create_file_event(center, side->fd, add, &cb);
    }
    if (err < 0) {
        side->step = SIDE_DOWN;
        rdma_socket_fault(s, err, "cannot watch the side channel");
        return;
    }
    side->mask |= add;
}

void side_channel_stop(struct rdma_socket *s)
{
    if (s->side.mask != 0) {
        event_center_delete_file_event(&s->worker->center, s->side.fd, s->side.mask);
        s->side.mask = 0;
    }
}

static void side_fail(struct rdma_socket *s, int err, const char *why)
{
    s->side.step = SIDE_DOWN;
    side_channel_stop(s);
    RDMA_COUNT(s->stack, handshake_errors, 1);
    rdma_socket_fault(s, err, why);
}

static void trace_record(struct rdma_socket *s, const char *what,
                         const struct handshake_record *r)
{
    TRACE(s->os, SIDE_CHANNEL, .obj = s->trace_obj, .a0 = trace_string(s->os, what),
          .val = (int32_t)r->qpn, .a1 = r->psn, .aux = r->peer_qpn);
}

/* Less than a record came or went: with tiny segments that is the only sign of progress. */
static void trace_piece(struct rdma_socket *s, const char *what)
{
    const struct handshake_record mine = {.qpn = s->qp.qpn};

    trace_record(s, what, &mine);
}

/* The n-th record is said next. */
static void say(struct rdma_socket *s, int n)
{
    static const char *const names[] = {"", "said #1", "said #2", "said #3"};
    struct handshake_record r;

    queue_pair_record(&s->qp, n == 1 ? 0 : s->side.peer.qpn, &r);
    handshake_encode(&r, s->side.out);
    s->side.out_at = 0;
    s->side.n = n;
    s->side.step = SIDE_SAYING;
    trace_record(s, names[n], &r);
}

static void listen_for(struct rdma_socket *s, int n)
{
    s->side.n = n;
    s->side.step = SIDE_LISTENING;
    watch(s, OS_READABLE);
}

static void be_up(struct rdma_socket *s)
{
    s->side.step = SIDE_UP;
    watch(s, OS_READABLE);
    if (s->side.step == SIDE_UP) {
        rdma_socket_up(s);
    }
}

/* Each of these is true if there may be more to do. */

static bool dial(struct rdma_socket *s)
{
    int result = os_connect_result(s->os, s->side.fd);

    if (result == 0) {
        watch(s, OS_READABLE | OS_WRITABLE);
        return false;
    }
    if (result < 0) {
        side_fail(s, result, network_stack_reason(result));
        return false;
    }
    s->side_up = true;
    os_lock(s->os, s->lock);
    notify_set_readable(&s->notify); /* is_connected has news */
    os_unlock(s->os, s->lock);
    say(s, 1);
    return true;
}

/* While one side says a record, the other has nothing to say; but it may leave, and then
 * the descriptor is readable for as long as nobody reads. True: it is still there. */
static bool peer_waits(struct rdma_socket *s)
{
    char byte;
    ssize_t n = os_recv(s->os, s->side.fd, &byte, 1);

    if (n == -EAGAIN) {
        return true;
    }
    side_fail(s, n > 0 ? -EPROTO : -EPIPE,
              n > 0 ? "bytes on the side channel out of turn"
                    : "the peer left during the handshake");
    return false;
}

static bool say_more(struct rdma_socket *s)
{
    struct side_channel *side = &s->side;
    const struct iovec iov = {.iov_base = side->out + side->out_at,
                              .iov_len = HANDSHAKE_BYTES - side->out_at};
    ssize_t n = os_send(s->os, side->fd, &iov, 1, false);

    if (n == -EAGAIN) {
        if (peer_waits(s)) {
            watch(s, OS_READABLE | OS_WRITABLE);
        }
        return false;
    }
    if (n < 0) {
        side_fail(s, -EPIPE, "the peer left during the handshake");
        return false;
    }
    side->out_at += (size_t)n;
    if (side->out_at < HANDSHAKE_BYTES) {
        trace_piece(s, "said a piece");
        return true;
    }
    if (side->n == 3) {
        be_up(s);
    } else {
        listen_for(s, side->n + 1);
    }
    return side->step != SIDE_DOWN;
}

/* The peer's record number side.n. */
static void heard(struct rdma_socket *s, const struct handshake_record *r)
{
    static const char *const names[] = {"", "heard #1", "heard #2", "heard #3"};
    struct side_channel *side = &s->side;
    int err;

    trace_record(s, names[side->n], r);
    if ((side->n == 1) != (r->peer_qpn == 0) || (side->n > 1 && r->peer_qpn != s->qp.qpn) ||
        (side->n == 3 && r->qpn != side->peer.qpn)) {
        side_fail(s, -EPROTO, "the side channel names another queue pair");
        return;
    }
    if (side->n == 3) {
        be_up(s);
        return;
    }
    side->peer = *r;
    err = queue_pair_connect(&s->qp, r);
    if (err < 0) {
        side_fail(s, err, "the queue pair cannot reach the peer");
        return;
    }
    say(s, side->n + 1);
}

static bool hear_more(struct rdma_socket *s)
{
    struct handshake_record r;
    size_t room;
    uint8_t *to = handshake_room(&s->side.in, &room);
    ssize_t n = os_recv(s->os, s->side.fd, to, room);
    int result;

    if (n == -EAGAIN) {
        return false;
    }
    if (n <= 0) {
        side_fail(s, -EPIPE, "the peer left during the handshake: does it speak RDMA?");
        return false;
    }
    result = handshake_take(&s->side.in, (size_t)n, &r);
    if (result < 0) {
        side_fail(s, result, "a bad record on the side channel: does the peer speak RDMA?");
    } else if (result > 0) {
        heard(s, &r);
    } else {
        trace_piece(s, "heard a piece");
    }
    return s->side.step != SIDE_DOWN;
}

/* Nothing comes any more but the end. What the peer sent before it ended is in the
 * completion queue, if it closes as we do; so the dispatcher has the last word. */
static bool watch_for_end(struct rdma_socket *s)
{
    char byte;
    ssize_t n = os_recv(s->os, s->side.fd, &byte, 1);

    if (n == -EAGAIN) {
        return false;
    }
    if (n > 0) {
        side_fail(s, -EPROTO, "bytes on the side channel after the handshake");
        return false;
    }
    s->side_why = n == 0             ? "the side channel ended without a FIN"
                  : n == -ECONNRESET ? "the side channel was reset"
                  : n == -ETIMEDOUT
                      ? "the side channel timed out: the peer's machine does not answer"
                      : "the side channel broke";
    s->side.step = SIDE_DOWN;
    side_channel_stop(s);
    rdma_dispatcher_flush_socket(s->stack, s);
    return false;
}

static void advance(struct rdma_socket *s)
{
    bool more = true;

    while (more) {
        switch (s->side.step) {
        case SIDE_DIALLING:
            more = dial(s);
            break;
        case SIDE_SAYING:
            more = say_more(s);
            break;
        case SIDE_LISTENING:
            more = hear_more(s);
            break;
        case SIDE_UP:
            more = watch_for_end(s);
            break;
        case SIDE_DOWN:
            more = false;
            break;
        }
    }
}

static void side_event(void *arg, int fd, int mask)
{
    (void)fd;
    (void)mask;
    advance(arg);
}

void side_channel_start(struct rdma_socket *s)
{
    if (s->side.dialled) {
        s->side.step = SIDE_DIALLING;
    } else {
        s->side_up = true;
        listen_for(s, 1);
    }
    advance(s);
}
