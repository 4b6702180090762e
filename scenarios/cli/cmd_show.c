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

enum { OPT_VIEW = 256, OPT_FORMAT, OPT_MESSAGE, OPT_KIND, OPT_CONN, OPT_LIMIT };

static const struct option options[] = {{"view", required_argument, NULL, OPT_VIEW},
                                        {"output", required_argument, NULL, 'o'},
                                        {"format", required_argument, NULL, OPT_FORMAT},
                                        {"message", required_argument, NULL, OPT_MESSAGE},
                                        {"kind", required_argument, NULL, OPT_KIND},
                                        {"conn", required_argument, NULL, OPT_CONN},
                                        {"limit", required_argument, NULL, OPT_LIMIT},
                                        CLI_HELP,
                                        {NULL, 0, NULL, 0}};

static void print_help(void)
{
    printf("usage: msgrlab show TRACE [OPTION...]\n"
           "\n"
           "Draws or prints what a run recorded (msgrlab run ... --trace FILE).\n"
           "\n"
           "  --view VIEW         one of those below; default text\n"
           "  -o, --output FILE   where to; the extension chooses the format; default:\n"
           "                      text on standard output\n"
           "  --format FORMAT     overrides the extension\n"
           "  --message ID        only that message: its number, or NODE:N\n"
           "  --kind NAME         only records of that kind or step (text views)\n"
           "  --conn NAME         only records of that object (text views)\n"
           "  --limit N           at most N lines\n"
           "\n"
           "views and what they can be written as:\n");
    show_views(stdout);
    printf(
        "\n"
        "exit codes: 0 done, 2 the command line is wrong, 5 the trace or the output could\n"
        "not be read or written\n");
}

/* False: the error was printed. */
static bool take_option(int option, const char *value, struct show_opts *opts)
{
    switch (option) {
    case OPT_VIEW:
        opts->view = value;
        return true;
    case 'o':
        opts->output = value;
        return true;
    case OPT_FORMAT:
        opts->format = value;
        return true;
    case OPT_MESSAGE:
        opts->message = value;
        return true;
    case OPT_KIND:
        opts->kind = value;
        return true;
    case OPT_CONN:
        opts->conn = value;
        return true;
    default:
        if (!words_number(value, UINT64_MAX, &opts->limit)) {
            cli_usage_error("show", "--limit wants a number, not '%s'", value);
            return false;
        }
        return true;
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

int cmd_show(int argc, char **argv)
{
    struct show_opts opts = {.trace = NULL};
    int option, rc;

    cli_start();
    while ((option = cli_next(argc, argv, "ho:", options)) != CLI_END) {
        if (option == CLI_BAD) {
            return EXIT_USAGE;
        }
        if (option == 'h') {
            print_help();
            return EXIT_OK;
        }
        if (!take_option(option, optarg, &opts)) {
            return EXIT_USAGE;
        }
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
