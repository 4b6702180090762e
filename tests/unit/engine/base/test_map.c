/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_map.c: a map has what was put last under each key, whatever the keys are and however
 * many there are; an array has room for one more.
 */
#include <stdlib.h>

#include "engine/base/array.h"
#include "engine/base/map.h"
#include "tests/lib/testlib.h"

START_TEST(an_empty_map_has_nothing)
{
    struct map map = {0};

    ck_assert_uint_eq(map_get(&map, 0, 7), 7);
    ck_assert_uint_eq(map_get(&map, UINT64_MAX, MAP_NONE), MAP_NONE);
    map_fini(&map);
}
END_TEST

/* 0, all ones, neighbours, and keys whose lower or upper halves are the same. */
START_TEST(any_number_is_a_key)
{
    static const uint64_t keys[] = {0,
                                    1,
                                    2,
                                    UINT64_MAX,
                                    1ULL << 32,
                                    2ULL << 32,
                                    1ULL << 63,
                                    0x0000000500000005,
                                    0x0000000600000006};
    struct map map = {0};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        ck_assert_uint_eq(map_get(&map, keys[i], MAP_NONE), MAP_NONE);
        ck_assert_int_eq(map_put(&map, keys[i], i), 0);
    }
    ck_assert_uint_eq(map.used, ARRAY_SIZE(keys));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        ck_assert_uint_eq(map_get(&map, keys[i], MAP_NONE), i);
    }
    map_fini(&map);
}
END_TEST

START_TEST(the_last_value_counts)
{
    struct map map = {0};

    ck_assert_int_eq(map_put(&map, 5, 1), 0);
    ck_assert_int_eq(map_put(&map, 5, UINT64_MAX - 1), 0);
    ck_assert_uint_eq(map_get(&map, 5, 0), UINT64_MAX - 1);
    ck_assert_uint_eq(map.used, 1);
    map_fini(&map);
}
END_TEST

/* Keys 0, 3, 6, ...: growing loses none and makes none up. */
START_TEST(growing_keeps_all)
{
    enum { N = 5000 };
    struct map map = {0};

    for (uint64_t i = 0; i < N; i++) {
        ck_assert_int_eq(map_put(&map, i * 3, i), 0);
        ck_assert_uint_le(map.used * 2, map.size);
    }
    for (uint64_t key = 0; key < N * 3; key++) {
        uint64_t expected = key % 3 == 0 ? key / 3 : MAP_NONE;

        ck_assert_uint_eq(map_get(&map, key, MAP_NONE), expected);
    }
    map_fini(&map);
}
END_TEST

START_TEST(an_array_has_room_for_one_more)
{
    enum { N = 1000 };
    uint32_t *array = NULL;

    for (uint32_t n = 0; n < N; n++) {
        array = array_grow(array, n, sizeof(*array));
        ck_assert_ptr_nonnull(array);
        array[n] = n;
    }
    for (uint32_t i = 0; i < N; i++) {
        ck_assert_uint_eq(array[i], i);
    }
    free(array);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *tc = tcase_create("map");

    tcase_add_test(tc, an_empty_map_has_nothing);
    tcase_add_test(tc, any_number_is_a_key);
    tcase_add_test(tc, the_last_value_counts);
    tcase_add_test(tc, growing_keeps_all);
    tcase_add_test(tc, an_array_has_room_for_one_more);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
