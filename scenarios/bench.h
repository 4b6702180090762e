/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h: what `msgrlab bench` measures: the messenger over TCP on loopback, and beside
 * it, in the same rounds, bare sockets with epoll. Both ends are threads of this process;
 * both use struct os. Nothing is recorded while measuring.
 *
 * Each function does one measurement and returns 0 with its result, or a negative errno.
 */
#ifndef MSGRLAB_SCENARIOS_BENCH_H
#define MSGRLAB_SCENARIOS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event_driver.h"

#define BENCH_LIMIT_NS (60 * 1000000000ULL) /* of one measurement: something hangs */

struct bench_opts {
    uint32_t bytes;     /* of a message (payload) */
    uint64_t count;     /* round trips, or messages */
    uint32_t batch;     /* raw one way: messages in one send */
    bool fast_dispatch; /* messenger: dispatch on the worker */
    enum event_driver_kind driver;
};

/* Nanoseconds of one round trip. */
int bench_raw_round_trip(const struct bench_opts *opts, double *ret_ns);
int bench_messenger_round_trip(const struct bench_opts *opts, double *ret_ns);
/* Messages a second, one way, as many in flight as fit. */
int bench_raw_one_way(const struct bench_opts *opts, double *ret_rate);
int bench_messenger_one_way(const struct bench_opts *opts, double *ret_rate);

/* bench_sim.c: the simulated world; prints. An exit code. */
int bench_sim(uint32_t rounds);

#endif
