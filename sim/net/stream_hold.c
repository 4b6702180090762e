/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_hold.c: what does not get through, or has to wait.
 *
 *     due at an end --+-- passes
 *                     +-- waits      the link is clogged: all of it comes when that ends
 *                     '-- is lost    sent again after resend_ns, then twice that, ...; when
 *                                    nothing got through for give_up_ns its sender gives up
 *
 * A segment is due when it would arrive; one that is lost makes everything behind it wait.
 * A RST is not sent again: its end learns of it when it sends something itself.
 */
#include <errno.h>

#include "engine/util.h"
#include "sim/net/stream_impl.h"

/* Linux: tcp_orphan_retries; for data and FIN of a socket that was closed. */
#define ORPHAN_NS (102200 * NSEC_PER_MSEC)

const char *const sim_block_names[SIM_BLOCK_COUNT] = {
    "pass",
    "silent",
    "reset",
    "net_unreachable",
    "host_unreachable",
    "port_unreachable",
    "proto_unreachable",
    "admin_prohibited",
    "ttl_exceeded",
    "accept_reset",
};

static uint64_t now_of(const struct stream_end *e)
{
    return e->link->env->sched->now;
}

/* As Linux turns ICMP into errors. */
int stream_block_errno(enum sim_block how)
{
    switch (how) {
    case SIM_NET_UNREACHABLE:
        return ENETUNREACH;
    case SIM_HOST_UNREACHABLE:
    case SIM_ADMIN_PROHIBITED:
    case SIM_TTL_EXCEEDED:
        return EHOSTUNREACH;
    case SIM_PORT_UNREACHABLE:
        return ECONNREFUSED;
    case SIM_PROTO_UNREACHABLE:
        return ENOPROTOOPT;
    case SIM_PASS:
    case SIM_SILENT:
    case SIM_RST:
    case SIM_ACCEPT_RST:
    case SIM_BLOCK_COUNT:
        break;
    }
    return 0;
}

/* ---- what happens to it ----------------------------------------------------------- */

static bool is_clogged(struct stream_end *e)
{
    struct net_link *link = e->link;
    uint64_t now = now_of(e);

    if (link->clog_until <= now) {
        if (link->clog_until != 0) { /* it is over */
            link->clog_from = link->clog_until = 0;
            net_link_changed(link);
        }
        return false;
    }
    return now >= link->clog_from &&
           (link->clog_port == 0 || link->clog_port == e->local.port ||
            link->clog_port == stream_peer(e)->local.port);
}

enum stream_fate stream_fate_of(struct stream_end *e, size_t bytes)
{
    struct net_link *link = e->link;

    if (link->blink_until != 0 && link->blink_until <= now_of(e)) {
        link->blink_until = 0;
        net_link_changed(link);
    }
    if (net_link_is_cut(link) || e->gone || e->hole != SIM_PASS ||
        (link->hole_bytes != 0 && bytes > link->hole_bytes)) {
        return STREAM_IS_LOST;
    }
    return is_clogged(e) ? STREAM_WAITS : STREAM_PASSES;
}

/* ---- sending again ---------------------------------------------------------------- */

static bool data_is_due(const struct stream_end *e)
{
    uint64_t now = now_of(e);

    return e->n > 0 && !e->stalled && e->segments[e->first].at <= now &&
           e->resend_at <= now;
}

/* Whoever sends to `e` has tried long enough. */
static void give_up(struct stream_end *e)
{
    struct stream_end *sender = stream_peer(e);

    CHECK(e->late_since != 0);
    net_count_fault(e->link, FAULT_S13_TIMED_OUT);
    e->link->stats.resets++;
    stream_discard(e);
    if (sender->closed) {
        sender->reset = true; /* nobody is left to be told */
    } else {
        stream_reset(sender, sender->icmp != 0 ? sender->icmp : ETIMEDOUT);
    }
}

static void data_is_lost(struct stream_end *e)
{
    const struct sim_world_opts *opts = e->link->env->opts;
    struct stream_end *sender = stream_peer(e);
    uint64_t now = now_of(e), patience = opts->give_up_ns;

    CHECK(e->n > 0);
    e->link->stats.dropped++;
    if (e->late_since != 0) {
        stream_tap_again(e);
    }
    if (sender->closed) {
        patience = MIN(patience, ORPHAN_NS);
    }
    if (e->late_since == 0) {
        e->late_since = now;
    } else if (now - e->late_since >= patience) {
        give_up(e);
        return;
    }
    e->resend_ns = e->resend_ns != 0 ? MIN(e->resend_ns * 2, opts->resend_max_ns)
                                     : opts->resend_ns + 2 * e->link->is.latency_ns;
    e->resend_at = now + e->resend_ns;
}

/* The blackhole at `e` says something to who sent. */
static void answer(struct stream_end *e)
{
    struct stream_end *sender = stream_peer(e);

    CHECK(e->n > 0); /* to something that came */
    if (e->hole == SIM_RST && !e->link->cut) {
        stream_discard(e);
        e->link->stats.resets++;
        stream_send_rst(sender);
    } else if (stream_block_errno(e->hole) != 0) {
        sender->icmp = stream_block_errno(e->hole);
    }
}

bool stream_hold(struct stream_end *e)
{
    size_t bytes = e->n > 0 ? (size_t)(e->segments[e->first].end - e->arrived) : 0;

    switch (stream_fate_of(e, bytes)) {
    case STREAM_PASSES:
        return false;
    case STREAM_WAITS:
        if (data_is_due(e) && e->late_since == 0) {
            e->late_since = now_of(e);
        }
        if (e->link->clog_until == UINT64_MAX) {
            sim_timer_cancel(&stream_sched(e)->timers, &e->timer);
        } else {
            sim_timer_arm(&stream_sched(e)->timers, &e->timer, e->link->clog_until);
        }
        return true;
    case STREAM_IS_LOST:
        break;
    }
    if (e->rst_at != 0 && e->rst_at <= now_of(e)) {
        if (e->hole == SIM_RST) {
            stream_discard(e);
            return false;
        }
        e->rst_at = 0;
        e->link->stats.dropped++;
    }
    if (data_is_due(e)) {
        answer(e);
    }
    if (data_is_due(e)) { /* still: no RST was the answer */
        data_is_lost(e);
    }
    stream_arm(e);
    return true;
}

void stream_caught_up(struct stream_end *e)
{
    CHECK(e->late_since != 0);
    e->link->stats.stalled_ns += now_of(e) - e->late_since;
    e->late_since = e->resend_at = e->resend_ns = 0;
}

/* ---- what changes ----------------------------------------------------------------- */

static void link_healed(struct stream *stream)
{
    struct scheduler *s = stream->ends[0].link->env->sched;

    if (stream->jammed) {
        stream->jammed = false;
        sim_timer_arm(&s->timers, &stream->timer, s->now);
    }
    for (int i = 0; i < 2; i++) {
        struct stream_end *e = &stream->ends[i];

        if (e->link->env->opts->heal_at_once) {
            e->resend_at = 0;
            stream_arm(e);
        } else if (!sim_timer_is_armed(&e->timer) || e->link->clog_until == 0) {
            stream_arm(e);
        }
    }
}

void net_links_healed(struct net *net)
{
    list_for_each_safe(&net->streams, it)
    {
        link_healed(container_of(it, struct stream, of_net));
    }
}

void stream_check_addresses(struct stream *stream)
{
    for (int i = 0; i < 2; i++) {
        struct stream_end *e = &stream->ends[i], *peer = stream_peer(e);
        const struct net *net = e->link->env->net;

        e->gone = e->link->from != e->link->to &&
                  (net_addr_is_gone(net, e->link->to, &e->local) ||
                   net_addr_is_gone(net, e->link->from, &peer->local));
    }
}
