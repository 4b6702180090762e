/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owned.c: memory that belongs to the device: that of a posted request, from the call to
 * its completion. In a strict world whoever writes there meanwhile violates: the device
 * makes a sum of the memory when it is posted, and another whenever it deals with it
 * again:
 *
 *     send      each time its packets leave, and when it is over
 *     receive   when a message is about to be put there, and when it is flushed
 *
 * Real devices notice nothing: the peer gets a mixture, or what it sent is lost.
 *
 * The sum is of a few cache lines of each buffer, the first and the last one among them, so
 * that large buffers cost no more than small ones: what is written beside them is not seen.
 * Memory that is not registered (any more) is not looked at; to use it is another error.
 * RDMA READ, atomics and inline data are left out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/nic.h"

#define LINE_BYTES 64
#define SEND_LINES 16 /* at most, of each buffer */
#define RECV_LINES 2  /* most of a receive buffer is never used, and never in the cache */
/* Of the first fill of a receive queue only so many are watched: nobody had that memory
 * before, and to look at it would make the kernel find pages for it. */
#define FIRST_FILL 16

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * 0x9e3779b97f4a7c15ULL;
    return sum ^ sum >> 29;
}

static uint64_t sum_of(uint64_t sum, const uint8_t *bytes, uint32_t n)
{
    uint64_t word;

    for (; n >= sizeof(word); n -= (uint32_t)sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        sum = mix(sum, word);
    }
    word = 0;
    memcpy(&word, bytes, n);
    return mix(sum, word);
}

/* Of `most` lines at equal distances. */
static uint64_t sum_of_lines(uint64_t sum, const struct ibv_sge *sge, uint32_t most)
{
    const uint8_t *bytes = (const uint8_t *)(uintptr_t)sge->addr;
    uint32_t room;

    if (sge->length <= most * LINE_BYTES) {
        return sum_of(sum, bytes, sge->length);
    }
    room = sge->length - LINE_BYTES;
    for (uint32_t i = 0; i < most; i++) {
        uint64_t at = (uint64_t)room * i / (most - 1);

        sum = sum_of(sum, bytes + at, LINE_BYTES);
    }
    return sum;
}

/* 0: none of it is to be watched. */
static uint64_t sum_of_all(const struct nic *nic, const struct nic_pd *pd,
                           const struct ibv_sge *sges, int n, uint32_t most)
{
    uint64_t sum = 1;

    for (int i = 0; i < n; i++) {
        if (nic_check_sge(nic, pd, &sges[i], false) < 0) {
            return 0;
        }
        sum = sum_of_lines(sum, &sges[i], most);
    }
    return MAX(sum, (uint64_t)1);
}

static void look(const struct nic *nic, const struct nic_pd *pd, const struct nic_wqe *wqe,
                 const struct ibv_sge *sges, bool is_send)
{
    char words[80];
    uint64_t sum;

    if (wqe->owned == 0 || !sim_is_strict(nic->node)) {
        return;
    }
    sum = sum_of_all(nic, pd, sges, wqe->n_sge, is_send ? SEND_LINES : RECV_LINES);
    if (sum == 0 || sum == wqe->owned) {
        return;
    }
    snprintf(words, sizeof(words), "owned_buffer %s %.31s", is_send ? "send" : "recv",
             nic->node->base.name);
    sched_violate(nic->node->env->sched, words,
                  "%s: somebody wrote to the memory of a posted %s, wr_id %#" PRIx64
                  " of %" PRIu32 " bytes, before it was over",
                  nic->actor.name, is_send ? "send" : "receive", wqe->wr_id, wqe->len);
}

void nic_own_send(struct nic_qp *qp, uint32_t index)
{
    struct nic_wqe *wqe = nic_wq_at(&qp->sq, index);

    CHECK(index == qp->sq.posted);
    wqe->owned = 0;
    if (sim_is_strict(qp->nic->node) && wqe->copy == NULL && !nic_is_read(wqe->opcode)) {
        wqe->owned = sum_of_all(qp->nic, qp->pd, nic_wq_sges(&qp->sq, index), wqe->n_sge,
                                SEND_LINES);
    }
}

void nic_own_recv(const struct nic *nic, const struct nic_pd *pd, struct nic_wq *wq,
                  uint32_t index)
{
    struct nic_wqe *wqe = nic_wq_at(wq, index);

    CHECK(index == wq->posted - 1);
    wqe->owned = 0;
    if (sim_is_strict(nic->node) && (index < FIRST_FILL || index >= wq->depth)) {
        wqe->owned = sum_of_all(nic, pd, nic_wq_sges(wq, index), wqe->n_sge, RECV_LINES);
    }
}

void nic_look_at_send(const struct nic_qp *qp, uint32_t index)
{
    look(qp->nic, qp->pd, nic_wq_at(&qp->sq, index), nic_wq_sges(&qp->sq, index), true);
}

void nic_look_at_recv(const struct nic_qp *qp)
{
    look(qp->nic, qp->srq != NULL ? qp->srq->pd : qp->pd, &qp->rx, qp->rx_sges, false);
}
