/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet.h: what goes from device to device, and the way it takes: wire.c, path.c, roce.c.
 * Used by the files of sim/rdma/ only.
 */
#ifndef MSGRLAB_SIM_RDMA_PACKET_H
#define MSGRLAB_SIM_RDMA_PACKET_H

#include "sim/rdma/device_impl.h"

/* PACKET_SEND: SEND and WRITE. Requests come first. */
enum nic_packet_kind {
    PACKET_SEND,
    PACKET_READ,
    PACKET_ATOMIC,
    PACKET_RESPONSE,
    PACKET_ACK,
    PACKET_NAK_SEQUENCE,
    PACKET_NAK_RNR,
    PACKET_NAK_ERROR
};

/* Some packets of one message, or an answer. */
struct nic_packet {
    struct list of_fabric;
    struct sim_timer timer; /* arrives */
    struct rdma_fabric *fabric;
    union ibv_gid to;
    uint32_t dest_qpn, psn, n_psn;
    enum nic_packet_kind kind;
    enum ibv_wc_status status; /* NAK_ERROR: what the requester sees; NAK_RNR: the timer */
    enum ibv_wc_status doom;   /* the responder refuses it so; SUCCESS: it does not */
    enum ibv_wr_opcode opcode;
    bool first, last, solicited;
    __be32 imm;
    uint32_t mtu;    /* the sender's */
    uint32_t offset; /* of the first byte in its message */
    struct nic_remote remote;
    uint32_t len;
    uint8_t data[];
};

/* ---- wire.c ---- */
/* The node that has the GID; "" for none. */
const char *nic_node_at(const struct nic *nic, const union ibv_gid *gid);
struct rdma_fabric *nic_fabric(struct sim_node *node);
/* Room for `len` bytes. NULL: no memory (the packet is lost then). */
struct nic_packet *nic_packet_new(struct nic *nic, uint32_t len);
/* Sends it to the peer of the queue pair; takes it over. */
void nic_send_packet(struct nic_qp *qp, struct nic_packet *p);
/* Looks for the neighbour, for a second if need be. */
bool nic_resolve(struct nic_qp *qp, const union ibv_gid *gid);
/* Whether the queue pair's way out exists. */
bool nic_has_route(const struct nic_qp *qp);

/* ---- path.c: what the link does; bytes with headers ---- */
/* When packets that set out now arrive; 0: they do not. */
uint64_t nic_path_time(struct nic_qp *qp, struct net_link *link, uint64_t bytes);
/* Whether one of that size is lost. */
bool nic_path_loses(struct nic_qp *qp, struct net_link *link, uint32_t bytes);

/* Shows it to the world's tap. */
void nic_tap_packet(const struct nic_qp *qp, const struct nic_packet *p, uint8_t to_node);

/* The bytes of a path MTU. */
static inline uint32_t nic_mtu(const struct nic_qp *qp)
{
    return 128u << qp->attr.path_mtu;
}

#endif
