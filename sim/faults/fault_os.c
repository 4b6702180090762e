/* SPDX-License-Identifier: Apache-2.0 */
/* fault_os.c: the injector's life and its table; clocks, threads and conditions. */
#include "sim/faults/fault_os_impl.h"

#include <errno.h>
#include <string.h>

/* ---- clocks ----------------------------------------------------------------------- */

/* In coarse steps, unless faults are stopped. Rounded up, so that it does not go back when
 * the steps begin. */
static uint64_t in_steps(const struct fault_os *fo, uint64_t ns)
{
    uint64_t step = atomic_load_explicit(&fo->coarse_ns, memory_order_relaxed);

    return step == 0 || sim_faults_are_stopped(fo->f) ? ns : ns + (step - ns % step) % step;
}

/* Nor does it go back when they end. */
static uint64_t fault_monotonic_ns(struct os *os)
{
    struct fault_os *fo = to_fault_os(os);
    uint64_t now = os_monotonic_ns(fo->inner) + atomic_load(&fo->suspended_ns);
    unsigned long long last;

    if (atomic_load_explicit(&fo->coarse_ns, memory_order_relaxed) == 0) {
        return now;
    }
    now = in_steps(fo, now);
    last = atomic_load(&fo->last_ns);
    while (now > last && !atomic_compare_exchange_weak(&fo->last_ns, &last, now)) {
    }
    return MAX(now, (uint64_t)last);
}

static uint64_t fault_realtime_ns(struct os *os)
{
    struct fault_os *fo = to_fault_os(os);

    return in_steps(fo, os_realtime_ns(fo->inner) +
                            (uint64_t)atomic_load(&fo->realtime_off_ns));
}

static uint64_t fault_random64(struct os *os)
{
    return os_random64(to_fault_os(os)->inner);
}

static void fault_sleep_ns(struct os *os, uint64_t ns)
{
    os_sleep_ns(to_fault_os(os)->inner, ns);
}

/* ---- threads ---------------------------------------------------------------------- */

struct start {
    struct fault_os *fo; /* borrowed */
    os_thread_fn fn;
    void *arg;
};

static void begin_thread(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    fault_pause(start.fo, NULL, POINT_START);
    start.fn(start.arg);
}

static int fault_thread_start(struct os *os, const char *name, os_thread_fn fn, void *arg,
                              struct os_thread **ret)
{
    struct fault_os *fo = to_fault_os(os);
    int err = FAULT_ERRNO(fo, FAULT_R03_THREAD, NULL, EAGAIN);
    struct start *start;

    CHECK(fn != NULL);
    if (err < 0) {
        return err;
    }
    start = malloc(sizeof(*start));
    if (start == NULL) {
        return -ENOMEM;
    }
    *start = (struct start){.fo = fo, .fn = fn, .arg = arg};
    err = os_thread_start(fo->inner, name, begin_thread, start, ret);
    if (err < 0) {
        free(start);
    }
    return err;
}

static struct os_thread *fault_thread_self(struct os *os)
{
    return os_thread_self(to_fault_os(os)->inner);
}

/* ---- locks ------------------------------------------------------------------------ */

static struct os_mutex *fault_mutex_new(struct os *os, const char *name)
{
    return os_mutex_new(to_fault_os(os)->inner, name);
}

/* The other slots of a mutex know no os: the table has the inner one's. A condition is
 * wrapped, to know its injector. */
static struct fault_cond *to_fault_cond(struct os_cond *cond)
{
    return (struct fault_cond *)(void *)cond;
}

static struct os_cond *fault_cond_new(struct os *os, const char *name)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_cond *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->fo = fo;
    c->inner = os_cond_new(fo->inner, name);
    if (c->inner == NULL) {
        free(c);
        return NULL;
    }
    return (struct os_cond *)(void *)c;
}

static void fault_cond_free(struct os_cond *cond)
{
    struct fault_cond *c = to_fault_cond(cond);

    if (c != NULL) {
        os_cond_free(c->fo->inner, c->inner);
        free(c);
    }
}

static int fault_cond_wait(struct os_cond *cond, struct os_mutex *mutex, int64_t timeout_ns)
{
    struct fault_cond *c = to_fault_cond(cond);
    struct os *inner = c->fo->inner;
    struct fault_shot shot;
    uint64_t pause_ns;
    int err;

    if (fault_ask(c->fo, FAULT_T03_COND, NULL, 1, &shot)) {
        os_cond_wait(inner, c->inner, mutex, 0); /* lets others in, as a wait would */
        return 0;
    }
    err = os_cond_wait(inner, c->inner, mutex, timeout_ns);
    if (fault_wants_pause(c->fo, NULL, POINT_COND,
                          &pause_ns)) { /* woken, but slow to come back */
        os_unlock(inner, mutex);
        os_sleep_ns(inner, pause_ns);
        os_lock(inner, mutex);
    }
    return err;
}

static void fault_cond_signal(struct os_cond *cond)
{
    os_cond_signal(to_fault_cond(cond)->fo->inner, to_fault_cond(cond)->inner);
}

static void fault_cond_broadcast(struct os_cond *cond)
{
    os_cond_broadcast(to_fault_cond(cond)->fo->inner, to_fault_cond(cond)->inner);
}

/* ---- life ------------------------------------------------------------------------- */

static int fault_local_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr)
{
    return os_local_addr(to_fault_os(os)->inner, fd, ret_addr);
}

static int fault_peer_addr(struct os *os, int fd, struct sockaddr_storage *ret_addr)
{
    return os_peer_addr(to_fault_os(os)->inner, fd, ret_addr);
}

static int fault_pair(struct os *os, int ret_fds[2])
{
    return os_pair(to_fault_os(os)->inner, ret_fds);
}

static const struct os_io_ops io_ops = {
    .epoll_create = fault_epoll_create,
    .epoll_ctl = fault_epoll_ctl,
    .epoll_wait = fault_epoll_wait,
    .poll = fault_poll,
    .select = fault_select,
    .pipe = fault_pipe,
    .pair = fault_pair,
    .read = fault_read,
    .write = fault_write,
    .close = fault_close,
    .socket = fault_socket,
    .set_option = fault_set_option,
    .bind = fault_bind,
    .listen = fault_listen,
    .accept = fault_accept,
    .connect = fault_connect,
    .connect_result = fault_connect_result,
    .recv = fault_recv,
    .send = fault_send,
    .shutdown = fault_shutdown,
    .local_addr = fault_local_addr,
    .peer_addr = fault_peer_addr,
};

struct os *fault_os_new(struct os *inner, struct sim_faults *f)
{
    struct fault_os *fo = calloc(1, sizeof(*fo));

    CHECK(f != NULL);
    if (fo == NULL) {
        return NULL;
    }
    fo->inner = inner;
    fo->f = f;
    fo->base = *inner;
    fo->base.inner = inner;
    fo->base.ops = &fo->ops;
    fo->base.io = &io_ops;
    fo->ops = *inner->ops;
    fo->ops.monotonic_ns = fault_monotonic_ns;
    fo->ops.realtime_ns = fault_realtime_ns;
    fo->ops.random64 = fault_random64;
    fo->ops.sleep_ns = fault_sleep_ns;
    fo->ops.thread_start = fault_thread_start;
    fo->ops.thread_self = fault_thread_self;
    fo->ops.mutex_new = fault_mutex_new;
    fo->ops.cond_new = fault_cond_new;
    fo->ops.cond_free = fault_cond_free;
    fo->ops.cond_wait = fault_cond_wait;
    fo->ops.cond_signal = fault_cond_signal;
    fo->ops.cond_broadcast = fault_cond_broadcast;
    spin_init(&fo->lock);
    return &fo->base;
}

void fault_os_free(struct os *os)
{
    struct fault_os *fo;

    if (os == NULL) {
        return;
    }
    fo = to_fault_os(os);
    for (int fd = 0; fd < fo->n_fds; fd++) {
        free(fo->fds[fd]);
    }
    for (size_t i = 0; i < fo->n_threads; i++) {
        free(fo->threads[i]);
    }
    free(fo->threads);
    free(fo->fds);
    free(fo);
}

struct os *fault_os_inner(struct os *os)
{
    return os->io == &io_ops ? to_fault_os(os)->inner : os;
}

int fault_os_open_fds(struct os *os)
{
    return atomic_load(&to_fault_os(os)->open_n);
}
