/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_impl.h: what the files of a stream give each other, from the lowest up (stream.h
 * has their list).
 */
#ifndef MSGRLAB_SIM_NET_STREAM_IMPL_H
#define MSGRLAB_SIM_NET_STREAM_IMPL_H

#include "sim/net/stream.h"

static inline struct scheduler *stream_sched(const struct stream_end *e)
{
    return e->link->env->sched;
}

/* ---- stream_base.c ---- */

/* Its socket, if it has one, has become ready in these ways. */
void stream_notify(struct stream_end *e, int bits);
/* Bytes in this end's send buffer: sent, but not arrived yet. */
size_t stream_queued(const struct stream_end *e);
size_t stream_readable(const struct stream_end *e);
bool stream_is_writable(const struct stream_end *e);
/* The node of this end takes nothing now. */
bool stream_is_shut(const struct stream_end *e);
/* Who waited for room is told, if there is some. */
void stream_tell_room(struct stream_end *e);
/* The timer is set for what comes next. */
void stream_arm(struct stream_end *e);
/* What is on its way to `e` never arrives. */
void stream_discard(struct stream_end *e);
/* The connection ends at this end, now, with `error` for SO_ERROR. */
void stream_reset(struct stream_end *e, int error);
struct segment *stream_push_segment(struct stream_end *e);
void stream_free(struct stream *stream);

/* ---- stream_tap.c: what a tap sees, if there is one; nothing else comes of it ---- */

/* The packet of the handshake's phase. */
void stream_tap_handshake(const struct stream *stream);
/* `bytes` up to the position `end` of to->bytes set out. */
void stream_tap_data(const struct stream_end *to, uint64_t end, size_t bytes, bool fin);
/* The first segment on its way to `to`, sent once more. */
void stream_tap_again(const struct stream_end *to);
/* `e` says how far things have arrived, and how much room it has. */
void stream_tap_ack(const struct stream_end *e);
/* An RST sets out to `to`. */
void stream_tap_rst(const struct stream_end *to);

/* ---- stream_corrupt.c ---- */

/* The last `bytes` of to->bytes become wrong; how many they are now. */
size_t stream_corrupt(struct stream_end *to, size_t bytes, enum sim_corrupt kind,
                      uint64_t salt);

/* ---- stream_time.c ---- */

/* When something that sets out now arrives at this end. */
uint64_t stream_arrival_time(struct stream_end *e, size_t bytes);
/* When so many bytes that set out at `at` come out at the other side. */
uint64_t stream_cross(struct stream_end *e, uint64_t at, size_t bytes);
/* Whether they fit in front of the link's lines at that time. */
bool stream_has_room(const struct net_link *link, uint64_t at, uint64_t bytes);
/* The time after which something is sent for the k-th time. */
uint64_t stream_resend_after(const struct net_link *link, uint64_t k);
/* How often in a row the segment that sets out is lost. */
uint64_t stream_count_losses(struct stream_end *to);
/* Whether the packet of a handshake that sets out now is lost on its way. */
bool stream_loses_packet(struct stream_end *to);
/* Whether the fault happens to the segment that sets out; *ret has what was said or drawn
 * (1 .. n). `rate`: of the link itself. */
bool stream_strikes(struct stream_end *to, enum fault_id id, uint16_t rate, uint64_t n,
                    struct fault_shot *ret);
/* An RST sets out to `e`. */
void stream_send_rst(struct stream_end *e);

/* ---- stream_hold.c ---- */

/* How something fares that is due at this end now. */
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

/* ---- stream_end.c ---- */

/* The end is gone without a FIN. */
void stream_close_with_rst(struct stream_end *e);
/* Shows the last packet of a stream of which nobody else knows any more. */
void stream_tap_last(const struct stream_end *e, bool rst);
/* Whoever has it in a queue has not any more. */
void stream_leave_listener(struct stream *stream);
/* A handshake fails, and the dialler is told. */
void stream_fail(struct stream *stream, int error);
/* The listener was not told yet, and never will be. False: nobody knows of it any more, and
 * it is freed. */
bool stream_lose_server(struct stream *stream);

/* ---- stream_arrive.c ---- */

void stream_end_init(struct stream_end *e, struct stream *stream, struct net_link *link);
/* What is due arrives. */
void stream_deliver(struct stream_end *e);

/* ---- stream_path.c ---- */

enum stream_path_verdict {
    STREAM_SENDS,         /* segments are in the queue */
    STREAM_SENDS_NOTHING, /* chance took all there was */
    STREAM_BREAKS,        /* the connection is to end, with ECONNRESET */
};
/* Makes segments of the last `bytes` of to->bytes, and says what is to be done. */
enum stream_path_verdict stream_send_path(struct stream_end *to, size_t bytes, bool fin);

/* ---- stream_send.c ---- */

/* What was put into `to`'s ring sets out. */
void stream_send_segment(struct stream_end *to, size_t bytes, bool fin);

#endif
