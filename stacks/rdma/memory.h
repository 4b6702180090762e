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
 * Connections share a pool by one rule:
 *
 *     a connection always gets its first chunk (CHUNK_RESERVE); beyond that it may hold as
 *     many as are left for the others, and no more
 *
 * so one that never gives anything back, for its peer is dead, ends up with half of the
 * pool, two of them with a third each, n of them with 1/(n+1) each; the rest stays free for
 * those that live, and whoever holds nothing never waits. It is the dynamic threshold of
 * shared-memory switches (Choudhury and Hahne, 1998): no number to tune, and one connection
 * alone still gets the bandwidth of many chunks. For the reserves memory is registered
 * beside the chunks that are shared.
 *
 * Who may not take more waits: chunk_pool_take registers the user under the same lock under
 * which it found nothing, so chunks that come back meanwhile cannot be missed. Each chunk
 * put wakes at most one user whose share has room again, the longest waiting first. Any
 * thread, except where it says more.
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
    struct chunk_pool *pool; /* borrowed: whose it is */
    struct chunk_user *user; /* borrowed: in whose share it is; NULL: in nobody's */
};

/* One registration. */
struct chunk_region {
    uint8_t *bytes;       /* owned; whole pages of their own */
    struct ibv_mr *mr;    /* owned */
    struct chunk *chunks; /* owned array */
    uint32_t n;
};

/* Somebody who shares a pool. */
struct chunk_user {
    struct list node;      /* while it waits; under the pool's lock */
    _Atomic uint32_t held; /* chunks in its share */
    bool joined;
    /* Called with the pool locked: must neither block nor call the pool. NULL: it never
     * waits. */
    void (*wake)(struct chunk_user *user);
};

#define CHUNK_REGIONS_MAX 256
#define CHUNKS_PER_REGION_MAX 65536
#define CHUNK_RESERVE 1 /* what every user may hold, whatever the others do */
/* Reserves are registered for so many users at once, and for 16 times as many when there
 * are 16 times as many users, and so on: a registration is a system call, and regions are
 * few. */
#define CHUNK_USERS_PER_REGION 16

struct chunk_pool {
    struct os *os;       /* borrowed */
    struct verbs *verbs; /* borrowed */
    struct ibv_pd *pd;   /* borrowed; NULL: the memory is not registered (tests) */
    /* chunks_max: beside the reserves of the users; 0: no bound but that of the regions.
     * kept: of these, so many are for those who take as nobody (the shared receive
     * queue). */
    uint32_t chunk_bytes, chunks_max, kept;
    const char *name; /* static; in traces */

    struct os_mutex *grow_lock; /* owned; taken first */
    struct os_mutex *lock;      /* owned; guards all below */
    struct list free;           /* the last one put is the first one taken: it is warm */
    uint32_t n_free, n_total;
    uint32_t n_users;
    _Atomic uint32_t n_shared; /* held by users beyond their reserves */
    struct chunk_region regions[CHUNK_REGIONS_MAX];
    _Atomic uint32_t n_regions;
    struct list waiters; /* of struct chunk_user */
};

/* A zeroed pool becomes usable, empty. 0; or -ENOMEM, and the pool is zeroed again. */
int chunk_pool_init(struct chunk_pool *p, struct os *os, struct verbs *verbs,
                    struct ibv_pd *pd, const char *name, uint32_t chunk_bytes,
                    uint32_t chunks_max);
/* Chunks may be missing: their memory goes, too. Zeroed or half-built is fine. */
void chunk_pool_fini(struct chunk_pool *p);
/* Registers room for n chunks more, or an eighth of what there is; fewer at the bound. How
 * many, or -ENOBUFS: the bound was reached; -ENOMEM: also by the limit of locked memory. */
int chunk_pool_grow(struct chunk_pool *p, uint32_t n);
/* Registers all that may ever be held, so that nobody has to later. 0, -ENOMEM,
 * -ENOBUFS. */
int chunk_pool_fill(struct chunk_pool *p);

/* A zeroed user shares the pool from now on. */
void chunk_pool_join(struct chunk_pool *p, struct chunk_user *user,
                     void (*wake)(struct chunk_user *user));
/* No more; it does not wait (CHECKed). What it holds still is lost, for pool_missing to
 * tell. One that never joined is fine. */
void chunk_pool_leave(struct chunk_pool *p, struct chunk_user *user);
/* Up to n chunks, as many as the share of `user` has room for, appended to `to`; how many.
 * None: the user waits now, if it has a way to be woken. user NULL: as many as there
 * are. */
uint32_t chunk_pool_take(struct chunk_pool *p, uint32_t n, struct list *to,
                         struct chunk_user *user);
/* Whether its share has room now; user NULL: true. */
bool chunk_pool_may_take(const struct chunk_pool *p, const struct chunk_user *user);
/* A chunk that somebody took as nobody is the user's from now on: true. False: it would be
 * more than its share, and nothing is changed; `beyond` takes it all the same. Takes no
 * lock; of one user one thread at a time. */
bool chunk_pool_charge(struct chunk_pool *p, struct chunk *chunk, struct chunk_user *user,
                       bool beyond);
/* It waits no more. */
void chunk_pool_cancel(struct chunk_pool *p, struct chunk_user *user);
/* What it holds. */
static inline uint32_t chunk_user_held(const struct chunk_user *user)
{
    return atomic_load_explicit(&user->held, memory_order_relaxed);
}
/* Puts every chunk of the list back: held ones, or posted ones that were completed. */
void chunk_pool_put(struct chunk_pool *p, struct list *chunks);
void chunk_pool_put_one(struct chunk_pool *p, struct chunk *chunk);
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
