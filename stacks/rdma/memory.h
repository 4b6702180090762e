/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h: registered memory in chunks of equal size (Ceph: Chunk, Cluster,
 * MemoryManager).
 *
 * A chunk is free (in the pool), held (by whoever took it), or posted: then it is the
 * device's, and nobody touches its bytes until its completion was polled. Every change is
 * checked, so a chunk cannot be put twice, or be lost unnoticed: pool_missing says how many
 * are not free.
 *
 * Who finds no chunk may wait: chunk_pool_take registers the waiter under the same lock
 * under which it found nothing, so chunks that come back meanwhile cannot be missed. Each
 * chunk put wakes at most one waiter, the longest first. Any thread, except where it says
 * more.
 */
#ifndef MSGRLAB_STACKS_RDMA_MEMORY_H
#define MSGRLAB_STACKS_RDMA_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/list.h"
#include "stacks/rdma/verbs.h"

enum chunk_state { CHUNK_FREE, CHUNK_HELD, CHUNK_POSTED };

struct chunk {
    struct list node; /* of the pool, or of who holds it */
    enum chunk_state state;
    uint32_t id;     /* of this pool; travels in wr_id */
    uint32_t lkey;   /* of its region */
    uint8_t *data;   /* chunk_bytes */
    uint32_t len;    /* bytes in it */
    uint32_t offset; /* of them read so far */
    uint64_t at;     /* receive: place of its first byte in the stream */
    void *owner;     /* posted: the socket or receive queue that did; under its lock */
    uint64_t cause;  /* trace id of what brought it here */
};

/* One registration. */
struct chunk_region {
    uint8_t *bytes;       /* owned; whole pages of their own */
    struct ibv_mr *mr;    /* owned */
    struct chunk *chunks; /* owned array */
    uint32_t n;
};

/* Somebody who wants chunks. Zero it, or chunk_waiter_init. */
struct chunk_waiter {
    struct list node;
    /* Called with the pool locked: must neither block nor call the pool. */
    void (*wake)(struct chunk_waiter *waiter);
};

#define CHUNK_REGIONS_MAX 256
#define CHUNKS_PER_REGION_MAX 65536

struct chunk_pool {
    struct os *os;       /* borrowed */
    struct verbs *verbs; /* borrowed */
    struct ibv_pd *pd;   /* borrowed; NULL: the memory is not registered (tests) */
    uint32_t chunk_bytes, chunks_max; /* max 0: no bound but that of the regions */
    const char *name;                 /* static; in traces */

    struct os_mutex *grow_lock; /* owned; taken first */
    struct os_mutex *lock;      /* owned; guards all below */
    struct list free;           /* the last one put is the first one taken: it is warm */
    uint32_t n_free, n_total;
    struct chunk_region regions[CHUNK_REGIONS_MAX];
    _Atomic uint32_t n_regions;
    struct list waiters;
};

/* A zeroed pool becomes usable, empty. 0; or -ENOMEM, and the pool is zeroed again. */
int chunk_pool_init(struct chunk_pool *p, struct os *os, struct verbs *verbs,
                    struct ibv_pd *pd, const char *name, uint32_t chunk_bytes,
                    uint32_t chunks_max);
/* Chunks may be missing: their memory goes, too. Zeroed or half-built is fine. */
void chunk_pool_fini(struct chunk_pool *p);
/* Registers room for n chunks more, fewer at the bound. How many, or -ENOBUFS: the bound
 * was reached; -ENOMEM: also by the limit of locked memory. */
int chunk_pool_grow(struct chunk_pool *p, uint32_t n);
/* Up to n chunks, appended to `to`; how many. None and waiter not NULL: it waits now. */
uint32_t chunk_pool_take(struct chunk_pool *p, uint32_t n, struct list *to,
                         struct chunk_waiter *waiter);
/* Puts every chunk of the list back: held ones, or posted ones that were completed. */
void chunk_pool_put(struct chunk_pool *p, struct list *chunks);
void chunk_pool_put_one(struct chunk_pool *p, struct chunk *chunk);
void chunk_waiter_init(struct chunk_waiter *w, void (*wake)(struct chunk_waiter *waiter));
/* It waits no more. If it was woken and took nothing, the next one gets its turn. */
void chunk_pool_leave(struct chunk_pool *p, struct chunk_waiter *waiter);
/* The chunk with that id; NULL: there is none, so the id is not ours. */
struct chunk *chunk_pool_find(struct chunk_pool *p, uint32_t id);
/* Chunks that are not free. */
uint32_t chunk_pool_missing(struct chunk_pool *p);

static inline void chunk_set_state(struct chunk *chunk, enum chunk_state from,
                                   enum chunk_state to)
{
    CHECK(chunk->state == from);
    chunk->state = to;
}

#endif
