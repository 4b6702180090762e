/* SPDX-License-Identifier: Apache-2.0 */
/* fault_socket.c: the injector's calls that make, set up and end descriptors. */
#include <errno.h>
#include <poll.h>

#include "sim/faults/fault_os_impl.h"

#define ACCEPT_AGAIN_NS NSEC_PER_MSEC
#define CONNECT_LATER_NS NSEC_PER_MSEC
#define CONNECT_SLOW_NS (10 * NSEC_PER_MSEC)
#define CONNECT_NOW_NS NSEC_PER_MSEC

#define CONNECT_ERRNOS ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT, ECONNRESET

/* ---- making descriptors ------------------------------------------------------------ */

/* -EMFILE, if the node may have no more. */
static int check_limit(struct fault_os *fo)
{
    return FAULT_ERRNO(fo, FAULT_R03_FDS, NULL, EMFILE);
}

/* Keeps books on a new descriptor; closes it if there is no memory for that. */
static int adopt(struct fault_os *fo, int fd, enum fault_fd_kind kind, const char *word,
                 const struct sockaddr *remote, struct fault_fd **ret)
{
    struct fault_fd *e = fd >= 0 ? fault_fd_new(fo, fd, kind, word, remote) : NULL;

    if (fd >= 0 && e == NULL) {
        os_close(fo->inner, fd);
        return -ENOMEM;
    }
    if (ret != NULL) {
        *ret = e;
    }
    return fd;
}

int fault_socket(struct os *os, int family)
{
    struct fault_os *fo = to_fault_os(os);
    int err = FAULT_ERRNO(fo, FAULT_S01_SOCKET, NULL, EMFILE, ENFILE, ENOBUFS, ENOMEM,
                          EAFNOSUPPORT);

    if (err == 0) {
        err = check_limit(fo);
    }
    if (err < 0) {
        return err;
    }
    return adopt(fo, os_socket(fo->inner, family), FAULT_FD_SOCKET, ":socket", NULL, NULL);
}

int fault_epoll_create(struct os *os)
{
    struct fault_os *fo = to_fault_os(os);
    int err = FAULT_ERRNO(fo, FAULT_S01_EPOLL, NULL, EMFILE, ENFILE, ENOMEM);

    if (err == 0) {
        err = check_limit(fo);
    }
    if (err < 0) {
        return err;
    }
    return adopt(fo, os_epoll_create(fo->inner), FAULT_FD_EPOLL, ":epoll", NULL, NULL);
}

int fault_pipe(struct os *os, int ret_fds[2])
{
    struct fault_os *fo = to_fault_os(os);
    int err = FAULT_ERRNO(fo, FAULT_S01_PIPE, NULL, EMFILE, ENFILE), fds[2];

    if (err == 0) {
        err = check_limit(fo);
    }
    if (err == 0) {
        err = os_pipe(fo->inner, fds);
    }
    if (err < 0) {
        return err;
    }
    if (adopt(fo, fds[0], FAULT_FD_PIPE, ":wake", NULL, NULL) < 0) {
        os_close(fo->inner, fds[1]);
        return -ENOMEM;
    }
    if (adopt(fo, fds[1], FAULT_FD_PIPE, ":waker", NULL, NULL) < 0) {
        fault_close(os, fds[0]);
        return -ENOMEM;
    }
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

/* ---- setting up -------------------------------------------------------------------- */

int fault_set_option(struct os *os, int fd, enum os_sockopt option, int value)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    struct fault_shot shot;
    int err = FAULT_ERRNO(fo, FAULT_S12_OPTION, e, ENOPROTOOPT, EINVAL, ENOMEM);

    if (err < 0) {
        return err;
    }
    if (fault_ask(fo, FAULT_S12_OPTION_LOST, e, 1, &shot)) {
        return 0;
    }
    return os_set_option(fo->inner, fd, option, value);
}

int fault_bind(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    int err = FAULT_ERRNO(fo, FAULT_S03_BIND, e, EADDRINUSE, EADDRNOTAVAIL, EACCES);

    return err < 0 ? err : os_bind(fo->inner, fd, addr, len);
}

int fault_listen(struct os *os, int fd, int backlog)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    int err = FAULT_ERRNO(fo, FAULT_S03_LISTEN, e, EADDRINUSE);

    if (err == 0) {
        err = os_listen(fo->inner, fd, backlog);
    }
    if (err == 0 && e != NULL) {
        fault_fd_publish(fo, e);
    }
    return err;
}

/* ---- accepting --------------------------------------------------------------------- */

/* Faults before anybody is taken off the queue; 0: none. */
static int accept_fails(struct fault_os *fo, struct fault_fd *e)
{
    struct fault_shot shot;
    int err = FAULT_ERRNO(fo, FAULT_S01_ACCEPT, e, EMFILE, ENFILE, ENOBUFS, ENOMEM);

    if (err == 0) {
        err = check_limit(fo);
    }
    if (err == 0 && e != NULL && fault_fd_is_held(fo, e, DIR_READ)) {
        err = -EAGAIN;
    }
    if (err == 0 && e != NULL &&
        fault_ask(fo, FAULT_S02_ACCEPT_EAGAIN, e, FAULT_TIME_DRAWS, &shot)) {
        fault_fd_hold(fo, e, DIR_READ,
                      os_monotonic_ns(fo->inner) + fault_time(&shot, ACCEPT_AGAIN_NS));
        err = -EAGAIN;
    }
    return err;
}

/* Takes one off the queue, and books it. */
static int accept_one(struct fault_os *fo, struct fault_fd *listener, int fd,
                      struct sockaddr_storage *ret_peer, struct fault_fd **ret)
{
    struct sockaddr_storage peer;
    int got = os_accept(fo->inner, fd, &peer), err;

    if (got < 0) {
        return got;
    }
    err = FAULT_ERRNO(fo, FAULT_S02_ACCEPT_LOST, listener, ECONNABORTED, EPROTO, EPERM,
                      ENETDOWN, EHOSTUNREACH, ENETUNREACH, ENOPROTOOPT, EHOSTDOWN, ENONET,
                      EOPNOTSUPP);
    if (err < 0) {
        os_set_option(fo->inner, got, OS_SO_LINGER0, 1);
        os_close(fo->inner, got);
        return err;
    }
    got = adopt(fo, got, FAULT_FD_SOCKET, "<", (const struct sockaddr *)&peer, ret);
    if (got >= 0) {
        *ret_peer = peer;
    }
    return got;
}

int fault_accept(struct os *os, int fd, struct sockaddr_storage *ret_peer)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *listener = fault_fd_get(fo, fd), *e;
    struct fault_shot shot;
    int got = accept_fails(fo, listener);

    if (got < 0) {
        return got;
    }
    got = accept_one(fo, listener, fd, ret_peer, &e);
    if (got >= 0 && fault_ask(fo, FAULT_S04_ACCEPT_RESET, e, 1, &shot)) {
        fault_fd_kill(fo, e, shot.err != 0 ? shot.err : ECONNRESET);
    }
    return got;
}

/* ---- dialling ---------------------------------------------------------------------- */

/* Faults instead of dialling. 0: none; 1: it is in progress, and will fail. */
static int connect_fails(struct fault_os *fo, struct fault_fd *e)
{
    struct fault_shot shot;
    int err = FAULT_ERRNO(fo, FAULT_S03_PORTS, e, EADDRNOTAVAIL);

    if (err == 0) {
        err = FAULT_ERRNO(fo, FAULT_S04_CONNECT, e, CONNECT_ERRNOS);
    }
    if (err < 0) {
        return err;
    }
    if (!fault_ask(fo, FAULT_S04_CONNECT_LATER, e, FAULT_TIME_DRAWS, &shot)) {
        return 0;
    }
    e->state = FAULT_AWAITING;
    e->is_connecting = true;
    e->error = -fault_errno(&shot, (const int[]){CONNECT_ERRNOS}, 5);
    e->reset_at = os_monotonic_ns(fo->inner) + fault_time(&shot, CONNECT_LATER_NS);
    fault_fd_hold(fo, e, DIR_READ, FAULT_FOR_EVER);
    fault_fd_hold(fo, e, DIR_WRITE, FAULT_FOR_EVER);
    return 1;
}

/* Waits a little for the answer: some connects are over at once. */
static int wait_connected(struct fault_os *fo, int fd, uint64_t ns)
{
    struct pollfd self = {.fd = fd, .events = POLLOUT};
    int result;

    os_poll(fo->inner, &self, 1, (int64_t)ns);
    result = os_connect_result(fo->inner, fd);
    return result > 0 ? 0 : result < 0 ? result : -EINPROGRESS;
}

/* It is under way: slower or faster than usual. */
static int bend_connect(struct fault_os *fo, struct fault_fd *e, int err)
{
    struct fault_shot shot;

    if (fault_ask(fo, FAULT_S04_CONNECT_SLOW, e, FAULT_TIME_DRAWS, &shot)) {
        uint64_t until = os_monotonic_ns(fo->inner) + fault_time(&shot, CONNECT_SLOW_NS);

        e->is_connecting = true;
        fault_fd_hold(fo, e, DIR_READ, until);
        fault_fd_hold(fo, e, DIR_WRITE, until);
        return -EINPROGRESS;
    }
    if (err == -EINPROGRESS &&
        fault_ask(fo, FAULT_S04_CONNECT_NOW, e, FAULT_TIME_DRAWS, &shot)) {
        return wait_connected(fo, e->fd, fault_time(&shot, CONNECT_NOW_NS));
    }
    return err;
}

int fault_connect(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    int err;

    if (e == NULL) {
        return os_connect(fo->inner, fd, addr, len);
    }
    fault_fd_name(fo, e, ">", addr);
    err = connect_fails(fo, e);
    if (err != 0) {
        return err > 0 ? -EINPROGRESS : err;
    }
    err = os_connect(fo->inner, fd, addr, len);
    if (err == 0 || err == -EINPROGRESS) {
        fault_fd_publish(fo, e);
        err = bend_connect(fo, e, err);
    }
    return err;
}

int fault_connect_result(struct os *os, int fd)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    int error;

    if (e != NULL && e->state == FAULT_DEAD) {
        error = e->error;
        e->error = 0;
        return -error; /* told once; then nothing is known */
    }
    if (e != NULL && e->is_connecting) {
        if (e->state == FAULT_AWAITING || fault_fd_is_held(fo, e, DIR_WRITE)) {
            return 0;
        }
        e->is_connecting = false;
    }
    return os_connect_result(fo->inner, fd);
}

/* ---- ending ------------------------------------------------------------------------ */

int fault_shutdown(struct os *os, int fd, int how)
{
    return os_shutdown(to_fault_os(os)->inner, fd, how);
}

void fault_close(struct os *os, int fd)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    struct fault_shot shot;

    if (e != NULL && e->kind == FAULT_FD_SOCKET) {
        fault_pause(fo, e, POINT_CLOSE);
        if (fault_ask(fo, FAULT_S10_CLOSE_RST, e, 1, &shot)) {
            os_set_option(fo->inner, fd, OS_SO_LINGER0, 1);
        }
    }
    if (e != NULL) {
        fault_fd_drop(fo, e);
    }
    os_close(fo->inner, fd);
}
