/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli.c: what people type: ranges of seeds.
 */
#include "engine/util.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/run_cli.h"
#include "tests/lib/testlib.h"

START_TEST(a_range_of_seeds)
{
    static const char *const wrong[] = {
        "", "x", "1..", "..5", "9..1", "1-10", "1...", "1 ..2", "18446744073709551616"};
    uint64_t first, last;

    ck_assert(run_cli_seeds("7", &first, &last) && first == 7 && last == 7);
    ck_assert(run_cli_seeds("0..18446744073709551615", &first, &last));
    ck_assert(first == 0 && last == UINT64_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        ck_assert_msg(!run_cli_seeds(wrong[i], &first, &last), "%s", wrong[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *tc = tcase_create("cli");

    tcase_add_test(tc, a_range_of_seeds);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
