/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h: bytes in the order they came, at positions that only grow. Serves pipes and both
 * directions of a stream. Grows as needed; the owner bounds what is put in.
 */
#ifndef MSGRLAB_SIM_NET_RING_H
#define MSGRLAB_SIM_NET_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct ring {
    uint8_t *bytes; /* owned; `size` of them, a power of two or 0 */
    size_t size;
    uint64_t from, to; /* [from, to) is inside */
};

void ring_fini(struct ring *r);
static inline size_t ring_used(const struct ring *r)
{
    return (size_t)(r->to - r->from);
}
/* Appends up to `max` bytes of the vector, all that it has if it has less. Bytes taken, or
 * -ENOMEM. */
ssize_t ring_put(struct ring *r, const struct iovec *iov, int n, size_t max);
/* Takes exactly `len` bytes out, which are inside. */
void ring_get(struct ring *r, void *buf, size_t len);
/* Reads or changes what is inside, at a position. */
void ring_peek(const struct ring *r, uint64_t at, void *to, size_t len);
void ring_poke(struct ring *r, uint64_t at, const void *from, size_t len);
size_t iov_bytes(const struct iovec *iov, int n);

#endif
