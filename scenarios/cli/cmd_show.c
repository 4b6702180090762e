/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_show.c: msgrlab show TRACE; the views themselves are in viz/.
 */
#include <errno.h>
#include <stdio.h>

#include "scenarios/base/words.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"
#include "viz/show.h"
#include "viz/trace/trace_reader.h"

enum { OPT_VIEW, OPT_OUTPUT, OPT_FORMAT, OPT_MESSAGE, OPT_KIND, OPT_CONN, OPT_LIMIT };

static int take_option(void *state, int option, char *value)
{
    struct show_opts *opts = state;

    switch (option) {
    case OPT_VIEW:
        opts->view = value;
        return EXIT_OK;
    case OPT_OUTPUT:
        opts->output = value;
        return EXIT_OK;
    case OPT_FORMAT:
        opts->format = value;
        return EXIT_OK;
    case OPT_MESSAGE:
        opts->message = value;
        return EXIT_OK;
    case OPT_KIND:
        opts->kind = value;
        return EXIT_OK;
    case OPT_CONN:
        opts->conn = value;
        return EXIT_OK;
    default:
        return words_number(value, UINT64_MAX, &opts->limit)
                   ? EXIT_OK
                   : cli_usage_error("show", "--limit wants a number, not '%s'", value);
    }
}

/* What was wrong when the views refused: the trace, or the options. */
static int judge_refusal(const char *trace)
{
    struct trace_reader *reader;
    char why[200];

    if (trace_reader_open(trace, &reader, why, sizeof(why)) < 0) {
        return EXIT_FILE;
    }
    trace_reader_close(reader);
    return EXIT_USAGE;
}

static int run_show(int argc, char **argv)
{
    struct show_opts opts = {.trace = NULL};
    int code = cli_options(&command_show, argc, argv, &opts), rc;

    if (code != CLI_GO_ON) {
        return code;
    }
    if (argc - optind != 1) {
        return cli_usage_error("show",
                               argc == optind ? "which trace?" : "one trace at a time");
    }
    opts.trace = argv[optind];
    rc = show_run(&opts, stderr);
    if (rc == -EINVAL) {
        return judge_refusal(opts.trace);
    }
    return rc < 0 ? EXIT_FILE : EXIT_OK;
}

static void print_views(FILE *out)
{
    fprintf(out, "views and what they can be written as:\n");
    show_views(out);
}

static const struct cli_option options[] = {
    {"view", 0, "VIEW", OPT_VIEW, "one of those below; default text"},
    {"output", 'o', "FILE", OPT_OUTPUT,
     "where to; the extension chooses the format; default: text on standard output"},
    {"format", 0, "FORMAT", OPT_FORMAT, "overrides the extension"},
    {"message", 0, "ID", OPT_MESSAGE, "only that message: its number, or NODE:N"},
    {"kind", 0, "NAME", OPT_KIND, "only records of that kind or step (text views)"},
    {"conn", 0, "NAME", OPT_CONN, "only records of that object (text views)"},
    {"limit", 0, "N", OPT_LIMIT, "at most N lines"},
    {0},
};

const struct cli_command command_show = {
    .name = "show",
    .summary = "draw or print what a trace recorded",
    .usage = "TRACE [OPTION...]",
    .about = "Draws or prints what a run recorded (msgrlab run ... --trace FILE).",
    .options = {options},
    .take = take_option,
    .print_more = print_views,
    .exits = {{EXIT_OK, "done"},
              {EXIT_FILE, "the trace or the output could not be read or written"}},
    .run = run_show,
};
