/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_event_center.c: one thread, one center: the order of a pass, external events, and
 * the calls that are programmer errors. File events, timers and threads have files of their
 * own. Each test runs on epoll, poll and select.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/lib/testcenter.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

/* ---- the order of a pass ---- */

/* One pass runs file events, then time events, then external events, in whatever order they
 * were made; it returns how many callbacks ran. */
START_TEST(pass_runs_file_time_external)
{
    struct watcher file = {.letter = 'f'};
    struct teller ext, timer;
    int fds[2];

    test_center_open(_i);
    teller_init(&ext, 'e');
    teller_init(&timer, 't');
    ck_assert(teller_post(&ext));
    teller_arm(&timer, 0);
    test_ready_pipe(fds);
    watcher_watch(&file, fds[0], OS_READABLE);
    ck_assert_str_eq(test_story(), ""); /* nothing runs inside these calls */
    ck_assert_int_eq(event_center_process(test_center(), 0), 3);
    ck_assert_str_eq(test_story(), "fte");
    ck_assert_uint_eq(test_center()->stats.cycles, 1);
    ck_assert_uint_eq(test_center()->stats.file_events, 1);
    ck_assert_uint_eq(test_center()->stats.time_events, 1);
    ck_assert_uint_eq(test_center()->stats.external_events, 1);
    watcher_unwatch(&file, OS_READABLE);
    ck_assert_str_eq(test_pass(), "");
    test_close_both(fds);
}
END_TEST

static void post_other(struct teller *t)
{
    if (t->times-- > 0) {
        ck_assert(teller_post(t->other));
    }
}

/* An external event posted by an external callback, itself included, runs in the next pass.
 */
START_TEST(external_posted_by_external_waits_a_pass)
{
    struct teller a, b, c;

    test_center_open(_i);
    teller_init(&a, 'a');
    teller_init(&b, 'b');
    teller_init(&c, 'c');
    a.also = b.also = post_other;
    a.other = &c;
    b.other = &b; /* itself */
    a.times = 1;
    b.times = 2;
    teller_post(&a);
    teller_post(&b);
    ck_assert_str_eq(test_pass(), "ab");
    ck_assert_str_eq(test_pass(), "cb");
    ck_assert_str_eq(test_pass(), "b");
    ck_assert_str_eq(test_pass(), "");
}
END_TEST

static void post_from_file(struct watcher *w)
{
    event_center_post(test_center(), w->post);
}

/* External events posted by the file and time callbacks of a pass still belong to it. */
START_TEST(external_posted_by_others_runs_in_the_same_pass)
{
    struct watcher file = {.letter = 'f', .also = post_from_file};
    struct teller a, b, timer;
    int fds[2];

    test_center_open(_i);
    teller_init(&a, 'a');
    teller_init(&b, 'b');
    teller_init(&timer, 't');
    timer.also = post_other;
    timer.other = &b;
    timer.times = 1;
    file.post = &a.ev;
    test_ready_pipe(fds);
    watcher_watch(&file, fds[0], OS_READABLE);
    teller_arm(&timer, 0);
    ck_assert_str_eq(test_pass(), "ftab");
    watcher_unwatch(&file, OS_READABLE);
    test_close_both(fds);
}
END_TEST

/* External events run in the order of their posts. */
START_TEST(externals_keep_their_order)
{
    struct teller t[10];

    test_center_open(_i);
    for (int i = 0; i < 10; i++) {
        teller_init(&t[i], (char)('0' + i));
    }
    for (int i = 0; i < 10; i++) {
        ck_assert(event_center_post(test_center(), &t[(i * 7) % 10].ev));
    }
    ck_assert_str_eq(test_pass(), "0741852963");
}
END_TEST

static void cancel_other(struct teller *t)
{
    ck_assert(event_center_cancel(test_center(), &t->other->ev));
    ck_assert(!event_center_cancel(test_center(), &t->other->ev));
}

/* An external callback may cancel a later one of the same pass; what was cancelled can be
 * posted again. */
START_TEST(external_may_cancel_a_later_one)
{
    struct teller a, b, c;

    test_center_open(_i);
    teller_init(&a, 'a');
    teller_init(&b, 'b');
    teller_init(&c, 'c');
    a.also = cancel_other;
    a.other = &b;
    teller_post(&a);
    teller_post(&b);
    teller_post(&c);
    ck_assert_str_eq(test_pass(), "ac");
    ck_assert(teller_post(&b));
    ck_assert(event_center_cancel(test_center(), &b.ev));
    ck_assert_str_eq(test_pass(), "");
    ck_assert(teller_post(&b));
    ck_assert_str_eq(test_pass(), "b");
}
END_TEST

static void post_then_cancel(struct teller *t)
{
    ck_assert(teller_post(t->other));
    ck_assert(event_center_cancel(test_center(), &t->other->ev));
}

/* Cancelling what was posted during the pass leaves the count of the queue right: the next
 * pass neither spins nor misses the others. */
START_TEST(cancel_keeps_the_count)
{
    struct teller a, b, c;

    test_center_open(_i);
    teller_init(&a, 'a');
    teller_init(&b, 'b');
    teller_init(&c, 'c');
    a.also = post_then_cancel;
    a.other = &c;
    teller_post(&a);
    teller_post(&b);
    ck_assert_str_eq(test_pass(), "ab");
    ck_assert_uint_eq(atomic_load(&test_center()->external_n), 0);
    teller_post(&b);
    ck_assert_str_eq(test_pass(), "b");
}
END_TEST

struct heap_event {
    struct external_event ev;
};

static void free_event(void *arg)
{
    test_tell('x');
    free(arg);
}

/* An external callback may free its own event. */
START_TEST(external_may_free_itself)
{
    struct heap_event *e = malloc(sizeof(*e));

    test_center_open(_i);
    ck_assert_ptr_nonnull(e);
    external_event_init(&e->ev, "heap", free_event, e);
    event_center_post(test_center(), &e->ev);
    ck_assert_str_eq(test_pass(), "x");
}
END_TEST

/* ---- programmer errors ---- */

static void abuse(void *arg)
{
    struct watcher file = {.letter = 'f'};
    struct teller t;
    int fds[2];

    teller_init(&t, 't');
    test_pipe(fds);
    switch (*(const int *)arg) {
    case 0:
        watcher_watch(&file, fds[0], OS_READABLE);
        break;
    case 1:
        event_center_delete_file_event(test_center(), fds[0], OS_READABLE);
        break;
    case 2:
        teller_arm(&t, 1000);
        break;
    case 3:
        event_center_delete_time_event(test_center(), &t.timer);
        break;
    case 4:
        event_center_cancel(test_center(), &t.ev);
        break;
    default:
        event_center_process(test_center(), 0);
        break;
    }
}

/* File events, time events, cancelling and the loop are for the owner: another thread that
 * uses them is stopped. */
START_TEST(other_threads_are_stopped)
{
    struct os_thread *thread;
    int which = _i;

    test_center_open(DRIVER_EPOLL);
    ck_assert_int_eq(os_thread_start(test_center_os(), "other", abuse, &which, &thread), 0);
    os_thread_join(thread);
}
END_TEST

/* A center does not end with a timer armed. */
START_TEST(fini_with_a_timer_is_stopped)
{
    struct teller t;

    test_center_open(DRIVER_EPOLL);
    teller_init(&t, 't');
    teller_arm(&t, NSEC_PER_SEC);
    event_center_fini(test_center());
}
END_TEST

/* A center does not end with an external event queued. */
START_TEST(fini_with_an_event_is_stopped)
{
    struct teller t;

    test_center_open(DRIVER_EPOLL);
    teller_init(&t, 't');
    teller_post(&t);
    event_center_fini(test_center());
}
END_TEST

/* Ending a center that never began is fine, and so is a driver that cannot be made. */
START_TEST(fini_of_nothing_is_fine)
{
    struct event_center none;
    struct rlimit limit;

    memset(&none, 0, sizeof(none));
    event_center_fini(&none);
    event_center_fini(&none);
    if (!test_os_is_kernel(test_center_os())) {
        return;
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (rlim_t room = 0; room < 3; room++) {
        int lowest = os_socket(test_center_os(), AF_INET), err;

        os_close(test_center_os(), lowest);
        limit.rlim_cur = (rlim_t)lowest + room;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        err = event_center_init(&none, test_center_os(), 0, DRIVER_EPOLL);
        limit.rlim_cur = limit.rlim_max;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_int_eq(err, -EMFILE);
        event_center_fini(&none);
    }
}
END_TEST

static TCase *order_cases(void)
{
    TCase *tc = tcase_create("order");

    tcase_add_checked_fixture(tc, test_center_setup, test_center_teardown);
    tcase_add_loop_test(tc, pass_runs_file_time_external, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, external_posted_by_external_waits_a_pass, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, external_posted_by_others_runs_in_the_same_pass, 0,
                        DRIVER_COUNT);
    tcase_add_loop_test(tc, externals_keep_their_order, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, external_may_cancel_a_later_one, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, cancel_keeps_the_count, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, external_may_free_itself, 0, DRIVER_COUNT);
    return tc;
}

static TCase *error_cases(void)
{
    TCase *tc = tcase_create("programmer errors");

    tcase_add_checked_fixture(tc, test_center_setup, test_center_teardown);
    tcase_add_loop_test_raise_signal(tc, other_threads_are_stopped, SIGABRT, 0, 6);
    tcase_add_test_raise_signal(tc, fini_with_a_timer_is_stopped, SIGABRT);
    tcase_add_test_raise_signal(tc, fini_with_an_event_is_stopped, SIGABRT);
    tcase_add_test(tc, fini_of_nothing_is_fine);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("event_center");

    suite_add_tcase(suite, order_cases());
    suite_add_tcase(suite, error_cases());
    return testlib_run(suite);
}
