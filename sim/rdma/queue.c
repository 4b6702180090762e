/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c: rings of work requests, and shared receive queues. */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

/* ---- rings ---- */

/* What a queue of `asked` entries is deep. */
uint32_t nic_depth(const struct nic *nic, uint32_t asked)
{
    uint32_t depth = 1;

    if (nic->is->exact_depth) {
        return asked;
    }
    while (depth < asked + 1) {
        depth *= 2;
    }
    return depth - 1;
}

int nic_wq_init(struct nic_wq *wq, uint32_t depth, uint32_t max_sge)
{
    CHECK(wq->wqes == NULL); /* once */
    *wq = (struct nic_wq){.depth = depth, .max_sge = max_sge};
    if (depth == 0) {
        return 0;
    }
    wq->wqes = calloc(depth, sizeof(*wq->wqes));
    wq->sges = calloc((size_t)depth * MAX(max_sge, 1u), sizeof(*wq->sges));
    if (wq->wqes == NULL || wq->sges == NULL) {
        nic_wq_fini(wq);
        return -ENOMEM;
    }
    return 0;
}

void nic_wq_fini(struct nic_wq *wq)
{
    for (uint32_t i = 0; wq->wqes != NULL && i < wq->depth; i++) {
        free(wq->wqes[i].copy);
    }
    free(wq->wqes);
    free(wq->sges);
    *wq = (struct nic_wq){0};
}

int nic_wq_post_recv(struct nic_wq *wq, const struct ibv_recv_wr *wr)
{
    struct nic_wqe *wqe;

    if (wr->num_sge < 0 || (uint32_t)wr->num_sge > wq->max_sge) {
        return EINVAL;
    }
    if (wq->posted - wq->released >= wq->depth) {
        return ENOMEM;
    }
    wqe = nic_wq_at(wq, wq->posted);
    *wqe = (struct nic_wqe){.wr_id = wr->wr_id, .n_sge = wr->num_sge};
    for (int i = 0; i < wr->num_sge; i++) {
        nic_wq_sges(wq, wq->posted)[i] = wr->sg_list[i];
        wqe->len += wr->sg_list[i].length;
    }
    wq->posted++;
    return 0;
}

static bool take(struct nic_wq *wq, struct nic_wqe *ret, struct ibv_sge *ret_sges)
{
    CHECK(wq->posted - wq->taken <= wq->depth);
    if (wq->taken == wq->posted) {
        return false;
    }
    *ret = *nic_wq_at(wq, wq->taken);
    memcpy(ret_sges, nic_wq_sges(wq, wq->taken), (size_t)ret->n_sge * sizeof(*ret_sges));
    wq->released = ++wq->taken;
    return true;
}

/* ---- shared receive queues ---- */

static uint32_t srq_count(const struct nic_srq *srq)
{
    return srq->wq.posted - srq->wq.taken;
}

static void look_at_limit(struct nic_srq *srq)
{
    if (srq->limit != 0 && srq_count(srq) < srq->limit) {
        srq->limit = 0;
        nic_async_srq(srq, IBV_EVENT_SRQ_LIMIT_REACHED);
    }
}

bool nic_take_recv(struct nic_qp *qp, struct nic_wqe *ret, struct ibv_sge *ret_sges)
{
    if (qp->srq == NULL) {
        return take(&qp->rq, ret, ret_sges);
    }
    if (qp->srq->dead || !take(&qp->srq->wq, ret, ret_sges)) {
        return false;
    }
    look_at_limit(qp->srq);
    return true;
}

int nic_create_srq(struct verbs *v, struct ibv_pd *pd, struct ibv_srq_init_attr *attr,
                   struct ibv_srq **ret)
{
    struct nic *nic = to_nic(v);
    struct nic_srq *srq;
    int err = nic_control(nic);

    if (err < 0) {
        return err;
    }
    if (attr->attr.max_wr == 0 || attr->attr.max_wr > (uint32_t)nic->has.max_srq_wr ||
        attr->attr.max_sge > (uint32_t)nic->is->max_sge) {
        return -EINVAL;
    }
    err = nic_fault_create(nic);
    if (err < 0) {
        return err;
    }
    srq = calloc(1, sizeof(*srq));
    if (srq == NULL) {
        return -ENOMEM;
    }
    err = nic_wq_init(&srq->wq, nic_depth(nic, attr->attr.max_wr), attr->attr.max_sge);
    if (err < 0) {
        free(srq);
        return err;
    }
    CHECK(srq->wq.depth >= attr->attr.max_wr);
    attr->attr.max_wr = srq->wq.depth;
    srq->nic = nic;
    srq->pd = to_pd(pd);
    srq->ibv.context = pd->context;
    srq->ibv.srq_context = attr->srq_context;
    srq->ibv.pd = pd;
    sched_queue_init(&srq->acks, "acknowledgement of events of", "an SRQ");
    srq->pd->users++;
    nic->objects.srqs++;
    *ret = &srq->ibv;
    return 0;
}

int nic_modify_srq(struct verbs *v, struct ibv_srq *ibv, struct ibv_srq_attr *attr,
                   int mask)
{
    struct nic_srq *srq = to_srq(ibv);
    int err = nic_control(srq->nic);

    if (err < 0) {
        return err;
    }
    if ((mask & IBV_SRQ_MAX_WR) != 0) {
        return -EINVAL; /* resizing is not offered */
    }
    if ((mask & IBV_SRQ_LIMIT) != 0) {
        if (attr->srq_limit > srq->wq.depth) {
            return -EINVAL;
        }
        srq->limit = attr->srq_limit;
        if (srq->nic->is->limit_at_once) {
            look_at_limit(srq);
        }
    }
    return 0;
}

int nic_query_srq(struct verbs *v, struct ibv_srq *ibv, struct ibv_srq_attr *ret)
{
    struct nic_srq *srq = to_srq(ibv);
    int err = nic_control(srq->nic);

    if (err == 0) {
        *ret = (struct ibv_srq_attr){
            .max_wr = srq->wq.depth, .max_sge = srq->wq.max_sge, .srq_limit = srq->limit};
    }
    return err;
}

int nic_destroy_srq(struct verbs *v, struct ibv_srq *ibv)
{
    struct nic_srq *srq = to_srq(ibv);

    nic_control(srq->nic);
    if (srq->users > 0) {
        return -EBUSY;
    }
    CHECK(srq->nic->objects.srqs > 0);
    nic_async_forget(srq->ibv.context, &srq->ibv);
    while (srq->unacked > 0) {
        sched_block(nic_sched(srq->nic), &srq->acks, UINT64_MAX);
    }
    srq->pd->users--;
    srq->nic->objects.srqs--;
    nic_wq_fini(&srq->wq);
    free(srq);
    return 0;
}

/* It is dead, and so are the queue pairs that have it. */
static void srq_fails(struct nic_srq *srq)
{
    CHECK(!srq->dead);
    srq->dead = true;
    nic_async_srq(srq, IBV_EVENT_SRQ_ERR);
    for (int i = 0; i < NIC_QP_BUCKETS; i++) {
        list_for_each(&srq->nic->qps[i], it)
        {
            struct nic_qp *qp = container_of(it, struct nic_qp, of_nic);

            if (qp->srq == srq && qp->state != IBV_QPS_RESET) {
                nic_qp_to_err(qp);
            }
        }
    }
}

static int post_one(struct nic_srq *srq, const struct ibv_recv_wr *wr)
{
    int err = srq->nic->failed || srq->dead ? EIO : nic_fault_post_srq_recv(srq);

    if (err == 0) {
        err = nic_wq_post_recv(&srq->wq, wr);
    }
    if (err == 0) {
        nic_own_recv(srq->nic, srq->pd, &srq->wq, srq->wq.posted - 1);
    }
    return err;
}

int nic_post_srq_recv(struct ibv_srq *ibv, struct ibv_recv_wr *wr,
                      struct ibv_recv_wr **bad_wr)
{
    struct nic_srq *srq = to_srq(ibv);

    sched_point(nic_sched(srq->nic), SIM_CALL_post_recv);
    if (nic_fault_srq(srq)) {
        srq_fails(srq);
    }
    for (; wr != NULL; wr = wr->next) {
        int err = post_one(srq, wr);

        if (err != 0) {
            *bad_wr = wr;
            return err;
        }
    }
    return 0;
}
