/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic.h: what a virtual device is made of. Used by the files of sim/rdma/ only.
 *
 *     rdma_fabric (of the world) -- nics -- contexts -- PDs, MRs, CQs, channels, SRQs, QPs
 *               '-- packets on the way
 *
 * Reference counts (`users`) say what may be destroyed. Timers act on behalf of the device:
 * between two steps of whatever thread is current.
 */
#ifndef MSGRLAB_SIM_RDMA_NIC_H
#define MSGRLAB_SIM_RDMA_NIC_H

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
    struct {
        uint32_t psn;
        uint64_t value;
        bool is_set;
    } atomics[16]; /* the answers given last, for requests that come twice */
    uint32_t next_atomic;

    struct sim_timer flush; /* CQEs of what is flushed come to be seen */
    bool recv_first;        /* ... those of receives before those of sends */
};

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

static inline struct nic *to_nic(struct verbs *v)
{
    return container_of(v, struct nic, base);
}
static inline struct nic_qp *to_qp(struct ibv_qp *qp)
{
    return container_of(qp, struct nic_qp, ibv);
}
static inline struct nic_cq *to_cq(struct ibv_cq *cq)
{
    return container_of(cq, struct nic_cq, ibv);
}
static inline struct nic_srq *to_srq(struct ibv_srq *srq)
{
    return container_of(srq, struct nic_srq, ibv);
}
static inline struct nic_pd *to_pd(struct ibv_pd *pd)
{
    return container_of(pd, struct nic_pd, ibv);
}
static inline struct nic_context *to_context(struct ibv_context *ctx)
{
    return container_of(ctx, struct nic_context, ibv);
}
static inline struct scheduler *nic_sched(const struct nic *nic)
{
    return nic->node->env->sched;
}
static inline struct sim_decisions *nic_decisions(const struct nic *nic)
{
    return nic->node->env->decisions;
}

/* The start of a control verb: time passes. 0, or -EIO when the device failed. */
int nic_control(struct nic *nic);

/* ---- memory.c ---- */
int nic_alloc_pd(struct verbs *v, struct ibv_context *ctx, struct ibv_pd **ret);
int nic_dealloc_pd(struct verbs *v, struct ibv_pd *pd);
int nic_reg_mr(struct verbs *v, struct ibv_pd *pd, void *addr, size_t len, int access,
               struct ibv_mr **ret);
int nic_dereg_mr(struct verbs *v, struct ibv_mr *mr);
/* Whether the device may touch it. 0; -ENOENT: the key is bad or of another PD; -EFAULT: it
 * is not all inside; -EACCES: may not be written. */
int nic_check_sge(const struct nic *nic, const struct nic_pd *pd, const struct ibv_sge *sge,
                  bool write);

/* The bytes at [remote->addr + offset, + len), if the key gives that right; NULL: not. */
uint8_t *nic_remote_bytes(const struct nic *nic, const struct nic_pd *pd,
                          const struct nic_remote *remote, uint32_t offset, uint32_t len,
                          int access);

/* ---- owned.c: memory of posted requests is the device's ---- */

/* The request was posted: its memory is the device's from here on. */
void nic_own_send(struct nic_qp *qp, uint32_t index);
void nic_own_recv(const struct nic *nic, const struct nic_pd *pd, struct nic_wq *wq,
                  uint32_t index);
/* Whether it is as it was posted; else the run ends. Of a receive: that of qp->rx, before
 * anything is put there. */
void nic_look_at_send(const struct nic_qp *qp, uint32_t index);
void nic_look_at_recv(const struct nic_qp *qp);

/* ---- cq.c, events.c ---- */
int nic_create_cq(struct verbs *v, struct ibv_context *ctx, int cqe, void *cq_context,
                  struct ibv_comp_channel *channel, struct ibv_cq **ret);
int nic_destroy_cq(struct verbs *v, struct ibv_cq *cq);
int nic_poll_cq(struct ibv_cq *cq, int n, struct ibv_wc *wc);
int nic_req_notify_cq(struct ibv_cq *cq, int solicited_only);
/* A completion of a queue pair. `sq_released` as in struct nic_cqe, for send queues. False:
 * it is lost, the CQ is full or dead. */
bool nic_complete(struct nic_qp *qp, struct nic_cq *cq, const struct ibv_wc *wc, bool of_sq,
                  uint32_t sq_released, bool solicited);
/* Nothing in it is late any more. */
void nic_cq_reveal(struct nic_cq *cq);
/* The queue pair is going, or its CQEs are. */
void nic_cq_forget(struct nic_cq *cq, const struct nic_qp *qp, bool purge);
extern const struct verbs_event_ops nic_event_ops;
int nic_events_init(struct nic_events *e, struct sim_node *node);
void nic_events_fini(struct nic_events *e);
void nic_events_ready(struct nic_events *e);
/* To every context of the device. */
void nic_async_port(struct nic *nic, enum ibv_event_type type);
/* About one object; `element` as in struct ibv_async_event. */
void nic_async_qp(struct nic_qp *qp, enum ibv_event_type type);
void nic_async_cq(struct nic_cq *cq, enum ibv_event_type type);
void nic_async_srq(struct nic_srq *srq, enum ibv_event_type type);
/* Forgets events about an object that nobody got. */
void nic_async_forget(struct ibv_context *ctx, const void *element);

/* ---- queue.c: rings of work requests, SRQs ---- */
int nic_wq_init(struct nic_wq *wq, uint32_t depth, uint32_t max_sge);
void nic_wq_fini(struct nic_wq *wq);
/* The slot of that index. */
static inline struct nic_wqe *nic_wq_at(const struct nic_wq *wq, uint32_t index)
{
    return &wq->wqes[index % wq->depth];
}
static inline struct ibv_sge *nic_wq_sges(const struct nic_wq *wq, uint32_t index)
{
    return &wq->sges[(size_t)(index % wq->depth) * wq->max_sge];
}
/* Posts one receive request. 0, EINVAL, ENOMEM (positive, as the data verbs). */
int nic_wq_post_recv(struct nic_wq *wq, const struct ibv_recv_wr *wr);
uint32_t nic_depth(const struct nic *nic, uint32_t asked);
int nic_create_srq(struct verbs *v, struct ibv_pd *pd, struct ibv_srq_init_attr *attr,
                   struct ibv_srq **ret);
int nic_modify_srq(struct verbs *v, struct ibv_srq *srq, struct ibv_srq_attr *attr,
                   int mask);
int nic_query_srq(struct verbs *v, struct ibv_srq *srq, struct ibv_srq_attr *ret);
int nic_destroy_srq(struct verbs *v, struct ibv_srq *srq);
int nic_post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *wr,
                      struct ibv_recv_wr **bad_wr);
/* Takes the oldest receive request, with its buffers. False: none. */
bool nic_take_recv(struct nic_qp *qp, struct nic_wqe *ret, struct ibv_sge *ret_sges);

/* ---- qp.c, qp_state.c ---- */
int nic_create_qp(struct verbs *v, struct ibv_pd *pd, struct ibv_qp_init_attr *attr,
                  struct ibv_qp **ret);
int nic_destroy_qp(struct verbs *v, struct ibv_qp *qp);
int nic_modify_qp(struct verbs *v, struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask);
int nic_query_qp(struct verbs *v, struct ibv_qp *qp, struct ibv_qp_attr *ret, int mask,
                 struct ibv_qp_init_attr *ret_init);
int nic_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr);
int nic_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr);
struct nic_qp *nic_find_qp(struct nic *nic, uint32_t qpn);
/* The queue pair goes to ERR and its requests are flushed, now or soon. Twice is fine: then
 * it flushes what was posted since. */
void nic_qp_to_err(struct nic_qp *qp);

/* ---- requester.c ---- */
void nic_requester_init(struct nic_qp *qp);
void nic_requester_fini(struct nic_qp *qp);
void nic_requester_start(struct nic_qp *qp); /* to RTS */
void nic_requester_kick(struct nic_qp *qp);  /* something was posted */
void nic_requester_answer(struct nic_qp *qp, const struct nic_packet *p);
static inline bool nic_is_read(enum ibv_wr_opcode opcode)
{
    return opcode == IBV_WR_RDMA_READ || opcode == IBV_WR_ATOMIC_CMP_AND_SWP ||
           opcode == IBV_WR_ATOMIC_FETCH_AND_ADD;
}
static inline bool nic_is_write(enum ibv_wr_opcode opcode)
{
    return opcode == IBV_WR_RDMA_WRITE || opcode == IBV_WR_RDMA_WRITE_WITH_IMM;
}
/* All requests that are not over get a CQE with WR_FLUSH_ERR. */
void nic_requester_flush(struct nic_qp *qp);
/* Nothing is sent or awaited any more. */
void nic_requester_stop(struct nic_qp *qp);

/* ---- responder.c ---- */
void nic_responder_request(struct nic_qp *qp, const struct nic_packet *p);
/* The parts that responder_rdma.c needs. */
void nic_respond(struct nic_qp *qp, enum nic_packet_kind kind, uint32_t psn, int status);
/* The queue pair fails; `remote_status` is what the requester sees. */
void nic_responder_fail(struct nic_qp *qp, int remote_status);
/* The next receive request is taken, with its buffers, or RNR is said. */
bool nic_responder_begin(struct nic_qp *qp);
/* ---- responder_rdma.c ---- */
/* The new part of the packets of a WRITE, from `skip` on. False: the queue pair failed, or
 * waits. */
bool nic_responder_write(struct nic_qp *qp, const struct nic_packet *p, uint32_t skip);
void nic_responder_read(struct nic_qp *qp, const struct nic_packet *p);
void nic_responder_atomic(struct nic_qp *qp, const struct nic_packet *p);

/* The message that is being received, and all receive requests of its own queue, get a CQE
 * with WR_FLUSH_ERR. */
void nic_responder_flush(struct nic_qp *qp);
/* A CQE of an error: only what the device promises is in it. */
struct ibv_wc nic_error_wc(const struct nic_qp *qp, uint64_t wr_id,
                           enum ibv_wc_status status);

/* ---- faults.c: 0 or SUCCESS or false: nothing of the kind happens ---- */
void nic_faults_init(struct nic *nic);
void nic_faults_fini(struct nic *nic);
/* Negative errno. */
bool nic_fault_list(struct nic *nic); /* true: there is no device */
int nic_fault_open(struct nic *nic);
int nic_fault_query(struct nic *nic);
void nic_fault_limits(struct nic *nic); /* may make nic->has less */
int nic_fault_create(struct nic *nic);  /* PD, channel, CQ, SRQ */
uint32_t nic_fault_more_cqe(struct nic *nic);
int nic_fault_create_qp(struct nic *nic);
bool nic_fault_number(struct nic *nic); /* true: an old number once more */
int nic_fault_reg_mr(struct nic *nic);  /* may also take its time */
int nic_fault_modify(struct nic_qp *qp, enum ibv_qp_state to);
void nic_fault_wrong(struct nic_qp *qp); /* may spoil what was just said of the peer */
/* Positive errno, as the data verbs. */
int nic_fault_post_send(struct nic_qp *qp);
int nic_fault_post_recv(struct nic_qp *qp);
int nic_fault_post_srq_recv(struct nic_srq *srq);
/* How a request is to fail. Some statuses come about before anything is sent, some at the
 * responder, the others when it is acknowledged. */
enum ibv_wc_status nic_fault_send(struct nic_qp *qp);
enum ibv_wc_status nic_fault_recv(struct nic_qp *qp);
bool nic_status_is_local(enum ibv_wc_status status);
bool nic_status_is_remote(enum ibv_wc_status status);
bool nic_fault_qp(struct nic_qp *qp); /* true: it is in ERR now */
bool nic_fault_srq(struct nic_srq *srq);
bool nic_fault_cq(struct nic_cq *cq);
uint64_t nic_fault_late(struct nic_qp *qp);     /* ns until a CQE is seen */
uint32_t nic_fault_overtake(struct nic_qp *qp); /* CQEs of others it comes before */
uint64_t nic_fault_event(struct nic *nic);      /* ns until a completion event comes */
bool nic_fault_extra_event(struct nic *nic);
/* How many of `n` a poll may give; *ret_hide_ns: none, and they are seen so much later. */
int nic_fault_poll(struct nic *nic, int n, uint64_t *ret_hide_ns);
/* LAST_WQE_REACHED, and what it promises. */
void nic_tell_last_wqe(struct nic_qp *qp);
/* True: it did with LAST_WQE_REACHED what is to be done. */
bool nic_fault_last_wqe(struct nic_qp *qp);
/* Whatever may happen to the device when it has something to send. */
void nic_fault_device(struct nic_qp *qp);
bool nic_fault_packet(struct nic_qp *qp, enum fault_id id);
/* ns by which a packet is late: L01_SPIKE, L05_REORDER, L14_SLOT (a multiple of that). */
uint64_t nic_fault_delay(struct nic_qp *qp, enum fault_id id);
uint64_t nic_fault_page(struct nic_qp *qp); /* ns until it can send */

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
