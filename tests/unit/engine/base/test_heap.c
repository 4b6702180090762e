/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_heap.c: what comes out of a heap is in order, the first that went in among equals,
 * whatever was taken out or moved meanwhile.
 */
#include <stdlib.h>

#include "engine/base/heap.h"
#include "tests/lib/testlib.h"

#define N 300

struct thing {
    struct heap_node node;
    uint32_t key, order;
};

static struct thing things[N];
static struct heap heap;
static struct test_random some;

static bool is_before(const struct heap_node *left, const struct heap_node *right)
{
    const struct thing *a = container_of(left, struct thing, node);
    const struct thing *b = container_of(right, struct thing, node);

    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* Few different ones, so that many are equal. */
static uint32_t any_key(void)
{
    return (uint32_t)testlib_random_below(&some, 20);
}

static void add(uint32_t i)
{
    things[i] = (struct thing){.key = any_key(), .order = i};
    ck_assert_int_eq(heap_add(&heap, &things[i].node, is_before), 0);
}

static void setup(void)
{
    some = (struct test_random){1};
    heap = (struct heap){0};
    for (uint32_t i = 0; i < N; i++) {
        add(i);
    }
}

static void teardown(void)
{
    heap_fini(&heap);
}

static struct thing *take_first(void)
{
    struct heap_node *node = heap_first(&heap);

    if (node == NULL) {
        return NULL;
    }
    heap_remove(&heap, node, is_before);
    ck_assert(!heap_is_member(node));
    return container_of(node, struct thing, node);
}

/* Takes out all that is left; how many. */
static uint32_t expect_order(void)
{
    struct thing *last = NULL, *t;
    uint32_t n = 0;

    while ((t = take_first()) != NULL) {
        ck_assert(last == NULL || is_before(&last->node, &t->node));
        last = t;
        n++;
    }
    return n;
}

START_TEST(all_come_out_in_order)
{
    ck_assert_uint_eq(expect_order(), N);
    ck_assert_ptr_null(heap_first(&heap));
}
END_TEST

/* Every third one is taken out, wherever it is; some go in again. */
START_TEST(others_stay_in_order)
{
    for (uint32_t i = 0; i < N; i += 3) {
        heap_remove(&heap, &things[i].node, is_before);
    }
    for (uint32_t i = 0; i < N; i += 6) {
        add(i);
    }
    ck_assert_uint_eq(expect_order(), N - N / 3 + N / 6);
}
END_TEST

START_TEST(who_has_another_key_has_another_place)
{
    for (uint32_t i = 0; i < 2000; i++) {
        struct thing *t = &things[testlib_random_below(&some, N)];

        t->key = any_key();
        heap_move(&heap, &t->node, is_before);
    }
    ck_assert_uint_eq(expect_order(), N);
}
END_TEST

START_TEST(a_node_knows_whether_it_is_in)
{
    struct thing alone = {.key = 1};

    ck_assert(!heap_is_member(&alone.node));
    ck_assert_int_eq(heap_add(&heap, &alone.node, is_before), 0);
    ck_assert(heap_is_member(&alone.node));
    heap_remove(&heap, &alone.node, is_before);
    ck_assert(!heap_is_member(&alone.node));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tc = tcase_create("heap");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, all_come_out_in_order);
    tcase_add_test(tc, others_stay_in_order);
    tcase_add_test(tc, who_has_another_key_has_another_place);
    tcase_add_test(tc, a_node_knows_whether_it_is_in);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
