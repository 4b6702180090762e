/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_verbs.c: the verbs conformance suite on the virtual device, with both
 * personalities. The same suite runs on soft-RoCE (make check-softroce): personality rxe
 * must answer as it does there, row by row.
 *
 *   test_sim_verbs [PERSONALITY [CASE]]   asks only these, and prints the table
 */
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/rdma.h"
#include "sim/world/world.h"
#include "tests/conformance/verbs/suite.h"
#include "tests/lib/testlib.h"

static struct sim_world *world;

static void pause_2_ms(struct verbs_target *target)
{
    os_sleep_ns(target->verbs[0]->os, 2 * NSEC_PER_MSEC);
}

static int set_link(struct verbs_target *target, int side, bool up)
{
    rdma_port_set(target->verbs[side], up);
    return 0;
}

static int set_wire(struct verbs_target *target, int side, const struct verbs_wire *wire)
{
    rdma_wire_set(target->verbs[side], (struct rdma_wire){.lost = wire->lost,
                                                          .duplicated = wire->duplicated,
                                                          .damaged = wire->damaged});
    return 0;
}

static int set_address(struct verbs_target *target, int side, bool present)
{
    rdma_gid_set(target->verbs[side], target->gid_index[side], present);
    return 0;
}

/* How many answers were wrong. */
static int run_suite(const struct rdma_personality *is, uint64_t seed, const char *only,
                     FILE *table)
{
    const struct sim_world_opts opts = {
        .seed = seed,
        .link = {.latency_ns = 2 * NSEC_PER_USEC, .jitter_ns = NSEC_PER_USEC}};
    struct verbs_target target = {
        .personality = is->name,
        .port = 1,
        .gid_index = {1, 1},
        .nobody = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 77}},
        .pause = pause_2_ms,
        .set_link = set_link,
        .set_wire = set_wire,
        .set_address = set_address,
    };
    int wrong;

    world = sim_world_new(&opts);
    for (int i = 0; i < 2; i++) {
        struct os *os = sim_world_node(world, (uint8_t)(i + 1), i == 0 ? "a" : "b");

        CHECK(rdma_verbs_new(os, is, &target.verbs[i]) == 0);
        CHECK(verbs_open_device(target.verbs[i], is->device, &target.context[i]) == 0);
    }
    wrong = verbs_suite_run(&target, only, table);
    for (int i = 0; i < 2; i++) {
        CHECK(verbs_close_device(target.verbs[i], target.context[i]) == 0);
        verbs_free(target.verbs[i]);
    }
    sim_world_free(world);
    return wrong;
}

static void ask_quietly(const struct rdma_personality *is, uint64_t seed)
{
    FILE *nowhere = fopen("/dev/null", "w");

    ck_assert_int_eq(run_suite(is, seed, NULL, nowhere), 0);
    fclose(nowhere);
}

START_TEST(rxe)
{
    ask_quietly(&rdma_rxe, (uint64_t)_i);
}
END_TEST

START_TEST(hca)
{
    ask_quietly(&rdma_hca, (uint64_t)_i);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite;
    TCase *tc;

    if (argc > 1) {
        const struct rdma_personality *is = rdma_personality_by_name(argv[1]);

        if (is == NULL) {
            fprintf(stderr, "usage: test_sim_verbs [hca|rxe [CASE]]\n");
            return 2;
        }
        return run_suite(is, 1, argc > 2 ? argv[2] : NULL, stdout) == 0 ? 0 : 1;
    }
    suite = suite_create("sim_verbs");
    tc = tcase_create("sim_verbs");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, rxe, 1, 4);
    tcase_add_loop_test(tc, hca, 1, 4);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
