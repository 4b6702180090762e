/* SPDX-License-Identifier: Apache-2.0 */
/* test_spin.c: one at a time has a spinlock, and what he wrote the next one sees. */
#include "engine/base/spin.h"
#include "engine/os.h"
#include "tests/lib/testlib.h"

#define THREADS 4
#define ROUNDS 2000

struct shared {
    struct spin spin;
    uint64_t count; /* under the spinlock */
};

START_TEST(who_has_it_keeps_others_out)
{
    struct spin spin;

    spin_init(&spin);
    ck_assert(spin_try(&spin));
    ck_assert(!spin_try(&spin));
    spin_drop(&spin);
    spin_take(&spin);
    ck_assert(!spin_try(&spin));
    spin_drop(&spin);
    ck_assert(spin_try(&spin));
}
END_TEST

static void count_up(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUNDS; i++) {
        spin_take(&shared->spin);
        shared->count++;
        spin_drop(&shared->spin);
    }
}

START_TEST(no_count_is_lost)
{
    struct os *os = os_linux_new(1, "spin");
    struct os_thread *threads[THREADS];
    struct shared shared = {0};

    ck_assert_ptr_nonnull(os);
    spin_init(&shared.spin);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(os_thread_start(os, "count", count_up, &shared, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        os_thread_join(threads[i]);
    }
    ck_assert_uint_eq(shared.count, THREADS * ROUNDS);
    os_linux_free(os);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spin");
    TCase *tc = tcase_create("spin");

    tcase_add_test(tc, who_has_it_keeps_others_out);
    tcase_add_test(tc, no_count_is_lost);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
