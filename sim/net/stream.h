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
 *     stream.c         sending, arriving, ending
 *     stream_dial.c    the handshake
 *     stream_path.c    segments on links that are special, and what chance does to them
 *     stream_hold.c    segments that do not get through, or have to wait
 *     stream_corrupt.c wrong bytes
 *     stream_tap.c     what a capture shows of it
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
/* A link lets things pass again. */
void stream_link_healed(struct stream *stream);
/* Ends at both ends, at once; in a handshake the dialler is told. */
void stream_abort(struct stream *stream, int error);
/* Addresses came or went. */
void stream_check_addresses(struct stream *stream);
/* The reader made room, or its node opened its windows. */
void stream_reopen_window(struct stream_end *e);

/* ---- between the files of a stream ---- */

void stream_end_init(struct stream_end *e, struct stream *stream, struct net_link *link);
/* When something that sets out now arrives at this end. */
uint64_t stream_arrival_time(struct stream_end *e, size_t bytes);
/* The connection ends at this end, now, with `error` for SO_ERROR. */
void stream_reset(struct stream_end *e, int error);
/* An RST sets out to `e`. */
void stream_send_rst(struct stream_end *e);
/* What is on its way to `e` never arrives. */
void stream_discard(struct stream_end *e);
/* The timer is set for what comes next. */
void stream_arm(struct stream_end *e);
/* What is due arrives. */
void stream_deliver(struct stream_end *e);
struct segment *stream_push_segment(struct stream_end *e);

/* stream_path.c: the same for a link that is special. */
uint64_t stream_path_time(struct stream_end *e, size_t bytes);
/* The last `bytes` of to->bytes set out, as segments. */
void stream_send_path(struct stream_end *to, size_t bytes, bool fin);
/* How often the packet of a handshake that sets out now is lost on its way. */
bool stream_loses_packet(struct stream_end *to);
/* What a fault of the link is called in the counters. */
void stream_count_fault(const struct net_link *link, enum fault_id id);

/* stream_hold.c: how something fares that is due at this end now. */
enum stream_fate { STREAM_PASSES, STREAM_IS_LOST, STREAM_WAITS };
enum stream_fate stream_fate_of(struct stream_end *e, size_t bytes);
/* Whether that may be anything but STREAM_PASSES. */
static inline bool stream_may_be_held(const struct stream_end *e)
{
    return e->link->blocks || e->gone || e->hole != SIM_PASS ||
           e->link->env->net->down[e->link->to];
}
/* Nothing may pass to `e` now: sees to it that it comes later. False: it may after all. */
bool stream_hold(struct stream_end *e);
/* Something got through again. */
void stream_caught_up(struct stream_end *e);
/* The errno of a router's answer; 0: none comes. */
int stream_block_errno(enum sim_block how);

/* stream_corrupt.c: the last `bytes` of to->bytes become wrong; how many they are now. */
size_t stream_corrupt(struct stream_end *to, size_t bytes, enum sim_corrupt kind,
                      uint64_t salt);

/* stream_tap.c: what the world's tap sees, if there is one; nothing else comes of it. The
 * packet of the handshake's phase: */
void stream_tap_handshake(const struct stream *stream);
/* `bytes` up to the position `end` of to->bytes set out. */
void stream_tap_data(const struct stream_end *to, uint64_t end, size_t bytes, bool fin);
/* The first segment on its way to `to`, sent once more. */
void stream_tap_again(const struct stream_end *to);
/* `e` says how far things have arrived, and how much room it has. */
void stream_tap_ack(const struct stream_end *e);
/* An RST sets out to `to`. */
void stream_tap_rst(const struct stream_end *to);

#endif
