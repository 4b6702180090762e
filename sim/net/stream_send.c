/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_send.c: what a program sends sets out: into the peer's ring, and as segments onto
 * the link. The one place that carries out what a special link's path says (stream_path.c).
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/net/stream_impl.h"

/* After a short write there is room again so much later; to the program it looks like a
 * slow network, which is always legal. */
#define SHORT_SEND_NS 1000

/* The first segment on its way to `to` arrives at that time: now, perhaps. */
static void set_out(struct stream_end *to, uint64_t at)
{
    if (at <= stream_sched(to)->now) {
        stream_deliver(to);
    } else if (!sim_timer_is_armed(&to->timer)) {
        stream_arm(to);
    }
}

static void send_by_path(struct stream_end *to, size_t bytes, bool fin)
{
    switch (stream_send_path(to, bytes, fin)) {
    case STREAM_SENDS:
        set_out(to, to->segments[to->first].at);
        break;
    case STREAM_SENDS_NOTHING:
        break;
    case STREAM_BREAKS:
        stream_abort(to->stream, ECONNRESET);
        break;
    }
}

/* What was put into `to`'s ring sets out. */
void stream_send_segment(struct stream_end *to, size_t bytes, bool fin)
{
    struct net_link *link = to->link;
    const struct net *net = link->env->net;
    uint64_t at;

    CHECK(bytes <= ring_used(&to->bytes));
    if (link->special || (net->faults != NULL && sim_faults_wants_packets(net->faults))) {
        send_by_path(to, bytes, fin);
        return;
    }
    stream_tap_data(to, to->bytes.to, bytes, fin);
    to->packets++;
    link->stats.segments++;
    link->stats.bytes += bytes;
    at = stream_arrival_time(to, bytes);
    *stream_push_segment(to) = (struct segment){.at = at, .end = to->bytes.to, .fin = fin};
    set_out(to, at);
}

ssize_t stream_send(struct stream_end *e, const struct iovec *iov, int n)
{
    struct stream_end *peer = stream_peer(e);
    struct scheduler *s = stream_sched(e);
    size_t want = iov_bytes(iov, n), room = e->sndbuf - MIN(e->sndbuf, stream_queued(e)),
           cut;
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
    CHECK(put > 0);
    if (cut > 0) {
        sim_timer_arm(&s->timers, &e->pause, s->now + SHORT_SEND_NS);
    }
    e->nospace = e->nospace || (size_t)put < want;
    stream_send_segment(peer, (size_t)put, false);
    return put;
}
