/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_arrive.c: what is due at an end comes in: data into its buffer, FIN, RST; or it is
 * held up (stream_hold.c). Error codes and their order are those of Linux's TCP.
 */
#include <errno.h>
#include <poll.h>

#include "engine/util.h"
#include "sim/net/stream_impl.h"

static void data_arrived(struct stream_end *e, uint64_t end)
{
    bool is_new = end > e->acked;

    CHECK(end > e->arrived);
    CHECK(end <= e->bytes.to);
    e->arrived = end;
    e->acked = MAX(e->acked, end);
    if (e->closed) { /* nobody will read it: TCP answers with RST */
        e->bytes.from = end;
        if (e->vanished) {
            net_count_fault(e->link, FAULT_L10_HALF_OPEN);
        }
        stream_send_rst(stream_peer(e));
    } else {
        if (is_new) {
            stream_tap_ack(e);
        }
        stream_notify(e, POLLIN);
    }
    stream_tell_room(stream_peer(e));
}

/* Takes in one segment whose time has come; false: its reader's buffer is full. */
static bool take_segment(struct stream_end *e)
{
    struct segment seg = e->segments[e->first];
    size_t room = stream_is_shut(e) ? 0 : e->rcvbuf - MIN(e->rcvbuf, stream_readable(e));
    uint64_t end = e->closed ? seg.end : MIN(seg.end, e->arrived + room);

    CHECK(e->n > 0);
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
            net_count_fault(e->link, FAULT_L10_HALF_OPEN);
            stream_send_rst(stream_peer(e));
        } else {
            stream_tap_ack(e);
        }
        stream_notify(e, POLLIN | POLLHUP);
    }
    e->first = (e->first + 1) & (e->cap - 1);
    e->n--;
    return true;
}

void stream_deliver(struct stream_end *e)
{
    uint64_t now = stream_sched(e)->now;

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
    stream_tell_room(arg);
}

void stream_end_init(struct stream_end *e, struct stream *stream, struct net_link *link)
{
    CHECK(e->stream == NULL); /* once */
    e->stream = stream;
    e->link = link;
    sim_timer_init(&e->timer, on_arrival, e);
    sim_timer_init(&e->pause, on_pause_end, e);
}
