/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.h: where addresses are and what lies between them.
 *
 * A node has the addresses 10.0.0.number and fd00::number; 127.x and ::1 belong to all
 * nodes together, so that nodes which bind loopback addresses find each other as the
 * processes of one machine would. What a packet goes through depends on the two nodes,
 * never on the addresses they use. Used by the other files of sim/ only.
 */
#ifndef MSGRLAB_SIM_NET_NET_H
#define MSGRLAB_SIM_NET_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine/list.h"
#include "sim/faults/faults.h"
#include "sim/net/link_faults.h"
#include "sim/node/node.h"

struct sim_socket;

struct sim_addr {
    sa_family_t family; /* 0: none */
    uint16_t port;
    uint8_t ip[16]; /* the first 4 for AF_INET */
};

/* A line that several links share (sim_net_bottleneck); lives as the net. */
struct net_line {
    struct list of_net;
    uint64_t bytes_per_sec, queue_bytes;
    uint64_t free_at;
};

/* One way between two nodes. */
struct net_link {
    struct list of_net;
    struct sim_env *env; /* borrowed */
    uint8_t from, to;    /* numbers of nodes: a link outlives them */
    char names[2][16];   /* of these nodes */
    struct sim_link is;
    bool cut;
    bool blocks;      /* cut, clogged or with a hole: stream_hold.c looks at what arrives */
    bool special;     /* more than latency, jitter, rate: stream_path.c */
    uint64_t free_at; /* when the last byte will have left, if there is a rate */
    uint32_t dialled; /* connections started from `from` to `to` */

    uint64_t clog_from, clog_until; /* 0, 0: never */
    uint16_t clog_port;             /* 0: any */
    uint64_t blink_until; /* drawn cuts and clogs: this one; and the next not before ... */
    uint64_t calm_until;
    uint32_t hole_bytes;           /* segments of more vanish; 0: none do */
    enum sim_block filter;         /* what new connections meet */
    enum sim_corrupt corrupt_kind; /* 0: no such order */
    uint32_t corrupt_in;           /* with so manieth segment from now */
    uint32_t segments;             /* so far, for loss_nth */
    bool lost;                     /* the last of them was: a burst goes on */
    struct net_line *line;         /* borrowed; NULL: its own */
    struct sim_link_stats stats;
};

#define NET_BUCKETS 256
#define NET_PORT_FIRST 32768 /* as Linux: ip_local_port_range */
#define NET_PORT_LAST 60999

struct net {
    struct list links;              /* of net_link.of_net; owned */
    struct list bound[NET_BUCKETS]; /* of sim_socket.of_port, by port */
    struct list streams;            /* of stream.of_net: every connection */
    struct list lines;              /* of net_line.of_net; owned */
    struct sim_faults *faults;      /* borrowed; NULL: none but the links' own */
    uint16_t next_port;
    /* Of the node of that number: */
    bool down[256];         /* it lost its power: nothing gets there */
    bool shut[256];         /* its receive windows are shut */
    uint8_t no_family[256]; /* 1: it has no IPv4; 2: no IPv6 */
    uint8_t host[256][2];   /* what it has instead of its number: by IPv4, by IPv6; 0: no */
};

/* A fault of the link acted: for the counters. */
void net_count_fault(const struct net_link *link, enum fault_id id);
/* Nothing passes now; what sets out is sent again later. */
bool net_link_is_cut(const struct net_link *link);
/* Its fields changed: works out `blocks` and `special`. */
void net_link_changed(struct net_link *link);
/* stream_hold.c: connections go on. */
void net_links_healed(struct net *net);
/* A connection of the node `number` cannot use its address `addr` any more. */
bool net_addr_is_gone(const struct net *net, uint8_t number, const struct sim_addr *addr);

void net_init(struct net *net);
void net_fini(struct net *net); /* every socket is closed */

/* The way from one node to another (or the same), made at first use; lives as the net. */
struct net_link *net_link_between(struct sim_node *from, struct sim_node *to);
/* The other direction. */
struct net_link *net_link_back(struct net_link *link);

/* 0, -EINVAL (too short), -EAFNOSUPPORT. */
int net_addr_read(const struct sockaddr *addr, socklen_t len, struct sim_addr *ret);
void net_addr_write(const struct sim_addr *addr, struct sockaddr_storage *ret);
bool net_same_ip(const struct sim_addr *a, const struct sim_addr *b);
bool net_is_any(const struct sim_addr *addr);
bool net_is_loopback(const struct sim_addr *addr);
struct sim_addr net_loopback(sa_family_t family, uint16_t port);
/* The node may bind it. */
bool net_is_local(const struct sim_node *n, const struct sim_addr *addr);
/* The address of the node from which it talks to `to`. Port 0. */
struct sim_addr net_source_for(const struct sim_node *n, const struct sim_addr *to);
/* ---- ports.c ---- */

/* The node that has the address; for loopback the one that listens there, or `self`.
 * NULL: nobody. */
struct sim_node *net_node_at(struct sim_node *self, const struct sim_addr *addr);

/* Enters the socket under its `local` address; port 0: chooses one. -EADDRINUSE. */
int net_bind(struct sim_socket *socket);
/* Whoever listens for `addr` when it comes from `from`; NULL: nobody. */
struct sim_socket *net_find_listener(struct net *net, uint8_t from,
                                     const struct sim_addr *addr);
/* Whether another socket listens there already. */
bool net_is_taken(const struct sim_socket *socket);

#endif
