/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conformance_stack.h: the transports of the simulated world, in the place of the
 * table in teststack.h. Include it before a file of tests/conformance.
 */
#ifndef MSGRLAB_TESTS_UNIT_SIM_CONFORMANCE_TEST_CONFORMANCE_STACK_H
#define MSGRLAB_TESTS_UNIT_SIM_CONFORMANCE_TEST_CONFORMANCE_STACK_H

#include <stdio.h>

#include "engine/util.h"
#include "sim/rdma/rdma.h"
#include "stacks/rdma/rdma_stack.h"
#include "stacks/tcp/tcp_stack.h"
#include "tests/lib/teststack.h"
#include "tests/unit/sim/conformance/test_conformance.h"

/* Small, as in teststack.c, so that pools and queues run out. */
static inline int test_sim_rdma_new(struct os *os, const struct rdma_personality *is,
                                    const char *more, struct network_stack **ret)
{
    struct rdma_opts opts;
    struct verbs *verbs;
    char why[500] = "";
    int err;

    rdma_opts_init(&opts);
    ck_assert_int_eq(rdma_opts_parse(&opts,
                                     "buffer_size=8192,send_buffers=128,"
                                     "receive_queue_len=32,receive_buffers=512",
                                     &(const char *){NULL}),
                     0);
    ck_assert_int_eq(rdma_opts_parse(&opts, more, &(const char *){NULL}), 0);
    err = rdma_verbs_new(os, is, &verbs);
    if (err == 0) {
        err = rdma_stack_new(os, verbs, &opts, ret, why, sizeof(why));
    }
    if (err < 0) {
        fprintf(stderr, "rdma: %s\n", why);
    }
    return err;
}

#define TEST_SIM_RDMA(name, is, more)                                                      \
    static inline int name(struct os *os, struct network_stack **ret)                      \
    {                                                                                      \
        return test_sim_rdma_new(os, &is, more, ret);                                      \
    }
TEST_SIM_RDMA(test_sim_hca_events, rdma_hca, "polling_us=0")
TEST_SIM_RDMA(test_sim_hca_hybrid, rdma_hca, "polling_us=1000")
TEST_SIM_RDMA(test_sim_hca_own_queues, rdma_hca, "support_srq=false,receive_queue_len=8")
TEST_SIM_RDMA(test_sim_rxe_events, rdma_rxe, "polling_us=0")
TEST_SIM_RDMA(test_sim_rxe_own_queues, rdma_rxe,
              "polling_us=1000,support_srq=false,receive_queue_len=8")

static const struct test_stack test_sim_stacks[] = {
#define ROW(name_, constructor, pressure)                                                  \
    {                                                                                      \
        .name = name_, .os_new = test_sim_os_new, .os_free = test_sim_os_free,             \
        .stack_new = constructor, .back_pressure = pressure                                \
    }
    ROW("tcp", tcp_stack_new, true),
    ROW("rdma on hca, events", test_sim_hca_events, false),
    ROW("rdma on hca, spinning first", test_sim_hca_hybrid, false),
    ROW("rdma on hca, a receive queue each", test_sim_hca_own_queues, false),
    ROW("rdma on rxe, events", test_sim_rxe_events, false),
    ROW("rdma on rxe, a receive queue each", test_sim_rxe_own_queues, false),
#undef ROW
};

enum { TEST_SIM_STACK_RUNS = (int)ARRAY_SIZE(test_sim_stacks) * DRIVER_COUNT };

static inline const struct test_stack *test_sim_stack_of(int run)
{
    return &test_sim_stacks[run / DRIVER_COUNT];
}

#define test_stack_of test_sim_stack_of
#define TEST_STACK_RUNS TEST_SIM_STACK_RUNS

#endif
