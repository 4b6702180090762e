/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer.h: counted memory blocks, slices of them, and lists of slices.
 *
 * A struct buffer is a slice that owns one reference of its block; a zeroed one is empty.
 * A struct buffer_list is a byte queue made of slices: bytes are appended by copy (small)
 * or by reference (large) and consumed from the front as the stack takes them. Blocks may
 * be shared between threads (counts are atomic); a slice or list belongs to one thread at a
 * time.
 */
#ifndef MSGRLAB_ENGINE_BUFFER_H
#define MSGRLAB_ENGINE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct buffer_block;

struct buffer {
    struct buffer_block *block; /* shared; NULL when empty */
    uint8_t *data;
    size_t len;
};

/* Uninitialised bytes, data aligned to 16. 0 or -ENOMEM. len 0 gives an empty buffer. */
int buffer_alloc(struct buffer *ret, size_t len);
int buffer_copy(struct buffer *ret, const void *data, size_t len);
/* Another reference to bytes [off, off + len) of `from`. */
struct buffer buffer_slice(const struct buffer *from, size_t off, size_t len);
/* Drops the reference and empties the buffer. */
void buffer_fini(struct buffer *buffer);

struct buffer_list {
    struct buffer *slices; /* owned array used as a ring */
    size_t head, n, cap;
    size_t bytes;     /* in all slices */
    size_t tail_room; /* writable bytes behind the last slice, which we own alone */
};

void buffer_list_init(struct buffer_list *list);
void buffer_list_fini(struct buffer_list *list); /* drops everything; reusable after */
/* 0 or -ENOMEM (then nothing was appended). */
int buffer_list_append_copy(struct buffer_list *list, const void *data, size_t len);
/* By reference when it is large (BUFFER_COPY_MAX), else by copy. The caller keeps its own.
 */
int buffer_list_append(struct buffer_list *list, const struct buffer *buffer);
/* Up to `n` iovecs from the front; returns how many were filled. */
int buffer_list_iov(const struct buffer_list *list, struct iovec *iov, int n);
/* Forgets the first `len` bytes; len <= bytes. */
void buffer_list_consume(struct buffer_list *list, size_t len);

/* Payloads up to this are copied next to their headers: one iovec costs more than the copy.
 */
#define BUFFER_COPY_MAX 1024

#ifdef __cplusplus
}
#endif

#endif
