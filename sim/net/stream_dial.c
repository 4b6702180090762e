/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_dial.c: the handshake, one timer that walks through enum stream_phase.
 *
 *     dialler                listener
 *        | -- SYN ------------> |   nobody listens: RST back; backlog full: as if lost
 *        | <-------- SYN, ACK - |
 *     connected                 |
 *        | -- ACK ------------> |   waits in the queue for accept
 */
#include <errno.h>
#include <poll.h>

#include "engine/util.h"
#include "sim/net/socket.h"
#include "sim/net/stream_impl.h"

/* Linux: tcp_syn_retries and the first SYN; tcp_synack_retries. Each is given twice
 * the time of the last. */
#define SYN_TRIES 7
#define ACK_TRIES 6
#define SYN_RETRY_NS NSEC_PER_SEC

static void step(void *arg);

static struct scheduler *sched_of(const struct stream *stream)
{
    return stream->ends[0].link->env->sched;
}

/* Goes into the phase, whose packet arrives at `to` when its time has come. */
static void enter_phase(struct stream *stream, enum stream_phase phase,
                        struct stream_end *to)
{
    uint64_t at = stream_arrival_time(to, 0);

    CHECK(phase >= stream->phase);
    CHECK(!sim_timer_is_armed(&stream->timer));
    stream->phase = phase;
    stream_tap_handshake(stream);
    stream->lost = phase < STREAM_ACK && stream_loses_packet(to);
    if (at <= sched_of(stream)->now) {
        step(stream);
    } else {
        sim_timer_arm(&sched_of(stream)->timers, &stream->timer, at);
    }
}

/* The packet was lost: it is sent again, later and later. */
static void try_again(struct stream *stream)
{
    struct scheduler *s = sched_of(stream);

    if (stream->phase < STREAM_ACK && stream->tries == SYN_TRIES) {
        stream_fail(stream, ETIMEDOUT);
        return;
    }
    if (stream->phase == STREAM_ACK && stream->tries == ACK_TRIES) {
        stream->listener->n_incoming--;
        stream_forget(stream); /* the dialler is told when it sends something */
        return;
    }
    sim_timer_arm(&s->timers, &stream->timer, s->now + (SYN_RETRY_NS << stream->tries));
    stream->tries++;
    stream->again = true;
}

/* Nothing goes on while the link is clogged. */
static void wait_for_clog(struct stream *stream, const struct net_link *link)
{
    CHECK(link->clog_until > sched_of(stream)->now);
    if (link->clog_until == UINT64_MAX) {
        stream->jammed = true; /* and net_links_healed knows */
        try_again(stream);
    } else {
        sim_timer_arm(&sched_of(stream)->timers, &stream->timer, link->clog_until);
    }
}

static void refuse(struct stream *stream, int why)
{
    CHECK(why > 0);
    stream_leave_listener(stream);
    stream->why = why;
    enter_phase(stream, STREAM_REFUSED, &stream->ends[0]);
}

/* Whether a filter turned the SYN away. */
static bool is_filtered(struct stream *stream)
{
    struct net_link *link = stream->ends[1].link;
    enum sim_block how = link->filter;

    if (how == SIM_PASS || how == SIM_ACCEPT_RST) {
        return false;
    }
    net_count_fault(link, FAULT_S04_FILTER);
    if (how == SIM_SILENT) {
        try_again(stream);
    } else {
        refuse(stream, how == SIM_RST ? ECONNREFUSED : stream_block_errno(how));
    }
    return true;
}

/* Whether the listener has no room; then the packet is as if lost, or answered by RST. */
static bool is_crowded_out(struct stream *stream, const struct sim_socket *listener)
{
    struct net_link *link = stream->ends[1].link;

    if (listener->n_accepted <= listener->backlog &&
        (stream->phase == STREAM_ACK || listener->n_incoming <= listener->backlog)) {
        return false;
    }
    net_count_fault(link, FAULT_S02_BACKLOG);
    if (!link->env->opts->backlog_refuses) {
        try_again(stream);
    } else if (stream->phase == STREAM_SYN) {
        refuse(stream, ECONNREFUSED);
    } else if (stream_lose_server(stream)) {
        stream_send_rst(&stream->ends[0]);
    }
    return true;
}

static void syn_arrives(struct stream *stream)
{
    struct stream_end *server = &stream->ends[1], *client = &stream->ends[0];
    struct net_link *link = server->link;
    struct sim_socket *listener =
        net_find_listener(link->env->net, link->from, &server->local);

    CHECK(stream->listener == NULL);
    if (is_filtered(stream)) {
        return;
    }
    if (listener == NULL) {
        refuse(stream, ECONNREFUSED);
        return;
    }
    if (is_crowded_out(stream, listener)) {
        return;
    }
    stream->listener = listener;
    listener->n_incoming++;
    list_push_back(&listener->incoming, &stream->of_listener);
    server->rcvbuf = (size_t)listener->rcvbuf;
    server->sndbuf = (size_t)listener->sndbuf;
    enter_phase(stream, STREAM_SYN_ACK, client);
}

static void syn_ack_arrives(struct stream *stream)
{
    struct stream_end *client = &stream->ends[0], *server = &stream->ends[1];

    CHECK(client->socket != NULL);
    CHECK(!client->established);
    if (stream->listener == NULL) { /* it went away meanwhile */
        stream_tap_rst(client);
        stream_fail(stream, ECONNRESET);
        return;
    }
    client->established = true;
    sim_file_notify(&client->socket->file, POLLOUT);
    enter_phase(stream, STREAM_ACK, server);
}

static void ack_arrives(struct stream *stream)
{
    struct sim_socket *listener = stream->listener;

    CHECK(listener != NULL);
    if (is_crowded_out(stream, listener)) {
        return;
    }
    stream->phase = STREAM_ESTABLISHED;
    stream->ends[1].established = true;
    list_unlink(&stream->of_listener);
    listener->n_incoming--;
    listener->n_accepted++;
    list_push_back(&listener->accepted, &stream->of_listener);
    sim_file_notify(&listener->file, POLLIN);
    if (stream->ends[1].link->filter == SIM_ACCEPT_RST) {
        net_count_fault(stream->ends[1].link, FAULT_S04_FILTER);
        stream_reset(&stream->ends[1], ECONNRESET);
        stream_send_rst(&stream->ends[0]);
    }
}

static void step(void *arg)
{
    struct stream *stream = arg;
    struct stream_end *to =
        &stream->ends[stream->phase == STREAM_SYN || stream->phase == STREAM_ACK];
    enum stream_fate fate = stream_may_be_held(to) ? stream_fate_of(to, 0) : STREAM_PASSES;

    if (stream->again) {
        stream->again = false;
        stream_tap_handshake(stream);
    }
    stream->jammed = false;
    if (fate == STREAM_WAITS) {
        wait_for_clog(stream, to->link);
        return;
    }
    if (fate == STREAM_IS_LOST || stream->lost) {
        to->link->stats.dropped++;
        stream->lost = false;
        try_again(stream);
        return;
    }
    switch (stream->phase) {
    case STREAM_SYN:
        syn_arrives(stream);
        break;
    case STREAM_SYN_ACK:
        syn_ack_arrives(stream);
        break;
    case STREAM_REFUSED:
        stream_reset(&stream->ends[0], stream->why);
        break;
    case STREAM_ACK:
        ack_arrives(stream);
        break;
    case STREAM_ESTABLISHED:
        break;
    }
}

/* Both ends get a name for the decisions that concern them. */
static void name_ends(struct stream *stream, const char *from, const char *to)
{
    struct net_link *link = stream->ends[1].link;
    struct sim_decisions *d = link->env->decisions;
    char name[SIM_ACTOR_NAME];

    link->dialled++;
    snprintf(name, sizeof(name), "%.12s>%.12s.%u", from, to, link->dialled);
    sim_actor_init(d, &stream->ends[0].actor, name);
    snprintf(name, sizeof(name), "%.12s<%.12s.%u", to, from, link->dialled);
    sim_actor_init(d, &stream->ends[1].actor, name);
}

int stream_dial(struct sim_socket *socket, const struct sim_addr *to,
                struct stream_end **ret)
{
    struct sim_node *self = socket->file.node, *other = net_node_at(self, to);
    struct stream *stream;

    CHECK(socket->stream == NULL);
    if (other == NULL || (other != self && net_addr_is_gone(net_of(self), self->base.node,
                                                            &socket->local))) {
        return -ENETUNREACH;
    }
    stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return -ENOMEM;
    }
    stream_end_init(&stream->ends[0], stream, net_link_between(other, self));
    stream_end_init(&stream->ends[1], stream, net_link_between(self, other));
    name_ends(stream, self->base.name, other->base.name);
    sim_timer_init(&stream->timer, step, stream);
    list_init(&stream->of_listener);
    list_init(&stream->of_net);
    list_push_back(&net_of(self)->streams, &stream->of_net);
    stream->ends[0].socket = socket;
    stream->ends[0].local = socket->local;
    stream->ends[0].sndbuf = (size_t)socket->sndbuf;
    stream->ends[0].rcvbuf = (size_t)socket->rcvbuf;
    stream->ends[1].local = *to;
    stream_check_addresses(stream);
    *ret = &stream->ends[0];
    enter_phase(stream, STREAM_SYN, &stream->ends[1]);
    return 0;
}
