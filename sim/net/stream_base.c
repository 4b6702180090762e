/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_base.c: the state of an end and what all else is made of: what it may read and
 * write, its timer, segments that join its queue, bytes given up, and the end of it all.
 * Sends nothing.
 */
#include <errno.h>
#include <poll.h>

#include "engine/util.h"
#include "sim/net/socket.h"
#include "sim/net/stream_impl.h"

struct stream_end *stream_peer(struct stream_end *e)
{
    return e == &e->stream->ends[0] ? &e->stream->ends[1] : &e->stream->ends[0];
}

void stream_notify(struct stream_end *e, int bits)
{
    if (e->socket != NULL) {
        sim_file_notify(&e->socket->file, bits);
    }
}

/* Bytes in this end's send buffer: sent, but not arrived yet. */
size_t stream_queued(const struct stream_end *e)
{
    const struct stream_end *peer = stream_peer((struct stream_end *)e);

    return (size_t)(peer->bytes.to - MIN(peer->acked, peer->bytes.to));
}

size_t stream_readable(const struct stream_end *e)
{
    return (size_t)(e->arrived - e->bytes.from);
}

/* As Linux: there is room for a third of the buffer. */
bool stream_is_writable(const struct stream_end *e)
{
    return !sim_timer_is_armed(&e->pause) && stream_queued(e) / 2 * 3 <= e->sndbuf;
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
        bits |= stream_readable(e) > 0 ? POLLIN : 0;
        bits |= shut_write || stream_is_writable(e) ? POLLOUT : 0;
        e->nospace = e->nospace || !stream_is_writable(e);
    }
    return bits;
}

void stream_tell_room(struct stream_end *e)
{
    if (e->nospace && e->established && stream_is_writable(e)) {
        e->nospace = false;
        stream_notify(e, POLLOUT);
    }
}

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
        sim_timer_cancel(&stream_sched(e)->timers, &e->timer);
    } else {
        sim_timer_arm(&stream_sched(e)->timers, &e->timer, at);
    }
}

void stream_discard(struct stream_end *e)
{
    CHECK(e->bytes.to >= e->arrived);
    e->n = 0;
    e->stalled = false;
    e->late_since = e->resend_at = e->resend_ns = 0;
    e->bytes.to = e->arrived;
    stream_arm(e);
}

void stream_reset(struct stream_end *e, int error)
{
    struct stream_end *peer = stream_peer(e);

    CHECK(error > 0);
    e->reset = true; /* what has arrived can still be read, what has not is lost */
    e->error = error;
    e->rst_at = 0;
    stream_discard(e);
    stream_discard(peer); /* what this end sent is of no use to anybody */
    stream_notify(e, POLLIN | POLLOUT | POLLERR | POLLHUP);
}

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

int stream_take_error(struct stream_end *e)
{
    int error = e->error;

    e->error = 0;
    return -error;
}

/* The node of this end takes nothing now. */
bool stream_is_shut(const struct stream_end *e)
{
    return e->link->env->net->shut[e->link->to];
}

void stream_free(struct stream *stream)
{
    struct scheduler *s = stream_sched(&stream->ends[0]);

    CHECK(stream->ends[0].closed);
    CHECK(stream->ends[0].socket == NULL);
    CHECK(stream->ends[1].socket == NULL);
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
