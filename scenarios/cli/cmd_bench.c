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
#include "scenarios/base/words.h"
#include "scenarios/bench/bench.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"

#define ROUNDS_MAX 100
#define ROUNDS_DEFAULT 7
#define RDMA_ROUNDS_DEFAULT 5
#define COUNT_DEFAULT 5000
#define RDMA_COUNT_DEFAULT 1000

enum { OPT_ROUNDS = 256, OPT_COUNT, OPT_BYTES, OPT_DRIVER, OPT_DEVICE, OPT_SIZES };

static const struct option options[] = {{"rounds", required_argument, NULL, OPT_ROUNDS},
                                        {"count", required_argument, NULL, OPT_COUNT},
                                        {"bytes", required_argument, NULL, OPT_BYTES},
                                        {"driver", required_argument, NULL, OPT_DRIVER},
                                        {"device", required_argument, NULL, OPT_DEVICE},
                                        {"sizes", required_argument, NULL, OPT_SIZES},
                                        CLI_HELP,
                                        {NULL, 0, NULL, 0}};

static const char help[] =
    "usage: msgrlab bench [tcp] [OPTION...]\n"
    "       msgrlab bench rdma [OPTION...]\n"
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
    "rdma: Measures the messenger over RDMA, polling (for 1 ms after the last completion,\n"
    "as Ceph does) and with events only, and over TCP; and, if perftest is installed,\n"
    "ib_send_lat and ib_send_bw on the same device, both ways. Prints the least round\n"
    "trips, the highest throughputs, and their ratios. make bench-rdma runs it in a\n"
    "virtual machine where there is no device.\n"
    "\n"
    "  --device NAME  default: the first with an active port\n"
    "  --sizes LIST   of messages; default 64,4K,64K,1M; at most 1M\n"
    "  --rounds N     default 5\n"
    "  --count N      round trips a measurement, and four times as many messages one\n"
    "                 way; default 1000; of more than 4 KiB, fewer; at least 10\n"
    "  --driver NAME  as above\n"
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

/* ---- the command line -------------------------------------------------------------- */

struct line {
    struct bench_opts tcp; /* count 0: not said */
    struct bench_rdma_opts rdma;
    uint64_t rounds;       /* 0: not said */
    const char *only_tcp;  /* an option that was there and means nothing elsewhere, */
    const char *only_rdma; /* or NULL */
};

/* "64,4K,64K,1M". False: it is no such list. */
static bool take_sizes(const char *text, struct bench_rdma_opts *opts)
{
    opts->n_sizes = 0;
    for (;;) {
        size_t digits = strspn(text, "0123456789");
        unsigned long long value = digits <= 9 ? strtoull(text, NULL, 10) : 0;

        text += digits;
        if (*text == 'K' || *text == 'M') {
            value <<= *text++ == 'K' ? 10 : 20;
        }
        if (value == 0 || value > BENCH_BYTES_MAX || opts->n_sizes == BENCH_SIZES_MAX) {
            return false;
        }
        opts->sizes[opts->n_sizes++] = (uint32_t)value;
        if (*text != ',') {
            return *text == '\0';
        }
        text++;
    }
}

/* False: the error was printed. */
static bool take_number(int option, const char *value, struct line *line)
{
    uint64_t bytes;

    switch (option) {
    case OPT_ROUNDS:
        if (words_number(value, ROUNDS_MAX, &line->rounds) && line->rounds > 0) {
            return true;
        }
        cli_usage_error("bench", "--rounds wants a number from 1 to %d", ROUNDS_MAX);
        return false;
    case OPT_COUNT:
        if (words_number(value, 100000000, &line->tcp.count) && line->tcp.count > 0) {
            return true;
        }
        cli_usage_error("bench", "--count wants a number, not '%s'", value);
        return false;
    default:
        line->only_tcp = "--bytes";
        if (words_number(value, BENCH_BYTES_MAX, &bytes) && bytes > 0) {
            line->tcp.bytes = (uint32_t)bytes;
            return true;
        }
        cli_usage_error("bench", "--bytes wants a number from 1 to %u", BENCH_BYTES_MAX);
        return false;
    }
}

/* False: the error was printed. */
static bool take_option(int option, const char *value, struct line *line)
{
    int driver;

    switch (option) {
    case OPT_DRIVER:
        driver = event_driver_by_name(value);
        if (driver >= 0) {
            line->tcp.driver = line->rdma.driver = (enum event_driver_kind)driver;
            return true;
        }
        cli_usage_error("bench", "there is no driver '%s'; valid: epoll, poll, select",
                        value);
        return false;
    case OPT_DEVICE:
        line->only_rdma = "--device";
        line->rdma.device = value;
        return true;
    case OPT_SIZES:
        line->only_rdma = "--sizes";
        if (take_sizes(value, &line->rdma)) {
            return true;
        }
        cli_usage_error("bench", "--sizes wants up to %d sizes of at most 1M, as in 64,4K",
                        BENCH_SIZES_MAX);
        return false;
    default:
        return take_number(option, value, line);
    }
}

static int run_line(const char *what, struct line *line)
{
    if (strcmp(what, "rdma") == 0 && line->only_tcp == NULL) {
        line->rdma.rounds =
            (uint32_t)(line->rounds > 0 ? line->rounds : RDMA_ROUNDS_DEFAULT);
        line->rdma.count = line->tcp.count > 0 ? line->tcp.count : RDMA_COUNT_DEFAULT;
        return bench_rdma(&line->rdma);
    }
    if (strcmp(what, "rdma") == 0) {
        return cli_usage_error("bench", "%s is not for rdma; see --sizes", line->only_tcp);
    }
    if (line->only_rdma != NULL) {
        return cli_usage_error("bench", "%s is for: msgrlab bench rdma", line->only_rdma);
    }
    line->rounds = line->rounds > 0 ? line->rounds : ROUNDS_DEFAULT;
    line->tcp.count = line->tcp.count > 0 ? line->tcp.count : COUNT_DEFAULT;
    return strcmp(what, "sim") == 0 ? bench_sim((uint32_t)line->rounds)
                                    : bench_tcp(&line->tcp, (uint32_t)line->rounds);
}

int cmd_bench(int argc, char **argv)
{
    struct line line = {.tcp = {.bytes = 64, .driver = DRIVER_EPOLL},
                        .rdma = {.sizes = {64, 4096, 65536, 1048576},
                                 .n_sizes = 4,
                                 .driver = DRIVER_EPOLL}};
    const char *what = "tcp";
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
        if (!take_option(option, optarg, &line)) {
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        what = argv[optind];
    }
    if (argc - optind > 1 || (strcmp(what, "tcp") != 0 && strcmp(what, "rdma") != 0 &&
                              strcmp(what, "sim") != 0)) {
        return cli_usage_error("bench", "what can be measured is: tcp, rdma, sim");
    }
    return run_line(what, &line);
}
