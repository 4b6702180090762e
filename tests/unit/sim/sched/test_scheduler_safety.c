/* SPDX-License-Identifier: Apache-2.0 */
/* test_scheduler_safety.c: violations end a run, and verdicts have stable names. */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

struct play {
    struct sim_world *world;
    struct os *os;
    struct os_mutex *lock, *other;
    struct os_cond *cond;
    int after; /* steps taken after a violation */
};

static struct play open_play(const struct sim_world_opts *opts)
{
    struct play p = {.world = sim_world_new(opts)};

    p.os = sim_world_node(p.world, 1, "a");
    p.lock = os_mutex_new(p.os, "first");
    p.other = os_mutex_new(p.os, "second");
    p.cond = os_cond_new(p.os, "news");
    return p;
}

static struct os_thread *start(struct play *p, const char *name, os_thread_fn fn)
{
    struct os_thread *thread = NULL;

    ck_assert_int_eq(os_thread_start(p->os, name, fn, p, &thread), 0);
    return thread;
}

/* ---- violations ---- */

static void violate_twice(void *arg)
{
    struct play *p = arg;

    sim_world_violate(p->world, "lost message", "message %d is gone", 7);
    sim_world_violate(p->world, "second", "too late");
    p->after++; /* it goes on as far as its next os call */
    os_lock(p->os, p->lock);
    p->after++;
}

static void rest_for_ever(void *arg)
{
    struct play *p = arg;

    os_sleep_ns(p->os, 3600 * NSEC_PER_SEC);
    p->after++;
}

static void violate_among_others(void *arg)
{
    struct os_thread *a = start(arg, "sleeper", rest_for_ever);
    struct os_thread *b = start(arg, "violator", violate_twice);

    os_thread_join(a);
    os_thread_join(b);
}

/* The run ends at the next os call; the first violation is what is reported. */
START_TEST(violation_ends_the_run)
{
    const struct sim_world_opts opts = {.seed = 1};
    struct play p = open_play(&opts);

    ck_assert_int_eq(sim_world_run(p.world, violate_among_others, &p), SIM_SAFETY);
    ck_assert_int_eq(p.after, 1);
    ck_assert_str_eq(sim_world_signature(p.world), "lost message");
    ck_assert_msg(strstr(sim_world_report(p.world), "safety at 1.000000000 s: message 7") !=
                      NULL,
                  "%s", sim_world_report(p.world));
    ck_assert_ptr_nonnull(strstr(sim_world_report(p.world), "a/sleeper"));
    sim_world_free(p.world);
}
END_TEST

static void violate_and_end(void *arg)
{
    struct play *p = arg;

    sim_world_violate(p->world, "at the end", "its last act");
}

static void violate_and_wait(void *arg)
{
    violate_and_end(arg);
    rest_for_ever(arg);
}

/* Neither the end of the last thread nor a wait that never ends hides it. */
START_TEST(last_act_counts)
{
    static void (*const acts[])(void *arg) = {violate_and_end, violate_and_wait};
    const struct sim_world_opts opts = {.seed = 1};
    struct play p = open_play(&opts);

    ck_assert_int_eq(sim_world_run(p.world, acts[_i], &p), SIM_SAFETY);
    ck_assert_str_eq(sim_world_signature(p.world), "at the end");
    ck_assert_int_eq(p.after, 0);
    sim_world_free(p.world);
}
END_TEST

static void do_nothing(void *arg)
{
}

/* What a checker finds after the run is a verdict, too, and os calls go on for teardown. */
START_TEST(violation_after_the_run)
{
    const struct sim_world_opts opts = {.seed = 1};
    struct play p = open_play(&opts);

    ck_assert_int_eq(sim_world_run(p.world, do_nothing, &p), SIM_OK);
    ck_assert_str_eq(sim_world_signature(p.world), "");
    sim_world_violate(p.world, "left over", "found at the end");
    os_lock(p.os, p.lock);
    os_unlock(p.os, p.lock);
    ck_assert_str_eq(sim_world_signature(p.world), "left over");
    ck_assert_int_eq(sim_world_run(p.world, do_nothing, &p), SIM_SAFETY);
    sim_world_free(p.world);
}
END_TEST

/* ---- signatures ---- */

static void lock_ab(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    os_sleep_ns(p->os, NSEC_PER_MSEC);
    os_lock(p->os, p->other);
}

static void lock_ba(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->other);
    os_sleep_ns(p->os, NSEC_PER_MSEC);
    os_lock(p->os, p->lock);
}

static void abba(void *arg)
{
    struct os_thread *one = start(arg, "one", lock_ab), *two = start(arg, "two", lock_ba);

    os_thread_join(one);
    os_thread_join(two);
}

static void wait_for_news(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    os_cond_wait(p->os, p->cond, p->lock, -1);
}

static void never_news(void *arg)
{
    os_thread_join(start(arg, "reader", wait_for_news));
}

static void spin(void *arg)
{
    struct play *p = arg;

    for (;;) {
        os_lock(p->os, p->lock);
        os_unlock(p->os, p->lock);
    }
}

static void sleep_on(void *arg)
{
    for (;;) {
        rest_for_ever(arg);
    }
}

/* A circle names its locks; else whoever waits; a busy thread is named with its calls. The
 * words do not depend on the seed. */
START_TEST(signatures_are_stable)
{
    static const struct {
        void (*fn)(void *arg);
        const char *signature;
    } cases[] = {
        {abba, "deadlock mutex:first mutex:second"},
        {never_news, "deadlock condition:news thread:a/reader"},
        {spin, "zero_time main mutex_lock mutex_unlock"},
        {sleep_on, "time_limit"},
    };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const struct sim_world_opts opts = {
            .seed = seed, .strategy = SIM_RANDOM, .instant_max = 1000};
        struct play p = open_play(&opts);

        ck_assert_int_ne(sim_world_run(p.world, cases[_i].fn, &p), SIM_OK);
        ck_assert_str_eq(sim_world_signature(p.world), cases[_i].signature);
        sim_world_free(p.world);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim scheduler safety");
    TCase *tc = tcase_create("safety");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, violation_ends_the_run);
    tcase_add_loop_test(tc, last_act_counts, 0, 2);
    tcase_add_test(tc, violation_after_the_run);
    tcase_add_loop_test(tc, signatures_are_stable, 0, 4);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
