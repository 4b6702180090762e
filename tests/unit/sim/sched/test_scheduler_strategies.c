/* SPDX-License-Identifier: Apache-2.0 */
/* test_scheduler_strategies.c: fairness, starvation, ties and what locks may do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

#define STEPS 2000

struct play {
    struct sim_world *world;
    struct os *os;
    struct os_mutex *lock;
    struct os_cond *cond;
    int fds[2];
    int flag, count, spurious;
    uint64_t longest; /* a step took */
    char order[40];
};

static struct play open_play(const struct sim_world_opts *opts)
{
    struct play p = {.world = sim_world_new(opts)};

    p.os = sim_world_node(p.world, 1, "a");
    p.lock = os_mutex_new(p.os, "lock");
    p.cond = os_cond_new(p.os, "news");
    return p;
}

static void run_threads(struct play *p, os_thread_fn one, os_thread_fn two)
{
    struct os_thread *a, *b;

    ck_assert_int_eq(os_thread_start(p->os, "one", one, p, &a), 0);
    ck_assert_int_eq(os_thread_start(p->os, "two", two, p, &b), 0);
    os_thread_join(a);
    os_thread_join(b);
}

/* Runs a story in a world and again from its log of decisions: both must be the same. */
static void run_and_replay(const struct sim_world_opts *opts, void (*fn)(void *arg),
                           struct play *ret)
{
    struct sim_world_opts first = *opts, second = *opts;
    struct sim_world_stats recorded, replayed;
    char why[100], *text;
    struct play p;

    first.log = true;
    *ret = open_play(&first);
    ck_assert_int_eq(sim_world_run(ret->world, fn, ret), SIM_OK);
    sim_world_stats(ret->world, &recorded);
    text = sim_decisions_text(sim_world_decisions(ret->world));
    sim_world_free(ret->world);

    second.defaults = true;
    second.strategy = SIM_FIFO;
    p = open_play(&second);
    ck_assert_int_eq(
        sim_decisions_load(sim_world_decisions(p.world), text, why, sizeof(why)), 0);
    ck_assert_int_eq(sim_world_run(p.world, fn, &p), SIM_OK);
    sim_world_stats(p.world, &replayed);
    ck_assert_uint_eq(replayed.schedule, recorded.schedule);
    ck_assert_uint_eq(replayed.points, recorded.points);
    sim_world_free(p.world);
    free(text);
}

/* ---- PCT ---- */

static void spin_for_flag(void *arg)
{
    struct play *p = arg;

    while (p->flag == 0) {
        os_cond_signal(p->os, p->cond); /* any os call will do */
    }
}

static void raise_flag(void *arg)
{
    struct play *p = arg;

    os_cond_signal(p->os, p->cond);
    p->flag = 1;
}

static void spin_story(void *arg)
{
    run_threads(arg, spin_for_flag, raise_flag);
}

/* A thread of highest priority that polls for another's deed does not do so for ever. */
START_TEST(pct_is_fair_in_the_end)
{
    int long_spins = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        const struct sim_world_opts opts = {.seed = seed,
                                            .strategy = SIM_PCT,
                                            .pct_depth = 1,
                                            .pct_steps = 2000,
                                            .busy_max = 10000};
        struct play p = open_play(&opts);
        struct sim_world_stats stats;

        ck_assert_int_eq(sim_world_run(p.world, spin_story, &p), SIM_OK);
        sim_world_stats(p.world, &stats);
        long_spins += stats.points > 1990;
        sim_world_free(p.world);
    }
    ck_assert_int_gt(long_spins, 5); /* and PCT was what it is for long enough */
}
END_TEST

/* ---- starvation ---- */

static void take_steps(void *arg)
{
    struct play *p = arg;

    for (int i = 0; i < STEPS; i++) {
        uint64_t before = os_monotonic_ns(p->os);

        os_lock(p->os, p->lock);
        p->count++;
        os_unlock(p->os, p->lock);
        p->longest = MAX(p->longest, os_monotonic_ns(p->os) - before);
    }
}

static void step_story(void *arg)
{
    run_threads(arg, take_steps, take_steps);
}

/* Some seeds let a thread stand still for more than 10 ms, others for less than 1 ms or
 * never; each replays from its log. */
START_TEST(starvation_has_all_lengths)
{
    int none = 0, brief = 0, prolonged = 0;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        const struct sim_world_opts opts = {
            .seed = seed, .strategy = SIM_STARVE, .call_ns = 100};
        struct play p;

        run_and_replay(&opts, step_story, &p);
        ck_assert_int_eq(p.count, 2 * STEPS);
        none += p.longest < 100 * NSEC_PER_USEC;
        brief += p.longest >= 100 * NSEC_PER_USEC && p.longest < 100 * NSEC_PER_MSEC;
        prolonged += p.longest > 100 * NSEC_PER_MSEC;
    }
    ck_assert_int_gt(none, 5);
    ck_assert_int_gt(brief, 2);
    ck_assert_int_gt(prolonged, 10);
}
END_TEST

/* The same program under random schedules never stands still so long. */
START_TEST(random_does_not_starve)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const struct sim_world_opts opts = {
            .seed = seed, .strategy = SIM_RANDOM, .call_ns = 100};
        struct play p;

        run_and_replay(&opts, step_story, &p);
        ck_assert_uint_lt(p.longest, NSEC_PER_MSEC);
    }
}
END_TEST

/* A window in a log is one line, and so is standing back, which ends when nobody else can
 * run. */
START_TEST(one_line_starves_a_thread)
{
    const struct sim_world_opts opts = {.seed = 1, .defaults = true};
    struct play p = open_play(&opts);
    char why[100];

    ck_assert_int_eq(sim_decisions_load(sim_world_decisions(p.world),
                                        "t05_starve a/one 100 1500000000\n"
                                        "t05_back a/two 50 4000\n",
                                        why, sizeof(why)),
                     0);
    ck_assert_int_eq(sim_world_run(p.world, step_story, &p), SIM_OK);
    ck_assert_uint_eq(p.longest, 1500000000);
    ck_assert_int_eq(p.count, 2 * STEPS);
    sim_world_free(p.world);
}
END_TEST

/* ---- ties ---- */

static void note_wakeup(struct play *p, char letter)
{
    os_sleep_ns(p->os, NSEC_PER_MSEC);
    p->order[strlen(p->order)] = letter;
}

static void wake_a(void *arg)
{
    note_wakeup(arg, 'a');
}

static void wake_b(void *arg)
{
    note_wakeup(arg, 'b');
}

static void tie_story(void *arg)
{
    run_threads(arg, wake_a, wake_b);
}

/* Two timers of one instant run in the order of arming, or by decision in any. */
START_TEST(ties_are_decided)
{
    int swapped = 0;

    for (uint64_t seed = 1; seed <= 50; seed++) {
        const struct sim_world_opts fixed = {.seed = seed};
        const struct sim_world_opts open = {.seed = seed, .tie_rate = SIM_RATE_ALWAYS};
        struct play p;

        run_and_replay(&fixed, tie_story, &p);
        ck_assert_str_eq(p.order, "ab");
        run_and_replay(&open, tie_story, &p);
        swapped += strcmp(p.order, "ba") == 0;
    }
    ck_assert_int_gt(swapped, 10);
    ck_assert_int_lt(swapped, 40);
}
END_TEST

/* ---- locks ---- */

static void wait_for_flag(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    while (p->flag == 0) {
        ck_assert_int_eq(os_cond_wait(p->os, p->cond, p->lock, 10 * NSEC_PER_SEC), 0);
        p->spurious += p->flag == 0;
    }
    os_unlock(p->os, p->lock);
}

static void raise_late(void *arg)
{
    struct play *p = arg;

    os_sleep_ns(p->os, 10 * NSEC_PER_MSEC);
    os_lock(p->os, p->lock);
    p->flag = 1;
    os_cond_signal(p->os, p->cond);
    os_unlock(p->os, p->lock);
}

static void wait_story(void *arg)
{
    run_threads(arg, wait_for_flag, raise_late);
}

/* A condition may wake before it is signalled; that is no time-out, and the signal still
 * comes. */
START_TEST(conditions_wake_by_themselves)
{
    const struct sim_world_opts never = {.seed = 5};
    const struct sim_world_opts often = {.seed = 5, .spurious_rate = SIM_RATE_ALWAYS};
    struct play p;

    run_and_replay(&never, wait_story, &p);
    ck_assert_int_eq(p.spurious, 0);
    run_and_replay(&often, wait_story, &p);
    ck_assert_int_gt(p.spurious, 3);
}
END_TEST

static void write_order(struct play *p, char letter)
{
    for (int i = 0; i < 6; i++) {
        os_lock(p->os, p->lock);
        p->order[strlen(p->order)] = letter;
        os_sleep_ns(p->os, NSEC_PER_USEC); /* so that the other waits */
        os_unlock(p->os, p->lock);
    }
}

static void write_a(void *arg)
{
    write_order(arg, 'a');
}

static void write_b(void *arg)
{
    write_order(arg, 'b');
}

static void order_story(void *arg)
{
    run_threads(arg, write_a, write_b);
}

/* Who unlocks and locks again usually gets the mutex again; if handed over, they take
 * turns. */
START_TEST(mutexes_are_handed_over)
{
    const struct sim_world_opts barge = {.seed = 9};
    const struct sim_world_opts hand_over = {
        .seed = 9, .strategy = SIM_RANDOM, .handoff_rate = SIM_RATE_ALWAYS};
    struct play p;

    run_and_replay(&barge, order_story, &p);
    ck_assert_str_eq(p.order, "aaaaaabbbbbb");
    run_and_replay(&hand_over, order_story, &p);
    ck_assert_int_eq(strlen(p.order), 12);
    ck_assert_ptr_nonnull(strstr(p.order, "ab"));
    ck_assert_ptr_nonnull(strstr(p.order, "ba"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim strategies");
    TCase *tc = tcase_create("strategies");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, pct_is_fair_in_the_end);
    tcase_add_test(tc, starvation_has_all_lengths);
    tcase_add_test(tc, random_does_not_starve);
    tcase_add_test(tc, one_line_starves_a_thread);
    tcase_add_test(tc, ties_are_decided);
    tcase_add_test(tc, conditions_wake_by_themselves);
    tcase_add_test(tc, mutexes_are_handed_over);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
