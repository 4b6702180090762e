/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.c: what the device does wrong: each function asks the catalogue
 * (sim/faults/faults.h, group V) whether it happens here and now. Without a catalogue
 * nothing ever does.
 *
 * Occurrences are those of a queue pair, if there is one, else of the device.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/nic.h"

static bool ask(struct nic *nic, struct sim_actor *actor, const char *peer,
                enum fault_id id, uint64_t n, struct fault_shot *ret)
{
    const struct fault_place place = {.node = nic->node->base.name,
                                      .peer = peer,
                                      .thread = "",
                                      .actor = actor,
                                      .now_ns = nic_sched(nic)->now,
                                      .number = nic->node->base.node};

    return nic->faults != NULL && !nic->failed &&
           sim_faults_ask(nic->faults, id, &place, n, ret);
}

static bool ask_qp(struct nic_qp *qp, enum fault_id id, uint64_t n, struct fault_shot *ret)
{
    return ask(qp->nic, &qp->actor, qp->peer, id, n, ret);
}

static bool ask_nic(struct nic *nic, enum fault_id id, uint64_t n, struct fault_shot *ret)
{
    return ask(nic, &nic->actor, "", id, n, ret);
}

/* What the rule says; else what was drawn of 1 .. n. */
static uint64_t value_of(const struct fault_shot *shot)
{
    return shot->value != 0 ? shot->value : shot->draw;
}

static uint64_t time_of(const struct fault_shot *shot, uint64_t usual)
{
    return shot->time_ns != 0 ? shot->time_ns : usual;
}

/* ---- a device that is not as it should be ---- */

static const int of_open[] = {ENODEV, EACCES, EMFILE};
static const int of_query[] = {EIO, ENOMEM, EINVAL};

static int errno_of(const struct fault_shot *shot, const int *list)
{
    return shot->err != 0 ? shot->err : list[shot->draw - 1];
}

bool nic_fault_list(struct nic *nic)
{
    struct fault_shot shot;

    return ask_nic(nic, FAULT_V01_LIST, 1, &shot);
}

int nic_fault_open(struct nic *nic)
{
    struct fault_shot shot;

    return ask_nic(nic, FAULT_V01_OPEN, ARRAY_SIZE(of_open), &shot)
               ? -errno_of(&shot, of_open)
               : 0;
}

int nic_fault_query(struct nic *nic)
{
    struct fault_shot shot;

    return ask_nic(nic, FAULT_V02_QUERY, ARRAY_SIZE(of_query), &shot)
               ? -errno_of(&shot, of_query)
               : 0;
}

void nic_fault_limits(struct nic *nic)
{
    struct fault_shot shot;

    if (!ask_nic(nic, FAULT_V02_LIMITS, 4, &shot)) {
        return;
    }
    switch (value_of(&shot)) {
    case 1:
        nic->has.max_qp_wr = 16;
        break;
    case 2:
        nic->has.max_srq_wr = 16;
        break;
    case 3:
        nic->has.max_cqe = 64;
        break;
    default:
        nic->has.max_qp = 1;
        break;
    }
}

/* ---- verbs that fail ---- */

static const int of_create[] = {ENOMEM, EINVAL, EAGAIN, ENOSPC};
static const int of_reg[] = {ENOMEM, EFAULT, EINVAL};
static const int of_modify[] = {EINVAL, ENOMEM};
static const int of_route[] = {ETIMEDOUT, EINVAL, ENOMEM};
static const int of_post[] = {ENOMEM, EINVAL};

int nic_fault_create(struct nic *nic)
{
    struct fault_shot shot;

    if (nic->objects.qps > 0 ||
        !ask_nic(nic, FAULT_V03_START, ARRAY_SIZE(of_create), &shot)) {
        return 0;
    }
    return -errno_of(&shot, of_create);
}

uint32_t nic_fault_more_cqe(struct nic *nic)
{
    struct fault_shot shot;

    if (!ask_nic(nic, FAULT_V04_MORE_CQE, 1, &shot)) {
        return 0;
    }
    return shot.value != 0 ? (uint32_t)shot.value : 100;
}

int nic_fault_create_qp(struct nic *nic)
{
    struct fault_shot shot;

    return ask_nic(nic, FAULT_V03_QP, ARRAY_SIZE(of_create), &shot)
               ? -errno_of(&shot, of_create)
               : 0;
}

bool nic_fault_number(struct nic *nic)
{
    struct fault_shot shot;

    return ask_nic(nic, FAULT_V25_NUMBER, 1, &shot);
}

int nic_fault_reg_mr(struct nic *nic)
{
    struct fault_shot shot;

    if (ask_nic(nic, FAULT_V31_REG_MR, 1, &shot)) {
        sched_spend(nic_sched(nic), time_of(&shot, NSEC_PER_MSEC));
    }
    if (nic->objects.qps == 0) {
        return nic_fault_create(nic);
    }
    return ask_nic(nic, FAULT_V05_REG_MR, ARRAY_SIZE(of_reg), &shot)
               ? -errno_of(&shot, of_reg)
               : 0;
}

int nic_fault_modify(struct nic_qp *qp, enum ibv_qp_state to)
{
    struct fault_shot shot;
    const int *list = to == IBV_QPS_RTR ? of_route : of_modify;
    uint64_t n = to == IBV_QPS_RTR ? ARRAY_SIZE(of_route) : ARRAY_SIZE(of_modify);
    enum fault_id id = to == IBV_QPS_INIT  ? FAULT_V06_TO_INIT
                       : to == IBV_QPS_RTR ? FAULT_V06_TO_RTR
                       : to == IBV_QPS_RTS ? FAULT_V06_TO_RTS
                       : to == IBV_QPS_ERR ? FAULT_V06_TO_ERR
                                           : FAULT_COUNT;

    return id != FAULT_COUNT && ask_qp(qp, id, n, &shot) ? -errno_of(&shot, list) : 0;
}

void nic_fault_wrong(struct nic_qp *qp)
{
    struct fault_shot shot;

    if (!ask_qp(qp, FAULT_V06_WRONG, 3, &shot)) {
        return;
    }
    switch (value_of(&shot)) {
    case 1:
        qp->attr.dest_qp_num ^= 1u << 23;
        break;
    case 2:
        qp->attr.rq_psn = (qp->attr.rq_psn + 1) & PSN_MASK;
        break;
    default:
        qp->attr.rq_psn = (qp->attr.rq_psn - 1) & PSN_MASK;
        break;
    }
}

int nic_fault_post_send(struct nic_qp *qp)
{
    struct fault_shot shot;

    return ask_qp(qp, FAULT_V07_POST_SEND, ARRAY_SIZE(of_post), &shot)
               ? errno_of(&shot, of_post)
               : 0;
}

int nic_fault_post_recv(struct nic_qp *qp)
{
    struct fault_shot shot;

    return ask_qp(qp, FAULT_V08_POST_RECV, ARRAY_SIZE(of_post), &shot)
               ? errno_of(&shot, of_post)
               : 0;
}

/* Before there is a queue pair, an SRQ that takes nothing at all is a start that fails. */
int nic_fault_post_srq_recv(struct nic_srq *srq)
{
    struct nic *nic = srq->nic;
    struct fault_shot shot;

    if (nic->objects.qps == 0) {
        return srq->wq.posted == 0 ? -nic_fault_create(nic) : 0;
    }
    return ask_nic(nic, FAULT_V08_POST_RECV, ARRAY_SIZE(of_post), &shot)
               ? errno_of(&shot, of_post)
               : 0;
}

/* ---- requests that fail ---- */

/* What a send over RC may end with. */
static const enum ibv_wc_status of_send[] = {
    IBV_WC_RETRY_EXC_ERR,  IBV_WC_LOC_LEN_ERR,  IBV_WC_LOC_QP_OP_ERR,
    IBV_WC_LOC_PROT_ERR,   IBV_WC_BAD_RESP_ERR, IBV_WC_REM_INV_REQ_ERR,
    IBV_WC_REM_ACCESS_ERR, IBV_WC_REM_OP_ERR,   IBV_WC_RNR_RETRY_EXC_ERR,
    IBV_WC_REM_ABORT_ERR,  IBV_WC_FATAL_ERR,    IBV_WC_RESP_TIMEOUT_ERR,
    IBV_WC_GENERAL_ERR,
};
static const enum ibv_wc_status of_recv[] = {
    IBV_WC_LOC_QP_OP_ERR, IBV_WC_LOC_LEN_ERR, IBV_WC_LOC_PROT_ERR,
    IBV_WC_REM_ABORT_ERR, IBV_WC_FATAL_ERR,   IBV_WC_GENERAL_ERR,
};

enum ibv_wc_status nic_fault_send(struct nic_qp *qp)
{
    struct fault_shot shot;

    if (!ask_qp(qp, FAULT_V10_SEND, ARRAY_SIZE(of_send), &shot)) {
        return IBV_WC_SUCCESS;
    }
    return shot.value != 0 ? (enum ibv_wc_status)shot.value : of_send[shot.draw - 1];
}

enum ibv_wc_status nic_fault_recv(struct nic_qp *qp)
{
    struct fault_shot shot;

    if (!ask_qp(qp, FAULT_V10_RECV, ARRAY_SIZE(of_recv), &shot)) {
        return IBV_WC_SUCCESS;
    }
    return shot.value != 0 ? (enum ibv_wc_status)shot.value : of_recv[shot.draw - 1];
}

bool nic_status_is_local(enum ibv_wc_status status)
{
    return status == IBV_WC_LOC_LEN_ERR || status == IBV_WC_LOC_QP_OP_ERR ||
           status == IBV_WC_LOC_PROT_ERR;
}

bool nic_status_is_remote(enum ibv_wc_status status)
{
    return status == IBV_WC_REM_INV_REQ_ERR || status == IBV_WC_REM_ACCESS_ERR ||
           status == IBV_WC_REM_OP_ERR;
}

/* ---- queues that die ---- */

bool nic_fault_qp(struct nic_qp *qp)
{
    static const enum ibv_event_type types[] = {IBV_EVENT_QP_FATAL, IBV_EVENT_QP_REQ_ERR,
                                                IBV_EVENT_QP_ACCESS_ERR};
    struct fault_shot shot;
    uint64_t value;

    if (!ask_qp(qp, FAULT_V15_QP, 6, &shot)) {
        return false;
    }
    value = value_of(&shot) - 1;
    if (value < 3) {
        nic_async_qp(qp, types[value]);
    } else {
        qp->event_behind = types[value % 3];
        qp->has_event_behind = true;
    }
    nic_qp_to_err(qp);
    return true;
}

bool nic_fault_srq(struct nic_srq *srq)
{
    struct fault_shot shot;

    return !srq->dead && ask_nic(srq->nic, FAULT_V15_SRQ, 1, &shot);
}

bool nic_fault_cq(struct nic_cq *cq)
{
    struct fault_shot shot;

    return ask_nic(cq->nic, FAULT_V17_CQ, 1, &shot);
}

/* ---- completions ---- */

#define LATE_NS (100 * NSEC_PER_USEC)

uint64_t nic_fault_late(struct nic_qp *qp)
{
    struct fault_shot shot;

    return ask_qp(qp, FAULT_V18_LATE, 1, &shot) ? time_of(&shot, LATE_NS) : 0;
}

uint32_t nic_fault_overtake(struct nic_qp *qp)
{
    struct fault_shot shot;

    if (!ask_qp(qp, FAULT_V19_OVERTAKE, 1, &shot)) {
        return 0;
    }
    return shot.value != 0 ? (uint32_t)shot.value : UINT32_MAX;
}

int nic_fault_poll(struct nic *nic, int n, uint64_t *ret_hide_ns)
{
    struct fault_shot shot;

    *ret_hide_ns = 0;
    if (ask_nic(nic, FAULT_V18_FAILS, 1, &shot)) {
        return -EIO;
    }
    if (ask_nic(nic, FAULT_V18_NONE, 1, &shot)) {
        *ret_hide_ns = time_of(&shot, NSEC_PER_USEC);
    }
    if (ask_nic(nic, FAULT_V18_FEW, 1, &shot)) {
        n = MIN(n, (int)value_of(&shot));
    }
    return n;
}

uint64_t nic_fault_event(struct nic *nic)
{
    struct fault_shot shot;

    return ask_nic(nic, FAULT_V20_LATE, 1, &shot) ? time_of(&shot, LATE_NS) : 0;
}

bool nic_fault_extra_event(struct nic *nic)
{
    struct fault_shot shot;

    return ask_nic(nic, FAULT_V20_EXTRA, 1, &shot);
}

/* ---- async events ---- */

bool nic_fault_last_wqe(struct nic_qp *qp)
{
    struct scheduler *s = nic_sched(qp->nic);
    struct fault_shot shot;

    if (!ask_qp(qp, FAULT_V16_LAST_WQE, 3, &shot)) {
        return false;
    }
    if (value_of(&shot) == 2) {
        nic_tell_last_wqe(qp);
        nic_tell_last_wqe(qp);
    } else if (value_of(&shot) == 3) {
        sim_timer_arm(&s->timers, &qp->late_event, s->now + time_of(&shot, NSEC_PER_MSEC));
    }
    return true;
}

/* Kernels are newer than programs. */
#define NO_SUCH_EVENT 99

static void put_harmless(struct nic_qp *qp, uint64_t which)
{
    static const enum ibv_event_type types[] = {
        IBV_EVENT_LID_CHANGE,        IBV_EVENT_PKEY_CHANGE, IBV_EVENT_SM_CHANGE,
        IBV_EVENT_CLIENT_REREGISTER, IBV_EVENT_PORT_ACTIVE, IBV_EVENT_COMM_EST,
        IBV_EVENT_SQ_DRAINED,        IBV_EVENT_PATH_MIG,    IBV_EVENT_PATH_MIG_ERR,
    };

    if (which > 10) {
        nic_async_port(qp->nic, (enum ibv_event_type)NO_SUCH_EVENT);
    } else if (which <= 5) {
        nic_async_port(qp->nic, types[which - 1]);
    } else if (which <= ARRAY_SIZE(types)) {
        nic_async_qp(qp, types[which - 1]);
    } else if (qp->srq != NULL) {
        nic_async_srq(qp->srq, IBV_EVENT_SRQ_LIMIT_REACHED);
    }
}

static const uint64_t absences[] = {NSEC_PER_MSEC, 100 * NSEC_PER_MSEC, NSEC_PER_SEC};

static void port_returns(void *arg)
{
    rdma_port_set(arg, true);
}

static void gid_returns(void *arg)
{
    struct nic *nic = to_nic(arg);

    rdma_gid_set(arg, nic->gid_away, true);
}

static void take_away(struct nic *nic, const struct fault_shot *shot,
                      struct sim_timer *returns)
{
    struct scheduler *s = nic_sched(nic);

    sim_timer_arm(&s->timers, returns, s->now + time_of(shot, absences[shot->draw - 1]));
}

void nic_fault_device(struct nic_qp *qp)
{
    struct nic *nic = qp->nic;
    struct fault_shot shot;

    if (ask_qp(qp, FAULT_V21_EVENT, 11, &shot)) {
        put_harmless(qp, value_of(&shot));
    }
    if (!sim_timer_is_armed(&nic->port_returns) &&
        ask_qp(qp, FAULT_V22_PORT, ARRAY_SIZE(absences), &shot)) {
        rdma_port_set(&nic->base, false);
        take_away(nic, &shot, &nic->port_returns);
    }
    if (!sim_timer_is_armed(&nic->gid_returns) &&
        ask_qp(qp, FAULT_V23_GID, ARRAY_SIZE(absences), &shot)) {
        nic->gid_away = shot.value != 0 && shot.value < NIC_GIDS ? (uint32_t)shot.value : 1;
        rdma_gid_set(&nic->base, nic->gid_away, false);
        take_away(nic, &shot, &nic->gid_returns);
    }
    if (ask_qp(qp, FAULT_V24_DEVICE, 1, &shot)) {
        rdma_device_fail(&nic->base);
    }
}

uint64_t nic_fault_delay(struct nic_qp *qp, enum fault_id id)
{
    static const uint64_t spikes[] = {NSEC_PER_MSEC, 10 * NSEC_PER_MSEC,
                                      100 * NSEC_PER_MSEC};
    static const uint64_t slots[] = {100 * NSEC_PER_USEC, NSEC_PER_MSEC,
                                     10 * NSEC_PER_MSEC};
    uint64_t n = id == FAULT_L05_REORDER ? 1000 : 3;
    struct fault_shot shot;

    if (!ask_qp(qp, id, n, &shot)) {
        return 0;
    }
    return time_of(&shot, id == FAULT_L01_SPIKE  ? spikes[shot.draw - 1]
                          : id == FAULT_L14_SLOT ? slots[shot.draw - 1]
                                                 : shot.draw * NSEC_PER_USEC);
}

uint64_t nic_fault_page(struct nic_qp *qp)
{
    struct fault_shot shot;

    return ask_qp(qp, FAULT_V31_PAGE, 1, &shot) ? time_of(&shot, LATE_NS) : 0;
}

bool nic_fault_packet(struct nic_qp *qp, enum fault_id id)
{
    struct fault_shot shot;

    return ask_qp(qp, id, 1, &shot);
}

/* ---- life ---- */

void nic_faults_init(struct nic *nic)
{
    sim_timer_init(&nic->port_returns, port_returns, &nic->base);
    sim_timer_init(&nic->gid_returns, gid_returns, &nic->base);
}

void nic_faults_fini(struct nic *nic)
{
    sim_timer_cancel(&nic_sched(nic)->timers, &nic->port_returns);
    sim_timer_cancel(&nic_sched(nic)->timers, &nic->gid_returns);
}

void rdma_faults_set(struct verbs *v, struct sim_faults *faults)
{
    to_nic(v)->faults = faults;
}
