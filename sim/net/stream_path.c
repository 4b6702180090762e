/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_path.c: segments on links that are special, and what chance does to them.
 *
 *     what was sent --> pieces --> rate, queue --> latency, jitter, losses --> slot
 *
 * A lost segment arrives when it is sent again: its delay is known when it sets out, and
 * what is behind it comes no sooner. Plain links never get here. What comes of the
 * segments, and of a verdict that the connection ends, is done in stream_send.c.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/net/stream_impl.h"

#define PIECE_NS 1000   /* between two segments of one send, so that each is seen */
#define CALM 10         /* a drawn cut is followed by so many times its length without */
#define DRAWN_PIECES 64 /* so many small ones are made of one send by chance */
#define CORRUPT_PLACES 4096 /* that a draw tells apart */

/* What the rule said, or what was drawn from the table. */
static uint64_t pick_time(const struct fault_shot *shot, const uint64_t *table, size_t n)
{
    return shot->time_ns != 0 ? shot->time_ns : table[(shot->draw - 1) % n];
}

/* ---- one segment ------------------------------------------------------------------ */

/* Time that chance adds. */
static uint64_t extra_delay(struct stream_end *to)
{
    static const uint64_t spikes[] = {NSEC_PER_MSEC, 10 * NSEC_PER_MSEC,
                                      100 * NSEC_PER_MSEC};
    struct fault_shot shot;
    uint64_t ns = 0;

    if (stream_strikes(to, FAULT_L01_SPIKE, 0, ARRAY_SIZE(spikes), &shot)) {
        ns += pick_time(&shot, spikes, ARRAY_SIZE(spikes));
    }
    if (stream_strikes(to, FAULT_L05_REORDER, 0, 1000, &shot)) {
        ns += shot.time_ns != 0 ? shot.time_ns : shot.draw * NSEC_PER_USEC;
    }
    return ns;
}

static uint64_t next_slot(struct stream_end *to, uint64_t at)
{
    static const uint64_t slots[] = {100 * NSEC_PER_USEC, NSEC_PER_MSEC,
                                     10 * NSEC_PER_MSEC};
    struct fault_shot shot;
    uint64_t slot;

    if (!stream_strikes(to, FAULT_L14_SLOT, 0, ARRAY_SIZE(slots), &shot)) {
        return at;
    }
    slot = pick_time(&shot, slots, ARRAY_SIZE(slots));
    return (at + slot - 1) / slot * slot;
}

struct piece {
    size_t bytes;
    uint64_t end; /* up to here */
    bool fin;
    bool apart; /* not at the instant of the one before */
    bool asks;  /* chance has a say in it */
};

/* When it arrives; *ret_again: only because it is sent again. */
static uint64_t piece_time(struct stream_end *to, const struct piece *piece,
                           bool *ret_again)
{
    struct net_link *link = to->link;
    uint64_t now = link->env->sched->now, at, tries = 0;

    while (!stream_has_room(link, now + stream_resend_after(link, tries),
                            piece->bytes + link->is.overhead)) {
        tries++;
        link->stats.dropped++;
        net_count_fault(link, FAULT_L02_QUEUE);
    }
    tries += piece->asks ? stream_count_losses(to) : 0;
    at = stream_cross(to, now + stream_resend_after(link, tries), piece->bytes);
    if (tries != 0) {
        link->stats.stalled_ns += stream_resend_after(link, tries);
    }
    *ret_again = tries != 0;
    return piece->asks ? next_slot(to, at + extra_delay(to)) : at;
}

/* ---- what chance does to links and connections ------------------------------------ */

/* For how long, if it is to be; drawn ones leave the link in peace for a while. */
static uint64_t stop_time(struct stream_end *to, enum fault_id id)
{
    static const uint64_t times[] = {100 * NSEC_PER_MSEC, NSEC_PER_SEC, 3 * NSEC_PER_SEC};
    uint64_t now = stream_sched(to)->now, ns;
    struct fault_shot shot;

    if (!stream_strikes(to, id, 0, ARRAY_SIZE(times), &shot)) {
        return 0;
    }
    ns = pick_time(&shot, times, ARRAY_SIZE(times));
    if (shot.is_drawn) {
        if (now < to->link->calm_until) {
            return 0;
        }
        to->link->calm_until = now + (1 + CALM) * ns;
    }
    return ns;
}

static void maybe_stop_link(struct stream_end *to)
{
    struct net_link *link = to->link, *back = net_link_back(link);
    uint64_t now = link->env->sched->now;
    uint64_t blink = stop_time(to, FAULT_L06_BLINK), clog = stop_time(to, FAULT_L07_CLOG);

    if (blink != 0) {
        link->blink_until = back->blink_until = MAX(link->blink_until, now + blink);
        net_link_changed(back);
    }
    if (clog != 0 && link->clog_until < now + clog) {
        link->clog_from = now;
        link->clog_until = now + clog;
        link->clog_port = 0;
    }
    if (blink != 0 || clog != 0) {
        net_link_changed(link);
    }
}

/* Whether the connection is to end here. */
static bool breaks(struct stream_end *to)
{
    struct stream_end *from = stream_peer(to);
    struct fault_shot shot;

    if (stream_strikes(to, FAULT_L08_SILENCE, 0, 1, &shot)) {
        to->hole = from->hole = SIM_SILENT;
    }
    if (to->reset || from->closed || !stream_strikes(to, FAULT_L08_RESET, 0, 1, &shot)) {
        return false;
    }
    to->link->stats.resets++;
    return true;
}

/* How many of the bytes are left when some are made wrong. */
static size_t maybe_corrupt(struct stream_end *to, size_t bytes)
{
    struct net_link *link = to->link;
    struct fault_shot shot = {0};
    enum sim_corrupt kind = SIM_CORRUPT_NONE;
    uint64_t salt = 0;

    if (bytes == 0) {
        return 0;
    }
    if (link->corrupt_kind != SIM_CORRUPT_NONE && --link->corrupt_in == 0) {
        kind = link->corrupt_kind;
        salt = to->packets;
        link->corrupt_kind = SIM_CORRUPT_NONE;
        net_link_changed(link);
        net_count_fault(link, FAULT_L15_LINK_CORRUPT);
    } else if (stream_strikes(to, FAULT_L15_CORRUPT, link->is.corrupt,
                              (SIM_CORRUPT_COUNT - 1) * CORRUPT_PLACES, &shot)) {
        salt = (shot.draw - 1) / (SIM_CORRUPT_COUNT - 1);
        kind = (enum sim_corrupt)(1 + (shot.draw - 1) % (SIM_CORRUPT_COUNT - 1));
        if (shot.value != 0) {
            kind = (enum sim_corrupt)MIN(shot.value, (uint64_t)SIM_CORRUPT_COUNT - 1);
            salt = to->packets;
        }
    }
    if (kind == SIM_CORRUPT_NONE) {
        return bytes;
    }
    link->stats.corrupted++;
    return stream_corrupt(to, bytes, kind, salt);
}

/* ---- sending ---------------------------------------------------------------------- */

/* How what is sent is cut. */
struct cut {
    size_t bytes;   /* of a piece */
    uint32_t n;     /* so many have that size ... */
    size_t rest;    /* and the others this one */
    uint32_t count; /* so many there would be without chance */
};

static struct cut choose_cut(struct stream_end *to, size_t bytes)
{
    static const uint64_t sizes[] = {1, 2, 31, 32, 33, 100, 536, 1448};
    size_t mtu = to->link->is.mtu != 0 ? to->link->is.mtu : MAX(bytes, (size_t)1);
    struct cut cut = {.bytes = mtu, .n = UINT32_MAX, .rest = mtu};
    struct fault_shot shot;

    cut.count = (uint32_t)MAX((bytes + mtu - 1) / mtu, (size_t)1);
    if (stream_strikes(to, FAULT_L09_PIECES, 0, ARRAY_SIZE(sizes), &shot)) {
        cut.bytes = MIN(mtu, shot.value != 0 ? shot.value : sizes[shot.draw - 1]);
        cut.n = shot.is_drawn ? DRAWN_PIECES : UINT32_MAX;
    }
    return cut;
}

static void send_piece(struct stream_end *to, const struct piece *piece)
{
    bool again;
    uint64_t at = piece_time(to, piece, &again);

    CHECK(piece->end <= to->bytes.to);
    stream_tap_data(to, piece->end, piece->bytes, piece->fin);
    to->last_at = MAX(to->last_at + (piece->apart ? PIECE_NS : 0), at);
    *stream_push_segment(to) = (struct segment){
        .at = to->last_at, .end = piece->end, .fin = piece->fin, .again = again};
    to->link->stats.segments++;
    to->link->stats.bytes += piece->bytes;
}

/* Pieces that only chance made are not numbered, so that it moves no other choice. */
static void send_pieces(struct stream_end *to, size_t bytes, const struct cut *cut,
                        bool fin)
{
    uint32_t first = to->packets;
    size_t left = bytes;

    CHECK(cut->count > 0);
    for (uint32_t k = 0; k == 0 || left > 0; k++) {
        struct piece piece = {.bytes = MIN(k < cut->n ? cut->bytes : cut->rest, left)};

        piece.apart = piece.bytes < bytes;
        left -= piece.bytes;
        piece.end = to->bytes.to - left;
        piece.fin = fin && left == 0;
        piece.asks = k < cut->count;
        to->packets = first + MIN(k, cut->count - 1);
        send_piece(to, &piece);
    }
    to->packets = first + cut->count - 1;
}

enum stream_path_verdict stream_send_path(struct stream_end *to, size_t bytes, bool fin)
{
    struct cut cut;
    size_t left;

    CHECK(bytes <= ring_used(&to->bytes));
    to->packets++;
    maybe_stop_link(to);
    if (breaks(to)) {
        return STREAM_BREAKS;
    }
    left = maybe_corrupt(to, bytes);
    if (left == 0 && !fin) {
        return STREAM_SENDS_NOTHING; /* it was all that there was */
    }
    cut = choose_cut(to, bytes);
    send_pieces(to, left, &cut, fin);
    return STREAM_SENDS;
}
