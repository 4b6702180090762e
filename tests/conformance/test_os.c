/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_os.c: the contract of os.h, slot by slot: clock, randomness, threads, mutexes,
 * conditions, pipes. Pollers and sockets have files of their own.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static struct os *os;
static int fds_before;

static void setup(void)
{
    fds_before = testlib_open_fds();
    os = test_os_new();
}

static void teardown(void)
{
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

/* ---- clock and randomness ---- */

/* The monotonic clock never goes back. */
START_TEST(monotonic_clock_never_goes_back)
{
    uint64_t last = os_monotonic_ns(os);

    for (int i = 0; i < 10000; i++) {
        uint64_t now = os_monotonic_ns(os);

        ck_assert_uint_ge(now, last);
        last = now;
    }
}
END_TEST

/* The wall clock counts from 1970: it is past 2020 and before 2200. */
START_TEST(realtime_counts_from_1970)
{
    uint64_t years = os_realtime_ns(os) / NSEC_PER_SEC / (365 * 86400) + 1970;

    ck_assert_uint_ge(years, 2020);
    ck_assert_uint_le(years, 2200);
}
END_TEST

/* All 64 bits are random: no number comes twice, no bit stays the same. */
START_TEST(random_fills_64_bits)
{
    uint64_t drawn[256], ones = 0, zeros = 0;

    for (size_t i = 0; i < ARRAY_SIZE(drawn); i++) {
        drawn[i] = os_random64(os);
        ones |= drawn[i];
        zeros |= ~drawn[i];
        for (size_t k = 0; k < i; k++) {
            ck_assert_uint_ne(drawn[i], drawn[k]);
        }
    }
    ck_assert_uint_eq(ones, UINT64_MAX);
    ck_assert_uint_eq(zeros, UINT64_MAX);
}
END_TEST

/* A sleep is never shorter than asked. */
START_TEST(sleep_is_never_shorter)
{
    uint64_t before = os_monotonic_ns(os);

    os_sleep_ns(os, 1500 * NSEC_PER_USEC);
    ck_assert_uint_ge(os_monotonic_ns(os) - before, 1500 * NSEC_PER_USEC);
}
END_TEST

/* ---- threads ---- */

struct seen {
    struct os *os; /* whom to ask */
    struct os_thread *self;
    char name[16];
    int ran;
};

static void look_around(void *arg)
{
    struct seen *seen = arg;

    seen->self = os_thread_self(seen->os);
    memcpy(seen->name, seen->self->name, sizeof(seen->name));
    seen->ran++;
}

/* A thread runs its function once; inside, thread_self is the handle; the name is a copy.
 */
START_TEST(thread_knows_itself)
{
    struct seen seen = {.os = os};
    struct os_thread *thread;
    char name[] = "msgr-worker-7";

    ck_assert_int_eq(os_thread_start(os, name, look_around, &seen, &thread), 0);
    memset(name, 'x', sizeof(name) - 1);
    ck_assert_str_eq(thread->name, "msgr-worker-7");
    ck_assert_ptr_eq(thread->os, os);
    ck_assert_ptr_null(thread->ring);
    struct os_thread *handle = thread;
    os_thread_join(thread);
    ck_assert_int_eq(seen.ran, 1);
    ck_assert_ptr_eq(seen.self, handle);
    ck_assert_str_eq(seen.name, "msgr-worker-7");
}
END_TEST

/* A longer name is cut to 15 bytes. */
START_TEST(thread_name_is_cut)
{
    struct seen seen = {.os = os};
    struct os_thread *thread;

    ck_assert_int_eq(
        os_thread_start(os, "a-name-of-more-than-15", look_around, &seen, &thread), 0);
    os_thread_join(thread);
    ck_assert_str_eq(seen.name, "a-name-of-more-");
}
END_TEST

/* A thread the os did not start is adopted once, as "app-N", and keeps its handle. */
START_TEST(foreign_thread_is_adopted_once)
{
    struct os_thread *self = os_thread_self(os);

    ck_assert_ptr_nonnull(self);
    ck_assert_ptr_eq(self->os, os);
    ck_assert_int_eq(strncmp(self->name, "app-", 4), 0);
    ck_assert_ptr_eq(os_thread_self(os), self);
}
END_TEST

/* A thread of one os that calls another os is adopted there, with a handle that outlives
 * it, and keeps its own handle at home. */
START_TEST(thread_has_a_handle_per_os)
{
    struct os *other = test_os_new();
    struct seen abroad = {.os = other};
    struct os_thread *thread;

    ck_assert_int_eq(os_thread_start(os, "home", look_around, &abroad, &thread), 0);
    ck_assert_str_eq(thread->name, "home");
    os_thread_join(thread);
    ck_assert_ptr_eq(abroad.self->os, other);
    ck_assert_int_eq(strncmp(abroad.self->name, "app-", 4), 0);
    ck_assert_str_eq(abroad.self->name, abroad.name);
    ck_assert_ptr_ne(abroad.self, os_thread_self(other));
    test_os_free(other);
}
END_TEST

/* ---- locks ---- */

struct counting {
    struct os_mutex *lock;
    struct os_cond *cond;
    uint64_t count; /* under lock */
    int turn;       /* under lock */
    int waiting, woken;
};

static void counting_init(struct counting *c)
{
    *c = (struct counting){.lock = os_mutex_new(os, "test"),
                           .cond = os_cond_new(os, "test")};
    ck_assert_ptr_nonnull(c->lock);
    ck_assert_ptr_nonnull(c->cond);
}

static void counting_fini(struct counting *c)
{
    os_cond_free(os, c->cond);
    os_mutex_free(os, c->lock);
}

static void count_up(void *arg)
{
    struct counting *c = arg;

    for (int i = 0; i < 5000; i++) {
        os_lock(os, c->lock);
        c->count++;
        os_unlock(os, c->lock);
    }
}

/* A mutex excludes: four threads lose no increment. */
START_TEST(mutex_excludes)
{
    struct os_thread *threads[4];
    struct counting c;

    counting_init(&c);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        ck_assert_int_eq(os_thread_start(os, "count", count_up, &c, &threads[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        os_thread_join(threads[i]);
    }
    ck_assert_uint_eq(c.count, 20000);
    counting_fini(&c);
}
END_TEST

static void take_turns(struct counting *c, int me)
{
    os_lock(os, c->lock);
    for (int i = 0; i < 1000; i++) {
        while (c->turn != me) {
            ck_assert_int_eq(os_cond_wait(os, c->cond, c->lock, -1), 0);
        }
        c->count++;
        c->turn = !me;
        os_cond_signal(os, c->cond);
    }
    os_unlock(os, c->lock);
}

static void take_turns_thread(void *arg)
{
    take_turns(arg, 1);
}

/* A signal is not lost: two threads hand a turn to each other 1,000 times. */
START_TEST(condition_hands_over)
{
    struct os_thread *thread;
    struct counting c;

    counting_init(&c);
    ck_assert_int_eq(os_thread_start(os, "turns", take_turns_thread, &c, &thread), 0);
    take_turns(&c, 0);
    os_thread_join(thread);
    ck_assert_uint_eq(c.count, 2000);
    counting_fini(&c);
}
END_TEST

static void wait_for_turn(void *arg)
{
    struct counting *c = arg;

    os_lock(os, c->lock);
    c->waiting++;
    os_cond_broadcast(os, c->cond); /* the main thread is not the only one who waits */
    while (c->turn == 0) {
        os_cond_wait(os, c->cond, c->lock, -1);
    }
    c->woken++;
    os_unlock(os, c->lock);
}

/* A broadcast wakes everyone who waits. */
START_TEST(broadcast_wakes_all)
{
    struct os_thread *threads[3];
    struct counting c;

    counting_init(&c);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        ck_assert_int_eq(os_thread_start(os, "wait", wait_for_turn, &c, &threads[i]), 0);
        os_lock(os, c.lock);
        while (c.waiting <= (int)i) {
            os_cond_wait(os, c.cond, c.lock, -1);
        }
        os_unlock(os, c.lock);
    }
    os_lock(os, c.lock);
    c.turn = 1;
    os_cond_broadcast(os, c.cond);
    os_unlock(os, c.lock);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        os_thread_join(threads[i]);
    }
    ck_assert_int_eq(c.woken, 3);
    counting_fini(&c);
}
END_TEST

/* A timed wait that nobody signals says -ETIMEDOUT, not before its time, and holds the
 * mutex again. */
START_TEST(condition_times_out)
{
    struct counting c;
    struct os_thread *thread;
    uint64_t before;
    int err;

    counting_init(&c);
    os_lock(os, c.lock);
    do { /* spurious returns are legal */
        before = os_monotonic_ns(os);
        err = os_cond_wait(os, c.cond, c.lock, 2 * NSEC_PER_MSEC);
    } while (err == 0);
    ck_assert_int_eq(err, -ETIMEDOUT);
    ck_assert_uint_ge(os_monotonic_ns(os) - before, 2 * NSEC_PER_MSEC);
    while ((err = os_cond_wait(os, c.cond, c.lock, 0)) == 0) {
    }
    ck_assert_int_eq(err, -ETIMEDOUT);
    c.count = 0;
    ck_assert_int_eq(os_thread_start(os, "count", count_up, &c, &thread), 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(c.count, 0); /* held: the thread cannot get in */
    }
    os_unlock(os, c.lock);
    os_thread_join(thread);
    ck_assert_uint_eq(c.count, 5000);
    counting_fini(&c);
}
END_TEST

/* Freeing no mutex and no condition is fine. */
START_TEST(freeing_null_is_fine)
{
    os_mutex_free(os, NULL);
    os_cond_free(os, NULL);
}
END_TEST

/* ---- pipes ---- */

/* Bytes come out as they went in; an empty pipe says -EAGAIN, one without a writer 0. */
START_TEST(pipe_passes_bytes_and_end_of_file)
{
    int fds[2];
    char buf[8];

    ck_assert_int_eq(os_pipe(os, fds), 0);
    ck_assert_int_eq(os_read(os, fds[0], buf, sizeof(buf)), -EAGAIN);
    ck_assert_int_eq(os_write(os, fds[1], "hello", 5), 5);
    ck_assert_int_eq(os_read(os, fds[0], buf, 2), 2);
    ck_assert_int_eq(os_read(os, fds[0], buf + 2, 6), 3);
    ck_assert_int_eq(memcmp(buf, "hello", 5), 0);
    ck_assert_int_eq(os_write(os, fds[1], "!", 1), 1);
    os_close(os, fds[1]);
    ck_assert_int_eq(os_read(os, fds[0], buf, sizeof(buf)), 1);
    ck_assert_int_eq(os_read(os, fds[0], buf, sizeof(buf)), 0);
    os_close(os, fds[0]);
}
END_TEST

/* A full pipe says -EAGAIN and never blocks; reading makes room again. */
START_TEST(full_pipe_says_eagain)
{
    char block[4096] = {0};
    size_t written = 0, taken = 0;
    ssize_t n;
    int fds[2];

    ck_assert_int_eq(os_pipe(os, fds), 0);
    while ((n = os_write(os, fds[1], block, sizeof(block))) > 0) {
        written += (size_t)n;
    }
    ck_assert_int_eq(n, -EAGAIN);
    ck_assert_uint_ge(written, sizeof(block));
    while ((n = os_read(os, fds[0], block, sizeof(block))) > 0) {
        taken += (size_t)n;
    }
    ck_assert_int_eq(n, -EAGAIN);
    ck_assert_uint_eq(taken, written);
    ck_assert_int_eq(os_write(os, fds[1], "x", 1), 1);
    os_close(os, fds[0]);
    os_close(os, fds[1]);
}
END_TEST

static int readiness(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLOUT};

    ck_assert_int_ge(os_poll(os, &pfd, 1, 0), 0);
    return pfd.revents;
}

/* One end of a pair is readable and writable independently, as the other one wants it. */
START_TEST(pair_is_readable_and_writable_independently)
{
    char block[1024] = {0};
    int fds[2];

    ck_assert_int_eq(os_pair(os, fds), 0);
    ck_assert_int_eq(readiness(fds[0]), POLLOUT);
    ck_assert_int_eq(os_read(os, fds[0], block, 1), -EAGAIN);
    ck_assert_int_eq(os_write(os, fds[1], "x", 1), 1);
    ck_assert_int_eq(readiness(fds[0]), POLLIN | POLLOUT);
    while (os_write(os, fds[0], block, sizeof(block)) > 0) {
    }
    ck_assert_int_eq(os_write(os, fds[0], block, 1), -EAGAIN);
    ck_assert_int_eq(readiness(fds[0]), POLLIN);
    ck_assert_int_eq(os_read(os, fds[0], block, sizeof(block)), 1);
    ck_assert_int_eq(readiness(fds[0]), 0);
    while (os_read(os, fds[1], block, sizeof(block)) > 0) {
    }
    ck_assert_int_eq(readiness(fds[0]), POLLOUT);
    os_close(os, fds[1]);
    ck_assert_int_eq(os_read(os, fds[0], block, 1), 0);
    os_close(os, fds[0]);
}
END_TEST

/* The number of a closed descriptor is the next one given: numbers are reused at once, the
 * lowest first. */
START_TEST(lowest_number_is_reused)
{
    int first[2], second[2];

    ck_assert_int_eq(os_pipe(os, first), 0);
    os_close(os, first[0]);
    os_close(os, first[1]);
    ck_assert_int_eq(os_pipe(os, second), 0);
    ck_assert_int_eq(MIN(second[0], second[1]), MIN(first[0], first[1]));
    os_close(os, MAX(second[0], second[1]));
    first[0] = os_socket(os, AF_INET);
    ck_assert_int_eq(first[0], MAX(second[0], second[1]));
    os_close(os, MIN(second[0], second[1]));
    first[1] = os_epoll_create(os);
    ck_assert_int_eq(first[1], MIN(second[0], second[1]));
    os_close(os, first[0]);
    os_close(os, first[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("os");
    TCase *tc = tcase_create("clock, threads, locks, pipes");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, monotonic_clock_never_goes_back);
    tcase_add_test(tc, realtime_counts_from_1970);
    tcase_add_test(tc, random_fills_64_bits);
    tcase_add_test(tc, sleep_is_never_shorter);
    tcase_add_test(tc, thread_knows_itself);
    tcase_add_test(tc, thread_name_is_cut);
    tcase_add_test(tc, foreign_thread_is_adopted_once);
    tcase_add_test(tc, thread_has_a_handle_per_os);
    tcase_add_test(tc, mutex_excludes);
    tcase_add_test(tc, condition_hands_over);
    tcase_add_test(tc, broadcast_wakes_all);
    tcase_add_test(tc, condition_times_out);
    tcase_add_test(tc, freeing_null_is_fine);
    tcase_add_test(tc, pipe_passes_bytes_and_end_of_file);
    tcase_add_test(tc, full_pipe_says_eagain);
    tcase_add_test(tc, pair_is_readable_and_writable_independently);
    tcase_add_test(tc, lowest_number_is_reused);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
