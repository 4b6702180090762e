/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os_linux.c: struct os over Linux and pthreads: clock, randomness, threads, locks. Only
 * this file and os_linux_io.c call the clock, the random source, pthreads, pollers and
 * sockets (make tidy proves it).
 */
#include "engine/os/os_linux.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

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
    struct timespec ts = os_linux_timespec(ns);

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
    until = os_linux_timespec(read_clock(CLOCK_MONOTONIC) + (uint64_t)timeout_ns);
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

/* ---- life ---- */

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
    l->base.io = &os_linux_io;
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
