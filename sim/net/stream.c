/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c: an end as its socket uses it: receiving, shutting down, closing. Sending is in
 * stream_send.c, the handshake in stream_dial.c. Error codes and their order are those of
 * Linux's TCP.
 */
#include <errno.h>
#include <poll.h>

#include "engine/util.h"
#include "sim/net/socket.h"
#include "sim/net/stream_impl.h"

/* After a short read the rest arrives so much later; to the program it looks like a slow
 * network, which is always legal. */
#define SHORT_RECV_NS 1000

/* ---- receiving -------------------------------------------------------------------- */

/* All but `n` bytes of what has arrived arrives a little later. */
static void delay_rest(struct stream_end *e, size_t n)
{
    struct segment rest = {.at = stream_sched(e)->now + SHORT_RECV_NS, .end = e->arrived};

    CHECK(n > 0);
    CHECK(n < stream_readable(e));
    e->arrived = e->bytes.from + n;
    e->stalled = false;
    stream_push_segment(e); /* makes room for one more, which then is the first */
    e->first = (e->first + e->cap - 1) & (e->cap - 1);
    e->segments[e->first] = rest;
    e->last_at = MAX(e->last_at, rest.at);
    stream_arm(e);
}

void stream_reopen_window(struct stream_end *e)
{
    uint64_t at = stream_sched(e)->now + e->link->is.latency_ns;

    if (!e->stalled || stream_is_shut(e) || stream_readable(e) * 2 > e->rcvbuf) {
        return;
    }
    CHECK(e->n > 0); /* what finds no room is still there */
    e->stalled = false;
    for (uint32_t i = 0; i < e->n; i++) {
        struct segment *seg = &e->segments[(e->first + i) & (e->cap - 1)];

        seg->at = MAX(seg->at, at);
    }
    e->last_at = MAX(e->last_at, at);
    stream_tap_ack(e);
    stream_arm(e);
}

ssize_t stream_recv(struct stream_end *e, void *buf, size_t len)
{
    size_t n = MIN(len, stream_readable(e)), cut;

    if (n == 0) {
        if (e->fin_arrived || len == 0) {
            return 0;
        }
        if (e->error != 0) {
            return stream_take_error(e);
        }
        return e->shut_read || e->reset ? 0 : -EAGAIN;
    }
    cut = sim_pick(stream_sched(e)->decisions, SIM_SITE_SHORT_RECV, &e->actor, n);
    if (cut > 0 && !e->reset && !e->fin_arrived) {
        delay_rest(e, cut);
        n = cut;
    }
    ring_get(&e->bytes, buf, n);
    stream_reopen_window(e);
    return (ssize_t)n;
}

/* ---- ending ----------------------------------------------------------------------- */

int stream_shutdown(struct stream_end *e, int how)
{
    CHECK(!e->closed);
    if (!e->established || e->reset ||
        (e->fin_sent && e->fin_arrived && stream_peer(e)->fin_arrived)) {
        return -ENOTCONN;
    }
    if (how != SHUT_WR) {
        e->shut_read = true;
    }
    if (how != SHUT_RD && !e->fin_sent) {
        e->fin_sent = true;
        stream_send_segment(stream_peer(e), 0, true);
    }
    stream_notify(e, POLLIN | POLLOUT | POLLHUP);
    return 0;
}

void stream_close(struct stream_end *e, bool rst)
{
    struct stream_end *peer = stream_peer(e);
    struct stream *stream = e->stream;

    CHECK(!e->closed);
    e->socket = NULL;
    e->closed = true;
    if (peer->closed ||
        stream->phase < STREAM_ACK) { /* nobody else knows of it (any more) */
        stream_tap_last(e, rst);
        if (stream->listener != NULL) {
            stream->listener->n_incoming--;
        }
        stream_free(stream);
        return;
    }
    if (rst || stream_readable(e) > 0) {
        stream_close_with_rst(e);
    } else if (!e->reset && !e->fin_sent) {
        e->fin_sent = true;
        stream_send_segment(peer, 0, true);
    }
    e->bytes.from = e->arrived;
    if (e->stalled) {
        e->stalled = false;
        stream_arm(e);
    }
}

/* What is on its way to `e` only because it would be sent again is not. */
static void forget_resends(struct stream_end *e)
{
    uint32_t kept = 0;

    CHECK(stream_peer(e)->vanished);
    if (e->stalled || e->resend_at != 0 || net_link_is_cut(e->link)) {
        e->rst_at = 0;
        stream_discard(e);
        return;
    }
    while (kept < e->n && !e->segments[(e->first + kept) & (e->cap - 1)].again) {
        kept++;
    }
    if (kept < e->n) {
        e->n = kept;
        e->bytes.to =
            kept > 0 ? e->segments[(e->first + kept - 1) & (e->cap - 1)].end : e->arrived;
        stream_arm(e);
    }
}

void stream_vanish(struct stream_end *e)
{
    struct stream_end *peer = stream_peer(e);

    CHECK(!e->closed);
    if (peer->closed || e->stream->phase < STREAM_ACK) {
        stream_close(e, false);
        return;
    }
    e->socket = NULL;
    e->closed = e->vanished = true;
    forget_resends(peer);
}

void stream_forget(struct stream *stream)
{
    CHECK(stream->listener != NULL);
    list_unlink(&stream->of_listener);
    stream->listener = NULL;
    if (stream->phase < STREAM_ACK) { /* the dialler knows only that nobody answers */
        stream->phase = STREAM_SYN;
        return;
    }
    sim_timer_cancel(&stream_sched(&stream->ends[1])->timers, &stream->timer);
    stream->phase = STREAM_ESTABLISHED;
    stream_vanish(&stream->ends[1]);
}

void stream_refuse(struct stream *stream)
{
    struct stream_end *e = &stream->ends[1];

    CHECK(stream->listener != NULL);
    list_unlink(&stream->of_listener);
    stream->listener = NULL;
    if (stream->ends[0].closed) {
        stream_free(stream);
        return;
    }
    if (stream->phase >= STREAM_ACK) { /* else it is refused when SYN, ACK arrives */
        sim_timer_cancel(&stream_sched(e)->timers, &stream->timer);
        stream->phase = STREAM_ESTABLISHED;
        e->closed = true;
        stream_close_with_rst(e);
    }
}
