/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_words.c: what people write: times, and text as their editors leave it.
 */
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/text.h"
#include "scenarios/base/words.h"
#include "tests/lib/testlib.h"

static const struct {
    const char *text;
    uint64_t ns;
} durations[] = {{"0", 0},
                 {"5ns", 5},
                 {"250us", 250000},
                 {"10ms", 10000000},
                 {"1.5s", 1500000000},
                 {".5s", 500000000},
                 {"2", 2000000000},
                 {"2 s", 2000000000},
                 {"2m", 120 * NSEC_PER_SEC},
                 {"2min", 120 * NSEC_PER_SEC},
                 {"1h", 3600 * NSEC_PER_SEC},
                 {"1.5h", 5400 * NSEC_PER_SEC},
                 {"2d", 2 * 86400 * NSEC_PER_SEC},
                 {"3650d", WORDS_DURATION_MAX}};

START_TEST(a_time_has_a_unit)
{
    uint64_t ns = 1;

    ck_assert_msg(words_duration(durations[_i].text, &ns), "%s", durations[_i].text);
    ck_assert_uint_eq(ns, durations[_i].ns);
}
END_TEST

/* What is none, or longer than any run, changes nothing. */
START_TEST(what_is_no_time_is_refused)
{
    static const char *const wrong[] = {"",
                                        "s",
                                        "-5s",
                                        "+5s",
                                        "1y",
                                        "1 hour",
                                        "1hh",
                                        "h1",
                                        "1h30m",
                                        "0x10",
                                        "1e9",
                                        "1e300h",
                                        "inf",
                                        "nan",
                                        "1.2.3s",
                                        ".",
                                        " 5s",
                                        "5  s",
                                        "5s ",
                                        "5 ",
                                        "3651d",
                                        "1e3s",
                                        "99999999999999999999999999999999999999999s"};

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint64_t ns = 77;

        ck_assert_msg(!words_duration(wrong[i], &ns), "%s", wrong[i]);
        ck_assert_uint_eq(ns, 77);
    }
}
END_TEST

START_TEST(text_of_other_editors)
{
    char lines[] = "a\r\nb\rc\n\r\r\n\r";
    const char *begin = "\xef\xbb\xbfx";
    size_t len = 4;

    begin = text_begin(begin, &len);
    ck_assert(begin[0] == 'x' && len == 1);
    ck_assert_ptr_eq(text_begin(begin, &len), begin);
    len = text_unix_lines(lines, sizeof(lines) - 1);
    ck_assert_uint_eq(len, 9);
    ck_assert_mem_eq(lines, "a\nb\rc\n\r\n\r", 9);
    ck_assert_ptr_nonnull(text_wrong("\xff\xfex", 3));
    ck_assert_ptr_null(text_wrong("x", 1));
    ck_assert_ptr_null(text_wrong("", 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *tc = tcase_create("words");

    tcase_add_loop_test(tc, a_time_has_a_unit, 0, (int)ARRAY_SIZE(durations));
    tcase_add_test(tc, what_is_no_time_is_refused);
    tcase_add_test(tc, text_of_other_editors);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
