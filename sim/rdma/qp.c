/* SPDX-License-Identifier: Apache-2.0 */
/* qp.c: queue pairs: making and destroying them, posting to them, and their end in ERR. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

#define FLUSH_STEP_NS 2000 /* CQEs of a flush come 0 to 3 of these later */

/* ---- life ---- */

static struct list *bucket_of(struct nic *nic, uint32_t qpn)
{
    return &nic->qps[qpn % NIC_QP_BUCKETS];
}

struct nic_qp *nic_find_qp(struct nic *nic, uint32_t qpn)
{
    list_for_each(bucket_of(nic, qpn), it)
    {
        struct nic_qp *qp = container_of(it, struct nic_qp, of_nic);

        if (qp->ibv.qp_num == qpn) {
            return qp;
        }
    }
    return NULL;
}

static uint32_t free_qpn(struct nic *nic)
{
    uint32_t qpn = nic->last_qpn;

    if (qpn != 0 && nic_find_qp(nic, qpn) == NULL && nic_fault_number(nic)) {
        return qpn;
    }
    do {
        qpn = nic->next_qpn & PSN_MASK;
        nic->next_qpn = qpn + 1;
    } while (qpn < 2 || nic_find_qp(nic, qpn) != NULL);
    return qpn;
}

static void flush(void *arg);
static void tell_last_wqe(void *arg);

static int check_init(const struct nic *nic, const struct ibv_qp_init_attr *attr)
{
    const struct ibv_qp_cap *cap = &attr->cap;
    uint32_t max_wr = (uint32_t)nic->has.max_qp_wr, max_sge = (uint32_t)nic->is->max_sge;

    if (attr->qp_type != IBV_QPT_RC) {
        return -EOPNOTSUPP;
    }
    if (attr->send_cq == NULL || attr->recv_cq == NULL || cap->max_send_wr == 0 ||
        cap->max_send_wr > max_wr || cap->max_send_sge > max_sge ||
        cap->max_inline_data > (uint32_t)nic->is->max_inline ||
        (attr->srq == NULL && (cap->max_recv_wr > max_wr || cap->max_recv_sge > max_sge))) {
        return -EINVAL;
    }
    return nic->objects.qps >= nic->has.max_qp ? -ENOMEM : 0;
}

static int make_queues(struct nic_qp *qp)
{
    struct ibv_qp_cap *cap = &qp->init.cap;
    uint32_t rx_sge;
    int err;

    cap->max_send_wr = nic_depth(qp->nic, cap->max_send_wr);
    cap->max_inline_data = MAX(cap->max_inline_data,
                               (uint32_t)qp->nic->is->inline_unasked * cap->max_send_sge);
    if (qp->srq != NULL) {
        cap->max_recv_wr = cap->max_recv_sge = 0;
        rx_sge = qp->srq->wq.max_sge;
    } else {
        cap->max_recv_wr = cap->max_recv_wr > 0 ? nic_depth(qp->nic, cap->max_recv_wr) : 0;
        rx_sge = cap->max_recv_sge;
    }
    err = nic_wq_init(&qp->sq, cap->max_send_wr, cap->max_send_sge);
    if (err == 0) {
        err = nic_wq_init(&qp->rq, cap->max_recv_wr, cap->max_recv_sge);
    }
    qp->rx_sges = calloc(MAX(rx_sge, 1u), sizeof(*qp->rx_sges));
    return qp->rx_sges == NULL ? -ENOMEM : err;
}

static void free_memory(struct nic_qp *qp)
{
    nic_wq_fini(&qp->sq);
    nic_wq_fini(&qp->rq);
    free(qp->rx_sges);
    free(qp);
}

static void enter(struct nic_qp *qp, struct ibv_pd *pd)
{
    struct nic *nic = qp->nic;
    char name[SIM_ACTOR_NAME];

    CHECK(qp->state == IBV_QPS_RESET);
    qp->ibv.context = pd->context;
    qp->ibv.qp_context = qp->init.qp_context;
    qp->ibv.pd = pd;
    qp->ibv.send_cq = qp->init.send_cq;
    qp->ibv.recv_cq = qp->init.recv_cq;
    qp->ibv.srq = qp->init.srq;
    qp->ibv.qp_num = free_qpn(nic);
    qp->ibv.qp_type = IBV_QPT_RC;
    snprintf(name, sizeof(name), "%s/qp", nic->node->base.name);
    sim_actor_init(nic_decisions(nic), &qp->actor, name);
    sched_queue_init(&qp->acks, "acknowledgement of events of", "a QP");
    sim_timer_init(&qp->flush, flush, qp);
    sim_timer_init(&qp->late_event, tell_last_wqe, qp);
    nic_requester_init(qp);
    list_init(&qp->of_nic);
    list_push_back(bucket_of(nic, qp->ibv.qp_num), &qp->of_nic);
    qp->pd->users++;
    qp->send_cq->users++;
    qp->recv_cq->users++;
    if (qp->srq != NULL) {
        qp->srq->users++;
    }
    nic->objects.qps++;
}

int nic_create_qp(struct verbs *v, struct ibv_pd *pd, struct ibv_qp_init_attr *attr,
                  struct ibv_qp **ret)
{
    struct nic *nic = to_nic(v);
    struct nic_qp *qp;
    int err = nic_control(nic);

    if (err == 0) {
        err = check_init(nic, attr);
    }
    if (err == 0) {
        err = nic_fault_create_qp(nic);
    }
    if (err < 0) {
        return err;
    }
    qp = calloc(1, sizeof(*qp));
    if (qp == NULL) {
        return -ENOMEM;
    }
    qp->nic = nic;
    qp->pd = to_pd(pd);
    qp->init = *attr;
    qp->send_cq = to_cq(attr->send_cq);
    qp->recv_cq = to_cq(attr->recv_cq);
    qp->srq = attr->srq != NULL ? to_srq(attr->srq) : NULL;
    qp->state = IBV_QPS_RESET;
    err = make_queues(qp);
    if (err < 0) {
        free_memory(qp);
        return err;
    }
    enter(qp, pd);
    attr->cap = qp->init.cap;
    *ret = &qp->ibv;
    return 0;
}

int nic_destroy_qp(struct verbs *v, struct ibv_qp *ibv)
{
    struct nic_qp *qp = to_qp(ibv);
    struct nic *nic = qp->nic;

    CHECK(nic->objects.qps > 0);
    nic_control(nic);
    nic_async_forget(qp->ibv.context, &qp->ibv);
    list_unlink(&qp->of_nic); /* no packet finds it any more */
    nic_requester_stop(qp);
    sim_timer_cancel(&nic_sched(nic)->timers, &qp->flush);
    sim_timer_cancel(&nic_sched(nic)->timers, &qp->late_event);
    while (qp->unacked > 0) {
        sched_block(nic_sched(nic), &qp->acks, UINT64_MAX);
    }
    nic_cq_forget(qp->send_cq, qp, nic->is->purges_cqes);
    nic_cq_forget(qp->recv_cq, qp, nic->is->purges_cqes);
    qp->pd->users--;
    qp->send_cq->users--;
    qp->recv_cq->users--;
    if (qp->srq != NULL) {
        qp->srq->users--;
    }
    nic->objects.qps--;
    nic->last_qpn = qp->ibv.qp_num;
    free_memory(qp);
    return 0;
}

/* ---- the end in ERR ---- */

/* When it comes, the completions of all that was received are in the CQ: whoever then polls
 * until there is nothing has seen them. */
static void tell_last_wqe(void *arg)
{
    struct nic_qp *qp = arg;

    nic_cq_reveal(qp->recv_cq);
    nic_async_qp(qp, IBV_EVENT_QP_LAST_WQE_REACHED);
}

static void end_receives(struct nic_qp *qp)
{
    struct nic_last_wqe told = nic_fault_last_wqe(qp);
    struct scheduler *s = nic_sched(qp->nic);

    for (int i = 0; i < told.times; i++) {
        tell_last_wqe(qp);
    }
    if (told.later_ns > 0) {
        sim_timer_arm(&s->timers, &qp->late_event, s->now + told.later_ns);
    }
}

static void flush(void *arg)
{
    struct nic_qp *qp = arg;

    CHECK(qp->state == IBV_QPS_ERR);
    if (qp->recv_first) {
        nic_responder_flush(qp);
    }
    nic_requester_flush(qp);
    nic_responder_flush(qp);
    if (qp->srq != NULL && qp->nic->is->last_wqe && !qp->told_last_wqe) {
        qp->told_last_wqe = true;
        end_receives(qp);
    }
    if (qp->has_event_behind) {
        qp->has_event_behind = false;
        nic_async_qp(qp, qp->event_behind);
    }
}

void nic_qp_to_err(struct nic_qp *qp)
{
    struct scheduler *s = nic_sched(qp->nic);
    struct sim_decisions *d = nic_decisions(qp->nic);

    CHECK(qp->sq.posted - qp->una <= qp->sq.depth);
    qp->state = IBV_QPS_ERR;
    nic_requester_stop(qp);
    qp->next = qp->una;
    if (!sim_timer_is_armed(&qp->flush)) {
        qp->recv_first = qp->nic->is->flushes_recv_first ||
                         sim_pick(d, SIM_SITE_RDMA_FLUSH_ORDER, &qp->actor, 2) == 0;
        sim_timer_arm(&s->timers, &qp->flush,
                      s->now +
                          FLUSH_STEP_NS * sim_pick(d, SIM_SITE_RDMA_FLUSH, &qp->actor, 4));
    }
}

/* ---- posting ---- */

static bool is_atomic(enum ibv_wr_opcode opcode)
{
    return opcode == IBV_WR_ATOMIC_CMP_AND_SWP || opcode == IBV_WR_ATOMIC_FETCH_AND_ADD;
}

/* 0, EINVAL, ENOMEM. */
static int check_send(const struct nic_qp *qp, const struct ibv_send_wr *wr)
{
    uint64_t bytes = 0;

    if (wr->num_sge < 0 || (uint32_t)wr->num_sge > qp->sq.max_sge ||
        wr->opcode > IBV_WR_ATOMIC_FETCH_AND_ADD ||
        (is_atomic(wr->opcode) && qp->nic->is->checks_atomic_addr &&
         wr->wr.atomic.remote_addr % 8 != 0)) {
        return EINVAL;
    }
    for (int i = 0; i < wr->num_sge; i++) {
        bytes += wr->sg_list[i].length;
    }
    if (bytes > UINT32_MAX / 4 ||
        ((wr->send_flags & IBV_SEND_INLINE) != 0 && bytes > qp->init.cap.max_inline_data)) {
        return EINVAL;
    }
    return qp->sq.posted - qp->sq.released >= qp->sq.depth ? ENOMEM : 0;
}

/* The bytes of an inline request are taken now. */
static void copy_inline(struct nic_wqe *wqe, const struct ibv_send_wr *wr)
{
    uint32_t done = 0;

    wqe->copy = malloc(MAX(wqe->len, 1u));
    CHECK(wqe->copy != NULL);
    for (int i = 0; i < wr->num_sge; i++) {
        memcpy(wqe->copy + done, (const void *)(uintptr_t)wr->sg_list[i].addr,
               wr->sg_list[i].length);
        done += wr->sg_list[i].length;
    }
}

static void put_send(struct nic_qp *qp, const struct ibv_send_wr *wr)
{
    struct nic_wqe *wqe = nic_wq_at(&qp->sq, qp->sq.posted);

    CHECK(qp->sq.posted - qp->sq.released < qp->sq.depth);
    *wqe = (struct nic_wqe){.wr_id = wr->wr_id,
                            .opcode = wr->opcode,
                            .flags = wr->send_flags,
                            .imm = wr->imm_data,
                            .n_sge = wr->num_sge};
    for (int i = 0; i < wr->num_sge; i++) {
        nic_wq_sges(&qp->sq, qp->sq.posted)[i] = wr->sg_list[i];
        wqe->len += wr->sg_list[i].length;
    }
    if (is_atomic(wr->opcode)) {
        wqe->remote = (struct nic_remote){.addr = wr->wr.atomic.remote_addr,
                                          .rkey = wr->wr.atomic.rkey,
                                          .compare_add = wr->wr.atomic.compare_add,
                                          .swap = wr->wr.atomic.swap};
    } else {
        wqe->remote =
            (struct nic_remote){.addr = wr->wr.rdma.remote_addr, .rkey = wr->wr.rdma.rkey};
    }
    wqe->remote.len = wqe->len;
    if ((wr->send_flags & IBV_SEND_INLINE) != 0) {
        copy_inline(wqe, wr);
    }
    nic_own_send(qp, qp->sq.posted);
    qp->sq.posted++;
}

static int post_one(struct nic_qp *qp, const struct ibv_send_wr *wr)
{
    int err = qp->nic->failed ? EIO : check_send(qp, wr);

    if (err == 0) {
        err = nic_fault_post_send(qp);
    }
    if (err == 0) {
        put_send(qp, wr);
    }
    return err;
}

int nic_post_send(struct ibv_qp *ibv, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr)
{
    struct nic_qp *qp = to_qp(ibv);
    bool early;
    int err = 0;

    sched_point(nic_sched(qp->nic), SIM_CALL_post_send);
    early =
        qp->state != IBV_QPS_RTS && qp->state != IBV_QPS_SQD && qp->state != IBV_QPS_ERR;
    if (early && !qp->nic->is->keeps_early_send) {
        *bad_wr = wr;
        return EINVAL;
    }
    for (; wr != NULL && err == 0; wr = err == 0 ? wr->next : wr) {
        err = post_one(qp, wr);
        if (err != 0) {
            *bad_wr = wr;
        }
    }
    if (early) {
        *bad_wr = NULL;
        return EINVAL;
    }
    if (qp->state == IBV_QPS_ERR) {
        nic_qp_to_err(qp);
    } else if (qp->state == IBV_QPS_RTS) {
        nic_requester_kick(qp);
    }
    return err;
}

int nic_post_recv(struct ibv_qp *ibv, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
    struct nic_qp *qp = to_qp(ibv);
    int err = 0;

    sched_point(nic_sched(qp->nic), SIM_CALL_post_recv);
    if (qp->srq != NULL || qp->state == IBV_QPS_RESET) {
        *bad_wr = wr;
        return EINVAL;
    }
    for (; wr != NULL && err == 0; wr = err == 0 ? wr->next : wr) {
        err = qp->nic->failed ? EIO : nic_fault_post_recv(qp);
        if (err == 0) {
            err = nic_wq_post_recv(&qp->rq, wr);
        }
        if (err == 0) {
            nic_own_recv(qp->nic, qp->pd, &qp->rq, qp->rq.posted - 1);
        }
        if (err != 0) {
            *bad_wr = wr;
        }
    }
    if (qp->state == IBV_QPS_ERR && qp->nic->is->flushes_late_recv) {
        nic_qp_to_err(qp);
    }
    return err;
}
