/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c: what travels between two ends: data, FIN and RST. The handshake is in
 * stream_dial.c. Error codes and their order are those of Linux's TCP.
 */
#include "sim/net/stream.h"

#include <errno.h>
#include <poll.h>

#include "engine/util.h"
#include "sim/net/socket.h"

/* After a short read the rest arrives so much later; after a short write there is room
 * again so much later. To the program both look like a slow network, which is always
 * legal. */
#define SHORT_IO_NS 1000

static struct scheduler *sched_of(const struct stream_end *e)
{
    return e->link->env->sched;
}

struct stream_end *stream_peer(struct stream_end *e)
{
    return e == &e->stream->ends[0] ? &e->stream->ends[1] : &e->stream->ends[0];
}

static void notify(struct stream_end *e, int bits)
{
    if (e->socket != NULL) {
        sim_file_notify(&e->socket->file, bits);
    }
}

/* ---- readiness -------------------------------------------------------------------- */

/* Bytes in this end's send buffer: sent, but not arrived yet. */
static size_t queued(const struct stream_end *e)
{
    const struct stream_end *peer = stream_peer((struct stream_end *)e);

    return (size_t)(peer->bytes.to - MIN(peer->acked, peer->bytes.to));
}

static size_t readable(const struct stream_end *e)
{
    return (size_t)(e->arrived - e->bytes.from);
}

/* As Linux: there is room for a third of the buffer. */
static bool is_writable(const struct stream_end *e)
{
    return !sim_timer_is_armed(&e->pause) && queued(e) / 2 * 3 <= e->sndbuf;
}

/* As Linux: who finds no room, here too, is told of it when there is some. */
int stream_ready(struct stream_end *e)
{
    bool shut_read = e->shut_read || e->fin_arrived || e->reset;
    bool shut_write = e->fin_sent || e->reset;
    int bits = e->error != 0 ? POLLERR : 0;

    if (e->reset || (shut_read && shut_write)) {
        bits |= POLLHUP;
    }
    if (shut_read) {
        bits |= POLLIN;
    }
    if (e->established || e->reset) {
        bits |= readable(e) > 0 ? POLLIN : 0;
        bits |= shut_write || is_writable(e) ? POLLOUT : 0;
        e->nospace = e->nospace || !is_writable(e);
    }
    return bits;
}

static void tell_room(struct stream_end *e)
{
    if (e->nospace && e->established && is_writable(e)) {
        e->nospace = false;
        notify(e, POLLOUT);
    }
}

/* ---- arrival ---------------------------------------------------------------------- */

void stream_arm(struct stream_end *e)
{
    uint64_t at = UINT64_MAX;

    if (e->n > 0 && !e->stalled) {
        at = MAX(e->segments[e->first].at, e->resend_at);
    }
    if (e->rst_at != 0) {
        at = MIN(at, e->rst_at);
    }
    if (at == UINT64_MAX) {
        sim_timer_cancel(&sched_of(e)->timers, &e->timer);
    } else {
        sim_timer_arm(&sched_of(e)->timers, &e->timer, at);
    }
}

void stream_discard(struct stream_end *e)
{
    e->n = 0;
    e->stalled = false;
    e->late_since = e->resend_at = e->resend_ns = 0;
    e->bytes.to = e->arrived;
    stream_arm(e);
}

void stream_reset(struct stream_end *e, int error)
{
    struct stream_end *peer = stream_peer(e);

    e->reset = true; /* what has arrived can still be read, what has not is lost */
    e->error = error;
    e->rst_at = 0;
    stream_discard(e);
    stream_discard(peer); /* what this end sent is of no use to anybody */
    notify(e, POLLIN | POLLOUT | POLLERR | POLLHUP);
}

uint64_t stream_arrival_time(struct stream_end *e, size_t bytes)
{
    struct net_link *link = e->link;
    struct scheduler *s = sched_of(e);
    uint64_t at = s->now;

    if (link->special) {
        return stream_path_time(e, bytes);
    }
    if (link->is.bytes_per_sec > 0) {
        at = MAX(at, link->free_at) + bytes * NSEC_PER_SEC / link->is.bytes_per_sec;
        link->free_at = at;
    }
    at += link->is.latency_ns;
    if (link->is.jitter_ns > 0) {
        at += sim_pick(s->decisions, SIM_SITE_JITTER, &e->actor, link->is.jitter_ns + 1);
    }
    e->last_at = MAX(e->last_at, at); /* one way is one order */
    return e->last_at;
}

/* An RST sets out to `e`. */
void stream_send_rst(struct stream_end *e)
{
    if (!e->reset && e->rst_at == 0) {
        stream_tap_rst(e);
        e->rst_at = stream_arrival_time(e, 0);
        stream_arm(e);
    }
}

static void data_arrived(struct stream_end *e, uint64_t end)
{
    bool is_new = end > e->acked;

    e->arrived = end;
    e->acked = MAX(e->acked, end);
    if (e->closed) { /* nobody will read it: TCP answers with RST */
        e->bytes.from = end;
        if (e->vanished) {
            stream_count_fault(e->link, FAULT_L10_HALF_OPEN);
        }
        stream_send_rst(stream_peer(e));
    } else {
        if (is_new) {
            stream_tap_ack(e);
        }
        notify(e, POLLIN);
    }
    tell_room(stream_peer(e));
}

/* The node of this end takes nothing now. */
static bool is_shut(const struct stream_end *e)
{
    return e->link->env->net->shut[e->link->to];
}

/* Takes in one segment whose time has come; false: its reader's buffer is full. */
static bool take_segment(struct stream_end *e)
{
    struct segment seg = e->segments[e->first];
    size_t room = is_shut(e) ? 0 : e->rcvbuf - MIN(e->rcvbuf, readable(e));
    uint64_t end = e->closed ? seg.end : MIN(seg.end, e->arrived + room);

    if (e->late_since != 0 || seg.again) {
        stream_tap_again(e);
    }
    if (e->late_since != 0) {
        stream_caught_up(e);
    }
    if (e->reset && !e->closed) { /* it gave up; its peer does not know yet */
        stream_discard(e);
        stream_send_rst(stream_peer(e));
        return false;
    }
    if (end > e->arrived) {
        data_arrived(e, end);
    }
    if (end < seg.end) {
        e->stalled = true;
        return false;
    }
    if (seg.fin) {
        e->fin_arrived = true;
        if (e->vanished) { /* a machine that was rebooted knows nothing of it */
            stream_count_fault(e->link, FAULT_L10_HALF_OPEN);
            stream_send_rst(stream_peer(e));
        } else {
            stream_tap_ack(e);
        }
        notify(e, POLLIN | POLLHUP);
    }
    e->first = (e->first + 1) & (e->cap - 1);
    e->n--;
    return true;
}

void stream_deliver(struct stream_end *e)
{
    uint64_t now = sched_of(e)->now;

    if (stream_may_be_held(e) && stream_hold(e)) {
        return;
    }
    while (e->n > 0 && !e->stalled && e->segments[e->first].at <= now &&
           e->resend_at <= now && take_segment(e)) {
    }
    if (e->rst_at != 0 && e->rst_at <= now) {
        stream_reset(e, e->fin_arrived ? EPIPE : ECONNRESET);
    }
    stream_arm(e);
}

static void on_arrival(void *arg)
{
    stream_deliver(arg);
}

static void on_pause_end(void *arg)
{
    tell_room(arg);
}

void stream_end_init(struct stream_end *e, struct stream *stream, struct net_link *link)
{
    e->stream = stream;
    e->link = link;
    sim_timer_init(&e->timer, on_arrival, e);
    sim_timer_init(&e->pause, on_pause_end, e);
}

/* ---- sending ---------------------------------------------------------------------- */

struct segment *stream_push_segment(struct stream_end *e)
{
    if (e->n == e->cap) {
        uint32_t cap = MAX(16u, e->cap * 2);
        struct segment *segments = calloc(cap, sizeof(*segments));

        CHECK(segments != NULL);
        for (uint32_t i = 0; i < e->n; i++) {
            segments[i] = e->segments[(e->first + i) & (e->cap - 1)];
        }
        free(e->segments);
        e->segments = segments;
        e->first = 0;
        e->cap = cap;
    }
    return &e->segments[(e->first + e->n++) & (e->cap - 1)];
}

/* What was put into `to`'s ring sets out. */
static void send_segment(struct stream_end *to, size_t bytes, bool fin)
{
    struct net_link *link = to->link;
    const struct net *net = link->env->net;
    uint64_t at;

    if (link->special || (net->faults != NULL && sim_faults_wants_packets(net->faults))) {
        stream_send_path(to, bytes, fin);
        return;
    }
    stream_tap_data(to, to->bytes.to, bytes, fin);
    to->packets++;
    link->stats.segments++;
    link->stats.bytes += bytes;
    at = stream_arrival_time(to, bytes);
    *stream_push_segment(to) = (struct segment){.at = at, .end = to->bytes.to, .fin = fin};
    if (at <= sched_of(to)->now) {
        stream_deliver(to);
    } else if (!sim_timer_is_armed(&to->timer)) {
        stream_arm(to);
    }
}

int stream_take_error(struct stream_end *e)
{
    int error = e->error;

    e->error = 0;
    return -error;
}

ssize_t stream_send(struct stream_end *e, const struct iovec *iov, int n)
{
    struct stream_end *peer = stream_peer(e);
    struct scheduler *s = sched_of(e);
    size_t want = iov_bytes(iov, n), room = e->sndbuf - MIN(e->sndbuf, queued(e)), cut;
    ssize_t put;

    if (e->error != 0) {
        return stream_take_error(e);
    }
    if (e->reset || e->fin_sent) {
        return -EPIPE;
    }
    if (!e->established || sim_timer_is_armed(&e->pause) || room == 0) {
        e->nospace = true;
        return -EAGAIN;
    }
    if (want == 0) {
        return 0;
    }
    cut = sim_pick(s->decisions, SIM_SITE_SHORT_SEND, &e->actor, MIN(room, want));
    put = ring_put(&peer->bytes, iov, n, cut > 0 ? cut : room);
    if (put < 0) {
        return put;
    }
    if (cut > 0) {
        sim_timer_arm(&s->timers, &e->pause, s->now + SHORT_IO_NS);
    }
    e->nospace = e->nospace || (size_t)put < want;
    send_segment(peer, (size_t)put, false);
    return put;
}

/* ---- receiving -------------------------------------------------------------------- */

/* All but `n` bytes of what has arrived arrives a little later. */
static void delay_rest(struct stream_end *e, size_t n)
{
    struct segment rest = {.at = sched_of(e)->now + SHORT_IO_NS, .end = e->arrived};

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
    uint64_t at = sched_of(e)->now + e->link->is.latency_ns;

    if (!e->stalled || is_shut(e) || readable(e) * 2 > e->rcvbuf) {
        return;
    }
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
    size_t n = MIN(len, readable(e)), cut;

    if (n == 0) {
        if (e->fin_arrived || len == 0) {
            return 0;
        }
        if (e->error != 0) {
            return stream_take_error(e);
        }
        return e->shut_read || e->reset ? 0 : -EAGAIN;
    }
    cut = sim_pick(sched_of(e)->decisions, SIM_SITE_SHORT_RECV, &e->actor, n);
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
    if (!e->established || e->reset ||
        (e->fin_sent && e->fin_arrived && stream_peer(e)->fin_arrived)) {
        return -ENOTCONN;
    }
    if (how != SHUT_WR) {
        e->shut_read = true;
    }
    if (how != SHUT_RD && !e->fin_sent) {
        e->fin_sent = true;
        send_segment(stream_peer(e), 0, true);
    }
    notify(e, POLLIN | POLLOUT | POLLHUP);
    return 0;
}

static void stream_free(struct stream *stream)
{
    struct scheduler *s = sched_of(&stream->ends[0]);

    sim_timer_cancel(&s->timers, &stream->timer);
    for (int i = 0; i < 2; i++) {
        struct stream_end *e = &stream->ends[i];

        sim_timer_cancel(&s->timers, &e->timer);
        sim_timer_cancel(&s->timers, &e->pause);
        ring_fini(&e->bytes);
        free(e->segments);
    }
    list_unlink(&stream->of_listener);
    list_unlink(&stream->of_net);
    free(stream);
}

/* The end is gone without a FIN. */
static void close_with_rst(struct stream_end *e)
{
    e->reset = true;
    e->rst_at = 0;
    stream_discard(e);
    stream_send_rst(stream_peer(e));
}

/* Nobody is left who would get it. */
static void tap_last_packet(const struct stream_end *e, bool rst)
{
    struct stream_end *peer = stream_peer((struct stream_end *)e);

    if (e->reset || e->stream->phase < STREAM_ACK) {
        return;
    }
    if (rst || readable(e) > 0) {
        stream_tap_rst(peer);
    } else if (!e->fin_sent) {
        stream_tap_data(peer, peer->bytes.to, 0, true);
    }
}

void stream_close(struct stream_end *e, bool rst)
{
    struct stream_end *peer = stream_peer(e);
    struct stream *stream = e->stream;

    e->socket = NULL;
    e->closed = true;
    if (peer->closed ||
        stream->phase < STREAM_ACK) { /* nobody else knows of it (any more) */
        tap_last_packet(e, rst);
        if (stream->listener != NULL) {
            stream->listener->n_incoming--;
        }
        stream_free(stream);
        return;
    }
    if (rst || readable(e) > 0) {
        close_with_rst(e);
    } else if (!e->reset && !e->fin_sent) {
        e->fin_sent = true;
        send_segment(peer, 0, true);
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
    list_unlink(&stream->of_listener);
    stream->listener = NULL;
    if (stream->phase < STREAM_ACK) { /* the dialler knows only that nobody answers */
        stream->phase = STREAM_SYN;
        return;
    }
    sim_timer_cancel(&sched_of(&stream->ends[1])->timers, &stream->timer);
    stream->phase = STREAM_ESTABLISHED;
    stream_vanish(&stream->ends[1]);
}

void stream_refuse(struct stream *stream)
{
    struct stream_end *e = &stream->ends[1];

    list_unlink(&stream->of_listener);
    stream->listener = NULL;
    if (stream->ends[0].closed) {
        stream_free(stream);
        return;
    }
    if (stream->phase >= STREAM_ACK) { /* else it is refused when SYN, ACK arrives */
        sim_timer_cancel(&sched_of(e)->timers, &stream->timer);
        stream->phase = STREAM_ESTABLISHED;
        e->closed = true;
        close_with_rst(e);
    }
}
