/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp.c: msgrlab bench tcp: rows measured in turn, round after round, so that whatever else
 * the machine does hits all of them; medians, ranges, and the ratio to the bare sockets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/bench/bench.h"

struct row {
    const char *name;
    int (*measure)(const struct bench_opts *opts, double *ret);
    uint32_t batch;
    bool fast_dispatch;
    bool rate; /* messages a second; else nanoseconds */
    int base;  /* row to compare with */
    double values[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];
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
    double sorted[BENCH_ROUNDS_MAX];

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

int bench_tcp(const struct bench_opts *opts, uint32_t rounds)
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
    int rc;

    CHECK(rounds >= 1 && rounds <= BENCH_ROUNDS_MAX);
    rc = measure_all(rows, (int)ARRAY_SIZE(rows), rounds, opts);
    if (rc < 0) {
        return rc;
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
    return 0;
}
