/* SPDX-License-Identifier: Apache-2.0 */
/*
 * requester.c: the sending half of a queue pair.
 *
 *        released          una                 next            posted
 *           |  over, slot    |  on the way,      |  wait to be   |
 *           |  not yet free  |  not acknowledged |  sent         |
 *
 * Go-back-N: whatever is missing is sent again from `una_psn` or from where the responder
 * says, in order. A message goes as one struct nic_packet for all its packets, unless it
 * begins in the middle.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

#define DOORBELL_NS 300 /* from the doorbell to the first byte on the wire */
#define SEND_BURST 64   /* messages handed to the wire at one instant */

static void ring_doorbell(void *arg);
static void lose_patience(void *arg);

void nic_requester_init(struct nic_qp *qp)
{
    sim_timer_init(&qp->doorbell, ring_doorbell, qp);
    sim_timer_init(&qp->ack_timer, lose_patience, qp);
}

void nic_requester_stop(struct nic_qp *qp)
{
    sim_timer_cancel(&nic_sched(qp->nic)->timers, &qp->doorbell);
    sim_timer_cancel(&nic_sched(qp->nic)->timers, &qp->ack_timer);
    qp->in_rnr = false;
}

void nic_requester_start(struct nic_qp *qp)
{
    CHECK(qp->una == qp->next);
    qp->una_psn = qp->next_psn = qp->attr.sq_psn & PSN_MASK;
    qp->retries = qp->rnr_retries = 0;
    qp->in_rnr = false;
}

void nic_requester_kick(struct nic_qp *qp)
{
    struct scheduler *s = nic_sched(qp->nic);

    if (qp->next != qp->sq.posted && !sim_timer_is_armed(&qp->doorbell)) {
        sim_timer_arm(&s->timers, &qp->doorbell, s->now + DOORBELL_NS);
    }
}

/* ---- completions ---- */

struct ibv_wc nic_error_wc(const struct nic_qp *qp, uint64_t wr_id,
                           enum ibv_wc_status status)
{
    struct ibv_wc wc = {0};

    if (qp->nic->is->poisons_error_cqes) {
        memset(&wc, 0xa5, sizeof(wc));
        wc.vendor_err = 0;
    }
    wc.wr_id = wr_id;
    wc.status = status;
    wc.qp_num = qp->ibv.qp_num;
    return wc;
}

static enum ibv_wc_opcode opcode_of(enum ibv_wr_opcode opcode)
{
    switch (opcode) {
    case IBV_WR_RDMA_WRITE:
    case IBV_WR_RDMA_WRITE_WITH_IMM:
        return IBV_WC_RDMA_WRITE;
    case IBV_WR_RDMA_READ:
        return IBV_WC_RDMA_READ;
    case IBV_WR_ATOMIC_CMP_AND_SWP:
        return IBV_WC_COMP_SWAP;
    case IBV_WR_ATOMIC_FETCH_AND_ADD:
        return IBV_WC_FETCH_ADD;
    default:
        return IBV_WC_SEND;
    }
}

/* The oldest request is over. */
static void complete(struct nic_qp *qp, enum ibv_wc_status status)
{
    uint32_t index = qp->una++;
    struct nic_wqe *wqe = nic_wq_at(&qp->sq, index);
    bool is_error = status != IBV_WC_SUCCESS;

    CHECK(index != qp->sq.posted);
    nic_look_at_send(qp, index);
    if (!qp->nic->is->slots_by_poll) {
        qp->sq.released = qp->una;
    }
    free(wqe->copy);
    wqe->copy = NULL;
    if (nic_is_read(wqe->opcode) && wqe->n_psn != 0) {
        qp->reads--;
    }
    if (is_error) {
        struct ibv_wc wc = nic_error_wc(qp, wqe->wr_id, status);

        nic_complete(qp, qp->send_cq, &wc, true, index + 1, qp->nic->is->errors_solicited);
    } else if (qp->init.sq_sig_all != 0 || (wqe->flags & IBV_SEND_SIGNALED) != 0) {
        bool has_imm = wqe->opcode == IBV_WR_SEND_WITH_IMM && qp->nic->is->send_imm_flag;
        struct ibv_wc wc = {.wr_id = wqe->wr_id,
                            .opcode = opcode_of(wqe->opcode),
                            .byte_len = wqe->len,
                            .qp_num = qp->ibv.qp_num,
                            .wc_flags = has_imm ? IBV_WC_WITH_IMM : 0};

        nic_complete(qp, qp->send_cq, &wc, true, index + 1, false);
    }
}

void nic_requester_flush(struct nic_qp *qp)
{
    CHECK(qp->state == IBV_QPS_ERR);
    while (qp->una != qp->sq.posted) {
        complete(qp, IBV_WC_WR_FLUSH_ERR);
    }
    qp->next = qp->una;
}

/* The oldest request fails, and with it the queue pair. */
static void fail(struct nic_qp *qp, enum ibv_wc_status status)
{
    complete(qp, status);
    nic_qp_to_err(qp);
}

/* ---- sending ---- */

/* The bytes [offset, offset + p->len) of the request. 0, or as nic_check_sge. */
static int gather(struct nic_qp *qp, uint32_t index, uint32_t offset, struct nic_packet *p)
{
    const struct nic_wqe *wqe = nic_wq_at(&qp->sq, index);
    const struct ibv_sge *sge = nic_wq_sges(&qp->sq, index);
    uint32_t done = 0, skip = offset;

    if (wqe->copy != NULL) {
        memcpy(p->data, wqe->copy + offset, p->len);
        return 0;
    }
    for (int i = 0; i < wqe->n_sge; i++) {
        uint32_t from = MIN(skip, sge[i].length), n;
        int err = nic_check_sge(qp->nic, qp->pd, &sge[i], false);

        if (err < 0) {
            return err;
        }
        n = MIN(sge[i].length - from, p->len - done);
        memcpy(p->data + done, (const uint8_t *)(uintptr_t)sge[i].addr + from, n);
        done += n;
        skip -= from;
    }
    return 0;
}

static void start_ack_timer(struct nic_qp *qp)
{
    struct scheduler *s = nic_sched(qp->nic);

    if (qp->attr.timeout != 0) { /* 0: for ever */
        sim_timer_arm(&s->timers, &qp->ack_timer,
                      s->now + (4096ULL << (qp->attr.timeout & 31)));
    }
}

static void arm_ack_timer(struct nic_qp *qp)
{
    sim_timer_cancel(&nic_sched(qp->nic)->timers, &qp->ack_timer);
    if (qp->una != qp->next) {
        start_ack_timer(qp);
    }
}

/* Some statuses come about before anything is sent, some at the responder, the others when
 * the request is acknowledged. */
static bool is_local(enum ibv_wc_status status)
{
    return status == IBV_WC_LOC_LEN_ERR || status == IBV_WC_LOC_QP_OP_ERR ||
           status == IBV_WC_LOC_PROT_ERR;
}

static bool is_remote(enum ibv_wc_status status)
{
    return status == IBV_WC_REM_INV_REQ_ERR || status == IBV_WC_REM_ACCESS_ERR ||
           status == IBV_WC_REM_OP_ERR;
}

/* PSNs and place of a request that is sent for the first time. */
static void number(struct nic_qp *qp, struct nic_wqe *wqe)
{
    uint32_t mtu = nic_mtu(qp);

    CHECK(wqe->n_psn == 0); /* once */
    wqe->doom = nic_fault_send(qp);
    wqe->psn = qp->next_psn;
    wqe->n_psn = MAX(1u, (wqe->len + mtu - 1) / mtu);
    if (nic_is_read(wqe->opcode)) {
        qp->reads++;
    }
}

/* The packets of request `next` from `next_psn` on. NULL with *ret_status: it fails. */
static struct nic_packet *make_packet(struct nic_qp *qp, enum ibv_wc_status *ret_status)
{
    struct nic_wqe *wqe = nic_wq_at(&qp->sq, qp->next);
    uint32_t skipped = (qp->next_psn - wqe->psn) & PSN_MASK, offset;
    bool is_read = nic_is_read(wqe->opcode);
    struct nic_packet *p;
    int err;

    if (is_read) {
        qp->next_psn = wqe->psn;
        skipped = 0;
    }
    offset = skipped * nic_mtu(qp);
    p = nic_packet_new(qp->nic, is_read ? 0 : wqe->len - offset);
    CHECK(p != NULL);
    if (is_local(wqe->doom)) {
        free(p);
        *ret_status = wqe->doom;
        return NULL;
    }
    nic_look_at_send(qp, qp->next);
    err = is_read ? 0 : gather(qp, qp->next, offset, p);
    if (err < 0 || (!nic_has_route(qp) && qp->nic->is->port_err_at_send)) {
        free(p);
        *ret_status = err == 0         ? IBV_WC_LOC_QP_OP_ERR
                      : err == -ENOENT ? (enum ibv_wc_status)qp->nic->is->bad_lkey
                                       : IBV_WC_LOC_PROT_ERR;
        return NULL;
    }
    p->kind = !is_read                          ? PACKET_SEND
              : wqe->opcode == IBV_WR_RDMA_READ ? PACKET_READ
                                                : PACKET_ATOMIC;
    p->doom = is_remote(wqe->doom) ? wqe->doom : IBV_WC_SUCCESS;
    p->opcode = wqe->opcode;
    p->imm = wqe->imm;
    p->remote = wqe->remote;
    p->solicited = (wqe->flags & IBV_SEND_SOLICITED) != 0;
    p->psn = qp->next_psn;
    p->n_psn = wqe->n_psn - skipped;
    p->offset = offset;
    p->first = skipped == 0;
    p->last = true;
    return p;
}

/* Sends request `next`. False: it cannot be sent, now or ever. */
static bool send_next(struct nic_qp *qp)
{
    struct nic_wqe *wqe = nic_wq_at(&qp->sq, qp->next);
    enum ibv_wc_status status;
    struct nic_packet *p;

    CHECK(qp->next != qp->sq.posted);
    if (wqe->n_psn == 0) {
        if (nic_is_read(wqe->opcode) && qp->reads >= qp->attr.max_rd_atomic) {
            if (qp->attr.max_rd_atomic == 0 && !qp->nic->is->no_reads_hang &&
                qp->next == qp->una) {
                fail(qp, IBV_WC_LOC_QP_OP_ERR);
            }
            return false; /* until one of those before it is over */
        }
        number(qp, wqe);
    }
    p = make_packet(qp, &status);
    if (p == NULL) {
        if (qp->next == qp->una) { /* else when those before it are over */
            fail(qp, status);
        }
        return false;
    }
    qp->next_psn = (wqe->psn + wqe->n_psn) & PSN_MASK;
    qp->next++;
    nic_send_packet(qp, p);
    return true;
}

/* True: it did. */
static bool may_die(struct nic_qp *qp)
{
    struct nic_qp_death death = nic_fault_qp(qp);

    CHECK(qp->state == IBV_QPS_RTS);
    if (!death.dies) {
        return false;
    }
    if (death.behind) {
        qp->event_behind = death.event;
        qp->has_event_behind = true;
    } else {
        nic_async_qp(qp, death.event);
    }
    nic_qp_to_err(qp);
    return true;
}

static void ring_doorbell(void *arg)
{
    struct nic_qp *qp = arg;
    struct scheduler *s = nic_sched(qp->nic);
    uint64_t late;
    int burst = 0;

    qp->in_rnr = false;
    if (qp->state == IBV_QPS_RTS) {
        nic_suffer(qp);
        if (qp->nic->failed || may_die(qp)) {
            return;
        }
        late = nic_fault_page(qp);
        if (late > 0) {
            sim_timer_arm(&s->timers, &qp->doorbell, s->now + late);
            return;
        }
    }
    while (qp->state == IBV_QPS_RTS && qp->next != qp->sq.posted && burst++ < SEND_BURST) {
        if (!send_next(qp)) {
            break;
        }
    }
    if (qp->state != IBV_QPS_RTS) {
        return;
    }
    if (burst > SEND_BURST) {
        nic_requester_kick(qp);
    }
    if (!sim_timer_is_armed(&qp->ack_timer)) {
        arm_ack_timer(qp);
    }
}

/* ---- answers ---- */

/* What is not acknowledged will be sent again. */
static void go_back(struct nic_qp *qp)
{
    qp->next = qp->una;
    qp->next_psn = qp->una_psn;
}

/* Everything up to, and not including, that PSN arrived. */
static void acknowledge(struct nic_qp *qp, uint32_t psn)
{
    if (((psn - qp->una_psn) & PSN_MASK) == 0 ||
        ((psn - qp->una_psn) & PSN_MASK) > PSN_MASK / 2) {
        return; /* nothing new */
    }
    qp->una_psn = psn;
    qp->retries = qp->rnr_retries = 0;
    while (qp->una != qp->sq.posted) {
        const struct nic_wqe *wqe = nic_wq_at(&qp->sq, qp->una);
        uint32_t end = (wqe->psn + wqe->n_psn) & PSN_MASK;

        /* After go_back this may be news of requests that are to be sent again. */
        if (wqe->n_psn == 0 || ((psn - end) & PSN_MASK) > PSN_MASK / 2) {
            break;
        }
        if (nic_is_read(wqe->opcode) && !wqe->responded) {
            qp->una_psn = wqe->psn; /* its data is missing: it will be asked for again */
            break;
        }
        if (wqe->doom != IBV_WC_SUCCESS) {
            fail(qp, wqe->doom);
            return;
        }
        complete(qp, IBV_WC_SUCCESS);
    }
    if ((int32_t)(qp->una - qp->next) > 0) {
        go_back(qp); /* forward, in this case */
    }
    arm_ack_timer(qp);
    if (qp->next != qp->sq.posted) {
        nic_requester_kick(qp); /* one that could not be sent may be the oldest now */
    }
}

/* True: it was tried too often, and failed. */
static bool used_up(struct nic_qp *qp)
{
    if (qp->attr.retry_cnt == 7 && qp->nic->is->retry_7_is_ever) {
        return false;
    }
    if (qp->retries++ < qp->attr.retry_cnt) {
        return false;
    }
    fail(qp, IBV_WC_RETRY_EXC_ERR);
    return true;
}

static void lose_patience(void *arg)
{
    struct nic_qp *qp = arg;

    if (qp->state != IBV_QPS_RTS || (qp->una == qp->next && !qp->in_rnr) || used_up(qp)) {
        return;
    }
    if (qp->in_rnr) {
        start_ack_timer(qp);
    } else {
        go_back(qp);
        nic_requester_kick(qp);
    }
}

/* IB's table of min_rnr_timer, in units of 10 us; 0 stands for 655.36 ms. */
static uint64_t rnr_ns(int code)
{
    static const uint32_t table[32] = {
        65536, 1,    2,    3,    4,    6,     8,     12,    16,    24,   32,
        48,    64,   96,   128,  192,  256,   384,   512,   768,   1024, 1536,
        2048,  3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 49152};

    return (uint64_t)table[code & 31] * 10 * NSEC_PER_USEC;
}

static void wait_until_ready(struct nic_qp *qp, int code)
{
    struct scheduler *s = nic_sched(qp->nic);

    CHECK(qp->state == IBV_QPS_RTS);
    if (qp->attr.rnr_retry != 7 && qp->rnr_retries++ >= qp->attr.rnr_retry) {
        fail(qp, IBV_WC_RNR_RETRY_EXC_ERR);
        return;
    }
    go_back(qp);
    qp->in_rnr = true;
    sim_timer_arm(&s->timers, &qp->doorbell, s->now + rnr_ns(code));
    if (!qp->nic->is->timer_in_rnr) {
        sim_timer_cancel(&s->timers, &qp->ack_timer);
    }
}

/* The data of a READ, or what an atomic found, into the buffers of the request. */
static void take_response(struct nic_qp *qp, const struct nic_packet *p)
{
    const struct ibv_sge *sge;
    const uint8_t *data = p->data;
    uint32_t left = p->len;
    struct nic_wqe *wqe;

    CHECK(p->kind == PACKET_RESPONSE);
    acknowledge(qp, p->psn);
    if (qp->state != IBV_QPS_RTS || qp->una == qp->sq.posted || qp->una_psn != p->psn) {
        return;
    }
    wqe = nic_wq_at(&qp->sq, qp->una);
    sge = nic_wq_sges(&qp->sq, qp->una);
    if (!nic_is_read(wqe->opcode) || wqe->psn != p->psn) {
        return;
    }
    for (int i = 0; i < wqe->n_sge; i++) {
        uint32_t n = MIN(left, sge[i].length);

        if (nic_check_sge(qp->nic, qp->pd, &sge[i], true) < 0) {
            fail(qp, IBV_WC_LOC_PROT_ERR);
            return;
        }
        memcpy((uint8_t *)(uintptr_t)sge[i].addr, data, n);
        data += n;
        left -= n;
    }
    wqe->responded = true;
    acknowledge(qp, (wqe->psn + wqe->n_psn) & PSN_MASK);
}

void nic_requester_answer(struct nic_qp *qp, const struct nic_packet *p)
{
    if (qp->state != IBV_QPS_RTS) {
        return;
    }
    if (p->kind == PACKET_RESPONSE) {
        take_response(qp, p);
        return;
    }
    if (p->kind == PACKET_ACK) {
        acknowledge(qp, (p->psn + 1) & PSN_MASK);
        return;
    }
    acknowledge(qp, p->psn);
    if (qp->state != IBV_QPS_RTS || qp->una == qp->sq.posted || p->psn != qp->una_psn) {
        return; /* an answer from before */
    }
    if (p->kind == PACKET_NAK_RNR) {
        wait_until_ready(qp, (int)p->status);
    } else if (p->kind == PACKET_NAK_ERROR) {
        fail(qp, p->status);
    } else if (!used_up(qp)) {
        go_back(qp);
        nic_requester_kick(qp);
    }
}
