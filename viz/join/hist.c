/* SPDX-License-Identifier: Apache-2.0 */
#include "viz/join/hist.h"

#include <stdlib.h>
#include <string.h>

#include "engine/util.h"

static unsigned bucket_of(uint64_t value)
{
    unsigned power;

    if (value < 16) {
        return (unsigned)value;
    }
    power = 63 - (unsigned)__builtin_clzll(value);
    return (power - 3) * 16 + (unsigned)(value >> (power - 4) & 15);
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
    unsigned power = bucket / 16 + 3;
    uint64_t low;

    if (bucket < 32) {
        return bucket;
    }
    low = (uint64_t)(16 + bucket % 16) << (power - 4);
    return low + ((1ULL << (power - 4)) - 1) / 2;
}

void hist_add(struct hist *h, uint64_t value)
{
    if (h->n < HIST_EXACT) {
        h->exact[h->n] = value;
    }
    h->n++;
    h->sum += value;
    h->max = MAX(h->max, value);
    h->buckets[bucket_of(value)]++;
}

void hist_merge(struct hist *h, const struct hist *other)
{
    /* If not all fit, the sum has too many for exact values to be used. */
    for (uint64_t i = 0; i < MIN(other->n, HIST_EXACT) && h->n + i < HIST_EXACT; i++) {
        h->exact[h->n + i] = other->exact[i];
    }
    h->n += other->n;
    h->sum += other->sum;
    h->max = MAX(h->max, other->max);
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        h->buckets[i] += other->buckets[i];
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t l = *(const uint64_t *)a, r = *(const uint64_t *)b;

    return l < r ? -1 : l > r;
}

uint64_t hist_percentile(const struct hist *h, unsigned percent)
{
    uint64_t rank = (h->n * percent + 99) / 100, seen = 0;
    uint64_t sorted[HIST_EXACT];

    if (h->n == 0) {
        return 0;
    }
    rank = MAX(rank, 1);
    if (h->n <= HIST_EXACT) {
        memcpy(sorted, h->exact, h->n * sizeof(sorted[0]));
        qsort(sorted, h->n, sizeof(sorted[0]), compare);
        return sorted[rank - 1];
    }
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= rank) {
            return MIN(value_of(i), h->max);
        }
    }
    return h->max;
}
