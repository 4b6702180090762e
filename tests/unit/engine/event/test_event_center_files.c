/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_event_center_files.c: file events: masks, the table that grows, and events for a
 * former life of a descriptor. Each test runs on epoll, poll and select. (Ceph:
 * EventCenterTest.)
 */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/lib/testcenter.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static void unwatch_other(struct watcher *w)
{
    if (w->other->fd >= 0) {
        watcher_unwatch(w->other, OS_READABLE | OS_WRITABLE);
        w->other->fd = -1;
    }
    watcher_unwatch(w, OS_READABLE | OS_WRITABLE);
}

/* A file callback may cancel a later one of the same pass: of two that fired together and
 * remove each other, one runs. */
START_TEST(file_may_cancel_a_later_one)
{
    struct watcher a = {.letter = 'a', .also = unwatch_other};
    struct watcher b = {.letter = 'b', .also = unwatch_other};
    int fds[2][2];

    test_center_open(_i);
    test_ready_pipe(fds[0]);
    test_ready_pipe(fds[1]);
    a.other = &b;
    b.other = &a;
    watcher_watch(&a, fds[0][0], OS_READABLE);
    watcher_watch(&b, fds[1][0], OS_READABLE);
    test_pass();
    ck_assert_int_eq(a.calls + b.calls, 1);
    ck_assert_str_eq(test_pass(), "");
    test_close_both(fds[0]);
    test_close_both(fds[1]);
}
END_TEST

static void stop_writable(struct watcher *w)
{
    watcher_unwatch(w, OS_WRITABLE);
}

/* The mask is looked at again before the write callback: the read callback of the same
 * event may have removed it. The write callback runs after the read callback otherwise. */
START_TEST(mask_is_checked_again)
{
    struct watcher reader = {.letter = 'r'}, writer = {.letter = 'w'};
    int fds[2];

    test_center_open(_i);
    test_ready_socket_pair(fds);
    watcher_watch(&reader, fds[0], OS_READABLE);
    watcher_watch(&writer, fds[0], OS_WRITABLE);
    ck_assert_str_eq(test_pass(), "rw");
    ck_assert_int_eq(reader.last_mask, OS_READABLE | OS_WRITABLE);
    reader.also = stop_writable;
    test_send_all(test_center_os(), fds[1], "x", 1);
    test_wait_fd(test_center_os(), fds[0], POLLIN);
    watcher_watch(&writer, fds[0], OS_WRITABLE);
    ck_assert_str_eq(test_pass(), "r");
    ck_assert_int_eq(writer.calls, 1);
    watcher_unwatch(&reader, OS_READABLE);
    test_close_both(fds);
}
END_TEST

/* One callback for both bits runs once for an event that has both. */
START_TEST(same_callback_runs_once)
{
    struct watcher both = {.letter = 'b'};
    int fds[2];

    test_center_open(_i);
    test_ready_socket_pair(fds);
    watcher_watch(&both, fds[0], OS_READABLE | OS_WRITABLE);
    ck_assert_str_eq(test_pass(), "b");
    ck_assert_int_eq(both.last_mask, OS_READABLE | OS_WRITABLE);
    watcher_unwatch(&both, OS_READABLE | OS_WRITABLE);
    test_close_both(fds);
}
END_TEST

/* A callback registered anew for the same bits is the one that runs. (Ceph ignores it.) */
START_TEST(last_callback_counts)
{
    struct watcher old = {.letter = 'o'}, new = {.letter = 'n'};
    int fds[2];

    test_center_open(_i);
    test_ready_pipe(fds);
    watcher_watch(&old, fds[0], OS_READABLE);
    watcher_watch(&new, fds[0], OS_READABLE);
    ck_assert_str_eq(test_pass(), "n");
    watcher_unwatch(&new, OS_READABLE);
    test_close_both(fds);
}
END_TEST

/* Removing one bit leaves the other watched, and in the driver's trigger mode (D4). */
START_TEST(delete_of_one_bit_keeps_the_other)
{
    struct watcher reader = {.letter = 'r'}, writer = {.letter = 'w'};
    int fds[2];

    test_center_open(_i);
    test_socket_pair(test_center_os(), fds);
    watcher_watch(&reader, fds[0], OS_READABLE);
    watcher_watch(&writer, fds[0], OS_WRITABLE);
    ck_assert_str_eq(test_pass(), "w");
    watcher_unwatch(&writer, OS_WRITABLE);
    ck_assert_str_eq(test_pass(), "");
    test_send_all(test_center_os(), fds[1], "x", 1);
    test_wait_fd(test_center_os(), fds[0], POLLIN);
    ck_assert_str_eq(test_pass(), "r");
    for (int i = 0; i < 3; i++) { /* unread: an edge is told once, a level always */
        ck_assert_str_eq(test_pass(), test_center()->driver->ops->edge ? "" : "r");
    }
    watcher_unwatch(&reader, OS_READABLE);
    ck_assert_str_eq(test_pass(), "");
    test_close_both(fds);
}
END_TEST

/* Deleting what is not watched, twice, beyond the table or negative, is harmless. */
START_TEST(delete_of_the_unknown_is_harmless)
{
    struct watcher file = {.letter = 'f'};
    int fds[2];

    test_center_open(_i);
    event_center_delete_file_event(test_center(), -1, OS_READABLE);
    event_center_delete_file_event(test_center(), 1 << 20, OS_READABLE | OS_WRITABLE);
    test_ready_pipe(fds);
    event_center_delete_file_event(test_center(), fds[0], OS_READABLE);
    watcher_watch(&file, fds[0], OS_READABLE);
    watcher_unwatch(&file, OS_WRITABLE);
    ck_assert_str_eq(test_pass(), "f");
    watcher_unwatch(&file, OS_READABLE);
    watcher_unwatch(&file, OS_READABLE);
    test_close_both(fds);
}
END_TEST

/* Descriptor 0 is a descriptor like any other (D7). */
START_TEST(descriptor_zero_works)
{
    struct watcher file = {.letter = '0'};
    int fds[2], keep;

    test_center_open(_i);
    if (!test_os_is_kernel(test_center_os())) {
        return;
    }
    keep = dup(0);
    close(0);
    test_pipe(fds);
    ck_assert_int_eq(fds[0], 0);
    watcher_watch(&file, 0, OS_READABLE);
    ck_assert_str_eq(test_pass(), "");
    test_put_byte(fds[1]);
    ck_assert_str_eq(test_pass(), "0");
    watcher_unwatch(&file, OS_READABLE);
    ck_assert_str_eq(test_pass(), "");
    test_close_both(fds);
    if (keep >= 0) {
        dup2(keep, 0);
        close(keep);
    }
}
END_TEST

/* The table grows to 300 descriptors; each callback gets its own, and none after it was
 * removed. (Ceph: FileEventExpansion) */
START_TEST(file_event_expansion)
{
    struct watcher ends[300] = {0};
    int fds[2], fired = 0, calls = 0;

    test_center_open(_i);
    ck_assert_uint_lt(test_center()->n_files, 300);
    for (int i = 0; i < 300; i += 2) {
        test_ready_pipe(fds);
        watcher_watch(&ends[i], fds[0], OS_READABLE);
        watcher_watch(&ends[i + 1], fds[1], OS_WRITABLE);
    }
    ck_assert_uint_ge(test_center()->n_files, 300);
    while (fired < 300) {
        ck_assert_int_gt(event_center_process(test_center(), -1), 0);
        fired = 0;
        for (int i = 0; i < 300; i++) {
            fired += ends[i].calls > 0;
        }
    }
    for (int i = 0; i < 300; i++) {
        calls += ends[i].calls;
        watcher_unwatch(&ends[i], OS_READABLE | OS_WRITABLE);
    }
    ck_assert_uint_eq(test_center()->stats.file_events, calls);
    ck_assert_int_eq(event_center_process(test_center(), 0), 0);
    for (int i = 0; i < 300; i++) {
        os_close(test_center_os(), ends[i].fd);
    }
}
END_TEST

/* The descriptor that is exactly the table's size makes it grow (D8). */
START_TEST(growth_at_the_boundary)
{
    struct watcher file = {.letter = 'f'};
    int fds[512], n = 0, boundaries = 0;

    test_center_open(_i);
    while (n < 512 && boundaries < 3) {
        uint32_t size = test_center()->n_files;

        fds[n] = os_socket(test_center_os(), AF_INET);
        ck_assert_int_ge(fds[n], 0);
        if ((uint32_t)fds[n] == size) {
            event_center_delete_file_event(test_center(), fds[n], OS_READABLE);
            watcher_watch(&file, fds[n], OS_READABLE | OS_WRITABLE);
            ck_assert_uint_gt(test_center()->n_files, size);
            /* A socket that is not connected has hung up. */
            ck_assert_str_eq(test_pass(), "f");
            watcher_unwatch(&file, OS_READABLE | OS_WRITABLE);
            boundaries++;
        }
        n++;
    }
    ck_assert_int_eq(boundaries, 3);
    while (n > 0) {
        os_close(test_center_os(), fds[--n]);
    }
}
END_TEST

/* What the driver cannot watch is an error for the caller, and nothing else changes. */
START_TEST(unwatchable_fd_is_an_error)
{
    struct watcher file = {.letter = 'f'};
    struct rlimit limit;
    int fds[FD_SETSIZE + 8], n = 0, fd;

    test_center_open(DRIVER_SELECT);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = MIN(limit.rlim_max, FD_SETSIZE + 16);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (!test_os_is_kernel(test_center_os()) || limit.rlim_cur < FD_SETSIZE + 16) {
        printf("unwatchable_fd_is_an_error: skipped, descriptors are limited to %u\n",
               (unsigned)limit.rlim_cur);
        return;
    }
    do {
        fd = fds[n++] = os_socket(test_center_os(), AF_INET);
        ck_assert_int_ge(fd, 0);
    } while (fd < FD_SETSIZE);
    ck_assert_int_eq(watcher_try(&file, fd, OS_READABLE), -EMFILE);
    event_center_delete_file_event(test_center(), fd, OS_READABLE);
    ck_assert_str_eq(test_pass(), "");
    while (n > 0) {
        os_close(test_center_os(), fds[--n]);
    }
}
END_TEST

static int recycled[2];
static struct watcher reborn = {.letter = 'n'};

/* Closes the other's fd and gives its number to a new pipe, watched at once. */
static void recycle_other(struct watcher *w)
{
    if (w->other->fd < 0) {
        return;
    }
    watcher_unwatch(w->other, OS_READABLE);
    os_close(test_center_os(), w->other->fd);
    test_pipe(recycled);
    ck_assert_int_eq(recycled[0], w->other->fd);
    watcher_watch(&reborn, recycled[0], OS_READABLE);
    w->other->fd = -1;
    w->also = NULL;
    w->other->also = NULL;
}

/* An event for a former life of a number is not delivered to the next one (D15): it is
 * counted as stale, and the new fd fires for what is its own. */
START_TEST(recycled_fd_gets_no_stale_event)
{
    struct watcher a = {.letter = 'a', .also = recycle_other};
    struct watcher b = {.letter = 'b', .also = recycle_other};
    struct watcher *winner;
    int fds[2][2];

    test_center_open(_i);
    test_ready_pipe(fds[0]);
    test_ready_pipe(fds[1]);
    a.other = &b;
    b.other = &a;
    watcher_watch(&a, fds[0][0], OS_READABLE);
    watcher_watch(&b, fds[1][0], OS_READABLE);
    test_pass();
    ck_assert_int_eq(a.calls + b.calls, 1);
    ck_assert_int_eq(reborn.calls, 0);
    ck_assert_uint_eq(test_center()->stats.stale, 1);
    winner = a.calls == 1 ? &a : &b;
    watcher_unwatch(winner, OS_READABLE);
    ck_assert_str_eq(test_pass(), "");
    test_put_byte(recycled[1]);
    ck_assert_str_eq(test_pass(), "n");
    watcher_unwatch(&reborn, OS_READABLE);
    test_close_both(recycled);
    os_close(test_center_os(), winner->fd);
    os_close(test_center_os(), fds[0][1]);
    os_close(test_center_os(), fds[1][1]);
}
END_TEST

static void rebirth_writable(struct watcher *w)
{
    watcher_unwatch(w, OS_READABLE | OS_WRITABLE);
    watcher_watch(w->other, w->fd, OS_WRITABLE);
}

/* A read callback that ends its own registration and makes a new one: the write half of the
 * old event does not reach it; the new one fires in the next pass. */
START_TEST(own_rebirth_gets_no_stale_half)
{
    struct watcher reader = {.letter = 'r', .also = rebirth_writable};
    struct watcher writer = {.letter = 'w'}, next = {.letter = 'n'};
    int fds[2];

    test_center_open(_i);
    test_ready_socket_pair(fds);
    reader.other = &next;
    watcher_watch(&reader, fds[0], OS_READABLE);
    watcher_watch(&writer, fds[0], OS_WRITABLE);
    ck_assert_str_eq(test_pass(), "r");
    ck_assert_str_eq(test_pass(), "n");
    watcher_unwatch(&next, OS_WRITABLE);
    test_close_both(fds);
}
END_TEST

static TCase *file_cases(void)
{
    TCase *tc = tcase_create("file events");

    tcase_add_checked_fixture(tc, test_center_setup, test_center_teardown);
    tcase_add_loop_test(tc, file_may_cancel_a_later_one, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, mask_is_checked_again, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, same_callback_runs_once, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, last_callback_counts, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, delete_of_one_bit_keeps_the_other, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, delete_of_the_unknown_is_harmless, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, descriptor_zero_works, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, file_event_expansion, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, growth_at_the_boundary, 0, DRIVER_COUNT);
    tcase_add_test(tc, unwatchable_fd_is_an_error);
    tcase_add_loop_test(tc, recycled_fd_gets_no_stale_event, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, own_rebirth_gets_no_stale_half, 0, DRIVER_COUNT);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("event_center_files");

    suite_add_tcase(suite, file_cases());
    return testlib_run(suite);
}
