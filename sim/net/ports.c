/* SPDX-License-Identifier: Apache-2.0 */
/* ports.c: who is bound to which address and port, and who listens there. */
#include <errno.h>

#include "engine/util.h"
#include "sim/net/socket.h"

static struct list *bucket_of(struct net *net, uint16_t port)
{
    return &net->bound[port % NET_BUCKETS];
}

/* Two local addresses that one packet could mean. */
static bool overlap(const struct sim_socket *a, const struct sim_socket *b)
{
    if (a->local.port != b->local.port || a->local.family != b->local.family) {
        return false;
    }
    if (net_is_any(&a->local) || net_is_any(&b->local)) {
        return a->file.node == b->file.node;
    }
    return net_same_ip(&a->local, &b->local);
}

/* Whether another socket there keeps this one out; `listening`: only those that
 * listen. */
static bool conflicts(const struct sim_socket *socket, bool listening)
{
    list_for_each(bucket_of(net_of(socket->file.node), socket->local.port), it)
    {
        struct sim_socket *other = container_of(it, struct sim_socket, of_port);

        if (other != socket && overlap(socket, other) &&
            (other->listening || (!listening && (!socket->reuse || !other->reuse)))) {
            return true;
        }
    }
    return false;
}

bool net_is_taken(const struct sim_socket *socket)
{
    return conflicts(socket, true);
}

int net_bind(struct sim_socket *socket)
{
    struct net *net = net_of(socket->file.node);
    bool choose = socket->local.port == 0;

    CHECK(socket->local.family != 0);
    for (int tries = 0; choose && tries <= NET_PORT_LAST - NET_PORT_FIRST; tries++) {
        socket->local.port = net->next_port;
        net->next_port = net->next_port == NET_PORT_LAST ? NET_PORT_FIRST
                                                         : (uint16_t)(net->next_port + 1);
        if (!conflicts(socket, false)) {
            break;
        }
    }
    if (conflicts(socket, false)) {
        return -EADDRINUSE;
    }
    list_push_back(bucket_of(net, socket->local.port), &socket->of_port);
    return 0;
}

struct sim_socket *net_find_listener(struct net *net, uint8_t from,
                                     const struct sim_addr *addr)
{
    struct sim_socket *any = NULL;

    list_for_each(bucket_of(net, addr->port), it)
    {
        struct sim_socket *s = container_of(it, struct sim_socket, of_port);

        if (!s->listening || s->local.port != addr->port ||
            s->local.family != addr->family) {
            continue;
        }
        if (net_same_ip(&s->local, addr)) {
            return s;
        }
        if (net_is_any(&s->local) && net_is_local(s->file.node, addr) &&
            (any == NULL || s->file.node->base.node == from)) {
            any = s;
        }
    }
    return any;
}

struct sim_node *net_node_at(struct sim_node *self, const struct sim_addr *addr)
{
    struct sim_node *dead = NULL;
    struct sim_socket *listener;

    if (net_is_loopback(addr)) {
        listener = net_find_listener(net_of(self), self->base.node, addr);
        return listener != NULL ? listener->file.node : self;
    }
    list_for_each(&self->env->nodes, it)
    {
        struct sim_node *n = container_of(it, struct sim_node, of_env);

        if (net_is_local(n, addr)) {
            dead = n; /* the machine is there, even if its process died */
            if (!n->dead) {
                return n;
            }
        }
    }
    return dead;
}
