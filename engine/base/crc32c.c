/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.c: CRC-32C by ISA-L, which picks the processor's best instructions at run time.
 *
 * crc32_iscsi() has the convention of msgr2 already: the seed goes in as it is and the
 * result comes out without a final inversion. Its length is an int, hence the loop.
 */
#include "engine/base/crc32c.h"

#include <isa-l/crc.h>

#include "engine/util.h"

#define CRC32C_STEP_MAX ((size_t)1 << 30)

uint32_t crc32c(uint32_t seed, const void *data, size_t len)
{
    unsigned char *at =
        (unsigned char *)data; /* ISA-L reads only, but does not say const */
    uint32_t crc = seed;

    CHECK(data != NULL || len == 0);
    while (len > 0) {
        size_t step = MIN(len, CRC32C_STEP_MAX);

        crc = crc32_iscsi(at, (int)step, crc);
        at += step;
        len -= step;
    }
    return crc;
}
