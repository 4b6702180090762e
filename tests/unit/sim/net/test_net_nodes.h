/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_nodes.h: three nodes, a connection from the first to the second, and what
 * the tests of the network's faults ask of them. The test itself is a thread of the world.
 */
#ifndef MSGRLAB_TESTS_UNIT_SIM_NET_TEST_NET_NODES_H
#define MSGRLAB_TESTS_UNIT_SIM_NET_TEST_NET_NODES_H

#include "engine/util.h"
#include "sim/faults/faults.h"
#include "sim/world/net_control.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

#define MS NSEC_PER_MSEC
#define LATENCY MS

static struct sim_world *world;
static struct sim_faults *faults;
static struct os *a, *b, *c;
static int fds[2]; /* of a and of b: fds[0] dialled fds[1] */

static inline void open_world(const struct sim_world_opts *opts)
{
    world = sim_world_new(opts);
    a = sim_world_node(world, 1, "a");
    b = sim_world_node(world, 2, "b");
    c = sim_world_node(world, 3, "c");
    faults = sim_faults_new(sim_world_decisions(world), opts->seed);
    sim_net_set_faults(world, faults);
}

static inline void connect_nodes(struct os *from, struct os *to, int ret[2])
{
    struct sockaddr_storage addr, peer;
    int listener = test_listen(to, AF_INET, 4, &addr);

    ret[0] = test_dial(from, &addr);
    test_wait_fd(to, listener, POLLIN);
    ret[1] = os_accept(to, listener, &peer);
    ck_assert_int_ge(ret[1], 0);
    os_close(to, listener);
}

static inline void setup(void)
{
    const struct sim_world_opts opts = {.seed = 1, .link = {.latency_ns = LATENCY}};

    open_world(&opts);
    connect_nodes(a, b, fds);
}

static inline void teardown(void)
{
    os_close(a, fds[0]);
    os_close(b, fds[1]);
    ck_assert_int_eq(sim_node_open_fds(a) + sim_node_open_fds(b) + sim_node_open_fds(c), 0);
    sim_world_free(world);
    sim_faults_free(faults);
}

static inline uint64_t now(void)
{
    return sim_world_now(world);
}

static inline uint64_t fired(enum fault_id id)
{
    struct fault_counts counts;

    sim_faults_counts(faults, id, &counts);
    return counts.fired;
}

/* Sends a byte from a to b. When it arrived, from now. */
static inline uint64_t trip(void)
{
    uint64_t begin = now();
    char byte;

    ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
    test_recv_all(b, fds[1], &byte, 1);
    ck_assert_int_eq(byte, 'x');
    return now() - begin;
}

static inline bool comes_within(struct os *os, int fd, uint64_t ns)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return os_poll(os, &p, 1, (int64_t)ns) == 1;
}

static inline void set_link(struct sim_link link)
{
    sim_world_set_link(world, a, b, &link);
}

static inline struct sim_link_stats stats_of(struct os *from, struct os *to)
{
    struct sim_link_stats stats;

    sim_net_stats(world, from, to, &stats);
    return stats;
}

static inline void add_rule(enum fault_id id, struct fault_rule rule)
{
    rule.id = id;
    rule.count = MAX(rule.count, 1u);
    ck_assert_int_gt(sim_faults_add(faults, &rule), 0);
}

#endif
