/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_flush.c: what becomes of posted work when a queue pair fails, is reset or destroyed.
 */
#include <string.h>

#include "tests/conformance/verbs/suite.h"

/* Receives 1 2 3 posted on b, sends 4 5 6 that stay (their receiver is not ready). */
static void load_b(struct rig *rig)
{
    for (uint64_t i = 1; i <= 3; i++) {
        post_recv(&rig->b, i, 64);
    }
    for (uint64_t i = 4; i <= 6; i++) {
        post_send(&rig->b, i, 8, i == 5 ? 0 : IBV_SEND_SIGNALED);
    }
}

static void ask_flush(struct suite *suite)
{
    struct ibv_wc wcs[16];
    struct rig rig;
    int n;

    rig_open(&rig, suite, NULL);
    load_b(&rig);
    qp_to(&rig.b, rig.b.qp, IBV_QPS_ERR);
    n = wcs_after_a_while(&rig, rig.b.recv_cq, wcs, 16);
    answer(suite, "flush.receives", "%s", wr_ids(wcs, n).s);
    answer(suite, "flush.status", "%s", n > 0 ? status_name(wcs[0].status) : "nothing");
    /* Which of its fields mean anything. */
    answer(suite, "flush.receive_fields", "opcode %u, qp_num %s, vendor_err %u",
           (unsigned)wcs[0].opcode, wcs[0].qp_num == rig.b.qp->qp_num ? "b's" : "another",
           wcs[0].vendor_err);
    n = ibv_poll_cq(rig.b.send_cq, 16, wcs);
    answer(suite, "flush.sends", "%s", wr_ids(wcs, n).s);
    answer(suite, "flush.events", "%s", events_of(&rig.b).s);
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.one_cq = true});
    load_b(&rig);
    qp_to(&rig.b, rig.b.qp, IBV_QPS_ERR);
    n = wcs_after_a_while(&rig, rig.b.recv_cq, wcs, 16);
    answer(suite, "flush.one_cq", "%s", wr_ids(wcs, n).s);
    rig_close(&rig);
}

static void ask_srq(struct suite *suite)
{
    struct ibv_wc wcs[16];
    struct rig rig;
    struct ibv_qp *second;
    int n;

    rig_open(&rig, suite, &(struct rig_options){.srq_depth = 8});
    load_b(&rig);
    qp_to(&rig.b, rig.b.qp, IBV_QPS_ERR);
    n = wcs_after_a_while(&rig, rig.b.recv_cq, wcs, 16);
    answer(suite, "flush.srq_receives", "%s", wr_ids(wcs, n).s);
    n = ibv_poll_cq(rig.b.send_cq, 16, wcs);
    answer(suite, "flush.srq_sends", "%s", wr_ids(wcs, n).s);
    answer(suite, "flush.srq_events", "%s", events_of(&rig.b).s);
    /* The work requests that stayed serve another queue pair. */
    second = side_new_qp(&rig.b);
    qp_to(&rig.a, rig.a.qp, IBV_QPS_RESET);
    qp_to_init(&rig.b, second);
    qp_to_rtr(&rig.b, second, rig.a.qp->qp_num, rig.a.psn);
    qp_to_init(&rig.a, rig.a.qp);
    qp_to_rtr(&rig.a, rig.a.qp, second->qp_num, rig.b.psn);
    qp_to_rts(&rig.a, rig.a.qp);
    for (uint64_t i = 1; i <= 3; i++) {
        post_send(&rig.a, i, 8, IBV_SEND_SIGNALED);
    }
    n = wcs_after_a_while(&rig, rig.b.recv_cq, wcs, 16);
    answer(suite, "flush.srq_still_serves", "%s", wr_ids(wcs, n).s);
    verbs_destroy_qp(rig.b.v, second);
    rig_close(&rig);
}

/* The mark behind everything that was posted before. */
static void ask_beacon(struct suite *suite)
{
    struct ibv_send_wr beacon = {.wr_id = 99,
                                 .opcode = IBV_WR_SEND,
                                 .send_flags = IBV_SEND_SIGNALED},
                       *bad;
    struct ibv_wc wcs[16];
    struct rig rig;
    int n;

    rig_open(&rig, suite, NULL);
    load_b(&rig);
    qp_to(&rig.b, rig.b.qp, IBV_QPS_ERR);
    ibv_post_send(rig.b.qp, &beacon, &bad);
    n = wcs_after_a_while(&rig, rig.b.send_cq, wcs, 16);
    answer(suite, "flush.beacon", "%s", wr_ids(wcs, n).s);
    answer(suite, "flush.beacon_status", "%s", n > 0 ? status_name(wcs[n - 1].status) : "");
    rig_close(&rig);
}

static void ask_reset(struct suite *suite)
{
    struct ibv_wc wcs[16];
    struct rig rig;
    int n;

    rig_open(&rig, suite, NULL);
    post_recv(&rig.a, 50, 64);
    load_b(&rig);
    a_while(&rig);
    /* Send 4 is done; 5 and 6 wait for a receive, 1 2 3 for messages. */
    qp_to(&rig.b, rig.b.qp, IBV_QPS_RESET);
    n = wcs_after_a_while(&rig, rig.b.send_cq, wcs, 16);
    answer(suite, "reset.sends", "%s", wr_ids(wcs, n).s);
    n = ibv_poll_cq(rig.b.recv_cq, 16, wcs);
    answer(suite, "reset.receives", "%s", wr_ids(wcs, n).s);
    qp_to(&rig.a, rig.a.qp, IBV_QPS_RESET);
    qp_to_init(&rig.b, rig.b.qp);
    qp_to_init(&rig.a, rig.a.qp);
    qp_to_rtr(&rig.b, rig.b.qp, rig.a.qp->qp_num, rig.a.psn);
    qp_to_rtr(&rig.a, rig.a.qp, rig.b.qp->qp_num, rig.b.psn);
    qp_to_rts(&rig.a, rig.a.qp);
    post_recv(&rig.b, 8, 64);
    post_send(&rig.a, 9, 8, IBV_SEND_SIGNALED);
    n = wcs_after_a_while(&rig, rig.b.recv_cq, wcs, 16);
    answer(suite, "reset.used_again", "%s", wr_ids(wcs, n).s);
    rig_close(&rig);
}

static void ask_destroy(struct suite *suite)
{
    struct ibv_wc wcs[16];
    struct rig rig;
    int n;

    rig_open(&rig, suite, NULL);
    post_recv(&rig.a, 50, 64);
    load_b(&rig);
    a_while(&rig);
    side_destroy_qp(&rig.b);
    n = wcs_after_a_while(&rig, rig.b.send_cq, wcs, 16);
    answer(suite, "destroy.sends", "%s", wr_ids(wcs, n).s);
    n = ibv_poll_cq(rig.b.recv_cq, 16, wcs);
    answer(suite, "destroy.receives", "%s", wr_ids(wcs, n).s);
    rig_close(&rig);
}

const struct verbs_case cases_flush[] = {
    {"flush", ask_flush}, {"flush", ask_srq},       {"flush", ask_beacon},
    {"reset", ask_reset}, {"destroy", ask_destroy}, {NULL, NULL},
};
