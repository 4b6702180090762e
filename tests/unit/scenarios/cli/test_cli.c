/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli.c: what people type: times, ranges of seeds, scripts by name; and text as their
 * editors leave it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/run_cli.h"
#include "scenarios/cli/script_find.h"
#include "scenarios/base/text.h"
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

/* ---- scripts by name ---- */

/* A folder with one.lua, and another one and two in a folder below it. */
static void make_folder(char *dir)
{
    static const char *const names[] = {"one.lua", "below/two.lua", "below/one.lua"};
    char path[200];

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/below", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(fclose(file), 0);
    }
    setenv(SCRIPT_FOLDERS, dir, 1);
}

static void remove_folder(const char *dir)
{
    char command[300];

    unsetenv(SCRIPT_FOLDERS);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

/* A file goes before a name, a whole name before its last part, and folders are no scripts
 * as long as there is one of that name. */
START_TEST(a_script_is_found_by_its_name)
{
    static const char *const names[][2] = {
        {"one", "/one.lua"},           {"one.lua", "/one.lua"},
        {"two", "/below/two.lua"},     {"below/one", "/below/one.lua"},
        {"scenarios/one", "/one.lua"}, {"scenarios/below/two.lua", "/below/two.lua"}};
    char dir[] = "/tmp/test_cli-XXXXXX", found[SCRIPT_PATH_MAX], want[200], old[500];

    make_folder(dir);
    ck_assert_ptr_nonnull(getcwd(old, sizeof(old)));
    ck_assert_int_eq(chdir("/"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        ck_assert_msg(script_find(names[i][0], found, sizeof(found)), "%s", names[i][0]);
        snprintf(want, sizeof(want), "%s%s", dir, names[i][1]);
        ck_assert_str_eq(found, want);
    }
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert(script_find("one", found, sizeof(found)));
    ck_assert_str_eq(found, "one.lua");
    ck_assert(script_find("below", found, sizeof(found)));
    ck_assert_str_eq(found, "below");
    ck_assert_int_eq(chdir(old), 0);
    remove_folder(dir);
}
END_TEST

START_TEST(a_name_that_nothing_has)
{
    char dir[] = "/tmp/test_cli-XXXXXX", found[SCRIPT_PATH_MAX], *longer = calloc(1, 5000);

    ck_assert_ptr_nonnull(longer);
    memset(longer, 'x', 4999);
    make_folder(dir);
    ck_assert(!script_find("", found, sizeof(found)));
    ck_assert(!script_find("nothing", found, sizeof(found)));
    ck_assert(!script_find("below/three", found, sizeof(found)));
    ck_assert(!script_find(longer, found, sizeof(found)));
    ck_assert(script_suggest("onne", found, sizeof(found)));
    ck_assert_str_eq(found, "one");
    ck_assert(script_suggest("elsewhere/twoo.lua", found, sizeof(found)));
    ck_assert_str_eq(found, "two");
    ck_assert(!script_suggest("something_else", found, sizeof(found)));
    free(longer);
    remove_folder(dir);
}
END_TEST

/* ---- text ---- */

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
    Suite *suite = suite_create("cli");
    TCase *tc = tcase_create("cli");

    tcase_add_loop_test(tc, a_time_has_a_unit, 0, (int)ARRAY_SIZE(durations));
    tcase_add_test(tc, what_is_no_time_is_refused);
    tcase_add_test(tc, a_range_of_seeds);
    tcase_add_test(tc, a_script_is_found_by_its_name);
    tcase_add_test(tc, a_name_that_nothing_has);
    tcase_add_test(tc, text_of_other_editors);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
