/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw.c: what the system alone can do: a TCP connection over loopback, an
 * edge-triggered epoll set at each end, nothing in between.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "engine/os.h"
#include "engine/util.h"
#include "scenarios/bench/bench.h"

#define READ_BYTES 65536

/* One end; the other one runs on a thread of its own. */
struct end {
    struct os *os; /* borrowed */
    int fd, epfd;
    uint8_t *buf; /* owned: READ_BYTES, or more if a batch is longer */
    const struct bench_opts *opts;
    int rc; /* of the thread */
};

/* ---- both ends --------------------------------------------------------------------- */

static void end_fini(struct end *end)
{
    if (end->fd >= 0) {
        os_close(end->os, end->fd);
    }
    if (end->epfd >= 0) {
        os_close(end->os, end->epfd);
    }
    free(end->buf);
}

static int end_init(struct end *end)
{
    size_t batch = (size_t)end->opts->bytes * MAX(end->opts->batch, 1);

    end->buf = calloc(1, MAX(batch, READ_BYTES));
    end->epfd = os_epoll_create(end->os);
    if (end->buf == NULL || end->epfd < 0) {
        return end->buf == NULL ? -ENOMEM : end->epfd;
    }
    os_set_option(end->os, end->fd, OS_SO_NODELAY, 1);
    return os_epoll_ctl(end->os, end->epfd, OS_EPOLL_ADD, end->fd,
                        OS_READABLE | OS_WRITABLE | OS_EDGE, 0);
}

static int wait_ready(struct end *end)
{
    struct os_epoll_event event;
    int n = os_epoll_wait(end->os, end->epfd, &event, 1, (int64_t)BENCH_LIMIT_NS);

    return n < 0 ? n : n == 0 ? -ETIMEDOUT : 0;
}

static int send_all(struct end *end, size_t len)
{
    size_t done = 0;

    while (done < len) {
        struct iovec iov = {.iov_base = end->buf + done, .iov_len = len - done};
        ssize_t n = os_send(end->os, end->fd, &iov, 1, false);
        int rc = n == -EAGAIN ? wait_ready(end) : n < 0 ? (int)n : 0;

        if (rc < 0) {
            return rc;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Reads at least `want` bytes, at most `max`; 0 or an error. */
static int receive(struct end *end, size_t want, size_t max, size_t *ret_got)
{
    size_t got = 0;

    while (got < want) {
        ssize_t n = os_recv(end->os, end->fd, end->buf, MIN(max - got, READ_BYTES));
        int rc = n == -EAGAIN ? wait_ready(end) : n == 0 ? -EPIPE : n < 0 ? (int)n : 0;

        if (rc < 0) {
            return rc;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    *ret_got = got;
    return 0;
}

/* ---- the connection ---------------------------------------------------------------- */

/* Retries what says "not yet"; loopback answers at once. */
static int accept_one(struct os *os, int listener)
{
    struct sockaddr_storage peer;
    uint64_t until = os_monotonic_ns(os) + BENCH_LIMIT_NS;
    int fd;

    while ((fd = os_accept(os, listener, &peer)) == -EAGAIN &&
           os_monotonic_ns(os) < until) {
        os_sleep_ns(os, NSEC_PER_MSEC);
    }
    return fd;
}

static int connect_one(struct os *os, const struct sockaddr_storage *addr)
{
    uint64_t until = os_monotonic_ns(os) + BENCH_LIMIT_NS;
    int fd = os_socket(os, AF_INET), rc;

    if (fd < 0) {
        return fd;
    }
    rc = os_connect(os, fd, (const struct sockaddr *)addr, sizeof(struct sockaddr_in));
    while (rc == -EINPROGRESS && os_monotonic_ns(os) < until) {
        int done = os_connect_result(os, fd);

        rc = done == 0 ? -EINPROGRESS : done < 0 ? done : 0;
        if (rc == -EINPROGRESS) {
            os_sleep_ns(os, NSEC_PER_MSEC);
        }
    }
    if (rc < 0) {
        os_close(os, fd);
        return rc;
    }
    return fd;
}

static int connect_ends(struct end *a, struct end *b)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage addr;
    int listener = os_socket(a->os, AF_INET), rc;

    if (listener < 0) {
        return listener;
    }
    rc = os_bind(a->os, listener, (struct sockaddr *)&in, sizeof(in));
    rc = rc < 0 ? rc : os_listen(a->os, listener, 1);
    rc = rc < 0 ? rc : os_local_addr(a->os, listener, &addr);
    if (rc >= 0) {
        a->fd = connect_one(a->os, &addr);
        b->fd = a->fd < 0 ? a->fd : accept_one(b->os, listener);
        rc = MIN(a->fd, b->fd) < 0 ? MIN(a->fd, b->fd) : 0;
    }
    os_close(a->os, listener);
    return rc;
}

/* ---- measuring --------------------------------------------------------------------- */

static void echo(void *arg)
{
    struct end *end = arg;
    size_t len = end->opts->bytes, got;

    for (uint64_t i = 0; i < end->opts->count && end->rc == 0; i++) {
        end->rc = receive(end, len, len, &got);
        end->rc = end->rc < 0 ? end->rc : send_all(end, len);
    }
}

static int ask(struct end *end)
{
    size_t len = end->opts->bytes, got;
    int rc = 0;

    for (uint64_t i = 0; i < end->opts->count && rc == 0; i++) {
        rc = send_all(end, len);
        rc = rc < 0 ? rc : receive(end, len, len, &got);
    }
    return rc;
}

static void drain(void *arg)
{
    struct end *end = arg;
    size_t got;

    end->rc = receive(end, end->opts->count * end->opts->bytes, SIZE_MAX, &got);
}

static int pour(struct end *end)
{
    uint64_t left = end->opts->count;
    int rc = 0;

    while (left > 0 && rc == 0) {
        uint64_t n = MIN(left, MAX(end->opts->batch, 1));

        rc = send_all(end, (size_t)n * end->opts->bytes);
        left -= n;
    }
    return rc;
}

static int measure(struct os *os, struct end *a, struct end *b,
                   int (*near_fn)(struct end *), os_thread_fn far_fn, double *ret_ns)
{
    struct os_thread *thread;
    uint64_t began = os_monotonic_ns(os);
    int rc = os_thread_start(os, "far-end", far_fn, b, &thread);

    if (rc < 0) {
        return rc;
    }
    rc = near_fn(a);
    if (rc < 0) { /* or the far end would wait for ever */
        os_shutdown(os, a->fd, SHUT_RDWR);
    }
    os_thread_join(thread);
    *ret_ns = (double)(os_monotonic_ns(os) - began);
    return rc < 0 ? rc : b->rc;
}

static int run_ends(const struct bench_opts *opts, int (*near_fn)(struct end *),
                    os_thread_fn far_fn, double *ret_ns)
{
    struct os *os = os_linux_new(1, "raw");
    struct end a = {.os = os, .fd = -1, .epfd = -1, .opts = opts}, b = a;
    int rc;

    if (os == NULL) {
        return -ENOMEM;
    }
    rc = connect_ends(&a, &b);
    rc = rc < 0 ? rc : end_init(&a);
    rc = rc < 0 ? rc : end_init(&b);
    rc = rc < 0 ? rc : measure(os, &a, &b, near_fn, far_fn, ret_ns);
    end_fini(&a);
    end_fini(&b);
    os_linux_free(os);
    return rc;
}

int bench_raw_round_trip(const struct bench_opts *opts, double *ret_ns)
{
    double ns;
    int rc = run_ends(opts, ask, echo, &ns);

    if (rc == 0) {
        *ret_ns = ns / (double)opts->count;
    }
    return rc;
}

int bench_raw_one_way(const struct bench_opts *opts, double *ret_rate)
{
    double ns;
    int rc = run_ends(opts, pour, drain, &ns);

    if (rc == 0) {
        *ret_rate = (double)opts->count * 1e9 / ns;
    }
    return rc;
}
