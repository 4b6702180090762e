/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c: pools of registered chunks, and who may have how many. */
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

/* ---- shares ---- */

/* What nobody holds of that which all may have. */
static uint32_t left_for_all(const struct chunk_pool *p)
{
    uint32_t most = p->chunks_max - p->kept;
    uint32_t shared = atomic_load_explicit(&p->n_shared, memory_order_relaxed);

    if (p->chunks_max == 0) {
        return UINT32_MAX;
    }
    return shared < most ? most - shared : 0;
}

/* The rule of memory.h. */
bool chunk_pool_may_take(const struct chunk_pool *p, const struct chunk_user *user)
{
    uint32_t held = user == NULL ? 0 : chunk_user_held(user);

    return held < CHUNK_RESERVE || held - CHUNK_RESERVE < left_for_all(p);
}

static void add_to_share(struct chunk_pool *p, struct chunk *chunk, struct chunk_user *user)
{
    chunk->user = user;
    if (atomic_fetch_add(&user->held, 1) >= CHUNK_RESERVE) {
        atomic_fetch_add(&p->n_shared, 1);
    }
}

static void take_from_share(struct chunk_pool *p, struct chunk *chunk)
{
    uint32_t before;

    if (chunk->user != NULL) {
        before = atomic_fetch_sub(&chunk->user->held, 1);
        CHECK(before > 0);
        if (before > CHUNK_RESERVE) {
            atomic_fetch_sub(&p->n_shared, 1);
        }
        chunk->user = NULL;
    }
}

/* Half of its share is free again: to be woken for every chunk would cost more than it
 * gains. (Whoever is alone with `all` chunks may hold h = all / 2, and then h are left;
 * with h / 2 held, 3 * h / 2 are.) */
static bool is_worth_waking(const struct chunk_pool *p, const struct chunk_user *user)
{
    uint32_t held = chunk_user_held(user);

    return held < CHUNK_RESERVE ||
           (chunk_pool_may_take(p, user) &&
            (uint64_t)(held - CHUNK_RESERVE) * 3 <= left_for_all(p));
}

/* With the lock held: n chunks came back. Whoever holds nothing is woken in any case: it
 * has nothing under way that would wake it later. */
static void wake_some(struct chunk_pool *p, uint32_t n)
{
    list_for_each_safe(&p->waiters, it)
    {
        struct chunk_user *user = container_of(it, struct chunk_user, node);
        bool holds_none = chunk_user_held(user) < CHUNK_RESERVE;

        if (holds_none || (n > 0 && is_worth_waking(p, user))) {
            list_unlink(&user->node);
            user->wake(user);
            n -= holds_none ? 0 : 1;
        }
    }
}

/* Chunks there may be: what is shared, and the reserves. */
static uint32_t most_chunks(const struct chunk_pool *p)
{
    uint32_t group = CHUNK_USERS_PER_REGION;

    while (p->n_users > group * CHUNK_USERS_PER_REGION) {
        group *= CHUNK_USERS_PER_REGION;
    }
    return p->chunks_max == 0
               ? UINT32_MAX
               : p->chunks_max + (p->n_users + group - 1) / group * group * CHUNK_RESERVE;
}

/* How many may be added; the lock is not held. */
static uint32_t room_to_grow(struct chunk_pool *p)
{
    uint32_t most, total;

    os_lock(p->os, p->lock);
    most = most_chunks(p);
    total = p->n_total;
    os_unlock(p->os, p->lock);
    return total < most ? most - total : 0;
}

/* ---- growing ---- */

/* With grow_lock held, so nobody else changes the number of regions. */
static int grow(struct chunk_pool *p, uint32_t n)
{
    struct chunk_region region = {0};
    uint32_t index = p->n_regions;
    int err;

    n = MIN(MIN(n, room_to_grow(p)), (uint32_t)CHUNKS_PER_REGION_MAX);
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
                           .pool = p,
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
    got = grow(p, MAX(n, p->n_total / 8)); /* or there would be too many regions */
    os_unlock(p->os, p->grow_lock);
    return got;
}

int chunk_pool_fill(struct chunk_pool *p)
{
    uint32_t room;
    int got = 0;

    os_lock(p->os, p->grow_lock);
    while (got >= 0 && (room = room_to_grow(p)) > 0) {
        got = grow(p, room);
    }
    os_unlock(p->os, p->grow_lock);
    return MIN(got, 0);
}

/* ---- taking and putting ---- */

void chunk_pool_join(struct chunk_pool *p, struct chunk_user *user,
                     void (*wake)(struct chunk_user *user))
{
    *user = (struct chunk_user){.joined = true, .wake = wake};
    list_init(&user->node);
    os_lock(p->os, p->lock);
    p->n_users++;
    os_unlock(p->os, p->lock);
}

/* With the lock held: chunks that never came back are nobody's; they stay missing. */
static void forget_user(struct chunk_pool *p, const struct chunk_user *user)
{
    for (uint32_t i = 0; i < p->n_regions; i++) {
        for (uint32_t k = 0; k < p->regions[i].n; k++) {
            if (p->regions[i].chunks[k].user == user) {
                take_from_share(p, &p->regions[i].chunks[k]);
            }
        }
    }
}

void chunk_pool_leave(struct chunk_pool *p, struct chunk_user *user)
{
    if (!user->joined) {
        return;
    }
    os_lock(p->os, p->lock);
    CHECK(!list_is_linked(&user->node));
    if (chunk_user_held(user) > 0) {
        forget_user(p, user);
    }
    p->n_users--;
    os_unlock(p->os, p->lock);
    user->joined = false;
}

void chunk_pool_cancel(struct chunk_pool *p, struct chunk_user *user)
{
    os_lock(p->os, p->lock);
    if (list_is_linked(&user->node)) {
        list_unlink(&user->node);
    } else {
        wake_some(p, 1); /* it may have been woken, and the turn was another's */
    }
    os_unlock(p->os, p->lock);
}

/* With the lock held. */
static void take_one(struct chunk_pool *p, struct list *to, struct chunk_user *user)
{
    struct chunk *chunk = container_of(list_pop_front(&p->free), struct chunk, node);

    chunk_set_state(chunk, CHUNK_FREE, CHUNK_HELD);
    chunk->len = chunk->offset = 0;
    chunk->at = chunk->cause = 0;
    if (user != NULL) {
        add_to_share(p, chunk, user);
    }
    list_push_back(to, &chunk->node);
    p->n_free--;
}

uint32_t chunk_pool_take(struct chunk_pool *p, uint32_t n, struct list *to,
                         struct chunk_user *user)
{
    uint32_t got = 0, left;

    os_lock(p->os, p->lock);
    while (got < n && p->n_free > 0 && chunk_pool_may_take(p, user)) {
        take_one(p, to, user);
        got++;
    }
    left = p->n_free;
    if (got == 0 && n > 0 && user != NULL && user->wake != NULL &&
        !list_is_linked(&user->node)) {
        list_push_back(&p->waiters, &user->node);
    }
    os_unlock(p->os, p->lock);
    if (got > 0) {
        TRACE(p->os, CHUNK_GET, .val = (int32_t)got, .a0 = left,
              .a1 = trace_string(p->os, p->name));
    }
    return got;
}

bool chunk_pool_charge(struct chunk_pool *p, struct chunk *chunk, struct chunk_user *user,
                       bool beyond)
{
    bool charged = beyond || chunk_pool_may_take(p, user);

    CHECK(chunk->state == CHUNK_HELD && chunk->user == NULL);
    if (charged) {
        add_to_share(p, chunk, user);
    }
    return charged;
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
        take_from_share(p, chunk);
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
