/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c: pools of registered chunks. */
#include "stacks/rdma/memory.h"

#include <errno.h>

#include "engine/trace.h"
#include "engine/util.h"

#define PAGE_BYTES 4096
#define REGION_SHIFT 16 /* a chunk's id is region << 16 | index */

int chunk_pool_init(struct chunk_pool *p, struct os *os, struct verbs *verbs,
                    struct ibv_pd *pd, const char *name, uint32_t chunk_bytes,
                    uint32_t chunks_max)
{
    CHECK(chunk_bytes > 0);
    p->os = os;
    p->verbs = verbs;
    p->pd = pd;
    p->name = name;
    p->chunk_bytes = chunk_bytes;
    p->chunks_max = chunks_max;
    list_init(&p->free);
    list_init(&p->waiters);
    p->lock = os_mutex_new(os, name);
    p->grow_lock = os_mutex_new(os, "rdma pool growth");
    if (p->lock == NULL || p->grow_lock == NULL) {
        chunk_pool_fini(p);
        return -ENOMEM;
    }
    return 0;
}

static void region_fini(struct chunk_pool *p, struct chunk_region *r)
{
    if (r->mr != NULL) {
        verbs_dereg_mr(p->verbs, r->mr);
    }
    free(r->bytes);
    free(r->chunks);
    *r = (struct chunk_region){0};
}

void chunk_pool_fini(struct chunk_pool *p)
{
    if (p->os == NULL) {
        return;
    }
    CHECK(list_is_empty(&p->waiters));
    for (uint32_t i = 0; i < p->n_regions; i++) {
        region_fini(p, &p->regions[i]);
    }
    os_mutex_free(p->os, p->lock);
    os_mutex_free(p->os, p->grow_lock);
    *p = (struct chunk_pool){0};
}

static int region_init(struct chunk_pool *p, struct chunk_region *r, uint32_t n)
{
    size_t bytes = ((size_t)n * p->chunk_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    int err = 0;

    r->n = n;
    r->chunks = calloc(n, sizeof(*r->chunks));
    r->bytes = aligned_alloc(PAGE_BYTES, bytes);
    if (r->chunks == NULL || r->bytes == NULL) {
        err = -ENOMEM;
    } else if (p->pd != NULL) {
        err = verbs_reg_mr(p->verbs, p->pd, r->bytes, bytes,
                           IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE, &r->mr);
    }
    if (err < 0) {
        region_fini(p, r);
    }
    return err;
}

/* With the lock held. */
static void wake_some(struct chunk_pool *p, uint32_t n)
{
    while (n-- > 0 && !list_is_empty(&p->waiters)) {
        struct list *node = list_pop_front(&p->waiters);
        struct chunk_waiter *w = container_of(node, struct chunk_waiter, node);

        w->wake(w);
    }
}

/* With grow_lock held, so nobody else changes the number of regions. */
static int grow(struct chunk_pool *p, uint32_t n)
{
    uint32_t most = p->chunks_max == 0 ? UINT32_MAX : p->chunks_max, index = p->n_regions;
    struct chunk_region region = {0};
    int err;

    n = MIN(MIN(n, most - p->n_total), (uint32_t)CHUNKS_PER_REGION_MAX);
    if (n == 0 || index == CHUNK_REGIONS_MAX) {
        return -ENOBUFS;
    }
    err = region_init(p, &region, n);
    if (err < 0) {
        return err;
    }
    for (uint32_t i = 0; i < n; i++) {
        region.chunks[i] =
            (struct chunk){.id = index << REGION_SHIFT | i,
                           .lkey = region.mr == NULL ? 0 : region.mr->lkey,
                           .data = region.bytes + (size_t)i * p->chunk_bytes};
        list_init(&region.chunks[i].node);
    }
    os_lock(p->os, p->lock);
    p->regions[index] = region;
    atomic_store_explicit(&p->n_regions, index + 1, memory_order_release);
    for (uint32_t i = 0; i < n; i++) {
        list_push_back(&p->free, &p->regions[index].chunks[i].node);
    }
    p->n_free += n;
    p->n_total += n;
    wake_some(p, n);
    os_unlock(p->os, p->lock);
    return (int)n;
}

int chunk_pool_grow(struct chunk_pool *p, uint32_t n)
{
    int got;

    os_lock(p->os, p->grow_lock);
    got = grow(p, n);
    os_unlock(p->os, p->grow_lock);
    return got;
}

uint32_t chunk_pool_take(struct chunk_pool *p, uint32_t n, struct list *to,
                         struct chunk_waiter *waiter)
{
    uint32_t got = 0, left;

    os_lock(p->os, p->lock);
    while (got < n && p->n_free > 0) {
        struct chunk *chunk = container_of(list_pop_front(&p->free), struct chunk, node);

        chunk_set_state(chunk, CHUNK_FREE, CHUNK_HELD);
        chunk->len = chunk->offset = 0;
        chunk->at = chunk->cause = 0;
        list_push_back(to, &chunk->node);
        p->n_free--;
        got++;
    }
    left = p->n_free;
    if (got == 0 && n > 0 && waiter != NULL && !list_is_linked(&waiter->node)) {
        list_push_back(&p->waiters, &waiter->node);
    }
    os_unlock(p->os, p->lock);
    if (got > 0) {
        TRACE(p->os, CHUNK_GET, .val = (int32_t)got, .a0 = left,
              .a1 = trace_string(p->os, p->name));
    }
    return got;
}

void chunk_pool_put(struct chunk_pool *p, struct list *chunks)
{
    uint32_t n = 0, left;
    struct list *node;

    if (list_is_empty(chunks)) {
        return;
    }
    os_lock(p->os, p->lock);
    while ((node = list_pop_front(chunks)) != NULL) {
        struct chunk *chunk = container_of(node, struct chunk, node);

        CHECK(chunk->state != CHUNK_FREE);
        chunk->state = CHUNK_FREE;
        list_push_front(&p->free, &chunk->node);
        n++;
    }
    p->n_free += n;
    left = p->n_free;
    wake_some(p, n);
    os_unlock(p->os, p->lock);
    TRACE(p->os, CHUNK_PUT, .val = (int32_t)n, .a0 = left,
          .a1 = trace_string(p->os, p->name));
}

void chunk_pool_put_one(struct chunk_pool *p, struct chunk *chunk)
{
    struct list one;

    list_init(&one);
    list_unlink(&chunk->node);
    list_push_back(&one, &chunk->node);
    chunk_pool_put(p, &one);
}

void chunk_waiter_init(struct chunk_waiter *w, void (*wake)(struct chunk_waiter *waiter))
{
    list_init(&w->node);
    w->wake = wake;
}

void chunk_pool_leave(struct chunk_pool *p, struct chunk_waiter *waiter)
{
    os_lock(p->os, p->lock);
    if (list_is_linked(&waiter->node)) {
        list_unlink(&waiter->node);
    } else if (p->n_free > 0) {
        wake_some(p, 1);
    }
    os_unlock(p->os, p->lock);
}

struct chunk *chunk_pool_find(struct chunk_pool *p, uint32_t id)
{
    uint32_t region = id >> REGION_SHIFT, index = id & ((1u << REGION_SHIFT) - 1);
    struct chunk *chunk = NULL;

    /* No lock: a region never changes once it is counted. */
    if (region < atomic_load_explicit(&p->n_regions, memory_order_acquire) &&
        index < p->regions[region].n) {
        chunk = &p->regions[region].chunks[index];
    }
    return chunk;
}

uint32_t chunk_pool_missing(struct chunk_pool *p)
{
    uint32_t n;

    if (p->os == NULL) {
        return 0;
    }
    os_lock(p->os, p->lock);
    n = p->n_total - p->n_free;
    os_unlock(p->os, p->lock);
    return n;
}
