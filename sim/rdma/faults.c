/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.c: answers about what the device does wrong. Nothing in here changes the device:
 * without a catalogue every answer is that nothing happens.
 */
#include "sim/rdma/faults.h"

#include <errno.h>

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

struct nic_limits nic_fault_limits(struct nic *nic)
{
    struct nic_limits limits = nic->has;
    struct fault_shot shot;

    if (!ask_nic(nic, FAULT_V02_LIMITS, 4, &shot)) {
        return limits;
    }
    switch (value_of(&shot)) {
    case 1:
        limits.max_qp_wr = 16;
        break;
    case 2:
        limits.max_srq_wr = 16;
        break;
    case 3:
        limits.max_cqe = 64;
        break;
    default:
        limits.max_qp = 1;
        break;
    }
    return limits;
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

uint64_t nic_fault_slow_mr(struct nic *nic)
{
    struct fault_shot shot;

    return ask_nic(nic, FAULT_V31_REG_MR, 1, &shot) ? time_of(&shot, NSEC_PER_MSEC) : 0;
}

int nic_fault_reg_mr(struct nic *nic)
{
    struct fault_shot shot;

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

struct nic_wrong nic_fault_wrong(struct nic_qp *qp)
{
    struct fault_shot shot;

    if (!ask_qp(qp, FAULT_V06_WRONG, 3, &shot)) {
        return (struct nic_wrong){0};
    }
    switch (value_of(&shot)) {
    case 1:
        return (struct nic_wrong){.dest_qpn_bits = 1u << 23};
    case 2:
        return (struct nic_wrong){.rq_psn_more = 1};
    default:
        return (struct nic_wrong){.rq_psn_more = PSN_MASK};
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

/* ---- queues that die ---- */

struct nic_qp_death nic_fault_qp(struct nic_qp *qp)
{
    static const enum ibv_event_type types[] = {IBV_EVENT_QP_FATAL, IBV_EVENT_QP_REQ_ERR,
                                                IBV_EVENT_QP_ACCESS_ERR};
    struct fault_shot shot;
    uint64_t value;

    if (!ask_qp(qp, FAULT_V15_QP, 6, &shot)) {
        return (struct nic_qp_death){0};
    }
    value = value_of(&shot) - 1;
    return (struct nic_qp_death){
        .dies = true, .behind = value >= 3, .event = types[value % 3]};
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

struct nic_last_wqe nic_fault_last_wqe(struct nic_qp *qp)
{
    struct fault_shot shot;

    if (!ask_qp(qp, FAULT_V16_LAST_WQE, 3, &shot)) {
        return (struct nic_last_wqe){.times = 1};
    }
    switch (value_of(&shot)) {
    case 2:
        return (struct nic_last_wqe){.times = 2};
    case 3:
        return (struct nic_last_wqe){.later_ns = time_of(&shot, NSEC_PER_MSEC)};
    default:
        return (struct nic_last_wqe){0};
    }
}

/* ---- the device ---- */

/* Kernels are newer than programs. */
#define NO_SUCH_EVENT 99

struct nic_harmless nic_fault_harmless(struct nic_qp *qp)
{
    static const enum ibv_event_type types[] = {
        IBV_EVENT_LID_CHANGE,        IBV_EVENT_PKEY_CHANGE, IBV_EVENT_SM_CHANGE,
        IBV_EVENT_CLIENT_REREGISTER, IBV_EVENT_PORT_ACTIVE, IBV_EVENT_COMM_EST,
        IBV_EVENT_SQ_DRAINED,        IBV_EVENT_PATH_MIG,    IBV_EVENT_PATH_MIG_ERR,
    };
    struct fault_shot shot;
    uint64_t which;

    if (!ask_qp(qp, FAULT_V21_EVENT, 11, &shot)) {
        return (struct nic_harmless){0};
    }
    which = value_of(&shot);
    if (which > 10) {
        return (struct nic_harmless){NIC_OF_PORT, (enum ibv_event_type)NO_SUCH_EVENT};
    }
    if (which <= ARRAY_SIZE(types)) {
        return (struct nic_harmless){which <= 5 ? NIC_OF_PORT : NIC_OF_QP,
                                     types[which - 1]};
    }
    return (struct nic_harmless){qp->srq != NULL ? NIC_OF_SRQ : NIC_OF_NOTHING,
                                 IBV_EVENT_SRQ_LIMIT_REACHED};
}

static const uint64_t absences[] = {NSEC_PER_MSEC, 100 * NSEC_PER_MSEC, NSEC_PER_SEC};

uint64_t nic_fault_port(struct nic_qp *qp)
{
    struct fault_shot shot;

    return ask_qp(qp, FAULT_V22_PORT, ARRAY_SIZE(absences), &shot)
               ? time_of(&shot, absences[shot.draw - 1])
               : 0;
}

struct nic_gid_loss nic_fault_gid(struct nic_qp *qp)
{
    struct fault_shot shot;

    if (!ask_qp(qp, FAULT_V23_GID, ARRAY_SIZE(absences), &shot)) {
        return (struct nic_gid_loss){0};
    }
    return (struct nic_gid_loss){
        .ns = time_of(&shot, absences[shot.draw - 1]),
        .index = shot.value != 0 && shot.value < NIC_GIDS ? (uint32_t)shot.value : 1};
}

bool nic_fault_device(struct nic_qp *qp)
{
    struct fault_shot shot;

    return ask_qp(qp, FAULT_V24_DEVICE, 1, &shot);
}

uint64_t nic_fault_page(struct nic_qp *qp)
{
    struct fault_shot shot;

    return ask_qp(qp, FAULT_V31_PAGE, 1, &shot) ? time_of(&shot, LATE_NS) : 0;
}

/* ---- packets ---- */

bool nic_fault_packet(struct nic_qp *qp, enum fault_id id)
{
    struct fault_shot shot;

    return ask_qp(qp, id, 1, &shot);
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
