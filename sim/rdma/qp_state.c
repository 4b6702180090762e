/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qp_state.c: the state machine of an RC queue pair: which transitions there are, and which
 * attributes each must and may have (InfiniBand specification, table "QP state transition
 * properties").
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

struct transition {
    enum ibv_qp_state from, to;
    int must, may;
};

#define INIT_ATTRS (IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS)
#define RTR_ATTRS                                                                          \
    (IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |                       \
     IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER)
#define RTS_ATTRS                                                                          \
    (IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |                \
     IBV_QP_MAX_QP_RD_ATOMIC)

static const struct transition transitions[] = {
    {IBV_QPS_RESET, IBV_QPS_INIT, INIT_ATTRS, 0},
    {IBV_QPS_INIT, IBV_QPS_INIT, 0, INIT_ATTRS},
    {IBV_QPS_INIT, IBV_QPS_RTR, RTR_ATTRS,
     IBV_QP_PKEY_INDEX | IBV_QP_ACCESS_FLAGS | IBV_QP_ALT_PATH},
    {IBV_QPS_RTR, IBV_QPS_RTS, RTS_ATTRS,
     IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER | IBV_QP_ALT_PATH |
         IBV_QP_PATH_MIG_STATE},
    {IBV_QPS_RTS, IBV_QPS_RTS, 0,
     IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER | IBV_QP_ALT_PATH |
         IBV_QP_PATH_MIG_STATE},
    {IBV_QPS_RTS, IBV_QPS_SQD, 0, IBV_QP_EN_SQD_ASYNC_NOTIFY},
    {IBV_QPS_SQD, IBV_QPS_SQD, 0, IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER},
    {IBV_QPS_SQD, IBV_QPS_RTS, 0,
     IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER},
};

static bool is_legal(enum ibv_qp_state from, enum ibv_qp_state to, int mask)
{
    mask &= ~IBV_QP_STATE;
    if (to == IBV_QPS_RESET) {
        return mask == 0;
    }
    if (to == IBV_QPS_ERR) {
        return mask == 0 && from != IBV_QPS_RESET;
    }
    for (size_t i = 0; i < ARRAY_SIZE(transitions); i++) {
        const struct transition *t = &transitions[i];

        if (t->from == from && t->to == to) {
            return (mask & t->must) == t->must && (mask & ~(t->must | t->may)) == 0;
        }
    }
    return false;
}

/* The way to the peer, before RTR. */
static int check_path(const struct nic_qp *qp, const struct ibv_qp_attr *attr)
{
    const struct ibv_ah_attr *ah = &attr->ah_attr;
    static const union ibv_gid nobody;

    if (attr->path_mtu < IBV_MTU_256 || attr->path_mtu > IBV_MTU_4096 || !ah->is_global ||
        memcmp(&ah->grh.dgid, &nobody, sizeof(nobody)) == 0) {
        return -EINVAL;
    }
    if (ah->grh.sgid_index >= NIC_GIDS || !qp->nic->gid_there[ah->grh.sgid_index]) {
        return qp->nic->is->gid_is_enodata ? -ENODATA : -EINVAL;
    }
    return ah->port_num != 1 ? -EINVAL : 0;
}

static int check_values(const struct nic_qp *qp, const struct ibv_qp_attr *attr, int mask)
{
    if (((mask & IBV_QP_PORT) != 0 && attr->port_num != 1) ||
        ((mask & IBV_QP_PKEY_INDEX) != 0 && attr->pkey_index != 0 &&
         !qp->nic->is->accepts_bad_values) ||
        ((mask & IBV_QP_TIMEOUT) != 0 && attr->timeout > 31) ||
        ((mask & IBV_QP_MIN_RNR_TIMER) != 0 && attr->min_rnr_timer > 31) ||
        ((mask & IBV_QP_RETRY_CNT) != 0 && attr->retry_cnt > 7 &&
         !qp->nic->is->accepts_bad_values) ||
        ((mask & IBV_QP_RNR_RETRY) != 0 && attr->rnr_retry > 7)) {
        return -EINVAL;
    }
    return (mask & IBV_QP_AV) != 0 ? check_path(qp, attr) : 0;
}

#define TAKE(bit, field)                                                                   \
    if ((mask & (bit)) != 0) {                                                             \
        qp->attr.field = attr->field;                                                      \
    }

static void take_values(struct nic_qp *qp, const struct ibv_qp_attr *attr, int mask)
{
    TAKE(IBV_QP_PKEY_INDEX, pkey_index)
    TAKE(IBV_QP_PORT, port_num)
    TAKE(IBV_QP_ACCESS_FLAGS, qp_access_flags)
    TAKE(IBV_QP_AV, ah_attr)
    TAKE(IBV_QP_PATH_MTU, path_mtu)
    TAKE(IBV_QP_DEST_QPN, dest_qp_num)
    TAKE(IBV_QP_RQ_PSN, rq_psn)
    TAKE(IBV_QP_MAX_DEST_RD_ATOMIC, max_dest_rd_atomic)
    TAKE(IBV_QP_MIN_RNR_TIMER, min_rnr_timer)
    TAKE(IBV_QP_TIMEOUT, timeout)
    TAKE(IBV_QP_RETRY_CNT, retry_cnt)
    TAKE(IBV_QP_RNR_RETRY, rnr_retry)
    TAKE(IBV_QP_SQ_PSN, sq_psn)
    TAKE(IBV_QP_MAX_QP_RD_ATOMIC, max_rd_atomic)
}

/* What was said of the peer is not so. */
static void spoil_peer(struct nic_qp *qp)
{
    struct nic_wrong wrong = nic_fault_wrong(qp);

    qp->attr.dest_qp_num ^= wrong.dest_qpn_bits;
    if (wrong.rq_psn_more != 0) {
        qp->attr.rq_psn = (qp->attr.rq_psn + wrong.rq_psn_more) & PSN_MASK;
    }
}

/* Back to the beginning: what was posted is forgotten without a CQE. */
static void reset(struct nic_qp *qp)
{
    CHECK(qp->state == IBV_QPS_RESET);
    nic_requester_stop(qp);
    sim_timer_cancel(&nic_sched(qp->nic)->timers, &qp->flush);
    qp->una = qp->next = qp->sq.released = qp->sq.posted;
    qp->rq.taken = qp->rq.released = qp->rq.posted;
    qp->receiving = qp->nak_sent = false;
    qp->reads = 0;
    qp->told_last_wqe = qp->told_comm_est = false;
    nic_cq_forget(qp->send_cq, qp, qp->nic->is->reset_purges_cqes);
    nic_cq_forget(qp->recv_cq, qp, qp->nic->is->reset_purges_cqes);
}

static void enter_state(struct nic_qp *qp, enum ibv_qp_state to)
{
    enum ibv_qp_state from = qp->state;

    if (to == IBV_QPS_ERR) {
        nic_qp_to_err(qp);
        return;
    }
    qp->state = to;
    if (to == IBV_QPS_RESET) {
        reset(qp);
    } else if (to == IBV_QPS_RTR && from != to) {
        qp->epsn = qp->attr.rq_psn & PSN_MASK;
        snprintf(qp->peer, sizeof(qp->peer), "%s",
                 nic_node_at(qp->nic, &qp->attr.ah_attr.grh.dgid));
    } else if (to == IBV_QPS_RTS && from == IBV_QPS_RTR) {
        nic_requester_start(qp);
    } else if (to == IBV_QPS_RTS) {
        nic_requester_kick(qp);
    } else if (to == IBV_QPS_SQD && qp->nic->is->sqd_event) {
        nic_async_qp(qp, IBV_EVENT_SQ_DRAINED);
    }
}

int nic_modify_qp(struct verbs *v, struct ibv_qp *ibv, struct ibv_qp_attr *attr, int mask)
{
    struct nic_qp *qp = to_qp(ibv);
    enum ibv_qp_state to;
    int err = nic_control(qp->nic);

    if (err < 0) {
        return err;
    }
    to = (mask & IBV_QP_STATE) != 0 ? attr->qp_state : qp->state;
    if (((mask & IBV_QP_CUR_STATE) != 0 && attr->cur_qp_state != qp->state) ||
        !is_legal(qp->state, to, mask)) {
        return -EINVAL;
    }
    err = check_values(qp, attr, mask);
    if (err < 0) {
        return err;
    }
    if (to == IBV_QPS_RTR && !nic_resolve(qp, &attr->ah_attr.grh.dgid)) {
        return -ETIMEDOUT;
    }
    if ((mask & IBV_QP_STATE) != 0) {
        err = nic_fault_modify(qp, to);
    }
    if (err < 0) {
        return err;
    }
    take_values(qp, attr, mask);
    if ((mask & IBV_QP_STATE) != 0 && to == IBV_QPS_RTR) {
        spoil_peer(qp);
    }
    enter_state(qp, to);
    qp->ibv.state = qp->state;
    return 0;
}

int nic_query_qp(struct verbs *v, struct ibv_qp *ibv, struct ibv_qp_attr *ret, int mask,
                 struct ibv_qp_init_attr *ret_init)
{
    struct nic_qp *qp = to_qp(ibv);
    int err = nic_control(qp->nic);

    if (err < 0) {
        return err;
    }
    if (mask == -1 && qp->nic->is->query_mask_checked) {
        return -EOPNOTSUPP;
    }
    *ret = qp->attr;
    ret->qp_state = qp->state;
    ret->cur_qp_state = qp->nic->is->cur_state_is_reset ? IBV_QPS_RESET : qp->state;
    ret->cap = qp->init.cap;
    *ret_init = qp->init;
    qp->ibv.state = qp->state; /* as libibverbs does */
    return 0;
}
