/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/keyed.h"

#include <string.h>

#define GOLDEN 0x9e3779b97f4a7c15ULL

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

uint64_t keyed_u64(uint64_t key, uint64_t n)
{
    return mix(mix(key + GOLDEN) + (n + 1) * GOLDEN);
}

static uint64_t segment_key(uint64_t key, unsigned segment)
{
    return keyed_u64(key, segment);
}

void keyed_fill(uint64_t key, unsigned segment, uint8_t *out, size_t len)
{
    uint64_t base = segment_key(key, segment);

    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = mix(base + at * GOLDEN);

        memcpy(out + at, &word, len - at < 8 ? len - at : 8);
    }
}

size_t keyed_mismatch(uint64_t key, unsigned segment, const uint8_t *in, size_t len)
{
    uint64_t base = segment_key(key, segment);

    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = mix(base + at * GOLDEN);
        uint8_t want[8];
        size_t n = len - at < 8 ? len - at : 8;

        memcpy(want, &word, sizeof(want));
        if (memcmp(in + at, want, n) != 0) {
            for (size_t i = 0; i < n; i++) {
                if (in[at + i] != want[i]) {
                    return at + i;
                }
            }
        }
    }
    return len;
}
