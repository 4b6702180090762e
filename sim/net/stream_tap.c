/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_tap.c: what a capture shows of connections (tap.h): packets where and when they
 * set out, lost ones as well, with the sequence numbers a TCP would give them. Only looks
 * on.
 *
 *     the byte at position p   ISN of who sends it + 1 + p
 *     FIN                      takes one number, as SYN does
 *     sent again               shown when it is lost once more, or arrives at last
 *
 * Wrong bytes are shown wrong, with a checksum that fits: TCP would not let others through.
 * The last packet of a connection is not acknowledged: nobody is left to be told.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/net/stream_impl.h"
#include "sim/net/tap.h"

static struct sim_env *env_of(const struct stream_end *e)
{
    return e->link->env;
}

static const struct stream_end *peer_of(const struct stream_end *e)
{
    return stream_peer((struct stream_end *)e);
}

/* Initial sequence number of what `e` sends. */
static uint32_t isn_of(const struct stream_end *e)
{
    return (uint32_t)e->actor.key;
}

/* What `e` expects next. */
static uint32_t ack_of(const struct stream_end *e)
{
    return isn_of(peer_of(e)) + 1 + (uint32_t)e->acked + (e->fin_arrived ? 1 : 0);
}

static size_t window_of(const struct stream_end *e)
{
    size_t used = (size_t)(e->arrived - e->bytes.from);

    return env_of(e)->net->shut[e->link->to] ? 0 : e->rcvbuf - MIN(e->rcvbuf, used);
}

/* A packet to `to`, as it is without data. */
static struct tap_tcp packet_to(const struct stream_end *to, uint32_t seq, int flags)
{
    const struct stream_end *from = peer_of(to);

    return (struct tap_tcp){.from = &from->local,
                            .to = &to->local,
                            .from_node = to->link->from,
                            .to_node = to->link->to,
                            .seq = seq,
                            .ack = ack_of(from),
                            .flags = flags,
                            .window = window_of(from)};
}

/* The number of the position `at` of to->bytes. */
static uint32_t seq_at(const struct stream_end *to, uint64_t at)
{
    return isn_of(peer_of(to)) + 1 + (uint32_t)at;
}

static void tap_packet(const struct stream_end *to, uint32_t seq, int flags)
{
    struct tap_tcp packet = packet_to(to, seq, flags);

    if (tap_is_on(env_of(to))) {
        tap_tcp(env_of(to), &packet, NULL, 0);
    }
}

void stream_tap_handshake(const struct stream *stream)
{
    const struct stream_end *client = &stream->ends[0], *server = &stream->ends[1];

    switch (stream->phase) {
    case STREAM_SYN:
        tap_packet(server, isn_of(client), TAP_SYN);
        break;
    case STREAM_SYN_ACK:
        tap_packet(client, isn_of(server), TAP_SYN | TAP_ACK);
        break;
    case STREAM_REFUSED:
        if (stream->why == ECONNREFUSED) { /* else a router says it */
            tap_packet(client, 0, TAP_RST | TAP_ACK);
        }
        break;
    case STREAM_ACK:
        stream_tap_ack(client);
        break;
    case STREAM_ESTABLISHED:
        break;
    }
}

/* The positions [from, end) of to->bytes, in packets of the size of TCP's. */
static void tap_bytes(const struct stream_end *to, uint64_t from, uint64_t end, bool fin)
{
    uint8_t bytes[TAP_TCP_PAYLOAD];

    do {
        size_t n = MIN((size_t)(end - from), sizeof(bytes));
        bool is_last = from + n == end;
        struct tap_tcp packet = packet_to(to, seq_at(to, from), TAP_ACK);

        packet.flags |= (is_last && n > 0 ? TAP_PSH : 0) | (is_last && fin ? TAP_FIN : 0);
        ring_peek(&to->bytes, from, bytes, n);
        tap_tcp(env_of(to), &packet, bytes, n);
        from += n;
    } while (from < end);
}

void stream_tap_data(const struct stream_end *to, uint64_t end, size_t bytes, bool fin)
{
    if (tap_is_on(env_of(to))) {
        tap_bytes(to, end - bytes, end, fin);
    }
}

void stream_tap_again(const struct stream_end *to)
{
    const struct segment *first = &to->segments[to->first];
    uint64_t from = MAX(to->arrived, to->acked);

    if (tap_is_on(env_of(to)) && to->n > 0 && (first->end > from || first->fin)) {
        tap_bytes(to, MIN(from, first->end), first->end, first->fin);
    }
}

void stream_tap_ack(const struct stream_end *e)
{
    const struct stream_end *peer = peer_of(e);

    tap_packet(peer, seq_at(peer, peer->bytes.to) + (e->fin_sent ? 1 : 0), TAP_ACK);
}

void stream_tap_rst(const struct stream_end *to)
{
    bool fin_sent = peer_of(to)->fin_sent;

    tap_packet(to, seq_at(to, to->bytes.to) + (fin_sent ? 1 : 0), TAP_RST | TAP_ACK);
}
