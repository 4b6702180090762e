/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults_linux.c: the injector in front of the real operating system: real threads,
 * real sockets on the loopback, and each fault at its first occurrences. What the engine
 * survives in the virtual world it survives here.
 */
#include <errno.h>

#include "engine/proto/frames.h"
#include "engine/util.h"
#include "sim/faults/fault_os.h"
#include "tests/lib/faulttalk.h"
#include "tests/lib/testlib.h"

#define OCCURRENCES 3

struct stage {
    struct os *linux_os[2], *faulty[2];
    struct sim_faults *f;
};

static void stage_open(struct stage *s)
{
    s->f = sim_faults_new(NULL, 1);
    for (uint8_t i = 0; i < 2; i++) {
        s->linux_os[i] = os_linux_new((uint8_t)(i + 1), i == 0 ? "a" : "b");
        s->faulty[i] = fault_os_new(s->linux_os[i], s->f);
    }
}

static void stage_close(struct stage *s)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(fault_os_open_fds(s->faulty[i]), 0);
        fault_os_free(s->faulty[i]);
        os_linux_free(s->linux_os[i]);
    }
    sim_faults_free(s->f);
}

/* A conversation under the rule; returns how often it fired. */
static uint64_t converse(const struct fault_rule *rule, enum event_driver_kind driver,
                         struct fault_talk_result *ret)
{
    int fds = testlib_open_fds(), number;
    struct stage stage;
    uint64_t fired;

    stage_open(&stage);
    number = sim_faults_add(stage.f, rule);
    ck_assert_int_gt(number, 0);
    fault_talk(&(struct fault_talk_opts){.a = stage.faulty[0],
                                         .b = stage.faulty[1],
                                         .driver = driver,
                                         .messages = 4,
                                         .attempts = 4,
                                         .patience_ns = 10 * NSEC_PER_SEC},
               ret);
    fired = sim_faults_rule_fired(stage.f, number);
    stage_close(&stage);
    ck_assert_int_eq(testlib_open_fds(), fds);
    return fired;
}

static void judge(const struct fault_rule *rule, const struct fault_talk_result *r)
{
    const struct fault_info *info = fault_info(rule->id);

    ck_assert_msg(r->delivered && r->sound,
                  "%s, occurrence %u: %d failed starts, %d dials, %d lost, %d timed out",
                  info->name, rule->nth, r->failed_starts, r->failed_dials, r->lost,
                  r->timed_out);
    ck_assert_msg(r->failed_starts == 0 || (info->consequences & FC_NO_RESOURCE), "%s",
                  info->name);
    ck_assert_msg(r->lost + r->failed_dials == 0 || (info->consequences & ~FC_DELAY), "%s",
                  info->name);
}

/* Every fault of calls, at its first occurrences, alone, each time with another driver. */
START_TEST(each_occurrence_alone)
{
    enum fault_id id = (enum fault_id)_i;
    struct fault_rule rule = {.id = id, .count = 1, .time_ns = 2 * NSEC_PER_MSEC};
    struct fault_talk_result result;

    if (fault_info(id)->decision < 0 || id == FAULT_R01_ALLOC ||
        fault_info(id)->group == 'L' || fault_info(id)->group == 'V' || /* simulated only */
        id == FAULT_T06_SUSPEND) { /* a suspended patience is at its end */
        return;
    }
    for (rule.nth = 1; rule.nth <= OCCURRENCES; rule.nth++) {
        converse(&rule, (enum event_driver_kind)((unsigned)_i + rule.nth) % DRIVER_COUNT,
                 &result);
        judge(&rule, &result);
    }
}
END_TEST

/* A frame is found in the real byte stream, and only that one is hit. */
START_TEST(frames_are_found)
{
    static const enum fault_id ids[] = {FAULT_S07_VANISH, FAULT_S07_RESET, FAULT_S06_RESET,
                                        FAULT_S06_FIN};
    struct fault_rule rule = {.id = ids[_i], .count = 1, .nth = 3, .frame = TAG_MESSAGE};
    struct fault_talk_result result;

    rule.side = _i < 2 ? FAULT_WRITE : FAULT_READ;
    snprintf(rule.node, sizeof(rule.node), _i < 2 ? "a" : "b");
    snprintf(rule.peer, sizeof(rule.peer), _i < 2 ? "b" : "a");
    ck_assert_uint_eq(converse(&rule, DRIVER_EPOLL, &result), 1);
    judge(&rule, &result);
    ck_assert_int_ge(result.lost, 1); /* real threads may try again before it is told */
}
END_TEST

/* A frame that is stalled waits as long as it was told, and nothing is lost. */
START_TEST(frames_wait)
{
    struct fault_rule rule = {.id = _i == 0 ? FAULT_S07_EAGAIN : FAULT_S06_EAGAIN,
                              .side = _i == 0 ? FAULT_WRITE : FAULT_READ,
                              .count = 1,
                              .frame = TAG_MESSAGE,
                              .time_ns = 100 * NSEC_PER_MSEC};
    struct fault_talk_result result;

    for (int driver = 0; driver < DRIVER_COUNT; driver++) {
        ck_assert_uint_eq(converse(&rule, (enum event_driver_kind)driver, &result), 1);
        judge(&rule, &result);
        ck_assert_int_eq(result.lost, 0);
        ck_assert_uint_ge(result.elapsed_ns, rule.time_ns);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults_linux");
    TCase *tc = tcase_create("engine");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, each_occurrence_alone, 0, FAULT_COUNT);
    tcase_add_loop_test(tc, frames_are_found, 0, 4);
    tcase_add_loop_test(tc, frames_wait, 0, 2);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
