/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.c: two queue pairs and what they need; see suite.h.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/verbs/suite.h"

#define ALL_RIGHTS                                                                         \
    (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |           \
     IBV_ACCESS_REMOTE_ATOMIC)

/* Without a rig there is no answer, and a device that cannot give one is no device. */
static void need_ok(int error, const char *what)
{
    if (error != 0) {
        fprintf(stderr, "verbs suite: %s: %s\n", what, errno_name(error));
        exit(1);
    }
}

static struct side *other(struct side *side)
{
    return side == &side->rig->a ? &side->rig->b : &side->rig->a;
}

/* ---- making ------------------------------------------------------------------------ */

static void fill_in(struct rig_options *o)
{
    o->sq_depth = o->sq_depth ? o->sq_depth : 16;
    o->rq_depth = o->rq_depth ? o->rq_depth : 16;
    o->cq_depth_a = o->cq_depth_a ? o->cq_depth_a : 64;
    o->cq_depth_b = o->cq_depth_b ? o->cq_depth_b : 64;
    o->sge = o->sge ? o->sge : 2;
    o->timeout = o->timeout ? o->timeout : 14;
    o->retry_cnt = o->retry_cnt == 0 ? 6 : o->retry_cnt < 0 ? 0 : o->retry_cnt;
    o->rnr_retry = o->rnr_retry == 0 ? 7 : o->rnr_retry < 0 ? 0 : o->rnr_retry;
    o->min_rnr = o->min_rnr ? o->min_rnr : 1;
    o->mtu_b = o->mtu_b ? o->mtu_b : IBV_MTU_1024;
    o->access_b = o->no_access_b ? 0 : o->access_b ? o->access_b : ALL_RIGHTS;
}

static void open_cqs(struct side *side)
{
    const struct rig_options *o = &side->rig->options;
    int send_depth = side->index == 0 ? (int)o->cq_depth_a : 64;
    int recv_depth = side->index == 1 ? (int)o->cq_depth_b : 64;

    if (o->channels) {
        need_ok(verbs_create_channel(side->v, side->context, &side->send_channel),
                "a channel");
        need_ok(verbs_create_channel(side->v, side->context, &side->recv_channel),
                "a channel");
    }
    need_ok(verbs_create_cq(side->v, side->context, send_depth, NULL, side->send_channel,
                            &side->send_cq),
            "a CQ");
    side->recv_cq = side->send_cq;
    if (!o->one_cq) {
        need_ok(verbs_create_cq(side->v, side->context, recv_depth, NULL,
                                side->recv_channel, &side->recv_cq),
                "a CQ");
    }
}

static void open_side(struct side *side)
{
    const struct rig_options *o = &side->rig->options;
    struct ibv_srq_init_attr srq = {.attr = {.max_wr = o->srq_depth, .max_sge = o->sge}};

    side->v = side->rig->target->verbs[side->index];
    side->context = side->rig->target->context[side->index];
    side->psn = side->index == 0 ? 100 : 5000;
    side->memory = aligned_alloc(4096, RIG_MEMORY);
    need_ok(side->memory == NULL ? -ENOMEM : 0, "memory");
    memset(side->memory, side->index == 0 ? 0x5a : 0, RIG_MEMORY);
    need_ok(verbs_alloc_pd(side->v, side->context, &side->pd), "a PD");
    need_ok(
        verbs_reg_mr(side->v, side->pd, side->memory, RIG_MEMORY, ALL_RIGHTS, &side->mr),
        "an MR");
    open_cqs(side);
    if (o->srq_depth > 0 && side->index == 1) {
        need_ok(verbs_create_srq(side->v, side->pd, &srq, &side->srq), "an SRQ");
    }
    side->qp = side_new_qp(side);
}

struct ibv_qp *side_new_qp(struct side *side)
{
    const struct rig_options *o = &side->rig->options;
    struct ibv_qp_init_attr attr = {
        .qp_type = IBV_QPT_RC,
        .sq_sig_all = o->sig_all,
        .send_cq = side->send_cq,
        .recv_cq = side->recv_cq,
        .srq = side->srq,
        .cap = {.max_send_wr = o->sq_depth,
                .max_recv_wr = side->srq != NULL ? 0 : o->rq_depth,
                .max_send_sge = o->sge,
                .max_recv_sge = side->srq != NULL ? 0 : o->sge,
                .max_inline_data = o->inline_data},
    };
    struct ibv_qp *qp;

    need_ok(verbs_create_qp(side->v, side->pd, &attr, &qp), "a QP");
    return qp;
}

static void connect_sides(struct rig *rig)
{
    const struct rig_options *o = &rig->options;
    struct side *a = &rig->a, *b = &rig->b;

    need_ok(qp_to_init(b, b->qp), "b to INIT");
    need_ok(qp_to_init(a, a->qp), "a to INIT");
    if (!o->b_stays_init) {
        need_ok(qp_to_rtr(b, b->qp, a->qp->qp_num, a->psn), "b to RTR");
        if (!o->b_stays_rtr) {
            need_ok(qp_to_rts(b, b->qp), "b to RTS");
        }
    }
    need_ok(qp_to_rtr(a, a->qp, b->qp->qp_num, b->psn), "a to RTR");
    need_ok(qp_to_rts(a, a->qp), "a to RTS");
}

void rig_open(struct rig *rig, struct suite *suite, const struct rig_options *options)
{
    memset(rig, 0, sizeof(*rig));
    rig->suite = suite;
    rig->target = suite_target(suite);
    if (options != NULL) {
        rig->options = *options;
    }
    fill_in(&rig->options);
    rig->a = (struct side){.rig = rig, .index = 0};
    rig->b = (struct side){.rig = rig, .index = 1};
    open_side(&rig->a);
    open_side(&rig->b);
    if (!rig->options.unconnected) {
        connect_sides(rig);
    }
    forget_events(&rig->a);
    forget_events(&rig->b);
}

/* ---- taking away ------------------------------------------------------------------- */

void side_destroy_qp(struct side *side)
{
    if (side->qp != NULL) {
        need_ok(verbs_destroy_qp(side->v, side->qp), "destroy_qp");
        side->qp = NULL;
    }
}

static void close_side(struct side *side)
{
    side_destroy_qp(side);
    if (side->srq != NULL) {
        need_ok(verbs_destroy_srq(side->v, side->srq), "destroy_srq");
    }
    if (side->recv_cq != NULL && side->recv_cq != side->send_cq) {
        need_ok(verbs_destroy_cq(side->v, side->recv_cq), "destroy_cq");
    }
    if (side->send_cq != NULL) {
        need_ok(verbs_destroy_cq(side->v, side->send_cq), "destroy_cq");
    }
    if (side->send_channel != NULL) {
        need_ok(verbs_destroy_channel(side->v, side->send_channel), "destroy_comp_channel");
        need_ok(verbs_destroy_channel(side->v, side->recv_channel), "destroy_comp_channel");
    }
    need_ok(verbs_dereg_mr(side->v, side->mr), "dereg_mr");
    free(side->memory);
    need_ok(verbs_dealloc_pd(side->v, side->pd), "dealloc_pd");
}

void rig_close(struct rig *rig)
{
    forget_events(&rig->a);
    forget_events(&rig->b);
    close_side(&rig->a);
    close_side(&rig->b);
}

/* ---- transitions ------------------------------------------------------------------- */

int qp_to(struct side *side, struct ibv_qp *qp, enum ibv_qp_state state)
{
    struct ibv_qp_attr attr = {.qp_state = state};

    return verbs_modify_qp(side->v, qp, &attr, IBV_QP_STATE);
}

int qp_to_init(struct side *side, struct ibv_qp *qp)
{
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_INIT,
        .port_num = side->rig->target->port,
        .qp_access_flags = side->index == 1 ? side->rig->options.access_b : ALL_RIGHTS,
    };

    return verbs_modify_qp(side->v, qp, &attr,
                           IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
                               IBV_QP_ACCESS_FLAGS);
}

struct ibv_qp_attr qp_rtr_attr(struct side *side, uint32_t peer_qpn, uint32_t peer_psn)
{
    const struct rig_options *o = &side->rig->options;
    const struct verbs_target *target = side->rig->target;
    int peer = 1 - side->index;
    struct ibv_gid_entry gid = {0};
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_RTR,
        .path_mtu = side->index == 1 ? o->mtu_b : IBV_MTU_1024,
        .dest_qp_num = peer_qpn,
        .rq_psn = peer_psn,
        .max_dest_rd_atomic = side->index == 1 && o->no_reads_b ? 0 : 4,
        .min_rnr_timer = o->min_rnr,
        .ah_attr = {.is_global = 1,
                    .port_num = target->port,
                    .grh = {.hop_limit = 6, .sgid_index = target->gid_index[side->index]}},
    };

    need_ok(verbs_query_gid(target->verbs[peer], target->context[peer], target->port,
                            target->gid_index[peer], &gid),
            "query_gid");
    attr.ah_attr.grh.dgid = gid.gid;
    return attr;
}

int qp_to_rtr(struct side *side, struct ibv_qp *qp, uint32_t peer_qpn, uint32_t peer_psn)
{
    struct ibv_qp_attr attr = qp_rtr_attr(side, peer_qpn, peer_psn);

    return verbs_modify_qp(side->v, qp, &attr, RTR_MASK);
}

int qp_to_rts(struct side *side, struct ibv_qp *qp)
{
    const struct rig_options *o = &side->rig->options;
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_RTS,
        .timeout = o->timeout,
        .retry_cnt = (uint8_t)o->retry_cnt,
        .rnr_retry = (uint8_t)o->rnr_retry,
        .sq_psn = side->psn + (side->index == 0 ? o->psn_skew : 0),
        .max_rd_atomic = side->index == 0 && o->no_reads_a ? 0 : 4,
    };

    return verbs_modify_qp(side->v, qp, &attr,
                           IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
                               IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

/* ---- posting ----------------------------------------------------------------------- */

static int post_one(struct side *side, struct ibv_send_wr *wr)
{
    struct ibv_send_wr *bad;

    return ibv_post_send(side->qp, wr, &bad);
}

int post_send(struct side *side, uint64_t wr_id, uint32_t length, unsigned flags)
{
    struct ibv_sge sge = {(uintptr_t)side->memory, length, side->mr->lkey};
    struct ibv_send_wr wr = {.wr_id = wr_id,
                             .sg_list = &sge,
                             .num_sge = 1,
                             .opcode = IBV_WR_SEND,
                             .send_flags = flags};

    return post_one(side, &wr);
}

int post_send_at(struct side *side, uint64_t wr_id, uint64_t addr, uint32_t length,
                 uint32_t lkey)
{
    struct ibv_sge sge = {addr, length, lkey};
    struct ibv_send_wr wr = {.wr_id = wr_id,
                             .sg_list = &sge,
                             .num_sge = 1,
                             .opcode = IBV_WR_SEND,
                             .send_flags = IBV_SEND_SIGNALED};

    return post_one(side, &wr);
}

int post_recv_at(struct side *side, uint64_t wr_id, uint64_t addr, uint32_t length,
                 uint32_t lkey)
{
    struct ibv_sge sge = {addr, length, lkey};
    struct ibv_recv_wr wr = {.wr_id = wr_id, .sg_list = &sge, .num_sge = 1}, *bad;

    return side->srq != NULL ? ibv_post_srq_recv(side->srq, &wr, &bad)
                             : ibv_post_recv(side->qp, &wr, &bad);
}

int post_recv(struct side *side, uint64_t wr_id, uint32_t length)
{
    return post_recv_at(side, wr_id, (uintptr_t)side->memory, length, side->mr->lkey);
}

int post_rdma(struct side *side, enum ibv_wr_opcode opcode, uint64_t wr_id, uint32_t length,
              uint64_t remote, uint32_t rkey)
{
    struct ibv_sge sge = {(uintptr_t)side->memory, length, side->mr->lkey};
    struct ibv_send_wr wr = {
        .wr_id = wr_id,
        .sg_list = &sge,
        .num_sge = 1,
        .opcode = opcode,
        .send_flags = IBV_SEND_SIGNALED,
        .imm_data = 0,
        .wr.rdma = {.remote_addr = remote ? remote : (uintptr_t)other(side)->memory,
                    .rkey = rkey ? rkey : other(side)->mr->rkey},
    };

    return post_one(side, &wr);
}
