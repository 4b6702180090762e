/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_impl.h: what a virtual device is made of. Used by the files of sim/rdma/ only.
 *
 *     rdma_fabric (of the world) -- nics -- contexts -- PDs, MRs, CQs, channels, SRQs, QPs
 *               '-- packets on the way
 *
 * Reference counts (`users`) say what may be destroyed. Timers act on behalf of the device:
 * between two steps of whatever thread is current.
 */
#ifndef MSGRLAB_SIM_RDMA_DEVICE_IMPL_H
#define MSGRLAB_SIM_RDMA_DEVICE_IMPL_H

#include "sim/faults/faults.h"
#include "sim/net/net.h"
#include "sim/node/file.h"
#include "sim/rdma/rdma.h"

#define NIC_GIDS 4
#define NIC_QP_BUCKETS 64
#define PSN_MASK 0xffffffu

struct nic_qp;
struct nic_cq;

struct rdma_fabric {
    struct list nics;    /* of nic.of_fabric; borrowed */
    struct list packets; /* of nic_packet.of_fabric: on the way; owned */
};

struct nic_limits {
    int max_qp, max_qp_wr, max_srq_wr, max_cqe;
};

struct nic {
    struct verbs base;
    struct sim_node *node; /* borrowed */
    struct rdma_fabric *fabric;
    const struct rdma_personality *is;
    struct list of_fabric;
    struct list contexts;            /* of nic_context.of_nic */
    struct list qps[NIC_QP_BUCKETS]; /* of nic_qp.of_nic, by number */
    struct list mrs;                 /* of nic_mr.of_nic */
    struct sim_actor actor;
    union ibv_gid addresses[NIC_GIDS]; /* of the network interface */
    union ibv_gid gids[NIC_GIDS];      /* the table: an entry a QP holds is not used anew */
    bool gid_there[NIC_GIDS];
    bool port_up, failed;
    struct rdma_wire wire;
    struct nic_limits has; /* the personality's, or less */
    uint32_t next_qpn, next_key;
    uint32_t last_qpn; /* of the queue pair destroyed last; 0: none yet */
    struct rdma_objects objects;
    struct sim_faults *faults; /* borrowed; NULL: none */
    struct sim_timer port_returns, gid_returns;
    uint32_t gid_away; /* what comes back with gid_returns */
};

/* Events that wait to be read: a descriptor is readable when there are any. */
struct nic_events {
    struct sim_file file; /* installed while the owner lives */
    struct list queue;    /* of cq (channels), or nic_async.node */
};

struct nic_context {
    struct ibv_context ibv;
    struct ibv_device device;
    struct nic *nic;
    struct list of_nic;
    struct nic_events async;
    int users; /* PDs, CQs, channels */
};

struct nic_async {
    struct list node;
    struct ibv_async_event event;
};

struct nic_pd {
    struct ibv_pd ibv;
    struct nic *nic;
    int users; /* MRs, SRQs, QPs */
};

struct nic_mr {
    struct ibv_mr ibv;
    struct nic *nic;
    struct nic_pd *pd;
    int access;
    struct list of_nic;
};

struct nic_channel {
    struct ibv_comp_channel ibv;
    struct nic *nic;
    struct nic_events events;
    int users; /* CQs */
};

struct nic_cqe {
    struct ibv_wc wc;
    struct nic_qp *qp;    /* borrowed; NULL: destroyed */
    uint32_t sq_released; /* requests of its send queue that are over, this one included */
    bool of_sq, solicited;
};

enum nic_armed { NIC_DISARMED, NIC_ARMED_SOLICITED, NIC_ARMED };

struct nic_cq {
    struct ibv_cq ibv;
    struct nic *nic;
    struct nic_channel *channel; /* borrowed; NULL: none */
    struct nic_cqe *ring;        /* owned; grows up to `depth` */
    uint32_t first, n, cap, depth;
    enum nic_armed armed;
    bool dead;                   /* after an overrun */
    uint32_t hidden;             /* the last so many of the ring cannot be seen yet */
    struct sim_timer reveal;     /* then they can */
    struct sim_timer late_event; /* a completion event that was held back */
    struct list in_channel;      /* an event waits to be got */
    uint32_t unacked;            /* events got, CQ and async */
    struct sim_queue acks;       /* destroy_cq waits here */
    int users;                   /* a QP counts once for each role */
};

/* What an RDMA operation is about; `len` of the whole message. */
struct nic_remote {
    uint64_t addr;
    uint32_t rkey, len;
    uint64_t compare_add, swap;
};

/* One work request. */
struct nic_wqe {
    uint64_t wr_id;
    enum ibv_wr_opcode opcode;
    unsigned int flags;
    __be32 imm;
    int n_sge;
    uint32_t len;        /* of all buffers */
    uint32_t psn, n_psn; /* given when it is first sent; n_psn 0: it was not */
    struct nic_remote remote;
    bool responded;          /* a READ or an atomic whose data came */
    enum ibv_wc_status doom; /* it fails so; SUCCESS: it need not */
    uint8_t *copy;           /* owned: inline data; NULL: none */
    uint64_t owned;          /* owned.c: the sum of its memory; 0: not watched */
};

/* A ring of work requests; the indices run on. */
struct nic_wq {
    struct nic_wqe *wqes; /* owned */
    struct ibv_sge *sges; /* owned: max_sge of each */
    uint32_t depth, max_sge;
    uint32_t posted, taken, released; /* released <= taken <= posted */
};

struct nic_srq {
    struct ibv_srq ibv;
    struct nic *nic;
    struct nic_pd *pd;
    struct nic_wq wq;
    uint32_t limit; /* 0: not armed */
    bool dead;
    uint32_t unacked;
    struct sim_queue acks;
    int users; /* QPs */
};

struct nic_qp {
    struct ibv_qp ibv;
    struct nic *nic;
    struct nic_pd *pd;
    struct nic_cq *send_cq, *recv_cq;
    struct nic_srq *srq; /* NULL: rq is its own */
    struct list of_nic;
    struct sim_actor actor; /* "a/qp.1" */
    enum ibv_qp_state state;
    struct ibv_qp_attr attr;      /* as modified so far */
    struct ibv_qp_init_attr init; /* with what was granted */
    uint32_t unacked;             /* async events got */
    struct sim_queue acks;
    bool told_last_wqe, told_comm_est;
    char peer[FAULT_NAME]; /* the node at the other end, from RTR on */
    bool has_event_behind;
    enum ibv_event_type event_behind; /* comes behind the flush */
    struct sim_timer late_event;      /* LAST_WQE_REACHED */

    /* Requester: [released, una) are over, [una, next) on the way, [next, posted) wait. */
    struct nic_wq sq;
    uint32_t una, next;           /* indices in sq */
    uint32_t una_psn;             /* the oldest not acknowledged */
    uint32_t next_psn;            /* of the next packet that is sent: of request `next` */
    uint8_t retries, rnr_retries; /* used up so far */
    struct sim_timer doorbell;    /* there is something to send */
    struct sim_timer ack_timer;
    bool in_rnr;      /* waits for the peer to be ready */
    uint64_t last_at; /* when the last packet arrives: none overtakes another */
    uint32_t reads;   /* READs and atomics on the way */

    /* Responder. */
    struct nic_wq rq;
    uint32_t epsn;           /* expected next */
    uint32_t msn;            /* messages that came */
    bool nak_sent;           /* of this gap */
    bool receiving;          /* a message has begun */
    struct nic_wqe rx;       /* where it goes */
    struct ibv_sge *rx_sges; /* owned: of rx */
    uint32_t rx_at;          /* bytes so far */
    uint64_t arrived;        /* bytes of all SENDs so far */
    struct {
        uint32_t psn;
        uint64_t value;
        bool is_set;
    } atomics[16]; /* the answers given last, for requests that come twice */
    uint32_t next_atomic;

    struct sim_timer flush; /* CQEs of what is flushed come to be seen */
    bool recv_first;        /* ... those of receives before those of sends */
};

#endif
