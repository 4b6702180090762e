/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h: a connection: two ends and the bytes between them. Used by socket.c and net.c.
 *
 *        end 0 (dialled)                                       end 1 (accepted)
 *        send --> [ sent by 0, arriving at 1, arrived at 1 ] --> recv      ends[1].bytes
 *        recv <-- [ arrived at 0, arriving at 0, sent by 1 ] <-- send      ends[0].bytes
 *
 * The bytes on their way to an end are kept with that end, in one ring:
 *
 *        from             arrived                 to
 *         |  may be read   |  segments on the way  |
 *         '-- <= rcvbuf ---'-- <= peer's sndbuf ---'
 *
 * A segment is up to which byte something arrives, and when; FIN is a flag on the last. RST
 * comes beside the queue, since no full buffer stops it. Nothing is lost on the way, as TCP
 * has it: what cannot pass waits. Acknowledgements take no time.
 */
#ifndef MSGRLAB_SIM_STREAM_H
#define MSGRLAB_SIM_STREAM_H

#include "sim/net.h"
#include "sim/node.h"
#include "sim/ring.h"

struct segment {
    uint64_t at, end; /* when, and up to which byte */
    bool fin;
};

enum stream_phase {
    STREAM_SYN,     /* on its way to the listener */
    STREAM_SYN_ACK, /* on its way back */
    STREAM_REFUSED, /* RST on its way back, or there */
    STREAM_ACK,     /* on its way: the dialler is connected, the listener not yet told */
    STREAM_ESTABLISHED, /* both know */
};

struct stream_end {
    struct stream *stream;
    struct sim_socket *socket; /* borrowed; NULL: not accepted yet, or closed */
    struct sim_actor actor;    /* "a>b.1" */
    struct net_link *link;     /* by which things come to this end */
    struct sim_addr local;
    struct ring bytes;
    uint64_t arrived;
    uint64_t acked; /* as far as it ever had arrived: no longer in the peer's sndbuf */
    struct segment *segments; /* owned; a ring of `cap` places */
    uint32_t first, n, cap;
    uint64_t last_at;       /* when the last of them arrives */
    uint64_t rst_at;        /* 0: none comes */
    struct sim_timer timer; /* the next arrival */
    struct sim_timer pause; /* after a short write: when there is room again */
    size_t sndbuf, rcvbuf;
    bool established;
    bool closed;    /* by close: nobody reads any more */
    bool vanished;  /* its machine lost power: closed, and nobody was told */
    bool shut_read; /* by shutdown */
    bool fin_sent, fin_arrived;
    bool reset;   /* there is no connection any more */
    bool nospace; /* a send found no room: room will be an edge */
    bool stalled; /* the reader's buffer is full */
    int error;    /* for SO_ERROR, once */
};

struct stream {
    struct stream_end ends[2];
    enum stream_phase phase;
    struct sim_timer timer;      /* of the handshake */
    uint32_t tries;              /* packets of it that were lost */
    struct sim_socket *listener; /* borrowed; who has it in a queue; NULL: nobody */
    struct list of_listener;     /* in sim_socket.incoming or .accepted */
    struct list of_net;
};

struct stream_end *stream_peer(struct stream_end *e);

/* Starts to connect `socket` to `to`. *ret is its end. -ENOMEM, -ENETUNREACH. */
int stream_dial(struct sim_socket *socket, const struct sim_addr *to,
                struct stream_end **ret);
/* poll(2) bits. */
int stream_ready(const struct stream_end *e);
/* As the os slots, for an end that exists. */
ssize_t stream_recv(struct stream_end *e, void *buf, size_t len);
ssize_t stream_send(struct stream_end *e, const struct iovec *iov, int n);
int stream_shutdown(struct stream_end *e, int how);
/* 0 or a negative errno, which is gone then. */
int stream_take_error(struct stream_end *e);
/* The socket lets go of its end; `rst`: at once, unread or not. */
void stream_close(struct stream_end *e, bool rst);
/* The machine of this end loses its power: nothing is sent, nothing more arrives. */
void stream_vanish(struct stream_end *e);
/* The same, for a stream that nobody accepted. */
void stream_forget(struct stream *stream);
/* The listener of a stream that nobody accepted goes away. */
void stream_refuse(struct stream *stream);
/* A link lets things pass again. */
void stream_link_healed(struct stream *stream);

/* ---- between stream.c and stream_dial.c ---- */

void stream_end_init(struct stream_end *e, struct stream *stream, struct net_link *link);
/* When something that sets out now arrives at this end. */
uint64_t stream_arrival_time(struct stream_end *e, size_t bytes);
/* The connection ends at this end, now, with `error` for SO_ERROR. */
void stream_reset(struct stream_end *e, int error);

#endif
