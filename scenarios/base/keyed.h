/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyed.h: numbers that depend on a key and nothing else: payload bytes that name their
 * origin, and the random numbers of a script. Pure functions, any thread.
 */
#ifndef MSGRLAB_SCENARIOS_BASE_KEYED_H
#define MSGRLAB_SCENARIOS_BASE_KEYED_H

#include <stddef.h>
#include <stdint.h>

/* The n-th of the sequence that belongs to `key`; well mixed (splitmix64). */
uint64_t keyed_u64(uint64_t key, uint64_t n);

/* Byte i of segment `segment` of a message is a function of (key, segment, i), so that a
 * byte in the wrong place, message or connection is seen. */
void keyed_fill(uint64_t key, unsigned segment, uint8_t *out, size_t len);
/* The offset of the first byte that differs; `len` if none does. */
size_t keyed_mismatch(uint64_t key, unsigned segment, const uint8_t *in, size_t len);

#endif
