/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_views_output.c: where "msgrlab show" writes: errors that say what is valid, full
 * disks, the missing Graphviz, and the formats it renders.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/lib/shown.h"

/* ---- errors ---- */

/* What is not there is named, and so is what there is. */
START_TEST(errors_list_what_is_valid)
{
    struct {
        struct show_opts opts;
        int rc;
        const char *says[4];
    } cases[] = {
        {{.view = "nonsense"}, -EINVAL, {"\"nonsense\"", "iopath", "eventcenter", ".svg"}},
        {{.view = "iopath", .output = "x.gif"},
         -EINVAL,
         {".gif", "iopath", ".txt .svg .pdf .png .dot", ""}},
        {{.view = "text", .output = "x.svg"}, -EINVAL, {".svg", ".txt .json .csv", "", ""}},
        {{.view = "text", .output = "/tmp.d/x"}, -EINVAL, {"extension", ".txt", "", ""}},
        {{.view = "text", .format = "xml"}, -EINVAL, {".xml", ".json", "", ""}},
        {{.view = "message", .message = "9:9"},
         -ENOENT,
         {"\"9:9\"", "it has 1", "NODE:N", ""}},
        {{.view = "text", .output = "/nonexistent/x.txt"},
         -ENOENT,
         {"/nonexistent/x.txt", "No such file", "", ""}},
    };
    struct show_opts missing = {.trace = "/nonexistent/t"};
    struct shown shown;
    struct story s;

    shown_tell(&s, 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cases[i].opts.trace = s.path;
        shown = shown_by(&cases[i].opts);
        ck_assert_int_eq(shown.rc, cases[i].rc);
        for (int k = 0; k < 4; k++) {
            ck_assert_msg(cases[i].says[k] == NULL || strstr(shown.said, cases[i].says[k]),
                          "case %zu: %s", i, shown.said);
        }
        shown_fini(&shown);
    }
    shown = shown_by(&missing);
    ck_assert_str_eq(shown.said, "/nonexistent/t: No such file or directory\n");
    shown_fini(&shown);
    ck_assert_int_ne(access("x.gif", F_OK), 0);
    story_remove(&s);
}
END_TEST

/* A trace is not overwritten by its own picture. */
START_TEST(trace_is_not_its_own_output)
{
    struct show_opts opts;
    struct shown shown;
    struct stat before, after;
    struct story s;

    shown_tell(&s, 1);
    ck_assert_int_eq(stat(s.path, &before), 0);
    opts = (struct show_opts){.trace = s.path, .output = s.path, .format = "txt"};
    shown = shown_by(&opts);
    ck_assert_int_lt(shown.rc, 0);
    ck_assert_ptr_nonnull(strstr(shown.said, "this is the trace"));
    ck_assert_int_eq(stat(s.path, &after), 0);
    ck_assert_int_eq(before.st_size, after.st_size);
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* A device that is full: an error, for every view and form. */
START_TEST(full_device_is_an_error)
{
    static const char *const formats[] = {"txt", "dot", "json", "csv"};
    struct story s;

    shown_tell(&s, 2);
    for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(formats); k++) {
            struct show_opts opts = {.trace = s.path,
                                     .view = views[i],
                                     .output = "/dev/full",
                                     .format = formats[k]};
            struct shown shown;

            if ((i == 0) == (k == 1) || (i > 0 && k > 1)) {
                continue; /* text is no picture, and only text is data */
            }
            shown = shown_by(&opts);
            ck_assert_int_eq(shown.rc, -ENOSPC);
            ck_assert_str_eq(shown.said, "/dev/full: No space left on device\n");
            shown_fini(&shown);
        }
    }
    story_remove(&s);
}
END_TEST

/* A disk that fills up leaves the old file as it was, and nothing new. */
START_TEST(full_disk_leaves_the_old_file)
{
    struct rlimit limit = {1000, RLIM_INFINITY};
    char dir[] = "/tmp/views.XXXXXX", path[64];
    struct show_opts opts = {.output = path};
    struct shown shown;
    struct story s;
    FILE *file;

    shown_tell(&s, 2);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/out.txt", dir);
    file = fopen(path, "w");
    fprintf(file, "as it was");
    fclose(file);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    opts.trace = s.path;
    shown = shown_by(&opts);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(shown.rc, -EFBIG);
    ck_assert_str_eq(shown.text, "as it was");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0); /* so it is empty */
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* Standard output may be full, too. */
START_TEST(full_standard_output_is_an_error)
{
    struct show_opts opts = {0};
    struct shown shown;
    struct story s;

    shown_tell(&s, 2);
    opts.trace = s.path;
    ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
    shown = shown_by(&opts);
    ck_assert_int_eq(shown.rc, -ENOSPC);
    ck_assert_str_eq(shown.said, "standard output: No space left on device\n");
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* Without the program "dot", the error says what to install and what works instead. */
START_TEST(missing_dot_is_a_clear_error)
{
    struct shown shown;
    struct story s;

    shown_tell(&s, 1);
    ck_assert_int_eq(setenv("PATH", "/nonexistent", 1), 0);
    shown = shown_as((struct show_opts){.trace = s.path}, "iopath", "svg");
    ck_assert_int_eq(shown.rc, -ENOENT);
    ck_assert_ptr_nonnull(strstr(shown.said, "\"dot\" is missing: install graphviz"));
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST

/* Each picture format, from the real program. */
START_TEST(pictures_are_rendered)
{
    static const struct {
        const char *format, *begins;
    } formats[] = {{"svg", "<?xml"}, {"png", "\x89PNG"}, {"pdf", "%PDF"}};
    struct show_opts full = {.view = "iopath", .output = "/dev/full", .format = "png"};
    struct shown shown;
    struct story s;
    int fds;

    ck_assert_int_eq(system("dot -V 2>/dev/null"), 0); /* the build installs it */
    shown_tell(&s, 2);
    fds = testlib_open_fds();
    for (size_t i = 1; i < ARRAY_SIZE(views); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(formats); k++) {
            shown =
                shown_as((struct show_opts){.trace = s.path}, views[i], formats[k].format);
            ck_assert_msg(shown.rc == 0, "%s.%s: %s", views[i], formats[k].format,
                          shown.said);
            ck_assert_int_eq(
                strncmp(shown.text, formats[k].begins, strlen(formats[k].begins)), 0);
            shown_fini(&shown);
        }
    }
    ck_assert_int_eq(testlib_open_fds(), fds);
    full.trace = s.path;
    shown = shown_by(&full);
    ck_assert_int_eq(shown.rc, -ENOSPC);
    ck_assert_str_eq(shown.said, "/dev/full: No space left on device\n");
    shown_fini(&shown);
    story_remove(&s);
}
END_TEST
int main(void)
{
    Suite *suite = suite_create("views_output");
    TCase *output = tcase_create("output");

    tcase_set_timeout(output, 60);
    tcase_add_test(output, errors_list_what_is_valid);
    tcase_add_test(output, trace_is_not_its_own_output);
    tcase_add_test(output, full_device_is_an_error);
    tcase_add_test(output, full_disk_leaves_the_old_file);
    tcase_add_test(output, full_standard_output_is_an_error);
    tcase_add_test(output, missing_dot_is_a_clear_error);
    tcase_add_test(output, pictures_are_rendered);
    suite_add_tcase(suite, output);
    return testlib_run(suite);
}
