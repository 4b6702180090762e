/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.h: what the device does wrong: a question in, an answer out. Whether it happens
 * here and now, and what, is said by the catalogue (sim/faults/faults.h, group V); whoever
 * asks carries it out. 0, SUCCESS, false and a zeroed answer are: nothing of the kind.
 *
 * Occurrences are those of a queue pair, if there is one, else of the device. Used by the
 * files of sim/rdma/ only.
 */
#ifndef MSGRLAB_SIM_RDMA_FAULTS_H
#define MSGRLAB_SIM_RDMA_FAULTS_H

#include "sim/rdma/device_impl.h"

/* ---- control verbs: 0 or a negative errno ---- */
bool nic_fault_list(struct nic *nic); /* true: there is no device */
int nic_fault_open(struct nic *nic);
int nic_fault_query(struct nic *nic);
struct nic_limits
nic_fault_limits(struct nic *nic);     /* what it says it has: nic->has, or less */
int nic_fault_create(struct nic *nic); /* PD, channel, CQ, SRQ */
uint32_t nic_fault_more_cqe(struct nic *nic);
int nic_fault_create_qp(struct nic *nic);
bool nic_fault_number(struct nic *nic);      /* true: an old number once more */
uint64_t nic_fault_slow_mr(struct nic *nic); /* ns that registering takes */
int nic_fault_reg_mr(struct nic *nic);
int nic_fault_modify(struct nic_qp *qp, enum ibv_qp_state to);
/* What was just said of the peer, spoiled. */
struct nic_wrong {
    uint32_t dest_qpn_bits; /* they are the other way round */
    uint32_t rq_psn_more;   /* added, mod 2^24 */
};
struct nic_wrong nic_fault_wrong(struct nic_qp *qp);

/* ---- data verbs: 0 or a positive errno ---- */
int nic_fault_post_send(struct nic_qp *qp);
int nic_fault_post_recv(struct nic_qp *qp);
int nic_fault_post_srq_recv(struct nic_srq *srq);

/* ---- requests: how one is to fail ---- */
enum ibv_wc_status nic_fault_send(struct nic_qp *qp);
enum ibv_wc_status nic_fault_recv(struct nic_qp *qp);

/* ---- queues that die ---- */
struct nic_qp_death {
    bool dies;
    bool behind; /* the event comes behind the flush, else before */
    enum ibv_event_type event;
};
struct nic_qp_death nic_fault_qp(struct nic_qp *qp);
bool nic_fault_srq(struct nic_srq *srq);
bool nic_fault_cq(struct nic_cq *cq);

/* ---- completions and their events ---- */
uint64_t nic_fault_late(struct nic_qp *qp);     /* ns until a CQE is seen */
uint32_t nic_fault_overtake(struct nic_qp *qp); /* CQEs of others it comes before */
/* How many of `n` a poll may give, or -EIO; *ret_hide_ns: none, and they are seen so much
 * later. */
int nic_fault_poll(struct nic *nic, int n, uint64_t *ret_hide_ns);
uint64_t nic_fault_event(struct nic *nic); /* ns until a completion event comes */
bool nic_fault_extra_event(struct nic *nic);

/* How LAST_WQE_REACHED is told. Nothing of the kind: once. */
struct nic_last_wqe {
    int times;         /* now */
    uint64_t later_ns; /* and once more then; 0: not */
};
struct nic_last_wqe nic_fault_last_wqe(struct nic_qp *qp);

/* ---- the device, when it has something to send ---- */
/* An event that means no harm. */
struct nic_harmless {
    enum { NIC_OF_NOTHING, NIC_OF_PORT, NIC_OF_QP, NIC_OF_SRQ } of;
    enum ibv_event_type event;
};
struct nic_harmless nic_fault_harmless(struct nic_qp *qp);
uint64_t nic_fault_port(struct nic_qp *qp); /* ns without the port */
/* ns without an entry of the GID table, and which. */
struct nic_gid_loss {
    uint64_t ns;
    uint32_t index;
};
struct nic_gid_loss nic_fault_gid(struct nic_qp *qp);
bool nic_fault_device(struct nic_qp *qp);   /* true: it fails, for ever */
uint64_t nic_fault_page(struct nic_qp *qp); /* ns until it can send */

/* ---- packets ---- */
bool nic_fault_packet(struct nic_qp *qp, enum fault_id id);
/* ns by which a packet is late: L01_SPIKE, L05_REORDER, L14_SLOT (a multiple of that). */
uint64_t nic_fault_delay(struct nic_qp *qp, enum fault_id id);

#endif
