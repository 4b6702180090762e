/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_worker.c: the pool of workers: each has a thread and a center of its own,
 * connections are dealt out by count, draining waits for what was posted, stopping ends it
 * all.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/limits.h"
#include "engine/worker.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static struct os *os;
static struct worker_pool *pool;
static int fds_before;

static void setup(void)
{
    fds_before = testlib_open_fds();
    os = test_os_new();
}

static void teardown(void)
{
    if (pool != NULL) {
        worker_pool_stop(pool);
        worker_pool_free(pool);
        pool = NULL;
    }
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

static void open_pool(uint32_t n, int driver)
{
    ck_assert_int_eq(worker_pool_new(os, n, (enum event_driver_kind)driver, &pool), 0);
    ck_assert_uint_eq(worker_pool_size(pool), n);
}

/* A pool has 1 to WORKERS_MAX workers. */
START_TEST(size_is_checked)
{
    struct worker_pool *none = NULL;

    ck_assert_int_eq(worker_pool_new(os, 0, DRIVER_EPOLL, &none), -EINVAL);
    ck_assert_int_eq(worker_pool_new(os, WORKERS_MAX + 1, DRIVER_EPOLL, &none), -EINVAL);
    ck_assert_ptr_null(none);
    open_pool(WORKERS_MAX, DRIVER_EPOLL);
    worker_pool_free(NULL);
}
END_TEST

/* Out of descriptors: the pool says so and keeps none, wherever it ran out. */
START_TEST(no_descriptors_no_pool)
{
    struct worker_pool *none = NULL;
    struct rlimit limit, low;

    if (!test_os_is_kernel(os)) {
        printf("%s: skipped, asks the kernel\n", __func__);
        return;
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (rlim_t room = 0; room < 6; room++) { /* two workers want six */
        int lowest = os_socket(os, AF_INET), err;

        os_close(os, lowest);
        low = limit;
        low.rlim_cur = (rlim_t)lowest + room;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
        err = worker_pool_new(os, 2, DRIVER_EPOLL, &none);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_int_eq(err, -EMFILE);
        ck_assert_int_eq(testlib_open_fds(), fds_before);
    }
}
END_TEST

struct visit {
    struct worker *worker;
    char name[16];
    bool owner;
};

static void look_around(void *arg)
{
    struct visit *v = arg;

    strcpy(v->name, os_thread_self(os)->name);
    v->owner = event_center_in_thread(&v->worker->center);
}

/* Worker N is the thread msgr-worker-N, and owns center N. */
START_TEST(each_worker_owns_a_center)
{
    open_pool(3, _i);
    ck_assert_int_eq(worker_pool_start(pool), 0);
    for (uint32_t i = 0; i < 3; i++) {
        struct visit v = {.worker = worker_pool_at(pool, i)};
        char name[16];

        ck_assert_uint_eq(v.worker->id, i);
        ck_assert_uint_eq(v.worker->center.id, i);
        event_center_submit(&v.worker->center, look_around, &v);
        snprintf(name, sizeof(name), "msgr-worker-%u", i);
        ck_assert_str_eq(v.name, name);
        ck_assert(v.owner);
    }
}
END_TEST

/* ---- balancing ---- */

/* The worker with the fewest connections gets the next one; of equals the first. */
START_TEST(connections_are_dealt_by_count)
{
    static const uint32_t order[] = {0, 1, 2, 0, 1, 2};

    open_pool(3, DRIVER_EPOLL);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        ck_assert_uint_eq(worker_pool_get(pool)->id, order[i]);
    }
    worker_release(worker_pool_at(pool, 2));
    worker_release(worker_pool_at(pool, 2));
    worker_release(worker_pool_at(pool, 1));
    ck_assert_uint_eq(worker_pool_get(pool)->id, 2); /* 2 1 0 */
    ck_assert_uint_eq(worker_pool_get(pool)->id, 1); /* 2 1 1 */
    ck_assert_uint_eq(worker_pool_get(pool)->id, 2); /* 2 2 1 */
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(atomic_load(&worker_pool_at(pool, i)->references), 2);
        worker_release(worker_pool_at(pool, i));
        worker_release(worker_pool_at(pool, i));
    }
}
END_TEST

static void get_many(void *arg)
{
    struct worker **got = arg;

    for (int i = 0; i < 300; i++) {
        got[i] = worker_pool_get(pool);
    }
}

/* Threads that ask at the same time leave the counts level. */
START_TEST(balancing_is_thread_safe)
{
    static struct worker *got[4][300];
    struct os_thread *threads[4];

    open_pool(3, DRIVER_EPOLL);
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(os_thread_start(os, "getter", get_many, got[k], &threads[k]), 0);
    }
    for (int k = 0; k < 4; k++) {
        os_thread_join(threads[k]);
    }
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(atomic_load(&worker_pool_at(pool, i)->references), 400);
    }
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 300; i++) {
            worker_release(got[k][i]);
        }
    }
}
END_TEST

/* ---- draining and stopping ---- */

struct step {
    struct external_event ev;
    struct worker *worker;
    bool ran;
};

static void take_step(void *arg)
{
    ((struct step *)arg)->ran = true;
}

static void step_init(struct step *step, uint32_t worker)
{
    *step = (struct step){.worker = worker_pool_at(pool, worker)};
    external_event_init(&step->ev, "step", take_step, step);
}

/* drain comes back when each worker has run everything posted before the call. */
START_TEST(drain_waits_for_what_was_posted)
{
    static struct step steps[3000];

    open_pool(3, _i);
    ck_assert_int_eq(worker_pool_start(pool), 0);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1000; i++) {
            struct step *step = &steps[round * 1000 + i];

            step_init(step, i % 3);
            event_center_post(&step->worker->center, &step->ev);
        }
        worker_pool_drain(pool);
        for (uint32_t i = 0; i < 1000; i++) {
            ck_assert_msg(steps[round * 1000 + i].ran, "step %u of round %u", i, round);
        }
    }
}
END_TEST

/* Stopping ends workers that wait, twice is fine, and so is a pool that never ran. */
START_TEST(stop_ends_waiting_workers)
{
    open_pool(3, _i);
    worker_pool_stop(pool);
    ck_assert_int_eq(worker_pool_start(pool), 0);
    worker_pool_drain(pool);
    worker_pool_stop(pool);
    worker_pool_stop(pool);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_ptr_null(worker_pool_at(pool, i)->thread);
    }
}
END_TEST

static void drain_pool(void *arg)
{
    (void)arg;
    worker_pool_drain(pool);
}

/* A worker that drains its own pool would wait for itself: it is stopped. */
START_TEST(drain_from_a_worker_is_stopped)
{
    open_pool(1, DRIVER_EPOLL);
    ck_assert_int_eq(worker_pool_start(pool), 0);
    event_center_submit(&worker_pool_at(pool, 0)->center, drain_pool, NULL);
}
END_TEST

/* A count given back twice is stopped. */
START_TEST(release_too_often_is_stopped)
{
    open_pool(1, DRIVER_EPOLL);
    worker_release(worker_pool_get(pool));
    worker_release(worker_pool_at(pool, 0));
}
END_TEST

/* A pool does not end while a connection counts on a worker. */
START_TEST(free_with_connections_is_stopped)
{
    open_pool(1, DRIVER_EPOLL);
    worker_pool_get(pool);
    worker_pool_free(pool);
}
END_TEST

/* ---- counters ---- */

static void count_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        WORKER_COUNT(worker_pool_at(pool, 0), msgr_recv_bytes, 3);
        WORKER_COUNT(worker_pool_at(pool, 0), msgr_active_connections,
                     i % 2 ? -1ULL : 1ULL);
    }
}

/* Counters begin at 0, lose nothing when several threads count, and go down as well. */
START_TEST(counters_add_up)
{
    struct os_thread *threads[3];
    struct worker *w;

    open_pool(2, DRIVER_EPOLL);
    w = worker_pool_at(pool, 0);
#define X(name) ck_assert_uint_eq(atomic_load(&w->counters.name), 0);
    WORKER_COUNTERS(X)
#undef X
    for (int k = 0; k < 3; k++) {
        ck_assert_int_eq(os_thread_start(os, "counter", count_many, NULL, &threads[k]), 0);
    }
    for (int k = 0; k < 3; k++) {
        os_thread_join(threads[k]);
    }
    ck_assert_uint_eq(atomic_load(&w->counters.msgr_recv_bytes), 90000);
    ck_assert_uint_eq(atomic_load(&w->counters.msgr_active_connections), 0);
    w = worker_pool_at(pool, 1);
    ck_assert_uint_eq(atomic_load(&w->counters.msgr_recv_bytes), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker");
    TCase *tc = tcase_create("worker");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, size_is_checked);
    tcase_add_test(tc, no_descriptors_no_pool);
    tcase_add_loop_test(tc, each_worker_owns_a_center, 0, DRIVER_COUNT);
    tcase_add_test(tc, connections_are_dealt_by_count);
    tcase_add_test(tc, balancing_is_thread_safe);
    tcase_add_loop_test(tc, drain_waits_for_what_was_posted, 0, DRIVER_COUNT);
    tcase_add_loop_test(tc, stop_ends_waiting_workers, 0, DRIVER_COUNT);
    tcase_add_test_raise_signal(tc, drain_from_a_worker_is_stopped, SIGABRT);
    tcase_add_test_raise_signal(tc, release_too_often_is_stopped, SIGABRT);
    tcase_add_test_raise_signal(tc, free_with_connections_is_stopped, SIGABRT);
    tcase_add_test(tc, counters_add_up);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
