/* SPDX-License-Identifier: Apache-2.0 */
/* queue_pair.c: Ceph's attributes, state by state. */
#include "stacks/rdma/queue_pair.h"

#include <errno.h>
#include <string.h>

#include "engine/trace.h"
#include "engine/util.h"

#define HOP_LIMIT 6 /* Ceph's */

static const char *const state_names[] = {"none", "INIT", "RTS", "ERR"};

static int set_state(struct queue_pair *q, enum queue_pair_state to, int err)
{
    struct os *os = q->shared->os;

    TRACE(os, QP_STATE, .obj = q->trace_obj, .val = err, .aux = q->qpn,
          .a0 = trace_string(os, state_names[q->state]),
          .a1 = trace_string(os, state_names[to]));
    if (err == 0) {
        q->state = to;
    }
    return err;
}

static int to_init(struct queue_pair *q)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT,
                               .pkey_index = 0,
                               .port_num = q->shared->device->port_num,
                               .qp_access_flags =
                                   IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE};

    return verbs_modify_qp(q->shared->device->verbs, q->qp, &attr,
                           IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
                               IBV_QP_ACCESS_FLAGS);
}

int queue_pair_create(struct queue_pair *q, const struct queue_pair_shared *shared,
                      uint32_t psn)
{
    struct ibv_qp_init_attr attr = {
        .send_cq = shared->send_cq,
        .recv_cq = shared->recv_cq,
        .srq = shared->srq,
        .cap = {.max_send_wr = shared->send_depth + 2, .max_send_sge = 1},
        .qp_type = IBV_QPT_RC};
    int err;

    if (shared->srq == NULL) {
        attr.cap.max_recv_wr = shared->recv_depth;
        attr.cap.max_recv_sge = 1;
    }
    q->shared = shared;
    q->psn = psn & 0xffffff;
    q->gid = rdma_device_gid(shared->device);
    err = verbs_create_qp(shared->device->verbs, shared->device->pd, &attr, &q->qp);
    if (err < 0) {
        q->qp = NULL;
        return err;
    }
    q->qpn = q->qp->qp_num;
    err = set_state(q, QUEUE_PAIR_INIT, to_init(q));
    if (err < 0) {
        queue_pair_destroy(q);
    }
    return err;
}

static enum ibv_mtu mtu_of(uint32_t bytes)
{
    return bytes >= 4096   ? IBV_MTU_4096
           : bytes >= 2048 ? IBV_MTU_2048
           : bytes >= 1024 ? IBV_MTU_1024
           : bytes >= 512  ? IBV_MTU_512
                           : IBV_MTU_256;
}

/* A path MTU beyond the port's would be accepted by some devices, and then nothing is ever
 * sent. */
static enum ibv_mtu path_mtu(const struct queue_pair *q)
{
    return MIN(mtu_of(q->shared->opts->path_mtu), q->shared->device->port.active_mtu);
}

static int to_rtr(struct queue_pair *q, const struct handshake_record *peer)
{
    const struct rdma_opts *o = q->shared->opts;
    struct rdma_device *d = q->shared->device;
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RTR,
                               .path_mtu = path_mtu(q),
                               .dest_qp_num = peer->qpn,
                               .rq_psn = peer->psn,
                               .max_dest_rd_atomic = 1,
                               .min_rnr_timer = (uint8_t)o->min_rnr_timer,
                               .ah_attr = {.is_global = 1,
                                           .dlid = peer->lid,
                                           .sl = (uint8_t)o->sl,
                                           .port_num = d->port_num,
                                           .grh = {.sgid_index = (uint8_t)q->gid.gid_index,
                                                   .hop_limit = HOP_LIMIT,
                                                   .traffic_class = (uint8_t)o->dscp}}};

    memcpy(attr.ah_attr.grh.dgid.raw, peer->gid, sizeof(peer->gid));
    return verbs_modify_qp(d->verbs, q->qp, &attr,
                           IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                               IBV_QP_RQ_PSN | IBV_QP_MIN_RNR_TIMER |
                               IBV_QP_MAX_DEST_RD_ATOMIC);
}

static int to_rts(struct queue_pair *q)
{
    const struct rdma_opts *o = q->shared->opts;
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RTS,
                               .timeout = (uint8_t)o->timeout,
                               .retry_cnt = (uint8_t)o->retry_cnt,
                               .rnr_retry = (uint8_t)o->rnr_retry,
                               .sq_psn = q->psn,
                               .max_rd_atomic = 1};

    return verbs_modify_qp(q->shared->device->verbs, q->qp, &attr,
                           IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
                               IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

int queue_pair_connect(struct queue_pair *q, const struct handshake_record *peer)
{
    int err;

    CHECK(q->state == QUEUE_PAIR_INIT);
    err = to_rtr(q, peer);
    if (err == 0) {
        err = to_rts(q);
    }
    return set_state(q, QUEUE_PAIR_RTS, err);
}

int queue_pair_fail(struct queue_pair *q)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_ERR};

    CHECK(q->state != QUEUE_PAIR_NONE);
    if (q->state == QUEUE_PAIR_ERR) {
        return 0;
    }
    return set_state(q, QUEUE_PAIR_ERR,
                     verbs_modify_qp(q->shared->device->verbs, q->qp, &attr, IBV_QP_STATE));
}

int queue_pair_post_empty(struct queue_pair *q, uint64_t wr_id)
{
    struct ibv_send_wr wr = {
        .wr_id = wr_id, .opcode = IBV_WR_SEND, .send_flags = IBV_SEND_SIGNALED};
    struct ibv_send_wr *bad = NULL;

    /* Before RTS some devices say no and send it later all the same. */
    CHECK(q->state == QUEUE_PAIR_RTS || q->state == QUEUE_PAIR_ERR);
    TRACE(q->shared->os, WR_SEND, .obj = q->trace_obj, .a0 = wr_id, .aux = q->qpn);
    return -ibv_post_send(q->qp, &wr, &bad);
}

void queue_pair_destroy(struct queue_pair *q)
{
    if (q->qp != NULL) {
        /* Nothing refers to it, so only a device that is gone refuses. */
        set_state(q, QUEUE_PAIR_NONE, verbs_destroy_qp(q->shared->device->verbs, q->qp));
    }
    q->qp = NULL;
}

void queue_pair_record(const struct queue_pair *q, uint32_t peer_qpn,
                       struct handshake_record *ret)
{
    *ret = (struct handshake_record){.lid = q->shared->device->port.lid,
                                     .qpn = q->qpn,
                                     .psn = q->psn,
                                     .peer_qpn = peer_qpn};
    memcpy(ret->gid, q->gid.gid.raw, sizeof(ret->gid));
}
