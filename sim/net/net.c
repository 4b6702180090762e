/* SPDX-License-Identifier: Apache-2.0 */
/* net.c: addresses and links. */
#include "sim/net/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/util.h"
#include "sim/net/socket.h"

/* ---- life and links --------------------------------------------------------------- */

void net_init(struct net *net)
{
    list_init(&net->links);
    list_init(&net->streams);
    list_init(&net->lines);
    for (int i = 0; i < NET_BUCKETS; i++) {
        list_init(&net->bound[i]);
    }
    net->next_port = NET_PORT_FIRST;
}

void net_fini(struct net *net)
{
    struct list *node;

    CHECK(list_is_empty(&net->streams));
    while ((node = list_pop_front(&net->links)) != NULL) {
        free(container_of(node, struct net_link, of_net));
    }
    while ((node = list_pop_front(&net->lines)) != NULL) {
        free(container_of(node, struct net_line, of_net));
    }
}

static struct net_link *find_link(struct net *net, uint8_t from, uint8_t to)
{
    list_for_each(&net->links, it)
    {
        struct net_link *link = container_of(it, struct net_link, of_net);

        if (link->from == from && link->to == to) {
            return link;
        }
    }
    return NULL;
}

struct net_link *net_link_between(struct sim_node *from, struct sim_node *to)
{
    struct net *net = net_of(from);
    struct net_link *link = find_link(net, from->base.node, to->base.node);

    if (link != NULL) {
        return link;
    }
    link = calloc(1, sizeof(*link));
    CHECK(link != NULL);
    *link =
        (struct net_link){.env = from->env, .from = from->base.node, .to = to->base.node};
    link->is = from == to ? from->env->opts->loopback : from->env->opts->link;
    snprintf(link->names[0], sizeof(link->names[0]), "%.15s", from->base.name);
    snprintf(link->names[1], sizeof(link->names[1]), "%.15s", to->base.name);
    net_link_changed(link);
    list_init(&link->of_net);
    list_push_back(&net->links, &link->of_net);
    return link;
}

struct net_link *net_link_back(struct net_link *link)
{
    struct net_link *back = find_link(link->env->net, link->to, link->from);

    CHECK(back != NULL); /* a connection makes both */
    return back;
}

void net_link_changed(struct net_link *link)
{
    const struct sim_link *is = &link->is;

    link->blocks = link->cut || link->clog_until != 0 || link->hole_bytes != 0 ||
                   link->blink_until != 0;
    link->special = is->jitter_shape != SIM_JITTER_UNIFORM || is->overhead != 0 ||
                    is->mtu != 0 || is->queue_bytes != 0 || is->slot_ns != 0 ||
                    is->loss != 0 || is->loss_burst != 0 || is->loss_nth != 0 ||
                    is->corrupt != 0 || link->corrupt_kind != 0 || link->line != NULL;
}

void net_count_fault(const struct net_link *link, enum fault_id id)
{
    struct sim_faults *faults = link->env->net->faults;

    if (faults != NULL) {
        sim_faults_fired_between(faults, id, link->names[0], link->names[1]);
    }
}

bool net_link_is_cut(const struct net_link *link)
{
    return link->cut || link->env->net->down[link->to] ||
           link->blink_until > link->env->sched->now;
}

/* ---- addresses -------------------------------------------------------------------- */

static size_t ip_bytes(const struct sim_addr *addr)
{
    return addr->family == AF_INET ? 4 : 16;
}

int net_addr_read(const struct sockaddr *addr, socklen_t len, struct sim_addr *ret)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;

    if (len < sizeof(sa_family_t)) {
        return -EINVAL;
    }
    *ret = (struct sim_addr){.family = addr->sa_family};
    if (addr->sa_family == AF_INET && len >= sizeof(*in)) {
        ret->port = ntohs(in->sin_port);
        memcpy(ret->ip, &in->sin_addr, 4);
        return 0;
    }
    if (addr->sa_family == AF_INET6 && len >= sizeof(*in6)) {
        ret->port = ntohs(in6->sin6_port);
        memcpy(ret->ip, &in6->sin6_addr, 16);
        return 0;
    }
    return addr->sa_family == AF_INET || addr->sa_family == AF_INET6 ? -EINVAL
                                                                     : -EAFNOSUPPORT;
}

void net_addr_write(const struct sim_addr *addr, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->ss_family = addr->family;
    if (addr->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;

        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->ip, 4);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

        in6->sin6_port = htons(addr->port);
        memcpy(&in6->sin6_addr, addr->ip, 16);
    }
}

bool net_same_ip(const struct sim_addr *a, const struct sim_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, ip_bytes(a)) == 0;
}

bool net_is_any(const struct sim_addr *addr)
{
    static const uint8_t zero[16];

    return memcmp(addr->ip, zero, ip_bytes(addr)) == 0;
}

struct sim_addr net_loopback(sa_family_t family, uint16_t port)
{
    struct sim_addr addr = {.family = family, .port = port};

    if (family == AF_INET) {
        addr.ip[0] = 127;
        addr.ip[3] = 1;
    } else {
        addr.ip[15] = 1;
    }
    return addr;
}

bool net_is_loopback(const struct sim_addr *addr)
{
    struct sim_addr loopback = net_loopback(addr->family, 0);

    return addr->family == AF_INET ? addr->ip[0] == 127 : net_same_ip(addr, &loopback);
}

static struct sim_addr address_at(const struct net *net, uint8_t number, sa_family_t family)
{
    struct sim_addr addr = {.family = family};
    uint8_t host = net->host[number][family == AF_INET ? 0 : 1];

    if (family == AF_INET) {
        addr.ip[0] = 10;
        addr.ip[3] = host != 0 ? host : number;
    } else {
        addr.ip[0] = 0xfd;
        addr.ip[15] = host != 0 ? host : number;
    }
    return addr;
}

static struct sim_addr address_of(const struct sim_node *n, sa_family_t family)
{
    return address_at(net_of((struct sim_node *)n), n->base.node, family);
}

bool net_addr_is_gone(const struct net *net, uint8_t number, const struct sim_addr *addr)
{
    struct sim_addr own = address_at(net, number, addr->family);

    return (net->no_family[number] & (addr->family == AF_INET ? 1 : 2)) != 0 ||
           (!net_is_loopback(addr) && !net_same_ip(addr, &own));
}

bool net_is_local(const struct sim_node *n, const struct sim_addr *addr)
{
    struct sim_addr own = address_of(n, addr->family);

    return net_is_any(addr) || net_is_loopback(addr) || net_same_ip(addr, &own);
}

struct sim_addr net_source_for(const struct sim_node *n, const struct sim_addr *to)
{
    return net_is_loopback(to) ? net_loopback(to->family, 0) : address_of(n, to->family);
}
