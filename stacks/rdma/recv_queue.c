/* SPDX-License-Identifier: Apache-2.0 */
/* recv_queue.c: posts receives. */
#include "stacks/rdma/recv_queue.h"

#include <errno.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "stacks/rdma/rdma_stack.h"
#include "stacks/rdma/wr_id.h"

#define CHAIN_MAX 32

int recv_queue_init(struct recv_queue *rq, struct os *os, struct chunk_pool *pool,
                    struct rdma_counters *counters, uint32_t target)
{
    *rq = (struct recv_queue){.os = os,
                              .pool = pool,
                              .counters = counters,
                              .target = target,
                              .grow_by = MAX(target / 4, 1u)};
    list_init(&rq->chunks);
    rq->lock = os_mutex_new(os, "rdma receive queue");
    return rq->lock == NULL ? -ENOMEM : 0;
}

void recv_queue_fini(struct recv_queue *rq)
{
    if (rq->os == NULL) {
        return;
    }
    chunk_pool_put(rq->pool, &rq->chunks);
    os_mutex_free(rq->os, rq->lock);
    *rq = (struct recv_queue){0};
}

/* Chunks for the missing ones; more are registered if the pool is empty. */
static uint32_t take_chunks(struct recv_queue *rq, uint32_t n, struct list *to)
{
    uint32_t got = chunk_pool_take(rq->pool, n, to, rq->user);

    if (got == 0 && chunk_pool_may_take(rq->pool, rq->user) &&
        chunk_pool_grow(rq->pool, rq->grow_by) > 0) {
        got = chunk_pool_take(rq->pool, n, to, rq->user);
    }
    if (got == 0) {
        atomic_fetch_add(&rq->counters->rx_no_mem, 1);
    }
    return got;
}

/* With the lock held. How many of the list were posted, from its front. */
static uint32_t post_chain(struct recv_queue *rq, struct list *chunks)
{
    struct ibv_recv_wr wrs[CHAIN_MAX], *bad = NULL;
    struct ibv_sge sges[CHAIN_MAX];
    uint32_t n = 0, posted;
    int err;

    list_for_each(chunks, it)
    {
        struct chunk *chunk = container_of(it, struct chunk, node);

        sges[n] = (struct ibv_sge){.addr = (uintptr_t)chunk->data,
                                   .length = rq->pool->chunk_bytes,
                                   .lkey = chunk->lkey};
        wrs[n] = (struct ibv_recv_wr){
            .wr_id = wr_id_of(WR_RECV, chunk->id), .sg_list = &sges[n], .num_sge = 1};
        if (n > 0) {
            wrs[n - 1].next = &wrs[n];
        }
        chunk_set_state(chunk, CHUNK_HELD, CHUNK_POSTED);
        chunk->owner = rq;
        n++;
    }
    err = rq->srq != NULL ? ibv_post_srq_recv(rq->srq, wrs, &bad)
                          : ibv_post_recv(rq->qp, wrs, &bad);
    posted = err == 0 ? n : bad == NULL ? 0 : (uint32_t)(bad - wrs);
    if (err != 0) {
        atomic_fetch_add(&rq->counters->rx_failed_post, 1);
    }
    TRACE(rq->os, WR_RECV, .val = (int32_t)posted, .a0 = atomic_load(&rq->posted) + posted,
          .a1 = rq->target, .aux = rq->srq != NULL ? 0 : rq->qp->qp_num);
    return posted;
}

/* The first n of the list are the device's now; the rest goes back to the pool. */
static void sort_posted(struct recv_queue *rq, struct list *chunks, uint32_t n)
{
    atomic_fetch_add(&rq->posted, n);
    while (n-- > 0) {
        list_push_back(&rq->chunks, list_pop_front(chunks));
    }
    chunk_pool_put(rq->pool, chunks);
}

uint32_t recv_queue_refill(struct recv_queue *rq)
{
    bool all = true;

    os_lock(rq->os, rq->lock);
    while (all && !atomic_load(&rq->closed) && atomic_load(&rq->posted) < rq->target) {
        uint32_t n = MIN(rq->target - atomic_load(&rq->posted), (uint32_t)CHAIN_MAX),
                 posted;
        struct list chunks;

        list_init(&chunks);
        n = take_chunks(rq, n, &chunks);
        if (n == 0) {
            break;
        }
        posted = post_chain(rq, &chunks);
        all = posted == n;
        sort_posted(rq, &chunks, posted);
    }
    os_unlock(rq->os, rq->lock);
    return atomic_load(&rq->posted);
}

bool recv_queue_completed(struct recv_queue *rq, struct chunk *chunk)
{
    bool posted;

    os_lock(rq->os, rq->lock);
    posted = chunk->state == CHUNK_POSTED && chunk->owner == rq;
    if (posted) {
        chunk_set_state(chunk, CHUNK_POSTED, CHUNK_HELD);
        chunk->owner = NULL;
        list_unlink(&chunk->node);
        CHECK(atomic_load(&rq->posted) > 0);
        atomic_fetch_sub(&rq->posted, 1);
    }
    os_unlock(rq->os, rq->lock);
    return posted;
}

void recv_queue_close(struct recv_queue *rq)
{
    os_lock(rq->os, rq->lock);
    atomic_store(&rq->closed, true);
    os_unlock(rq->os, rq->lock);
}
