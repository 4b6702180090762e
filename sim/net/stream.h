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
 * comes beside the queue, since no full buffer stops it. No byte is lost on the way, as TCP
 * has it: what does not get through is sent again. Acknowledgements take no time.
 *
 *     stream_dial.c    the handshake
 *     stream.c         receiving, shutting down, closing: an end as its socket uses it
 *     stream_send.c    sending
 *     stream_path.c    segments on links that are special, and what chance does to them
 *     stream_arrive.c  what is due comes in
 *     stream_end.c     endings without FIN
 *     stream_hold.c    segments that do not get through, or have to wait
 *     stream_time.c    when things arrive, and which are lost
 *     stream_corrupt.c wrong bytes
 *     stream_tap.c     what a capture shows of it
 *     stream_base.c    the state of an end
 *
 * Each file uses those below it in this list, and none above.
 */
#ifndef MSGRLAB_SIM_NET_STREAM_H
#define MSGRLAB_SIM_NET_STREAM_H

#include "sim/faults/faults.h"
#include "sim/net/net.h"
#include "sim/node/node.h"
#include "sim/net/ring.h"

struct segment {
    uint64_t at, end; /* when, and up to which byte */
    bool fin;
    bool again; /* it was lost, and comes only because it is sent again */
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
    uint64_t last_at;    /* when the last of them arrives */
    uint64_t rst_at;     /* 0: none comes */
    uint64_t late_since; /* since when nothing gets through; 0: it does */
    uint64_t resend_at,
        resend_ns;          /* meanwhile: the next try, and how long after the last */
    uint32_t packets;       /* segments that set out to this end */
    enum sim_block hole;    /* what they meet (sim_net_blackhole) */
    bool gone;              /* this end's address, or the other's, is not there */
    int icmp;               /* what a router said of what this end sends; 0: nothing */
    struct sim_timer timer; /* the next arrival */
    struct sim_timer pause; /* after a short write: when there is room again */
    size_t sndbuf, rcvbuf;
    bool established;
    bool closed;    /* by close: nobody reads any more */
    bool vanished;  /* its machine lost power: closed, and nobody was told */
    bool shut_read; /* by shutdown */
    bool fin_sent, fin_arrived;
    bool reset;   /* there is no connection any more */
    bool nospace; /* a send or a look found no room: room will be an edge */
    bool stalled; /* the reader's buffer is full */
    int error;    /* for SO_ERROR, once */
};

struct stream {
    struct stream_end ends[2];
    enum stream_phase phase;
    struct sim_timer timer;      /* of the handshake */
    uint32_t tries;              /* packets of it that were lost */
    int why;                     /* STREAM_REFUSED: the error */
    bool lost;                   /* the packet of this phase will not arrive */
    bool jammed;                 /* it waits for the end of a clog */
    bool again;                  /* the packet is sent once more when its time comes */
    struct sim_socket *listener; /* borrowed; who has it in a queue; NULL: nobody */
    struct list of_listener;     /* in sim_socket.incoming or .accepted */
    struct list of_net;
};

struct stream_end *stream_peer(struct stream_end *e);

/* Starts to connect `socket` to `to`. *ret is its end. -ENOMEM, -ENETUNREACH. */
int stream_dial(struct sim_socket *socket, const struct sim_addr *to,
                struct stream_end **ret);
/* poll(2) bits. */
int stream_ready(struct stream_end *e);
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
/* Ends at both ends, at once; in a handshake the dialler is told. */
void stream_abort(struct stream *stream, int error);
/* Addresses came or went. */
void stream_check_addresses(struct stream *stream);
/* The reader made room, or its node opened its windows. */
void stream_reopen_window(struct stream_end *e);

#endif
