/* SPDX-License-Identifier: Apache-2.0 */
/* ceph_encoding.c: texts, envelopes and times as Ceph encodes them. */
#include "scenarios/peer/ceph_encoding.h"

#include <string.h>

/* ---- texts ---- */

void ceph_put_text(struct wire_writer *w, const char *text)
{
    wire_put_blob(w, text, strlen(text));
}

void ceph_get_text(struct wire_reader *r, char *buf, size_t size)
{
    size_t len;
    const uint8_t *p = wire_get_blob(r, &len);

    buf[0] = '\0';
    if (p == NULL || len >= size) {
        r->failed = true;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            r->failed = true;
            return;
        }
    }
    if (len > 0) {
        memcpy(buf, p, len);
    }
    buf[len] = '\0';
}

void ceph_skip_text(struct wire_reader *r)
{
    size_t len;

    wire_get_blob(r, &len);
}

struct ceph_text ceph_get_long_text(struct wire_reader *r)
{
    struct ceph_text text;

    text.text = (const char *)wire_get_blob(r, &text.len);
    return text;
}

void ceph_skip_array(struct wire_reader *r, size_t size)
{
    uint64_t n = wire_get_u32(r);

    if (!r->failed) {
        wire_get_bytes(r, (size_t)(n * size));
    }
}

/* ---- versioned envelopes ---- */

uint8_t *ceph_begin_envelope(struct wire_writer *w, uint8_t version, uint8_t compat)
{
    uint8_t *length;

    wire_put_u8(w, version);
    wire_put_u8(w, compat);
    length = w->at;
    wire_put_u32(w, 0);
    return length;
}

uint8_t *ceph_begin_blob(struct wire_writer *w)
{
    uint8_t *length = w->at;

    wire_put_u32(w, 0);
    return length;
}

void ceph_end_envelope(struct wire_writer *w, uint8_t *length)
{
    if (!w->failed) {
        wire_store_u32(length, (uint32_t)(w->at - length - 4));
    }
}

struct wire_reader ceph_get_envelope(struct wire_reader *r, uint8_t known,
                                     uint8_t *ret_version)
{
    uint8_t version = wire_get_u8(r), compat = wire_get_u8(r);
    size_t len;
    const uint8_t *body = wire_get_blob(r, &len);
    struct wire_reader in = body != NULL ? wire_reader(body, len) : *r;

    if (version == 0 || compat > known) {
        in.failed = true;
    }
    *ret_version = version;
    return in;
}

/* ---- times ---- */

void ceph_put_time(struct wire_writer *w, const struct ceph_time *t)
{
    wire_put_u32(w, t->sec);
    wire_put_u32(w, t->nsec);
}

struct ceph_time ceph_get_time(struct wire_reader *r)
{
    struct ceph_time t;

    t.sec = wire_get_u32(r);
    t.nsec = wire_get_u32(r);
    return t;
}
