/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c: worker threads and their pool. */
#include "engine/worker.h"

#include <errno.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/util.h"

struct worker_pool {
    struct os *os; /* borrowed */
    uint32_t n;
    struct worker *workers; /* owned array */
    struct os_mutex *lock;  /* owned: ready, and choosing a worker */
    struct os_cond *cond;   /* owned */
    uint32_t ready;         /* workers that own their center, or failed to; under lock */
    int start_error;        /* of the last that failed; under lock */
    bool running;
};

struct worker_start {
    struct worker_pool *pool;
    struct worker *worker;
};

int worker_pool_new(struct os *os, uint32_t n, enum event_driver_kind driver,
                    struct worker_pool **ret)
{
    struct worker_pool *pool;
    int err = -ENOMEM;

    if (n < 1 || n > WORKERS_MAX) {
        return -EINVAL;
    }
    pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return -ENOMEM;
    }
    pool->os = os;
    pool->n = n;
    pool->workers = calloc(n, sizeof(*pool->workers));
    pool->lock = os_mutex_new(os, "WorkerPool::lock");
    pool->cond = os_cond_new(os, "WorkerPool::cond");
    if (pool->workers == NULL || pool->lock == NULL || pool->cond == NULL) {
        goto fail;
    }
    for (uint32_t i = 0; i < n; i++) {
        pool->workers[i].id = i;
        err = event_center_init(&pool->workers[i].center, os, i, driver);
        if (err < 0) {
            goto fail;
        }
    }
    *ret = pool;
    return 0;
fail:
    worker_pool_free(pool);
    return err;
}

static void run_worker(void *arg)
{
    struct worker_start *start = arg;
    struct worker_pool *pool = start->pool;
    struct worker *w = start->worker;
    int err = event_center_set_owner(&w->center);

    free(start);
    os_lock(pool->os, pool->lock);
    pool->ready++;
    pool->start_error = err < 0 ? err : pool->start_error;
    os_cond_signal(pool->os, pool->cond);
    os_unlock(pool->os, pool->lock);
    if (err < 0) {
        return; /* worker_pool_start stops the others */
    }
    while (!atomic_load(&w->done)) {
        event_center_process(&w->center, -1);
    }
    event_center_delete_file_event(&w->center, w->center.notify_read_fd, OS_READABLE);
}

int worker_pool_start(struct worker_pool *pool)
{
    int err = 0;
    uint32_t started = 0;

    CHECK(!pool->running);
    pool->running = true;
    pool->ready = 0; /* an earlier start may have failed */
    pool->start_error = 0;
    for (; started < pool->n; started++) {
        struct worker *w = &pool->workers[started];
        struct worker_start *start = malloc(sizeof(*start));
        char name[16];

        atomic_store(&w->done, false);
        atomic_store(&w->center.owner, NULL);
        if (start == NULL) {
            err = -ENOMEM;
            break;
        }
        *start = (struct worker_start){.pool = pool, .worker = w};
        snprintf(name, sizeof(name), "msgr-worker-%u", w->id);
        err = os_thread_start(pool->os, name, run_worker, start, &w->thread);
        if (err < 0) {
            free(start);
            break;
        }
    }
    os_lock(pool->os, pool->lock);
    while (pool->ready < started) {
        os_cond_wait(pool->os, pool->cond, pool->lock, -1);
    }
    err = err < 0 ? err : pool->start_error;
    os_unlock(pool->os, pool->lock);
    if (err < 0) {
        worker_pool_stop(pool);
    }
    return err;
}

uint32_t worker_pool_size(const struct worker_pool *pool)
{
    return pool->n;
}

struct worker *worker_pool_at(struct worker_pool *pool, uint32_t i)
{
    CHECK(i < pool->n);
    return &pool->workers[i];
}

struct worker *worker_pool_get(struct worker_pool *pool)
{
    struct worker *best = &pool->workers[0];

    os_lock(pool->os, pool->lock);
    for (uint32_t i = 1; i < pool->n; i++) {
        if (atomic_load(&pool->workers[i].references) < atomic_load(&best->references)) {
            best = &pool->workers[i];
        }
    }
    atomic_fetch_add(&best->references, 1);
    os_unlock(pool->os, pool->lock);
    return best;
}

void worker_release(struct worker *worker)
{
    uint32_t before = atomic_fetch_sub(&worker->references, 1);

    CHECK(before > 0);
}

static void do_nothing(void *arg)
{
    (void)arg;
}

void worker_pool_drain(struct worker_pool *pool)
{
    for (uint32_t i = 0; i < pool->n; i++) {
        struct event_center *center = &pool->workers[i].center;

        CHECK(event_center_in_thread(center) != pool->running);
        if (pool->running) {
            event_center_submit(center, do_nothing, NULL);
        } else {
            event_center_process(center, 0);
        }
    }
}

void worker_pool_adopt(struct worker_pool *pool)
{
    CHECK(!pool->running);
    for (uint32_t i = 0; i < pool->n; i++) {
        event_center_adopt(&pool->workers[i].center);
    }
}

void worker_pool_stop(struct worker_pool *pool)
{
    if (!pool->running) {
        return;
    }
    pool->running = false;
    for (uint32_t i = 0; i < pool->n; i++) {
        struct worker *w = &pool->workers[i];

        if (w->thread == NULL) {
            continue;
        }
        atomic_store(&w->done, true);
        event_center_wakeup(&w->center);
        os_thread_join(w->thread);
        w->thread = NULL;
    }
}

void worker_pool_free(struct worker_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    CHECK(!pool->running);
    for (uint32_t i = 0; pool->workers != NULL && i < pool->n; i++) {
        CHECK(atomic_load(&pool->workers[i].references) == 0);
        event_center_fini(&pool->workers[i].center);
    }
    free(pool->workers);
    os_cond_free(pool->os, pool->cond);
    os_mutex_free(pool->os, pool->lock);
    free(pool);
}
