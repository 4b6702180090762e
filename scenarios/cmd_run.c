/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_run.c: msgrlab run SCRIPT.lua
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/cli.h"
#include "scenarios/commands.h"
#include "scenarios/exit_codes.h"
#include "scenarios/run.h"

enum {
    OPT_ON = 256,
    OPT_SCHEDULE,
    OPT_STACK,
    OPT_DRIVER,
    OPT_SEED,
    OPT_SET,
    OPT_TRACE,
    OPT_NO_TRACE,
    OPT_TITLE,
    OPT_TIMEOUT
};

static const struct option options[] = {{"on", required_argument, NULL, OPT_ON},
                                        {"schedule", required_argument, NULL, OPT_SCHEDULE},
                                        {"stack", required_argument, NULL, OPT_STACK},
                                        {"driver", required_argument, NULL, OPT_DRIVER},
                                        {"seed", required_argument, NULL, OPT_SEED},
                                        {"set", required_argument, NULL, OPT_SET},
                                        {"trace", required_argument, NULL, OPT_TRACE},
                                        {"no-trace", no_argument, NULL, OPT_NO_TRACE},
                                        {"title", required_argument, NULL, OPT_TITLE},
                                        {"timeout", required_argument, NULL, OPT_TIMEOUT},
                                        CLI_HELP,
                                        {NULL, 0, NULL, 0}};

static const char help[] =
    "usage: msgrlab run SCRIPT.lua [OPTION...]\n"
    "\n"
    "Runs a scenario: its nodes, their messages, and what it expects of them.\n"
    "\n"
    "  --on WORLD       linux (default), or sim: virtual threads, clock and network,\n"
    "                   the same run for the same seed\n"
    "  --schedule NAME  sim: random (default), fifo or pct\n"
    "  --stack tcp      the network stack (the only one of this version)\n"
    "  --driver NAME    epoll (default), poll or select, for nodes that do not say\n"
    "  --seed N         of the script's random numbers, and of the simulated world;\n"
    "                   default 0\n"
    "  --set KEY=VALUE  what the script reads as set.KEY; instructions=N is the\n"
    "                   host's: how many the script may use (default 100000000)\n"
    "  --trace FILE     keep what was recorded, for msgrlab show\n"
    "  --no-trace       record nothing (expect.steps is an error then)\n"
    "  --title TEXT     of the trace; default: this command line\n"
    "  --timeout TIME   limit of the whole run, like 90s or 500ms; default 60s\n"
    "\n"
    "exit codes:\n"
    "    0  everything expected was observed, or the script skipped itself\n"
    "    1  an expectation failed, a message was damaged, or something leaked\n"
    "    2  the command line is wrong\n"
    "    3  the script has an error, or went beyond its limits\n"
    "    4  it cannot run here: address in use, too few descriptors, no such world\n"
    "    5  the script or the trace could not be read or written\n"
    "    6  the time limit passed\n"
    "   12  the simulated world stood still, or ran in circles: who waits is said\n"
    "  130  stopped by Ctrl-C; the summary so far was printed\n";

/* ---- missing scripts --------------------------------------------------------------- */

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".lua") == 0;
}

/* True if there were any. */
static bool list_scripts(const char *dir)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, is_script, alphasort);

    if (n < 0) {
        return false;
    }
    if (n > 0) {
        fprintf(stderr, "Scenarios that are here:\n");
    }
    for (int i = 0; i < n; i++) {
        fprintf(stderr, "  %s/%s\n", dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return n > 0;
}

/* In the working directory, beside the program's build directory, or where it is installed.
 */
static int complain_missing(const char *script)
{
    static const char *const places[] = {"/../../scenarios", "/../share/msgrlab/scenarios"};
    char exe[400], dir[500];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    fprintf(stderr, "msgrlab run: there is no script %s\n", script);
    if (list_scripts("scenarios") || len <= 0) {
        return EXIT_FILE;
    }
    exe[len] = '\0';
    *strrchr(exe, '/') = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char *real;

        snprintf(dir, sizeof(dir), "%s%s", exe, places[i]);
        real = realpath(dir, NULL);
        if (real != NULL && list_scripts(real)) {
            free(real);
            break;
        }
        free(real);
    }
    return EXIT_FILE;
}

/* ---- options ----------------------------------------------------------------------- */

static int take_world(const char *value, struct run_opts *opts)
{
    if (strcmp(value, "linux") != 0 && strcmp(value, "sim") != 0) {
        return cli_usage_error("run", "there is no world '%s'; valid: linux, sim", value);
    }
    opts->world.on = value;
    return EXIT_OK;
}

static int take_schedule(const char *value, struct run_opts *opts)
{
    for (size_t i = 0; i < ARRAY_SIZE(world_schedules); i++) {
        if (strcmp(value, world_schedules[i]) == 0) {
            opts->world.schedule = value;
            return EXIT_OK;
        }
    }
    return cli_usage_error("run", "there is no schedule '%s'; valid: fifo, random, pct",
                           value);
}

static int take_stack(const char *value)
{
    if (strcmp(value, "tcp") == 0) {
        return EXIT_OK;
    }
    if (strcmp(value, "rdma") == 0) {
        fprintf(stderr, "msgrlab run: the RDMA stack is not in this version; use "
                        "--stack tcp\n");
        return EXIT_CANNOT;
    }
    return cli_usage_error("run", "there is no stack '%s'; valid: tcp", value);
}

static int take_driver(const char *value, struct run_opts *opts)
{
    int driver = event_driver_by_name(value);

    if (driver < 0) {
        return cli_usage_error("run", "there is no driver '%s'; valid: epoll, poll, select",
                               value);
    }
    opts->world.driver = (enum event_driver_kind)driver;
    return EXIT_OK;
}

static int take_set(char *value, struct run_opts *opts)
{
    char *equals = strchr(value, '=');

    if (equals == NULL || equals == value) {
        return cli_usage_error("run", "--set wants KEY=VALUE, not '%s'", value);
    }
    *equals = '\0';
    if (strcmp(value, "instructions") == 0) {
        if (!cli_number(equals + 1, UINT64_MAX / 2, &opts->instructions_max) ||
            opts->instructions_max == 0) {
            return cli_usage_error("run", "--set instructions=N: '%s' is no number",
                                   equals + 1);
        }
        return EXIT_OK;
    }
    for (int i = 0; i < opts->n_sets; i++) {
        if (strcmp(opts->sets[i].key, value) == 0) {
            return cli_usage_error("run", "--set %s is given twice", value);
        }
    }
    if (opts->n_sets == RUN_SETS_MAX) {
        return cli_usage_error("run", "at most %d times --set", RUN_SETS_MAX);
    }
    opts->sets[opts->n_sets++] = (struct run_set){.key = value, .value = equals + 1};
    return EXIT_OK;
}

static int take_option(int option, char *value, struct run_opts *opts)
{
    switch (option) {
    case OPT_ON:
        return take_world(value, opts);
    case OPT_SCHEDULE:
        return take_schedule(value, opts);
    case OPT_STACK:
        return take_stack(value);
    case OPT_DRIVER:
        return take_driver(value, opts);
    case OPT_SEED:
        return cli_number(value, UINT64_MAX, &opts->world.seed)
                   ? EXIT_OK
                   : cli_usage_error("run", "--seed wants a number, not '%s'", value);
    case OPT_SET:
        return take_set(value, opts);
    case OPT_TRACE:
        opts->world.trace_path = value;
        return EXIT_OK;
    case OPT_NO_TRACE:
        opts->world.no_trace = true;
        return EXIT_OK;
    case OPT_TITLE:
        opts->world.title = value;
        return EXIT_OK;
    default:
        return cli_duration(value, &opts->timeout_ns) && opts->timeout_ns > 0
                   ? EXIT_OK
                   : cli_usage_error("run", "--timeout wants a time like 90s, not '%s'",
                                     value);
    }
}

/* "msgrlab run x.lua --seed 7", before getopt moves the words about. */
static void write_title(int argc, char **argv, char *title, size_t size)
{
    size_t len = (size_t)snprintf(title, size, "msgrlab");

    for (int i = 0; i < argc && len < size; i++) {
        len += (size_t)snprintf(title + len, size - len, " %s", argv[i]);
    }
}

int cmd_run(int argc, char **argv)
{
    struct run_opts opts = {.timeout_ns = RUN_TIMEOUT_NS,
                            .world = {.on = "linux", .stack = "tcp"}};
    char title[256];
    int option, code;

    write_title(argc, argv, title, sizeof(title));
    opts.world.title = title;
    cli_start();
    while ((option = cli_next(argc, argv, "h", options)) != CLI_END) {
        if (option == CLI_BAD) {
            return EXIT_USAGE;
        }
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_OK;
        }
        code = take_option(option, optarg, &opts);
        if (code != EXIT_OK) {
            return code;
        }
    }
    if (argc - optind != 1) {
        return cli_usage_error("run",
                               argc == optind ? "which script?" : "one script at a time");
    }
    if (opts.world.no_trace && opts.world.trace_path != NULL) {
        return cli_usage_error("run", "--trace and --no-trace exclude each other");
    }
    opts.script = argv[optind];
    if (access(opts.script, F_OK) != 0) {
        return complain_missing(opts.script);
    }
    return run_scenario(&opts);
}
