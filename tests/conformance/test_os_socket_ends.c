/* SPDX-License-Identifier: Apache-2.0 */
/* test_os_socket_ends.c: the socket slots of os.h when something ends: full backlogs,
 * queues that nobody accepts, RST against FIN, half-closed streams, and who is told of
 * an error. Loopback only. */
#include <errno.h>
#include <netinet/in.h>
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

static void close_pair(const int fds[2])
{
    os_close(os, fds[0]);
    os_close(os, fds[1]);
}

/* What poll says now of what it was not asked, too. */
static int bits_of(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

    return os_poll(os, &p, 1, 0) > 0 ? p.revents : 0;
}

/* What was sent a moment ago has arrived. */
static void settle(void)
{
    os_sleep_ns(os, 2 * NSEC_PER_MSEC);
}

/* fds[1] goes with a RST, which has arrived at fds[0]. */
static void reset_by_peer(int fds[2])
{
    test_socket_pair(os, fds);
    ck_assert_int_eq(os_set_option(os, fds[1], OS_SO_LINGER0, 1), 0);
    os_close(os, fds[1]);
    test_wait_fd(os, fds[0], POLLIN);
}

/* A dialler that nobody answers: the backlog is full. fds[2] is the listener. */
static int dial_in_vain(int fds[3])
{
    struct sockaddr_storage at;

    fds[2] = test_listen(os, AF_INET, 0, &at);
    fds[0] = test_dial(os, &at);
    test_wait_fd(os, fds[0], POLLOUT);
    settle();
    fds[1] = test_dial(os, &at);
    settle();
    return fds[1];
}

static void close_three(const int fds[3])
{
    close_pair(fds);
    os_close(os, fds[2]);
}

/* ---- S02, S15: the backlog ---- */

/* One more than the backlog gets in; who comes then waits until there is room. */
START_TEST(full_backlog_makes_wait)
{
    struct sockaddr_storage at, peer;
    int listener = test_listen(os, AF_INET, 1, &at), fds[3], accepted[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = test_dial(os, &at);
        settle();
    }
    ck_assert_int_eq(os_connect_result(os, fds[0]), 1);
    ck_assert_int_eq(os_connect_result(os, fds[1]), 1);
    ck_assert_int_eq(os_connect_result(os, fds[2]), 0);
    for (int i = 0; i < 3; i++) {
        test_wait_fd(os, listener, POLLIN); /* the third comes when it tries again */
        accepted[i] = os_accept(os, listener, &peer);
        ck_assert_int_ge(accepted[i], 0);
    }
    ck_assert_int_eq(os_connect_result(os, fds[2]), 1);
    for (int i = 0; i < 3; i++) {
        os_close(os, fds[i]);
        os_close(os, accepted[i]);
    }
    os_close(os, listener);
}
END_TEST

/* Who came first is accepted first, and the listener is ready until all are. */
START_TEST(accept_goes_in_order)
{
    struct sockaddr_storage at, peer, local;
    int listener = test_listen(os, AF_INET, 8, &at), fds[3], accepted;

    for (int i = 0; i < 3; i++) {
        fds[i] = test_dial(os, &at);
        settle();
    }
    for (int i = 0; i < 3; i++) {
        ck_assert(test_is_ready(os, listener, POLLIN));
        accepted = os_accept(os, listener, &peer);
        ck_assert_int_eq(os_local_addr(os, fds[i], &local), 0);
        ck_assert_int_eq(memcmp(&local, &peer, sizeof(struct sockaddr_in)), 0);
        os_close(os, accepted);
    }
    ck_assert(!test_is_ready(os, listener, POLLIN));
    for (int i = 0; i < 3; i++) {
        os_close(os, fds[i]);
    }
    os_close(os, listener);
}
END_TEST

/* A dialler that sent and left is still accepted, with all it said. */
START_TEST(who_left_in_peace_is_accepted)
{
    struct sockaddr_storage at, peer;
    int listener = test_listen(os, AF_INET, 8, &at), fd = test_dial(os, &at);
    char c;

    test_wait_fd(os, fd, POLLOUT);
    test_send_all(os, fd, "x", 1);
    os_close(os, fd);
    settle();
    fd = os_accept(os, listener, &peer);
    ck_assert_int_ge(fd, 0);
    test_recv_all(os, fd, &c, 1);
    ck_assert_int_eq(test_recv_some(os, fd, &c, 1), 0);
    os_close(os, fd);
    os_close(os, listener);
}
END_TEST

/* So is one that left with a RST; the accepted socket tells of it. */
START_TEST(who_left_with_rst_is_accepted)
{
    struct sockaddr_storage at, peer;
    int listener = test_listen(os, AF_INET, 8, &at), fd = test_dial(os, &at);
    char c;

    test_wait_fd(os, fd, POLLOUT);
    ck_assert_int_eq(os_set_option(os, fd, OS_SO_LINGER0, 1), 0);
    os_close(os, fd);
    settle();
    ck_assert(test_is_ready(os, listener, POLLIN));
    fd = os_accept(os, listener, &peer);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(os_recv(os, fd, &c, 1), -ECONNRESET);
    ck_assert_int_eq(os_recv(os, fd, &c, 1), 0);
    os_close(os, fd);
    os_close(os, listener);
}
END_TEST

/* A listener that closes resets who is in its queue, and nobody else. */
START_TEST(closed_listener_resets_its_queue)
{
    struct sockaddr_storage at, peer;
    int listener = test_listen(os, AF_INET, 8, &at), fds[2], waiting;
    char c;

    fds[0] = test_dial(os, &at);
    test_wait_fd(os, listener, POLLIN);
    fds[1] = os_accept(os, listener, &peer);
    waiting = test_dial(os, &at);
    test_wait_fd(os, waiting, POLLOUT);
    settle();
    os_close(os, listener);
    ck_assert_int_eq(test_recv_some(os, waiting, &c, 1), -ECONNRESET);
    ck_assert_int_eq(test_send(os, waiting, "x", 1), -EPIPE);
    os_close(os, waiting);
    test_send_all(os, fds[0], "x", 1);
    test_recv_all(os, fds[1], &c, 1);
    close_pair(fds);
}
END_TEST

/* After shutdown a listener does not accept, and its port refuses. */
START_TEST(shut_listener_refuses)
{
    struct sockaddr_storage at, peer;
    int listener = test_listen(os, AF_INET, 8, &at), fd = os_socket(os, AF_INET), err;

    ck_assert_int_eq(os_shutdown(os, listener, SHUT_RDWR), 0);
    ck_assert_int_eq(os_accept(os, listener, &peer), -EINVAL);
    err = os_connect(os, fd, test_sockaddr(&at), test_sockaddr_len(&at));
    if (err == -EINPROGRESS) {
        test_wait_fd(os, fd, POLLOUT);
        err = os_connect_result(os, fd);
    }
    ck_assert_int_eq(err, -ECONNREFUSED);
    os_close(os, fd);
    os_close(os, listener);
}
END_TEST

/* ---- S04: connecting ---- */

/* A socket that is still connecting has nothing to read, no room, no peer and no
 * events. */
START_TEST(connecting_socket_waits)
{
    struct sockaddr_storage peer;
    int fds[3], fd = dial_in_vain(fds);
    char c;

    ck_assert_int_eq(os_connect_result(os, fd), 0);
    ck_assert_int_eq(os_recv(os, fd, &c, 1), -EAGAIN);
    ck_assert_int_eq(test_send(os, fd, "x", 1), -EAGAIN);
    ck_assert_int_eq(os_peer_addr(os, fd, &peer), -ENOTCONN);
    ck_assert_int_eq(bits_of(fd), 0);
    close_three(fds);
}
END_TEST

/* Connecting again: -EALREADY on the way; when there, 0 for who asks first and then
 * -EISCONN; a listener is -EISCONN. */
START_TEST(connecting_twice)
{
    struct sockaddr_storage at;
    int fds[3], fd = dial_in_vain(fds);

    ck_assert_int_eq(os_local_addr(os, fds[2], &at), 0);
    ck_assert_int_eq(os_connect(os, fd, test_sockaddr(&at), test_sockaddr_len(&at)),
                     -EALREADY);
    ck_assert_int_eq(os_connect(os, fds[0], test_sockaddr(&at), test_sockaddr_len(&at)), 0);
    ck_assert_int_eq(os_connect(os, fds[0], test_sockaddr(&at), test_sockaddr_len(&at)),
                     -EISCONN);
    ck_assert_int_eq(os_connect(os, fds[2], test_sockaddr(&at), test_sockaddr_len(&at)),
                     -EISCONN);
    close_three(fds);
}
END_TEST

/* A refused connect: poll says so, one call gets the reason, then it is an ended
 * socket. */
START_TEST(refusal_is_told_once)
{
    struct sockaddr_storage at;
    int held = test_hold_port(os, AF_INET, &at), fd = test_dial(os, &at);
    char c;

    test_wait_fd(os, fd, POLLOUT);
    ck_assert_int_eq(bits_of(fd), POLLIN | POLLOUT | POLLERR | POLLHUP);
    ck_assert_int_eq(os_recv(os, fd, &c, 1), -ECONNREFUSED);
    ck_assert_int_eq(bits_of(fd), POLLIN | POLLOUT | POLLHUP);
    ck_assert_int_eq(os_recv(os, fd, &c, 1), 0);
    ck_assert_int_eq(test_send(os, fd, "x", 1), -EPIPE);
    os_close(os, fd);
    os_close(os, held);
}
END_TEST

/* ---- S05: an error is told once, to whom asks first ---- */

START_TEST(error_goes_to_connect_result)
{
    int fds[2];
    char c;

    reset_by_peer(fds);
    ck_assert_int_eq(os_connect_result(os, fds[0]), -ECONNRESET);
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), 0);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -EPIPE);
    os_close(os, fds[0]);
}
END_TEST

START_TEST(error_goes_to_send)
{
    int fds[2];
    char c;

    reset_by_peer(fds);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -ECONNRESET);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -EPIPE);
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), 0);
    os_close(os, fds[0]);
}
END_TEST

START_TEST(error_goes_to_recv)
{
    int fds[2];
    char c;

    reset_by_peer(fds);
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), -ECONNRESET);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -EPIPE);
    ck_assert_int_ge(os_connect_result(os, fds[0]), 0);
    os_close(os, fds[0]);
}
END_TEST

/* Poll sees the error without taking it. */
START_TEST(poll_leaves_the_error)
{
    int fds[2];
    char c;

    reset_by_peer(fds);
    ck_assert_int_eq(bits_of(fds[0]), POLLIN | POLLOUT | POLLERR | POLLHUP);
    ck_assert_int_eq(bits_of(fds[0]), POLLIN | POLLOUT | POLLERR | POLLHUP);
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), -ECONNRESET);
    ck_assert_int_eq(bits_of(fds[0]), POLLIN | POLLOUT | POLLHUP);
    os_close(os, fds[0]);
}
END_TEST

/* Shutting down what was reset says that nobody is there; so does asking for the peer. */
START_TEST(reset_socket_is_not_connected)
{
    struct sockaddr_storage peer;
    int fds[2];

    reset_by_peer(fds);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_WR), -ENOTCONN);
    ck_assert_int_eq(os_peer_addr(os, fds[0], &peer), -ENOTCONN);
    os_close(os, fds[0]);
}
END_TEST

/* ---- S10: how a close looks ---- */

/* Unread bytes turn the FIN into a RST; what had arrived before can be read. */
START_TEST(unread_bytes_make_a_rst)
{
    int fds[2];
    char got[8];

    test_socket_pair(os, fds);
    test_send_all(os, fds[1], "abc", 3);
    test_send_all(os, fds[0], "unread", 6);
    test_wait_fd(os, fds[1], POLLIN);
    os_close(os, fds[1]);
    settle();
    ck_assert_int_eq(os_recv(os, fds[0], got, sizeof(got)), 3);
    ck_assert_int_eq(os_recv(os, fds[0], got, sizeof(got)), -ECONNRESET);
    ck_assert_int_eq(os_recv(os, fds[0], got, sizeof(got)), 0);
    os_close(os, fds[0]);
}
END_TEST

/* What the peer has not read yet does not: that is a FIN. */
START_TEST(unread_by_the_peer_is_a_fin)
{
    int fds[2];
    char got[8];

    test_socket_pair(os, fds);
    test_send_all(os, fds[1], "abc", 3);
    os_close(os, fds[1]);
    settle();
    ck_assert_int_eq(bits_of(fds[0]), POLLIN | POLLOUT);
    ck_assert_int_eq(os_recv(os, fds[0], got, sizeof(got)), 3);
    ck_assert_int_eq(os_recv(os, fds[0], got, sizeof(got)), 0);
    ck_assert_int_eq(os_connect_result(os, fds[0]), 1);
    os_close(os, fds[0]);
}
END_TEST

/* Bytes for a socket that was closed are taken (nobody knows yet), and answered by a RST:
 * after a FIN that is -EPIPE, also for who asks; what is read is the end. */
START_TEST(bytes_for_a_closed_socket)
{
    int fds[2];
    char c;

    test_socket_pair(os, fds);
    os_close(os, fds[1]);
    ck_assert_int_eq(test_recv_some(os, fds[0], &c, 1), 0);
    ck_assert_int_eq(test_send(os, fds[0], "lost", 4), 4);
    settle();
    ck_assert_int_eq(bits_of(fds[0]), POLLIN | POLLOUT | POLLERR | POLLHUP);
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), 0);
    ck_assert_int_eq(os_connect_result(os, fds[0]), -EPIPE);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -EPIPE);
    os_close(os, fds[0]);
}
END_TEST

/* The same for one that was shut for sending before. */
START_TEST(close_after_shutdown)
{
    int fds[2];
    char c;

    test_socket_pair(os, fds);
    ck_assert_int_eq(os_shutdown(os, fds[1], SHUT_WR), 0);
    os_close(os, fds[1]);
    ck_assert_int_eq(test_recv_some(os, fds[0], &c, 1), 0);
    ck_assert_int_eq(test_send(os, fds[0], "lost", 4), 4);
    settle();
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -EPIPE);
    os_close(os, fds[0]);
}
END_TEST

/* ---- S09: half-closed ---- */

/* The FIN comes behind all bytes, however many. */
START_TEST(fin_is_behind_the_bytes)
{
    static uint8_t block[60000], got[60000];
    int fds[2];

    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = testlib_pattern(5, i);
    }
    test_socket_pair(os, fds);
    test_send_all(os, fds[0], block, sizeof(block));
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_WR), 0);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -EPIPE);
    test_recv_all(os, fds[1], got, sizeof(got));
    ck_assert_int_eq(memcmp(block, got, sizeof(got)), 0);
    ck_assert_int_eq(test_recv_some(os, fds[1], got, 1), 0);
    close_pair(fds);
}
END_TEST

/* Half-closed streams are no hang-ups: only when both halves are is POLLHUP there. */
START_TEST(half_close_is_no_hangup)
{
    int fds[2];

    test_socket_pair(os, fds);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_WR), 0);
    settle();
    ck_assert_int_eq(bits_of(fds[0]), POLLOUT);
    ck_assert_int_eq(bits_of(fds[1]), POLLIN | POLLOUT);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_WR), 0); /* again: nothing happens */
    ck_assert_int_eq(os_shutdown(os, fds[1], SHUT_WR), 0);
    settle();
    ck_assert_int_eq(bits_of(fds[0]), POLLIN | POLLOUT | POLLHUP);
    ck_assert_int_eq(bits_of(fds[1]), POLLIN | POLLOUT | POLLHUP);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_WR), -ENOTCONN);
    ck_assert_int_eq(os_shutdown(os, fds[1], SHUT_RDWR), -ENOTCONN);
    close_pair(fds);
}
END_TEST

/* Shut for reading: reads the end at once, and still whatever comes; the peer may
 * send. */
START_TEST(shut_for_reading)
{
    int fds[2];
    char c;

    test_socket_pair(os, fds);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_RD), 0);
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), 0);
    test_send_all(os, fds[1], "x", 1);
    settle();
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), 1);
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), 0);
    test_send_all(os, fds[0], "y", 1);
    test_recv_all(os, fds[1], &c, 1);
    ck_assert_int_eq(c, 'y');
    close_pair(fds);
}
END_TEST

/* ---- S14: windows ---- */

/* Full buffers do not hide the end: bytes, then 0, once somebody reads. */
START_TEST(end_waits_behind_a_shut_window)
{
    static uint8_t block[65536];
    size_t sent = 0, got = 0;
    ssize_t n;
    int fds[2];

    test_socket_pair(os, fds);
    while ((n = test_send(os, fds[0], block, sizeof(block))) > 0) {
        sent += (size_t)n;
    }
    ck_assert_int_eq(n, -EAGAIN);
    os_close(os, fds[0]);
    while ((n = test_recv_some(os, fds[1], block, sizeof(block))) > 0) {
        got += (size_t)n;
    }
    ck_assert_int_eq(n, 0);
    ck_assert_uint_eq(got, sent);
    os_close(os, fds[1]);
}
END_TEST

static void add_backlog_tests(TCase *tc)
{
    tcase_add_test(tc, full_backlog_makes_wait);
    tcase_add_test(tc, accept_goes_in_order);
    tcase_add_test(tc, who_left_in_peace_is_accepted);
    tcase_add_test(tc, who_left_with_rst_is_accepted);
    tcase_add_test(tc, closed_listener_resets_its_queue);
    tcase_add_test(tc, shut_listener_refuses);
    tcase_add_test(tc, connecting_socket_waits);
    tcase_add_test(tc, connecting_twice);
    tcase_add_test(tc, refusal_is_told_once);
}

static void add_end_tests(TCase *tc)
{
    tcase_add_test(tc, error_goes_to_connect_result);
    tcase_add_test(tc, error_goes_to_send);
    tcase_add_test(tc, error_goes_to_recv);
    tcase_add_test(tc, poll_leaves_the_error);
    tcase_add_test(tc, reset_socket_is_not_connected);
    tcase_add_test(tc, unread_bytes_make_a_rst);
    tcase_add_test(tc, unread_by_the_peer_is_a_fin);
    tcase_add_test(tc, bytes_for_a_closed_socket);
    tcase_add_test(tc, close_after_shutdown);
    tcase_add_test(tc, fin_is_behind_the_bytes);
    tcase_add_test(tc, half_close_is_no_hangup);
    tcase_add_test(tc, shut_for_reading);
    tcase_add_test(tc, end_waits_behind_a_shut_window);
}

int main(void)
{
    Suite *suite = suite_create("os_socket_ends");
    TCase *tc = tcase_create("ends");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 20);
    add_backlog_tests(tc);
    add_end_tests(tc);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
