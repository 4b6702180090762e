/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.h: CRC-32C as msgr2 uses it: reflected Castagnoli, explicit seed, no final
 * inversion. Preambles use seed 0, segments seed 0xffffffff. Chains: crc32c(crc32c(s, a),
 * b) = crc of ab. Any thread.
 */
#ifndef MSGRLAB_ENGINE_BASE_CRC32C_H
#define MSGRLAB_ENGINE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#define CRC32C_SEED_PREAMBLE 0u
#define CRC32C_SEED_SEGMENT 0xffffffffu

uint32_t crc32c(uint32_t seed, const void *data, size_t len);

#endif
