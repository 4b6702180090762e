/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_event_driver.c: every driver tells which descriptors are ready, with the cookie they
 * were registered with and exactly the bits that were asked for. Each test runs on epoll,
 * poll and select. (Ceph: EventDriverTest.)
 */
#include <errno.h>
#include <sys/resource.h>

#include "engine/event_driver.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static struct os *os;
static struct event_driver *d;
static int fds_before;

static void setup(void)
{
    fds_before = testlib_open_fds();
    os = test_os_new();
}

/* The fixture does not know the loop's number, so each test starts with this. */
static void use_driver(int kind)
{
    ck_assert_int_eq(event_driver_new(os, (enum event_driver_kind)kind, &d), 0);
    ck_assert_str_eq(d->ops->name, event_driver_name((enum event_driver_kind)kind));
}

static void teardown(void)
{
    if (d != NULL) {
        d->ops->free(d);
        d = NULL;
    }
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

/* Waits: exactly one event, with that cookie and mask. */
static void expect_one(int64_t timeout_ns, uint64_t cookie, int mask)
{
    struct fired_event fired[8];

    ck_assert_int_eq(d->ops->wait(d, fired, 8, timeout_ns), 1);
    ck_assert_uint_eq(fired[0].cookie, cookie);
    ck_assert_int_eq(fired[0].mask, mask);
}

static void expect_none(void)
{
    struct fired_event fired[8];

    ck_assert_int_eq(d->ops->wait(d, fired, 8, 0), 0);
}

static void make_pipe(int fds[2])
{
    ck_assert_int_eq(os_pipe(os, fds), 0);
}

static void close_both(const int fds[2])
{
    os_close(os, fds[0]);
    os_close(os, fds[1]);
}

static void put_byte(int fd)
{
    ck_assert_int_eq(os_write(os, fd, "x", 1), 1);
}

static void get_byte(int fd)
{
    char c;

    ck_assert_int_eq(os_read(os, fd, &c, 1), 1);
}

/* Drivers have the names users type; an unknown name is no driver. */
START_TEST(drivers_have_names)
{
    for (int kind = 0; kind < DRIVER_COUNT; kind++) {
        const char *name = event_driver_name((enum event_driver_kind)kind);

        ck_assert_int_eq(event_driver_by_name(name), kind);
    }
    ck_assert_int_eq(event_driver_by_name("epoll"), DRIVER_EPOLL);
    ck_assert_int_eq(event_driver_by_name("poll"), DRIVER_POLL);
    ck_assert_int_eq(event_driver_by_name("select"), DRIVER_SELECT);
    ck_assert_int_eq(event_driver_by_name("kqueue"), -1);
    ck_assert_int_eq(event_driver_by_name(""), -1);
}
END_TEST

/* Only epoll reports changes; the two others report levels. */
START_TEST(only_epoll_has_edges)
{
    use_driver(_i);
    ck_assert_int_eq(d->ops->edge, _i == DRIVER_EPOLL);
}
END_TEST

/* Readable fires for each write, and no more after the fd was removed. (Ceph: PipeTest) */
START_TEST(readable_fires_per_write)
{
    int fds[2];

    use_driver(_i);
    make_pipe(fds);
    ck_assert_int_eq(d->ops->add(d, fds[0], OS_READABLE, 42), 0);
    expect_none();
    for (int i = 0; i < 3; i++) {
        put_byte(fds[1]);
        expect_one(-1, 42, OS_READABLE);
        get_byte(fds[0]);
        expect_none();
    }
    d->ops->del(d, fds[0]);
    put_byte(fds[1]);
    expect_none();
    close_both(fds);
}
END_TEST

/* A listener, a dialler and an echo, with the masks each step must give and no others.
 * (Ceph: NetworkSocketTest) */
START_TEST(sockets_fire_exact_masks)
{
    struct sockaddr_storage at, peer;
    int listener, dialler, accepted;
    char buf[16];

    use_driver(_i);
    listener = test_listen(os, AF_INET, 8, &at);
    ck_assert_int_eq(d->ops->add(d, listener, OS_READABLE, 1), 0);
    expect_none();
    dialler = test_dial(os, &at);
    expect_one(-1, 1, OS_READABLE);
    accepted = os_accept(os, listener, &peer);
    ck_assert_int_ge(accepted, 0);
    expect_none();
    ck_assert_int_eq(d->ops->add(d, accepted, OS_READABLE, 2), 0);
    expect_none();
    ck_assert_int_eq(d->ops->add(d, dialler, OS_READABLE, 3), 0);
    expect_none();
    ck_assert_int_eq(d->ops->mod(d, dialler, OS_READABLE | OS_WRITABLE, 3), 0);
    expect_one(-1, 3, OS_WRITABLE);
    ck_assert_int_eq(d->ops->mod(d, dialler, OS_READABLE, 3), 0);
    expect_none();

    test_send_all(os, dialler, "banner", 6);
    expect_one(-1, 2, OS_READABLE);
    test_recv_all(os, accepted, buf, 6);
    expect_none();
    test_send_all(os, accepted, buf, 6);
    expect_one(-1, 3, OS_READABLE);
    ck_assert_int_eq(d->ops->mod(d, dialler, OS_READABLE | OS_WRITABLE, 4), 0);
    expect_one(-1, 4, OS_READABLE | OS_WRITABLE);
    test_recv_all(os, dialler, buf, 6);

    d->ops->del(d, dialler);
    test_send_all(os, accepted, "unseen", 6);
    expect_none();
    d->ops->del(d, accepted);
    d->ops->del(d, listener);
    os_close(os, dialler);
    os_close(os, accepted);
    os_close(os, listener);
}
END_TEST

/* What stays unread is reported once by an edge driver, always by a level driver; new data
 * is a new edge. */
START_TEST(edges_and_levels)
{
    int fds[2];

    use_driver(_i);
    make_pipe(fds);
    ck_assert_int_eq(d->ops->add(d, fds[0], OS_READABLE, 5), 0);
    put_byte(fds[1]);
    expect_one(-1, 5, OS_READABLE);
    for (int i = 0; i < 3; i++) {
        if (d->ops->edge) {
            expect_none();
        } else {
            expect_one(0, 5, OS_READABLE);
        }
    }
    put_byte(fds[1]);
    expect_one(-1, 5, OS_READABLE);
    d->ops->del(d, fds[0]);
    close_both(fds);
}
END_TEST

/* A change of the mask leaves the driver's trigger mode alone: still one report per change
 * on an edge driver. (Ceph PR 26926: the flag got lost.) */
START_TEST(mod_keeps_the_trigger_mode)
{
    int fds[2];

    use_driver(_i);
    test_socket_pair(os, fds);
    ck_assert_int_eq(d->ops->add(d, fds[0], OS_READABLE | OS_WRITABLE, 5), 0);
    test_send_all(os, fds[1], "x", 1);
    test_wait_fd(os, fds[0], POLLIN);
    expect_one(-1, 5, OS_READABLE | OS_WRITABLE);
    ck_assert_int_eq(d->ops->mod(d, fds[0], OS_READABLE, 6), 0);
    expect_one(-1, 6, OS_READABLE); /* a change is looked at anew */
    for (int i = 0; i < 3; i++) {
        if (d->ops->edge) {
            expect_none();
        } else {
            expect_one(0, 6, OS_READABLE);
        }
    }
    d->ops->del(d, fds[0]);
    close_both(fds);
}
END_TEST

/* The cookie comes back whole, and the latest one counts. */
START_TEST(cookie_comes_back)
{
    const uint64_t first = 0x0123456789abcdef, second = 0xffffffff00000000;
    int fds[2];

    use_driver(_i);
    make_pipe(fds);
    ck_assert_int_eq(d->ops->add(d, fds[1], OS_WRITABLE, first), 0);
    expect_one(-1, first, OS_WRITABLE);
    ck_assert_int_eq(d->ops->mod(d, fds[1], OS_WRITABLE, second), 0);
    expect_one(-1, second, OS_WRITABLE);
    d->ops->del(d, fds[1]);
    close_both(fds);
}
END_TEST

/* An fd that was closed already is forgotten without error, and its number can be watched
 * again in its next life. */
START_TEST(closed_fd_is_forgotten)
{
    int fds[2], again[2], other[2];

    use_driver(_i);
    make_pipe(other);
    make_pipe(fds);
    ck_assert_int_eq(d->ops->add(d, fds[0], OS_READABLE, 1), 0);
    ck_assert_int_eq(d->ops->add(d, other[0], OS_READABLE, 2), 0);
    close_both(fds);
    d->ops->del(d, fds[0]);
    put_byte(other[1]);
    expect_one(-1, 2, OS_READABLE);
    get_byte(other[0]);
    make_pipe(again);
    ck_assert_int_eq(again[0], fds[0]);
    ck_assert_int_eq(d->ops->add(d, again[0], OS_READABLE, 3), 0);
    put_byte(again[1]);
    expect_one(-1, 3, OS_READABLE);
    d->ops->del(d, again[0]);
    d->ops->del(d, other[0]);
    close_both(again);
    close_both(other);
}
END_TEST

/* An end of stream and a reset are reported to whoever watches, whatever bit it watches.
 * epoll and poll set both bits; select can only answer what was asked. */
START_TEST(hang_up_is_reported)
{
    static const int watched[] = {OS_READABLE, OS_WRITABLE};

    use_driver(_i);
    for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
        int fds[2];

        test_socket_pair(os, fds);
        ck_assert_int_eq(os_set_option(os, fds[0], OS_SO_LINGER0, 1), 0);
        os_close(os, fds[0]);
        test_wait_fd(os, fds[1], POLLIN);
        ck_assert_int_eq(d->ops->add(d, fds[1], watched[i], 9), 0);
        expect_one(-1, 9, _i == DRIVER_SELECT ? watched[i] : (OS_READABLE | OS_WRITABLE));
        d->ops->del(d, fds[1]);
        os_close(os, fds[1]);
    }
}
END_TEST

/* A batch that is too small starves nobody: with 16 fds ready and one place, 16 waits
 * report 16 different ones. */
START_TEST(small_batch_starves_nobody)
{
    int fds[16][2];
    uint32_t seen = 0;

    use_driver(_i);
    for (int i = 0; i < 16; i++) {
        make_pipe(fds[i]);
        put_byte(fds[i][1]);
        ck_assert_int_eq(d->ops->add(d, fds[i][0], OS_READABLE, (uint64_t)i), 0);
    }
    for (int i = 0; i < 16; i++) {
        struct fired_event fired;

        ck_assert_int_eq(d->ops->wait(d, &fired, 1, -1), 1);
        ck_assert_uint_lt(fired.cookie, 16);
        seen |= 1u << fired.cookie;
    }
    ck_assert_uint_eq(seen, 0xffff);
    for (int i = 0; i < 16; i++) {
        d->ops->del(d, fds[i][0]);
        close_both(fds[i]);
    }
}
END_TEST

/* Removing fds in any order leaves the others watched with their own cookies. */
START_TEST(removal_leaves_the_others)
{
    struct test_random random = {.state = 11};
    int fds[40][2];
    bool watched[40];

    use_driver(_i);
    for (int i = 0; i < 40; i++) {
        make_pipe(fds[i]);
        ck_assert_int_eq(d->ops->add(d, fds[i][0], OS_READABLE, (uint64_t)i), 0);
        watched[i] = true;
    }
    for (int step = 0; step < 300; step++) {
        int i = (int)testlib_random_below(&random, 40);

        if (testlib_random_below(&random, 2) == 0) {
            if (watched[i]) {
                d->ops->del(d, fds[i][0]);
            } else {
                ck_assert_int_eq(d->ops->add(d, fds[i][0], OS_READABLE, (uint64_t)i), 0);
            }
            watched[i] = !watched[i];
        }
        put_byte(fds[i][1]);
        if (watched[i]) {
            expect_one(-1, (uint64_t)i, OS_READABLE);
        } else {
            expect_none();
        }
        get_byte(fds[i][0]);
    }
    for (int i = 0; i < 40; i++) {
        close_both(fds[i]);
    }
}
END_TEST

/* select refuses descriptors from FD_SETSIZE on; the other two watch them. */
START_TEST(select_refuses_large_numbers)
{
    struct rlimit limit;
    int fds[FD_SETSIZE + 8], n = 0, fd;

    use_driver(_i);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = MIN(limit.rlim_max, FD_SETSIZE + 16);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (!test_os_is_kernel(os) || limit.rlim_cur < FD_SETSIZE + 16) {
        printf("select_refuses_large_numbers: skipped, descriptors are limited to %u\n",
               (unsigned)limit.rlim_cur);
        return;
    }
    do {
        fd = fds[n++] = os_socket(os, AF_INET);
        ck_assert_int_ge(fd, 0);
    } while (fd < FD_SETSIZE);
    if (_i == DRIVER_SELECT) {
        ck_assert_int_eq(d->ops->add(d, fd, OS_READABLE, 1), -EMFILE);
        ck_assert_int_eq(d->ops->add(d, fds[n - 2], OS_READABLE, 2), 0);
        d->ops->del(d, fds[n - 2]);
        expect_none();
    } else {
        ck_assert_int_eq(d->ops->add(d, fd, OS_READABLE, 1), 0);
        d->ops->del(d, fd);
    }
    while (n > 0) {
        os_close(os, fds[--n]);
    }
}
END_TEST

/* A positive time-out is never cut short; 0 only looks. */
START_TEST(timeouts_are_kept)
{
    static const int64_t timeouts[] = {1, 400 * 1000, 999999, 2000001};
    struct fired_event fired[4];
    int fds[2];

    use_driver(_i);
    make_pipe(fds);
    ck_assert_int_eq(d->ops->add(d, fds[0], OS_READABLE, 1), 0);
    for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++) {
        uint64_t before = os_monotonic_ns(os);

        ck_assert_int_eq(d->ops->wait(d, fired, 4, timeouts[i]), 0);
        ck_assert_uint_ge(os_monotonic_ns(os) - before, (uint64_t)timeouts[i]);
        expect_none();
    }
    d->ops->del(d, fds[0]);
    close_both(fds);
}
END_TEST

static void put_byte_thread(void *arg)
{
    put_byte(*(const int *)arg);
}

/* Without a time-out the wait lasts until something happens, here in another thread. */
START_TEST(endless_wait_ends_with_an_event)
{
    struct os_thread *thread;
    int fds[2];

    use_driver(_i);
    make_pipe(fds);
    ck_assert_int_eq(d->ops->add(d, fds[0], OS_READABLE, 8), 0);
    ck_assert_int_eq(os_thread_start(os, "writer", put_byte_thread, &fds[1], &thread), 0);
    expect_one(-1, 8, OS_READABLE);
    os_thread_join(thread);
    d->ops->del(d, fds[0]);
    close_both(fds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event_driver");
    TCase *tc = tcase_create("epoll, poll, select");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, drivers_have_names);
    tcase_add_loop_test(tc, only_epoll_has_edges, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, readable_fires_per_write, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, sockets_fire_exact_masks, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, edges_and_levels, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, mod_keeps_the_trigger_mode, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, cookie_comes_back, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, closed_fd_is_forgotten, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, hang_up_is_reported, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, small_batch_starves_nobody, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, removal_leaves_the_others, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, select_refuses_large_numbers, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, timeouts_are_kept, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, endless_wait_ends_with_an_event, 0, DRIVER_COUNT);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
