/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_state.c: the states of a queue pair: which transitions there are, what is asked of
 * them, and what can be posted where.
 */
#include <string.h>

#include "tests/conformance/verbs/suite.h"

/* "EINVAL, RESET": what the transition said and where it led. */
#define TRANSITION(id, call)                                                               \
    do {                                                                                   \
        int rc_ = (call);                                                                  \
        answer(suite, id, "%s, %s", errno_name(rc_), state_of(&rig.a));                    \
    } while (0)

static void ask_illegal(struct suite *suite)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT};
    struct ibv_qp *qp;
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.unconnected = true});
    qp = rig.a.qp;
    TRANSITION("modify.reset_to_reset", qp_to(&rig.a, qp, IBV_QPS_RESET));
    TRANSITION("modify.reset_to_rtr", qp_to_rtr(&rig.a, qp, rig.b.qp->qp_num, 1));
    TRANSITION("modify.reset_to_rts", qp_to_rts(&rig.a, qp));
    TRANSITION("modify.reset_to_err", qp_to(&rig.a, qp, IBV_QPS_ERR));
    TRANSITION("modify.init_without_port",
               verbs_modify_qp(rig.a.v, qp, &attr,
                               IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_ACCESS_FLAGS));
    attr.port_num = suite_target(suite)->port + 1;
    TRANSITION("modify.init_no_port",
               verbs_modify_qp(rig.a.v, qp, &attr,
                               IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
                                   IBV_QP_ACCESS_FLAGS));
    TRANSITION("modify.reset_to_init", qp_to_init(&rig.a, qp));
    TRANSITION("modify.init_to_init", qp_to_init(&rig.a, qp));
    TRANSITION("modify.init_to_rts", qp_to_rts(&rig.a, qp));
    attr = qp_rtr_attr(&rig.a, rig.b.qp->qp_num, 1);
    TRANSITION("modify.rtr_without_mtu",
               verbs_modify_qp(rig.a.v, qp, &attr, RTR_MASK & ~IBV_QP_PATH_MTU));
    TRANSITION("modify.init_to_rtr", qp_to_rtr(&rig.a, qp, rig.b.qp->qp_num, 1));
    TRANSITION("modify.rtr_to_init", qp_to_init(&rig.a, qp));
    attr.qp_state = IBV_QPS_RTS;
    TRANSITION("modify.rts_without_timeout",
               verbs_modify_qp(rig.a.v, qp, &attr,
                               IBV_QP_STATE | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
                                   IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC));
    TRANSITION("modify.rtr_to_rts", qp_to_rts(&rig.a, qp));
    TRANSITION("modify.rts_to_rts", qp_to(&rig.a, qp, IBV_QPS_RTS));
    TRANSITION("modify.rts_to_init", qp_to_init(&rig.a, qp));
    TRANSITION("modify.rts_to_err", qp_to(&rig.a, qp, IBV_QPS_ERR));
    TRANSITION("modify.err_to_err", qp_to(&rig.a, qp, IBV_QPS_ERR));
    TRANSITION("modify.err_to_rts", qp_to_rts(&rig.a, qp));
    TRANSITION("modify.err_to_reset", qp_to(&rig.a, qp, IBV_QPS_RESET));
    rig_close(&rig);
}

/* To RTS with one attribute out of range. */
static void rts_with(struct suite *suite, const char *id, uint8_t timeout,
                     uint8_t retry_cnt)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RTS,
                               .timeout = timeout,
                               .retry_cnt = retry_cnt,
                               .max_rd_atomic = 1};
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.unconnected = true});
    qp_to_init(&rig.a, rig.a.qp);
    qp_to_rtr(&rig.a, rig.a.qp, rig.b.qp->qp_num, 1);
    TRANSITION(id, verbs_modify_qp(rig.a.v, rig.a.qp, &attr,
                                   IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
                                       IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
                                       IBV_QP_MAX_QP_RD_ATOMIC));
    rig_close(&rig);
}

static void ask_range(struct suite *suite)
{
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_INIT, .pkey_index = 5, .port_num = suite_target(suite)->port};
    struct rig rig;

    rts_with(suite, "modify.timeout_32", 32, 1);
    rts_with(suite, "modify.retry_cnt_8", 10, 8);
    rig_open(&rig, suite, &(struct rig_options){.unconnected = true});
    TRANSITION("modify.pkey_index_5",
               verbs_modify_qp(rig.a.v, rig.a.qp, &attr,
                               IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
                                   IBV_QP_ACCESS_FLAGS));
    rig_close(&rig);
}

/* To RTR along paths that are none. */
static void ask_path(struct suite *suite)
{
    struct verbs_target *target = suite_target(suite);
    struct ibv_qp_attr good, attr;
    struct ibv_qp *qp;
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.unconnected = true});
    qp = rig.a.qp;
    qp_to_init(&rig.a, qp);
    good = qp_rtr_attr(&rig.a, rig.b.qp->qp_num, 1);
    attr = good;
    attr.ah_attr.grh.sgid_index = 200;
    TRANSITION("path.sgid_unused", verbs_modify_qp(rig.a.v, qp, &attr, RTR_MASK));
    attr = good;
    memset(&attr.ah_attr.grh.dgid, 0, sizeof(attr.ah_attr.grh.dgid));
    TRANSITION("path.dgid_zero", verbs_modify_qp(rig.a.v, qp, &attr, RTR_MASK));
    attr = good;
    attr.ah_attr.is_global = 0;
    TRANSITION("path.no_grh", verbs_modify_qp(rig.a.v, qp, &attr, RTR_MASK));
    attr = good;
    attr.ah_attr.grh.dgid = target->nobody;
    TRANSITION("path.nobody", verbs_modify_qp(rig.a.v, qp, &attr, RTR_MASK));
    rig_close(&rig);
}

static void ask_sqd(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite, NULL);
    TRANSITION("modify.rts_to_sqd", qp_to(&rig.a, rig.a.qp, IBV_QPS_SQD));
    a_while(&rig);
    answer(suite, "modify.sqd_event", "%s", events_of(&rig.a).s);
    rig_close(&rig);
}

static void ask_query(struct suite *suite)
{
    struct ibv_qp_init_attr init = {0};
    struct ibv_qp_attr attr;
    struct rig rig;
    int rc;

    rig_open(&rig, suite, NULL);
    rc = verbs_query_qp(rig.a.v, rig.a.qp, &attr, IBV_QP_STATE | IBV_QP_CUR_STATE, &init);
    answer(suite, "query.states", "%s, state %s, cur_qp_state %s", errno_name(rc),
           attr.qp_state == IBV_QPS_RTS ? "RTS" : "another",
           attr.cur_qp_state == IBV_QPS_RESET ? "RESET"
           : attr.cur_qp_state == IBV_QPS_RTS ? "RTS"
                                              : "another");
    answer(suite, "query.attributes", "timeout %u, retry_cnt %u, rnr_retry %u, mtu %u",
           attr.timeout, attr.retry_cnt, attr.rnr_retry, 128U << attr.path_mtu);
    answer(suite, "query.mask_all", "%s",
           errno_name(verbs_query_qp(rig.a.v, rig.a.qp, &attr, -1, &init)));
    rig_close(&rig);
}

/* A field of the library's own struct, which programs read. */
static void ask_mirror(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.rnr_retry = -1});
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    next_status(&rig, rig.a.send_cq);
    answer(suite, "query.mirror_before", "%s",
           rig.a.qp->state == IBV_QPS_ERR ? "ERR" : "not ERR");
    answer(suite, "query.mirror_asked", "%s", state_of(&rig.a));
    answer(suite, "query.mirror_after", "%s",
           rig.a.qp->state == IBV_QPS_ERR ? "ERR" : "not ERR");
    rig_close(&rig);
}

/* ---- posting ----------------------------------------------------------------------- */

static void send_in(struct suite *suite, struct side *side, const char *id)
{
    struct ibv_sge sge = {(uintptr_t)side->memory, 8, side->mr->lkey};
    struct ibv_send_wr wr = {.wr_id = 1,
                             .sg_list = &sge,
                             .num_sge = 1,
                             .opcode = IBV_WR_SEND,
                             .send_flags = IBV_SEND_SIGNALED};
    struct ibv_send_wr *bad = NULL;
    int rc = ibv_post_send(side->qp, &wr, &bad);

    answer(suite, id, "%s, bad_wr %s", errno_name(rc), bad == &wr ? "the WR" : "unchanged");
}

static void ask_send_early(struct suite *suite)
{
    struct ibv_wc wcs[8];
    struct rig rig;
    int n;

    rig_open(&rig, suite, &(struct rig_options){.unconnected = true});
    send_in(suite, &rig.a, "post.send_in_reset");
    qp_to_init(&rig.a, rig.a.qp);
    qp_to_init(&rig.b, rig.b.qp);
    send_in(suite, &rig.a, "post.send_in_init");
    qp_to_rtr(&rig.b, rig.b.qp, rig.a.qp->qp_num, rig.a.psn);
    qp_to_rtr(&rig.a, rig.a.qp, rig.b.qp->qp_num, rig.b.psn);
    send_in(suite, &rig.a, "post.send_in_rtr");
    qp_to_rts(&rig.a, rig.a.qp);
    for (int i = 0; i < 6; i++) {
        post_recv(&rig.b, 100, 8);
    }
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "post.early_in_rts", "%d completions", n);
    post_send(&rig.a, 2, 8, IBV_SEND_SIGNALED);
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "post.early_after_post", "%s", wr_ids(wcs, n).s);
    rig_close(&rig);
}

static void ask_recv(struct suite *suite)
{
    struct ibv_wc wcs[8];
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.unconnected = true});
    answer(suite, "post.recv_in_reset", "%s", errno_name(post_recv(&rig.b, 1, 8)));
    qp_to_init(&rig.b, rig.b.qp);
    answer(suite, "post.recv_in_init", "%s", errno_name(post_recv(&rig.b, 2, 8)));
    qp_to_rtr(&rig.b, rig.b.qp, rig.a.qp->qp_num, 1);
    answer(suite, "post.recv_in_rtr", "%s", errno_name(post_recv(&rig.b, 3, 8)));
    qp_to(&rig.b, rig.b.qp, IBV_QPS_ERR);
    a_while(&rig);
    ibv_poll_cq(rig.b.recv_cq, 8, wcs);
    answer(suite, "post.recv_in_err", "%s", errno_name(post_recv(&rig.b, 4, 8)));
    answer(suite, "post.recv_in_err_flushed", "%s", soon_status(&rig, rig.b.recv_cq));
    rig_close(&rig);
}

static void ask_send_in_err(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite, NULL);
    qp_to(&rig.a, rig.a.qp, IBV_QPS_ERR);
    answer(suite, "post.send_in_err", "%s",
           errno_name(post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED)));
    answer(suite, "post.send_in_err_flushed", "%s", next_status(&rig, rig.a.send_cq));
    post_send(&rig.a, 2, 8, 0);
    answer(suite, "post.unsignaled_in_err", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

const struct verbs_case cases_state[] = {
    {"modify", ask_illegal},   {"modify", ask_range},
    {"modify", ask_sqd},       {"path", ask_path},
    {"query", ask_query},      {"query", ask_mirror},
    {"post", ask_send_early},  {"post", ask_recv},
    {"post", ask_send_in_err}, {NULL, NULL},
};
