/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_priority_queue.c: received messages are served in the order of Ceph's
 * PrioritizedQueue: strict above, by tokens below, connections in turn, and each connection
 * in its order.
 */
#include <stdlib.h>
#include <sys/resource.h>

#include "engine/message.h"
#include "engine/queue/priority_queue.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"

static struct priority_queue q;

static void setup(void)
{
    priority_queue_init(&q);
}

static void teardown(void)
{
    priority_queue_fini(&q);
}

/* A message whose front only claims its length: sizes matter here, bytes do not. */
static struct message *sized_message(uint16_t priority, size_t bytes, uint64_t tid)
{
    struct message *msg = testlib_message(priority, 0, tid);

    msg->front.len = bytes;
    return msg;
}

static void push(uint16_t priority, uint64_t conn_id, uint64_t tid)
{
    priority_queue_push(&q, sized_message(priority, 100, tid), conn_id);
}

/* The tid of the next message; 0 if there is none. */
static uint64_t pop(void)
{
    struct message *msg = priority_queue_pop(&q);
    uint64_t tid = msg ? msg->header.tid : 0;

    message_unref(msg);
    return tid;
}

static void expect_order(const uint64_t *tids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(pop(), tids[i]);
    }
}

static uint64_t take(uint64_t conn_id)
{
    struct list taken, *node;
    uint64_t n, seen = 0;

    list_init(&taken);
    n = priority_queue_take(&q, conn_id, &taken);
    while ((node = list_pop_front(&taken)) != NULL) {
        struct message *msg = container_of(node, struct message, node);

        ck_assert_uint_eq(msg->dispatch_from, conn_id);
        message_unref(msg);
        seen++;
    }
    ck_assert_uint_eq(n, seen);
    return n;
}

/* From PRIO_HIGH on the higher priority always goes first, and before everything below. */
START_TEST(high_priorities_are_strict)
{
    static const uint64_t order[] = {5, 3, 6, 2, 1};

    for (uint64_t tid = 100; tid < 150; tid++) {
        push(PRIO_HIGH - 1, 1, tid);
    }
    push(PRIO_HIGH, 1, 1);
    push(PRIO_HIGH + 1, 1, 2);
    push(PRIO_HIGHEST, 1, 3);
    push(65535, 2, 5);
    push(PRIO_HIGHEST, 1, 6);
    expect_order(order, ARRAY_SIZE(order));
    for (uint64_t tid = 100; tid < 150; tid++) {
        ck_assert_uint_eq(pop(), tid);
    }
    ck_assert_uint_eq(pop(), 0);
}
END_TEST

/* Below, two busy levels share the messages by their priorities, whatever the order of
 * pushing: a lower one is slower, but not starved. */
START_TEST(low_priorities_get_their_share)
{
    uint64_t served[2] = {0, 0};

    for (uint64_t i = 0; i < 2000; i++) {
        push(PRIO_DEFAULT, 1, 1);
        push(PRIO_LOW, 1, 2);
    }
    for (int i = 0; i < 1910; i++) {
        served[pop() - 1]++;
    }
    ck_assert_uint_ge(served[0], 1270 - 10);
    ck_assert_uint_ge(served[1], 640 - 10);
    take(1);
}
END_TEST

/* The share is one of bytes: large messages of a level make its turns rarer. */
START_TEST(shares_are_counted_in_bytes)
{
    uint64_t bytes[2] = {0, 0};

    for (uint64_t i = 0; i < 3000; i++) {
        priority_queue_push(&q, sized_message(100, 1 << 20, 1), 1);
        priority_queue_push(&q, sized_message(50, 1 << 17, 2), 2);
    }
    for (int i = 0; i < 2500; i++) {
        struct message *msg = priority_queue_pop(&q);

        bytes[msg->header.tid - 1] += message_bytes(msg);
        message_unref(msg);
    }
    /* 100 : 50, up to the bucket that the lower one may have saved. */
    ck_assert_uint_ge(bytes[1] + PRIORITY_TOKENS_MAX, bytes[0] / 2);
    ck_assert_uint_le(bytes[1], bytes[0] / 2 + PRIORITY_TOKENS_MAX);
    take(1);
    take(2);
}
END_TEST

/* A level of priority 0 has no weight, but is served when it is alone. */
START_TEST(priority_zero_is_served_last)
{
    static const uint64_t order[] = {3, 1, 2};

    push(0, 1, 1);
    push(0, 1, 2);
    push(1, 1, 3);
    expect_order(order, ARRAY_SIZE(order));
}
END_TEST

/* Inside a level connections take turns, so a chatty one does not hold up the others. */
START_TEST(connections_take_turns)
{
    static const uint64_t order[] = {11, 21, 31, 12, 22, 13, 41, 14};

    for (uint64_t i = 1; i <= 4; i++) {
        push(PRIO_HIGH, 1, 10 + i);
    }
    push(PRIO_HIGH, 2, 21);
    push(PRIO_HIGH, 2, 22);
    push(PRIO_HIGH, 3, 31);
    expect_order(order, 5);
    push(PRIO_HIGH, 4, 41); /* a newcomer goes to the back of the turn */
    expect_order(order + 5, 3);
    ck_assert_uint_eq(pop(), 0);
}
END_TEST

/* Taking a connection out takes all of it, in every level, and nothing of others. */
START_TEST(take_is_exact)
{
    ck_assert_uint_eq(take(1), 0);
    for (uint64_t tid = 1; tid <= 300; tid++) {
        push((uint16_t)(tid % 50 * 5), tid % 3, tid);
    }
    ck_assert_uint_eq(take(1), 100);
    ck_assert_uint_eq(take(1), 0);
    ck_assert_uint_eq(take(7), 0);
    for (int i = 0; i < 200; i++) {
        ck_assert_uint_ne(pop() % 3, 1);
    }
    ck_assert_uint_eq(pop(), 0);
}
END_TEST

/* Thousands of connections and priorities: nothing is lost, and what was needed for them
 * does not stay. */
START_TEST(many_connections_and_priorities)
{
    uint64_t n = 0;

    for (uint64_t tid = 1; tid <= 20000; tid++) {
        push((uint16_t)(tid * 7 % 5000), tid % 997, tid);
    }
    for (uint64_t conn_id = 0; conn_id < 400; conn_id++) {
        n += take(conn_id);
    }
    while (pop() != 0) {
        n++;
    }
    ck_assert_uint_eq(n, 20000);
    ck_assert_uint_eq(q.n_entries, 0);
    ck_assert_uint_eq(q.weight, 0);
    ck_assert_uint_le(q.n_levels, 16);
}
END_TEST

/* ---- against a model: Ceph's algorithm over plain arrays ---- */

#define CONNS 5
#define LEVELS 6
#define DEEP 400

struct model_level {
    uint16_t priority;
    uint64_t tokens;
    int turn[CONNS + 1]; /* connections that have something here, the next one first */
    int n_turn;
    struct {
        uint64_t tid, cost;
    } items[CONNS][DEEP];
    int n_items[CONNS];
};

/* Lowest priority first. */
static struct model_level model[LEVELS];
static int model_n;

static void model_init(void)
{
    static const uint16_t priorities[LEVELS] = {0, 10, 64, 127, 196, 255};

    model_n = 0;
    for (int i = 0; i < LEVELS; i++) {
        model[i] = (struct model_level){.priority = priorities[i]};
    }
}

static void model_push(struct model_level *level, int conn, uint64_t tid, uint64_t bytes)
{
    int n = level->n_items[conn]++;

    ck_assert_int_lt(n, DEEP);
    level->items[conn][n].tid = tid;
    level->items[conn][n].cost =
        MIN(MAX(bytes, (uint64_t)PRIORITY_COST_MIN), (uint64_t)PRIORITY_TOKENS_MAX);
    if (n == 0) {
        level->turn[level->n_turn++] = conn;
    }
    model_n++;
}

static void model_leave_turn(struct model_level *level, int at)
{
    level->n_turn--;
    for (; at < level->n_turn; at++) {
        level->turn[at] = level->turn[at + 1];
    }
    if (level->n_turn == 0) {
        level->tokens = 0;
    }
}

static uint64_t model_cost(const struct model_level *level)
{
    return level->items[level->turn[0]][0].cost;
}

static uint64_t model_serve(struct model_level *level)
{
    int conn = level->turn[0];
    uint64_t tid = level->items[conn][0].tid;
    int n = --level->n_items[conn];

    for (int i = 0; i < n; i++) {
        level->items[conn][i] = level->items[conn][i + 1];
    }
    if (n > 0) { /* behind the others; there is one place more for the moment */
        level->turn[level->n_turn++] = conn;
    }
    model_leave_turn(level, 0);
    model_n--;
    return tid;
}

static void model_distribute(uint64_t cost)
{
    uint64_t total = 0;

    for (int i = 0; i < LEVELS; i++) {
        total += model[i].n_turn > 0 && model[i].priority < 196 ? model[i].priority : 0;
    }
    for (int i = 0; i < LEVELS && total > 0; i++) {
        if (model[i].n_turn > 0 && model[i].priority < 196) {
            model[i].tokens += model[i].priority * cost / total + 1;
            model[i].tokens = MIN(model[i].tokens, (uint64_t)PRIORITY_TOKENS_MAX);
        }
    }
}

static uint64_t model_pop(void)
{
    struct model_level *chosen = NULL;
    uint64_t tid, cost, paid = 0;

    for (int i = 0; i < LEVELS; i++) { /* the highest that has something */
        chosen = model[i].n_turn > 0 ? &model[i] : chosen;
    }
    if (chosen == NULL) {
        return 0;
    }
    if (chosen->priority >= 196) {
        return model_serve(chosen);
    }
    for (int i = LEVELS - 1; i >= 0; i--) { /* the lowest that can pay */
        if (model[i].n_turn > 0 && model_cost(&model[i]) < model[i].tokens) {
            chosen = &model[i];
            paid = model_cost(chosen);
        }
    }
    cost = model_cost(chosen);
    chosen->tokens -= paid;
    tid = model_serve(chosen);
    model_distribute(cost);
    return tid;
}

static uint64_t model_take(int conn)
{
    uint64_t n = 0;

    for (int i = 0; i < LEVELS; i++) {
        struct model_level *level = &model[i];

        for (int at = 0; at < level->n_turn; at++) {
            if (level->turn[at] == conn) {
                n += (uint64_t)level->n_items[conn];
                level->n_items[conn] = 0;
                model_leave_turn(level, at);
                break;
            }
        }
    }
    model_n -= (int)n;
    return n;
}

static void push_both(struct test_random *random, uint64_t tid)
{
    int level = (int)testlib_random_below(random, LEVELS);
    int conn = (int)testlib_random_below(random, CONNS);
    uint64_t bytes = testlib_random_below(random, 1u << testlib_random_below(random, 26));

    if (model[level].n_items[conn] < DEEP) {
        model_push(&model[level], conn, tid, bytes);
        priority_queue_push(&q, sized_message(model[level].priority, bytes, tid),
                            (uint64_t)conn);
    }
}

/* Whatever the mix of calls, the order is that of the obvious implementation. */
START_TEST(behaves_as_the_model)
{
    struct test_random random = {.state = (uint64_t)_i + 1000};

    model_init();
    for (uint64_t tid = 1; tid < 6000; tid++) {
        uint64_t pushes = tid / 1000 % 2 == 0 ? 60 : 40; /* fills, then empties */

        if (testlib_random_below(&random, 100) < pushes) {
            push_both(&random, tid);
        } else if (testlib_random_below(&random, 200) == 0) {
            int conn = (int)testlib_random_below(&random, CONNS);

            ck_assert_uint_eq(take((uint64_t)conn), model_take(conn));
        } else {
            ck_assert_uint_eq(pop(), model_pop());
        }
    }
    while (model_n > 0) {
        ck_assert_uint_eq(pop(), model_pop());
    }
    ck_assert_uint_eq(pop(), 0);
}
END_TEST

/* ---- without memory ---- */

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&                     \
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

struct hoard {
    struct hoard *next;
};

static void limit_memory(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = MIN(bytes, limit.rlim_max);
    setrlimit(RLIMIT_AS, &limit);
}

/* Takes all memory there is, down to the smallest piece. Check itself allocates, so nothing
 * can be asserted before release_memory. */
static struct hoard *exhaust_memory(void)
{
    struct hoard *hoard = NULL;
    size_t size = 1 << 16;

    limit_memory(0);
    while (size >= sizeof(struct hoard)) {
        struct hoard *piece = malloc(size);

        if (piece == NULL) {
            size -= size > 1024 ? 1024 : 16;
            continue;
        }
        piece->next = hoard;
        hoard = piece;
    }
    return hoard;
}

static void release_memory(struct hoard *hoard)
{
    limit_memory(RLIM_INFINITY);
    while (hoard != NULL) {
        struct hoard *next = hoard->next;

        free(hoard);
        hoard = next;
    }
}

/* Without memory nothing is lost, and each connection keeps its order in each priority. */
START_TEST(without_memory_messages_only_lose_priority)
{
    struct message *msgs[40];
    uint64_t last[2] = {0, 0};
    struct hoard *hoard;
    bool overflowed;

    for (uint64_t i = 0; i < 40; i++) {
        msgs[i] = sized_message(PRIO_HIGH, 1, i + 1);
    }
    priority_queue_push(&q, msgs[0], 0);
    hoard = exhaust_memory();
    for (uint64_t i = 1; i < 20; i++) {
        priority_queue_push(&q, msgs[i], i % 2);
    }
    overflowed = !list_is_empty(&q.overflow);
    release_memory(hoard);
    for (uint64_t i = 20; i < 40; i++) {
        priority_queue_push(&q, msgs[i], i % 2);
    }
    ck_assert(overflowed);
    for (uint64_t i = 0; i < 34; i++) {
        uint64_t tid = pop();

        ck_assert_uint_gt(tid, last[(tid - 1) % 2]);
        last[(tid - 1) % 2] = tid;
    }
    ck_assert_uint_eq(take(0) + take(1), 6);
    ck_assert_uint_eq(pop(), 0);
}
END_TEST
#define CAN_EXHAUST_MEMORY 1
#endif

int main(void)
{
    Suite *suite = suite_create("priority_queue");
    TCase *tc = tcase_create("priority_queue");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, high_priorities_are_strict);
    tcase_add_test(tc, low_priorities_get_their_share);
    tcase_add_test(tc, shares_are_counted_in_bytes);
    tcase_add_test(tc, priority_zero_is_served_last);
    tcase_add_test(tc, connections_take_turns);
    tcase_add_test(tc, take_is_exact);
    tcase_add_test(tc, many_connections_and_priorities);
    tcase_add_loop_test(tc, behaves_as_the_model, 0, 8);
#ifdef CAN_EXHAUST_MEMORY
    tcase_add_test(tc, without_memory_messages_only_lose_priority);
#endif
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
