/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conformance.h: runs a file of tests/conformance against the virtual os. Include
 * it, then the file: every os that a test asks for is a node of its world, and the test
 * itself is a virtual thread of that world.
 */
#ifndef MSGRLAB_TESTS_UNIT_SIM_CONFORMANCE_TEST_CONFORMANCE_H
#define MSGRLAB_TESTS_UNIT_SIM_CONFORMANCE_TEST_CONFORMANCE_H

#include "sim/world/world.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static struct sim_world *test_sim_world; /* of the test that runs */
static int test_sim_nodes;

/* The tests were written for a kernel whose loopback is faster than the next call. */
static inline struct os *test_sim_os_new(void)
{
    const struct sim_world_opts opts = {.seed = 1, .call_ns = 100};
    struct os *os;

    if (test_sim_nodes++ == 0) {
        test_sim_world = sim_world_new(&opts);
    }
    os = sim_world_node(test_sim_world, 0, "t");
    ck_assert_ptr_nonnull(os);
    return os;
}

static inline void test_sim_os_free(struct os *os)
{
    ck_assert_int_eq(sim_node_open_fds(os), 0);
    sim_node_free(os);
    if (--test_sim_nodes == 0) {
        sim_world_free(test_sim_world);
    }
}

#define test_os_new test_sim_os_new
#define test_os_free test_sim_os_free
#define test_os_is_kernel !sim_is_node

#endif
