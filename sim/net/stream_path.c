/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_path.c: segments on links that are special, and what chance does to them.
 *
 *     what was sent --> pieces --> rate, queue --> latency, jitter, losses --> slot
 *
 * A lost segment arrives when it is sent again: its delay is known when it sets out, and
 * what is behind it comes no sooner. Plain links never get here.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/net/socket.h"

#define PIECE_NS 1000   /* between two segments of one send, so that each is seen */
#define RETRIES_MAX 6   /* so often in a row chance may lose one segment */
#define CALM 10         /* a drawn cut is followed by so many times its length without */
#define DRAWN_PIECES 64 /* so many small ones are made of one send by chance */
#define CORRUPT_PLACES 4096 /* that a draw tells apart */

static struct scheduler *sched_of(const struct net_link *link)
{
    return link->env->sched;
}

/* ---- choices ---------------------------------------------------------------------- */

/* A hash for the choice that comes next at the site. */
static uint64_t hash_of_choice(const struct sim_decisions *d, enum sim_site site,
                               const struct sim_actor *actor)
{
    return sim_mix(sim_mix(d->seed, actor->key), (uint64_t)site << 32 | actor->seen[site]);
}

/* Choices about a segment are numbered like the segments. */
static void number_choice(struct stream_end *to, enum sim_site site)
{
    to->actor.seen[site] = to->packets;
}

/* Whether the fault happens to the segment that sets out; *ret has what was said or drawn
 * (1 .. n). `rate`: of the link itself. */
static bool strikes(struct stream_end *to, enum fault_id id, uint16_t rate, uint64_t n,
                    struct fault_shot *ret)
{
    const struct net_link *link = to->link;
    struct sim_decisions *d = link->env->decisions;
    struct sim_faults *faults = link->env->net->faults;
    enum sim_site site = (enum sim_site)fault_info(id)->decision;
    struct fault_place place = {.node = link->names[0],
                                .peer = link->names[1],
                                .thread = "",
                                .actor = &to->actor,
                                .now_ns = sched_of(link)->now};
    uint64_t hash;

    number_choice(to, site);
    if (rate == 0) {
        return faults != NULL && sim_faults_wants(faults, id) &&
               sim_faults_ask(faults, id, &place, n, ret);
    }
    hash = hash_of_choice(d, site, &to->actor);
    hash = sim_decide(d, site, &to->actor, n + 1,
                      (hash & 1023) < rate ? 1 + (hash >> 10) % n : 0);
    *ret = (struct fault_shot){.draw = hash, .is_drawn = true};
    if (hash != 0) {
        stream_count_fault(link, id);
    }
    return hash != 0;
}

/* What the rule said, or what was drawn from the table. */
static uint64_t pick_time(const struct fault_shot *shot, const uint64_t *table, size_t n)
{
    return shot->time_ns != 0 ? shot->time_ns : table[(shot->draw - 1) % n];
}

/* ---- time ------------------------------------------------------------------------- */

/* The exponential distribution in 32 steps of equal probability, of 1024. */
static const uint16_t exponential[32] = {
    4,   12,  20,  29,  37,  46,  56,  66,  76,  87,  98,  110, 122, 135, 149, 163,
    178, 195, 212, 231, 252, 274, 299, 326, 357, 392, 434, 483, 545, 628, 753, 1024};

static uint64_t shape_jitter(enum sim_jitter_shape shape, uint64_t hash, uint64_t max)
{
    uint64_t fine = hash >> 10, low, high;

    switch (shape) {
    case SIM_JITTER_EXP:
        low = hash % 32 == 0 ? 0 : exponential[hash % 32 - 1];
        high = exponential[hash % 32];
        return (max / 1024) * low + fine % (max / 1024 * (high - low) + 1);
    case SIM_JITTER_TAIL:
        return hash % 16 != 0 ? fine % (max / 16 + 1) : max - fine % (max / 2 + 1);
    case SIM_JITTER_UNIFORM:
        break;
    }
    return fine % (max + 1);
}

static uint64_t draw_jitter(struct stream_end *e)
{
    const struct sim_link *is = &e->link->is;
    struct sim_decisions *d = e->link->env->decisions;
    uint64_t hash;

    if (is->jitter_ns == 0) {
        return 0;
    }
    if (is->jitter_shape == SIM_JITTER_UNIFORM) {
        return sim_pick(d, SIM_SITE_JITTER, &e->actor, is->jitter_ns + 1);
    }
    hash = hash_of_choice(d, SIM_SITE_JITTER, &e->actor);
    return sim_decide(d, SIM_SITE_JITTER, &e->actor, is->jitter_ns + 1,
                      shape_jitter(is->jitter_shape, hash, is->jitter_ns));
}

/* How long it takes to go over a line. */
static uint64_t transit_ns(uint64_t bytes, uint64_t bytes_per_sec)
{
    return bytes_per_sec > 0 ? bytes * NSEC_PER_SEC / bytes_per_sec : 0;
}

/* Whether so many bytes fit in front of the line at that time. */
static bool has_room(uint64_t free_at, uint64_t at, uint64_t bytes, uint64_t rate,
                     uint64_t queue)
{
    uint64_t waits = free_at > at ? free_at - at : 0;

    if (queue == 0 || rate == 0 || waits == 0) {
        return true; /* a single segment always goes */
    }
    return (uint64_t)((unsigned __int128)waits * rate / NSEC_PER_SEC) + bytes <= queue;
}

static bool both_have_room(const struct net_link *link, uint64_t at, uint64_t bytes)
{
    const struct net_line *line = link->line;

    return has_room(link->free_at, at, bytes, link->is.bytes_per_sec,
                    link->is.queue_bytes) &&
           (line == NULL ||
            has_room(line->free_at, at, bytes, line->bytes_per_sec, line->queue_bytes));
}

/* When the last byte has left; the lines are busy until then. `at`: when it sets out,
 * which is later than now if it comes again: nobody waits for it then. */
static uint64_t leave_lines(struct net_link *link, uint64_t at, uint64_t bytes)
{
    bool is_first = at == sched_of(link)->now;
    uint64_t left = MAX(at, link->free_at) + transit_ns(bytes, link->is.bytes_per_sec);

    if (link->is.bytes_per_sec == 0) {
        left = at;
    } else if (is_first) {
        link->free_at = left;
    }
    if (link->line != NULL) {
        left =
            MAX(left, link->line->free_at) + transit_ns(bytes, link->line->bytes_per_sec);
        if (is_first) {
            link->line->free_at = left;
        }
    }
    return left;
}

/* The time after which it is sent for the k-th time. */
static uint64_t resend_after(const struct net_link *link, uint64_t k)
{
    const struct sim_world_opts *opts = link->env->opts;
    uint64_t ns = opts->resend_ns + 2 * link->is.latency_ns, sum = 0;

    for (uint64_t i = 0; i < k; i++) {
        sum += ns;
        ns = MIN(ns * 2, opts->resend_max_ns);
    }
    return sum;
}

/* When so many bytes that set out at `at` come out at the other side. */
static uint64_t cross(struct stream_end *e, uint64_t at, size_t bytes)
{
    struct net_link *link = e->link;
    uint64_t slot = link->is.slot_ns;

    at = leave_lines(link, at, bytes + link->is.overhead);
    at += link->is.latency_ns + draw_jitter(e);
    return slot != 0 ? (at + slot - 1) / slot * slot : at;
}

uint64_t stream_path_time(struct stream_end *e, size_t bytes)
{
    e->last_at = MAX(e->last_at, cross(e, sched_of(e->link)->now, bytes));
    return e->last_at;
}

/* ---- loss ------------------------------------------------------------------------- */

/* How often in a row chance loses the segment, if the link has a rate of it. */
static uint64_t propose_losses(const struct sim_link *is, bool in_burst, uint64_t hash)
{
    uint64_t times = 0;
    uint16_t rate = in_burst ? MAX(is->loss, is->loss_burst) : is->loss;

    while (times < RETRIES_MAX && (hash & 1023) < rate) {
        times++;
        rate = MAX(is->loss, is->loss_burst);
        hash = sim_mix(hash, times);
    }
    return times;
}

static uint64_t count_losses(struct stream_end *to)
{
    struct net_link *link = to->link;
    struct sim_decisions *d = link->env->decisions;
    const struct sim_link *is = &link->is;
    struct fault_shot shot;
    uint64_t times = 0, hash;

    link->segments++;
    if (is->loss != 0) {
        number_choice(to, SIM_SITE_L03_LOSS);
        hash = hash_of_choice(d, SIM_SITE_L03_LOSS, &to->actor);
        times = sim_decide(d, SIM_SITE_L03_LOSS, &to->actor, RETRIES_MAX + 1,
                           propose_losses(is, link->lost, hash));
        link->lost = times != 0;
        if (times != 0) {
            stream_count_fault(link, FAULT_L03_LINK_LOSS);
        }
    } else if (strikes(to, FAULT_L03_LOSS, 0, 3, &shot)) {
        times = shot.value != 0 ? MIN(shot.value, (uint64_t)RETRIES_MAX) : shot.draw;
    }
    if (is->loss_nth != 0 && link->segments % is->loss_nth == 0) {
        stream_count_fault(link, FAULT_L03_LINK_LOSS);
        times = MAX(times, (uint64_t)1);
    }
    link->stats.dropped += times;
    return times;
}

bool stream_loses_packet(struct stream_end *to)
{
    const struct net *net = to->link->env->net;

    to->packets++;
    if (!to->link->special &&
        (net->faults == NULL || !sim_faults_wants_packets(net->faults))) {
        return false;
    }
    return count_losses(to) != 0;
}

/* ---- one segment ------------------------------------------------------------------ */

/* Time that chance adds. */
static uint64_t extra_delay(struct stream_end *to)
{
    static const uint64_t spikes[] = {NSEC_PER_MSEC, 10 * NSEC_PER_MSEC,
                                      100 * NSEC_PER_MSEC};
    struct fault_shot shot;
    uint64_t ns = 0;

    if (strikes(to, FAULT_L01_SPIKE, 0, ARRAY_SIZE(spikes), &shot)) {
        ns += pick_time(&shot, spikes, ARRAY_SIZE(spikes));
    }
    if (strikes(to, FAULT_L05_REORDER, 0, 1000, &shot)) {
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

    if (!strikes(to, FAULT_L14_SLOT, 0, ARRAY_SIZE(slots), &shot)) {
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
    uint64_t now = sched_of(link)->now, at, tries = 0;

    while (!both_have_room(link, now + resend_after(link, tries),
                           piece->bytes + link->is.overhead)) {
        tries++;
        link->stats.dropped++;
        stream_count_fault(link, FAULT_L02_QUEUE);
    }
    tries += piece->asks ? count_losses(to) : 0;
    at = cross(to, now + resend_after(link, tries), piece->bytes);
    if (tries != 0) {
        link->stats.stalled_ns += resend_after(link, tries);
    }
    *ret_again = tries != 0;
    return piece->asks ? next_slot(to, at + extra_delay(to)) : at;
}

/* ---- what chance does to links and connections ------------------------------------ */

/* For how long, if it is to be; drawn ones leave the link in peace for a while. */
static uint64_t stop_time(struct stream_end *to, enum fault_id id)
{
    static const uint64_t times[] = {100 * NSEC_PER_MSEC, NSEC_PER_SEC, 3 * NSEC_PER_SEC};
    uint64_t now = sched_of(to->link)->now, ns;
    struct fault_shot shot;

    if (!strikes(to, id, 0, ARRAY_SIZE(times), &shot)) {
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
    uint64_t now = sched_of(link)->now;
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

/* Whether the connection ended. */
static bool maybe_break(struct stream_end *to)
{
    struct stream_end *from = stream_peer(to);
    struct fault_shot shot;

    if (strikes(to, FAULT_L08_SILENCE, 0, 1, &shot)) {
        to->hole = from->hole = SIM_SILENT;
    }
    if (to->reset || from->closed || !strikes(to, FAULT_L08_RESET, 0, 1, &shot)) {
        return false;
    }
    to->link->stats.resets++;
    stream_abort(to->stream, ECONNRESET);
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
        stream_count_fault(link, FAULT_L15_LINK_CORRUPT);
    } else if (strikes(to, FAULT_L15_CORRUPT, link->is.corrupt,
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
    if (strikes(to, FAULT_L09_PIECES, 0, ARRAY_SIZE(sizes), &shot)) {
        cut.bytes = MIN(mtu, shot.value != 0 ? shot.value : sizes[shot.draw - 1]);
        cut.n = shot.is_drawn ? DRAWN_PIECES : UINT32_MAX;
    }
    return cut;
}

static void send_piece(struct stream_end *to, const struct piece *piece)
{
    bool again;
    uint64_t at = piece_time(to, piece, &again);

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

void stream_send_path(struct stream_end *to, size_t bytes, bool fin)
{
    struct cut cut;
    size_t left;

    to->packets++;
    maybe_stop_link(to);
    if (maybe_break(to)) {
        return;
    }
    left = maybe_corrupt(to, bytes);
    if (left == 0 && !fin) {
        return; /* it was all that there was */
    }
    cut = choose_cut(to, bytes);
    send_pieces(to, left, &cut, fin);
    if (to->segments[to->first].at <= sched_of(to->link)->now) {
        stream_deliver(to);
    } else if (!sim_timer_is_armed(&to->timer)) {
        stream_arm(to);
    }
}
