/* SPDX-License-Identifier: Apache-2.0 */
/* test_select.c: poll in the words of select(2). */
#include "engine/base/select.h"
#include "tests/lib/testlib.h"

static fd_set readable, writable;
static struct pollfd fds[FD_SETSIZE];

static void setup(void)
{
    FD_ZERO(&readable);
    FD_ZERO(&writable);
}

START_TEST(only_what_is_in_a_set_is_asked)
{
    FD_SET(0, &readable);
    FD_SET(3, &readable);
    FD_SET(3, &writable);
    FD_SET(FD_SETSIZE - 1, &writable);
    ck_assert_int_eq(select_to_poll(FD_SETSIZE, &readable, &writable, fds), 3);
    ck_assert_int_eq(fds[0].fd, 0);
    ck_assert_int_eq(fds[0].events, POLLIN);
    ck_assert_int_eq(fds[1].fd, 3);
    ck_assert_int_eq(fds[1].events, POLLIN | POLLOUT);
    ck_assert_int_eq(fds[2].fd, FD_SETSIZE - 1);
    ck_assert_int_eq(fds[2].events, POLLOUT);
}
END_TEST

START_TEST(what_is_not_below_nfds_is_not_asked)
{
    FD_SET(3, &readable);
    ck_assert_int_eq(select_to_poll(3, &readable, &writable, fds), 0);
    ck_assert_int_eq(select_to_poll(4, &readable, &writable, fds), 1);
}
END_TEST

static const struct {
    short events, revents;
    int is_readable, is_writable;
} words[] = {
    {POLLIN, 0, 0, 0},
    {POLLIN, POLLIN, 1, 0},
    {POLLIN | POLLOUT, POLLIN | POLLOUT, 1, 1},
    {POLLIN | POLLOUT, POLLHUP, 1, 0},
    {POLLIN | POLLOUT, POLLERR, 1, 1},
    {POLLOUT, POLLERR | POLLHUP, 0, 1},
    {POLLOUT, POLLHUP, 0, 0},
};

/* As Linux has it: a hang-up reads, an error does both, and nobody is told what he did not
 * ask. What was in the sets is gone. */
START_TEST(poll_is_said_as_select_says_it)
{
    struct pollfd fd = {.fd = 5, .events = words[_i].events, .revents = words[_i].revents};

    FD_SET(7, &readable);
    FD_SET(7, &writable);
    ck_assert_int_eq(select_from_poll(&fd, 1, &readable, &writable),
                     words[_i].is_readable + words[_i].is_writable);
    ck_assert_int_eq(FD_ISSET(5, &readable) != 0, words[_i].is_readable);
    ck_assert_int_eq(FD_ISSET(5, &writable) != 0, words[_i].is_writable);
    ck_assert(!FD_ISSET(7, &readable) && !FD_ISSET(7, &writable));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("select");
    TCase *tc = tcase_create("select");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, only_what_is_in_a_set_is_asked);
    tcase_add_test(tc, what_is_not_below_nfds_is_not_asked);
    tcase_add_loop_test(tc, poll_is_said_as_select_says_it, 0,
                        (int)(sizeof(words) / sizeof(words[0])));
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
