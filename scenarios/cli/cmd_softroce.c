/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_softroce.c: msgrlab softroce: runs a command where there are two soft-RoCE devices.
 * This file reads the command line; softroce/softroce.sh, which takes the place of the
 * process, does the work.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"

/* What softroce.sh ends with, as timeout(1) and docker run do. */
#define EXIT_TIME_UP 124
#define EXIT_NO_MACHINE 125

#define SECONDS_MAX (7 * 24 * 3600)
#define MIB_MIN 96
#define MIB_MAX (1 << 20)
#define PROCESSORS_MAX 64
/* bash, the script, "-x value" for each of seven, "-p", "--", NULL: room for more. */
#define ARGS_MAX 24

struct order {
    const char *cache, *out, *where; /* NULL: not given; numbers: 0 */
    uint64_t seconds, mib, processors;
    bool prepare;
};

/* ---- reading the command line -------------------------------------------------------- */

/* EXIT_OK or EXIT_USAGE, as all below. Whole seconds, and rather more than less. */
static int read_time(const char *text, uint64_t *ret_seconds)
{
    uint64_t ns;

    if (!words_duration(text, &ns) || ns == 0 || ns > SECONDS_MAX * NSEC_PER_SEC) {
        return cli_usage_error(
            "softroce", "--time %s: a time is wanted, as 90, 90s or 5m; at most a week",
            text);
    }
    *ret_seconds = (ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
    return EXIT_OK;
}

static int read_number(const char *name, const char *text, uint64_t min, uint64_t max,
                       uint64_t *ret)
{
    if (!words_number(text, max, ret) || *ret < min) {
        return cli_usage_error("softroce", "%s %s: a number is wanted, %llu to %llu", name,
                               text, (unsigned long long)min, (unsigned long long)max);
    }
    return EXIT_OK;
}

static int read_folder(const char *name, const char *text, const char **ret)
{
    *ret = text;
    return text[0] != '\0' ? EXIT_OK
                           : cli_usage_error("softroce", "%s: a folder is wanted", name);
}

static int read_where(const char *text, const char **ret)
{
    if (strcmp(text, "vm") != 0 && strcmp(text, "host") != 0 && strcmp(text, "any") != 0) {
        return cli_usage_error("softroce", "--where %s: valid are vm, host, any", text);
    }
    *ret = text;
    return EXIT_OK;
}

enum { OPT_CACHE, OPT_TIME, OPT_OUT, OPT_MEMORY, OPT_PROCESSORS, OPT_WHERE, OPT_PREPARE };

static int take_option(void *state, int option, char *value)
{
    struct order *order = state;

    switch (option) {
    case OPT_CACHE:
        return read_folder("--cache", value, &order->cache);
    case OPT_OUT:
        return read_folder("--out", value, &order->out);
    case OPT_TIME:
        return read_time(value, &order->seconds);
    case OPT_MEMORY:
        return read_number("--memory", value, MIB_MIN, MIB_MAX, &order->mib);
    case OPT_PROCESSORS:
        return read_number("--processors", value, 1, PROCESSORS_MAX, &order->processors);
    case OPT_WHERE:
        return read_where(value, &order->where);
    default:
        order->prepare = true;
        return EXIT_OK;
    }
}

/* ---- handing over -------------------------------------------------------------------- */

/* Beside the program's build directory, or where it is installed. */
static bool find_script(char *ret, size_t size)
{
    static const char *const places[] = {"/../../scenarios/softroce",
                                         "/../share/msgrlab/softroce"};
    char exe[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    exe[MAX(len, (ssize_t)0)] = '\0';
    if (strrchr(exe, '/') != NULL) {
        *strrchr(exe, '/') = '\0';
    }
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        snprintf(ret, size, "%s%s/softroce.sh", exe, places[i]);
        if (access(ret, R_OK) == 0) {
            return true;
        }
    }
    fprintf(stderr,
            "msgrlab softroce: its scripts are not where they belong, %s%s or %s%s: run "
            "\"make install\"\n",
            exe, places[1], exe, places[0]);
    return false;
}

struct args {
    const char *v[ARGS_MAX]; /* borrowed; ends with NULL */
    char numbers[ARGS_MAX][24];
    size_t n;
};

static void add(struct args *args, const char *text)
{
    CHECK(args->n + 1 < ARGS_MAX);
    args->v[args->n++] = text;
}

static void add_text(struct args *args, const char *letter, const char *text)
{
    if (text != NULL) {
        add(args, letter);
        add(args, text);
    }
}

static void add_number(struct args *args, const char *letter, uint64_t number)
{
    char *text = args->numbers[args->n];

    snprintf(text, sizeof(args->numbers[0]), "%llu", (unsigned long long)number);
    add_text(args, letter, number > 0 ? text : NULL);
}

/* Returns only when it cannot. `command` ends with NULL, and may be empty. */
static int hand_over(const struct order *order, char **command)
{
    struct args args = {.n = 0};
    char script[PATH_MAX + 64];
    size_t n_command = 0;
    const char **all;

    if (!find_script(script, sizeof(script))) {
        return EXIT_NO_MACHINE;
    }
    add_text(&args, "bash", script);
    add_text(&args, "-c", order->cache);
    add_text(&args, "-o", order->out);
    add_text(&args, "-w", order->where);
    add_number(&args, "-t", order->seconds);
    add_number(&args, "-m", order->mib);
    add_number(&args, "-s", order->processors);
    if (order->prepare) {
        add(&args, "-p");
    }
    add(&args, "--");
    while (command[n_command] != NULL) {
        n_command++;
    }
    all = calloc(args.n + n_command + 1, sizeof(*all));
    if (all == NULL) {
        fprintf(stderr, "msgrlab softroce: out of memory\n");
        return EXIT_NO_MACHINE;
    }
    memcpy(all, args.v, args.n * sizeof(*all));
    memcpy(all + args.n, command, n_command * sizeof(*all));
    fflush(NULL);
    execvp("bash", (char **)all);
    fprintf(stderr, "msgrlab softroce: cannot run bash: %s\n", strerror(errno));
    free(all);
    return EXIT_NO_MACHINE;
}

static int run_softroce(int argc, char **argv)
{
    struct order order = {.cache = NULL};
    int code = cli_options(&command_softroce, argc, argv, &order);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (order.prepare && optind < argc) {
        return cli_usage_error("softroce", "--prepare runs no command");
    }
    if (!order.prepare && optind == argc) {
        return cli_usage_error("softroce", "which command? msgrlab softroce -- COMMAND");
    }
    return hand_over(&order, argv + optind);
}

static const struct cli_option options[] = {
    {"cache", 0, "DIR", OPT_CACHE,
     "where kernels are kept, 70 MB each; many users and processes may share it "
     "($SOFTROCE_CACHE, $XDG_CACHE_HOME/msgrlab, ~/.cache/msgrlab)"},
    {"time", 0, "S", OPT_TIME, "limit for COMMAND, without the start of the machine (120)"},
    {"out", 0, "DIR", OPT_OUT,
     "what is written there comes back; $SOFTROCE_OUT in the machine"},
    {"memory", 0, "MIB", OPT_MEMORY, "of the machine (768)"},
    {"processors", 0, "N", OPT_PROCESSORS, "of the machine (1)"},
    {"where", 0, "WHERE", OPT_WHERE,
     "vm, the virtual machine (the default); host, this machine, where root can load "
     "rdma_rxe; any, host if that can be, else vm"},
    {"prepare", 0, NULL, OPT_PREPARE,
     "only fetch the kernel, and say where COMMAND would run"},
    {0},
};

const struct cli_command command_softroce = {
    .name = "softroce",
    .summary = "run any command where there are two soft-RoCE devices",
    .usage = "[OPTION...] -- COMMAND [ARG...]\n"
             "--prepare [--cache DIR]",
    .about =
        "Runs COMMAND in a virtual machine with two soft-RoCE devices, rxe0 (192.0.2.1)\n"
        "and rxe1 (192.0.2.2), with a wire between them. It takes neither root nor KVM.\n"
        "The files of this machine are there at the same paths, and so are the working\n"
        "directory and the environment. COMMAND runs as root and has no input; what it\n"
        "prints comes as it is printed. What it writes is lost, except below the folder "
        "of\n"
        "--out.",
    .options = {options},
    .stops_at_argument = true, /* COMMAND's are COMMAND's, whether there is a "--" or not */
    .take = take_option,
    .more = "In the machine \". \"$SOFTROCE_LIB\"\" gives netem, link_down and others to "
            "bash.\n"
            "docs/softroce.md has recipes.",
    .exits_of = "that of COMMAND (128 + N: signal N), or",
    .exits = {{EXIT_OK, "COMMAND went well"},
              {EXIT_TIME_UP, "the time of COMMAND was up"},
              {EXIT_NO_MACHINE, "the machine could not be had, or died"},
              {126, "COMMAND cannot be run"},
              {127, "COMMAND is not there"},
              {EXIT_INTERRUPTED, "interrupted"},
              {143, "terminated"}},
    .run = run_softroce,
};
