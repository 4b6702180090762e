/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rdma_owned.c: memory of a posted request is the device's until it is over: who
 * writes there meanwhile is found, on both sides, and who waits for the completion is not.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/rdma.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

#define BYTES 65536
#define DEPTH 64

/* One end, with its memory: the first half to send from, the other to receive into. */
struct end {
    struct os *os;
    struct verbs *verbs;
    struct ibv_context *ctx;
    struct ibv_pd *pd;
    struct ibv_cq *cq;
    struct ibv_srq *srq; /* NULL: none */
    struct ibv_qp *qp;
    struct ibv_mr *mr;
    uint8_t *bytes;
};

enum touch {
    TOUCH_NOTHING,
    TOUCH_EARLY_SEND, /* before its packets leave */
    TOUCH_LATE_SEND,  /* before the peer has acknowledged */
    TOUCH_LAST_BYTE,  /* of a send */
    TOUCH_RECV,       /* before anything came */
    TOUCH_FLUSHED,    /* a receive that is flushed */
    TOUCH_INLINE,     /* a send whose bytes were taken at once */
    TOUCH_AFTER,      /* both, when they are over */
    TOUCH_LOOSE,      /* a send, in a world that is not strict */
};

struct story {
    enum touch touch;
    bool with_srq;
    struct end ends[2];
};

static void open_end(struct end *e, bool with_srq)
{
    struct ibv_srq_init_attr srq = {.attr = {.max_wr = DEPTH, .max_sge = 1}};
    struct ibv_qp_init_attr init = {.qp_type = IBV_QPT_RC,
                                    .cap = {.max_send_wr = DEPTH,
                                            .max_recv_wr = DEPTH,
                                            .max_send_sge = 1,
                                            .max_recv_sge = 1,
                                            .max_inline_data = 64}};

    CHECK(rdma_verbs_new(e->os, &rdma_hca, &e->verbs) == 0);
    CHECK(verbs_open_device(e->verbs, rdma_hca.device, &e->ctx) == 0);
    CHECK(verbs_alloc_pd(e->verbs, e->ctx, &e->pd) == 0);
    CHECK(verbs_create_cq(e->verbs, e->ctx, 2 * DEPTH, NULL, NULL, &e->cq) == 0);
    if (with_srq) {
        CHECK(verbs_create_srq(e->verbs, e->pd, &srq, &e->srq) == 0);
    }
    init.send_cq = init.recv_cq = e->cq;
    init.srq = e->srq;
    CHECK(verbs_create_qp(e->verbs, e->pd, &init, &e->qp) == 0);
    e->bytes = calloc(2, BYTES);
    CHECK(e->bytes != NULL);
    CHECK(verbs_reg_mr(e->verbs, e->pd, e->bytes, 2 * BYTES, IBV_ACCESS_LOCAL_WRITE,
                       &e->mr) == 0);
}

static void to_rts(struct end *e, const struct end *peer)
{
    struct ibv_gid_entry gid;
    struct ibv_qp_attr init = {.qp_state = IBV_QPS_INIT, .port_num = 1};
    struct ibv_qp_attr rtr = {
        .qp_state = IBV_QPS_RTR,
        .path_mtu = IBV_MTU_1024,
        .dest_qp_num = peer->qp->qp_num,
        .min_rnr_timer = 12,
        .ah_attr = {.is_global = 1, .port_num = 1, .grh = {.sgid_index = 1}}};
    struct ibv_qp_attr rts = {
        .qp_state = IBV_QPS_RTS, .timeout = 14, .retry_cnt = 7, .rnr_retry = 7};

    CHECK(verbs_query_gid(peer->verbs, peer->ctx, 1, 1, &gid) == 0);
    rtr.ah_attr.grh.dgid = gid.gid;
    CHECK(verbs_modify_qp(e->verbs, e->qp, &init,
                          IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
                              IBV_QP_ACCESS_FLAGS) == 0);
    CHECK(verbs_modify_qp(e->verbs, e->qp, &rtr,
                          IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                              IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
                              IBV_QP_MIN_RNR_TIMER) == 0);
    CHECK(verbs_modify_qp(e->verbs, e->qp, &rts,
                          IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
                              IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC) ==
          0);
}

static void close_end(struct end *e)
{
    CHECK(verbs_destroy_qp(e->verbs, e->qp) == 0);
    if (e->srq != NULL) {
        CHECK(verbs_destroy_srq(e->verbs, e->srq) == 0);
    }
    CHECK(verbs_dereg_mr(e->verbs, e->mr) == 0);
    CHECK(verbs_destroy_cq(e->verbs, e->cq) == 0);
    CHECK(verbs_dealloc_pd(e->verbs, e->pd) == 0);
    CHECK(verbs_close_device(e->verbs, e->ctx) == 0);
    verbs_free(e->verbs);
}

static void post_recv(struct end *e)
{
    struct ibv_sge sge = {.addr = (uint64_t)(uintptr_t)(e->bytes + BYTES),
                          .length = BYTES,
                          .lkey = e->mr->lkey};
    struct ibv_recv_wr wr = {.wr_id = 7, .sg_list = &sge, .num_sge = 1}, *bad;

    CHECK((e->srq != NULL ? ibv_post_srq_recv(e->srq, &wr, &bad)
                          : ibv_post_recv(e->qp, &wr, &bad)) == 0);
}

static void post_send(struct end *e, uint32_t len, unsigned int flags)
{
    struct ibv_sge sge = {
        .addr = (uint64_t)(uintptr_t)e->bytes, .length = len, .lkey = e->mr->lkey};
    struct ibv_send_wr wr = {.wr_id = 5,
                             .sg_list = &sge,
                             .num_sge = 1,
                             .opcode = IBV_WR_SEND,
                             .send_flags = IBV_SEND_SIGNALED | flags},
                       *bad;

    CHECK(ibv_post_send(e->qp, &wr, &bad) == 0);
}

static void await_completion(struct end *e)
{
    struct ibv_wc wc;

    while (ibv_poll_cq(e->cq, 1, &wc) == 0) {
        os_sleep_ns(e->os, NSEC_PER_USEC);
    }
}

static void fail_qp(struct end *e)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_ERR};

    CHECK(verbs_modify_qp(e->verbs, e->qp, &attr, IBV_QP_STATE) == 0);
}

/* From the first end to the other. */
static void tell(void *arg)
{
    struct story *t = arg;
    struct end *from = &t->ends[0], *to = &t->ends[1];
    enum touch touch = t->touch;

    open_end(from, false);
    open_end(to, t->with_srq);
    to_rts(from, to);
    to_rts(to, from);
    post_recv(to);
    if (touch == TOUCH_RECV || touch == TOUCH_FLUSHED) {
        to->bytes[BYTES + 3] ^= 1;
    }
    if (touch == TOUCH_FLUSHED) {
        fail_qp(to);
        await_completion(to);
        return;
    }
    post_send(from, touch == TOUCH_INLINE ? 40 : 50000,
              touch == TOUCH_INLINE ? IBV_SEND_INLINE : 0);
    if (touch == TOUCH_EARLY_SEND || touch == TOUCH_INLINE || touch == TOUCH_LOOSE) {
        from->bytes[0] ^= 1;
    } else if (touch == TOUCH_LAST_BYTE) {
        from->bytes[49999] ^= 1;
    } else if (touch == TOUCH_LATE_SEND) {
        os_sleep_ns(from->os, 10 * NSEC_PER_USEC);
        from->bytes[0] ^= 1;
    }
    await_completion(to);
    await_completion(from);
    if (touch == TOUCH_AFTER) {
        from->bytes[0] ^= 1;
        to->bytes[BYTES] ^= 1;
        post_recv(to);
        post_send(from, 3000, 0);
        await_completion(to);
        await_completion(from);
    }
    close_end(from);
    close_end(to);
}

/* What is left of a run that ended in the middle stays reachable here. */
static struct story told[32];
static int n_told;

static void expect(enum touch touch, bool with_srq, const char *signature)
{
    const struct sim_world_opts opts = {.seed = 1,
                                        .strict = touch != TOUCH_LOOSE,
                                        .link = {.latency_ns = 100 * NSEC_PER_USEC}};
    struct story *t = &told[n_told++];
    struct sim_world *world = sim_world_new(&opts);
    enum sim_verdict verdict;

    *t = (struct story){.touch = touch, .with_srq = with_srq};
    t->ends[0].os = sim_world_node(world, 1, "a");
    t->ends[1].os = sim_world_node(world, 2, "b");
    verdict = sim_world_run(world, tell, t);
    ck_assert_str_eq(sim_world_signature(world), signature);
    ck_assert_int_eq(verdict, signature[0] == '\0' ? SIM_OK : SIM_SAFETY);
    sim_world_free(world);
    free(t->ends[0].bytes);
    free(t->ends[1].bytes);
}

START_TEST(a_touched_send_is_found)
{
    expect(TOUCH_EARLY_SEND, _i == 1, "owned_buffer send a");
    expect(TOUCH_LATE_SEND, _i == 1, "owned_buffer send a");
    expect(TOUCH_LAST_BYTE, _i == 1, "owned_buffer send a");
}
END_TEST

START_TEST(a_touched_receive_is_found)
{
    expect(TOUCH_RECV, _i == 1, "owned_buffer recv b");
}
END_TEST

START_TEST(a_touched_receive_is_found_in_a_flush)
{
    expect(TOUCH_FLUSHED, false, "owned_buffer recv b");
}
END_TEST

START_TEST(what_is_over_may_be_touched)
{
    expect(TOUCH_NOTHING, _i == 1, "");
    expect(TOUCH_AFTER, _i == 1, "");
    expect(TOUCH_INLINE, _i == 1, "");
}
END_TEST

START_TEST(only_a_strict_world_looks)
{
    expect(TOUCH_LOOSE, _i == 1, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_rdma_owned");
    TCase *tc = tcase_create("sim_rdma_owned");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_touched_send_is_found, 0, 2);
    tcase_add_loop_test(tc, a_touched_receive_is_found, 0, 2);
    tcase_add_test(tc, a_touched_receive_is_found_in_a_flush);
    tcase_add_loop_test(tc, what_is_over_may_be_touched, 0, 2);
    tcase_add_loop_test(tc, only_a_strict_world_looks, 0, 2);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
