/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responder.c: the receiving half of a queue pair: PSNs in order, receive requests, bytes
 * into buffers, acknowledgements.
 *
 * The struct nic_packet stands for packets psn .. psn + n_psn - 1 of one message. Those
 * that came before are skipped and acknowledged again; a gap is told once.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

void nic_respond(struct nic_qp *qp, enum nic_packet_kind kind, uint32_t psn, int status)
{
    struct nic_packet *p = nic_packet_new(qp->nic, 0);

    CHECK(kind >= PACKET_ACK);
    if (p != NULL) {
        p->kind = kind;
        p->psn = psn & PSN_MASK;
        p->status = (enum ibv_wc_status)status;
        nic_send_packet(qp, p);
    }
}

void nic_responder_fail(struct nic_qp *qp, int remote_status)
{
    nic_respond(qp, PACKET_NAK_ERROR, qp->epsn, remote_status);
    nic_qp_to_err(qp);
}

/* The receive request ends with an error, and the queue pair, too; the sender is told. */
static void fail(struct nic_qp *qp, int status, int remote_status)
{
    struct ibv_wc wc = nic_error_wc(qp, qp->rx.wr_id, (enum ibv_wc_status)status);

    CHECK(qp->receiving);
    nic_respond(qp, PACKET_NAK_ERROR, qp->epsn, remote_status);
    qp->receiving = false;
    nic_complete(qp, qp->recv_cq, &wc, false, 0, true);
    nic_qp_to_err(qp);
}

/* Bytes of the message into the buffers, from rx_at on. 0, or as nic_check_sge. */
static int scatter(struct nic_qp *qp, const uint8_t *data, uint32_t len)
{
    uint32_t skip = qp->rx_at;

    CHECK(qp->receiving);
    CHECK(len <= qp->rx.len - qp->rx_at);
    for (int i = 0; i < qp->rx.n_sge && len > 0; i++) {
        struct ibv_sge sge = qp->rx_sges[i];
        uint32_t from = MIN(skip, sge.length), n = MIN(sge.length - from, len);
        int err;

        skip -= from;
        sge.length = from + n; /* what is not used is not looked at */
        err = nic_check_sge(qp->nic, qp->pd, &sge, true);
        if (err < 0) {
            return err;
        }
        memcpy((uint8_t *)(uintptr_t)sge.addr + from, data, n);
        data += n;
        len -= n;
        qp->rx_at += n;
        qp->arrived += n;
    }
    return 0;
}

/* A bit of what came last is wrong in memory. */
static void spoil(struct nic_qp *qp)
{
    uint32_t at = qp->rx_at - 1;

    CHECK(qp->rx_at > 0);
    for (int i = 0; i < qp->rx.n_sge; i++) {
        const struct ibv_sge *sge = &qp->rx_sges[i];

        if (at < sge->length) {
            ((uint8_t *)(uintptr_t)sge->addr)[at] ^= 0x10;
            return;
        }
        at -= sge->length;
    }
}

/* True: there is a receive request for the message that begins. */
bool nic_responder_begin(struct nic_qp *qp)
{
    CHECK(!qp->receiving);
    if (!nic_take_recv(qp, &qp->rx, qp->rx_sges)) {
        qp->nak_sent = true;
        nic_respond(qp, PACKET_NAK_RNR, qp->epsn, qp->attr.min_rnr_timer);
        return false;
    }
    nic_look_at_recv(qp);
    qp->receiving = true;
    qp->rx_at = 0;
    return true;
}

/* The message is complete. False: its CQE was lost, and the queue pair with it. */
static bool finish(struct nic_qp *qp, const struct nic_packet *p)
{
    bool is_write = nic_is_write(p->opcode);
    bool has_imm = p->opcode == IBV_WR_SEND_WITH_IMM || is_write;
    struct ibv_wc wc = {
        .wr_id = qp->rx.wr_id,
        .opcode = is_write ? IBV_WC_RECV_RDMA_WITH_IMM : IBV_WC_RECV,
        .byte_len = qp->rx_at,
        .imm_data = has_imm ? p->imm : 0,
        .qp_num = qp->ibv.qp_num,
        .wc_flags = (has_imm ? (unsigned int)IBV_WC_WITH_IMM : 0u) |
                    (qp->nic->is->grh_flag ? (unsigned int)IBV_WC_GRH : 0u),
    };

    CHECK(qp->receiving);
    qp->receiving = false;
    qp->msn++;
    if (!nic_complete(qp, qp->recv_cq, &wc, false, 0, p->solicited)) {
        nic_qp_to_err(qp);
        return false;
    }
    return qp->state != IBV_QPS_ERR;
}

/* Whether the packets are longer than this side's path MTU allows, or not of its size. */
static bool has_bad_mtu(const struct nic_qp *qp, const struct nic_packet *p)
{
    return p->mtu != nic_mtu(qp) && p->n_psn > 1 &&
           (qp->nic->is->checks_send_mtu || nic_is_write(p->opcode));
}

/* As a fault says: of the receive, or of the send. */
static void refuse(struct nic_qp *qp, enum ibv_wc_status local, enum ibv_wc_status remote)
{
    if (remote == IBV_WC_SUCCESS) {
        remote = local == IBV_WC_LOC_LEN_ERR ? IBV_WC_REM_INV_REQ_ERR : IBV_WC_REM_OP_ERR;
    } else if (local == IBV_WC_SUCCESS) {
        local =
            remote == IBV_WC_REM_INV_REQ_ERR ? IBV_WC_LOC_LEN_ERR : IBV_WC_LOC_QP_OP_ERR;
    }
    if (remote == IBV_WC_REM_ACCESS_ERR && qp->nic->is->access_event) {
        nic_async_qp(qp, IBV_EVENT_QP_ACCESS_ERR);
    }
    fail(qp, (int)local, (int)remote);
}

/* Bytes of a SEND from `skip` on. False: the queue pair failed, or waits. */
static bool receive_send(struct nic_qp *qp, const struct nic_packet *p, uint32_t skip)
{
    bool begins = !qp->receiving;
    enum ibv_wc_status doom;
    int err;

    if (begins && !nic_responder_begin(qp)) {
        return false;
    }
    doom = begins ? nic_fault_recv(qp) : IBV_WC_SUCCESS;
    if (doom != IBV_WC_SUCCESS || p->doom != IBV_WC_SUCCESS) {
        refuse(qp, doom, p->doom);
        return false;
    }
    if (p->len - skip > qp->rx.len - qp->rx_at || has_bad_mtu(qp, p)) {
        fail(qp, qp->nic->is->recv_too_long, qp->nic->is->sent_too_long);
        return false;
    }
    err = scatter(qp, p->data + skip, p->len - skip);
    if (err == 0 && p->len > skip && nic_fault_packet(qp, FAULT_V26_PAYLOAD)) {
        spoil(qp);
    }
    if (err < 0) {
        fail(qp, qp->nic->is->recv_bad_lkey, IBV_WC_REM_OP_ERR);
        return false;
    }
    return true;
}

static bool receive_write(struct nic_qp *qp, const struct nic_packet *p, uint32_t skip)
{
    if (has_bad_mtu(qp, p)) {
        nic_responder_fail(qp, IBV_WC_REM_INV_REQ_ERR);
        return false;
    }
    return nic_responder_write(qp, p, skip);
}

/* The new part of the packets, of which `behind` came before. */
static void receive(struct nic_qp *qp, const struct nic_packet *p, uint32_t behind)
{
    uint32_t skip = MIN(behind * p->mtu, p->len);
    bool is_write = nic_is_write(p->opcode), goes_on;

    CHECK(behind < p->n_psn);
    if (!(is_write ? receive_write(qp, p, skip) : receive_send(qp, p, skip))) {
        return;
    }
    qp->epsn = (qp->epsn + p->n_psn - behind) & PSN_MASK;
    if (p->opcode == IBV_WR_RDMA_WRITE) {
        qp->msn++;
        goes_on = true;
    } else {
        goes_on = !p->last || finish(qp, p);
    }
    if (goes_on) {
        nic_respond(qp, PACKET_ACK, qp->epsn - 1, 0);
    }
}

void nic_responder_request(struct nic_qp *qp, const struct nic_packet *p)
{
    uint32_t behind = (qp->epsn - p->psn) & PSN_MASK;

    if (qp->state != IBV_QPS_RTR && qp->state != IBV_QPS_RTS) {
        return;
    }
    if (qp->state == IBV_QPS_RTR && qp->nic->is->comm_est && !qp->told_comm_est) {
        qp->told_comm_est = true;
        nic_async_qp(qp, IBV_EVENT_COMM_EST);
    }
    if (behind > PSN_MASK / 2) { /* some before it are missing */
        if (!qp->nak_sent) {
            qp->nak_sent = true;
            nic_respond(qp, PACKET_NAK_SEQUENCE, qp->epsn, 0);
        }
        return;
    }
    if (p->kind == PACKET_READ || p->kind == PACKET_ATOMIC) {
        if (p->kind == PACKET_READ) {
            nic_responder_read(qp, p);
        } else {
            nic_responder_atomic(qp, p);
        }
        return;
    }
    if (behind >= p->n_psn) { /* all of it came before */
        nic_respond(qp, PACKET_ACK, qp->epsn - 1, 0);
        return;
    }
    qp->nak_sent = false;
    receive(qp, p, behind);
}

void nic_responder_flush(struct nic_qp *qp)
{
    bool more = qp->receiving;

    CHECK(qp->state == IBV_QPS_ERR);
    qp->receiving = false;
    while (more || (qp->srq == NULL && nic_take_recv(qp, &qp->rx, qp->rx_sges))) {
        struct ibv_wc wc = nic_error_wc(qp, qp->rx.wr_id, IBV_WC_WR_FLUSH_ERR);

        if (!more) { /* nothing was put there */
            nic_look_at_recv(qp);
        }
        more = false;
        nic_complete(qp, qp->recv_cq, &wc, false, 0, true);
    }
}
