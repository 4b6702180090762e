/* SPDX-License-Identifier: Apache-2.0 */
/* test_profile.c: knobs are decisions: a function of the seed, in the log, replayable. */
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "sim/faults/faults.h"
#include "sim/campaign/profile.h"
#include "tests/lib/testlib.h"

static const struct sim_world_opts plain = {.strategy = SIM_RANDOM,
                                            .short_io_rate = 32,
                                            .call_ns = 200,
                                            .sndbuf = 131072,
                                            .rcvbuf = 131072,
                                            .link = {.latency_ns = 50000}};

static struct sim_world_opts shaped(enum sim_profile profile, struct sim_decisions *d)
{
    struct sim_world_opts o = plain;

    profile_shape(profile, d, false, &o);
    return o;
}

START_TEST(names_are_known)
{
    ck_assert_int_eq(profile_by_name(NULL), PROFILE_NONE);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(profile_by_name(profile_names[i]), i);
    }
    ck_assert_int_eq(profile_by_name("heavy"), -1);
}
END_TEST

/* Without a profile nothing changes and nothing is drawn. */
START_TEST(none_is_the_plain_world)
{
    struct sim_decisions d;
    struct sim_world_opts o;

    sim_decisions_init(&d, 7);
    o = shaped(PROFILE_NONE, &d);
    ck_assert_mem_eq(&o, &plain, sizeof(o));
    ck_assert_uint_eq(d.made, 0);
    sim_decisions_fini(&d);
}
END_TEST

/* The same seed gives the same world; seeds differ, in strategy and in the rest. */
START_TEST(seeds_make_worlds)
{
    int strategies[4] = {0}, latencies = 0, plain_latencies = 0;

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct sim_decisions a, b;
        struct sim_world_opts of_a, of_b;

        sim_decisions_init(&a, seed);
        sim_decisions_init(&b, seed);
        of_a = shaped(PROFILE_LITE, &a);
        of_b = shaped(PROFILE_LITE, &b);
        ck_assert_mem_eq(&of_a, &of_b, sizeof(of_a));
        strategies[of_a.strategy]++;
        latencies += of_a.link.latency_ns != plain.link.latency_ns;
        plain_latencies += of_a.link.latency_ns == plain.link.latency_ns;
        sim_decisions_fini(&a);
        sim_decisions_fini(&b);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_gt(strategies[i], 10);
    }
    ck_assert_int_gt(latencies, 60);
    ck_assert_int_gt(plain_latencies, 60);
}
END_TEST

/* The schedule profile leaves links and bytes alone. */
START_TEST(schedule_is_about_time_only)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim_decisions d;
        struct sim_world_opts o;

        sim_decisions_init(&d, seed);
        o = shaped(PROFILE_SCHEDULE, &d);
        ck_assert_mem_eq(&o.link, &plain.link, sizeof(o.link));
        ck_assert_int_eq(o.short_io_rate, plain.short_io_rate);
        ck_assert_int_eq(o.sndbuf, plain.sndbuf);
        sim_decisions_fini(&d);
    }
}
END_TEST

/* A log gives the same world again, and the world without a knob's line has it plain. */
START_TEST(log_gives_the_world_again)
{
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct sim_decisions d, again, without;
        struct sim_world_opts o, same, other;
        char why[100] = "", *text;

        sim_decisions_init(&d, seed);
        d.logging = true;
        o = shaped(PROFILE_CHAOS, &d);
        text = sim_decisions_text(&d);
        sim_decisions_init(&again, 999);
        again.defaults = true;
        ck_assert_int_eq(sim_decisions_load(&again, text, why, sizeof(why)), 0);
        same = shaped(PROFILE_CHAOS, &again);
        ck_assert_mem_eq(&o, &same, sizeof(o));
        sim_decisions_init(&without, 999);
        without.defaults = true;
        other = shaped(PROFILE_CHAOS, &without);
        ck_assert_uint_eq(other.link.latency_ns, plain.link.latency_ns);
        ck_assert_int_eq(other.strategy, SIM_FIFO);
        free(text);
        sim_decisions_fini(&d);
        sim_decisions_fini(&again);
        sim_decisions_fini(&without);
    }
}
END_TEST

/* Whether any rate of a fault with other consequences than these is set. */
static int armed_beyond(const struct sim_decisions *d, int accepted, int *ret_armed)
{
    int beyond = 0;

    for (int id = 0; id < FAULT_COUNT; id++) {
        const struct fault_info *info = fault_info((enum fault_id)id);

        if (info->decision >= 0 && d->rate[info->decision] != 0) {
            beyond += (info->consequences & ~accepted) != 0;
            (*ret_armed)++;
        }
    }
    return beyond;
}

/* Faults are armed as far as they are accepted, and not further. */
START_TEST(faults_follow_what_is_accepted)
{
    int delays = 0, more = 0, none = 0;

    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_decisions d;
        struct sim_faults *f;

        sim_decisions_init(&d, seed);
        f = sim_faults_new(&d, seed);
        ck_assert_ptr_nonnull(f);
        profile_arm(PROFILE_SCHEDULE, &d, f, FC_DELAY);
        ck_assert_int_eq(armed_beyond(&d, 0, &none), 0);
        profile_arm(PROFILE_CHAOS, &d, f, FC_DELAY);
        ck_assert_int_eq(armed_beyond(&d, FC_DELAY, &delays), 0);
        sim_faults_accept(f, FC_CONN_LOSS);
        profile_arm(PROFILE_CHAOS, &d, f, FC_CONN_LOSS);
        ck_assert_int_eq(armed_beyond(&d, FC_DELAY | FC_CONN_LOSS, &more), 0);
        sim_faults_free(f);
        sim_decisions_fini(&d);
    }
    ck_assert_int_eq(none, 0);
    ck_assert_int_gt(delays, 50);
    ck_assert_int_gt(more, delays + 20);
}
END_TEST

/* A script's own knob takes each value, and 0 in a replay that says nothing. */
START_TEST(picks_are_even)
{
    int times[3] = {0};

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct sim_decisions d;
        struct sim_actor knob;

        sim_decisions_init(&d, seed);
        sim_actor_init(&d, &knob, "bytes");
        times[profile_pick(&d, &knob, 3)]++;
        d.defaults = true;
        ck_assert_uint_eq(profile_pick(&d, &knob, 3), 0);
        sim_decisions_fini(&d);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_gt(times[i], 70);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("profile");
    TCase *tc = tcase_create("profile");

    tcase_add_test(tc, names_are_known);
    tcase_add_test(tc, none_is_the_plain_world);
    tcase_add_test(tc, seeds_make_worlds);
    tcase_add_test(tc, schedule_is_about_time_only);
    tcase_add_test(tc, log_gives_the_world_again);
    tcase_add_test(tc, faults_follow_what_is_accepted);
    tcase_add_test(tc, picks_are_even);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
