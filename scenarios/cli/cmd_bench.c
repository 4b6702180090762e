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

enum { OPT_ROUNDS, OPT_COUNT, OPT_BYTES, OPT_DRIVER, OPT_DEVICE, OPT_SIZES };

static int take_driver(const char *value, struct line *line)
{
    int driver = event_driver_by_name(value);

    if (driver < 0) {
        return cli_usage_error(
            "bench", "there is no driver '%s'; valid: epoll, poll, select", value);
    }
    line->tcp.driver = line->rdma.driver = (enum event_driver_kind)driver;
    return EXIT_OK;
}

static int take_bytes(const char *value, struct line *line)
{
    uint64_t bytes;

    line->only_tcp = "--bytes";
    if (!words_number(value, BENCH_BYTES_MAX, &bytes) || bytes == 0) {
        return cli_usage_error("bench", "--bytes wants a number from 1 to %u",
                               BENCH_BYTES_MAX);
    }
    line->tcp.bytes = (uint32_t)bytes;
    return EXIT_OK;
}

static int take_option(void *state, int option, char *value)
{
    struct line *line = state;

    switch (option) {
    case OPT_ROUNDS:
        return words_number(value, ROUNDS_MAX, &line->rounds) && line->rounds > 0
                   ? EXIT_OK
                   : cli_usage_error("bench", "--rounds wants a number from 1 to %d",
                                     ROUNDS_MAX);
    case OPT_COUNT:
        return words_number(value, 100000000, &line->tcp.count) && line->tcp.count > 0
                   ? EXIT_OK
                   : cli_usage_error("bench", "--count wants a number, not '%s'", value);
    case OPT_BYTES:
        return take_bytes(value, line);
    case OPT_DRIVER:
        return take_driver(value, line);
    case OPT_DEVICE:
        line->only_rdma = "--device";
        line->rdma.device = value;
        return EXIT_OK;
    default:
        line->only_rdma = "--sizes";
        return take_sizes(value, &line->rdma)
                   ? EXIT_OK
                   : cli_usage_error("bench",
                                     "--sizes wants up to %d sizes of at most 1M, as in "
                                     "64,4K",
                                     BENCH_SIZES_MAX);
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

static int run_bench(int argc, char **argv)
{
    struct line line = {.tcp = {.bytes = 64, .driver = DRIVER_EPOLL},
                        .rdma = {.sizes = {64, 4096, 65536, 1048576},
                                 .n_sizes = 4,
                                 .driver = DRIVER_EPOLL}};
    const char *what = "tcp";
    int code = cli_options(&command_bench, argc, argv, &line);

    if (code != CLI_GO_ON) {
        return code;
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

static const struct cli_option options[] = {
    {"rounds", 0, "N", OPT_ROUNDS, "how often each row is measured; default 7, for rdma 5"},
    {"count", 0, "N", OPT_COUNT,
     "tcp: round trips a measurement; default 5000; ten times as many messages one way. "
     "rdma: default 1000, and four times as many messages; of more than 4 KiB, fewer; at "
     "least 10"},
    {"bytes", 0, "N", OPT_BYTES, "tcp: of a message; default 64"},
    {"sizes", 0, "LIST", OPT_SIZES, "rdma: of messages; default 64,4K,64K,1M; at most 1M"},
    {"device", 0, "NAME", OPT_DEVICE, "rdma: default: the first with an active port"},
    {"driver", 0, "NAME", OPT_DRIVER,
     "tcp, rdma: epoll (default), poll or select, of the messenger"},
    {0},
};

const struct cli_command command_bench = {
    .name = "bench",
    .summary = "figures of this machine, with the raw system beside them",
    .usage = "[tcp] [OPTION...]\n"
             "rdma [OPTION...]\n"
             "sim [--rounds N]",
    .about =
        "tcp: Measures the messenger over TCP on loopback, both ends in this process, and\n"
        "beside it bare sockets with epoll, in the same rounds. Figures of a machine that\n"
        "does other things at the same time are good for ratios only.\n"
        "\n"
        "rdma: Measures the messenger over RDMA, polling (for 1 ms after the last\n"
        "completion, as Ceph does) and with events only, and over TCP; and, if perftest "
        "is\n"
        "installed, ib_send_lat and ib_send_bw on the same device, both ways. Prints the\n"
        "least round trips, the highest throughputs, and their ratios. make bench-rdma\n"
        "runs it in a virtual machine where there is no device.\n"
        "\n"
        "sim: How many seeds, scheduling points and records the simulated world does in "
        "an\n"
        "hour or a second of processor time.",
    .options = {options},
    .take = take_option,
    .exits = {{EXIT_OK, "measured"},
              {EXIT_CANNOT, "it cannot be measured here"},
              {EXIT_FILE,
               "sim: its scenarios are not here; or what is printed could not be "
               "written"}},
    .run = run_bench,
};
