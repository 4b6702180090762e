/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os_linux.c: struct os over Linux and pthreads. The only file that calls the clock, the
 * random source, pthreads, pollers and sockets (make tidy proves it).
 */
#include "engine/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "engine/list.h"
#include "engine/util.h"

struct linux_thread {
    struct os_thread base;
    pthread_t id;
    os_thread_fn fn;
    void *arg;
    struct list node; /* in os_linux.adopted */
};

struct os_linux {
    struct os base;
    pthread_key_t self_key; /* the calling thread's linux_thread for this os */
    pthread_mutex_t lock;   /* guards adopted, live_* and random_* */
    struct list adopted;    /* of linux_thread: threads we did not start */
    int adopted_n;
    int live_threads, live_mutexes, live_conds;
    uint64_t random_pool[32];
    int random_left;
    struct linux_thread shared; /* of threads that there was no memory to adopt */
};

struct os_mutex {
    struct os_linux *os;
    pthread_mutex_t mutex;
};

struct os_cond {
    struct os_linux *os;
    pthread_cond_t cond;
};

static struct os_linux *to_linux(struct os *os)
{
    return container_of(os, struct os_linux, base);
}

static void count_live(struct os_linux *l, int *counter, int n)
{
    pthread_mutex_lock(&l->lock);
    *counter += n;
    CHECK(*counter >= 0);
    pthread_mutex_unlock(&l->lock);
}

/* ---- clock and randomness ---- */

static uint64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t linux_monotonic_ns(struct os *os)
{
    (void)os;
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t linux_realtime_ns(struct os *os)
{
    (void)os;
    return read_clock(CLOCK_REALTIME);
}

static uint64_t linux_random64(struct os *os)
{
    struct os_linux *l = to_linux(os);
    uint64_t value;

    pthread_mutex_lock(&l->lock);
    if (l->random_left == 0) {
        ssize_t got = getrandom(l->random_pool, sizeof(l->random_pool), 0);

        CHECK(got == (ssize_t)sizeof(l->random_pool)); /* 256 bytes are never cut short */
        l->random_left = ARRAY_SIZE(l->random_pool);
    }
    value = l->random_pool[--l->random_left];
    pthread_mutex_unlock(&l->lock);
    return value;
}

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NSEC_PER_SEC),
                             .tv_nsec = (long)(ns % NSEC_PER_SEC)};
}

/* ---- threads ---- */

static void *run_thread(void *arg)
{
    struct linux_thread *t = arg;

    pthread_setspecific(to_linux(t->base.os)->self_key, t);
    t->fn(t->arg);
    return NULL;
}

static int linux_thread_start(struct os *os, const char *name, os_thread_fn fn, void *arg,
                              struct os_thread **ret)
{
    struct os_linux *l = to_linux(os);
    struct linux_thread *t = calloc(1, sizeof(*t));
    int err;

    if (t == NULL) {
        return -ENOMEM;
    }
    t->base.os = os;
    snprintf(t->base.name, sizeof(t->base.name), "%s", name);
    t->fn = fn;
    t->arg = arg;
    list_init(&t->node);
    err = pthread_create(&t->id, NULL, run_thread, t);
    if (err != 0) {
        free(t);
        return -err;
    }
    pthread_setname_np(t->id, t->base.name);
    count_live(l, &l->live_threads, 1);
    *ret = &t->base;
    return 0;
}

static void linux_thread_join(struct os_thread *thread)
{
    struct linux_thread *t = container_of(thread, struct linux_thread, base);
    struct os_linux *l = to_linux(thread->os);
    int err = pthread_join(t->id, NULL);

    CHECK(err == 0);
    count_live(l, &l->live_threads, -1);
    free(t);
}

/* Whoever once had the shared handle keeps it: a thread is always the same one. */
static struct os_thread *adopt_thread(struct os_linux *l)
{
    struct linux_thread *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        pthread_setspecific(l->self_key, &l->shared);
        return &l->shared.base;
    }
    t->base.os = &l->base;
    t->id = pthread_self();
    list_init(&t->node);
    pthread_mutex_lock(&l->lock);
    snprintf(t->base.name, sizeof(t->base.name), "app-%d", l->adopted_n++);
    list_push_back(&l->adopted, &t->node);
    pthread_mutex_unlock(&l->lock);
    pthread_setspecific(l->self_key, t);
    return &t->base;
}

static struct os_thread *linux_thread_self(struct os *os)
{
    struct os_linux *l = to_linux(os);
    struct linux_thread *t = pthread_getspecific(l->self_key);

    return t != NULL ? &t->base : adopt_thread(l);
}

static void linux_sleep_ns(struct os *os, uint64_t ns)
{
    struct timespec ts = to_timespec(ns);

    (void)os;
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR) {
    }
}

/* ---- mutexes and conditions ---- */

static struct os_mutex *linux_mutex_new(struct os *os, const char *name)
{
    struct os_mutex *m = calloc(1, sizeof(*m));

    (void)name; /* the simulator's lock-order checker uses it */
    if (m == NULL) {
        return NULL;
    }
    m->os = to_linux(os);
    pthread_mutex_init(&m->mutex, NULL);
    count_live(m->os, &m->os->live_mutexes, 1);
    return m;
}

static void linux_mutex_free(struct os_mutex *m)
{
    if (m == NULL) {
        return;
    }
    CHECK(pthread_mutex_destroy(&m->mutex) == 0);
    count_live(m->os, &m->os->live_mutexes, -1);
    free(m);
}

static void linux_mutex_lock(struct os_mutex *m)
{
    CHECK(pthread_mutex_lock(&m->mutex) == 0);
}

static void linux_mutex_unlock(struct os_mutex *m)
{
    CHECK(pthread_mutex_unlock(&m->mutex) == 0);
}

static struct os_cond *linux_cond_new(struct os *os, const char *name)
{
    struct os_cond *c = calloc(1, sizeof(*c));
    pthread_condattr_t attr;

    (void)name;
    if (c == NULL) {
        return NULL;
    }
    c->os = to_linux(os);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->cond, &attr);
    pthread_condattr_destroy(&attr);
    count_live(c->os, &c->os->live_conds, 1);
    return c;
}

static void linux_cond_free(struct os_cond *c)
{
    if (c == NULL) {
        return;
    }
    CHECK(pthread_cond_destroy(&c->cond) == 0);
    count_live(c->os, &c->os->live_conds, -1);
    free(c);
}

static int linux_cond_wait(struct os_cond *c, struct os_mutex *m, int64_t timeout_ns)
{
    struct timespec until;

    if (timeout_ns < 0) {
        CHECK(pthread_cond_wait(&c->cond, &m->mutex) == 0);
        return 0;
    }
    until = to_timespec(read_clock(CLOCK_MONOTONIC) + (uint64_t)timeout_ns);
    return -pthread_cond_timedwait(&c->cond, &m->mutex, &until);
}

static void linux_cond_signal(struct os_cond *c)
{
    pthread_cond_signal(&c->cond);
}

static void linux_cond_broadcast(struct os_cond *c)
{
    pthread_cond_broadcast(&c->cond);
}

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
    struct timespec ts = to_timespec(timeout_ns < 0 ? 0 : (uint64_t)timeout_ns);
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
    struct timespec ts = to_timespec(timeout_ns < 0 ? 0 : (uint64_t)timeout_ns);
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
    struct timespec ts = to_timespec(timeout_ns < 0 ? 0 : (uint64_t)timeout_ns);
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

/* ---- the tables ---- */

static const struct os_ops linux_ops = {
    .monotonic_ns = linux_monotonic_ns,
    .realtime_ns = linux_realtime_ns,
    .random64 = linux_random64,
    .thread_start = linux_thread_start,
    .thread_join = linux_thread_join,
    .thread_self = linux_thread_self,
    .sleep_ns = linux_sleep_ns,
    .mutex_new = linux_mutex_new,
    .mutex_free = linux_mutex_free,
    .mutex_lock = linux_mutex_lock,
    .mutex_unlock = linux_mutex_unlock,
    .cond_new = linux_cond_new,
    .cond_free = linux_cond_free,
    .cond_wait = linux_cond_wait,
    .cond_signal = linux_cond_signal,
    .cond_broadcast = linux_cond_broadcast,
};

static const struct os_io_ops linux_io = {
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

struct os *os_linux_new(uint8_t node, const char *name)
{
    struct os_linux *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }
    if (pthread_key_create(&l->self_key, NULL) != 0) {
        free(l);
        return NULL;
    }
    l->base.ops = &linux_ops;
    l->base.io = &linux_io;
    l->base.node = node;
    snprintf(l->base.name, sizeof(l->base.name), "%s", name != NULL ? name : "");
    pthread_mutex_init(&l->lock, NULL);
    list_init(&l->adopted);
    l->shared.base = (struct os_thread){.os = &l->base, .name = "app", .shared = true};
    return &l->base;
}

void os_linux_free(struct os *os)
{
    struct os_linux *l;
    struct list *node;

    if (os == NULL) {
        return;
    }
    l = to_linux(os);
    CHECK(l->live_threads == 0);
    CHECK(l->live_mutexes == 0);
    CHECK(l->live_conds == 0);
    while ((node = list_pop_front(&l->adopted)) != NULL) {
        free(container_of(node, struct linux_thread, node));
    }
    pthread_key_delete(l->self_key);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
