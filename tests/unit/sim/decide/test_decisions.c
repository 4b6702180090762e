/* SPDX-License-Identifier: Apache-2.0 */
/* test_decisions.c: keyed choices, their log, and replay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "sim/decide/decisions.h"
#include "tests/lib/testlib.h"

static void always(struct sim_decisions *d, uint64_t seed)
{
    sim_decisions_init(d, seed);
    for (int i = 0; i < SIM_SITE_COUNT; i++) {
        d->rate[i] = SIM_RATE_ALWAYS;
    }
}

/* Same seed, same choices; another seed, others. */
START_TEST(choices_depend_on_the_seed_alone)
{
    struct sim_decisions a, b, c;
    struct sim_actor in_a, in_b, in_c;
    int differ = 0;

    always(&a, 1);
    always(&b, 1);
    always(&c, 2);
    sim_actor_init(&a, &in_a, "x");
    sim_actor_init(&b, &in_b, "x");
    sim_actor_init(&c, &in_c, "x");
    for (int i = 0; i < 1000; i++) {
        uint64_t value = sim_pick(&a, SIM_SITE_RUN, &in_a, 100);

        ck_assert_uint_lt(value, 100);
        ck_assert_uint_eq(value, sim_pick(&b, SIM_SITE_RUN, &in_b, 100));
        differ += value != sim_pick(&c, SIM_SITE_RUN, &in_c, 100);
    }
    ck_assert_int_gt(differ, 900);
    sim_decisions_fini(&a);
    sim_decisions_fini(&b);
    sim_decisions_fini(&c);
}
END_TEST

/* Choices of one actor, or at one site, do not move those of another. */
START_TEST(choices_are_keyed)
{
    struct sim_decisions a, b;
    struct sim_actor x, y, x_alone;

    always(&a, 3);
    always(&b, 3);
    sim_actor_init(&a, &x, "x");
    sim_actor_init(&a, &y, "y");
    sim_actor_init(&b, &x_alone, "x");
    for (int i = 0; i < 100; i++) {
        sim_pick(&a, SIM_SITE_RUN, &y, 1000);
        sim_pick(&a, SIM_SITE_JITTER, &x, 1000);
        ck_assert_uint_eq(sim_pick(&a, SIM_SITE_RUN, &x, 1000),
                          sim_pick(&b, SIM_SITE_RUN, &x_alone, 1000));
    }
    sim_decisions_fini(&a);
    sim_decisions_fini(&b);
}
END_TEST

/* The rate says how many choices are not the default; all values are reached. */
START_TEST(rate_and_range_hold)
{
    struct sim_decisions d;
    struct sim_actor x;
    int counts[8] = {0}, drawn = 0;

    always(&d, 4);
    sim_actor_init(&d, &x, "x");
    for (int i = 0; i < 8000; i++) {
        counts[sim_pick(&d, SIM_SITE_RUN, &x, 8)]++;
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_int_gt(counts[i], 850);
        ck_assert_int_lt(counts[i], 1150);
    }
    d.rate[SIM_SITE_WAKE] = 128;
    for (int i = 0; i < 8000; i++) {
        drawn += sim_pick(&d, SIM_SITE_WAKE, &x, 1000000) != 0;
    }
    ck_assert_int_gt(drawn, 850);
    ck_assert_int_lt(drawn, 1150);
    d.rate[SIM_SITE_WAKE] = 0;
    ck_assert_uint_eq(sim_pick(&d, SIM_SITE_WAKE, &x, 1000000), 0);
    sim_decisions_fini(&d);
}
END_TEST

/* The log, replayed as overrides over defaults, gives every choice again; what is taken out
 * of it becomes the default, and nothing else changes. */
START_TEST(log_replays)
{
    struct sim_decisions a, b;
    struct sim_actor x, y;
    uint64_t values[200];
    char why[100] = "", *text, *line;
    int differ = 0;

    always(&a, 5);
    a.logging = true;
    sim_actor_init(&a, &x, "a/worker 0");
    sim_actor_init(&a, &x, "a/worker 0");
    ck_assert_str_eq(x.name, "a/worker_0.2");
    for (int i = 0; i < 200; i++) {
        values[i] = sim_pick(&a, SIM_SITE_PREEMPT, &x, 3);
    }
    text = sim_decisions_text(&a);
    line = strstr(text, "preempt a/worker_0.2 ");
    ck_assert_ptr_eq(line, text);
    for (int left_out = 0; left_out < 2; left_out++) {
        always(&b, 6);
        b.defaults = true;
        ck_assert_int_eq(sim_decisions_load(&b, left_out ? strchr(text, '\n') + 1 : text,
                                            why, sizeof(why)),
                         0);
        sim_actor_init(&b, &y, "a/worker 0");
        sim_actor_init(&b, &y, "a/worker 0");
        differ = 0;
        for (int i = 0; i < 200; i++) {
            differ += sim_pick(&b, SIM_SITE_PREEMPT, &y, 3) != values[i];
        }
        ck_assert_int_eq(differ, left_out);
        sim_decisions_fini(&b);
    }
    free(text);
    sim_decisions_fini(&a);
}
END_TEST

/* An override of more than there is to choose from is the last there is. */
START_TEST(override_is_cut_to_range)
{
    struct sim_decisions d;
    struct sim_actor x;

    sim_decisions_init(&d, 1);
    ck_assert_int_eq(sim_decisions_override(&d, SIM_SITE_RUN, "x", 1, 77), 0);
    sim_actor_init(&d, &x, "x");
    ck_assert_uint_eq(sim_pick(&d, SIM_SITE_RUN, &x, 4), 0);
    ck_assert_uint_eq(sim_pick(&d, SIM_SITE_RUN, &x, 4), 3);
    ck_assert_uint_eq(sim_pick(&d, SIM_SITE_RUN, &x, 4), 0);
    sim_decisions_fini(&d);
}
END_TEST

/* A damaged log is refused with the line and the reason. */
START_TEST(damaged_log_is_refused)
{
    static const char *const bad[][2] = {
        {"preempt a 1\n", "line 1: a decision is: site actor occurrence value"},
        {"# fine\n\npreempt a 1 2 3\n",
         "line 3: a decision is: site actor occurrence value"},
        {"preempt a 1 1\nfly a 1 1\n", "line 2: no such site"},
        {"run a one 1\n", "line 1: occurrence and value are numbers"},
        {"run a 1 -1\n", "line 1: occurrence and value are numbers"},
        {"run a 4294967296 1\n", "line 1: occurrence and value are numbers"},
        {"run a 1 99999999999999999999\n", "line 1: occurrence and value are numbers"},
    };
    struct sim_decisions d;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char why[100] = "";

        sim_decisions_init(&d, 1);
        ck_assert_int_eq(sim_decisions_load(&d, bad[i][0], why, sizeof(why)), -EINVAL);
        ck_assert_str_eq(why, bad[i][1]);
        sim_decisions_fini(&d);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim decisions");
    TCase *tc = tcase_create("decisions");

    tcase_add_test(tc, choices_depend_on_the_seed_alone);
    tcase_add_test(tc, choices_are_keyed);
    tcase_add_test(tc, rate_and_range_hold);
    tcase_add_test(tc, log_replays);
    tcase_add_test(tc, override_is_cut_to_range);
    tcase_add_test(tc, damaged_log_is_refused);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
