/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist.h: a histogram of durations in fixed memory: percentiles within 6 %, exact for the
 * first 64 values. Zero it before use.
 */
#ifndef MSGRLAB_VIZ_JOIN_HIST_H
#define MSGRLAB_VIZ_JOIN_HIST_H

#include <stdint.h>

#define HIST_EXACT 64
#define HIST_BUCKETS (61 * 16)

struct hist {
    uint64_t n, max, sum;
    uint64_t exact[HIST_EXACT];
    uint32_t buckets[HIST_BUCKETS]; /* 16 a power of two */
};

void hist_add(struct hist *h, uint64_t value);
/* Adds all values of the other. */
void hist_merge(struct hist *h, const struct hist *other);
/* The value below which `percent` of the values are; 0 if there is none. */
uint64_t hist_percentile(const struct hist *h, unsigned percent);

#endif
