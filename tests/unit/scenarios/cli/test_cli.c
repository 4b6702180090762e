/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli.c: what people type: options, ranges of seeds; and what --help tells of a
 * command.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- the table of a command ---- */

/* What was taken, as "id=value id ...". */
struct taken {
    char text[200];
};

static int take(void *state, int id, char *value)
{
    struct taken *taken = state;
    size_t n = strlen(taken->text);

    snprintf(taken->text + n, sizeof(taken->text) - n, "%d%s%s ", id,
             value != NULL ? "=" : "", value != NULL ? value : "");
    return value != NULL && strcmp(value, "bad") == 0 ? EXIT_CANNOT : EXIT_OK;
}

static const struct cli_option options[] = {
    {"output", 'o', "FILE", 1,
     "where what is said goes to, which is a long story, so that it takes a second line"},
    {"quiet", 0, NULL, 2, "say nothing"},
    {0},
};

static const struct cli_option more_options[] = {
    {"secret", 0, NULL, 3, NULL},
    {0},
};

static const struct cli_command command = {
    .name = "say",
    .summary = "says something",
    .usage = "WORD [OPTION...]\n--quiet",
    .about = "Says WORD.",
    .options = {options, more_options},
    .take = take,
    .exits = {{EXIT_OK, "it was said"}, {EXIT_SAFETY, NULL}, {EXIT_CANNOT, "nobody hears"}},
};

static const struct {
    const char *words[6]; /* behind the name */
    int code;
    const char *taken;
    int arguments;
} lines[] = {
    {{"hello"}, CLI_GO_ON, "", 1},
    {{"hello", "--quiet", "world", "-o", "x"}, CLI_GO_ON, "2 1=x ", 2},
    {{"--output=x", "--secret", "--", "--quiet"}, CLI_GO_ON, "1=x 3 ", 1},
    {{"-ox", "--out", "y"}, CLI_GO_ON, "1=x 1=y ", 0},
    {{"--output", "bad", "--quiet"}, EXIT_CANNOT, "1=bad ", -1},
    {{"--quiet", "--output"}, EXIT_USAGE, "2 ", -1},
    {{"--quiet=3"}, EXIT_USAGE, "", -1},
    {{"--loud"}, EXIT_USAGE, "", -1},
    {{"-q"}, EXIT_USAGE, "", -1},
};

static int read_line(const struct cli_command *c, int i, struct taken *ret, int *ret_n)
{
    char name[] = "say", *argv[8] = {name};
    int argc = 1, code;

    for (; argc <= 6 && lines[i].words[argc - 1] != NULL; argc++) {
        argv[argc] = strdup(lines[i].words[argc - 1]);
    }
    *ret = (struct taken){""};
    code = cli_options(c, argc, argv, ret);
    *ret_n = argc - optind;
    while (--argc > 0) {
        free(argv[argc]);
    }
    return code;
}

START_TEST(options_are_taken_in_their_order)
{
    struct taken taken;
    int n;

    ck_assert_int_eq(read_line(&command, _i, &taken, &n), lines[_i].code);
    ck_assert_str_eq(taken.text, lines[_i].taken);
    if (lines[_i].code == CLI_GO_ON) {
        ck_assert_int_eq(n, lines[_i].arguments);
    }
}
END_TEST

START_TEST(a_command_may_leave_what_follows_to_others)
{
    struct cli_command stops = command;
    struct taken taken;
    int n;

    stops.stops_at_argument = true;
    ck_assert_int_eq(read_line(&stops, 1, &taken, &n), CLI_GO_ON);
    ck_assert_str_eq(taken.text, "");
    ck_assert_int_eq(n, 5);
}
END_TEST

START_TEST(help_is_made_from_the_table)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    ck_assert_ptr_nonnull(out);
    cli_help(&command, out);
    fclose(out);
    ck_assert_str_eq(text,
                     "usage: msgrlab say WORD [OPTION...]\n"
                     "       msgrlab say --quiet\n"
                     "\n"
                     "Says WORD.\n"
                     "\n"
                     "  -o, --output FILE  where what is said goes to, which is a long "
                     "story, so that\n"
                     "                     it takes a second line\n"
                     "  --quiet            say nothing\n"
                     "\n"
                     "exit codes:\n"
                     "    0  it was said\n"
                     "    2  the command line is wrong\n"
                     "    4  nobody hears\n"
                     "    5  what it prints could not be written\n"
                     "   11  an invariant was violated\n");
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *tc = tcase_create("cli");

    tcase_add_test(tc, a_range_of_seeds);
    tcase_add_loop_test(tc, options_are_taken_in_their_order, 0, (int)ARRAY_SIZE(lines));
    tcase_add_test(tc, a_command_may_leave_what_follows_to_others);
    tcase_add_test(tc, help_is_made_from_the_table);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
