/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responder_rdma.c: RDMA WRITE, READ and atomics, at the side whose memory it is. Rights
 * are looked at when the operation arrives: those of the queue pair, then those of the key.
 */
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/nic.h"

/* The key is refused. */
static void refuse(struct nic_qp *qp)
{
    if (qp->nic->is->access_event) {
        nic_async_qp(qp, IBV_EVENT_QP_ACCESS_ERR);
    }
    nic_responder_fail(qp, IBV_WC_REM_ACCESS_ERR);
}

/* False: the queue pair does not allow it at all. */
static bool may(struct nic_qp *qp, unsigned int access)
{
    if ((qp->attr.qp_access_flags & access) == 0) {
        nic_responder_fail(qp, IBV_WC_REM_INV_REQ_ERR);
        return false;
    }
    return true;
}

bool nic_responder_write(struct nic_qp *qp, const struct nic_packet *p, uint32_t skip)
{
    bool has_imm = p->opcode == IBV_WR_RDMA_WRITE_WITH_IMM;
    uint32_t len = p->len - skip;
    uint8_t *to = NULL;

    CHECK(skip <= p->len);
    if (!may(qp, IBV_ACCESS_REMOTE_WRITE)) {
        return false;
    }
    if (has_imm && !qp->receiving && !nic_responder_begin(qp)) {
        return false;
    }
    if (len > 0) {
        to = nic_remote_bytes(qp->nic, qp->pd, &p->remote, p->offset + skip, len,
                              IBV_ACCESS_REMOTE_WRITE);
        if (to == NULL) {
            if (has_imm && qp->nic->is->imm_error_cqe) {
                struct ibv_wc wc = nic_error_wc(qp, qp->rx.wr_id, IBV_WC_REM_ACCESS_ERR);

                qp->receiving = false;
                nic_complete(qp, qp->recv_cq, &wc, false, 0, true);
            }
            refuse(qp);
            return false;
        }
        memcpy(to, p->data + skip, len);
    }
    qp->rx_at = p->remote.len;
    return true;
}

static void respond(struct nic_qp *qp, uint32_t psn, const void *bytes, uint32_t len)
{
    struct nic_packet *answer = nic_packet_new(qp->nic, len);

    if (answer != NULL) {
        answer->kind = PACKET_RESPONSE;
        answer->psn = psn;
        answer->first = answer->last = true;
        answer->n_psn = MAX(1u, (len + nic_mtu(qp) - 1) / nic_mtu(qp));
        if (len > 0) {
            memcpy(answer->data, bytes, len);
        }
        nic_send_packet(qp, answer);
    }
}

void nic_responder_read(struct nic_qp *qp, const struct nic_packet *p)
{
    const uint8_t *bytes = NULL;

    if (qp->attr.max_dest_rd_atomic == 0) {
        nic_responder_fail(qp, IBV_WC_REM_INV_REQ_ERR);
        return;
    }
    if (!may(qp, IBV_ACCESS_REMOTE_READ)) {
        return;
    }
    if (p->remote.len > 0) {
        bytes = nic_remote_bytes(qp->nic, qp->pd, &p->remote, 0, p->remote.len,
                                 IBV_ACCESS_REMOTE_READ);
        if (bytes == NULL) {
            refuse(qp);
            return;
        }
    }
    if (p->psn == qp->epsn) {
        qp->epsn = (qp->epsn + p->n_psn) & PSN_MASK;
        qp->msn++;
    }
    respond(qp, p->psn, bytes, p->remote.len);
}

/* Does it once. */
static bool execute(struct nic_qp *qp, const struct nic_packet *p, uint64_t *ret_found)
{
    uint8_t *at;
    uint64_t found, next;

    if (!may(qp, IBV_ACCESS_REMOTE_ATOMIC)) {
        return false;
    }
    at = nic_remote_bytes(qp->nic, qp->pd, &p->remote, 0, 8, IBV_ACCESS_REMOTE_ATOMIC);
    if (at == NULL) {
        refuse(qp);
        return false;
    }
    if (p->remote.addr % 8 != 0) {
        nic_responder_fail(qp, IBV_WC_REM_INV_REQ_ERR);
        return false;
    }
    memcpy(&found, at, sizeof(found));
    next = found;
    if (p->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
        next = found + p->remote.compare_add;
    } else if (found == p->remote.compare_add) {
        next = p->remote.swap;
    }
    memcpy(at, &next, sizeof(next));
    *ret_found = found;
    return true;
}

void nic_responder_atomic(struct nic_qp *qp, const struct nic_packet *p)
{
    uint64_t found;

    if (p->psn != qp->epsn) { /* it came before: the same answer */
        for (size_t i = 0; i < ARRAY_SIZE(qp->atomics); i++) {
            if (qp->atomics[i].is_set && qp->atomics[i].psn == p->psn) {
                respond(qp, p->psn, &qp->atomics[i].value, sizeof(uint64_t));
            }
        }
        return;
    }
    if (!execute(qp, p, &found)) {
        return;
    }
    qp->epsn = (qp->epsn + 1) & PSN_MASK;
    qp->msn++;
    CHECK(qp->next_atomic < ARRAY_SIZE(qp->atomics));
    qp->atomics[qp->next_atomic].psn = p->psn;
    qp->atomics[qp->next_atomic].value = found;
    qp->atomics[qp->next_atomic].is_set = true;
    qp->next_atomic = (qp->next_atomic + 1) % ARRAY_SIZE(qp->atomics);
    respond(qp, p->psn, &found, sizeof(found));
}
