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

/* What softroce.sh ends with when the machine could not be had; as in docker run. */
#define EXIT_NO_MACHINE 125

#define SECONDS_MAX (7 * 24 * 3600)
#define MIB_MIN 96
#define MIB_MAX (1 << 20)
#define PROCESSORS_MAX 64
/* bash, the script, "-x value" for each of seven, "-p", "--", NULL: room for more. */
#define ARGS_MAX 24

static const struct option options[] = {
    {"cache", required_argument, NULL, 'c'},
    {"time", required_argument, NULL, 't'},
    {"out", required_argument, NULL, 'o'},
    {"memory", required_argument, NULL, 'm'},
    {"processors", required_argument, NULL, 's'},
    {"where", required_argument, NULL, 'w'},
    {"prepare", no_argument, NULL, 'p'},
    CLI_HELP,
    {NULL, 0, NULL, 0},
};

struct order {
    const char *cache, *out, *where; /* NULL: not given; numbers: 0 */
    uint64_t seconds, mib, processors;
    bool prepare;
};

static void print_help(void)
{
    printf("usage: msgrlab softroce [OPTION...] -- COMMAND [ARG...]\n"
           "       msgrlab softroce --prepare [--cache DIR]\n\n"
           "Runs COMMAND in a virtual machine with two soft-RoCE devices, rxe0 (192.0.2.1) "
           "and\n"
           "rxe1 (192.0.2.2), with a wire between them. It takes neither root nor KVM. The "
           "files\n"
           "of this machine are there at the same paths, and so are the working directory "
           "and\n"
           "the environment. COMMAND runs as root and has no input; what it prints comes "
           "as it\n"
           "is printed. What it writes is lost, except below the folder of --out.\n\n"
           "  --cache DIR       where kernels are kept, 70 MB each; many users and "
           "processes may\n"
           "                    share it ($SOFTROCE_CACHE, $XDG_CACHE_HOME/msgrlab,\n"
           "                    ~/.cache/msgrlab)\n"
           "  --time S          limit for COMMAND, without the start of the machine (120)\n"
           "  --out DIR         what is written there comes back; $SOFTROCE_OUT in the "
           "machine\n"
           "  --memory MIB      of the machine (768)\n"
           "  --processors N    of the machine (1)\n"
           "  --where WHERE     vm, the virtual machine (the default); host, this machine, "
           "where\n"
           "                    root can load rdma_rxe; any, host if that can be, else vm\n"
           "  --prepare         only fetch the kernel, and say where COMMAND would run\n\n"
           "In the machine \". \"$SOFTROCE_LIB\"\" gives netem, link_down and others to "
           "bash.\n"
           "docs/softroce.md has recipes.\n\n"
           "exit codes: that of COMMAND (128 + N: signal N; 126, 127: it cannot be run, is "
           "not\n"
           "there); 2 the command line is wrong, 124 the time of COMMAND was up, 125 the "
           "machine\n"
           "could not be had, or died; 130, 143 interrupted, terminated\n");
}

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

static int read_option(struct order *order, int option)
{
    switch (option) {
    case 'c':
        return read_folder("--cache", optarg, &order->cache);
    case 'o':
        return read_folder("--out", optarg, &order->out);
    case 't':
        return read_time(optarg, &order->seconds);
    case 'm':
        return read_number("--memory", optarg, MIB_MIN, MIB_MAX, &order->mib);
    case 's':
        return read_number("--processors", optarg, 1, PROCESSORS_MAX, &order->processors);
    case 'w':
        return read_where(optarg, &order->where);
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

int cmd_softroce(int argc, char **argv)
{
    struct order order = {.cache = NULL};
    int option, code = EXIT_OK;

    cli_start();
    /* "+": what follows COMMAND is COMMAND's, whether there is a "--" or not. */
    while (code == EXIT_OK && (option = cli_next(argc, argv, "+h", options)) != CLI_END) {
        if (option == 'h') {
            print_help();
            return EXIT_OK;
        }
        code = option == CLI_BAD ? EXIT_USAGE : read_option(&order, option);
    }
    if (code != EXIT_OK) {
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
