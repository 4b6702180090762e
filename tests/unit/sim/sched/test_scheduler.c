/* SPDX-License-Identifier: Apache-2.0 */
/* test_scheduler.c: virtual threads: schedules, the clock, verdicts and replay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/util.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

struct play {
    struct os *os;
    struct os_mutex *lock, *other;
    struct os_cond *cond;
    int count, flag, waiting;
    bool lost;
};

static struct sim_world *open_world(const struct sim_world_opts *opts, struct play *p)
{
    struct sim_world *world = sim_world_new(opts);

    *p = (struct play){.os = sim_world_node(world, 1, "a")};
    p->lock = os_mutex_new(p->os, "first");
    p->other = os_mutex_new(p->os, "second");
    p->cond = os_cond_new(p->os, "news");
    return world;
}

static struct os_thread *start(struct play *p, const char *name, os_thread_fn fn)
{
    struct os_thread *thread = NULL;

    ck_assert_int_eq(os_thread_start(p->os, name, fn, p, &thread), 0);
    return thread;
}

static void start_two(struct play *p, os_thread_fn one, os_thread_fn two)
{
    struct os_thread *a = start(p, "one", one), *b = start(p, "two", two);

    os_thread_join(a);
    os_thread_join(b);
}

/* ---- schedules ---- */

/* Adds one without a lock: wrong only if another thread comes between. */
static void add_unlocked(void *arg)
{
    struct play *p = arg;

    for (int i = 0; i < 20; i++) {
        int before = p->count;

        os_lock(p->os, p->other); /* any os call will do */
        os_unlock(p->os, p->other);
        p->count = before + 1;
    }
}

static void race(void *arg)
{
    start_two(arg, add_unlocked, add_unlocked);
}

static int race_count(const struct sim_world_opts *opts, uint64_t *ret_schedule)
{
    struct play p;
    struct sim_world *world = open_world(opts, &p);
    struct sim_world_stats stats;

    ck_assert_int_eq(sim_world_run(world, race, &p), SIM_OK);
    sim_world_stats(world, &stats);
    *ret_schedule = stats.schedule;
    sim_world_free(world);
    return p.count;
}

/* The default schedule does not interleave what never waits. Random and PCT ones do, and
 * the same seed does it the same way. */
START_TEST(strategies_explore)
{
    static const enum sim_strategy strategies[] = {SIM_FIFO, SIM_RANDOM, SIM_PCT};

    for (size_t k = 0; k < ARRAY_SIZE(strategies); k++) {
        uint64_t first, again, before = 0;
        int lost = 0, differ = 0;

        for (uint64_t seed = 1; seed <= 100; seed++) {
            const struct sim_world_opts opts = {
                .seed = seed, .strategy = strategies[k], .pct_steps = 200};

            lost += race_count(&opts, &first) != 40;
            race_count(&opts, &again);
            ck_assert_uint_eq(first, again);
            differ += first != before;
            before = first;
        }
        if (strategies[k] == SIM_FIFO) {
            ck_assert_int_eq(lost, 0);
            ck_assert_int_eq(differ, 1);
        } else {
            ck_assert_int_gt(lost, 5);
            ck_assert_int_gt(differ, 30);
        }
    }
}
END_TEST

/* A log of decisions replays a random and a PCT run under the default strategy. */
START_TEST(log_replays_any_strategy)
{
    for (int strategy = SIM_RANDOM; strategy <= SIM_PCT; strategy++) {
        const struct sim_world_opts opts = {.seed = 12,
                                            .strategy = (enum sim_strategy)strategy,
                                            .pct_steps = 100,
                                            .pct_depth = 5,
                                            .log = true};
        const struct sim_world_opts replay = {.seed = 12, .defaults = true};
        struct sim_world_stats recorded, replayed;
        struct play p, q;
        struct sim_world *world = open_world(&opts, &p);
        char *text, why[100];

        ck_assert_int_eq(sim_world_run(world, race, &p), SIM_OK);
        sim_world_stats(world, &recorded);
        text = sim_decisions_text(sim_world_decisions(world));
        ck_assert_uint_gt(strlen(text), 0);
        sim_world_free(world);

        world = open_world(&replay, &q);
        ck_assert_int_eq(
            sim_decisions_load(sim_world_decisions(world), text, why, sizeof(why)), 0);
        ck_assert_int_eq(sim_world_run(world, race, &q), SIM_OK);
        sim_world_stats(world, &replayed);
        ck_assert_uint_eq(replayed.schedule, recorded.schedule);
        ck_assert_int_eq(q.count, p.count);
        sim_world_free(world);
        free(text);
    }
}
END_TEST

/* ---- time ---- */

static void sleep_long(void *arg)
{
    struct play *p = arg;
    uint64_t before = os_monotonic_ns(p->os), real = os_realtime_ns(p->os);

    os_sleep_ns(p->os, 3600 * NSEC_PER_SEC);
    ck_assert_uint_eq(os_monotonic_ns(p->os) - before, 3600 * NSEC_PER_SEC);
    ck_assert_uint_eq(os_realtime_ns(p->os) - real, 3600 * NSEC_PER_SEC);
    p->count++;
}

/* An hour passes at once, and exactly; threads that sleep do so at the same time. */
START_TEST(time_jumps)
{
    const struct sim_world_opts opts = {.seed = 1};
    struct play p;
    struct sim_world *world = open_world(&opts, &p);
    uint64_t before = sim_world_now(world);

    ck_assert_int_eq(sim_world_run(world, sleep_long, &p), SIM_OK);
    ck_assert_uint_eq(sim_world_now(world) - before, 3600 * NSEC_PER_SEC);
    ck_assert_int_eq(p.count, 1);
    sim_world_free(world);
}
END_TEST

static void spin_on_clock(void *arg)
{
    struct play *p = arg;
    uint64_t until = os_monotonic_ns(p->os) + NSEC_PER_MSEC;

    while (os_monotonic_ns(p->os) < until) {
    }
    p->count++;
}

/* A loop that only reads the clock ends. */
START_TEST(busy_loop_moves_time)
{
    const struct sim_world_opts opts = {.seed = 1};
    struct play p;
    struct sim_world *world = open_world(&opts, &p);

    ck_assert_int_eq(sim_world_run(world, spin_on_clock, &p), SIM_OK);
    ck_assert_int_eq(p.count, 1);
    sim_world_free(world);
}
END_TEST

/* ---- verdicts ---- */

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

static void tick(void *arg)
{
    struct play *p = arg;

    for (;;) {
        os_sleep_ns(p->os, NSEC_PER_SEC);
    }
}

static void abba(void *arg)
{
    struct play *p = arg;
    struct os_thread *ticker = start(p, "ticker", tick);

    start_two(p, lock_ab, lock_ba);
    os_thread_join(ticker);
}

static void lock_twice(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    os_lock(p->os, p->lock);
}

static void wait_for_nobody(void *arg)
{
    struct play *p = arg;
    int fds[2];
    struct pollfd poll_fd;

    ck_assert_int_eq(os_pipe(p->os, fds), 0);
    poll_fd = (struct pollfd){.fd = fds[0], .events = POLLIN};
    os_poll(p->os, &poll_fd, 1, -1);
}

static void spin_without_time(void *arg)
{
    struct play *p = arg;

    for (;;) {
        os_lock(p->os, p->lock);
        os_unlock(p->os, p->lock);
    }
}

static void check_verdict(const struct sim_world_opts *opts, void (*fn)(void *arg),
                          enum sim_verdict verdict, const char *const *texts)
{
    struct play p;
    struct sim_world *world = open_world(opts, &p);

    ck_assert_int_eq(sim_world_run(world, fn, &p), verdict);
    for (; *texts != NULL; texts++) {
        ck_assert_msg(strstr(sim_world_report(world), *texts) != NULL, "no \"%s\" in: %s",
                      *texts, sim_world_report(world));
    }
    sim_world_free(world);
}

/* A circle of mutexes is found at once, although another thread still ticks; the report
 * says who waits for what, and who has it. */
START_TEST(deadlock_names_who_waits)
{
    const struct sim_world_opts opts = {.seed = 1};

    check_verdict(&opts, abba, SIM_DEADLOCK,
                  (const char *const[]){"deadlock at 1.001000000 s", "a/one ",
                                        "waits for mutex \"second\" held by a/two",
                                        "a/two ", "waits for mutex \"first\" held by a/one",
                                        "waits for the end of thread \"a/one\"", NULL});
    check_verdict(&opts, lock_twice, SIM_DEADLOCK,
                  (const char *const[]){"main", "mutex \"first\" held by itself", NULL});
    check_verdict(
        &opts, wait_for_nobody, SIM_DEADLOCK,
        (const char *const[]){"main", "waits for poll \"an event\" of fd 3", NULL});
}
END_TEST

/* A loop in which no time passes, one that never rests, and one that never ends. */
START_TEST(endless_loops_are_found)
{
    const struct sim_world_opts zero = {.seed = 1, .instant_max = 10000};
    const struct sim_world_opts busy = {.seed = 1, .call_ns = 10, .busy_max = 10000};
    const struct sim_world_opts limit = {.seed = 1, .time_max_ns = 100 * NSEC_PER_SEC};

    check_verdict(&zero, spin_without_time, SIM_ZERO_TIME,
                  (const char *const[]){"zero-time loop", "main", "runs; last calls:",
                                        "mutex_lock mutex_unlock mutex_lock", NULL});
    check_verdict(&busy, spin_without_time, SIM_LIVELOCK,
                  (const char *const[]){"main", NULL});
    check_verdict(&limit, tick, SIM_TIME_LIMIT,
                  (const char *const[]){"time limit at 102.", NULL});
}
END_TEST

/* ---- a lost wake-up ---- */

/* Looks at the flag before it takes the lock: the signal may come in between. */
static void wait_wrongly(void *arg)
{
    struct play *p = arg;

    if (p->flag == 0) {
        os_lock(p->os, p->lock);
        os_cond_wait(p->os, p->cond, p->lock, -1);
        os_unlock(p->os, p->lock);
    }
}

static void wait_rightly(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    while (p->flag == 0) {
        os_cond_wait(p->os, p->cond, p->lock, -1);
    }
    os_unlock(p->os, p->lock);
}

static void give_news(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    p->flag = 1;
    os_cond_signal(p->os, p->cond);
    os_unlock(p->os, p->lock);
}

static void wrong_story(void *arg)
{
    start_two(arg, wait_wrongly, give_news);
}

static void right_story(void *arg)
{
    start_two(arg, wait_rightly, give_news);
}

static int count_deadlocks(enum sim_strategy strategy, void (*fn)(void *arg))
{
    int found = 0;

    for (uint64_t seed = 1; seed <= 1000; seed++) {
        const struct sim_world_opts opts = {
            .seed = seed, .strategy = strategy, .pct_steps = 20};
        struct play p;
        struct sim_world *world = open_world(&opts, &p);

        found += sim_world_run(world, fn, &p) == SIM_DEADLOCK;
        sim_world_free(world);
    }
    return found;
}

/* Random and PCT schedules find a lost wake-up that the default one never shows; the right
 * program has none. */
START_TEST(lost_wakeup_is_found)
{
    ck_assert_int_eq(count_deadlocks(SIM_FIFO, wrong_story), 0);
    ck_assert_int_gt(count_deadlocks(SIM_RANDOM, wrong_story), 0);
    ck_assert_int_gt(count_deadlocks(SIM_PCT, wrong_story), 0);
    ck_assert_int_eq(count_deadlocks(SIM_RANDOM, right_story), 0);
    ck_assert_int_eq(count_deadlocks(SIM_PCT, right_story), 0);
}
END_TEST

/* ---- speed ---- */

static void ping(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    for (int i = 0; i < 200000; i++) {
        p->count++;
        os_cond_signal(p->os, p->cond);
        os_cond_wait(p->os, p->cond, p->lock, -1);
    }
    p->flag = 1;
    os_cond_signal(p->os, p->cond);
    os_unlock(p->os, p->lock);
}

static void ping_pong(void *arg)
{
    start_two(arg, ping, ping);
}

/* Printed, not judged. */
START_TEST(speed)
{
    struct sim_world_opts opts = {
        .seed = 1, .strategy = (enum sim_strategy)_i, .call_ns = 1};
    struct timespec begin, end;
    struct sim_world_stats stats;
    struct play p;
    struct sim_world *world = open_world(&opts, &p);
    double seconds;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    ck_assert_int_ne(sim_world_run(world, ping_pong, &p), SIM_LIVELOCK);
    clock_gettime(CLOCK_MONOTONIC, &end);
    sim_world_stats(world, &stats);
    sim_world_free(world);
    seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("strategy %d: %.1f M points/s, %.1f M switches/s\n", _i,
           (double)stats.points / seconds / 1e6, (double)stats.switches / seconds / 1e6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim scheduler");
    TCase *tc = tcase_create("scheduler");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, strategies_explore);
    tcase_add_test(tc, log_replays_any_strategy);
    tcase_add_test(tc, time_jumps);
    tcase_add_test(tc, busy_loop_moves_time);
    tcase_add_test(tc, deadlock_names_who_waits);
    tcase_add_test(tc, endless_loops_are_found);
    tcase_add_test(tc, lost_wakeup_is_found);
    tcase_add_loop_test(tc, speed, SIM_FIFO, SIM_PCT + 1);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
