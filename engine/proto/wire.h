/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h: little-endian readers and writers over a piece of memory. A reader or writer that
 * runs out sets `failed` and stays failed: check once, at the end. Neither owns the memory.
 * NULL with length 0 is an empty piece; hence the tests for 0 below, since C does not
 * define NULL + 0.
 */
#ifndef MSGRLAB_ENGINE_PROTO_WIRE_H
#define MSGRLAB_ENGINE_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire_reader {
    const uint8_t *at, *end;
    bool failed;
};

struct wire_writer {
    uint8_t *at, *start, *end;
    bool failed;
};

static inline struct wire_reader wire_reader(const void *data, size_t len)
{
    const uint8_t *p = data;

    return (struct wire_reader){.at = p, .end = len > 0 ? p + len : p};
}

static inline size_t wire_left(const struct wire_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next `len` bytes in place; NULL (and failed) if there are fewer. */
static inline const uint8_t *wire_get_bytes(struct wire_reader *r, size_t len)
{
    const uint8_t *at = r->at;

    if (r->failed || wire_left(r) < len) {
        r->failed = true;
        return NULL;
    }
    if (len > 0)
        r->at += len;
    return at;
}

static inline uint8_t wire_get_u8(struct wire_reader *r)
{
    const uint8_t *p = wire_get_bytes(r, 1);

    return p ? p[0] : 0;
}
static inline uint16_t wire_get_u16(struct wire_reader *r)
{
    const uint8_t *p = wire_get_bytes(r, 2);

    return p ? (uint16_t)(p[0] | p[1] << 8) : 0;
}
static inline uint32_t wire_load_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint32_t wire_get_u32(struct wire_reader *r)
{
    const uint8_t *p = wire_get_bytes(r, 4);

    return p ? wire_load_u32(p) : 0;
}
static inline uint64_t wire_get_u64(struct wire_reader *r)
{
    uint64_t low = wire_get_u32(r);

    return low | (uint64_t)wire_get_u32(r) << 32;
}

static inline struct wire_writer wire_writer(void *data, size_t cap)
{
    uint8_t *p = data;

    return (struct wire_writer){.at = p, .start = p, .end = cap > 0 ? p + cap : p};
}

static inline size_t wire_written(const struct wire_writer *w)
{
    return (size_t)(w->at - w->start);
}

static inline void wire_put_bytes(struct wire_writer *w, const void *data, size_t len)
{
    if (w->failed || (size_t)(w->end - w->at) < len) {
        w->failed = true;
        return;
    }
    if (len > 0) {
        memcpy(w->at, data, len);
        w->at += len;
    }
}
static inline void wire_put_u8(struct wire_writer *w, uint8_t v)
{
    wire_put_bytes(w, &v, 1);
}
static inline void wire_put_u16(struct wire_writer *w, uint16_t v)
{
    const uint8_t p[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

    wire_put_bytes(w, p, 2);
}
static inline void wire_store_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}
static inline void wire_put_u32(struct wire_writer *w, uint32_t v)
{
    uint8_t p[4];

    wire_store_u32(p, v);
    wire_put_bytes(w, p, 4);
}
static inline void wire_put_u64(struct wire_writer *w, uint64_t v)
{
    wire_put_u32(w, (uint32_t)v);
    wire_put_u32(w, (uint32_t)(v >> 32));
}

/* u32 length and bytes (Ceph's blob and string). */
static inline void wire_put_blob(struct wire_writer *w, const void *data, size_t len)
{
    wire_put_u32(w, (uint32_t)len);
    wire_put_bytes(w, data, len);
}
/* Sets *ret_len; the bytes stay where they are. NULL and failed if cut. */
static inline const uint8_t *wire_get_blob(struct wire_reader *r, size_t *ret_len)
{
    size_t len = wire_get_u32(r);
    const uint8_t *p = wire_get_bytes(r, len);

    *ret_len = p ? len : 0;
    return p;
}

#endif
