/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perftest.h: ib_send_lat and ib_send_bw of the package perftest, as children: both
 * ends on this machine and on one device. They are what verbs can do with nothing above.
 *
 * A child dies with this process, whatever ends it, and when its time is over. Main thread
 * only; no other thread may run.
 */
#ifndef MSGRLAB_SCENARIOS_BENCH_PERFTEST_H
#define MSGRLAB_SCENARIOS_BENCH_PERFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/os.h"

#define PERFTEST_COUNT_MIN 10 /* they refuse fewer than 5 */

struct perftest {
    const char *device;
    uint32_t port_num, gid_index;
    uint32_t bytes;
    uint64_t count;
    bool events; /* sleep until an event; else spin */
};

/* 0; else a negative errno and a sentence in `why`: -ENOENT: the program is not here. */
/* The least time of a message one way, as half a round trip. */
int perftest_latency(struct os *os, const struct perftest *p, double *ret_ns, char *why,
                     size_t size);
/* Bytes a second, one way. */
int perftest_bandwidth(struct os *os, const struct perftest *p, double *ret_rate, char *why,
                       size_t size);

/* What they printed: false: there is no such table, or its figure is not above 0. */
bool perftest_read_latency(const char *text, double *ret_ns);
bool perftest_read_bandwidth(const char *text, double *ret_rate);

#endif
