/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rdma.c: the virtual RDMA device between two nodes: messages of all sizes, flow
 * control, retries in virtual time, errors and flushes, events, and both personalities.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/rdma.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

#define LATENCY (10 * NSEC_PER_USEC)
#define DEPTH 16
#define BYTES 65536

/* One side of a connection. */
struct side {
    struct os *os;
    struct verbs *verbs;
    struct ibv_context *ctx;
    struct ibv_pd *pd;
    struct ibv_comp_channel *channel;
    struct ibv_cq *cq;
    struct ibv_srq *srq; /* NULL: none */
    struct ibv_qp *qp;
    struct ibv_mr *mr;
    uint8_t *bytes;
};

static struct sim_world *world;
static struct side a, b;
static const struct rdma_personality *personality;

static void open_side(struct side *s, uint8_t number, const char *name, bool with_srq)
{
    struct ibv_srq_init_attr srq = {.attr = {.max_wr = DEPTH, .max_sge = 1}};
    struct ibv_qp_init_attr init = {.qp_type = IBV_QPT_RC,
                                    .cap = {.max_send_wr = DEPTH,
                                            .max_recv_wr = DEPTH,
                                            .max_send_sge = 2,
                                            .max_recv_sge = 2,
                                            .max_inline_data = 64}};

    *s = (struct side){.os = sim_world_node(world, number, name)};
    ck_assert_int_eq(rdma_verbs_new(s->os, personality, &s->verbs), 0);
    ck_assert_int_eq(verbs_open_device(s->verbs, personality->device, &s->ctx), 0);
    ck_assert_int_eq(verbs_alloc_pd(s->verbs, s->ctx, &s->pd), 0);
    ck_assert_int_eq(verbs_create_channel(s->verbs, s->ctx, &s->channel), 0);
    ck_assert_int_eq(verbs_create_cq(s->verbs, s->ctx, 64, s, s->channel, &s->cq), 0);
    if (with_srq) {
        ck_assert_int_eq(verbs_create_srq(s->verbs, s->pd, &srq, &s->srq), 0);
    }
    init.send_cq = init.recv_cq = s->cq;
    init.srq = s->srq;
    ck_assert_int_eq(verbs_create_qp(s->verbs, s->pd, &init, &s->qp), 0);
    s->bytes = calloc(2, BYTES);
    ck_assert_int_eq(
        verbs_reg_mr(s->verbs, s->pd, s->bytes, 2 * BYTES, IBV_ACCESS_LOCAL_WRITE, &s->mr),
        0);
}

static void close_side(struct side *s)
{
    struct rdma_objects left;

    ck_assert_int_eq(verbs_dealloc_pd(s->verbs, s->pd), -EBUSY);
    ck_assert_int_eq(verbs_destroy_cq(s->verbs, s->cq), -EBUSY);
    ck_assert_int_eq(verbs_destroy_qp(s->verbs, s->qp), 0);
    if (s->srq != NULL) {
        ck_assert_int_eq(verbs_destroy_srq(s->verbs, s->srq), 0);
    }
    ck_assert_int_eq(verbs_dereg_mr(s->verbs, s->mr), 0);
    ck_assert_int_eq(verbs_destroy_channel(s->verbs, s->channel), -EBUSY);
    ck_assert_int_eq(verbs_destroy_cq(s->verbs, s->cq), 0);
    ck_assert_int_eq(verbs_destroy_channel(s->verbs, s->channel), 0);
    ck_assert_int_eq(verbs_dealloc_pd(s->verbs, s->pd), 0);
    ck_assert_int_eq(verbs_close_device(s->verbs, s->ctx), 0);
    rdma_objects(s->verbs, &left);
    ck_assert_int_eq(left.contexts + left.pds + left.mrs + left.cqs + left.qps + left.srqs +
                         left.channels,
                     0);
    verbs_free(s->verbs);
    free(s->bytes);
    ck_assert_int_eq(sim_node_open_fds(s->os), 0);
}

static void open_world(const struct rdma_personality *is, uint64_t seed, bool with_srq)
{
    const struct sim_world_opts opts = {.seed = seed, .link = {.latency_ns = LATENCY}};

    personality = is;
    world = sim_world_new(&opts);
    open_side(&a, 1, "a", with_srq);
    open_side(&b, 2, "b", with_srq);
}

static void close_world(void)
{
    close_side(&a);
    close_side(&b);
    sim_world_free(world);
}

static void setup_hca(void)
{
    open_world(&rdma_hca, 1, false);
}

static void setup_rxe(void)
{
    open_world(&rdma_rxe, 1, false);
}

static void setup_srq(void)
{
    open_world(&rdma_hca, 1, true);
}

/* ---- small steps ---- */

static int to_init(struct side *s)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = 1};

    return verbs_modify_qp(s->verbs, s->qp, &attr,
                           IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
                               IBV_QP_ACCESS_FLAGS);
}

static int to_rtr(struct side *s, const struct side *peer)
{
    struct ibv_gid_entry gid;
    struct ibv_qp_attr attr = {
        .qp_state = IBV_QPS_RTR,
        .path_mtu = IBV_MTU_1024,
        .dest_qp_num = peer->qp->qp_num,
        .rq_psn = 0xfffffe, /* so that it wraps */
        .min_rnr_timer = 12,
        .ah_attr = {.is_global = 1, .port_num = 1, .grh = {.sgid_index = 1}},
    };

    ck_assert_int_eq(verbs_query_gid(peer->verbs, peer->ctx, 1, 1, &gid), 0);
    attr.ah_attr.grh.dgid = gid.gid;
    return verbs_modify_qp(s->verbs, s->qp, &attr,
                           IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                               IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
                               IBV_QP_MIN_RNR_TIMER);
}

static uint8_t ack_timeout = 14;

static int to_rts(struct side *s, uint8_t retry_cnt, uint8_t rnr_retry)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RTS,
                               .timeout = ack_timeout,
                               .retry_cnt = retry_cnt,
                               .rnr_retry = rnr_retry,
                               .sq_psn = 0xfffffe};

    return verbs_modify_qp(s->verbs, s->qp, &attr,
                           IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
                               IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

static void connect_sides(uint8_t retry_cnt, uint8_t rnr_retry)
{
    ck_assert_int_eq(to_init(&a), 0);
    ck_assert_int_eq(to_init(&b), 0);
    ck_assert_int_eq(to_rtr(&a, &b), 0);
    ck_assert_int_eq(to_rtr(&b, &a), 0);
    ck_assert_int_eq(to_rts(&a, retry_cnt, rnr_retry), 0);
    ck_assert_int_eq(to_rts(&b, retry_cnt, rnr_retry), 0);
}

static int post_recv(struct side *s, uint64_t id, uint32_t len, uint32_t lkey)
{
    struct ibv_sge sge = {
        .addr = (uint64_t)(uintptr_t)(s->bytes + BYTES), .length = len, .lkey = lkey};
    struct ibv_recv_wr wr = {.wr_id = id, .sg_list = &sge, .num_sge = 1}, *bad;

    return s->srq != NULL ? ibv_post_srq_recv(s->srq, &wr, &bad)
                          : ibv_post_recv(s->qp, &wr, &bad);
}

static int post_send(struct side *s, uint64_t id, uint32_t len, unsigned int flags,
                     uint32_t lkey)
{
    struct ibv_sge sge = {
        .addr = (uint64_t)(uintptr_t)s->bytes, .length = len, .lkey = lkey};
    struct ibv_send_wr wr = {.wr_id = id,
                             .sg_list = &sge,
                             .num_sge = 1,
                             .opcode = IBV_WR_SEND,
                             .send_flags = flags},
                       *bad;

    return ibv_post_send(s->qp, &wr, &bad);
}

static int send_signaled(struct side *s, uint64_t id, uint32_t len)
{
    return post_send(s, id, len, IBV_SEND_SIGNALED, s->mr->lkey);
}

/* The next completion within a second of virtual time; status -1: none came. */
static struct ibv_wc next_wc(struct side *s)
{
    uint64_t until = os_monotonic_ns(s->os) + NSEC_PER_SEC;
    struct ibv_wc wc = {0};

    while (ibv_poll_cq(s->cq, 1, &wc) == 0) {
        if (os_monotonic_ns(s->os) >= until) {
            return (struct ibv_wc){.status = (enum ibv_wc_status) - 1};
        }
        os_sleep_ns(s->os, 10 * NSEC_PER_USEC);
    }
    return wc;
}

static void expect_wc(struct side *s, uint64_t id, int status)
{
    struct ibv_wc wc = next_wc(s);

    ck_assert_int_eq((int)wc.status, status);
    ck_assert_uint_eq(wc.wr_id, id);
    ck_assert_uint_eq(wc.qp_num, s->qp->qp_num);
}

static void expect_no_wc(struct side *s)
{
    ck_assert_int_eq((int)next_wc(s).status, -1);
}

static int next_event(struct side *s)
{
    struct ibv_async_event event;

    if (verbs_get_async_event(s->verbs, s->ctx, &event) < 0) {
        return -1;
    }
    verbs_ack_async_event(s->verbs, &event);
    return (int)event.event_type;
}

/* ---- messages ---- */

START_TEST(sizes_arrive)
{
    static const uint32_t sizes[] = {0, 1, 1023, 1024, 1025, 4096, 65535};

    connect_sides(3, 3);
    for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct ibv_wc wc;

        for (uint32_t k = 0; k < sizes[i]; k++) {
            a.bytes[k] = testlib_pattern(i, k);
        }
        ck_assert_int_eq(post_recv(&b, 100 + i, BYTES, b.mr->lkey), 0);
        ck_assert_int_eq(send_signaled(&a, i, sizes[i]), 0);
        wc = next_wc(&b);
        ck_assert_int_eq(wc.status, IBV_WC_SUCCESS);
        ck_assert_int_eq(wc.opcode, IBV_WC_RECV);
        ck_assert_uint_eq(wc.wr_id, 100 + i);
        ck_assert_uint_eq(wc.byte_len, sizes[i]);
        ck_assert_int_eq(memcmp(a.bytes, b.bytes + BYTES, sizes[i]), 0);
        expect_wc(&a, i, IBV_WC_SUCCESS);
    }
}
END_TEST

START_TEST(order_holds_both_ways)
{
    connect_sides(3, 3);
    for (uint64_t i = 0; i < 5; i++) {
        ck_assert_int_eq(post_recv(&a, i, 64, a.mr->lkey), 0);
        ck_assert_int_eq(post_recv(&b, i, 64, b.mr->lkey), 0);
    }
    for (uint64_t i = 0; i < 5; i++) {
        ck_assert_int_eq(post_send(&a, i, 64, 0, a.mr->lkey), 0);
        ck_assert_int_eq(post_send(&b, i, 64, 0, b.mr->lkey), 0);
    }
    for (uint64_t i = 0; i < 5; i++) {
        expect_wc(&a, i, IBV_WC_SUCCESS);
        expect_wc(&b, i, IBV_WC_SUCCESS);
    }
    expect_no_wc(&a);
}
END_TEST

START_TEST(slots_of_unsignaled_sends)
{
    int posted = 0;

    connect_sides(3, 3);
    for (int i = 0; i < 4 * DEPTH; i++) {
        ck_assert_int_eq(post_recv(&b, 0, 64, b.mr->lkey), 0);
        if (post_send(&a, 0, 64, 0, a.mr->lkey) == ENOMEM) {
            break;
        }
        posted++;
        expect_wc(&b, 0, IBV_WC_SUCCESS);
    }
    if (personality == &rdma_hca) { /* exactly as asked, and never freed without a CQE */
        ck_assert_int_eq(posted, DEPTH);
    } else {
        ck_assert_int_eq(posted, 4 * DEPTH);
    }
}
END_TEST

START_TEST(inline_is_taken_at_once)
{
    connect_sides(3, 3);
    memcpy(a.bytes, "before", 6);
    ck_assert_int_eq(post_recv(&b, 0, 64, b.mr->lkey), 0);
    ck_assert_int_eq(post_send(&a, 0, 6, IBV_SEND_INLINE, 12345), 0);
    memcpy(a.bytes, "after ", 6);
    expect_wc(&b, 0, IBV_WC_SUCCESS);
    ck_assert_int_eq(memcmp(b.bytes + BYTES, "before", 6), 0);
    ck_assert_int_eq(post_send(&a, 0, 65, IBV_SEND_INLINE, 0), EINVAL);
}
END_TEST

/* ---- flow control and retries ---- */

START_TEST(rnr_waits_and_goes_on)
{
    connect_sides(3, 7);
    ck_assert_int_eq(send_signaled(&a, 1, 64), 0);
    if (personality == &rdma_hca) {
        expect_no_wc(&a); /* 7: for ever */
    }
    ck_assert_int_eq(post_recv(&b, 9, 64, b.mr->lkey), 0);
    expect_wc(&b, 9, IBV_WC_SUCCESS);
    expect_wc(&a, 1, IBV_WC_SUCCESS);
}
END_TEST

START_TEST(rnr_gives_up)
{
    connect_sides(3, 2);
    ck_assert_int_eq(send_signaled(&a, 1, 64), 0);
    ck_assert_int_eq(send_signaled(&a, 2, 64), 0);
    expect_wc(&a, 1, IBV_WC_RNR_RETRY_EXC_ERR);
    expect_wc(&a, 2, IBV_WC_WR_FLUSH_ERR);
    ck_assert_int_eq(send_signaled(&a, 3, 64), 0); /* in ERR: taken, and flushed */
    expect_wc(&a, 3, IBV_WC_WR_FLUSH_ERR);
}
END_TEST

/* (retry_cnt + 1) x 4.096 us x 2^14 = 268 ms */
START_TEST(silence_exceeds_retries)
{
    uint64_t before;

    connect_sides(3, 3);
    sim_world_cut(world, a.os, b.os, true);
    ck_assert_int_eq(post_recv(&b, 0, 64, b.mr->lkey), 0);
    before = os_monotonic_ns(a.os);
    ck_assert_int_eq(send_signaled(&a, 1, 64), 0);
    expect_wc(&a, 1, IBV_WC_RETRY_EXC_ERR);
    ck_assert_uint_ge(os_monotonic_ns(a.os) - before, 268 * NSEC_PER_MSEC);
    ck_assert_uint_le(os_monotonic_ns(a.os) - before, 270 * NSEC_PER_MSEC);
    expect_no_wc(&b);
}
END_TEST

/* Only the answers are lost: the receiver has it, the sender cannot know. */
START_TEST(lost_acks)
{
    connect_sides(3, 3);
    sim_world_cut(world, b.os, a.os, true);
    ck_assert_int_eq(post_recv(&b, 0, 64, b.mr->lkey), 0);
    ck_assert_int_eq(post_recv(&b, 1, 64, b.mr->lkey), 0);
    ck_assert_int_eq(send_signaled(&a, 1, 64), 0);
    expect_wc(&b, 0, IBV_WC_SUCCESS);
    expect_wc(&a, 1, IBV_WC_RETRY_EXC_ERR);
    expect_no_wc(&b); /* once, however often it was sent */
}
END_TEST

START_TEST(loss_is_made_up_for)
{
    connect_sides(3, 3);
    for (uint64_t i = 0; i < 3; i++) {
        ck_assert_int_eq(post_recv(&b, i, 8192, b.mr->lkey), 0);
    }
    ck_assert_int_eq(send_signaled(&a, 0, 5000), 0);
    expect_wc(&a, 0, IBV_WC_SUCCESS);
    sim_world_cut(world, a.os, b.os, true);
    ck_assert_int_eq(send_signaled(&a, 1, 5000), 0);
    os_sleep_ns(a.os, NSEC_PER_MSEC);
    sim_world_cut(world, a.os, b.os, false);
    ck_assert_int_eq(send_signaled(&a, 2, 5000), 0); /* a gap: told, and sent again */
    for (uint64_t i = 0; i < 3; i++) {
        expect_wc(&b, i, IBV_WC_SUCCESS);
    }
    expect_wc(&a, 1, IBV_WC_SUCCESS);
    expect_wc(&a, 2, IBV_WC_SUCCESS);
}
END_TEST

/* The ACK timer (16.4 us) is a little shorter than the round trip: acknowledgements come
 * just when everything was taken back, to be sent again. */
START_TEST(impatient_sender)
{
    const struct sim_link link = {.latency_ns = 8250};

    ack_timeout = 2;
    sim_world_set_link(world, a.os, b.os, &link);
    sim_world_set_link(world, b.os, a.os, &link);
    connect_sides(7, 7);
    for (uint64_t i = 0; i < 8; i++) {
        ck_assert_int_eq(post_recv(&b, i, 8192, b.mr->lkey), 0);
    }
    for (uint64_t i = 0; i < 8; i++) {
        ck_assert_int_eq(send_signaled(&a, i, 3000), 0);
    }
    for (uint64_t i = 0; i < 8; i++) {
        expect_wc(&b, i, IBV_WC_SUCCESS);
        expect_wc(&a, i, IBV_WC_SUCCESS);
    }
    expect_no_wc(&b);
}
END_TEST

/* ---- errors ---- */

START_TEST(too_long)
{
    connect_sides(3, 3);
    ck_assert_int_eq(post_recv(&b, 7, 64, b.mr->lkey), 0);
    ck_assert_int_eq(send_signaled(&a, 1, 65), 0);
    expect_wc(&b, 7, personality->recv_too_long);
    expect_wc(&a, 1, personality->sent_too_long);
    ck_assert_int_eq(send_signaled(&b, 2, 1), 0);
    expect_wc(&b, 2, IBV_WC_WR_FLUSH_ERR); /* both are in ERR */
}
END_TEST

START_TEST(bad_keys)
{
    connect_sides(3, 3);
    ck_assert_int_eq(post_recv(&b, 7, 64, b.mr->lkey), 0);
    ck_assert_int_eq(post_send(&a, 1, 64, 0, a.mr->lkey + 1), 0);
    expect_wc(&a, 1, personality->bad_lkey);
    expect_no_wc(&b);
}
END_TEST

START_TEST(bad_receive_key)
{
    connect_sides(3, 3);
    ck_assert_int_eq(post_recv(&b, 7, 64, b.mr->lkey + 1), 0);
    ck_assert_int_eq(send_signaled(&a, 1, 64), 0);
    expect_wc(&b, 7, personality->recv_bad_lkey);
    expect_wc(&a, 1, IBV_WC_REM_OP_ERR);
}
END_TEST

START_TEST(flush_gives_everything_back)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_ERR};
    unsigned int sends = 0, recvs = 0;

    connect_sides(3, 3);
    sim_world_cut(world, a.os, b.os, true);
    for (uint64_t i = 0; i < 3; i++) {
        ck_assert_int_eq(post_recv(&a, 100 + i, 64, a.mr->lkey), 0);
        ck_assert_int_eq(post_send(&a, i, 64, 0, a.mr->lkey), 0);
    }
    ck_assert_int_eq(verbs_modify_qp(a.verbs, a.qp, &attr, IBV_QP_STATE), 0);
    for (int i = 0; i < 6; i++) {
        struct ibv_wc wc = next_wc(&a);

        ck_assert_int_eq(wc.status, IBV_WC_WR_FLUSH_ERR);
        if (wc.wr_id >= 100) {
            ck_assert_uint_eq(wc.wr_id, 100 + recvs++);
        } else {
            ck_assert_uint_eq(wc.wr_id, sends++);
        }
    }
    expect_no_wc(&a);
}
END_TEST

START_TEST(illegal_transitions)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_RTS};

    ck_assert_int_eq(verbs_modify_qp(a.verbs, a.qp, &attr, IBV_QP_STATE), -EINVAL);
    ck_assert_int_eq(to_rts(&a, 3, 3), -EINVAL);
    ck_assert_int_eq(to_rtr(&a, &b), -EINVAL);
    ck_assert_int_eq(post_recv(&a, 0, 64, a.mr->lkey), EINVAL);
    ck_assert_int_eq(to_init(&a), 0);
    ck_assert_int_eq(post_recv(&a, 0, 64, a.mr->lkey), 0);
    ck_assert_int_eq(send_signaled(&a, 0, 64), EINVAL);
    attr.qp_state = IBV_QPS_RESET;
    ck_assert_int_eq(verbs_modify_qp(a.verbs, a.qp, &attr, IBV_QP_STATE), 0);
    expect_no_wc(&a);
}
END_TEST

/* ---- events ---- */

START_TEST(armed_once)
{
    struct ibv_cq *cq;

    connect_sides(3, 3);
    ck_assert_int_eq(verbs_get_cq_event(b.verbs, b.channel, &cq), -EAGAIN);
    ck_assert_int_eq(ibv_req_notify_cq(b.cq, 0), 0);
    for (uint64_t i = 0; i < 2; i++) {
        ck_assert_int_eq(post_recv(&b, i, 64, b.mr->lkey), 0);
        ck_assert_int_eq(send_signaled(&a, i, 64), 0);
    }
    expect_wc(&b, 0, IBV_WC_SUCCESS);
    expect_wc(&b, 1, IBV_WC_SUCCESS);
    {
        struct pollfd pfd = {.fd = verbs_channel_fd(b.verbs, b.channel), .events = POLLIN};

        ck_assert_int_eq(os_poll(b.os, &pfd, 1, 0), 1);
    }
    ck_assert_int_eq(verbs_get_cq_event(b.verbs, b.channel, &cq), 0);
    ck_assert_ptr_eq(cq, b.cq);
    verbs_ack_cq_events(b.verbs, cq, 1);
    ck_assert_int_eq(verbs_get_cq_event(b.verbs, b.channel, &cq), -EAGAIN);
}
END_TEST

START_TEST(srq_limit_and_last_wqe)
{
    struct ibv_srq_attr limit = {.srq_limit = 2};
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_ERR};

    connect_sides(3, 3);
    for (uint64_t i = 0; i < 2; i++) {
        ck_assert_int_eq(post_recv(&b, i, 64, b.mr->lkey), 0);
    }
    ck_assert_int_eq(verbs_modify_srq(b.verbs, b.srq, &limit, IBV_SRQ_LIMIT), 0);
    ck_assert_int_eq(next_event(&b), -1);
    ck_assert_int_eq(send_signaled(&a, 0, 64), 0);
    expect_wc(&b, 0, IBV_WC_SUCCESS);
    ck_assert_int_eq(next_event(&b), IBV_EVENT_SRQ_LIMIT_REACHED);
    ck_assert_int_eq(verbs_modify_qp(b.verbs, b.qp, &attr, IBV_QP_STATE), 0);
    os_sleep_ns(b.os, NSEC_PER_MSEC);
    ck_assert_int_eq(next_event(&b), IBV_EVENT_QP_LAST_WQE_REACHED);
    expect_no_wc(&b); /* what is on an SRQ is not flushed */
}
END_TEST

START_TEST(port_and_device_events)
{
    connect_sides(3, 3);
    rdma_port_set(a.verbs, false);
    rdma_port_set(a.verbs, true);
    rdma_gid_set(a.verbs, 1, false);
    ck_assert_int_eq(next_event(&a), IBV_EVENT_PORT_ERR);
    ck_assert_int_eq(next_event(&a), IBV_EVENT_PORT_ACTIVE);
    ck_assert_int_eq(next_event(&a), IBV_EVENT_GID_CHANGE);
    ck_assert_int_eq(rdma_qp_fail(a.verbs, a.qp->qp_num), 0);
    ck_assert_int_eq(next_event(&a), IBV_EVENT_QP_FATAL);
    rdma_device_fail(b.verbs);
    ck_assert_int_eq(next_event(&b), IBV_EVENT_DEVICE_FATAL);
    ck_assert_int_eq(send_signaled(&b, 0, 64), EIO);
}
END_TEST

START_TEST(overrun)
{
    connect_sides(3, 3);
    for (int i = 0; i < 80; i++) { /* 64 or 127 fit */
        ck_assert_int_eq(post_recv(&b, 0, 64, b.mr->lkey), 0);
        ck_assert_int_eq(send_signaled(&a, 1, 64), 0);
        if (next_wc(&a).status != IBV_WC_SUCCESS) {
            break;
        }
    }
    if (personality == &rdma_hca) {
        ck_assert_int_eq(next_event(&b), IBV_EVENT_CQ_ERR);
        ck_assert_int_eq(next_event(&b), IBV_EVENT_QP_FATAL);
    }
}
END_TEST

/* 128 messages between two threads of two nodes, the same for the same seed. */
static uint64_t fingerprint(uint64_t seed)
{
    struct sim_world_stats stats;

    open_world(&rdma_hca, seed, true);
    connect_sides(3, 7);
    for (uint64_t i = 0; i < 128; i++) {
        ck_assert_int_eq(post_recv(&b, i, 256, b.mr->lkey), 0);
        ck_assert_int_eq(send_signaled(&a, i, 200), 0);
        expect_wc(&b, i, IBV_WC_SUCCESS);
        expect_wc(&a, i, IBV_WC_SUCCESS);
    }
    sim_world_stats(world, &stats);
    close_world();
    return stats.points ^ stats.timers << 32;
}

START_TEST(deterministic)
{
    ck_assert_uint_eq(fingerprint(3), fingerprint(3));
}
END_TEST

/* ---- suite ---- */

static void add_cases(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, setup, close_world);
    tcase_add_test(tc, sizes_arrive);
    tcase_add_test(tc, order_holds_both_ways);
    tcase_add_test(tc, slots_of_unsignaled_sends);
    tcase_add_test(tc, inline_is_taken_at_once);
    tcase_add_test(tc, rnr_waits_and_goes_on);
    tcase_add_test(tc, rnr_gives_up);
    tcase_add_test(tc, silence_exceeds_retries);
    tcase_add_test(tc, lost_acks);
    tcase_add_test(tc, loss_is_made_up_for);
    tcase_add_test(tc, impatient_sender);
    tcase_add_test(tc, too_long);
    tcase_add_test(tc, bad_keys);
    tcase_add_test(tc, bad_receive_key);
    tcase_add_test(tc, flush_gives_everything_back);
    tcase_add_test(tc, illegal_transitions);
    tcase_add_test(tc, armed_once);
    tcase_add_test(tc, port_and_device_events);
    tcase_add_test(tc, overrun);
    suite_add_tcase(suite, tc);
}

int main(void)
{
    Suite *suite = suite_create("sim_rdma");
    TCase *srq = tcase_create("srq"), *whole = tcase_create("whole");

    add_cases(suite, "hca", setup_hca);
    add_cases(suite, "rxe", setup_rxe);
    tcase_add_checked_fixture(srq, setup_srq, close_world);
    tcase_add_test(srq, srq_limit_and_last_wqe);
    suite_add_tcase(suite, srq);
    tcase_add_test(whole, deterministic);
    suite_add_tcase(suite, whole);
    return testlib_run(suite);
}
