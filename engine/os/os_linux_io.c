/* SPDX-License-Identifier: Apache-2.0 */
/* os_linux_io.c: struct os over Linux: readiness, descriptors, sockets. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/os/os_linux.h"

/* ---- readiness ---- */

static int linux_epoll_create(struct os *os)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    (void)os;
    return fd < 0 ? -errno : fd;
}

static int linux_epoll_ctl(struct os *os, int epfd, enum os_epoll_op op, int fd, int mask,
                           uint64_t cookie)
{
    static const int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
    struct epoll_event ev = {.data.u64 = cookie};

    (void)os;
    ev.events = (mask & OS_READABLE ? EPOLLIN : 0u) | (mask & OS_WRITABLE ? EPOLLOUT : 0u) |
                (mask & OS_EDGE ? EPOLLET : 0u);
    return epoll_ctl(epfd, ops[op], fd, &ev) < 0 ? -errno : 0;
}

static int linux_epoll_wait(struct os *os, int epfd, struct os_epoll_event *events, int n,
                            int64_t timeout_ns)
{
    struct epoll_event raw[256];
    struct timespec ts = os_linux_timespec(timeout_ns < 0 ? 0 : (uint64_t)timeout_ns);
    int got;

    (void)os;
    got = epoll_pwait2(epfd, raw, MIN(n, (int)ARRAY_SIZE(raw)), timeout_ns < 0 ? NULL : &ts,
                       NULL);
    if (got < 0 && errno == ENOSYS) { /* before Linux 5.11: round up, never down */
        uint64_t ms = ((uint64_t)timeout_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;

        got = epoll_wait(epfd, raw, MIN(n, (int)ARRAY_SIZE(raw)),
                         timeout_ns < 0 ? -1 : (int)MIN(ms, (uint64_t)INT_MAX));
    }
    if (got < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    for (int i = 0; i < got; i++) {
        uint32_t e = raw[i].events;

        events[i].cookie = raw[i].data.u64;
        events[i].mask = (e & EPOLLIN ? OS_READABLE : 0) |
                         (e & EPOLLOUT ? OS_WRITABLE : 0) |
                         (e & (EPOLLERR | EPOLLHUP) ? OS_READABLE | OS_WRITABLE : 0);
    }
    return got;
}

static int linux_poll(struct os *os, struct pollfd *fds, int n, int64_t timeout_ns)
{
    struct timespec ts = os_linux_timespec(timeout_ns < 0 ? 0 : (uint64_t)timeout_ns);
    int got = ppoll(fds, (nfds_t)n, timeout_ns < 0 ? NULL : &ts, NULL);

    (void)os;
    if (got < 0) {
        if (errno != EINTR) {
            return -errno;
        }
        for (int i = 0; i < n; i++) {
            fds[i].revents = 0;
        }
        return 0;
    }
    return got;
}

static int linux_select(struct os *os, int nfds, fd_set *readable, fd_set *writable,
                        int64_t timeout_ns)
{
    struct timespec ts = os_linux_timespec(timeout_ns < 0 ? 0 : (uint64_t)timeout_ns);
    int got = pselect(nfds, readable, writable, NULL, timeout_ns < 0 ? NULL : &ts, NULL);

    (void)os;
    if (got < 0) {
        if (errno != EINTR) {
            return -errno;
        }
        FD_ZERO(readable);
        FD_ZERO(writable);
        return 0;
    }
    return got;
}

/* ---- descriptors ---- */

static int linux_pipe(struct os *os, int ret_fds[2])
{
    int fds[2];

    (void)os;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -errno;
    }
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

/* As small as Linux makes them: it raises the 1 to its minimum. */
static int linux_pair(struct os *os, int ret_fds[2])
{
    int fds[2], small = 1;

    (void)os;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    }
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

static ssize_t linux_read(struct os *os, int fd, void *buf, size_t len)
{
    ssize_t n;

    (void)os;
    do {
        n = read(fd, buf, len);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t linux_write(struct os *os, int fd, const void *buf, size_t len)
{
    ssize_t n;

    (void)os;
    do {
        n = write(fd, buf, len);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void linux_close(struct os *os, int fd)
{
    (void)os;
    CHECK(fd >= 0);
    close(fd); /* on Linux the number is free even after EINTR: never retry */
}

/* ---- sockets ---- */

static int linux_socket(struct os *os, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)os;
    return fd < 0 ? -errno : fd;
}

static int linux_set_option(struct os *os, int fd, enum os_sockopt option, int value)
{
    struct linger linger = {.l_onoff = value, .l_linger = 0};
    int level = SOL_SOCKET, name = 0;
    const void *data = &value;
    socklen_t len = sizeof(value);

    (void)os;
    switch (option) {
    case OS_SO_NODELAY:
        level = IPPROTO_TCP;
        name = TCP_NODELAY;
        break;
    case OS_SO_REUSEADDR:
        name = SO_REUSEADDR;
        break;
    case OS_SO_RCVBUF:
        name = SO_RCVBUF;
        break;
    case OS_SO_SNDBUF:
        name = SO_SNDBUF;
        break;
    case OS_SO_V6ONLY:
        level = IPPROTO_IPV6;
        name = IPV6_V6ONLY;
        break;
    case OS_SO_LINGER0:
        name = SO_LINGER;
        data = &linger;
        len = sizeof(linger);
        break;
    }
    return setsockopt(fd, level, name, data, len) < 0 ? -errno : 0;
}

static int linux_bind(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    (void)os;
    return bind(fd, addr, len) < 0 ? -errno : 0;
}

static int linux_listen(struct os *os, int fd, int backlog)
{
    (void)os;
    return listen(fd, backlog) < 0 ? -errno : 0;
}

static int linux_accept(struct os *os, int fd, struct sockaddr_storage *ret_peer)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int got;

    (void)os;
    memset(&peer, 0, sizeof(peer));
    do {
        got = accept4(fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (got < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (got < 0) {
        return -errno;
    }
    *ret_peer = peer;
    return got;
}

static int linux_connect(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    (void)os;
    if (connect(fd, addr, len) == 0) {
        return 0;
    }
    return errno == EINTR ? -EINPROGRESS : -errno; /* goes on in the background */
}

static int linux_connect_result(struct os *os, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int err = 0;
    socklen_t len = sizeof(err);

    (void)os;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0) {
        return -errno;
    }
    if (err != 0) {
        return -err;
    }
    return poll(&p, 1, 0) > 0 && (p.revents & POLLOUT) != 0;
}

static ssize_t linux_recv(struct os *os, int fd, void *buf, size_t len)
{
    ssize_t n;

    (void)os;
    do {
        n = recv(fd, buf, len, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t linux_send(struct os *os, int fd, const struct iovec *iov, int n, bool more)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    (void)os;
    CHECK(n <= OS_IOV_MAX);
    do {
        sent = sendmsg(fd, &msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static int linux_shutdown(struct os *os, int fd, int how)
{
    (void)os;
    return shutdown(fd, how) < 0 ? -errno : 0;
}

static int linux_local_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr)
{
    socklen_t len = sizeof(*ret_addr);

    (void)os;
    memset(ret_addr, 0, sizeof(*ret_addr));
    return getsockname(fd, (struct sockaddr *)ret_addr, &len) < 0 ? -errno : 0;
}

static int linux_peer_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr)
{
    socklen_t len = sizeof(*ret_addr);

    (void)os;
    memset(ret_addr, 0, sizeof(*ret_addr));
    return getpeername(fd, (struct sockaddr *)ret_addr, &len) < 0 ? -errno : 0;
}

const struct os_io_ops os_linux_io = {
    .epoll_create = linux_epoll_create,
    .epoll_ctl = linux_epoll_ctl,
    .epoll_wait = linux_epoll_wait,
    .poll = linux_poll,
    .select = linux_select,
    .pipe = linux_pipe,
    .pair = linux_pair,
    .read = linux_read,
    .write = linux_write,
    .close = linux_close,
    .socket = linux_socket,
    .set_option = linux_set_option,
    .bind = linux_bind,
    .listen = linux_listen,
    .accept = linux_accept,
    .connect = linux_connect,
    .connect_result = linux_connect_result,
    .recv = linux_recv,
    .send = linux_send,
    .shutdown = linux_shutdown,
    .local_addr = linux_local_addr,
    .peer_addr = linux_peer_addr,
};
