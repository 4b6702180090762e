/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdma.h: a virtual RDMA device for each node that asks for one: RC queue pairs over the
 * simulated network, in virtual time.
 *
 *     struct verbs *verbs;
 *     rdma_verbs_new(os, &rdma_hca, &verbs);     // stacks/rdma/verbs.h from here on
 *
 *     ibv_post_send --> sq --> requester --packets--> responder --> recv WQE --> CQE
 *                               ^   |                     |
 *                   ack timer --'   '<------- ACK, NAK ---'
 *
 * What real devices do differently is a personality (personality.h). What none of them
 * promises is a decision: when CQEs of a flush come to be seen, in which order queues are
 * flushed, what a queue pair's number is.
 *
 * Threads: as verbs.h says; all of them are virtual threads of one world. Calls are
 * scheduling points.
 */
#ifndef MSGRLAB_SIM_RDMA_RDMA_H
#define MSGRLAB_SIM_RDMA_RDMA_H

#include "sim/rdma/personality.h"
#include "stacks/rdma/verbs.h"

/* One device, "hca0" or as the personality says, with one port, on the node's addresses.
 * 0 or -ENOMEM. The caller owns *ret; after verbs_free the machine has no device. */
int rdma_verbs_new(struct os *os, const struct rdma_personality *is, struct verbs **ret);

/* ---- what a device may suffer; `v` is one of these, any thread of the world ---- */

/* Faults of group V happen as this catalogue says (sim/faults/faults.h; borrowed, it
 * outlives `v`); NULL, as at first: none. */
struct sim_faults;
void rdma_faults_set(struct verbs *v, struct sim_faults *faults);

/* What becomes of the packets that the device sends, in percent; each is a decision. */
struct rdma_wire {
    int lost, duplicated, damaged;
};
void rdma_wire_set(struct verbs *v, struct rdma_wire wire);
/* The port loses its link, or gets it back: PORT_ERR, PORT_ACTIVE. */
void rdma_port_set(struct verbs *v, bool up);
/* The address that was at that index of the GID table goes away, or comes back (to another
 * index, while a queue pair holds the old one): GID_CHANGE. */
void rdma_gid_set(struct verbs *v, uint32_t index, bool there);
/* The device dies: DEVICE_FATAL, every verb fails with -EIO, nothing completes any more. */
void rdma_device_fail(struct verbs *v);
/* A queue pair dies by itself: QP_FATAL, state ERR, its work requests are flushed. -ENOENT:
 * there is none of that number. */
int rdma_qp_fail(struct verbs *v, uint32_t qp_num);

/* Bytes of SENDs that have come to the node's queue pair of that number; UINT64_MAX: there
 * is none. */
uint64_t rdma_arrived(struct os *os, uint32_t qp_num);
/* For leak checks. */
struct rdma_objects {
    int contexts, pds, mrs, channels, cqs, srqs, qps;
};
void rdma_objects(struct verbs *v, struct rdma_objects *ret);

#endif
