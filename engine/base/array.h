/* SPDX-License-Identifier: Apache-2.0 */
/* array.h: arrays that double. */
#ifndef MSGRLAB_ENGINE_BASE_ARRAY_H
#define MSGRLAB_ENGINE_BASE_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

/* The array, with room for one more than n elements of `size` bytes: capacities are powers
 * of two, so that n tells when one is used up. NULL if out of memory; the old array is
 * still good then. */
static inline void *array_grow(void *array, size_t n, size_t size)
{
    return n & (n - 1) ? array : realloc(array, (n ? n * 2 : 1) * size);
}

#endif
