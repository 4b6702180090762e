/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ceph_encoding.h: what Ceph's payloads are made of: texts, versioned envelopes, times.
 *
 * Pure functions: bytes in, structs out, and back. No fd, no clock, no allocation; any
 * thread. Readers never read past what they are given; reader->failed tells. Writers fail
 * (writer->failed) only when they are too small.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_CEPH_ENCODING_H
#define MSGRLAB_SCENARIOS_PEER_CEPH_ENCODING_H

#include <stddef.h>
#include <stdint.h>

#include "engine/proto/wire.h"

#define CEPH_FSID_BYTES 16

/* ---- texts ---- */

struct ceph_text {
    const char *text; /* not terminated */
    size_t len;
};

void ceph_put_text(struct wire_writer *w, const char *text);
/* A string that may be printed later, into a buffer of `size`: fails if it does not fit or
 * holds control characters. */
void ceph_get_text(struct wire_reader *r, char *buf, size_t size);
/* In place. */
struct ceph_text ceph_get_long_text(struct wire_reader *r);
void ceph_skip_text(struct wire_reader *r);
/* Skips u32 count and that many elements of `size` bytes each. */
void ceph_skip_array(struct wire_reader *r, size_t size);

/* ---- versioned envelopes: u8 version, u8 compat, u32 length, body ---- */

/* Writes the head; give what it returns to the end. `compat` is the oldest version whose
 * reader understands the body. */
uint8_t *ceph_begin_envelope(struct wire_writer *w, uint8_t version, uint8_t compat);
void ceph_end_envelope(struct wire_writer *w, uint8_t *length);
/* A reader of the body alone; *r stands behind it. Fails when the writer says that a reader
 * of `known` cannot understand it. */
struct wire_reader ceph_get_envelope(struct wire_reader *r, uint8_t known,
                                     uint8_t *ret_version);
/* A blob whose length is not known yet: ceph_end_envelope ends it, too. */
uint8_t *ceph_begin_blob(struct wire_writer *w);

/* ---- times ---- */

struct ceph_time {
    uint32_t sec, nsec; /* since 1970, UTC */
};

void ceph_put_time(struct wire_writer *w, const struct ceph_time *t);
struct ceph_time ceph_get_time(struct wire_reader *r);

#endif
