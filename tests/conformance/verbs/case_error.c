/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_error.c: messages that do not fit, receivers that are not ready, peers that are not
 * there.
 */
#include <string.h>

#include "tests/conformance/verbs/suite.h"

static void ask_too_long(struct suite *suite)
{
    struct ibv_wc wcs[8];
    struct rig rig;
    int n;

    rig_open(&rig, suite, NULL);
    post_recv(&rig.b, 1, 64);
    post_recv(&rig.b, 2, 64);
    post_send(&rig.a, 3, 65, IBV_SEND_SIGNALED);
    post_send(&rig.a, 4, 8, 0);
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "too_long.a", "%s", n > 0 ? status_name(wcs[0].status) : "nothing");
    answer(suite, "too_long.a_rest", "%s", n > 1 ? status_name(wcs[1].status) : "nothing");
    n = ibv_poll_cq(rig.b.recv_cq, 8, wcs);
    answer(suite, "too_long.b", "%s", n > 0 ? status_name(wcs[0].status) : "nothing");
    answer(suite, "too_long.b_rest", "%s", n > 1 ? status_name(wcs[1].status) : "nothing");
    answer(suite, "too_long.states", "%s, %s", state_of(&rig.a), state_of(&rig.b));
    answer(suite, "too_long.events", "%s; %s", events_of(&rig.a).s, events_of(&rig.b).s);
    rig_close(&rig);

    rig_open(&rig, suite, NULL);
    post_recv(&rig.b, 1, 2000);
    post_send(&rig.a, 3, 5000, IBV_SEND_SIGNALED);
    answer(suite, "too_long.multi_a", "%s", next_status(&rig, rig.a.send_cq));
    answer(suite, "too_long.multi_b", "%s", next_status(&rig, rig.b.recv_cq));
    rig_close(&rig);
}

static void ask_too_long_srq(struct suite *suite)
{
    struct ibv_wc wcs[8];
    struct rig rig;
    int n;

    rig_open(&rig, suite, &(struct rig_options){.srq_depth = 8});
    post_recv(&rig.b, 1, 64);
    post_recv(&rig.b, 2, 64);
    post_send(&rig.a, 3, 65, IBV_SEND_SIGNALED);
    n = wcs_after_a_while(&rig, rig.b.recv_cq, wcs, 8);
    answer(suite, "too_long.srq_b", "%d: %s", n, n > 0 ? status_name(wcs[0].status) : "");
    answer(suite, "too_long.srq_events", "%s", events_of(&rig.b).s);
    rig_close(&rig);
}

/* ---- receiver not ready -------------------------------------------------------------- */

static void ask_rnr_exceeded(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.rnr_retry = -1});
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "rnr.retry_0", "%s", next_status(&rig, rig.a.send_cq));
    answer(suite, "rnr.states", "%s, %s", state_of(&rig.a), state_of(&rig.b));
    post_send(&rig.a, 2, 8, IBV_SEND_SIGNALED);
    answer(suite, "rnr.later_send", "%s", next_status(&rig, rig.a.send_cq));
    answer(suite, "rnr.events", "%s; %s", events_of(&rig.a).s, events_of(&rig.b).s);
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.rnr_retry = 2});
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "rnr.retry_2", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

static void ask_rnr_forever(struct suite *suite)
{
    struct ibv_wc wcs[8];
    struct rig rig;
    int n;

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 7});
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "rnr.retry_7", "%s", soon_status(&rig, rig.a.send_cq));
    post_recv(&rig.b, 1, 64);
    answer(suite, "rnr.retry_7_late", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);

    /* The timer for acknowledgements should not run out while the receiver says: wait. */
    rig_open(&rig, suite,
             &(struct rig_options){.retry_cnt = 1, .timeout = 12, .min_rnr = 20});
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    a_while(&rig);
    a_while(&rig);
    answer(suite, "rnr.retry_7_ack_timer", "%s", soon_status(&rig, rig.a.send_cq));
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.srq_depth = 8, .retry_cnt = 7});
    for (uint64_t i = 1; i <= 3; i++) {
        post_send(&rig.a, i, 8, IBV_SEND_SIGNALED);
    }
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "rnr.srq_empty", "%s", wr_ids(wcs, n).s);
    post_recv(&rig.b, 1, 64);
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "rnr.srq_one", "%s", wr_ids(wcs, n).s);
    post_recv(&rig.b, 2, 64);
    post_recv(&rig.b, 3, 64);
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "rnr.srq_rest", "%s", wr_ids(wcs, n).s);
    rig_close(&rig);
}

/* ---- peers that are not there -------------------------------------------------------- */

static void ask_destroyed(struct suite *suite)
{
    struct ibv_wc wcs[8];
    struct rig rig;
    int n;

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 1, .timeout = 12});
    side_destroy_qp(&rig.b);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    post_send(&rig.a, 2, 8, 0);
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 8);
    answer(suite, "peer.destroyed", "%s", n > 0 ? status_name(wcs[0].status) : "nothing");
    answer(suite, "peer.destroyed_rest", "%s",
           n > 1 ? status_name(wcs[1].status) : "nothing");
    answer(suite, "peer.destroyed_state", "%s", state_of(&rig.a));
    answer(suite, "peer.destroyed_events", "%s", events_of(&rig.a).s);
    rig_close(&rig);

    /* Seven retries of 4 ms, were they counted. */
    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 7, .timeout = 10});
    side_destroy_qp(&rig.b);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    a_while(&rig);
    a_while(&rig);
    a_while(&rig);
    answer(suite, "peer.destroyed_retry_7", "%s", soon_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

static void peer_in(struct suite *suite, enum ibv_qp_state state, const char *id)
{
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 1, .timeout = 12});
    post_recv(&rig.b, 1, 64);
    qp_to(&rig.b, rig.b.qp, state);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, id, "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

static void ask_states(struct suite *suite)
{
    struct rig rig;

    peer_in(suite, IBV_QPS_RESET, "peer.in_reset");
    peer_in(suite, IBV_QPS_ERR, "peer.in_err");

    rig_open(&rig, suite,
             &(struct rig_options){.retry_cnt = 1, .timeout = 12, .b_stays_init = true});
    post_recv(&rig.b, 1, 64);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "peer.in_init", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);

    rig_open(&rig, suite, NULL);
    qp_to(&rig.b, rig.b.qp, IBV_QPS_ERR);
    answer(suite, "peer.in_err_idle", "%s, %s, %s", soon_status(&rig, rig.a.send_cq),
           events_of(&rig.a).s, state_of(&rig.a));
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.b_stays_rtr = true});
    post_recv(&rig.b, 1, 64);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "peer.in_rtr", "%s; b: %s", next_status(&rig, rig.a.send_cq),
           next_status(&rig, rig.b.recv_cq));
    answer(suite, "peer.in_rtr_events", "%s", events_of(&rig.b).s);
    rig_close(&rig);

    rig_open(&rig, suite, &(struct rig_options){.b_stays_init = true, .retry_cnt = 6});
    post_recv(&rig.b, 1, 64);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    rig.target->pause(rig.target);
    qp_to_rtr(&rig.b, rig.b.qp, rig.a.qp->qp_num, rig.a.psn);
    answer(suite, "peer.late", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

/* ---- numbers that do not agree ----------------------------------------------------- */

static void ask_psn(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite,
             &(struct rig_options){.retry_cnt = 1, .timeout = 12, .psn_skew = 1});
    post_recv(&rig.b, 1, 64);
    post_send(&rig.a, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "mismatch.psn_ahead", "%s", next_status(&rig, rig.a.send_cq));
    answer(suite, "mismatch.psn_ahead_b", "%s, %s", soon_status(&rig, rig.b.recv_cq),
           state_of(&rig.b));
    rig_close(&rig);
}

/* A stranger who knows number and PSN. */
static void ask_stranger(struct suite *suite)
{
    struct ibv_qp *stranger;
    struct rig rig;
    struct side c;

    rig_open(&rig, suite, &(struct rig_options){.retry_cnt = 1, .timeout = 12});
    post_recv(&rig.b, 1, 64);
    stranger = side_new_qp(&rig.a);
    qp_to_init(&rig.a, stranger);
    qp_to_rtr(&rig.a, stranger, rig.b.qp->qp_num, rig.b.psn);
    qp_to_rts(&rig.a, stranger);
    c = rig.a;
    c.qp = stranger;
    post_send(&c, 1, 8, IBV_SEND_SIGNALED);
    answer(suite, "mismatch.stranger_b", "%s", next_status(&rig, rig.b.recv_cq));
    answer(suite, "mismatch.stranger", "%s", next_status(&rig, rig.a.send_cq));
    verbs_destroy_qp(rig.a.v, stranger);
    rig_close(&rig);
}

static void ask_mtu(struct suite *suite)
{
    struct rig rig;

    rig_open(&rig, suite,
             &(struct rig_options){.mtu_b = IBV_MTU_512, .retry_cnt = 1, .timeout = 12});
    post_recv(&rig.b, 1, 8192);
    post_send(&rig.a, 1, 5000, IBV_SEND_SIGNALED);
    answer(suite, "mismatch.mtu_send", "%s; b: %s", next_status(&rig, rig.a.send_cq),
           next_status(&rig, rig.b.recv_cq));
    rig_close(&rig);

    rig_open(&rig, suite,
             &(struct rig_options){.mtu_b = IBV_MTU_512, .retry_cnt = 1, .timeout = 12});
    post_rdma(&rig.a, IBV_WR_RDMA_WRITE, 2, 5000, 0, 0);
    answer(suite, "mismatch.mtu_write", "%s", next_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

const struct verbs_case cases_error[] = {
    {"too_long", ask_too_long}, {"too_long", ask_too_long_srq},
    {"rnr", ask_rnr_exceeded},  {"rnr", ask_rnr_forever},
    {"peer", ask_destroyed},    {"peer", ask_states},
    {"mismatch", ask_psn},      {"mismatch", ask_stranger},
    {"mismatch", ask_mtu},      {NULL, NULL},
};
