/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic.h: what the files of sim/rdma/ give each other; what a device is made of is in
 * device_impl.h.
 */
#ifndef MSGRLAB_SIM_RDMA_NIC_H
#define MSGRLAB_SIM_RDMA_NIC_H

#include "sim/rdma/device_impl.h"
#include "sim/rdma/packet.h"

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
/* Whatever may happen to the device when it has something to send. */
void nic_suffer(struct nic_qp *qp);

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

#endif
