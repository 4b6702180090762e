/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cq.c: completion queues: a ring of CQEs, one-shot arming, overrun.
 *
 * A CQE of a send queue carries how many of that queue's requests are over, so that polling
 * it can free their slots where a device does it so (trait slots_by_poll).
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/faults.h"
#include "sim/rdma/nic.h"

#define CQ_FIRST_CAP 64

static void reveal(void *arg);
static void tell_late(void *arg);

int nic_create_cq(struct verbs *v, struct ibv_context *ctx, int cqe, void *cq_context,
                  struct ibv_comp_channel *channel, struct ibv_cq **ret)
{
    struct nic *nic = to_nic(v);
    struct nic_cq *cq;
    int err = nic_control(nic);

    if (err < 0) {
        return err;
    }
    if (cqe < 1 || cqe > nic->has.max_cqe) {
        return -EINVAL;
    }
    err = nic_fault_create(nic);
    if (err < 0) {
        return err;
    }
    cq = calloc(1, sizeof(*cq));
    if (cq == NULL) {
        return -ENOMEM;
    }
    cq->nic = nic;
    cq->depth = nic_depth(nic, (uint32_t)cqe) + nic_fault_more_cqe(nic);
    CHECK(cq->depth >= (uint32_t)cqe);
    cq->ibv.context = ctx;
    cq->ibv.cq_context = cq_context;
    cq->ibv.channel = channel;
    cq->ibv.cqe = (int)cq->depth;
    list_init(&cq->in_channel);
    sim_timer_init(&cq->reveal, reveal, cq);
    sim_timer_init(&cq->late_event, tell_late, cq);
    sched_queue_init(&cq->acks, "acknowledgement of events of", "a CQ");
    if (channel != NULL) {
        cq->channel = container_of(channel, struct nic_channel, ibv);
        cq->channel->users++;
    }
    to_context(ctx)->users++;
    nic->objects.cqs++;
    *ret = &cq->ibv;
    return 0;
}

int nic_destroy_cq(struct verbs *v, struct ibv_cq *ibv)
{
    struct nic_cq *cq = to_cq(ibv);

    nic_control(to_nic(v));
    if (cq->users > 0) {
        return -EBUSY;
    }
    sim_timer_cancel(&nic_sched(cq->nic)->timers, &cq->reveal);
    sim_timer_cancel(&nic_sched(cq->nic)->timers, &cq->late_event);
    list_unlink(&cq->in_channel); /* events nobody got are gone */
    nic_async_forget(cq->ibv.context, &cq->ibv);
    while (cq->unacked > 0) {
        sched_block(nic_sched(cq->nic), &cq->acks, UINT64_MAX);
    }
    if (cq->channel != NULL) {
        cq->channel->users--;
    }
    to_context(cq->ibv.context)->users--;
    CHECK(cq->nic->objects.cqs > 0);
    cq->nic->objects.cqs--;
    free(cq->ring);
    free(cq);
    return 0;
}

static struct nic_cqe *cqe_at(const struct nic_cq *cq, uint32_t i)
{
    return &cq->ring[(cq->first + i) % cq->cap];
}

static bool make_room(struct nic_cq *cq)
{
    uint32_t cap = MIN(cq->depth, MAX((uint32_t)CQ_FIRST_CAP, cq->cap * 2));
    struct nic_cqe *ring;

    if (cq->n < cq->cap) {
        return true;
    }
    if (cq->n == cq->depth) {
        return false;
    }
    ring = calloc(cap, sizeof(*ring));
    CHECK(ring != NULL);
    for (uint32_t i = 0; i < cq->n; i++) {
        ring[i] = *cqe_at(cq, i);
    }
    free(cq->ring);
    cq->ring = ring;
    cq->cap = cap;
    cq->first = 0;
    return true;
}

static void tell_channel(struct nic_cq *cq)
{
    if (cq->channel != NULL && !list_is_linked(&cq->in_channel)) {
        list_push_back(&cq->channel->events.queue, &cq->in_channel);
        nic_events_ready(&cq->channel->events);
    }
}

static void tell_late(void *arg)
{
    tell_channel(arg);
}

static void raise_event(struct nic_cq *cq)
{
    struct scheduler *s = nic_sched(cq->nic);
    uint64_t late = nic_fault_event(cq->nic);

    cq->armed = NIC_DISARMED;
    if (late == 0) {
        tell_channel(cq);
    } else if (!sim_timer_is_armed(&cq->late_event)) {
        sim_timer_arm(&s->timers, &cq->late_event, s->now + late);
    }
}

static void raise_if_armed(struct nic_cq *cq, bool solicited)
{
    if (cq->armed == NIC_ARMED || (cq->armed == NIC_ARMED_SOLICITED && solicited)) {
        raise_event(cq);
    }
}

/* What was hidden can be seen: for who looks on it has just completed. */
static void reveal(void *arg)
{
    struct nic_cq *cq = arg;
    bool solicited = false;
    uint32_t n = cq->hidden;

    CHECK(n <= cq->n);
    cq->hidden = 0;
    for (uint32_t i = cq->n - n; i < cq->n; i++) {
        solicited |= cqe_at(cq, i)->solicited;
    }
    if (n > 0) {
        raise_if_armed(cq, solicited);
    }
}

/* The last `n` cannot be seen for so long. */
static void hide(struct nic_cq *cq, uint32_t n, uint64_t ns)
{
    struct scheduler *s = nic_sched(cq->nic);

    CHECK(n > 0);
    CHECK(n <= cq->n);
    cq->hidden = n;
    sim_timer_arm(&s->timers, &cq->reveal, s->now + ns);
}

void nic_cq_reveal(struct nic_cq *cq)
{
    if (cq->hidden > 0) {
        sim_timer_cancel(&nic_sched(cq->nic)->timers, &cq->reveal);
        reveal(cq);
    }
}

/* Whether it holds receives of a queue pair whose last one was told of. */
static bool is_promised(struct nic_cq *cq)
{
    for (uint32_t i = 0; i < cq->n; i++) {
        const struct nic_cqe *cqe = cqe_at(cq, i);

        if (cqe->qp != NULL && cqe->qp->told_last_wqe && !cqe->of_sq) {
            return true;
        }
    }
    return false;
}

/* The last one goes before `most` of other queues, among those that can be seen alike. */
static void overtake(struct nic_cq *cq, uint32_t most)
{
    uint32_t first = cq->hidden > 0 ? cq->n - cq->hidden : 0, at = cq->n - 1;
    struct nic_cqe it = *cqe_at(cq, at);

    CHECK(cq->n > 0);
    for (; at > first && most > 0; at--, most--) {
        struct nic_cqe *before = cqe_at(cq, at - 1);

        if (before->qp == it.qp && before->of_sq == it.of_sq) {
            break;
        }
        *cqe_at(cq, at) = *before;
    }
    *cqe_at(cq, at) = it;
}

/* The queue pairs that use a dead CQ die with it. */
static void kill_users(struct nic_cq *cq)
{
    struct nic *nic = cq->nic;

    for (int i = 0; i < NIC_QP_BUCKETS; i++) {
        list_for_each(&nic->qps[i], it)
        {
            struct nic_qp *qp = container_of(it, struct nic_qp, of_nic);

            if (qp->send_cq == cq || qp->recv_cq == cq) {
                nic_async_qp(qp, IBV_EVENT_QP_FATAL);
                nic_qp_to_err(qp);
            }
        }
    }
}

static void overrun(struct nic_cq *cq)
{
    if (cq->nic->is->overrun == RDMA_OVERRUN_LOSES || !cq->dead) {
        nic_async_cq(cq, IBV_EVENT_CQ_ERR);
    }
    if (cq->nic->is->overrun == RDMA_OVERRUN_FATAL && !cq->dead) {
        cq->dead = true;
        kill_users(cq);
    }
}

bool nic_complete(struct nic_qp *qp, struct nic_cq *cq, const struct ibv_wc *wc, bool of_sq,
                  uint32_t sq_released, bool solicited)
{
    uint64_t late;

    CHECK(cq == qp->send_cq || cq == qp->recv_cq);
    if (cq->dead || cq->nic->failed) {
        return false;
    }
    if (nic_fault_cq(cq) || !make_room(cq)) {
        overrun(cq);
        return false;
    }
    late = nic_fault_late(qp);
    *cqe_at(cq, cq->n++) = (struct nic_cqe){.wc = *wc,
                                            .qp = qp,
                                            .of_sq = of_sq,
                                            .solicited = solicited,
                                            .sq_released = sq_released};
    if (cq->hidden > 0) {
        cq->hidden++;
    } else if (late > 0) {
        hide(cq, 1, late);
    }
    overtake(cq, nic_fault_overtake(qp));
    if (cq->hidden == 0) {
        raise_if_armed(cq, solicited);
    }
    return true;
}

int nic_poll_cq(struct ibv_cq *ibv, int n, struct ibv_wc *wc)
{
    struct nic_cq *cq = to_cq(ibv);
    int got = 0;

    sched_point(nic_sched(cq->nic), SIM_CALL_poll_cq);
    CHECK(cq->hidden <= cq->n);
    if (cq->n > cq->hidden) {
        uint64_t hide_ns;

        n = nic_fault_poll(cq->nic, n, &hide_ns);
        if (n < 0) {
            return n;
        }
        if (hide_ns > 0 && !is_promised(cq)) {
            hide(cq, cq->n, hide_ns);
        }
    }
    if (cq->n == cq->hidden || cq->nic->failed) {
        sched_idle(nic_sched(cq->nic));
        return 0;
    }
    while (got < n && cq->n > cq->hidden) {
        struct nic_cqe *cqe = cqe_at(cq, 0);

        wc[got++] = cqe->wc;
        if (cqe->of_sq && cqe->qp != NULL && cq->nic->is->slots_by_poll &&
            (int32_t)(cqe->sq_released - cqe->qp->sq.released) > 0) {
            cqe->qp->sq.released = cqe->sq_released;
        }
        cq->first = (cq->first + 1) % cq->cap;
        cq->n--;
    }
    return got;
}

int nic_req_notify_cq(struct ibv_cq *ibv, int solicited_only)
{
    struct nic_cq *cq = to_cq(ibv);

    sched_point(nic_sched(cq->nic), SIM_CALL_req_notify_cq);
    if (!solicited_only) {
        cq->armed = NIC_ARMED;
    } else if (cq->armed == NIC_DISARMED) {
        cq->armed = NIC_ARMED_SOLICITED;
    }
    if (nic_fault_extra_event(cq->nic)) {
        raise_event(cq);
    }
    return 0;
}

void nic_cq_forget(struct nic_cq *cq, const struct nic_qp *qp, bool purge)
{
    uint32_t kept = 0, seen = cq->n - cq->hidden;

    CHECK(cq->hidden <= cq->n);
    for (uint32_t i = 0; i < cq->n; i++) {
        struct nic_cqe cqe = *cqe_at(cq, i);

        if (cqe.qp == qp) {
            if (purge) {
                cq->hidden -= i >= seen;
                continue;
            }
            cqe.qp = NULL;
        }
        *cqe_at(cq, kept++) = cqe;
    }
    cq->n = kept;
}
