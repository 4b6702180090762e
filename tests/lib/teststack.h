/* SPDX-License-Identifier: Apache-2.0 */
/*
 * teststack.h: the transports that the conformance tests run on, as a table: another stack
 * or another world is one more row. A loop test over TEST_STACK_RUNS runs each row on each
 * driver.
 *
 * MSGRLAB_TEST_STACK=rdma puts the RDMA stack on real verbs in the place of TCP on Linux,
 * with MSGRLAB_TEST_DEVICE (default: the first) and the options MSGRLAB_TEST_RDMA (such as
 * "polling_us=0,support_srq=false").
 */
#ifndef MSGRLAB_TESTS_LIB_TESTSTACK_H
#define MSGRLAB_TESTS_LIB_TESTSTACK_H

#include "engine/event_driver.h"
#include "engine/network_stack.h"

struct test_stack {
    const char *name;
    struct os *(*os_new)(void);
    void (*os_free)(struct os *os);
    int (*stack_new)(struct os *os, struct network_stack **ret);
    bool back_pressure; /* a peer that does not read makes send take less */
};

/* X(name, world, constructor, back_pressure); a world is WORLD_new and WORLD_free. */
#define TEST_STACKS(X) X("tcp on linux", test_os, tcp_stack_new, true)

#define TEST_STACK_ONE(...) +1
enum { TEST_STACKS_N = TEST_STACKS(TEST_STACK_ONE) };
enum { TEST_STACK_RUNS = TEST_STACKS_N * DRIVER_COUNT };

const struct test_stack *test_stack_of(int run);
enum event_driver_kind test_driver_of(int run);

/* The IPv4 loopback, v2, that port and nonce. */
struct entity_addr test_entity_addr(uint16_t port, uint32_t nonce);

#endif
