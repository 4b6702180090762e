/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_time.c: when something that sets out arrives, and whether chance loses it on its
 * way: rate, queue, latency, jitter, slots, losses of a link. Decides and counts; what
 * comes of it is done by who asked.
 */
#include "engine/util.h"
#include "sim/net/stream_impl.h"

#define RETRIES_MAX 6 /* so often in a row chance may lose one segment */

/* ---- choices ---------------------------------------------------------------------- */

/* Choices about a segment are numbered like the segments. */
static void number_choice(struct stream_end *to, enum sim_site site)
{
    to->actor.seen[site] = to->packets;
}

/* Whether the fault happens to the segment that sets out; *ret has what was said or drawn
 * (1 .. n). `rate`: of the link itself. */
bool stream_strikes(struct stream_end *to, enum fault_id id, uint16_t rate, uint64_t n,
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
                                .now_ns = link->env->sched->now};
    uint64_t hash;

    number_choice(to, site);
    if (rate == 0) {
        return faults != NULL && sim_faults_wants(faults, id) &&
               sim_faults_ask(faults, id, &place, n, ret);
    }
    hash = sim_hash_of_choice(d, site, &to->actor);
    hash = sim_decide(d, site, &to->actor, n + 1,
                      (hash & 1023) < rate ? 1 + (hash >> 10) % n : 0);
    *ret = (struct fault_shot){.draw = hash, .is_drawn = true};
    if (hash != 0) {
        net_count_fault(link, id);
    }
    return hash != 0;
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
    hash = sim_hash_of_choice(d, SIM_SITE_JITTER, &e->actor);
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

bool stream_has_room(const struct net_link *link, uint64_t at, uint64_t bytes)
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
    bool is_first = at == link->env->sched->now;
    uint64_t left = MAX(at, link->free_at) + transit_ns(bytes, link->is.bytes_per_sec);

    CHECK(at >= link->env->sched->now);
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
uint64_t stream_resend_after(const struct net_link *link, uint64_t k)
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
uint64_t stream_cross(struct stream_end *e, uint64_t at, size_t bytes)
{
    struct net_link *link = e->link;
    uint64_t slot = link->is.slot_ns;

    at = leave_lines(link, at, bytes + link->is.overhead);
    at += link->is.latency_ns + draw_jitter(e);
    return slot != 0 ? (at + slot - 1) / slot * slot : at;
}

static uint64_t special_time(struct stream_end *e, size_t bytes)
{
    e->last_at = MAX(e->last_at, stream_cross(e, stream_sched(e)->now, bytes));
    return e->last_at;
}

uint64_t stream_arrival_time(struct stream_end *e, size_t bytes)
{
    struct net_link *link = e->link;
    struct scheduler *s = stream_sched(e);
    uint64_t at = s->now;

    if (link->special) {
        return special_time(e, bytes);
    }
    if (link->is.bytes_per_sec > 0) {
        at = MAX(at, link->free_at) + bytes * NSEC_PER_SEC / link->is.bytes_per_sec;
        link->free_at = at;
    }
    at += link->is.latency_ns;
    if (link->is.jitter_ns > 0) {
        at += sim_pick(s->decisions, SIM_SITE_JITTER, &e->actor, link->is.jitter_ns + 1);
    }
    e->last_at = MAX(e->last_at, at); /* one way is one order */
    return e->last_at;
}

/* An RST sets out to `e`. */
void stream_send_rst(struct stream_end *e)
{
    if (!e->reset && e->rst_at == 0) {
        stream_tap_rst(e);
        e->rst_at = stream_arrival_time(e, 0);
        stream_arm(e);
    }
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

uint64_t stream_count_losses(struct stream_end *to)
{
    struct net_link *link = to->link;
    struct sim_decisions *d = link->env->decisions;
    const struct sim_link *is = &link->is;
    struct fault_shot shot;
    uint64_t times = 0, hash;

    link->segments++;
    if (is->loss != 0) {
        number_choice(to, SIM_SITE_L03_LOSS);
        hash = sim_hash_of_choice(d, SIM_SITE_L03_LOSS, &to->actor);
        times = sim_decide(d, SIM_SITE_L03_LOSS, &to->actor, RETRIES_MAX + 1,
                           propose_losses(is, link->lost, hash));
        link->lost = times != 0;
        if (times != 0) {
            net_count_fault(link, FAULT_L03_LINK_LOSS);
        }
    } else if (stream_strikes(to, FAULT_L03_LOSS, 0, 3, &shot)) {
        times = shot.value != 0 ? MIN(shot.value, (uint64_t)RETRIES_MAX) : shot.draw;
    }
    if (is->loss_nth != 0 && link->segments % is->loss_nth == 0) {
        net_count_fault(link, FAULT_L03_LINK_LOSS);
        times = MAX(times, (uint64_t)1);
    }
    CHECK(times <= RETRIES_MAX);
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
    return stream_count_losses(to) != 0;
}
