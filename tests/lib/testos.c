/* SPDX-License-Identifier: Apache-2.0 */
/* testos.c: the choice of an operating system, and sockets for tests. */
#include "tests/lib/testos.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/limits.h"

struct os *test_os_new(void)
{
    struct os *os = os_linux_new(1, "t");

    ck_assert_ptr_nonnull(os);
    return os;
}

void test_os_free(struct os *os)
{
    os_linux_free(os);
}

bool test_os_is_kernel(const struct os *os)
{
    (void)os;
    return true;
}

struct sockaddr_storage test_loopback(int family)
{
    struct sockaddr_storage addr;

    memset(&addr, 0, sizeof(addr));
    addr.ss_family = (sa_family_t)family;
    if (family == AF_INET6) {
        ((struct sockaddr_in6 *)&addr)->sin6_addr = in6addr_loopback;
    } else {
        ((struct sockaddr_in *)&addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    return addr;
}

socklen_t test_sockaddr_len(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                       : sizeof(struct sockaddr_in);
}

int test_hold_port(struct os *os, int family, struct sockaddr_storage *ret_addr)
{
    struct sockaddr_storage any = test_loopback(family);
    int fd = os_socket(os, family), err;

    if (fd < 0) {
        return fd;
    }
    ck_assert_int_eq(os_set_option(os, fd, OS_SO_REUSEADDR, 1), 0);
    err = os_bind(os, fd, test_sockaddr(&any), test_sockaddr_len(&any));
    if (err < 0) {
        os_close(os, fd);
        return err;
    }
    ck_assert_int_eq(os_local_addr(os, fd, ret_addr), 0);
    return fd;
}

int test_listen(struct os *os, int family, int backlog, struct sockaddr_storage *ret_addr)
{
    int fd = test_hold_port(os, family, ret_addr);

    if (fd >= 0) {
        ck_assert_int_eq(os_listen(os, fd, backlog), 0);
    }
    return fd;
}

int test_dial(struct os *os, const struct sockaddr_storage *addr)
{
    int fd = os_socket(os, addr->ss_family), err;

    ck_assert_int_ge(fd, 0);
    err = os_connect(os, fd, test_sockaddr(addr), test_sockaddr_len(addr));
    ck_assert_msg(err == 0 || err == -EINPROGRESS, "connect: %d", err);
    return fd;
}

void test_socket_pair(struct os *os, int ret_fds[2])
{
    struct sockaddr_storage addr, peer;
    int listener = test_listen(os, AF_INET, LISTEN_BACKLOG, &addr);

    ck_assert_int_ge(listener, 0);
    ret_fds[0] = test_dial(os, &addr);
    test_wait_fd(os, listener, POLLIN);
    ret_fds[1] = os_accept(os, listener, &peer);
    ck_assert_int_ge(ret_fds[1], 0);
    test_wait_fd(os, ret_fds[0], POLLOUT);
    ck_assert_int_eq(os_connect_result(os, ret_fds[0]), 1);
    os_close(os, listener);
}

void test_wait_fd(struct os *os, int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int got;

    do {
        got = os_poll(os, &p, 1, -1);
        ck_assert_int_ge(got, 0);
    } while (got == 0);
}

bool test_is_ready(struct os *os, int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return os_poll(os, &p, 1, 0) == 1 && (p.revents & events) != 0;
}

ssize_t test_send(struct os *os, int fd, const void *data, size_t len)
{
    const struct iovec iov = {.iov_base = (void *)data, .iov_len = len};

    return os_send(os, fd, &iov, 1, false);
}

void test_send_all(struct os *os, int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = test_send(os, fd, at, len);

        if (n == -EAGAIN) {
            test_wait_fd(os, fd, POLLOUT);
            continue;
        }
        ck_assert_int_gt(n, 0);
        at += n;
        len -= (size_t)n;
    }
}

ssize_t test_recv_some(struct os *os, int fd, void *buf, size_t len)
{
    ssize_t n;

    while ((n = os_recv(os, fd, buf, len)) == -EAGAIN) {
        test_wait_fd(os, fd, POLLIN);
    }
    return n;
}

void test_recv_all(struct os *os, int fd, void *buf, size_t len)
{
    char *at = buf;

    while (len > 0) {
        ssize_t n = test_recv_some(os, fd, at, len);

        ck_assert_int_gt(n, 0);
        at += n;
        len -= (size_t)n;
    }
}
