/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/base/keyed.h"

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
    uint64_t base = segment_key(key, segment), word;
    size_t at = 0;

    for (; at + sizeof(word) <= len; at += sizeof(word)) {
        word = mix(base + at * GOLDEN);
        memcpy(out + at, &word, sizeof(word));
    }
    if (at < len) {
        word = mix(base + at * GOLDEN);
        memcpy(out + at, &word, len - at);
    }
}

size_t keyed_mismatch(uint64_t key, unsigned segment, const uint8_t *in, size_t len)
{
    uint64_t base = segment_key(key, segment), want, word;
    size_t at = 0;

    for (; at + sizeof(word) <= len; at += sizeof(word)) {
        memcpy(&word, in + at, sizeof(word));
        if (word != mix(base + at * GOLDEN)) {
            break;
        }
    }
    want = mix(base + at * GOLDEN);
    for (; at < len; at++, want >>= 8) {
        if (in[at] != (uint8_t)want) {
            return at;
        }
    }
    return len;
}
