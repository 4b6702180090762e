/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_os_socket.c: the socket slots of os.h: connecting, accepting, streams and how they
 * end, addresses, options, and running out of descriptors. Loopback only.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/limits.h"
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

static uint16_t port_of(const struct sockaddr_storage *addr)
{
    return ntohs(((const struct sockaddr_in *)addr)->sin_port);
}

/* ---- connecting and accepting ---- */

/* Port 0 becomes a real port; nobody waits: accept says -EAGAIN; then the accepted socket's
 * peer is the dialler's own address, and the other way round. */
START_TEST(accept_gives_the_dialler)
{
    struct sockaddr_storage at, peer, local, other;
    int listener = test_listen(os, AF_INET, 8, &at), dialler, accepted;

    ck_assert_uint_ne(port_of(&at), 0);
    ck_assert_int_eq(os_accept(os, listener, &peer), -EAGAIN);
    dialler = test_dial(os, &at);
    test_wait_fd(os, listener, POLLIN);
    accepted = os_accept(os, listener, &peer);
    ck_assert_int_ge(accepted, 0);
    ck_assert_int_eq(os_accept(os, listener, &other), -EAGAIN);
    test_wait_fd(os, dialler, POLLOUT);
    ck_assert_int_eq(os_connect_result(os, dialler), 1);
    ck_assert_int_eq(os_connect_result(os, dialler), 1);
    ck_assert_int_eq(os_local_addr(os, dialler, &local), 0);
    ck_assert_int_eq(memcmp(&local, &peer, sizeof(struct sockaddr_in)), 0);
    ck_assert_int_eq(os_peer_addr(os, accepted, &other), 0);
    ck_assert_int_eq(memcmp(&local, &other, sizeof(struct sockaddr_in)), 0);
    ck_assert_int_eq(os_peer_addr(os, dialler, &other), 0);
    ck_assert_int_eq(memcmp(&at, &other, sizeof(struct sockaddr_in)), 0);
    os_close(os, dialler);
    os_close(os, accepted);
    os_close(os, listener);
}
END_TEST

/* A port where nobody listens refuses; connect_result consumes the reason. */
START_TEST(connect_is_refused)
{
    struct sockaddr_storage at;
    int held = test_hold_port(os, AF_INET, &at), fd = os_socket(os, AF_INET), err;

    err = os_connect(os, fd, test_sockaddr(&at), test_sockaddr_len(&at));
    if (err == -EINPROGRESS) {
        test_wait_fd(os, fd, POLLOUT);
        err = os_connect_result(os, fd);
    }
    ck_assert_int_eq(err, -ECONNREFUSED);
    os_close(os, fd);
    os_close(os, held);
}
END_TEST

/* While the other side's queue is full a connect stays in progress: result 0, not writable.
 */
START_TEST(connect_stays_in_progress)
{
    struct sockaddr_storage at;
    int fds[64], n = 0, result = 1;
    int listener = test_listen(os, AF_INET, 0, &at);

    while (result == 1 && n < (int)ARRAY_SIZE(fds)) {
        fds[n] = test_dial(os, &at);
        result = os_connect_result(os, fds[n++]);
    }
    ck_assert_int_eq(result, 0);
    ck_assert(!test_is_ready(os, fds[n - 1], POLLOUT));
    while (n > 0) {
        os_close(os, fds[--n]);
    }
    os_close(os, listener);
}
END_TEST

/* An address in use is refused with -EADDRINUSE, one that is not ours with -EADDRNOTAVAIL.
 */
START_TEST(bind_refuses)
{
    struct sockaddr_storage at;
    int listener = test_listen(os, AF_INET, 8, &at), fd = os_socket(os, AF_INET);
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};

    ck_assert_int_eq(os_bind(os, fd, test_sockaddr(&at), test_sockaddr_len(&at)),
                     -EADDRINUSE);
    ck_assert_int_eq(os_bind(os, fd, (const struct sockaddr *)&far, sizeof(far)),
                     -EADDRNOTAVAIL);
    os_close(os, fd);
    os_close(os, listener);
}
END_TEST

/* With REUSEADDR a port can be listened on again at once, though
 * streams of its former listener linger. */
START_TEST(port_is_reusable_after_close)
{
    struct sockaddr_storage at, peer;
    int held = test_hold_port(os, AF_INET, &at), listener, dialler, accepted;

    listener = os_socket(os, AF_INET);
    ck_assert_int_eq(os_set_option(os, listener, OS_SO_REUSEADDR, 1), 0);
    ck_assert_int_eq(os_bind(os, listener, test_sockaddr(&at), test_sockaddr_len(&at)), 0);
    ck_assert_int_eq(os_listen(os, listener, 8), 0);
    dialler = test_dial(os, &at);
    test_wait_fd(os, listener, POLLIN);
    accepted = os_accept(os, listener, &peer);
    os_close(os, accepted); /* the side that closes first lingers */
    os_close(os, listener);
    listener = os_socket(os, AF_INET);
    ck_assert_int_eq(os_set_option(os, listener, OS_SO_REUSEADDR, 1), 0);
    ck_assert_int_eq(os_bind(os, listener, test_sockaddr(&at), test_sockaddr_len(&at)), 0);
    ck_assert_int_eq(os_listen(os, listener, 8), 0);
    os_close(os, listener);
    os_close(os, dialler);
    os_close(os, held);
}
END_TEST

/* A socket that is not connected has no peer and sends nothing. */
START_TEST(unconnected_socket_has_no_peer)
{
    struct sockaddr_storage peer;
    int fd = os_socket(os, AF_INET);
    char c;

    ck_assert_int_eq(os_peer_addr(os, fd, &peer), -ENOTCONN);
    ck_assert_int_eq(os_recv(os, fd, &c, 1), -ENOTCONN);
    ck_assert_int_eq(test_send(os, fd, "x", 1), -EPIPE);
    os_close(os, fd);
}
END_TEST

/* ---- streams ---- */

/* Bytes arrive as sent, from any number of pieces; with nothing there, recv says -EAGAIN.
 */
START_TEST(stream_carries_pieces)
{
    struct iovec iov[OS_IOV_MAX];
    char bytes[OS_IOV_MAX], got[OS_IOV_MAX + 5];
    int fds[2];

    test_socket_pair(os, fds);
    ck_assert_int_eq(os_recv(os, fds[1], got, 1), -EAGAIN);
    for (int i = 0; i < OS_IOV_MAX; i++) {
        bytes[i] = (char)i;
        iov[i] = (struct iovec){.iov_base = &bytes[i], .iov_len = 1};
    }
    ck_assert_int_eq(os_send(os, fds[0], iov, OS_IOV_MAX, true), OS_IOV_MAX);
    ck_assert_int_eq(test_send(os, fds[0], "after", 5), 5);
    test_recv_all(os, fds[1], got, sizeof(got));
    ck_assert_int_eq(memcmp(got, bytes, sizeof(bytes)), 0);
    ck_assert_int_eq(memcmp(got + sizeof(bytes), "after", 5), 0);
    close_pair(fds);
}
END_TEST

/* What was sent with `more` arrives even if nothing follows but the end. */
START_TEST(more_is_no_promise)
{
    const struct iovec iov = {.iov_base = (void *)"tail", .iov_len = 4};
    char got[5];
    int fds[2];

    test_socket_pair(os, fds);
    ck_assert_int_eq(os_send(os, fds[0], &iov, 1, true), 4);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_WR), 0);
    test_recv_all(os, fds[1], got, 4);
    ck_assert_int_eq(memcmp(got, "tail", 4), 0);
    ck_assert_int_eq(test_recv_some(os, fds[1], got, 1), 0);
    close_pair(fds);
}
END_TEST

/* A peer that does not read: sends are taken in part, then -EAGAIN and not writable; all
 * that was taken arrives; once it is read the socket is writable again. */
START_TEST(back_pressure_and_drain)
{
    static uint8_t block[65536], got[65536];
    size_t sent = 0, received = 0, wrong = 0;
    ssize_t n;
    int fds[2];

    test_socket_pair(os, fds);
    for (;;) {
        for (size_t i = 0; i < sizeof(block); i++) {
            block[i] = testlib_pattern(1, sent + i);
        }
        n = test_send(os, fds[0], block, sizeof(block));
        if (n < 0) {
            break;
        }
        ck_assert_int_gt(n, 0);
        sent += (size_t)n;
    }
    ck_assert_int_eq(n, -EAGAIN);
    ck_assert(!test_is_ready(os, fds[0], POLLOUT));
    while (received < sent) {
        n = test_recv_some(os, fds[1], got, sizeof(got));
        ck_assert_int_gt(n, 0);
        for (size_t i = 0; i < (size_t)n; i++) { /* an assertion per byte costs seconds */
            wrong += got[i] != testlib_pattern(1, received + i);
        }
        received += (size_t)n;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(received, sent);
    test_wait_fd(os, fds[0], POLLOUT);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), 1);
    close_pair(fds);
}
END_TEST

/* Half-close: the peer reads to the end, then 0, again and again, and can still send. */
START_TEST(half_close_leaves_the_other_half)
{
    char got[8];
    int fds[2];

    test_socket_pair(os, fds);
    test_send_all(os, fds[0], "last", 4);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_WR), 0);
    test_recv_all(os, fds[1], got, 4);
    ck_assert_int_eq(test_recv_some(os, fds[1], got, sizeof(got)), 0);
    ck_assert_int_eq(os_recv(os, fds[1], got, sizeof(got)), 0);
    test_send_all(os, fds[1], "answer", 6);
    test_recv_all(os, fds[0], got, 6);
    ck_assert_int_eq(memcmp(got, "answer", 6), 0);
    close_pair(fds);
}
END_TEST

/* A close in peace is a FIN: the peer reads what was sent, then 0. */
START_TEST(close_sends_fin)
{
    char got[8];
    int fds[2];

    test_socket_pair(os, fds);
    test_send_all(os, fds[0], "bye", 3);
    os_close(os, fds[0]);
    test_recv_all(os, fds[1], got, 3);
    ck_assert_int_eq(test_recv_some(os, fds[1], got, sizeof(got)), 0);
    os_close(os, fds[1]);
}
END_TEST

/* A close with LINGER0 is an RST: the peer's next call says -ECONNRESET, once; what it
 * sends afterwards -EPIPE. */
START_TEST(linger0_close_sends_rst)
{
    char got[8];
    int fds[2];

    test_socket_pair(os, fds);
    ck_assert_int_eq(os_set_option(os, fds[0], OS_SO_LINGER0, 1), 0);
    os_close(os, fds[0]);
    ck_assert_int_eq(test_recv_some(os, fds[1], got, sizeof(got)), -ECONNRESET);
    ck_assert_int_eq(os_recv(os, fds[1], got, sizeof(got)), 0);
    ck_assert_int_eq(test_send(os, fds[1], "x", 1), -EPIPE);
    os_close(os, fds[1]);
}
END_TEST

/* A peer that is gone: the first send is taken, then the RST comes; a send after one's own
 * shutdown is -EPIPE at once. No signal kills the process. */
START_TEST(send_to_nobody_is_epipe)
{
    ssize_t n;
    int fds[2];

    test_socket_pair(os, fds);
    os_close(os, fds[1]);
    do {
        n = test_send(os, fds[0], "x", 1);
        test_wait_fd(os, fds[0], POLLIN);
    } while (n == 1);
    ck_assert_msg(n == -EPIPE || n == -ECONNRESET, "send: %zd", n);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -EPIPE);
    os_close(os, fds[0]);

    test_socket_pair(os, fds);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_RDWR), 0);
    ck_assert_int_eq(test_send(os, fds[0], "x", 1), -EPIPE);
    close_pair(fds);
}
END_TEST

/* After shutdown(SHUT_RDWR) both sides read the end, and the socket still has to be closed.
 */
START_TEST(shutdown_ends_both_directions)
{
    char c;
    int fds[2];

    test_socket_pair(os, fds);
    ck_assert_int_eq(os_shutdown(os, fds[0], SHUT_RDWR), 0);
    ck_assert_int_eq(os_recv(os, fds[0], &c, 1), 0);
    ck_assert_int_eq(test_recv_some(os, fds[1], &c, 1), 0);
    close_pair(fds);
}
END_TEST

/* ---- options, families, descriptors ---- */

/* Every option can be set on a stream socket. */
START_TEST(options_are_accepted)
{
    static const struct {
        enum os_sockopt option;
        int value;
    } options[] = {
        {OS_SO_NODELAY, 1},    {OS_SO_NODELAY, 0},    {OS_SO_REUSEADDR, 1},
        {OS_SO_RCVBUF, 65536}, {OS_SO_SNDBUF, 65536}, {OS_SO_LINGER0, 1},
        {OS_SO_LINGER0, 0},
    };
    int fd = os_socket(os, AF_INET);

    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        ck_assert_int_eq(os_set_option(os, fd, options[i].option, options[i].value), 0);
    }
    os_close(os, fd);
}
END_TEST

/* A small send buffer is reached sooner than a large one. */
START_TEST(send_buffer_size_matters)
{
    static char block[4096];
    size_t taken[2] = {0, 0};

    for (int i = 0; i < 2; i++) {
        int fds[2];
        ssize_t n;

        test_socket_pair(os, fds);
        ck_assert_int_eq(os_set_option(os, fds[0], OS_SO_SNDBUF, i == 0 ? 8192 : 131072),
                         0);
        while ((n = test_send(os, fds[0], block, sizeof(block))) > 0) {
            taken[i] += (size_t)n;
        }
        close_pair(fds);
    }
    ck_assert_uint_lt(taken[0], taken[1]);
}
END_TEST

/* IPv6 works like IPv4. */
START_TEST(ipv6_loopback)
{
    struct sockaddr_storage at, peer;
    int listener = test_listen(os, AF_INET6, 8, &at), dialler, accepted;
    char c;

    if (listener < 0) {
        printf("ipv6_loopback: skipped, no IPv6 here (%s)\n", strerror(-listener));
        return;
    }
    dialler = test_dial(os, &at);
    test_wait_fd(os, listener, POLLIN);
    accepted = os_accept(os, listener, &peer);
    ck_assert_int_ge(accepted, 0);
    ck_assert_int_eq(peer.ss_family, AF_INET6);
    test_send_all(os, dialler, "6", 1);
    test_recv_all(os, accepted, &c, 1);
    ck_assert_int_eq(c, '6');
    os_close(os, dialler);
    os_close(os, accepted);
    os_close(os, listener);
}
END_TEST

/* Binds every IPv6 address at a free port, and every IPv4 address at the same. What the
 * second bind says; -EAFNOSUPPORT without IPv6. */
static int bind_both(int v6only)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    struct sockaddr_in any4 = {.sin_family = AF_INET};
    struct sockaddr_storage at;
    int six = os_socket(os, AF_INET6), four = os_socket(os, AF_INET), err = -EAFNOSUPPORT;

    if (six >= 0) {
        ck_assert_int_eq(os_set_option(os, six, OS_SO_V6ONLY, v6only), 0);
        if (os_bind(os, six, (struct sockaddr *)&any, sizeof(any)) == 0) {
            ck_assert_int_eq(os_local_addr(os, six, &at), 0);
            any4.sin_port = ((struct sockaddr_in6 *)&at)->sin6_port;
            err = os_bind(os, four, (struct sockaddr *)&any4, sizeof(any4));
        }
        os_close(os, six);
    }
    os_close(os, four);
    return err;
}

/* V6ONLY leaves the IPv4 port of the same number to others, and without it nobody gets it.
 * The number is the system's choice, so another process may have the IPv4 one: of 50 most
 * are free. */
START_TEST(v6only_leaves_ipv4_alone)
{
    int taken[2] = {0, 0};

    if (bind_both(1) == -EAFNOSUPPORT) {
        printf("v6only_leaves_ipv4_alone: skipped, no IPv6 here\n");
        return;
    }
    for (int i = 0; i < 50; i++) {
        taken[0] += bind_both(0) == 0;
        taken[1] += bind_both(1) == 0;
    }
    if (test_os_is_kernel(os)) {
        ck_assert_int_eq(taken[0], 0);
    } else {
        printf("v6only_leaves_ipv4_alone: half of it, see sim/DEVIATIONS.md\n");
    }
    ck_assert_int_gt(taken[1], 0);
}
END_TEST

static void assert_fresh(int fd)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

/* Every descriptor is close-on-exec and does not block. */
START_TEST(descriptors_are_cloexec_and_nonblocking)
{
    int pipe_fds[2], fds[2], epfd;

    if (!test_os_is_kernel(os)) {
        printf("%s: skipped, asks the kernel\n", __func__);
        return;
    }
    ck_assert_int_eq(os_pipe(os, pipe_fds), 0);
    assert_fresh(pipe_fds[0]);
    assert_fresh(pipe_fds[1]);
    test_socket_pair(os, fds);
    assert_fresh(fds[0]); /* made by socket */
    assert_fresh(fds[1]); /* made by accept */
    epfd = os_epoll_create(os);
    ck_assert_int_ge(epfd, 0);
    ck_assert_int_ne(fcntl(epfd, F_GETFD) & FD_CLOEXEC, 0);
    close_pair(pipe_fds);
    close_pair(fds);
    os_close(os, epfd);
}
END_TEST

/* Out of descriptors: every slot that makes one says -EMFILE and nothing is lost; who waits
 * to be accepted still waits when there is room again. */
START_TEST(running_out_says_emfile)
{
    struct sockaddr_storage at, peer;
    struct rlimit limit;
    int listener, dialler, fds[2], n = 0, spare[256];

    if (!test_os_is_kernel(os)) {
        printf("%s: skipped, asks the kernel\n", __func__);
        return;
    }
    listener = test_listen(os, AF_INET, 8, &at);
    dialler = test_dial(os, &at);
    test_wait_fd(os, listener, POLLIN);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)dialler + 20; /* this process ends with the test */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (n < (int)ARRAY_SIZE(spare) && (spare[n] = os_socket(os, AF_INET)) >= 0) {
        n++;
    }
    ck_assert_int_eq(spare[n], -EMFILE);
    ck_assert_int_eq(os_pipe(os, fds), -EMFILE);
    ck_assert_int_eq(os_epoll_create(os), -EMFILE);
    ck_assert_int_eq(os_accept(os, listener, &peer), -EMFILE);
    ck_assert(test_is_ready(os, listener, POLLIN));
    while (n > 0) {
        os_close(os, spare[--n]);
    }
    fds[1] = os_accept(os, listener, &peer);
    ck_assert_int_ge(fds[1], 0);
    os_close(os, fds[1]);
    os_close(os, dialler);
    os_close(os, listener);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("os_socket");
    TCase *tc = tcase_create("sockets");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, accept_gives_the_dialler);
    tcase_add_test(tc, connect_is_refused);
    tcase_add_test(tc, connect_stays_in_progress);
    tcase_add_test(tc, bind_refuses);
    tcase_add_test(tc, port_is_reusable_after_close);
    tcase_add_test(tc, unconnected_socket_has_no_peer);
    tcase_add_test(tc, stream_carries_pieces);
    tcase_add_test(tc, more_is_no_promise);
    tcase_add_test(tc, back_pressure_and_drain);
    tcase_add_test(tc, half_close_leaves_the_other_half);
    tcase_add_test(tc, close_sends_fin);
    tcase_add_test(tc, linger0_close_sends_rst);
    tcase_add_test(tc, send_to_nobody_is_epipe);
    tcase_add_test(tc, shutdown_ends_both_directions);
    tcase_add_test(tc, options_are_accepted);
    tcase_add_test(tc, send_buffer_size_matters);
    tcase_add_test(tc, ipv6_loopback);
    tcase_add_test(tc, v6only_leaves_ipv4_alone);
    tcase_add_test(tc, descriptors_are_cloexec_and_nonblocking);
    tcase_add_test(tc, running_out_says_emfile);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
