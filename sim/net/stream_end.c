/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_end.c: connections that end without FIN: refused, reset, aborted from outside, or
 * unknown to everybody.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/net/socket.h"
#include "sim/net/stream_impl.h"

/* The end is gone without a FIN. */
void stream_close_with_rst(struct stream_end *e)
{
    CHECK(e->closed);
    e->reset = true;
    e->rst_at = 0;
    stream_discard(e);
    stream_send_rst(stream_peer(e));
}

/* Nobody is left who would get it. */
void stream_tap_last(const struct stream_end *e, bool rst)
{
    struct stream_end *peer = stream_peer((struct stream_end *)e);

    if (e->reset || e->stream->phase < STREAM_ACK) {
        return;
    }
    if (rst || stream_readable(e) > 0) {
        stream_tap_rst(peer);
    } else if (!e->fin_sent) {
        stream_tap_data(peer, peer->bytes.to, 0, true);
    }
}

/* Whoever has it in a queue has not any more. */
void stream_leave_listener(struct stream *stream)
{
    if (stream->listener != NULL) {
        CHECK(stream->listener->n_incoming > 0);
        list_unlink(&stream->of_listener);
        stream->listener->n_incoming--;
        stream->listener = NULL;
    }
}

/* The dialler is told. */
void stream_fail(struct stream *stream, int error)
{
    CHECK(stream->phase < STREAM_ACK);
    stream_leave_listener(stream);
    sim_timer_cancel(&stream_sched(&stream->ends[0])->timers, &stream->timer);
    stream->phase = STREAM_REFUSED;
    stream_reset(&stream->ends[0], error);
}

/* The listener was not told yet, and never will be. False: nobody knows of it any
 * more. */
bool stream_lose_server(struct stream *stream)
{
    struct stream_end *server = &stream->ends[1];

    CHECK(stream->phase == STREAM_ACK);
    stream_leave_listener(stream);
    sim_timer_cancel(&stream_sched(&stream->ends[0])->timers, &stream->timer);
    stream->phase = STREAM_ESTABLISHED;
    if (stream->ends[0].closed) {
        stream_tap_last(server, false);
        stream_free(stream);
        return false;
    }
    server->closed = server->reset = true;
    return true;
}

/* What ends a connection from outside looks like an RST of the other end, if it is that. */
static void tap_abort(const struct stream_end *e, int error)
{
    if (error == ECONNRESET) {
        stream_tap_rst(e);
    }
}

void stream_abort(struct stream *stream, int error)
{
    struct stream_end *client = &stream->ends[0], *server = &stream->ends[1];

    if (stream->phase < STREAM_ACK) {
        tap_abort(client, error);
        stream_fail(stream, error);
        return;
    }
    if (stream->phase == STREAM_ACK && !stream_lose_server(stream)) {
        return;
    }
    for (struct stream_end *e = client; e <= server; e++) {
        if (!e->closed && !e->reset) {
            tap_abort(e, error);
            stream_reset(e, error);
        }
    }
}
