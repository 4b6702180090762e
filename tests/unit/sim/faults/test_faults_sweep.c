/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults_sweep.c: the engine under every fault of the injector, one at a time: the
 * 1st occurrence in a short conversation, the 2nd, the 3rd, ... Whatever the catalogue says
 * a fault may lead to, it must lead to nothing worse: no crash, hang, leak, wrong byte or
 * wrong order; and once it is over, dialling again succeeds.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/proto/frames.h"
#include "engine/util.h"
#include "sim/faults/fault_os.h"
#include "sim/world/world.h"
#include "tests/lib/faulttalk.h"
#include "tests/lib/testlib.h"

#define OCCURRENCES 24 /* of a fault, at most */
#define SEEDS 300
#define PATIENCE_NS (100 * NSEC_PER_SEC)

struct story {
    struct fault_talk_opts opts;
    struct fault_talk_result result;
};

static void tell(void *arg)
{
    struct story *s = arg;

    fault_talk(&s->opts, &s->result);
}

static bool is_for_calls(enum fault_id id)
{
    return fault_info(id)->decision >= 0 && id != FAULT_R01_ALLOC &&
           fault_info(id)->group != 'L' && /* test_net_control.c has these */
           fault_info(id)->group != 'V';   /* ... and test_rdma_faults.c */
}

/* Two nodes with faults between them. */
struct stage {
    struct sim_world *world;
    struct os *nodes[2], *faulty[2];
    struct sim_faults *f;
    struct story story;
    enum sim_verdict verdict;
};

static void stage_open(struct stage *s, uint64_t seed, enum event_driver_kind driver)
{
    const struct sim_world_opts opts = {.seed = seed,
                                        .strategy = SIM_RANDOM,
                                        .call_ns = 50,
                                        .time_max_ns = 3600 * NSEC_PER_SEC,
                                        .link = {.latency_ns = 50 * NSEC_PER_USEC},
                                        .loopback = {.latency_ns = 5 * NSEC_PER_USEC}};

    *s = (struct stage){.world = sim_world_new(&opts)};
    s->f = sim_faults_new(sim_world_decisions(s->world), seed);
    for (uint8_t i = 0; i < 2; i++) {
        s->nodes[i] = sim_world_node(s->world, (uint8_t)(i + 1), i == 0 ? "a" : "b");
        s->faulty[i] = fault_os_new(s->nodes[i], s->f);
    }
    s->story.opts = (struct fault_talk_opts){.a = s->faulty[0],
                                             .b = s->faulty[1],
                                             .driver = driver,
                                             .whole = true,
                                             .messages = 4,
                                             .attempts = 4,
                                             .patience_ns = PATIENCE_NS};
}

static void stage_run(struct stage *s)
{
    s->verdict = sim_world_run(s->world, tell, &s->story);
}

/* Asserts that nothing is left. */
static void stage_close(struct stage *s)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(sim_node_open_fds(s->nodes[i]), 0);
        ck_assert_int_eq(fault_os_open_fds(s->faulty[i]), 0);
        fault_os_free(s->faulty[i]);
    }
    sim_world_free(s->world);
    sim_faults_free(s->f);
}

/* One conversation under a rule; returns how often it fired. */
static uint64_t converse(const struct fault_rule *rule, uint64_t seed,
                         enum event_driver_kind driver, struct fault_talk_result *ret)
{
    struct stage stage;
    uint64_t fired;
    int number;

    stage_open(&stage, seed, driver);
    number = sim_faults_add(stage.f, rule);
    ck_assert_int_gt(number, 0);
    stage_run(&stage);
    ck_assert_msg(stage.verdict == SIM_OK, "%s, occurrence %u, %s: %s",
                  fault_info(rule->id)->name, rule->nth, event_driver_name(driver),
                  sim_world_report(stage.world));
    fired = sim_faults_rule_fired(stage.f, number);
    *ret = stage.story.result;
    stage_close(&stage);
    return fired;
}

static void judge(const struct fault_rule *rule, enum event_driver_kind driver,
                  const struct fault_talk_result *r)
{
    const struct fault_info *info = fault_info(rule->id);
    char what[160];

    snprintf(what, sizeof(what),
             "%s, occurrence %u, frame %u, errno %d, %s: %d failed starts, %d dials, %d "
             "lost, %d timed out",
             info->name, rule->nth, rule->frame, rule->err, event_driver_name(driver),
             r->failed_starts, r->failed_dials, r->lost, r->timed_out);
    ck_assert_msg(r->delivered, "not delivered: %s", what);
    ck_assert_msg(r->sound, "not sound: %s", what);
    ck_assert_msg(!r->stuck, "messages wait for ever: %s", what);
    ck_assert_msg(r->failed_starts == 0 || (info->consequences & FC_NO_RESOURCE), "%s",
                  what);
    ck_assert_msg(r->lost + r->failed_dials + r->timed_out == 0 ||
                      (info->consequences & ~FC_DELAY),
                  "%s", what);
    ck_assert_msg(r->timed_out == 0, "nothing came of it: %s", what);
}

/* One rule, on one driver. */
static uint64_t try_rule(const struct fault_rule *rule, enum event_driver_kind driver,
                         uint64_t seed)
{
    struct fault_talk_result result;
    uint64_t fired = converse(rule, seed, driver, &result);

    judge(rule, driver, &result);
    return fired;
}

/* A conversation in which each fault exists with a chance of one half, at its own rate. */
static void swarm(uint64_t seed)
{
    struct stage stage;
    struct sim_actor knobs;

    stage_open(&stage, seed, (enum event_driver_kind)(seed % DRIVER_COUNT));
    sim_faults_name_actor(stage.f, &knobs, "knobs");
    for (int id = 0; id < FAULT_COUNT; id++) {
        uint64_t draw = sim_mix(sim_mix(seed, (uint64_t)id), knobs.key);

        if (is_for_calls((enum fault_id)id) && (draw & 1) != 0) {
            sim_faults_set_rate(stage.f, (enum fault_id)id,
                                (uint16_t)(1 + (draw >> 8) % 40));
        }
    }
    stage.story.opts.attempts = 12;
    stage.story.opts.patience_ns = 20 * NSEC_PER_SEC;
    stage_run(&stage);
    ck_assert_msg(stage.verdict == SIM_OK, "seed %" PRIu64 ": %s", seed,
                  sim_world_report(stage.world));
    ck_assert_msg(stage.story.result.sound && !stage.story.result.stuck, "seed %" PRIu64,
                  seed);
    stage_close(&stage);
}

/* Every fault of calls at its first occurrences, once, on every driver. */
START_TEST(each_occurrence_alone)
{
    enum fault_id id = (enum fault_id)_i;
    uint64_t all = 0;

    for (int driver = 0; driver < DRIVER_COUNT && is_for_calls(id); driver++) {
        struct fault_rule rule = {.id = id, .count = 1};
        uint64_t fired = 1;

        for (rule.nth = 1; rule.nth <= OCCURRENCES && fired > 0; rule.nth++) {
            fired = try_rule(&rule, (enum event_driver_kind)driver, rule.nth);
            all += fired;
        }
    }
    /* Not enough happens at one time, or is open, in so short a story. */
    ck_assert_msg(all > 0 || !is_for_calls(id) || id == FAULT_T01_REORDER ||
                      id == FAULT_T01_ONE || id == FAULT_R03_FDS,
                  "%s never fired", fault_info(id)->name);
}
END_TEST

/* Every frame of the conversation, written and read, meets every fault that frames can. */
START_TEST(each_frame_alone)
{
    enum fault_id id = (enum fault_id)_i;

    for (int side = FAULT_WRITE; side <= FAULT_READ; side++) {
        struct fault_rule rule = {.id = id,
                                  .count = 1,
                                  .frame = FAULT_TAG_ANY,
                                  .side = (enum fault_side)side,
                                  .time_ns = 20 * NSEC_PER_MSEC};
        uint64_t fired = 1;

        if (!fault_is_for_frames(id, rule.side)) {
            continue;
        }
        for (rule.nth = 1; fired > 0; rule.nth++) {
            fired = try_rule(&rule, (enum event_driver_kind)(rule.nth % DRIVER_COUNT),
                             rule.nth);
        }
        /* HELLO, AUTH_*, *_IDENT there and back, and four messages each way. */
        ck_assert_uint_gt(rule.nth, 16);
    }
}
END_TEST

/* What only delays may happen all the time, and nothing is lost. */
START_TEST(delays_all_the_time)
{
    enum fault_id id = (enum fault_id)_i;
    struct fault_rule rule = {.id = id};

    if (!is_for_calls(id) || fault_info(id)->consequences != FC_DELAY) {
        return;
    }
    for (uint64_t seed = 1; seed <= 12; seed++) {
        rule.probability = seed % 4 == 0 ? 900 : 200;
        try_rule(&rule, (enum event_driver_kind)(seed % DRIVER_COUNT), seed);
    }
}
END_TEST

/* Everything at once, at small rates: what a campaign does. Nothing is promised but that
 * what arrives is right, that the world goes on, and that nothing is left over. */
START_TEST(all_at_once)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        swarm(seed);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_faults_sweep");
    TCase *tc = tcase_create("engine");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, each_occurrence_alone, 0, FAULT_COUNT);
    tcase_add_loop_test(tc, each_frame_alone, 0, FAULT_COUNT);
    tcase_add_loop_test(tc, delays_all_the_time, 0, FAULT_COUNT);
    tcase_add_test(tc, all_at_once);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
