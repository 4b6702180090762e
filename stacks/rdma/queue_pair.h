/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_pair.h: one reliable connection of the device (Ceph: QueuePair).
 *
 *   new --create--> INIT --connect--> RTS --fail/close--> ERR --destroy--> gone
 *                     \______________________________________^
 *
 * Transitions by one thread at a time: the worker, then, once the socket was closed, the
 * dispatcher. (RTR is passed on the way to RTS.)
 */
#ifndef MSGRLAB_STACKS_RDMA_QUEUE_PAIR_H
#define MSGRLAB_STACKS_RDMA_QUEUE_PAIR_H

#include "stacks/rdma/device.h"
#include "stacks/rdma/handshake.h"

enum queue_pair_state { QUEUE_PAIR_NONE, QUEUE_PAIR_INIT, QUEUE_PAIR_RTS, QUEUE_PAIR_ERR };

/* What every queue pair of a stack has in common; borrowed. */
struct queue_pair_shared {
    struct os *os;
    const struct rdma_opts *opts;
    struct rdma_device *device;
    struct ibv_cq *send_cq, *recv_cq;
    struct ibv_srq *srq; /* NULL: each has its own receive queue */
    uint32_t send_depth; /* data work requests; two more are for FIN and beacon */
    uint32_t recv_depth; /* of its own queue */
};

struct queue_pair {
    const struct queue_pair_shared *shared; /* borrowed */
    struct ibv_qp *qp;                      /* owned */
    enum queue_pair_state state;
    uint32_t qpn, psn;
    struct ibv_gid_entry gid; /* ours, for all its life */
    _Atomic uint32_t trace_obj;
};

/* In state INIT. 0 or -errno; nothing is left behind. */
int queue_pair_create(struct queue_pair *q, const struct queue_pair_shared *shared,
                      uint32_t psn);
/* INIT to RTS, towards the peer. May block while the device looks for the way. */
int queue_pair_connect(struct queue_pair *q, const struct handshake_record *peer);
/* Whatever is posted comes back. 0, also when it is there already; -errno: the device does
 * not even do that. */
int queue_pair_fail(struct queue_pair *q);
/* A zero-length SEND: WR_FIN ends the stream, WR_BEACON in ERR says that everything before
 * it came back. */
int queue_pair_post_empty(struct queue_pair *q, uint64_t wr_id);
void queue_pair_destroy(struct queue_pair *q); /* zeroed is fine */

/* For the side channel. */
void queue_pair_record(const struct queue_pair *q, uint32_t peer_qpn,
                       struct handshake_record *ret);

#endif
