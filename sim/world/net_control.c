/* SPDX-License-Identifier: Apache-2.0 */
/* net_control.c: what is said by name of links, connections and addresses. */
#include "sim/world/net_control.h"

#include <errno.h>

#include "engine/util.h"
#include "sim/net/socket.h"
#include "sim/net/stream_impl.h"
#include "sim/world/world_impl.h"

static struct net_link *link_of(struct os *from, struct os *to)
{
    return net_link_between(to_node(from), to_node(to));
}

void sim_net_set_faults(struct sim_world *w, struct sim_faults *faults)
{
    w->net.faults = faults;
}

static void count_fault(struct sim_world *w, enum fault_id id)
{
    if (w->net.faults != NULL) {
        sim_faults_fired(w->net.faults, id);
    }
}

void sim_net_stats(struct sim_world *w, struct os *from, struct os *to,
                   struct sim_link_stats *ret)
{
    (void)w;
    *ret = link_of(from, to)->stats;
}

/* ---- links ------------------------------------------------------------------------ */

struct sim_link sim_net_link(struct sim_world *w, struct os *from, struct os *to)
{
    (void)w;
    return link_of(from, to)->is;
}

void sim_world_set_link(struct sim_world *w, struct os *from, struct os *to,
                        const struct sim_link *is)
{
    struct net_link *link = link_of(from, to);

    (void)w;
    link->is = *is;
    net_link_changed(link);
}

void sim_world_cut(struct sim_world *w, struct os *from, struct os *to, bool cut)
{
    struct net_link *link = link_of(from, to);

    link->cut = cut;
    net_link_changed(link);
    if (cut) {
        net_count_fault(link, FAULT_L06_CUT);
    } else {
        net_links_healed(&w->net);
    }
}

static void set_cut(struct os *a, struct os *b, bool cut)
{
    struct net_link *links[] = {link_of(a, b), link_of(b, a)};

    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        links[i]->cut = cut;
        net_link_changed(links[i]);
    }
}

void sim_net_partition(struct sim_world *w, struct os *const *nodes, const int *group,
                       int n)
{
    count_fault(w, FAULT_L06_PARTITION);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++) {
            set_cut(nodes[i], nodes[k], group[i] != group[k]);
        }
    }
    net_links_healed(&w->net);
}

void sim_net_isolate(struct sim_world *w, struct os *os)
{
    count_fault(w, FAULT_L06_PARTITION);
    list_for_each(&w->env.nodes, it)
    {
        struct sim_node *other = container_of(it, struct sim_node, of_env);

        if (other != to_node(os)) {
            set_cut(os, &other->base, true);
        }
    }
}

/* Nothing passes from `from_ns` to `until_ns`, in addition to what is so already. */
static void clog_link(struct net_link *link, uint16_t port, uint64_t from_ns,
                      uint64_t until_ns)
{
    bool is_clogged = link->clog_until != 0;

    CHECK(until_ns >= from_ns);
    link->clog_port = is_clogged && link->clog_port != port ? 0 : port;
    link->clog_from = is_clogged ? MIN(link->clog_from, from_ns) : from_ns;
    link->clog_until = MAX(link->clog_until, until_ns);
    net_link_changed(link);
}

void sim_net_clog(struct sim_world *w, struct os *from, struct os *to, uint16_t port,
                  uint64_t ns)
{
    uint64_t now = sim_world_now(w);

    count_fault(w, FAULT_L06_JAM);
    clog_link(link_of(from, to), port, now, ns < UINT64_MAX - now ? now + ns : UINT64_MAX);
}

/* A time of the node's own, 1 .. n. */
static uint64_t draw_time(struct sim_world *w, struct sim_actor *actor, uint64_t n)
{
    struct sim_decisions *d = &w->decisions;
    uint64_t hash = sim_hash_of_choice(d, SIM_SITE_L07_CLOG, actor);

    return 1 + sim_decide(d, SIM_SITE_L07_CLOG, actor, n, hash % n);
}

void sim_net_swizzle(struct sim_world *w, struct os *const *nodes, int n, uint64_t ns)
{
    uint64_t now = sim_world_now(w), half = MAX(ns / 2, (uint64_t)1);

    count_fault(w, FAULT_L07_SWIZZLE);
    for (int i = 0; i < n; i++) {
        struct sim_actor actor;
        char name[SIM_ACTOR_NAME];
        uint64_t from, until;

        snprintf(name, sizeof(name), "swizzle/%s", nodes[i]->name);
        sim_actor_init(&w->decisions, &actor, name);
        from = now + draw_time(w, &actor, half);
        until = now + half + draw_time(w, &actor, half);
        list_for_each(&w->env.nodes, it)
        {
            struct sim_node *other = container_of(it, struct sim_node, of_env);

            if (other != to_node(nodes[i])) {
                clog_link(link_of(nodes[i], &other->base), 0, from, until);
                clog_link(link_of(&other->base, nodes[i]), 0, from, until);
            }
        }
    }
}

void sim_net_pmtu_hole(struct sim_world *w, struct os *from, struct os *to, uint32_t bytes)
{
    struct net_link *link = link_of(from, to);

    link->hole_bytes = bytes;
    net_link_changed(link);
    if (bytes != 0) {
        count_fault(w, FAULT_L09_PMTU_HOLE);
    } else {
        net_links_healed(&w->net);
    }
}

void sim_net_bottleneck(struct sim_world *w, struct os *const *nodes, int n,
                        uint64_t bytes_per_sec, uint64_t queue_bytes)
{
    struct net_line *line = NULL;

    if (bytes_per_sec != 0) {
        count_fault(w, FAULT_L13_BOTTLENECK);
        line = calloc(1, sizeof(*line));
        CHECK(line != NULL);
        line->bytes_per_sec = bytes_per_sec;
        line->queue_bytes = queue_bytes;
        list_init(&line->of_net);
        list_push_back(&w->net.lines, &line->of_net);
    }
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
            if (i != k) {
                struct net_link *link = link_of(nodes[i], nodes[k]);

                link->line = line;
                net_link_changed(link);
            }
        }
    }
}

void sim_net_corrupt(struct sim_world *w, struct os *from, struct os *to,
                     enum sim_corrupt kind, uint32_t nth)
{
    struct net_link *link = link_of(from, to);

    (void)w;
    CHECK(kind > SIM_CORRUPT_NONE && kind < SIM_CORRUPT_COUNT && nth > 0);
    link->corrupt_kind = kind;
    link->corrupt_in = nth;
    net_link_changed(link);
}

/* ---- connections ------------------------------------------------------------------ */

static bool is_between(const struct stream *stream, const struct os *a, const struct os *b)
{
    const struct net_link *link = stream->ends[0].link;

    return (link->from == a->node && link->to == b->node) ||
           (link->from == b->node && link->to == a->node);
}

int sim_net_blackhole(struct sim_world *w, struct os *from, struct os *to,
                      enum sim_block how)
{
    int n = 0;

    CHECK(how < SIM_BLOCK_COUNT);
    if (how != SIM_PASS) {
        count_fault(w, FAULT_L08_HOLE);
    }
    list_for_each(&w->net.streams, it)
    {
        struct stream *stream = container_of(it, struct stream, of_net);

        for (int i = 0; i < 2; i++) {
            struct stream_end *e = &stream->ends[i];

            if (stream->phase >= STREAM_ACK && e->link->from == from->node &&
                e->link->to == to->node) {
                e->hole = how;
                n++;
            }
        }
    }
    if (how == SIM_PASS) {
        net_links_healed(&w->net);
    }
    return n;
}

void sim_net_filter(struct sim_world *w, struct os *from, struct os *to, enum sim_block how)
{
    (void)w;
    link_of(from, to)->filter = how;
}

int sim_net_reset(struct sim_world *w, struct os *a, struct os *b, int error)
{
    int n = 0;

    CHECK(error > 0);
    list_for_each_safe(&w->net.streams, it)
    {
        struct stream *stream = container_of(it, struct stream, of_net);

        if (is_between(stream, a, b)) {
            count_fault(w, error == ETIMEDOUT ? FAULT_S13_TIMED_OUT : FAULT_L08_HOLE);
            stream->ends[0].link->stats.resets++;
            stream_abort(stream, error);
            n++;
        }
    }
    return n;
}

void sim_net_shut_windows(struct sim_world *w, struct os *os, bool shut)
{
    w->net.shut[os->node] = shut;
    if (shut) {
        count_fault(w, FAULT_S14_WINDOW);
        return;
    }
    list_for_each(&w->net.streams, it)
    {
        struct stream *stream = container_of(it, struct stream, of_net);

        for (int i = 0; i < 2; i++) {
            if (stream->ends[i].link->to == os->node) {
                stream_reopen_window(&stream->ends[i]);
            }
        }
    }
}

/* ---- addresses -------------------------------------------------------------------- */

/* 0 IPv4, 1 IPv6; -1: another. */
static int family_index(int family)
{
    return family == AF_INET ? 0 : family == AF_INET6 ? 1 : -1;
}

static void addresses_changed(struct sim_world *w)
{
    list_for_each(&w->net.streams, it)
    {
        stream_check_addresses(container_of(it, struct stream, of_net));
    }
    net_links_healed(&w->net);
}

/* Connections of the node that use the family, to others. */
static void end_family(struct sim_world *w, const struct os *os, int family)
{
    list_for_each_safe(&w->net.streams, it)
    {
        struct stream *stream = container_of(it, struct stream, of_net);

        for (int i = 0; i < 2; i++) {
            struct stream_end *e = &stream->ends[i];

            if (e->link->to == os->node && e->link->from != os->node &&
                e->local.family == family && stream->phase >= STREAM_ACK && !e->closed &&
                !e->reset) {
                stream_reset(e, ECONNABORTED);
            }
        }
    }
}

int sim_net_family(struct sim_world *w, struct os *os, int family, bool up,
                   enum sim_block how)
{
    int i = family_index(family);
    uint8_t *none = &w->net.no_family[os->node];

    CHECK(how < SIM_BLOCK_COUNT);
    if (i < 0) {
        return -EAFNOSUPPORT;
    }
    *none = (uint8_t)(up ? *none & ~(1 << i) : *none | 1 << i);
    if (!up) {
        count_fault(w, FAULT_L11_FAMILY);
        if (how == SIM_RST) {
            end_family(w, os, family);
        }
    }
    addresses_changed(w);
    return 0;
}

int sim_net_readdress(struct sim_world *w, struct os *os, int family, uint8_t host)
{
    int i = family_index(family);
    uint8_t wanted = host != 0 ? host : os->node;

    if (i < 0) {
        return -EAFNOSUPPORT;
    }
    list_for_each(&w->env.nodes, it)
    {
        uint8_t number = container_of(it, struct sim_node, of_env)->base.node;
        uint8_t has = w->net.host[number][i];

        if (number != os->node && (has != 0 ? has : number) == wanted) {
            return -EADDRINUSE;
        }
    }
    w->net.host[os->node][i] = host;
    count_fault(w, FAULT_L11_ADDRESS);
    addresses_changed(w);
    return 0;
}

/* ---- the end ---------------------------------------------------------------------- */

static void heal_link(struct net_link *link)
{
    link->cut = false;
    link->blink_until = link->clog_from = link->clog_until = 0;
    link->clog_port = 0;
    link->hole_bytes = 0;
    link->filter = SIM_PASS;
    link->corrupt_kind = SIM_CORRUPT_NONE;
    link->is.loss = link->is.loss_burst = link->is.corrupt = 0;
    link->is.loss_nth = 0;
    net_link_changed(link);
}

void sim_net_heal_between(struct sim_world *w, struct os *a, struct os *b)
{
    heal_link(link_of(a, b));
    heal_link(link_of(b, a));
    sim_net_blackhole(w, a, b, SIM_PASS);
    sim_net_blackhole(w, b, a, SIM_PASS);
}

void sim_net_heal(struct sim_world *w)
{
    list_for_each(&w->net.links, it)
    {
        heal_link(container_of(it, struct net_link, of_net));
    }
    list_for_each(&w->net.streams, it)
    {
        struct stream *stream = container_of(it, struct stream, of_net);

        stream->ends[0].hole = stream->ends[1].hole = SIM_PASS;
    }
    list_for_each(&w->env.nodes, it)
    {
        struct os *os = &container_of(it, struct sim_node, of_env)->base;

        w->net.no_family[os->node] = 0;
        if (w->net.shut[os->node]) {
            sim_net_shut_windows(w, os, false);
        }
    }
    addresses_changed(w);
}
