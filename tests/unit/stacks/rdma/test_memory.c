/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_memory.c: chunk pools, their waiters, and the receives that are kept posted.
 * The receive queue is that of a hand-made context: a function in ibv_context.ops that
 * takes as many receives as the test lets it, which is all that this code sees of a device.
 */
#include <errno.h>
#include <string.h>

#include "stacks/rdma/rdma_impl.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static struct os *os;
static struct chunk_pool pool;

static void setup(void)
{
    os = test_os_new();
}

static void teardown(void)
{
    chunk_pool_fini(&pool);
    test_os_free(os);
}

static void make_pool(uint32_t first, uint32_t most)
{
    ck_assert_int_eq(chunk_pool_init(&pool, os, NULL, NULL, "test pool", 100, most), 0);
    ck_assert_int_eq(first == 0 ? 0 : chunk_pool_grow(&pool, first), (int)first);
}

/* ---- chunks ---- */

/* Chunks do not overlap, are found by their id, and all come back. */
START_TEST(chunks_are_apart_and_counted)
{
    struct list all;

    make_pool(5, 8);
    list_init(&all);
    ck_assert_uint_eq(chunk_pool_take(&pool, 10, &all, NULL), 5);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 5);
    list_for_each(&all, it)
    {
        struct chunk *chunk = container_of(it, struct chunk, node);

        memset(chunk->data, (int)chunk->id, pool.chunk_bytes);
        ck_assert_ptr_eq(chunk_pool_find(&pool, chunk->id), chunk);
    }
    list_for_each(&all, it)
    {
        struct chunk *chunk = container_of(it, struct chunk, node);

        for (uint32_t i = 0; i < pool.chunk_bytes; i++) {
            ck_assert_uint_eq(chunk->data[i], chunk->id);
        }
    }
    chunk_pool_put(&pool, &all);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
}
END_TEST

/* An id that was never given out is nobody's. */
START_TEST(foreign_id_is_not_found)
{
    make_pool(3, 0);
    ck_assert_ptr_nonnull(chunk_pool_find(&pool, 2));
    ck_assert_ptr_null(chunk_pool_find(&pool, 3));
    ck_assert_ptr_null(chunk_pool_find(&pool, 1u << 16));
    ck_assert_ptr_null(chunk_pool_find(&pool, UINT32_MAX));
}
END_TEST

/* A pool grows up to its bound; ids of later regions are found, too. */
START_TEST(pool_grows_to_its_bound)
{
    struct list all;

    make_pool(2, 7);
    ck_assert_int_eq(chunk_pool_grow(&pool, 4), 4);
    ck_assert_int_eq(chunk_pool_grow(&pool, 4), 1);
    ck_assert_int_eq(chunk_pool_grow(&pool, 4), -ENOBUFS);
    ck_assert_uint_eq(pool.n_total, 7);
    ck_assert_ptr_nonnull(chunk_pool_find(&pool, 2u << 16));
    list_init(&all);
    ck_assert_uint_eq(chunk_pool_take(&pool, 7, &all, NULL), 7);
    chunk_pool_put(&pool, &all);
}
END_TEST

/* ---- shares ---- */

struct sharer {
    struct chunk_user user;
    struct list chunks;
    int woken;
};

static void note_wake(struct chunk_user *user)
{
    container_of(user, struct sharer, user)->woken++;
}

static void join(struct sharer *s, int n)
{
    for (int i = 0; i < n; i++) {
        chunk_pool_join(&pool, &s[i].user, note_wake);
        list_init(&s[i].chunks);
    }
    ck_assert_int_eq(chunk_pool_fill(&pool), 0);
}

/* As many as it gets. */
static uint32_t take_all(struct sharer *s)
{
    return chunk_pool_take(&pool, UINT32_MAX, &s->chunks, &s->user);
}

static void put_one(struct sharer *s)
{
    chunk_pool_put_one(&pool, container_of(s->chunks.next, struct chunk, node));
}

static void leave(struct sharer *s, int n)
{
    for (int i = 0; i < n; i++) {
        chunk_pool_put(&pool, &s[i].chunks);
        chunk_pool_cancel(&pool, &s[i].user);
    }
    for (int i = 0; i < n; i++) {
        chunk_pool_leave(&pool, &s[i].user);
    }
    if (pool.n_users == 0) {
        ck_assert_uint_eq(pool.n_shared, 0);
        ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
    }
}

/* One who gives nothing back holds its reserve and half of the pool; the next half of what
 * it left, and so on: there is always something left for one who lives. */
START_TEST(nobody_takes_more_than_is_left)
{
    struct sharer s[4] = {0};

    make_pool(64, 64);
    join(s, 4);
    ck_assert_uint_eq(take_all(&s[0]), CHUNK_RESERVE + 32);
    ck_assert_uint_eq(take_all(&s[1]), CHUNK_RESERVE + 16);
    ck_assert_uint_eq(take_all(&s[2]), CHUNK_RESERVE + 8);
    ck_assert_uint_eq(take_all(&s[3]), CHUNK_RESERVE + 4);
    ck_assert_uint_eq(take_all(&s[0]), 0);
    leave(s, 4);
}
END_TEST

/* Those who give back and take again come to equal shares, whoever was first. */
START_TEST(shares_become_equal)
{
    struct sharer s[3] = {0};

    make_pool(64, 64);
    join(s, 3);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 3; i++) {
            take_all(&s[i]);
            put_one(&s[i]);
        }
    }
    for (int i = 0; i < 3; i++) {
        uint32_t held = chunk_user_held(&s[i].user);

        ck_assert_uint_ge(held, 64 / 4 - 2);
        ck_assert_uint_le(held, 64 / 4 + 2);
    }
    leave(s, 3);
}
END_TEST

/* However many never give anything back: whoever comes gets its reserve. */
START_TEST(reserves_are_never_used_up)
{
    static struct sharer dead[100], alive;

    memset(dead, 0, sizeof(dead));
    memset(&alive, 0, sizeof(alive));
    make_pool(8, 8);
    join(dead, 100);
    for (int i = 0; i < 100; i++) {
        ck_assert_uint_ge(take_all(&dead[i]), CHUNK_RESERVE);
    }
    join(&alive, 1);
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_ge(take_all(&alive), CHUNK_RESERVE);
        chunk_pool_put(&pool, &alive.chunks);
    }
    leave(dead, 100);
    leave(&alive, 1);
}
END_TEST

/* What is kept for those who take as nobody is not shared, and what is charged to a user
 * counts as if it had taken it. */
START_TEST(charged_chunks_count)
{
    struct sharer s = {0};
    struct list one;

    make_pool(12, 12);
    pool.kept = 4;
    join(&s, 1);
    for (int i = 0; i < CHUNK_RESERVE + 4 + 1; i++) {
        struct chunk *chunk;
        bool fits = i < CHUNK_RESERVE + 4;

        list_init(&one);
        ck_assert_uint_eq(chunk_pool_take(&pool, 1, &one, NULL), 1);
        chunk = container_of(one.next, struct chunk, node);
        ck_assert_int_eq(chunk_pool_charge(&pool, chunk, &s.user, false), fits);
        if (!fits) {
            ck_assert(!chunk_pool_may_take(&pool, &s.user));
            ck_assert(chunk_pool_charge(&pool, chunk, &s.user, true));
        }
        list_splice_back(&s.chunks, &one);
    }
    ck_assert_uint_eq(chunk_user_held(&s.user), CHUNK_RESERVE + 5);
    leave(&s, 1);
}
END_TEST

/* ---- waiting ---- */

/* A chunk that comes back wakes one waiter at most, and only once half of its share is
 * free again. */
START_TEST(chunks_wake_the_longest_waiter)
{
    struct sharer s[2] = {0}, hog = {0};

    make_pool(12, 12);
    join(s, 2);
    join(&hog, 1);
    take_all(&hog);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_gt(take_all(&s[i]), CHUNK_RESERVE);
        ck_assert_uint_eq(take_all(&s[i]), 0);
    }
    put_one(&hog);
    ck_assert_int_eq(s[0].woken + s[1].woken, 0); /* for one chunk it is not worth while */
    for (int before = 0; !list_is_empty(&hog.chunks); before = s[0].woken + s[1].woken) {
        put_one(&hog);
        ck_assert_int_le(s[0].woken + s[1].woken, before + 1);
    }
    ck_assert_int_eq(s[1].woken, 1); /* it holds less than the other */
    ck_assert_int_eq(s[0].woken, 0);
    put_one(&s[0]);
    ck_assert_int_eq(s[0].woken, 1);
    leave(&hog, 1);
    leave(s, 2);
}
END_TEST

/* Whoever holds nothing any more has nothing under way that would wake it later: it is
 * woken by its own last chunk, although another waits for longer. */
START_TEST(own_last_chunk_always_wakes)
{
    struct sharer s[2] = {0};

    make_pool(1, 1);
    join(s, 2);
    ck_assert_uint_eq(take_all(&s[0]), CHUNK_RESERVE + 1);
    ck_assert_uint_eq(take_all(&s[0]), 0);
    ck_assert_uint_eq(take_all(&s[1]), CHUNK_RESERVE);
    ck_assert_uint_eq(take_all(&s[1]), 0);
    put_one(&s[1]);
    ck_assert_int_eq(s[1].woken, 1);
    ck_assert_uint_eq(take_all(&s[1]), CHUNK_RESERVE);
    leave(s, 2);
}
END_TEST

/* A waiter that was woken and goes without taking gives its turn to the next. */
START_TEST(who_goes_passes_the_turn)
{
    struct sharer s[2] = {0}, hog = {0};

    make_pool(1, 1);
    join(s, 2);
    join(&hog, 1);
    ck_assert_uint_eq(take_all(&hog), CHUNK_RESERVE + 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(take_all(&s[i]), CHUNK_RESERVE);
        ck_assert_uint_eq(take_all(&s[i]), 0);
    }
    put_one(&hog);
    ck_assert_int_eq(s[0].woken, 1);
    ck_assert_int_eq(s[1].woken, 0);
    chunk_pool_cancel(&pool, &s[0].user);
    ck_assert_int_eq(s[1].woken, 1);
    leave(&hog, 1);
    leave(s, 2);
}
END_TEST

/* Ceph's lost wake-up (R22): all chunks come back between the attempt and the waiting. Here
 * there is no between; two threads try to find one. */
struct race {
    struct chunk_user user;
    struct os_mutex *lock;
    struct os_cond *cond;
    bool go, end;
    struct list held;
};

static struct race race;

static void wake_racer(struct chunk_user *user)
{
    (void)user;
    os_lock(os, race.lock);
    race.go = true;
    os_cond_signal(os, race.cond);
    os_unlock(os, race.lock);
}

/* Puts back what the other thread holds, as soon as it holds it. */
static void putter(void *arg)
{
    bool end = false;

    while (!end) {
        struct list mine;

        list_init(&mine);
        os_lock(os, race.lock);
        list_splice_back(&mine, &race.held);
        end = race.end;
        os_unlock(os, race.lock);
        chunk_pool_put(&pool, &mine);
    }
}

START_TEST(no_wake_up_is_lost)
{
    struct os_thread *thread;

    make_pool(2, 2);
    race.lock = os_mutex_new(os, "race");
    race.cond = os_cond_new(os, "race");
    list_init(&race.held);
    chunk_pool_join(&pool, &race.user, wake_racer);
    ck_assert_int_eq(os_thread_start(os, "putter", putter, NULL, &thread), 0);
    for (int i = 0; i < 20000; i++) {
        struct list got;

        list_init(&got);
        race.go = false;
        if (chunk_pool_take(&pool, 1, &got, &race.user) == 0) {
            os_lock(os, race.lock);
            while (!race.go) {
                ck_assert_int_eq(os_cond_wait(os, race.cond, race.lock, 10 * NSEC_PER_SEC),
                                 0);
            }
            os_unlock(os, race.lock);
        }
        os_lock(os, race.lock);
        list_splice_back(&race.held, &got);
        os_unlock(os, race.lock);
    }
    os_lock(os, race.lock);
    race.end = true;
    os_unlock(os, race.lock);
    os_thread_join(thread);
    chunk_pool_put(&pool, &race.held);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
    chunk_pool_cancel(&pool, &race.user);
    chunk_pool_leave(&pool, &race.user);
    os_cond_free(os, race.cond);
    os_mutex_free(os, race.lock);
}
END_TEST

/* ---- receives ---- */

/* A receive queue that takes `room` receives and then says that it is full. */
struct small_srq {
    struct ibv_context ctx;
    struct ibv_srq srq;
    uint32_t room;
    uint64_t ids[64];
    uint32_t n;
};

static struct small_srq device;
static struct rdma_counters counters;
static struct recv_queue rq;

static int take_receives(struct ibv_srq *srq, struct ibv_recv_wr *wr,
                         struct ibv_recv_wr **bad)
{
    for (; wr != NULL; wr = wr->next) {
        if (device.n == device.room) {
            *bad = wr;
            return ENOMEM;
        }
        ck_assert_int_eq(wr->num_sge, 1);
        ck_assert_uint_eq(wr->sg_list->length, pool.chunk_bytes);
        device.ids[device.n++] = wr->wr_id;
    }
    return 0;
}

static void make_queue(uint32_t target, uint32_t chunks, uint32_t most)
{
    device = (struct small_srq){.ctx.ops.post_srq_recv = take_receives, .room = 64};
    device.srq.context = &device.ctx;
    memset(&counters, 0, sizeof(counters));
    make_pool(chunks, most);
    ck_assert_int_eq(recv_queue_init(&rq, os, &pool, &counters, target), 0);
    rq.srq = &device.srq;
}

/* The device completes its oldest receive; the chunk is ours. */
static struct chunk *complete_one(void)
{
    struct chunk *chunk = chunk_pool_find(&pool, wr_id_chunk(device.ids[0]));

    ck_assert_uint_gt(device.n, 0);
    ck_assert_uint_eq(wr_id_kind(device.ids[0]), WR_RECV);
    memmove(device.ids, device.ids + 1, --device.n * sizeof(device.ids[0]));
    ck_assert(recv_queue_completed(&rq, chunk));
    return chunk;
}

/* What was missing is posted, no less and no more, however often it is asked for. */
START_TEST(refill_posts_what_is_missing)
{
    make_queue(8, 16, 16);
    ck_assert_uint_eq(recv_queue_refill(&rq), 8);
    ck_assert_uint_eq(recv_queue_refill(&rq), 8);
    ck_assert_uint_eq(device.n, 8);
    for (int i = 0; i < 5; i++) {
        chunk_pool_put_one(&pool, complete_one());
        recv_queue_refill_if_short(&rq);
        ck_assert_uint_eq(device.n, 8);
    }
    recv_queue_fini(&rq);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
}
END_TEST

/* Ceph's backlog (R20) forgets when nothing could be posted, and never ends when all was.
 * Here readers keep every chunk: what is missing is known, and only that is posted later.
 * */
START_TEST(shortage_is_made_up_exactly)
{
    struct list kept;

    make_queue(8, 8, 8);
    list_init(&kept);
    ck_assert_uint_eq(recv_queue_refill(&rq), 8);
    for (int i = 0; i < 8; i++) {
        list_push_back(&kept, &complete_one()->node);
        recv_queue_refill_if_short(&rq);
    }
    ck_assert_uint_eq(device.n, 0);
    ck_assert_uint_ge(counters.rx_no_mem, 8);
    for (uint32_t i = 1; i <= 8; i++) {
        chunk_pool_put_one(&pool, container_of(kept.next, struct chunk, node));
        recv_queue_refill_if_short(&rq);
        ck_assert_uint_eq(device.n, i);
    }
    for (int i = 0; i < 20; i++) {
        recv_queue_refill_if_short(&rq);
    }
    ck_assert_uint_eq(device.n, 8);
    recv_queue_fini(&rq);
}
END_TEST

/* A queue of one user posts what its share has room for: its reader, who keeps everything,
 * stops it, and another queue of the same pool goes on. */
START_TEST(a_share_stops_its_own_queue)
{
    struct sharer s = {0}, other = {0};
    struct list kept;

    make_queue(8, 0, 16);
    chunk_pool_join(&pool, &s.user, NULL);
    chunk_pool_join(&pool, &other.user, NULL);
    rq.user = &s.user;
    list_init(&kept);
    list_init(&other.chunks);
    recv_queue_refill(&rq);
    while (device.n > 0) {
        list_push_back(&kept, &complete_one()->node);
        recv_queue_refill_if_short(&rq);
    }
    ck_assert_uint_eq(chunk_user_held(&s.user), CHUNK_RESERVE + 8);
    ck_assert_uint_eq(recv_queue_refill(&rq), 0);
    chunk_pool_grow(&pool, 8);
    ck_assert_uint_ge(take_all(&other), CHUNK_RESERVE + 4);
    chunk_pool_put(&pool, &kept);
    ck_assert_uint_ge(recv_queue_refill(&rq), CHUNK_RESERVE + 2);
    recv_queue_fini(&rq);
    chunk_pool_put(&pool, &other.chunks);
    chunk_pool_leave(&pool, &s.user);
    chunk_pool_leave(&pool, &other.user);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
}
END_TEST

/* The pool grows before receives go missing. */
START_TEST(pool_grows_for_slow_readers)
{
    struct list kept;

    make_queue(8, 8, 40);
    list_init(&kept);
    recv_queue_refill(&rq);
    for (int i = 0; i < 32; i++) {
        list_push_back(&kept, &complete_one()->node);
        ck_assert_uint_eq(recv_queue_refill(&rq), 8);
    }
    chunk_pool_put(&pool, &kept);
    recv_queue_fini(&rq);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
}
END_TEST

/* A device that takes a part of the chain: the rest is in the pool again, and posted later.
 * */
START_TEST(partial_post_loses_nothing)
{
    make_queue(8, 8, 8);
    device.room = 3;
    ck_assert_uint_eq(recv_queue_refill(&rq), 3);
    ck_assert_uint_eq(counters.rx_failed_post, 1);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 3);
    device.room = 64;
    ck_assert_uint_eq(recv_queue_refill(&rq), 8);
    recv_queue_fini(&rq);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
}
END_TEST

/* A completion for a chunk that is not posted, or on another queue, is a ghost. */
START_TEST(ghost_completions_change_nothing)
{
    struct recv_queue other;
    struct chunk *chunk;

    make_queue(2, 4, 4);
    ck_assert_int_eq(recv_queue_init(&other, os, &pool, &counters, 1), 0);
    recv_queue_refill(&rq);
    chunk = chunk_pool_find(&pool, wr_id_chunk(device.ids[0]));
    ck_assert(!recv_queue_completed(&other, chunk));
    ck_assert_ptr_eq(complete_one(), chunk);
    ck_assert(!recv_queue_completed(&rq, chunk));
    chunk_pool_put_one(&pool, chunk);
    ck_assert(!recv_queue_completed(&rq, chunk));
    ck_assert_uint_eq(rq.posted, 1);
    recv_queue_fini(&other);
    recv_queue_fini(&rq);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
}
END_TEST

/* Chunks that a destroyed queue never completed come back with it; it posts no more. */
START_TEST(closed_queue_gives_everything_back)
{
    make_queue(4, 8, 8);
    recv_queue_refill(&rq);
    chunk_pool_put_one(&pool, complete_one());
    recv_queue_close(&rq);
    ck_assert_uint_eq(recv_queue_refill(&rq), 3);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 3);
    recv_queue_fini(&rq);
    ck_assert_uint_eq(chunk_pool_missing(&pool), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rdma_memory");
    TCase *tc = tcase_create("chunks, waiters, receives");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, chunks_are_apart_and_counted);
    tcase_add_test(tc, foreign_id_is_not_found);
    tcase_add_test(tc, pool_grows_to_its_bound);
    tcase_add_test(tc, nobody_takes_more_than_is_left);
    tcase_add_test(tc, shares_become_equal);
    tcase_add_test(tc, reserves_are_never_used_up);
    tcase_add_test(tc, charged_chunks_count);
    tcase_add_test(tc, chunks_wake_the_longest_waiter);
    tcase_add_test(tc, own_last_chunk_always_wakes);
    tcase_add_test(tc, who_goes_passes_the_turn);
    tcase_add_test(tc, no_wake_up_is_lost);
    tcase_add_test(tc, refill_posts_what_is_missing);
    tcase_add_test(tc, shortage_is_made_up_exactly);
    tcase_add_test(tc, a_share_stops_its_own_queue);
    tcase_add_test(tc, pool_grows_for_slow_readers);
    tcase_add_test(tc, partial_post_loses_nothing);
    tcase_add_test(tc, ghost_completions_change_nothing);
    tcase_add_test(tc, closed_queue_gives_everything_back);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
