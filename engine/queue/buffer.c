/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer.c: blocks, slices and byte queues.
 *
 *   slice (data, len) ---.      .--- slice (data, len)
 *                        v      v
 *   block | refs | capacity | bytes .............. |
 *
 * A list is a ring of slices. Only the last slice can grow, and only while its block was
 * made by this list: such a block is never handed out, so nobody else can see the bytes
 * behind it.
 */
#include "engine/buffer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"

/* What a list allocates for copied bytes: many headers, acks and small payloads share one.
 */
#define LIST_BLOCK_BYTES 4080
#define LIST_SLICES_MIN 8

struct buffer_block {
    _Atomic uint32_t refs;
    _Alignas(16) uint8_t bytes[];
};

static struct buffer_block *block_new(size_t len)
{
    struct buffer_block *block;

    if (len > SIZE_MAX / 2) {
        return NULL;
    }
    block = malloc(sizeof(*block) + len);
    if (block != NULL) {
        atomic_init(&block->refs, 1);
    }
    return block;
}

int buffer_alloc(struct buffer *ret, size_t len)
{
    struct buffer_block *block;

    if (len == 0) {
        *ret = (struct buffer){0};
        return 0;
    }
    block = block_new(len);
    if (block == NULL) {
        return -ENOMEM;
    }
    *ret = (struct buffer){.block = block, .data = block->bytes, .len = len};
    return 0;
}

int buffer_copy(struct buffer *ret, const void *data, size_t len)
{
    int rc = buffer_alloc(ret, len);

    if (rc == 0 && len > 0) {
        memcpy(ret->data, data, len);
    }
    return rc;
}

struct buffer buffer_slice(const struct buffer *from, size_t off, size_t len)
{
    CHECK(off <= from->len);
    CHECK(len <= from->len - off);
    if (len == 0) {
        return (struct buffer){0};
    }
    /* Relaxed: whoever may slice holds a reference, so the count cannot reach zero here. */
    atomic_fetch_add_explicit(&from->block->refs, 1, memory_order_relaxed);
    return (struct buffer){.block = from->block, .data = from->data + off, .len = len};
}

void buffer_fini(struct buffer *buffer)
{
    if (buffer->block != NULL &&
        atomic_fetch_sub_explicit(&buffer->block->refs, 1, memory_order_acq_rel) == 1) {
        free(buffer->block);
    }
    *buffer = (struct buffer){0};
}

/* ---- lists ------------------------------------------------------------------------ */

void buffer_list_init(struct buffer_list *list)
{
    *list = (struct buffer_list){0};
}

static struct buffer *slice_at(const struct buffer_list *list, size_t i)
{
    return &list->slices[(list->head + i) & (list->cap - 1)];
}

void buffer_list_fini(struct buffer_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        buffer_fini(slice_at(list, i));
    }
    free(list->slices);
    buffer_list_init(list);
}

/* Makes place for one more slice. The capacity is a power of two, or zero. */
static int reserve_slice(struct buffer_list *list)
{
    struct buffer *slices;
    size_t cap;

    if (list->n < list->cap) {
        return 0;
    }
    cap = list->cap > 0 ? list->cap * 2 : LIST_SLICES_MIN;
    slices = calloc(cap, sizeof(*slices));
    if (slices == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        slices[i] = *slice_at(list, i);
    }
    free(list->slices);
    list->slices = slices;
    list->head = 0;
    list->cap = cap;
    return 0;
}

int buffer_list_append_copy(struct buffer_list *list, const void *data, size_t len)
{
    size_t in_tail = MIN(len, list->tail_room);
    size_t rest = len - in_tail;
    size_t room = MAX(rest, (size_t)LIST_BLOCK_BYTES);
    struct buffer_block *block = NULL;
    struct buffer *slice;

    if (rest > 0) { /* first everything that can fail */
        if (reserve_slice(list) < 0) {
            return -ENOMEM;
        }
        block = block_new(room);
        if (block == NULL) {
            return -ENOMEM;
        }
    }
    if (in_tail > 0) {
        slice = slice_at(list, list->n - 1);
        memcpy(slice->data + slice->len, data, in_tail);
        slice->len += in_tail;
        list->tail_room -= in_tail;
    }
    if (rest > 0) {
        memcpy(block->bytes, (const uint8_t *)data + in_tail, rest);
        slice = slice_at(list, list->n++);
        *slice = (struct buffer){.block = block, .data = block->bytes, .len = rest};
        list->tail_room = room - rest;
    }
    list->bytes += len;
    return 0;
}

int buffer_list_append(struct buffer_list *list, const struct buffer *buffer)
{
    if (buffer->len <= BUFFER_COPY_MAX) {
        return buffer_list_append_copy(list, buffer->data, buffer->len);
    }
    if (reserve_slice(list) < 0) {
        return -ENOMEM;
    }
    *slice_at(list, list->n++) = buffer_slice(buffer, 0, buffer->len);
    list->tail_room = 0;
    list->bytes += buffer->len;
    return 0;
}

int buffer_list_iov(const struct buffer_list *list, struct iovec *iov, int n)
{
    int filled = 0;

    for (; filled < n && (size_t)filled < list->n; filled++) {
        const struct buffer *slice = slice_at(list, (size_t)filled);

        iov[filled] = (struct iovec){.iov_base = slice->data, .iov_len = slice->len};
    }
    return filled;
}

void buffer_list_consume(struct buffer_list *list, size_t len)
{
    CHECK(len <= list->bytes);
    list->bytes -= len;
    while (len > 0) {
        struct buffer *slice = slice_at(list, 0);

        if (len < slice->len) {
            slice->data += len;
            slice->len -= len;
            return;
        }
        len -= slice->len;
        buffer_fini(slice);
        list->head = (list->head + 1) & (list->cap - 1);
        list->n--;
    }
    if (list->n == 0) {
        list->tail_room = 0; /* its block went with the last slice */
    }
}
