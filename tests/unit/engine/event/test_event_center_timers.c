/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_event_center_timers.c: time events: their order, disarming, what may not starve them
 * and what they may not starve, and how long a pass waits. Each test runs on epoll, poll
 * and select. Nothing here depends on how fast the machine is.
 */
#include <string.h>

#include "tests/lib/testcenter.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

/* Passes that wait, until `n` timers have fired. */
static void run_until_fired(uint64_t n)
{
    while (test_center()->stats.time_events < n) {
        event_center_process(test_center(), -1);
    }
}

/* A timer fires once, not before its time, and is not armed any more when it does. */
START_TEST(timer_fires_once_and_not_early)
{
    uint64_t before;
    struct teller t;

    test_center_open(_i);
    teller_init(&t, 't');
    before = os_monotonic_ns(test_center_os());
    teller_arm(&t, 1200 * NSEC_PER_USEC);
    run_until_fired(1);
    ck_assert_uint_ge(os_monotonic_ns(test_center_os()) - before, 1200 * NSEC_PER_USEC);
    ck_assert(!time_event_is_armed(&t.timer));
    ck_assert_str_eq(test_pass(), "");
    ck_assert_int_eq(t.calls, 1);
}
END_TEST

/* Timers that are due together fire in the order they were armed. */
START_TEST(due_timers_fire_by_id)
{
    struct teller t[20];

    test_center_open(_i);
    for (int i = 0; i < 20; i++) {
        teller_init(&t[i], (char)('a' + i));
        teller_arm(&t[i], 0);
    }
    run_until_fired(20);
    ck_assert_str_eq(test_story(), "abcdefghijklmnopqrst");
}
END_TEST

/* A timer for a time fires then; one whose time has passed, in the next pass. */
START_TEST(a_timer_for_a_time_fires_then)
{
    struct teller t[3];
    uint64_t at[3];

    test_center_open(_i);
    at[1] = os_monotonic_ns(test_center_os());
    at[0] = at[1] + 2 * NSEC_PER_MSEC;
    at[2] = 0;
    for (int i = 0; i < 3; i++) {
        teller_init(&t[i], (char)('a' + i));
        event_center_create_time_event_at(test_center(), &t[i].timer, at[i]);
    }
    run_until_fired(3);
    ck_assert_str_eq(test_story(), "bca");
    ck_assert_uint_ge(os_monotonic_ns(test_center_os()), at[0]);
}
END_TEST

struct ordered {
    uint64_t deadline_ns, id;
    int out_of_order;
};

struct logged_timer {
    struct time_event timer;
    uint64_t deadline_ns;
    struct ordered *last;
    int calls;
};

static void log_timer(void *arg, uint64_t id)
{
    struct logged_timer *t = arg;
    struct ordered *last = t->last;

    last->out_of_order += t->deadline_ns < last->deadline_ns ||
                          (t->deadline_ns == last->deadline_ns && id <= last->id);
    last->deadline_ns = t->deadline_ns;
    last->id = id;
    t->calls++;
}

/* 300 timers with random delays, a third of them disarmed and a third armed anew at random:
 * those left fire once each, by (time, id). */
START_TEST(many_timers_keep_the_order)
{
    static struct logged_timer timers[300];
    struct test_random random = {.state = 5};
    struct ordered last = {0};
    int armed = 0;

    test_center_open(_i);
    for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
        time_event_init(&timers[i].timer, log_timer, &timers[i]);
        timers[i].last = &last;
    }
    for (int step = 0; step < 900; step++) {
        struct logged_timer *t = &timers[testlib_random_below(&random, 300)];

        if (testlib_random_below(&random, 3) == 0) {
            event_center_delete_time_event(test_center(), &t->timer);
            continue;
        }
        ck_assert_int_eq(
            event_center_create_time_event(
                test_center(), &t->timer, testlib_random_below(&random, 2 * NSEC_PER_MSEC)),
            0);
        t->deadline_ns = t->timer.deadline_ns;
    }
    for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
        armed += time_event_is_armed(&timers[i].timer);
        timers[i].calls -= time_event_is_armed(&timers[i].timer);
    }
    ck_assert_int_gt(armed, 100);
    run_until_fired((uint64_t)armed);
    ck_assert_int_eq(last.out_of_order, 0);
    for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
        ck_assert_int_eq(timers[i].calls, 0);
        ck_assert(!time_event_is_armed(&timers[i].timer));
    }
}
END_TEST

/* Disarming twice is harmless, and so is disarming what never was armed (D10). */
START_TEST(disarm_twice)
{
    struct teller t, never;

    test_center_open(_i);
    teller_init(&t, 't');
    teller_init(&never, 'n');
    event_center_delete_time_event(test_center(), &never.timer);
    teller_arm(&t, 0);
    event_center_delete_time_event(test_center(), &t.timer);
    ck_assert(!time_event_is_armed(&t.timer));
    event_center_delete_time_event(test_center(), &t.timer);
    ck_assert_str_eq(test_pass(), "");
    teller_arm(&t, 0);
    ck_assert_str_eq(test_pass(), "t");
    event_center_delete_time_event(test_center(), &t.timer);
}
END_TEST

/* Arming an armed timer moves it: it fires once, at the new time. */
START_TEST(arm_again_moves_it)
{
    struct teller t, mark;

    test_center_open(_i);
    teller_init(&t, 't');
    teller_init(&mark, 'm');
    teller_arm(&t, 0);
    teller_arm(&mark, NSEC_PER_MSEC);
    teller_arm(&t, 2 * NSEC_PER_MSEC);
    run_until_fired(2);
    ck_assert_str_eq(test_story(), "mt");
    teller_arm(&t, 0);
    teller_arm(&t, 3600 * NSEC_PER_SEC);
    ck_assert_str_eq(test_pass(), "");
    teller_arm(&t, 0);
    ck_assert_str_eq(test_pass(), "t");
    ck_assert_int_eq(t.calls, 2);
}
END_TEST

static void rearm_self(struct teller *t)
{
    if (t->times-- > 0) {
        teller_arm(t, 0);
    }
}

static void disarm_both(struct teller *t)
{
    event_center_delete_time_event(test_center(), &t->timer);
    event_center_delete_time_event(test_center(), &t->other->timer);
}

/* A callback may arm its own timer again, with no delay too: it then fires once per pass.
 */
START_TEST(rearm_inside_the_callback)
{
    struct teller t;

    test_center_open(_i);
    teller_init(&t, 't');
    t.also = rearm_self;
    t.times = 3;
    teller_arm(&t, 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_str_eq(test_pass(), "t");
    }
    ck_assert_str_eq(test_pass(), "");
    ck_assert(!time_event_is_armed(&t.timer));
}
END_TEST

/* A callback may disarm a later timer of the same pass, and its own. */
START_TEST(timer_may_disarm_a_later_one)
{
    struct teller a, b, c;

    test_center_open(_i);
    teller_init(&a, 'a');
    teller_init(&b, 'b');
    teller_init(&c, 'c');
    a.also = disarm_both;
    a.other = &b;
    teller_arm(&a, 0);
    teller_arm(&b, 0);
    teller_arm(&c, 0);
    ck_assert_str_eq(test_pass(), "ac");
    ck_assert_str_eq(test_pass(), "");
}
END_TEST

/* ---- starvation ---- */

static void post_self(struct teller *t)
{
    teller_post(t);
}

/* An external event that posts itself for ever does not keep a timer from firing (D2). */
START_TEST(external_events_do_not_starve_timers)
{
    struct teller ext, timer;

    test_center_open(_i);
    teller_init(&ext, 0);
    teller_init(&timer, 't');
    ext.also = post_self;
    teller_post(&ext);
    teller_arm(&timer, NSEC_PER_MSEC);
    run_until_fired(1);
    ck_assert_int_eq(timer.calls, 1);
    ck_assert_int_gt(ext.calls, 0);
    ck_assert(event_center_cancel(test_center(), &ext.ev));
}
END_TEST

static void arm_self(struct teller *t)
{
    teller_arm(t, 0);
}

/* A timer that arms itself for ever, and an fd that is never read, starve nobody either. */
START_TEST(nobody_starves_behind_an_endless_timer)
{
    struct watcher file = {.letter = 0};
    struct teller ext, timer, other;
    int fds[2];

    test_center_open(_i);
    teller_init(&ext, 0);
    teller_init(&timer, 0);
    teller_init(&other, 0);
    timer.also = arm_self;
    ext.also = post_self;
    test_ready_pipe(fds);
    watcher_watch(&file, fds[0], OS_READABLE);
    teller_arm(&timer, 0);
    teller_post(&ext);
    for (int i = 0; i < 100; i++) {
        teller_arm(&other, 0);
        test_put_byte(fds[1]);
        test_pass();
    }
    ck_assert_int_eq(file.calls, 100);
    ck_assert_int_eq(timer.calls, 100);
    ck_assert_int_eq(other.calls, 100);
    ck_assert_int_eq(ext.calls, 100);
    ck_assert(event_center_cancel(test_center(), &ext.ev));
    event_center_delete_time_event(test_center(), &timer.timer);
    watcher_unwatch(&file, OS_READABLE);
    test_close_both(fds);
}
END_TEST

/* ---- how long a pass waits ---- */

/* A timer a fraction of a millisecond away costs one wait, not a busy loop (D3): passes are
 * counted, two per timer are allowed. */
START_TEST(short_timer_does_not_spin)
{
    struct teller t;

    test_center_open(_i);
    teller_init(&t, 0);
    for (uint64_t i = 1; i <= 20; i++) {
        teller_arm(&t, 900 * NSEC_PER_USEC);
        run_until_fired(i);
    }
    ck_assert_uint_le(test_center()->stats.cycles, 40);
    ck_assert_uint_le(test_center()->stats.waits_empty, 20);
}
END_TEST

/* A pass waits no shorter than its time-out when nothing happens, and says that nothing
 * did; with 0 it only looks. */
START_TEST(pass_keeps_its_timeout)
{
    uint64_t before;

    test_center_open(_i);
    ck_assert_int_eq(event_center_process(test_center(), 0), 0);
    ck_assert_uint_eq(test_center()->stats.waits_empty, 0);
    before = os_monotonic_ns(test_center_os());
    ck_assert_int_eq(event_center_process(test_center(), 1500 * 1000), 0);
    ck_assert_uint_ge(os_monotonic_ns(test_center_os()) - before, 1500 * NSEC_PER_USEC);
    ck_assert_uint_eq(test_center()->stats.waits_empty, 1);
    ck_assert_uint_eq(test_center()->stats.cycles, 2);
}
END_TEST

/* A pass does not wait past the first timer, nor at all when an external event is queued.
 */
START_TEST(pass_ends_with_the_first_timer)
{
    struct teller soon, late, ext;

    test_center_open(_i);
    teller_init(&soon, 's');
    teller_init(&late, 'l');
    teller_init(&ext, 'e');
    teller_arm(&late, 3600 * NSEC_PER_SEC);
    teller_arm(&soon, NSEC_PER_MSEC);
    run_until_fired(1); /* an hour would end the test */
    ck_assert_int_eq(soon.calls, 1);
    teller_post(&ext);
    ck_assert_int_eq(event_center_process(test_center(), -1), 1);
    ck_assert_int_eq(ext.calls, 1);
    event_center_delete_time_event(test_center(), &late.timer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event_center_timers");
    TCase *tc = tcase_create("time events");

    tcase_add_checked_fixture(tc, test_center_setup, test_center_teardown);
    tcase_add_loop_test(tc, timer_fires_once_and_not_early, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, due_timers_fire_by_id, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, a_timer_for_a_time_fires_then, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, many_timers_keep_the_order, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, disarm_twice, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, arm_again_moves_it, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, rearm_inside_the_callback, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, timer_may_disarm_a_later_one, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, external_events_do_not_starve_timers, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, nobody_starves_behind_an_endless_timer, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, short_timer_does_not_spin, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, pass_keeps_its_timeout, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, pass_ends_with_the_first_timer, 0, DRIVER_COUNT);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
