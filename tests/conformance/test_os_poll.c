/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_os_poll.c: the pollers of os.h: epoll with edges and levels, poll, select; cookies,
 * masks, hang-ups, time-outs that are never cut short.
 */
#include <errno.h>
#include <fcntl.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static struct os *os;
static int fds_before;
static int pair[2]; /* a connected stream */
static int epfd;

static void setup(void)
{
    fds_before = testlib_open_fds();
    os = test_os_new();
    test_socket_pair(os, pair);
    epfd = os_epoll_create(os);
    ck_assert_int_ge(epfd, 0);
}

static void teardown(void)
{
    os_close(os, epfd);
    os_close(os, pair[0]);
    os_close(os, pair[1]);
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

/* What epoll says now about the one watched fd: its mask, 0 for nothing. */
static int epoll_mask(uint64_t cookie)
{
    struct os_epoll_event ev;
    int got = os_epoll_wait(os, epfd, &ev, 1, 0);

    ck_assert_int_ge(got, 0);
    if (got == 0) {
        return 0;
    }
    ck_assert_uint_eq(ev.cookie, cookie);
    return ev.mask;
}

/* ---- epoll ---- */

/* Level: readable is reported as long as there is something to read. */
START_TEST(epoll_level_repeats)
{
    char c;

    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_READABLE, 7), 0);
    ck_assert_int_eq(epoll_mask(7), 0);
    test_send_all(os, pair[0], "ab", 2);
    test_wait_fd(os, pair[1], POLLIN);
    ck_assert_int_eq(epoll_mask(7), OS_READABLE);
    test_recv_all(os, pair[1], &c, 1);
    ck_assert_int_eq(epoll_mask(7), OS_READABLE);
    test_recv_all(os, pair[1], &c, 1);
    ck_assert_int_eq(epoll_mask(7), 0);
}
END_TEST

/* Edge: each arrival is reported once, whether the data is read or not. */
START_TEST(epoll_edge_reports_changes)
{
    const int mask = OS_READABLE | OS_EDGE;
    struct os_epoll_event ev;
    char buf[4];

    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], mask, 7), 0);
    for (int i = 0; i < 3; i++) {
        test_send_all(os, pair[0], "a", 1);
        ck_assert_int_eq(os_epoll_wait(os, epfd, &ev, 1, -1), 1);
        ck_assert_int_eq(ev.mask, OS_READABLE);
        ck_assert_int_eq(epoll_mask(7), 0);
    }
    test_recv_all(os, pair[1], buf, 3);
    ck_assert_int_eq(epoll_mask(7), 0);
    test_send_all(os, pair[0], "b", 1);
    test_wait_fd(os, pair[1], POLLIN);
    ck_assert_int_eq(epoll_mask(7), OS_READABLE);
}
END_TEST

/* Edge: MOD looks anew, so what was ready before it is reported again. */
START_TEST(epoll_edge_mod_looks_anew)
{
    ck_assert_int_eq(
        os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_WRITABLE | OS_EDGE, 1), 0);
    ck_assert_int_eq(epoll_mask(1), OS_WRITABLE);
    ck_assert_int_eq(epoll_mask(1), 0);
    ck_assert_int_eq(
        os_epoll_ctl(os, epfd, OS_EPOLL_MOD, pair[1], OS_WRITABLE | OS_EDGE, 2), 0);
    ck_assert_int_eq(epoll_mask(2), OS_WRITABLE);
    ck_assert_int_eq(epoll_mask(2), 0);
}
END_TEST

/* MOD changes mask and cookie, all 64 bits of it; DEL forgets. */
START_TEST(epoll_mod_and_del)
{
    const uint64_t cookie = 0xfedcba9876543210;

    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_READABLE, 1), 0);
    ck_assert_int_eq(epoll_mask(1), 0);
    ck_assert_int_eq(
        os_epoll_ctl(os, epfd, OS_EPOLL_MOD, pair[1], OS_READABLE | OS_WRITABLE, cookie),
        0);
    ck_assert_int_eq(epoll_mask(cookie), OS_WRITABLE);
    test_send_all(os, pair[0], "a", 1);
    test_wait_fd(os, pair[1], POLLIN);
    ck_assert_int_eq(epoll_mask(cookie), OS_READABLE | OS_WRITABLE);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_DEL, pair[1], 0, 0), 0);
    ck_assert_int_eq(epoll_mask(0), 0);
}
END_TEST

/* ADD twice is -EEXIST; MOD and DEL of the unknown are -ENOENT. */
START_TEST(epoll_ctl_errors)
{
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_MOD, pair[1], OS_READABLE, 1),
                     -ENOENT);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_DEL, pair[1], 0, 0), -ENOENT);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_READABLE, 1), 0);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_READABLE, 1),
                     -EEXIST);
}
END_TEST

/* Closing forgets: the next life of the number is a stranger to epoll. */
START_TEST(epoll_forgets_a_closed_fd)
{
    int fds[2], again[2];

    ck_assert_int_eq(os_pipe(os, fds), 0);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, fds[0], OS_READABLE, 1), 0);
    ck_assert_int_eq(os_write(os, fds[1], "x", 1), 1);
    os_close(os, fds[0]);
    os_close(os, fds[1]);
    ck_assert_int_eq(epoll_mask(1), 0);
    ck_assert_int_eq(os_pipe(os, again), 0);
    ck_assert_int_eq(again[0], fds[0]);
    ck_assert_int_eq(os_write(os, again[1], "x", 1), 1);
    ck_assert_int_eq(epoll_mask(1), 0);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, again[0], OS_READABLE, 2), 0);
    ck_assert_int_eq(epoll_mask(2), OS_READABLE);
    os_close(os, again[0]);
    os_close(os, again[1]);
}
END_TEST

/* A hang-up or an error sets both bits, whatever was asked for. */
START_TEST(epoll_hang_up_sets_both)
{
    int fds[2];

    ck_assert_int_eq(os_pipe(os, fds), 0);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, fds[0], OS_READABLE, 3), 0);
    os_close(os, fds[1]);
    ck_assert_int_eq(epoll_mask(3), OS_READABLE | OS_WRITABLE);
    os_close(os, fds[0]);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_READABLE, 4), 0);
    ck_assert_int_eq(os_set_option(os, pair[0], OS_SO_LINGER0, 1), 0);
    os_close(os, pair[0]);
    test_wait_fd(os, pair[1], POLLIN);
    ck_assert_int_eq(epoll_mask(4), OS_READABLE | OS_WRITABLE);
    pair[0] = os_socket(os, AF_INET); /* for teardown */
}
END_TEST

/* No more than n events come at once, and those left over come later. */
START_TEST(epoll_fills_at_most_n)
{
    struct os_epoll_event first, rest[4];
    int mask = OS_WRITABLE | OS_EDGE;

    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[0], mask, 10), 0);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], mask, 11), 0);
    ck_assert_int_eq(os_epoll_wait(os, epfd, &first, 1, 0), 1);
    ck_assert_int_eq(os_epoll_wait(os, epfd, rest, 4, 0), 1);
    ck_assert_uint_eq(first.cookie + rest[0].cookie, 21);
    ck_assert_int_eq(os_epoll_wait(os, epfd, rest, 4, 0), 0);
}
END_TEST

/* ---- poll and select ---- */

/* poll reports exactly what was asked for and is there, and hang-ups unasked. */
START_TEST(poll_reports_levels)
{
    struct pollfd p[3] = {{.fd = pair[0], .events = POLLIN},
                          {.fd = pair[1], .events = POLLIN | POLLOUT},
                          {.fd = -1, .events = POLLIN}};

    ck_assert_int_eq(os_poll(os, p, 3, 0), 1);
    ck_assert_int_eq(p[0].revents, 0);
    ck_assert_int_eq(p[1].revents, POLLOUT);
    ck_assert_int_eq(p[2].revents, 0);
    test_send_all(os, pair[1], "a", 1);
    test_wait_fd(os, pair[0], POLLIN);
    ck_assert_int_eq(os_poll(os, p, 3, 0), 2);
    ck_assert_int_eq(p[0].revents, POLLIN);
    ck_assert_int_eq(os_poll(os, p, 1, -1), 1); /* levels repeat */
    ck_assert_int_eq(p[0].revents, POLLIN);
    ck_assert_int_eq(os_shutdown(os, pair[0], SHUT_RDWR), 0);
    p[0].events = 0;
    ck_assert_int_eq(os_poll(os, p, 1, -1), 1);
    ck_assert(p[0].revents & POLLHUP);
}
END_TEST

/* poll says POLLNVAL for a number that is not open, and goes on. */
START_TEST(poll_says_nval_for_a_closed_fd)
{
    struct pollfd p[2] = {{.events = POLLIN}, {.fd = pair[0], .events = POLLOUT}};

    p[0].fd = os_socket(os, AF_INET);
    os_close(os, p[0].fd);
    ck_assert_int_eq(os_poll(os, p, 2, -1), 2);
    ck_assert_int_eq(p[0].revents, POLLNVAL);
    ck_assert_int_eq(p[1].revents, POLLOUT);
}
END_TEST

/* select leaves in the sets exactly what is ready. */
START_TEST(select_reports_levels)
{
    int nfds = MAX(pair[0], pair[1]) + 1;
    fd_set readable, writable;

    test_send_all(os, pair[1], "a", 1);
    test_wait_fd(os, pair[0], POLLIN);
    for (int i = 0; i < 2; i++) {
        FD_ZERO(&readable);
        FD_ZERO(&writable);
        FD_SET(pair[0], &readable);
        FD_SET(pair[1], &readable);
        FD_SET(pair[1], &writable);
        ck_assert_int_eq(os_select(os, nfds, &readable, &writable, -1), 2);
        ck_assert(FD_ISSET(pair[0], &readable));
        ck_assert(!FD_ISSET(pair[1], &readable));
        ck_assert(!FD_ISSET(pair[0], &writable));
        ck_assert(FD_ISSET(pair[1], &writable));
    }
    FD_CLR(pair[0], &readable);
    FD_ZERO(&writable);
    FD_SET(pair[1], &readable);
    ck_assert_int_eq(os_select(os, nfds, &readable, &writable, 0), 0);
    ck_assert(!FD_ISSET(pair[1], &readable));
}
END_TEST

/* ---- time-outs ---- */

/* Each poller in turn, on a stream where nothing happens. */
static int wait_in(int poller, int64_t timeout_ns)
{
    struct os_epoll_event ev;
    struct pollfd p = {.fd = pair[1], .events = POLLIN};
    fd_set readable, writable;

    if (poller == 0) {
        return os_epoll_wait(os, epfd, &ev, 1, timeout_ns);
    }
    if (poller == 1) {
        return os_poll(os, &p, 1, timeout_ns);
    }
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(pair[1], &readable);
    return os_select(os, pair[1] + 1, &readable, &writable, timeout_ns);
}

/* A positive time-out, below a millisecond too, never comes back early with nothing. */
START_TEST(timeout_is_never_cut)
{
    static const int64_t timeouts[] = {1, 900, 300 * 1000, 999999, 1000001, 2500000};

    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_READABLE, 1), 0);
    for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++) {
        uint64_t before = os_monotonic_ns(os);

        ck_assert_int_eq(wait_in(_i, timeouts[i]), 0);
        ck_assert_uint_ge(os_monotonic_ns(os) - before, (uint64_t)timeouts[i]);
    }
}
END_TEST

/* A time-out of 0 comes back at once with nothing, also when asked again and again. */
START_TEST(timeout_zero_only_looks)
{
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_READABLE, 1), 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(wait_in(_i, 0), 0);
    }
}
END_TEST

static void send_one(void *arg)
{
    (void)arg;
    test_send_all(os, pair[0], "a", 1);
}

/* Without a time-out the wait lasts until another thread makes something happen. */
START_TEST(no_timeout_waits_for_an_event)
{
    struct os_thread *thread;

    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_READABLE, 1), 0);
    ck_assert_int_eq(os_thread_start(os, "send", send_one, NULL, &thread), 0);
    ck_assert_int_eq(wait_in(_i, -1), 1);
    os_thread_join(thread);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("os_poll");
    TCase *tc = tcase_create("pollers");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, epoll_level_repeats);
    tcase_add_test(tc, epoll_edge_reports_changes);
    tcase_add_test(tc, epoll_edge_mod_looks_anew);
    tcase_add_test(tc, epoll_mod_and_del);
    tcase_add_test(tc, epoll_ctl_errors);
    tcase_add_test(tc, epoll_forgets_a_closed_fd);
    tcase_add_test(tc, epoll_hang_up_sets_both);
    tcase_add_test(tc, epoll_fills_at_most_n);
    tcase_add_test(tc, poll_reports_levels);
    tcase_add_test(tc, poll_says_nval_for_a_closed_fd);
    tcase_add_test(tc, select_reports_levels);
    tcase_add_loop_test(tc, timeout_is_never_cut, 0, 3);
    tcase_add_loop_test(tc, timeout_zero_only_looks, 0, 3);
    tcase_add_loop_test(tc, no_timeout_waits_for_an_event, 0, 3);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
