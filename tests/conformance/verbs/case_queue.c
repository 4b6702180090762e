/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case_queue.c: queues that are full, completion queues that overrun, shared receive
 * queues.
 */
#include <string.h>

#include "tests/conformance/verbs/suite.h"

/* Posts until refused, at most 100; the refusal in ret_rc. */
static int post_all(struct side *side, bool send, int *ret_rc)
{
    int n;

    for (n = 0; n < 100; n++) {
        *ret_rc = send ? post_send(side, 1, 8, IBV_SEND_SIGNALED) : post_recv(side, 1, 64);
        if (*ret_rc != 0) {
            break;
        }
    }
    return n;
}

static void ask_full(struct suite *suite)
{
    struct rig_options small = {.sq_depth = 4, .rq_depth = 4, .retry_cnt = 7};
    struct rig rig;
    int n, rc;

    rig_open(&rig, suite, &small);
    n = post_all(&rig.a, true, &rc);
    answer(suite, "full.sq", "%d, then %s", n, errno_name(rc));
    answer(suite, "full.sq_sign", "%s", rc > 0 ? "positive" : "negative");
    n = post_all(&rig.b, false, &rc);
    answer(suite, "full.rq", "%d, then %s", n, errno_name(rc));
    rig_close(&rig);
    small.srq_depth = 4;
    rig_open(&rig, suite, &small);
    n = post_all(&rig.b, false, &rc);
    answer(suite, "full.srq", "%d, then %s", n, errno_name(rc));
    rig_close(&rig);
}

/* More completions of receives than the completion queue has room for. */
static void ask_overrun_recv(struct suite *suite)
{
    struct ibv_wc wcs[16];
    struct rig rig;
    int n;

    rig_open(&rig, suite,
             &(struct rig_options){.cq_depth_b = 3, .retry_cnt = 1, .timeout = 12});
    for (uint64_t i = 1; i <= 8; i++) {
        post_recv(&rig.b, i, 64);
    }
    for (uint64_t i = 1; i <= 5; i++) {
        post_send(&rig.a, i, 8, 0);
    }
    a_while(&rig);
    answer(suite, "overrun.recv_state", "%s", state_of(&rig.b));
    answer(suite, "overrun.recv_event", "%s",
           strncmp(events_of(&rig.b).s, "CQ_ERR", 6) == 0 ? "CQ_ERR" : "another or none");
    n = ibv_poll_cq(rig.b.recv_cq, 16, wcs);
    answer(suite, "overrun.recv_kept", "%s", wr_ids(wcs, n).s);
    n = wcs_after_a_while(&rig, rig.a.send_cq, wcs, 16);
    answer(suite, "overrun.recv_a", "%s", n > 0 ? status_name(wcs[0].status) : "nothing");
    rig_close(&rig);
}

static void ask_overrun_send(struct suite *suite)
{
    struct ibv_wc wcs[16];
    struct rig rig;
    int n;

    rig_open(&rig, suite, &(struct rig_options){.cq_depth_a = 3, .retry_cnt = 1});
    for (uint64_t i = 1; i <= 8; i++) {
        post_recv(&rig.b, i, 64);
    }
    for (uint64_t i = 1; i <= 5; i++) {
        post_send(&rig.a, i, 8, IBV_SEND_SIGNALED);
    }
    a_while(&rig);
    answer(suite, "overrun.send_state", "%s", state_of(&rig.a));
    answer(suite, "overrun.send_event", "%s", events_of(&rig.a).s);
    n = ibv_poll_cq(rig.a.send_cq, 16, wcs);
    answer(suite, "overrun.send_kept", "%s", wr_ids(wcs, n).s);
    n = ibv_poll_cq(rig.b.recv_cq, 16, wcs);
    answer(suite, "overrun.send_delivered", "%s", wr_ids(wcs, n).s);
    post_send(&rig.a, 6, 8, IBV_SEND_SIGNALED);
    answer(suite, "overrun.send_again", "%s", soon_status(&rig, rig.a.send_cq));
    rig_close(&rig);
}

/* ---- shared receive queues ----------------------------------------------------------- */

static void ask_srq(struct suite *suite)
{
    struct ibv_sge sge;
    struct ibv_recv_wr wr = {.sg_list = &sge, .num_sge = 1}, *bad;
    struct ibv_wc wcs[16];
    struct rig rig;
    int n;

    rig_open(&rig, suite, &(struct rig_options){.srq_depth = 8});
    sge = (struct ibv_sge){(uintptr_t)rig.b.memory, 64, rig.b.mr->lkey};
    answer(suite, "srq.post_recv", "%s", errno_name(ibv_post_recv(rig.b.qp, &wr, &bad)));
    for (uint64_t i = 11; i <= 13; i++) {
        post_recv(&rig.b, i, 64);
    }
    post_send(&rig.a, 1, 8, 0);
    post_send(&rig.a, 2, 8, 0);
    n = wcs_after_a_while(&rig, rig.b.recv_cq, wcs, 16);
    answer(suite, "srq.order", "%s", wr_ids(wcs, n).s);
    answer(suite, "srq.qp_num", "%s",
           n > 0 && wcs[0].qp_num == rig.b.qp->qp_num ? "the queue pair's" : "another");
    rig_close(&rig);
}

/* The limit, armed while more work requests are posted than it says. */
static void ask_limit(struct suite *suite)
{
    struct ibv_srq_attr attr = {.srq_limit = 3};
    struct rig rig;

    rig_open(&rig, suite, &(struct rig_options){.srq_depth = 8});
    for (uint64_t i = 0; i < 5; i++) {
        post_recv(&rig.b, i, 64);
    }
    answer(suite, "srq.limit_set", "%s",
           errno_name(verbs_modify_srq(rig.b.v, rig.b.srq, &attr, IBV_SRQ_LIMIT)));
    post_send(&rig.a, 1, 8, 0);
    post_send(&rig.a, 1, 8, 0);
    a_while(&rig);
    answer(suite, "srq.limit_reached", "%s", events_of(&rig.b).s);
    post_send(&rig.a, 1, 8, 0);
    a_while(&rig);
    answer(suite, "srq.limit_below", "%s", events_of(&rig.b).s);
    verbs_query_srq(rig.b.v, rig.b.srq, &attr);
    answer(suite, "srq.limit_query", "%u", attr.srq_limit);
    post_send(&rig.a, 1, 8, 0);
    a_while(&rig);
    answer(suite, "srq.limit_once", "%s", events_of(&rig.b).s);
    attr.srq_limit = 3;
    verbs_modify_srq(rig.b.v, rig.b.srq, &attr, IBV_SRQ_LIMIT);
    a_while(&rig);
    answer(suite, "srq.limit_armed_below", "%s", events_of(&rig.b).s);
    post_send(&rig.a, 1, 8, 0);
    a_while(&rig);
    answer(suite, "srq.limit_armed_below_next", "%s", events_of(&rig.b).s);
    attr.srq_limit = 1000;
    answer(suite, "srq.limit_over", "%s",
           errno_name(verbs_modify_srq(rig.b.v, rig.b.srq, &attr, IBV_SRQ_LIMIT)));
    rig_close(&rig);
}

const struct verbs_case cases_queue[] = {
    {"full", ask_full},
    {"overrun", ask_overrun_recv},
    {"overrun", ask_overrun_send},
    {"srq", ask_srq},
    {"srq", ask_limit},
    {NULL, NULL},
};
