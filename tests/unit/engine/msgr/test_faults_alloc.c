/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults_alloc.c: no memory (r01_alloc): each allocation that the engine and the TCP
 * stack make in a short conversation fails, alone and with those after it. Nothing may
 * crash, hang or leak; a call says an error, or a connection is lost; with memory again,
 * the conversation succeeds.
 *
 * The build gives this program copies of the engine's archives that call the three
 * functions below (mk/build.mk); the simulator's and the test's own allocations are the
 * usual ones. The world is virtual, so one thread counts.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "engine/util.h"
#include "sim/world/world.h"
#include "tests/lib/faulttalk.h"
#include "tests/lib/testlib.h"

#define SLICES 16

void *failing_malloc(size_t bytes);
void *failing_calloc(size_t n, size_t bytes);
void *failing_realloc(void *old, size_t bytes);

static struct {
    uint64_t made;         /* allocations so far */
    uint64_t from, n_fail; /* those from `from` on fail, so many; 0: none */
    uint64_t failed;
} memory;

static bool fails(void)
{
    bool yes = ++memory.made >= memory.from && memory.failed < memory.n_fail;

    memory.failed += yes;
    return yes;
}

void *failing_malloc(size_t bytes)
{
    return fails() ? NULL : malloc(bytes);
}

void *failing_calloc(size_t n, size_t bytes)
{
    return fails() ? NULL : calloc(n, bytes);
}

void *failing_realloc(void *old, size_t bytes)
{
    return fails() ? NULL : realloc(old, bytes);
}

struct story {
    struct fault_talk_opts opts;
    struct fault_talk_result result;
};

static void tell(void *arg)
{
    struct story *s = arg;

    fault_talk(&s->opts, &s->result);
}

/* A conversation in which n_fail allocations fail from that one on. */
static void converse(uint64_t from, uint64_t n_fail, enum event_driver_kind driver)
{
    const struct sim_world_opts opts = {.seed = 1,
                                        .call_ns = 50,
                                        .time_max_ns = 3600 * NSEC_PER_SEC,
                                        .loopback = {.latency_ns = 5 * NSEC_PER_USEC}};
    struct sim_world *world = sim_world_new(&opts);
    struct story s = {.opts = {.a = sim_world_node(world, 1, "a"),
                               .b = sim_world_node(world, 2, "b"),
                               .driver = driver,
                               .messages = 4,
                               .attempts = 12,
                               .patience_ns = 60 * NSEC_PER_SEC}};
    enum sim_verdict verdict;

    memory.made = memory.failed = 0;
    memory.from = from;
    memory.n_fail = n_fail;
    verdict = sim_world_run(world, tell, &s);
    memory.n_fail = 0;
    ck_assert_msg(verdict == SIM_OK, "allocation %" PRIu64 " and %" PRIu64 " more: %s",
                  from, n_fail - 1, sim_world_report(world));
    ck_assert_int_eq(sim_node_open_fds(s.opts.a) + sim_node_open_fds(s.opts.b), 0);
    sim_world_free(world);
    ck_assert_msg(s.result.delivered && s.result.sound && s.result.timed_out == 0,
                  "allocation %" PRIu64 " and %" PRIu64
                  " more: %d failed starts, %d dials, %d lost, %d timed out",
                  from, n_fail - 1, s.result.failed_starts, s.result.failed_dials,
                  s.result.lost, s.result.timed_out);
}

static uint64_t count_allocations(enum event_driver_kind driver)
{
    converse(1, 0, driver);
    return memory.made;
}

/* Each alone. In slices, so that one that crashes does not hide the others. */
START_TEST(each_allocation_alone)
{
    enum event_driver_kind driver = (enum event_driver_kind)(_i % DRIVER_COUNT);
    uint64_t n = count_allocations(driver);

    ck_assert_uint_gt(n, 100);
    for (uint64_t from = 1 + (uint64_t)(_i / DRIVER_COUNT); from <= n; from += SLICES) {
        converse(from, 1, driver);
        ck_assert_uint_eq(memory.failed, 1);
    }
}
END_TEST

/* Several in a row: the error path, too, finds no memory. */
START_TEST(some_in_a_row)
{
    uint64_t n = count_allocations(DRIVER_EPOLL);

    for (uint64_t from = 1 + (uint64_t)_i; from <= n; from += SLICES) {
        converse(from, 2, DRIVER_EPOLL);
        converse(from, 5, DRIVER_EPOLL);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults_alloc");
    TCase *tc = tcase_create("engine");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, each_allocation_alone, 0, SLICES * DRIVER_COUNT);
    tcase_add_loop_test(tc, some_in_a_row, 0, SLICES);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
