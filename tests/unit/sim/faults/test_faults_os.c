/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults_os.c: what each fault of the injector looks like to whoever makes the
 * call, and to the peer: in front of a virtual os and in front of Linux, the same.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "engine/util.h"
#include "sim/faults/fault_os.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

#define WORLDS 2
#define MS NSEC_PER_MSEC

static struct sim_world *world; /* NULL: Linux */
static struct os *inner, *os;
static struct sim_faults *faults;
static int pair[2];

/* _i of a loop test: which world. */
static void open_world(int i)
{
    const struct sim_world_opts opts = {.seed = 1, .call_ns = 50};

    world = i == 0 ? sim_world_new(&opts) : NULL;
    inner = world != NULL ? sim_world_node(world, 1, "t") : os_linux_new(1, "t");
    faults = sim_faults_new(NULL, 1);
    os = fault_os_new(inner, faults);
    test_socket_pair(os, pair);
}

static void close_world(void)
{
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            os_close(os, pair[i]);
        }
    }
    ck_assert_int_eq(fault_os_open_fds(os), 0);
    fault_os_free(os);
    sim_faults_free(faults);
    if (world != NULL) {
        sim_world_free(world);
    } else {
        os_linux_free(inner);
    }
}

static int arm(const struct fault_rule *rule)
{
    int number = sim_faults_add(faults, rule);

    ck_assert_int_gt(number, 0);
    return number;
}

/* An epoll that watches the fd for edges. */
static int watch_edges(int fd, int mask)
{
    int epfd = os_epoll_create(os);

    ck_assert_int_ge(epfd, 0);
    ck_assert_int_eq(os_epoll_ctl(os, epfd, OS_EPOLL_ADD, fd, mask | OS_EDGE, 77), 0);
    return epfd;
}

static int wait_edge(int epfd, int64_t timeout_ns)
{
    struct os_epoll_event event;
    int n = os_epoll_wait(os, epfd, &event, 1, timeout_ns);

    ck_assert(n == 0 || event.cookie == 77);
    return n == 0 ? 0 : event.mask;
}

/* ---- bytes ---- */

/* A short read leaves the rest, and a new edge tells of it. */
START_TEST(short_reads_owe_an_edge)
{
    const struct fault_rule rule = {.id = FAULT_S06_SHORT_RECV, .value = 1, .count = 1};
    char buf[8];
    int epfd;

    open_world(_i);
    epfd = watch_edges(pair[1], OS_READABLE);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), 4);
    ck_assert_int_eq(wait_edge(epfd, 1000 * MS), OS_READABLE);
    arm(&rule);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), 1);
    ck_assert_int_eq(wait_edge(epfd, 1000 * MS), OS_READABLE);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), 3);
    ck_assert_mem_eq(buf, "bcd", 3);
    ck_assert_int_eq(wait_edge(epfd, MS), 0);
    os_close(os, epfd);
    close_world();
}
END_TEST

/* EAGAIN after readiness lasts as long as it was told, for every poller. */
START_TEST(eagain_ends_in_time)
{
    const struct fault_rule rule = {.id = FAULT_S06_EAGAIN, .time_ns = 20 * MS, .count = 1};
    struct pollfd poller = {.fd = -1, .events = POLLIN};
    uint64_t begin;
    fd_set r, w;
    char buf[8];
    int epfd;

    open_world(_i % WORLDS);
    epfd = watch_edges(pair[1], OS_READABLE);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), 4);
    ck_assert_int_eq(wait_edge(epfd, 1000 * MS), OS_READABLE);
    arm(&rule);
    begin = os_monotonic_ns(inner);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), -EAGAIN);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), -EAGAIN);
    if (_i / WORLDS == 0) {
        ck_assert_int_eq(wait_edge(epfd, 1000 * MS), OS_READABLE);
    } else if (_i / WORLDS == 1) {
        poller.fd = pair[1];
        ck_assert_int_eq(os_poll(os, &poller, 1, 1000 * MS), 1);
    } else {
        FD_ZERO(&r);
        FD_ZERO(&w);
        FD_SET(pair[1], &r);
        ck_assert_int_eq(os_select(os, pair[1] + 1, &r, &w, 1000 * MS), 1);
    }
    ck_assert_uint_ge(os_monotonic_ns(inner) - begin, 20 * MS);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), 4);
    os_close(os, epfd);
    close_world();
}
END_TEST

/* What is held without end goes on when faults are stopped. */
START_TEST(stop_lets_go)
{
    const struct fault_rule rule = {
        .id = FAULT_S07_EAGAIN, .time_ns = FAULT_FOR_EVER, .count = 1};
    int epfd;

    open_world(_i);
    epfd = watch_edges(pair[0], OS_WRITABLE);
    ck_assert_int_eq(wait_edge(epfd, 1000 * MS), OS_WRITABLE);
    arm(&rule);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), -EAGAIN);
    ck_assert_int_eq(wait_edge(epfd, 60 * MS), 0);
    sim_faults_stop(faults, true);
    ck_assert_int_eq(wait_edge(epfd, 1000 * MS), OS_WRITABLE);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), 4);
    os_close(os, epfd);
    close_world();
}
END_TEST

/* An error is told once; then the stream is over, and the peer hears of it at close. */
START_TEST(errors_are_told_once)
{
    static const struct {
        enum fault_id id;
        int error;
        bool at_send;
    } rows[] = {{FAULT_S06_RESET, ECONNRESET, false},
                {FAULT_S06_TIMED_OUT, ETIMEDOUT, false},
                {FAULT_S07_RESET, ECONNRESET, true},
                {FAULT_S07_EPIPE, EPIPE, true},
                {FAULT_S07_ENOBUFS, ENOBUFS, true}};
    struct fault_rule rule = {.id = rows[_i / WORLDS].id, .count = 1};
    char buf[8];

    open_world(_i % WORLDS);
    arm(&rule);
    ck_assert_int_eq(rows[_i / WORLDS].at_send ? test_send(os, pair[0], "abcd", 4)
                                               : os_recv(os, pair[0], buf, sizeof(buf)),
                     -rows[_i / WORLDS].error);
    ck_assert_int_eq(os_recv(os, pair[0], buf, sizeof(buf)), 0);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), -EPIPE);
    os_close(os, pair[0]);
    pair[0] = -1;
    ck_assert_int_eq(test_recv_some(os, pair[1], buf, sizeof(buf)), -ECONNRESET);
    close_world();
}
END_TEST

/* A reset that comes behind the data comes behind the data. */
START_TEST(drained_resets_lose_nothing)
{
    const struct fault_rule rule = {.id = FAULT_S06_RESET_DRAINED, .count = 1};
    char buf[8];

    open_world(_i);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), 4);
    test_wait_fd(os, pair[1], POLLIN);
    arm(&rule);
    ck_assert_int_eq(os_recv(os, pair[1], buf, 3), 3);
    ck_assert_int_eq(os_recv(os, pair[1], buf, 3), 1);
    ck_assert_int_eq(test_recv_some(os, pair[1], buf, 3), -ECONNRESET);
    close_world();
}
END_TEST

/* Bytes vanish without a word, and the reset wakes whoever waits. */
START_TEST(bytes_vanish)
{
    const struct fault_rule rule = {.id = FAULT_S07_VANISH, .time_ns = 20 * MS, .count = 1};
    uint64_t begin;
    char buf[8];
    int epfd;

    open_world(_i);
    epfd = watch_edges(pair[0], OS_READABLE);
    arm(&rule);
    begin = os_monotonic_ns(inner);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), 4);
    ck_assert_int_eq(test_send(os, pair[0], "efgh", 4), 4);
    ck_assert_int_ne(wait_edge(epfd, 1000 * MS), 0);
    ck_assert_uint_ge(os_monotonic_ns(inner) - begin, 20 * MS);
    ck_assert_int_eq(os_recv(os, pair[0], buf, sizeof(buf)), -ECONNRESET);
    ck_assert(!test_is_ready(os, pair[1], POLLIN));
    os_close(os, epfd);
    close_world();
}
END_TEST

/* The end of the stream, whatever was there. */
START_TEST(streams_end)
{
    const struct fault_rule rule = {.id = FAULT_S06_FIN, .count = 1};
    char buf[8];

    open_world(_i);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), 4);
    arm(&rule);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), 0);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), 0);
    ck_assert_int_eq(test_send(os, pair[1], "abcd", 4), 4); /* the other way goes on */
    close_world();
}
END_TEST

/* A send ends a byte before, at, and a byte behind the end of any iovec. */
START_TEST(sends_end_inside_iovecs)
{
    struct iovec iov[3] = {{.iov_base = (char[]){"abc"}, .iov_len = 3},
                           {.iov_base = (char[]){"defg"}, .iov_len = 4},
                           {.iov_base = (char[]){"hi"}, .iov_len = 2}};
    static const int sent[] = {2, 3, 4, 6, 7, 8, 8, 9, 9};
    struct fault_rule rule = {
        .id = FAULT_S08_IOV_CUT, .count = 1, .value = _i / WORLDS + 1};
    char buf[16];

    open_world(_i % WORLDS);
    arm(&rule);
    ck_assert_int_eq(os_send(os, pair[0], iov, 3, false), sent[_i / WORLDS]);
    test_recv_all(os, pair[1], buf, (size_t)sent[_i / WORLDS]);
    ck_assert_mem_eq(buf, "abcdefghi", (size_t)sent[_i / WORLDS]);
    close_world();
}
END_TEST

/* 10 bytes every 5 ms. */
START_TEST(peers_read_slowly)
{
    const struct fault_rule rule = {
        .id = FAULT_S14_SLOW_DRAIN, .count = 1, .value = 10, .time_ns = 5 * MS};
    uint64_t begin;
    char data[40] = {0};

    open_world(_i);
    arm(&rule);
    begin = os_monotonic_ns(inner);
    test_send_all(os, pair[0], data, sizeof(data));
    ck_assert_uint_ge(os_monotonic_ns(inner) - begin, 15 * MS);
    close_world();
}
END_TEST

/* ---- making and ending ---- */

/* close sends a RST when it is told to. */
START_TEST(close_may_reset)
{
    const struct fault_rule rule = {.id = FAULT_S10_CLOSE_RST, .count = 1};
    char buf[8];

    open_world(_i);
    arm(&rule);
    os_close(os, pair[0]);
    pair[0] = -1;
    ck_assert_int_eq(test_recv_some(os, pair[1], buf, sizeof(buf)), -ECONNRESET);
    close_world();
}
END_TEST

/* A caller that is lost in accept is gone: the listener hears why, the caller a reset. */
START_TEST(callers_are_lost)
{
    const struct fault_rule rule = {.id = FAULT_S02_ACCEPT_LOST, .count = 1, .err = EPROTO};
    struct sockaddr_storage addr, peer;
    int listener, caller;
    char buf[8];

    open_world(_i);
    listener = test_listen(os, AF_INET, 8, &addr);
    caller = test_dial(os, &addr);
    test_wait_fd(os, listener, POLLIN);
    arm(&rule);
    ck_assert_int_eq(os_accept(os, listener, &peer), -EPROTO);
    ck_assert_int_eq(os_accept(os, listener, &peer), -EAGAIN);
    test_wait_fd(os, caller, POLLIN);
    ck_assert_int_eq(os_recv(os, caller, buf, sizeof(buf)), -ECONNRESET);
    os_close(os, caller);
    os_close(os, listener);
    close_world();
}
END_TEST

/* A connect that fails later is in progress until then, whoever looks. */
START_TEST(connects_fail_later)
{
    const struct fault_rule rule = {
        .id = FAULT_S04_CONNECT_LATER, .count = 1, .err = ENETUNREACH, .time_ns = 20 * MS};
    struct sockaddr_storage addr;
    int listener, caller;
    uint64_t begin;

    open_world(_i);
    listener = test_listen(os, AF_INET, 8, &addr);
    arm(&rule);
    begin = os_monotonic_ns(inner);
    caller = os_socket(os, AF_INET);
    ck_assert_int_eq(os_connect(os, caller, test_sockaddr(&addr), test_sockaddr_len(&addr)),
                     -EINPROGRESS);
    ck_assert_int_eq(os_connect_result(os, caller), 0);
    test_wait_fd(os, caller, POLLOUT);
    ck_assert_uint_ge(os_monotonic_ns(inner) - begin, 20 * MS);
    ck_assert_int_eq(os_connect_result(os, caller), -ENETUNREACH);
    os_close(os, caller);
    os_close(os, listener);
    close_world();
}
END_TEST

/* When the faults end, a connect that was to fail does so: it was never begun. */
START_TEST(awaited_failures_come_at_the_end_of_faults)
{
    const struct fault_rule rule = {.id = FAULT_S04_CONNECT_LATER,
                                    .count = 1,
                                    .err = ENETUNREACH,
                                    .time_ns = 3600 * NSEC_PER_SEC};
    struct sockaddr_storage addr;
    int listener, caller;

    open_world(_i);
    listener = test_listen(os, AF_INET, 8, &addr);
    arm(&rule);
    caller = os_socket(os, AF_INET);
    ck_assert_int_eq(os_connect(os, caller, test_sockaddr(&addr), test_sockaddr_len(&addr)),
                     -EINPROGRESS);
    sim_faults_stop(faults, true);
    test_wait_fd(os, caller, POLLOUT);
    ck_assert_int_eq(os_connect_result(os, caller), -ENETUNREACH);
    os_close(os, caller);
    os_close(os, listener);
    close_world();
}
END_TEST

/* EMFILE from so many descriptors on, by every call that makes one. */
START_TEST(descriptors_run_out)
{
    const struct fault_rule rule = {.id = FAULT_R03_FDS, .value = 3};
    int fd, fds[2];

    open_world(_i);
    arm(&rule);
    fd = os_socket(os, AF_INET);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(os_socket(os, AF_INET), -EMFILE);
    ck_assert_int_eq(os_epoll_create(os), -EMFILE);
    ck_assert_int_eq(os_pipe(os, fds), -EMFILE);
    os_close(os, fd);
    fd = os_epoll_create(os);
    ck_assert_int_ge(fd, 0);
    os_close(os, fd);
    close_world();
}
END_TEST

/* ---- readiness, waiting, time ---- */

/* Readiness that is not true is told, once, and a look finds nothing. */
START_TEST(readiness_may_be_false)
{
    const struct fault_rule rule = {.id = FAULT_T01_SPURIOUS, .count = 1};
    char buf[8];
    int epfd;

    open_world(_i);
    epfd = watch_edges(pair[1], OS_READABLE);
    ck_assert_int_eq(wait_edge(epfd, 0), 0);
    arm(&rule);
    ck_assert_int_eq(wait_edge(epfd, 0), OS_READABLE);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), -EAGAIN);
    ck_assert_int_eq(wait_edge(epfd, MS), 0);
    os_close(os, epfd);
    close_world();
}
END_TEST

/* Readiness comes late, or again; nothing else changes. */
START_TEST(readiness_comes_late_or_twice)
{
    const struct fault_rule late = {.id = FAULT_T01_LATE, .count = 1, .time_ns = 20 * MS};
    const struct fault_rule twice = {.id = FAULT_T01_TWICE, .count = 1};
    uint64_t begin;
    char buf[8];
    int epfd;

    open_world(_i);
    epfd = watch_edges(pair[1], OS_READABLE);
    arm(&late);
    arm(&twice);
    begin = os_monotonic_ns(inner);
    ck_assert_int_eq(test_send(os, pair[0], "abcd", 4), 4);
    ck_assert_int_eq(wait_edge(epfd, 1000 * MS), OS_READABLE);
    ck_assert_uint_ge(os_monotonic_ns(inner) - begin, 20 * MS);
    ck_assert_int_eq(os_recv(os, pair[1], buf, sizeof(buf)), 4);
    ck_assert_int_eq(wait_edge(epfd, 0), OS_READABLE);
    ck_assert_int_eq(wait_edge(epfd, MS), 0);
    os_close(os, epfd);
    close_world();
}
END_TEST

/* One event a wait, and in another order: the others come with the next waits. */
START_TEST(events_are_rationed)
{
    const struct fault_rule one = {.id = FAULT_T01_ONE, .count = 1};
    const struct fault_rule turn = {.id = FAULT_T01_REORDER, .count = 1};
    struct os_epoll_event events[2];
    int epfd, number;

    open_world(_i);
    epfd = watch_edges(pair[0], OS_WRITABLE);
    ck_assert_int_eq(
        os_epoll_ctl(os, epfd, OS_EPOLL_ADD, pair[1], OS_WRITABLE | OS_EDGE, 8), 0);
    arm(&one);
    number = arm(&turn);
    ck_assert_int_eq(os_epoll_wait(os, epfd, events, 2, 0), 1);
    ck_assert_uint_eq(events[0].cookie, 8); /* it had been the second */
    ck_assert_uint_eq(sim_faults_rule_fired(faults, number), 1);
    ck_assert_int_eq(os_epoll_wait(os, epfd, events, 2, 0), 1);
    ck_assert_uint_eq(events[0].cookie, 77);
    ck_assert_int_eq(os_epoll_wait(os, epfd, events, 2, 0), 0);
    os_close(os, epfd);
    close_world();
}
END_TEST

/* A full pipe says EAGAIN, and the reader wakes all the same. */
START_TEST(full_pipes_wake)
{
    const struct fault_rule rule = {.id = FAULT_T02_WAKE_FULL, .count = 1};
    int fds[2];
    char buf[8];

    open_world(_i);
    ck_assert_int_eq(os_pipe(os, fds), 0);
    arm(&rule);
    ck_assert_int_eq(os_write(os, fds[1], "w", 1), -EAGAIN);
    test_wait_fd(os, fds[0], POLLIN);
    ck_assert_int_eq(os_read(os, fds[0], buf, sizeof(buf)), 1);
    os_close(os, fds[0]);
    os_close(os, fds[1]);
    close_world();
}
END_TEST

/* Clocks go in steps and jump, and the monotonic one never goes back, also not when the
 * steps begin or end. */
START_TEST(clocks_are_bent)
{
    const struct fault_rule coarse = {
        .id = FAULT_T06_COARSE, .count = 1, .time_ns = 7 * MS};
    const struct fault_rule jump = {
        .id = FAULT_T06_SUSPEND, .count = 1, .time_ns = 9000 * MS};
    const struct fault_rule back = {.id = FAULT_T06_REALTIME, .count = 1, .value = -60};
    struct pollfd none = {.fd = -1};
    uint64_t before, wall, now;

    open_world(_i);
    before = os_monotonic_ns(os);
    wall = os_realtime_ns(os);
    arm(&coarse);
    arm(&jump);
    arm(&back);
    os_poll(os, &none, 1, MS);
    now = os_monotonic_ns(os);
    ck_assert_uint_eq(now % (7 * MS), 0);
    ck_assert_uint_ge(now, before + 9000 * MS);
    ck_assert_uint_lt(os_realtime_ns(os), wall);
    sim_faults_stop(faults, true);
    for (int i = 0; i < 100; i++) {
        uint64_t next = os_monotonic_ns(os);

        ck_assert_uint_ge(next, now);
        now = next;
    }
    close_world();
}
END_TEST

/* A wait may be late; it is never early. */
START_TEST(waits_are_late)
{
    const struct fault_rule rule = {.id = FAULT_T03_LATE, .count = 1, .time_ns = 30 * MS};
    struct pollfd none = {.fd = -1};
    uint64_t begin;

    open_world(_i);
    arm(&rule);
    begin = os_monotonic_ns(inner);
    ck_assert_int_eq(os_poll(os, &none, 1, 10 * MS), 0);
    ck_assert_uint_ge(os_monotonic_ns(inner) - begin, 40 * MS);
    close_world();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_faults_os");
    TCase *tc = tcase_create("calls");

    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, short_reads_owe_an_edge, 0, WORLDS);
    tcase_add_loop_test(tc, eagain_ends_in_time, 0, 3 * WORLDS);
    tcase_add_loop_test(tc, stop_lets_go, 0, WORLDS);
    tcase_add_loop_test(tc, errors_are_told_once, 0, 5 * WORLDS);
    tcase_add_loop_test(tc, drained_resets_lose_nothing, 0, WORLDS);
    tcase_add_loop_test(tc, bytes_vanish, 0, WORLDS);
    tcase_add_loop_test(tc, streams_end, 0, WORLDS);
    tcase_add_loop_test(tc, sends_end_inside_iovecs, 0, 9 * WORLDS);
    tcase_add_loop_test(tc, peers_read_slowly, 0, WORLDS);
    tcase_add_loop_test(tc, close_may_reset, 0, WORLDS);
    tcase_add_loop_test(tc, callers_are_lost, 0, WORLDS);
    tcase_add_loop_test(tc, connects_fail_later, 0, WORLDS);
    tcase_add_loop_test(tc, awaited_failures_come_at_the_end_of_faults, 0, WORLDS);
    tcase_add_loop_test(tc, descriptors_run_out, 0, WORLDS);
    tcase_add_loop_test(tc, readiness_may_be_false, 0, WORLDS);
    tcase_add_loop_test(tc, readiness_comes_late_or_twice, 0, WORLDS);
    tcase_add_loop_test(tc, events_are_rationed, 0, WORLDS);
    tcase_add_loop_test(tc, full_pipes_wake, 0, WORLDS);
    tcase_add_loop_test(tc, clocks_are_bent, 0, WORLDS);
    tcase_add_loop_test(tc, waits_are_late, 0, WORLDS);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
