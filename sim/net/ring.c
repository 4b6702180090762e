/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c: a buffer that wraps around. */
#include "sim/net/ring.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

#define RING_BYTES_MIN 4096

void ring_fini(struct ring *r)
{
    free(r->bytes);
    *r = (struct ring){0};
}

size_t iov_bytes(const struct iovec *iov, int n)
{
    size_t bytes = 0;

    for (int i = 0; i < n; i++) {
        bytes += iov[i].iov_len;
    }
    return bytes;
}

static void copy_in(struct ring *r, uint64_t at, const void *from, size_t len)
{
    size_t i = (size_t)at & (r->size - 1);
    size_t first = MIN(len, r->size - i);

    memcpy(r->bytes + i, from, first);
    memcpy(r->bytes, (const char *)from + first, len - first);
}

static void copy_out(const struct ring *r, uint64_t at, void *to, size_t len)
{
    size_t i = (size_t)at & (r->size - 1);
    size_t first = MIN(len, r->size - i);

    memcpy(to, r->bytes + i, first);
    memcpy((char *)to + first, r->bytes, len - first);
}

/* Room for `used` bytes. */
static int make_room(struct ring *r, size_t used)
{
    struct ring larger = {.size = MAX((size_t)RING_BYTES_MIN, r->size), .from = r->from};

    CHECK(used >= ring_used(r));
    while (larger.size < used) {
        larger.size *= 2;
    }
    if (larger.size == r->size) {
        return 0;
    }
    larger.bytes = malloc(larger.size);
    if (larger.bytes == NULL) {
        return -ENOMEM;
    }
    for (uint64_t at = r->from; at < r->to;) { /* piece by piece, as it wraps */
        size_t i = (size_t)at & (r->size - 1);
        size_t piece = MIN((size_t)(r->to - at), r->size - i);

        copy_in(&larger, at, r->bytes + i, piece);
        at += piece;
    }
    larger.to = r->to;
    free(r->bytes);
    *r = larger;
    return 0;
}

ssize_t ring_put(struct ring *r, const struct iovec *iov, int n, size_t max)
{
    size_t want = MIN(iov_bytes(iov, n), max), left = want;

    if (make_room(r, ring_used(r) + want) < 0) {
        return -ENOMEM;
    }
    for (int i = 0; left > 0; i++) {
        size_t piece = MIN(left, iov[i].iov_len);

        if (piece > 0) {
            copy_in(r, r->to, iov[i].iov_base, piece);
        }
        r->to += piece;
        left -= piece;
    }
    return (ssize_t)want;
}

void ring_get(struct ring *r, void *buf, size_t len)
{
    CHECK(len <= ring_used(r));
    if (len > 0) {
        copy_out(r, r->from, buf, len);
    }
    r->from += len;
}

void ring_peek(const struct ring *r, uint64_t at, void *to, size_t len)
{
    CHECK(at >= r->from && at + len <= r->to);
    if (len > 0) {
        copy_out(r, at, to, len);
    }
}

void ring_poke(struct ring *r, uint64_t at, const void *from, size_t len)
{
    CHECK(at >= r->from && at + len <= r->to);
    copy_in(r, at, from, len);
}
