/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_script_find.c: which script a name means, and which one was probably meant.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/run/script_find.h"
#include "tests/lib/testlib.h"

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

int main(void)
{
    Suite *suite = suite_create("script_find");
    TCase *tc = tcase_create("script_find");

    tcase_add_test(tc, a_script_is_found_by_its_name);
    tcase_add_test(tc, a_name_that_nothing_has);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
