/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h: the threads msgr-worker-N, one event center each, and the pool that balances
 * connections over them by count (Ceph: Worker, NetworkStack).
 */
#ifndef MSGRLAB_ENGINE_WORKER_H
#define MSGRLAB_ENGINE_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/event_center.h"

// clang-format off
/* X(name): counters of a worker, with Ceph's names. Written by its thread, read by any. */
#define WORKER_COUNTERS(X)                                                               \
    X(msgr_recv_messages) X(msgr_send_messages) X(msgr_recv_bytes) X(msgr_send_bytes)    \
    X(msgr_created_connections) X(msgr_active_connections)                               \
    X(msgr_running_total_time_ns) X(msgr_running_send_time_ns)                           \
    X(msgr_running_recv_time_ns) X(msgr_running_fast_dispatch_time_ns)                   \
    X(msgr_send_messages_queue_lat_ns)
// clang-format on

struct worker_counters {
#define X(name) _Atomic uint64_t name;
    WORKER_COUNTERS(X)
#undef X
};

struct worker {
    uint32_t id;
    struct event_center center;
    _Atomic uint32_t references; /* connections; what balancing looks at */
    _Atomic bool done;
    struct os_thread *thread; /* owned while running */
    struct worker_counters counters;
};

/* Adds to a counter; relaxed: only the worker's own thread writes most of them. */
#define WORKER_COUNT(worker, name, n)                                                      \
    atomic_fetch_add_explicit(&(worker)->counters.name, (n), memory_order_relaxed)

struct worker_pool;

/* `n` workers (1..WORKERS_MAX), not running yet. */
int worker_pool_new(struct os *os, uint32_t n, enum event_driver_kind driver,
                    struct worker_pool **ret);
/* Starts the threads; returns when each owns its center. */
int worker_pool_start(struct worker_pool *pool);
uint32_t worker_pool_size(const struct worker_pool *pool);
struct worker *worker_pool_at(struct worker_pool *pool, uint32_t i);
/* The worker with the fewest connections, counted one more. Any thread. */
struct worker *worker_pool_get(struct worker_pool *pool);
void worker_release(struct worker *worker); /* gives that count back; any thread */
/* Blocks until each worker has run everything posted before the call. Not from a worker; an
 * adopted pool is run by the caller. */
void worker_pool_drain(struct worker_pool *pool);
/* What is for the workers alone may be done by the calling thread from here on: the pool
 * does not run, nor will it. */
void worker_pool_adopt(struct worker_pool *pool);
/* Ends and joins the threads. What is still queued was drained before. Twice is fine. */
void worker_pool_stop(struct worker_pool *pool);
void worker_pool_free(struct worker_pool *pool); /* stopped; NULL is fine */

#endif
