/* SPDX-License-Identifier: Apache-2.0 */
/* os_calls.h: calls the slots of the tables in os.h, which has their contracts and includes
 * this. */
#ifndef MSGRLAB_ENGINE_OS_CALLS_H
#define MSGRLAB_ENGINE_OS_CALLS_H

#include "engine/os.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline uint64_t os_monotonic_ns(struct os *os)
{
    return os->ops->monotonic_ns(os);
}
static inline uint64_t os_realtime_ns(struct os *os)
{
    return os->ops->realtime_ns(os);
}
static inline uint64_t os_random64(struct os *os)
{
    return os->ops->random64(os);
}
static inline int os_thread_start(struct os *os, const char *name, os_thread_fn fn,
                                  void *arg, struct os_thread **ret)
{
    return os->ops->thread_start(os, name, fn, arg, ret);
}
static inline void os_thread_join(struct os_thread *thread)
{
    thread->os->ops->thread_join(thread);
}
static inline struct os_thread *os_thread_self(struct os *os)
{
    return os->ops->thread_self(os);
}
static inline void os_sleep_ns(struct os *os, uint64_t ns)
{
    os->ops->sleep_ns(os, ns);
}
static inline struct os_mutex *os_mutex_new(struct os *os, const char *name)
{
    return os->ops->mutex_new(os, name);
}
static inline void os_mutex_free(struct os *os, struct os_mutex *mutex)
{
    os->ops->mutex_free(mutex);
}
static inline void os_lock(struct os *os, struct os_mutex *mutex)
{
    os->ops->mutex_lock(mutex);
}
static inline void os_unlock(struct os *os, struct os_mutex *mutex)
{
    os->ops->mutex_unlock(mutex);
}
static inline struct os_cond *os_cond_new(struct os *os, const char *name)
{
    return os->ops->cond_new(os, name);
}
static inline void os_cond_free(struct os *os, struct os_cond *cond)
{
    os->ops->cond_free(cond);
}
static inline int os_cond_wait(struct os *os, struct os_cond *cond, struct os_mutex *mutex,
                               int64_t timeout_ns)
{
    return os->ops->cond_wait(cond, mutex, timeout_ns);
}
static inline void os_cond_signal(struct os *os, struct os_cond *cond)
{
    os->ops->cond_signal(cond);
}
static inline void os_cond_broadcast(struct os *os, struct os_cond *cond)
{
    os->ops->cond_broadcast(cond);
}

static inline int os_epoll_create(struct os *os)
{
    return os->io->epoll_create(os);
}
static inline int os_epoll_ctl(struct os *os, int epfd, enum os_epoll_op op, int fd,
                               int mask, uint64_t cookie)
{
    return os->io->epoll_ctl(os, epfd, op, fd, mask, cookie);
}
static inline int os_epoll_wait(struct os *os, int epfd, struct os_epoll_event *events,
                                int n, int64_t timeout_ns)
{
    return os->io->epoll_wait(os, epfd, events, n, timeout_ns);
}
static inline int os_poll(struct os *os, struct pollfd *fds, int n, int64_t timeout_ns)
{
    return os->io->poll(os, fds, n, timeout_ns);
}
static inline int os_select(struct os *os, int nfds, fd_set *readable, fd_set *writable,
                            int64_t timeout_ns)
{
    return os->io->select(os, nfds, readable, writable, timeout_ns);
}
static inline int os_pipe(struct os *os, int ret_fds[2])
{
    return os->io->pipe(os, ret_fds);
}
static inline int os_pair(struct os *os, int ret_fds[2])
{
    return os->io->pair(os, ret_fds);
}
static inline ssize_t os_read(struct os *os, int fd, void *buf, size_t len)
{
    return os->io->read(os, fd, buf, len);
}
static inline ssize_t os_write(struct os *os, int fd, const void *buf, size_t len)
{
    return os->io->write(os, fd, buf, len);
}
static inline void os_close(struct os *os, int fd)
{
    os->io->close(os, fd);
}
static inline int os_socket(struct os *os, int family)
{
    return os->io->socket(os, family);
}
static inline int os_set_option(struct os *os, int fd, enum os_sockopt option, int value)
{
    return os->io->set_option(os, fd, option, value);
}
static inline int os_bind(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    return os->io->bind(os, fd, addr, len);
}
static inline int os_listen(struct os *os, int fd, int backlog)
{
    return os->io->listen(os, fd, backlog);
}
static inline int os_accept(struct os *os, int fd, struct sockaddr_storage *ret_peer)
{
    return os->io->accept(os, fd, ret_peer);
}
static inline int os_connect(struct os *os, int fd, const struct sockaddr *addr,
                             socklen_t len)
{
    return os->io->connect(os, fd, addr, len);
}
static inline int os_connect_result(struct os *os, int fd)
{
    return os->io->connect_result(os, fd);
}
static inline ssize_t os_recv(struct os *os, int fd, void *buf, size_t len)
{
    return os->io->recv(os, fd, buf, len);
}
static inline ssize_t os_send(struct os *os, int fd, const struct iovec *iov, int n,
                              bool more)
{
    return os->io->send(os, fd, iov, n, more);
}
static inline int os_shutdown(struct os *os, int fd, int how)
{
    return os->io->shutdown(os, fd, how);
}
static inline int os_local_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr)
{
    return os->io->local_addr(os, fd, ret_addr);
}
static inline int os_peer_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr)
{
    return os->io->peer_addr(os, fd, ret_addr);
}

#ifdef __cplusplus
}
#endif

#endif
