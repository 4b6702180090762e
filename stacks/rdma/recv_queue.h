/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recv_queue.h: receives kept posted, on the shared receive queue or on one queue pair's
 * own.
 *
 * The aim is one number: `target` receives are posted, always; of a queue pair's own, as
 * many of them as its share of the pool has room for (memory.h), so that a reader who stops
 * stops its own peer and nobody else. What is missing is computed
 * from what is posted now, never carried along, so it cannot drift: whoever takes a
 * completion says so, whoever brings chunks back to the pool calls refill. Any thread.
 */
#ifndef MSGRLAB_STACKS_RDMA_RECV_QUEUE_H
#define MSGRLAB_STACKS_RDMA_RECV_QUEUE_H

#include <stdatomic.h>

#include "stacks/rdma/memory.h"

struct rdma_counters;

struct recv_queue {
    struct os *os;                  /* borrowed */
    struct chunk_pool *pool;        /* borrowed */
    struct rdma_counters *counters; /* borrowed */
    struct ibv_srq *srq;            /* borrowed; one of these two */
    struct ibv_qp *qp;              /* borrowed */
    /* Borrowed: in whose share of the pool its chunks are; NULL: the shared queue's are in
     * nobody's. */
    struct chunk_user *user;
    uint32_t target;
    uint32_t grow_by;      /* chunks to register when the pool is empty */
    struct os_mutex *lock; /* owned; guards all below */
    struct list chunks;    /* the device's */
    _Atomic uint32_t posted;
    atomic_bool closed; /* nothing is posted any more */
};

int recv_queue_init(struct recv_queue *rq, struct os *os, struct chunk_pool *pool,
                    struct rdma_counters *counters, uint32_t target);
/* The queue was destroyed: chunks that never completed go back. A zeroed one is fine. */
void recv_queue_fini(struct recv_queue *rq);
/* Posts what is missing, as far as there are chunks. How many are posted then. */
uint32_t recv_queue_refill(struct recv_queue *rq);
/* Cheap if nothing is missing. */
static inline void recv_queue_refill_if_short(struct recv_queue *rq)
{
    if (atomic_load(&rq->posted) < rq->target) {
        recv_queue_refill(rq);
    }
}
/* Whether nothing is posted although something should be. */
static inline bool recv_queue_is_starving(struct recv_queue *rq)
{
    return atomic_load(&rq->posted) == 0 && rq->target > 0 && !atomic_load(&rq->closed);
}
/* The chunk's completion was polled: true, and it is held now, by the caller. False: it was
 * not posted, so the completion is a ghost. */
bool recv_queue_completed(struct recv_queue *rq, struct chunk *chunk);
/* The queue is going to be destroyed. */
void recv_queue_close(struct recv_queue *rq);

#endif
