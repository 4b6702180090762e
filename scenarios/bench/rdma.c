/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdma.c: msgrlab bench rdma: the messenger over RDMA beside itself over TCP and
 * beside perftest on the same device, in turn, round after round. What is compared is the
 * best of all rounds: on a machine that does other things, or whose processor is emulated,
 * the rest says more about time slices than about the code.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/bench/bench.h"
#include "scenarios/bench/perftest.h"
#include "stacks/rdma/device.h"

#define WHOLE_COUNT_BYTES 4096 /* larger messages are sent less often */
#define COUNT_MIN PERFTEST_COUNT_MIN
#define ONE_WAY_TIMES 4 /* as many messages as round trips */
#define MIB (1024.0 * 1024.0)

enum column { POLLING, EVENTS, TCP, PERFTEST_POLLING, PERFTEST_EVENTS, COLUMNS };

static const char *const column_names[COLUMNS] = {"RDMA, polling", "RDMA, events", "TCP",
                                                  "perftest, polling", "perftest, events"};

/* The best so far; 0: nothing was measured. */
struct figures {
    double round_trip_ns[COLUMNS];
    double one_way[COLUMNS]; /* bytes a second */
};

struct bench_run {
    const struct bench_rdma_opts *opts;
    struct os *os;            /* owned */
    struct rdma_opts rdma[2]; /* POLLING, EVENTS */
    char device[64];
    uint32_t gid_index, mtu;
    struct figures figures[BENCH_SIZES_MAX];
    char why_not[BENCH_WHY_BYTES]; /* the first reason why perftest has no figure; or "" */
};

/* "4 KiB". Returns buf. */
static const char *size_text(uint32_t bytes, char *buf, size_t size)
{
    if (bytes % (1U << 20) == 0) {
        snprintf(buf, size, "%u MiB", bytes >> 20);
    } else if (bytes % 1024 == 0) {
        snprintf(buf, size, "%u KiB", bytes >> 10);
    } else {
        snprintf(buf, size, "%u B", bytes);
    }
    return buf;
}

static uint64_t scaled(uint64_t count, uint32_t bytes)
{
    return MAX((uint64_t)COUNT_MIN,
               count * WHOLE_COUNT_BYTES / MAX(bytes, (uint32_t)WHOLE_COUNT_BYTES));
}

/* ---- measuring --------------------------------------------------------------------- */

static void keep_least(double *best, double value)
{
    *best = *best > 0 ? MIN(*best, value) : value;
}

/* 0 or a negative errno; then it was said. */
static int measure_messenger(struct bench_run *run, int i, enum column column)
{
    uint32_t bytes = run->opts->sizes[i];
    struct figures *figures = &run->figures[i];
    char why[BENCH_WHY_BYTES] = "", text[32];
    struct bench_opts opts = {.bytes = bytes,
                              .count = scaled(run->opts->count, bytes),
                              .fast_dispatch = true,
                              .driver = run->opts->driver,
                              .rdma = column == TCP ? NULL : &run->rdma[column],
                              .why = why};
    double ns, rate;
    int rc = bench_messenger_best(&opts, scaled(run->opts->count * ONE_WAY_TIMES, bytes),
                                  &ns, &rate);

    if (rc < 0) {
        fprintf(stderr, "msgrlab bench: %s, %s: %s\n", column_names[column],
                size_text(bytes, text, sizeof(text)), why[0] ? why : strerror(-rc));
        return rc;
    }
    keep_least(&figures->round_trip_ns[column], ns);
    figures->one_way[column] = MAX(figures->one_way[column], rate * bytes);
    return 0;
}

static void note_reason(struct bench_run *run, const char *why)
{
    if (run->why_not[0] == '\0') {
        snprintf(run->why_not, sizeof(run->why_not), "%s", why);
    }
}

/* What cannot be measured stays 0. */
static void measure_perftest(struct bench_run *run, int i, enum column column)
{
    uint32_t bytes = run->opts->sizes[i];
    struct figures *figures = &run->figures[i];
    char why[BENCH_WHY_BYTES] = "";
    struct perftest opts = {.device = run->device,
                            .port_num = run->rdma[POLLING].port_num,
                            .gid_index = run->gid_index,
                            .bytes = bytes,
                            .count = scaled(run->opts->count, bytes),
                            .events = column == PERFTEST_EVENTS};
    double ns, rate;

    if (perftest_latency(run->os, &opts, &ns, why, sizeof(why)) == 0) {
        keep_least(&figures->round_trip_ns[column], ns * 2);
    }
    note_reason(run, why);
    opts.count = scaled(run->opts->count * ONE_WAY_TIMES, bytes);
    if (perftest_bandwidth(run->os, &opts, &rate, why, sizeof(why)) == 0) {
        figures->one_way[column] = MAX(figures->one_way[column], rate);
    }
    note_reason(run, why);
}

static int measure_all(struct bench_run *run)
{
    for (uint32_t round = 0; round < run->opts->rounds; round++) {
        for (int i = 0; i < run->opts->n_sizes; i++) {
            for (enum column column = 0; column < COLUMNS; column++) {
                int rc = 0;

                if (column < PERFTEST_POLLING) {
                    rc = measure_messenger(run, i, column);
                } else {
                    measure_perftest(run, i, column);
                }
                if (rc < 0) {
                    return rc;
                }
            }
        }
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "\rround %u of %u%s", round + 1, run->opts->rounds,
                    round + 1 == run->opts->rounds ? "\r                    \r" : "");
        }
    }
    return 0;
}

/* ---- the tables -------------------------------------------------------------------- */

static void print_figure(double value, int width, int digits)
{
    if (value > 0) {
        printf(" %*.*f", width, digits, value);
    } else {
        printf(" %*s", width, "-");
    }
}

static void print_ratio(double a, double b)
{
    print_figure(b > 0 ? a / b : 0, 9, 2);
}

static void print_row(uint32_t bytes, const double *values, double unit)
{
    char text[32];

    printf("%8s", size_text(bytes, text, sizeof(text)));
    for (int i = 0; i < COLUMNS; i++) {
        print_figure(values[i] / unit, 10, values[i] / unit < 10 ? 2 : 1);
    }
    print_ratio(values[POLLING], values[PERFTEST_POLLING]);
    print_ratio(values[EVENTS], values[PERFTEST_EVENTS]);
    print_ratio(values[POLLING], values[TCP]);
    print_ratio(values[EVENTS], values[TCP]);
    printf("\n");
}

static void print_head(const char *title, const char *programs)
{
    printf("\n%s\n", title);
    printf("%8s %-32s %-21s %-19s %s\n", "", "| messenger", programs, "| to perftest",
           "| to TCP");
    printf("%8s %10s %10s %10s %10s %10s %9s %9s %9s %9s\n", "size", "polling", "events",
           "TCP", "polling", "events", "polling", "events", "polling", "events");
}

static void print_tables(const struct bench_run *run)
{
    const struct bench_rdma_opts *opts = run->opts;

    printf(
        "RDMA device %s, GID index %u, path MTU %u; both ends on this machine; driver "
        "%s\n"
        "the best of %u interleaved rounds; at right the messenger over RDMA, divided by\n"
        "perftest in the same mode, and by itself over TCP\n",
        run->device, run->gid_index, run->mtu, event_driver_name(opts->driver),
        opts->rounds);
    print_head("round trip, us (ratio below 1: less time)", "| ib_send_lat, twice");
    for (int i = 0; i < opts->n_sizes; i++) {
        print_row(opts->sizes[i], run->figures[i].round_trip_ns, 1e3);
    }
    print_head("one way, MiB/s (ratio above 1: more bytes)", "| ib_send_bw");
    for (int i = 0; i < opts->n_sizes; i++) {
        print_row(opts->sizes[i], run->figures[i].one_way, MIB);
    }
    if (run->why_not[0] != '\0') {
        printf("\n-: %s\n", run->why_not);
    }
}

/* ---- the device -------------------------------------------------------------------- */

/* 0, or -errno with a sentence. */
static int find_device(struct bench_run *run, char *why, size_t size)
{
    struct rdma_device device = {0};
    struct verbs *verbs;
    int rc;

    rdma_opts_init(&run->rdma[POLLING]);
    snprintf(why, size, "no device can be called that");
    if (run->opts->device != NULL &&
        rdma_opts_set(&run->rdma[POLLING], "device_name", run->opts->device) < 0) {
        return -EINVAL;
    }
    rc = verbs_rdmacore_new(run->os, &verbs);
    if (rc < 0) {
        snprintf(why, size, "out of memory");
        return rc;
    }
    rc = rdma_device_open(&device, verbs, &run->rdma[POLLING], why, size);
    if (rc == 0) {
        snprintf(run->device, sizeof(run->device), "%s", device.name);
        run->gid_index = rdma_device_gid(&device).gid_index;
        run->mtu = run->rdma[POLLING].path_mtu;
        rdma_opts_set(&run->rdma[POLLING], "device_name", device.name);
        run->rdma[EVENTS] = run->rdma[POLLING];
        run->rdma[EVENTS].polling_us = 0;
    }
    rdma_device_fini(&device);
    verbs_free(verbs);
    return rc;
}

int bench_rdma(const struct bench_rdma_opts *opts)
{
    struct bench_run run = {.opts = opts, .os = os_linux_new(1, "bench")};
    char why[BENCH_WHY_BYTES];
    int rc;

    if (run.os == NULL) {
        fprintf(stderr, "msgrlab bench: out of memory\n");
        return -ENOMEM;
    }
    rc = find_device(&run, why, sizeof(why));
    if (rc < 0) {
        fprintf(stderr,
                "msgrlab bench: %s\n"
                "make bench-rdma measures in a virtual machine with soft-RoCE\n",
                why);
    } else {
        rc = measure_all(&run);
    }
    if (rc == 0) {
        print_tables(&run);
    }
    os_linux_free(run.os);
    return rc;
}
