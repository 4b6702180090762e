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
#include "sim/socket.h"

/* Linux: tcp_syn_retries and the first SYN. Each is given twice the time of the last. */
#define SYN_TRIES 7
#define SYN_RETRY_NS NSEC_PER_SEC

static void step(void *arg);

static struct scheduler *sched_of(const struct stream *stream)
{
    return &stream->ends[0].link->world->sched;
}

/* Goes into the phase, whose packet arrives at `to` when its time has come. */
static void enter_phase(struct stream *stream, enum stream_phase phase,
                        struct stream_end *to)
{
    uint64_t at = stream_arrival_time(to, 0);

    stream->phase = phase;
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

    if (stream->tries == SYN_TRIES && stream->phase == STREAM_SYN) {
        stream->phase = STREAM_REFUSED;
        stream_reset(&stream->ends[0], ETIMEDOUT);
        return;
    }
    sim_timer_arm(&s->timers, &stream->timer, s->now + (SYN_RETRY_NS << stream->tries));
    stream->tries = MIN(stream->tries + 1, (uint32_t)SYN_TRIES);
}

static void syn_arrives(struct stream *stream)
{
    struct stream_end *server = &stream->ends[1], *client = &stream->ends[0];
    struct net_link *link = server->link;
    struct sim_socket *listener =
        net_find_listener(&link->world->net, link->from, &server->local);

    if (listener == NULL) {
        enter_phase(stream, STREAM_REFUSED, client);
        return;
    }
    if (listener->n_incoming + listener->n_accepted > listener->backlog) {
        try_again(stream);
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

    if (stream->listener == NULL) { /* it went away meanwhile */
        stream->phase = STREAM_REFUSED;
        stream_reset(client, ECONNRESET);
        return;
    }
    client->established = true;
    sim_file_notify(&client->socket->file, POLLOUT);
    enter_phase(stream, STREAM_ACK, server);
}

static void ack_arrives(struct stream *stream)
{
    struct sim_socket *listener = stream->listener;

    stream->phase = STREAM_ESTABLISHED;
    stream->ends[1].established = true;
    list_unlink(&stream->of_listener);
    listener->n_incoming--;
    listener->n_accepted++;
    list_push_back(&listener->accepted, &stream->of_listener);
    sim_file_notify(&listener->file, POLLIN);
}

static void step(void *arg)
{
    struct stream *stream = arg;
    int to = stream->phase == STREAM_SYN || stream->phase == STREAM_ACK;

    if (net_link_is_cut(stream->ends[to].link)) {
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
        stream_reset(&stream->ends[0], ECONNREFUSED);
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
    struct sim_decisions *d = &link->world->decisions;
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

    if (other == NULL) {
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
    *ret = &stream->ends[0];
    enter_phase(stream, STREAM_SYN, &stream->ends[1]);
    return 0;
}
