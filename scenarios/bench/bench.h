/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h: what `msgrlab bench` measures: the messenger over TCP on loopback or over RDMA,
 * and beside it, in the same rounds, bare sockets with epoll. Both ends are threads of this
 * process; both use struct os. Nothing is recorded while measuring.
 *
 * Each function does one measurement and returns 0 with its result, or a negative errno.
 */
#ifndef MSGRLAB_SCENARIOS_BENCH_BENCH_H
#define MSGRLAB_SCENARIOS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event_driver.h"
#include "stacks/rdma/rdma_stack.h"

#define BENCH_LIMIT_NS (60 * 1000000000ULL) /* of one measurement: something hangs */
#define BENCH_WHY_BYTES 500
#define BENCH_BYTES_MAX (1U << 20)
#define BENCH_SIZES_MAX 8
#define BENCH_ROUNDS_MAX 100

struct bench_opts {
    uint32_t bytes;     /* of a message (payload) */
    uint64_t count;     /* round trips, or messages */
    uint32_t batch;     /* raw one way: messages in one send */
    bool fast_dispatch; /* messenger: dispatch on the worker */
    enum event_driver_kind driver;
    const struct rdma_opts *rdma; /* messenger: over RDMA; NULL: over TCP */
    char *why; /* BENCH_WHY_BYTES, or NULL: a sentence about the failure, if there is one */
};

/* Nanoseconds of one round trip: the mean. */
int bench_raw_round_trip(const struct bench_opts *opts, double *ret_ns);
int bench_messenger_round_trip(const struct bench_opts *opts, double *ret_ns);
/* Messages a second, one way, as many in flight as fit. */
int bench_raw_one_way(const struct bench_opts *opts, double *ret_rate);
int bench_messenger_one_way(const struct bench_opts *opts, double *ret_rate);
/* On one connection, the shortest round trip of all, and so many messages one way. */
int bench_messenger_best(const struct bench_opts *opts, uint64_t messages,
                         double *ret_least_ns, double *ret_rate);

/* tcp.c: the messenger over TCP beside bare sockets, opts->count round trips a row and
 * round, ten times as many messages; prints. 0 or a negative errno, said. */
int bench_tcp(const struct bench_opts *opts, uint32_t rounds);

/* sim.c: the simulated world; prints. 0, or said: -ENOENT: its scenarios are not here;
 * another negative errno. */
int bench_sim(uint32_t rounds);

struct bench_rdma_opts {
    const char *device; /* NULL: the first that is usable */
    uint32_t rounds;
    uint64_t count; /* round trips of up to 4 KiB; fewer of larger ones */
    uint32_t sizes[BENCH_SIZES_MAX];
    int n_sizes;
    enum event_driver_kind driver;
};

/* rdma.c: RDMA beside TCP and perftest; prints. 0 or a negative errno, said. */
int bench_rdma(const struct bench_rdma_opts *opts);

#endif
