/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_bench.c: msgrlab bench: rows measured in turn, round after round, so that whatever
 * else the machine does hits all of them; medians, ranges, and the ratio to the bare
 * sockets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/bench.h"
#include "scenarios/cli.h"
#include "scenarios/commands.h"
#include "scenarios/exit_codes.h"

#define ROUNDS_MAX 100
#define ROUNDS_DEFAULT 7

enum { OPT_ROUNDS = 256, OPT_COUNT, OPT_BYTES, OPT_DRIVER };

static const struct option options[] = {{"rounds", required_argument, NULL, OPT_ROUNDS},
                                        {"count", required_argument, NULL, OPT_COUNT},
                                        {"bytes", required_argument, NULL, OPT_BYTES},
                                        {"driver", required_argument, NULL, OPT_DRIVER},
                                        CLI_HELP,
                                        {NULL, 0, NULL, 0}};

static const char help[] =
    "usage: msgrlab bench [tcp] [OPTION...]\n"
    "       msgrlab bench sim [--rounds N]\n"
    "\n"
    "sim: how many seeds, scheduling points and records the simulated world does in an\n"
    "hour or a second of processor time.\n"
    "\n"
    "tcp: Measures the messenger over TCP on loopback, both ends in this process, and "
    "beside\n"
    "it bare sockets with epoll, in the same rounds. Figures of a machine that does other\n"
    "things at the same time are good for ratios only.\n"
    "\n"
    "  --rounds N     how often each row is measured; default 7\n"
    "  --count N      round trips a measurement; default 5000; ten times as many\n"
    "                 messages one way\n"
    "  --bytes N      of a message; default 64\n"
    "  --driver NAME  epoll (default), poll or select, of the messenger\n"
    "\n"
    "exit codes: 0 measured, 2 the command line is wrong, 4 it cannot be measured here\n";

struct row {
    const char *name;
    int (*measure)(const struct bench_opts *opts, double *ret);
    uint32_t batch;
    bool fast_dispatch;
    bool rate; /* messages a second; else nanoseconds */
    int base;  /* row to compare with */
    double values[ROUNDS_MAX], ratios[ROUNDS_MAX];
};

static int compare_doubles(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;

    return (a > b) - (a < b);
}

/* Sorts a copy: the order of rounds matters for ratios. */
static void order(const double *values, uint32_t n, double *ret_min, double *ret_median,
                  double *ret_max)
{
    double sorted[ROUNDS_MAX];

    memcpy(sorted, values, n * sizeof(*values));
    qsort(sorted, n, sizeof(*sorted), compare_doubles);
    *ret_min = sorted[0];
    *ret_max = sorted[n - 1];
    *ret_median = n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void print_row(const struct row *row, uint32_t rounds)
{
    double min, median, max, least, ratio, most;
    double unit = 1e3; /* thousands a second, or microseconds */

    order(row->values, rounds, &min, &median, &max);
    order(row->ratios, rounds, &least, &ratio, &most);
    printf("  %-32s %9.1f %s  (%.1f to %.1f)   %6.2f\n", row->name, median / unit,
           row->rate ? "k/s" : "us ", min / unit, max / unit, ratio);
}

static int measure_all(struct row *rows, int n, uint32_t rounds,
                       const struct bench_opts *base)
{
    for (uint32_t round = 0; round < rounds; round++) {
        for (int i = 0; i < n; i++) {
            struct bench_opts opts = *base;
            int rc;

            opts.batch = rows[i].batch;
            opts.fast_dispatch = rows[i].fast_dispatch;
            opts.count = rows[i].rate ? base->count * 10 : base->count;
            rc = rows[i].measure(&opts, &rows[i].values[round]);
            if (rc < 0) {
                fprintf(stderr, "msgrlab bench: %s: %s\n", rows[i].name, strerror(-rc));
                return rc;
            }
        }
        for (int i = 0; i < n; i++) {
            rows[i].ratios[round] =
                rows[i].values[round] / rows[rows[i].base].values[round];
        }
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "\rround %u of %u%s", round + 1, rounds,
                    round + 1 == rounds ? "\r                    \r" : "");
        }
    }
    return 0;
}

static int bench_tcp(const struct bench_opts *opts, uint32_t rounds)
{
    struct row rows[] = {{.name = "raw epoll", .measure = bench_raw_round_trip, .base = 0},
                         {.name = "messenger, fast dispatch",
                          .measure = bench_messenger_round_trip,
                          .fast_dispatch = true,
                          .base = 0},
                         {.name = "messenger, dispatch queue",
                          .measure = bench_messenger_round_trip,
                          .base = 0},
                         {.name = "raw epoll, 64 messages a send",
                          .measure = bench_raw_one_way,
                          .batch = 64,
                          .rate = true,
                          .base = 3},
                         {.name = "raw epoll, 1 message a send",
                          .measure = bench_raw_one_way,
                          .batch = 1,
                          .rate = true,
                          .base = 3},
                         {.name = "messenger, fast dispatch",
                          .measure = bench_messenger_one_way,
                          .fast_dispatch = true,
                          .rate = true,
                          .base = 3},
                         {.name = "messenger, dispatch queue",
                          .measure = bench_messenger_one_way,
                          .rate = true,
                          .base = 3}};

    if (measure_all(rows, (int)ARRAY_SIZE(rows), rounds, opts) < 0) {
        return EXIT_CANNOT;
    }
    printf(
        "TCP on loopback, both ends in this process, driver %s, %u B messages\n"
        "medians of %u interleaved rounds (least to most), and the median of the ratios\n"
        "to the first row of each part\n\n",
        event_driver_name(opts->driver), opts->bytes, rounds);
    printf("round trip, %llu a round\n", (unsigned long long)opts->count);
    for (int i = 0; i < 3; i++) {
        print_row(&rows[i], rounds);
    }
    printf("one way, %llu messages a round\n", (unsigned long long)opts->count * 10);
    for (size_t i = 3; i < ARRAY_SIZE(rows); i++) {
        print_row(&rows[i], rounds);
    }
    return EXIT_OK;
}

/* False: the error was printed. */
static bool take_option(int option, const char *value, struct bench_opts *opts,
                        uint64_t *rounds)
{
    uint64_t bytes;
    int driver;

    switch (option) {
    case OPT_ROUNDS:
        if (cli_number(value, ROUNDS_MAX, rounds) && *rounds > 0) {
            return true;
        }
        cli_usage_error("bench", "--rounds wants a number from 1 to %d", ROUNDS_MAX);
        return false;
    case OPT_COUNT:
        if (cli_number(value, 100000000, &opts->count) && opts->count > 0) {
            return true;
        }
        cli_usage_error("bench", "--count wants a number, not '%s'", value);
        return false;
    case OPT_BYTES:
        if (cli_number(value, 1 << 20, &bytes) && bytes > 0) {
            opts->bytes = (uint32_t)bytes;
            return true;
        }
        cli_usage_error("bench", "--bytes wants a number from 1 to 1048576");
        return false;
    default:
        driver = event_driver_by_name(value);
        if (driver >= 0) {
            opts->driver = (enum event_driver_kind)driver;
            return true;
        }
        cli_usage_error("bench", "there is no driver '%s'; valid: epoll, poll, select",
                        value);
        return false;
    }
}

int cmd_bench(int argc, char **argv)
{
    struct bench_opts opts = {.bytes = 64, .count = 5000, .driver = DRIVER_EPOLL};
    uint64_t rounds = ROUNDS_DEFAULT;
    int option;

    cli_start();
    while ((option = cli_next(argc, argv, "h", options)) != CLI_END) {
        if (option == CLI_BAD) {
            return EXIT_USAGE;
        }
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_OK;
        }
        if (!take_option(option, optarg, &opts, &rounds)) {
            return EXIT_USAGE;
        }
    }
    if (argc - optind == 1 && strcmp(argv[optind], "sim") == 0) {
        return bench_sim((uint32_t)rounds);
    }
    if (argc - optind > 1 || (argc - optind == 1 && strcmp(argv[optind], "tcp") != 0)) {
        return cli_usage_error("bench", "what can be measured is: tcp, sim");
    }
    return bench_tcp(&opts, (uint32_t)rounds);
}
