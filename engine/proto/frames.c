/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.c: banner, preamble, epilogue: everything of a frame except the meaning of its
 * segments (frames_payload.c).
 *
 *  banner     "ceph v2\n" | u16 payload length | u64 supported | u64 required | ignored
 *
 *  preamble   u8 tag | u8 n | 4 x { u32 length, u16 alignment } | u8 flags | u8 0 | u32 crc
 *
 *  2.1 frame  preamble | seg 0 | u32 crc 0, if seg 0 is not empty
 *             and for n > 1: | seg 1 | seg 2 | seg 3 | u8 status | u32 crc 1, 2, 3
 *  2.0 frame  preamble | seg 0 | seg 1 | seg 2 | seg 3 | u8 flags | u32 crc 0, 1, 2, 3
 *
 * In an epilogue an empty segment that is present (index < n) has the crc of nothing,
 * 0xffffffff, and an absent one has 0. As Ceph does, we do not look at the latter.
 */
#include "engine/proto/frames.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/util.h"

static const char banner_magic[] = "ceph v2\n";
#define BANNER_MAGIC_BYTES (sizeof(banner_magic) - 1)
#define BANNER_PAYLOAD_BYTES (BANNER_BYTES - BANNER_PREFIX_BYTES)

#define PREAMBLE_FLAG_COMPRESSED 1
#define PREAMBLE_CRC_AT 28

#define REV1_STATUS_MASK 0x0f /* the high half is reserved */
#define REV1_STATUS_ABORTED 0x01
#define REV1_STATUS_COMPLETE 0x0e
#define REV0_FLAG_ABORTED 0x01

const char *frame_tag_name(unsigned tag)
{
    switch (tag) {
#define X(id, n)                                                                           \
    case n:                                                                                \
        return #id;
        FRAME_TAGS(X)
#undef X
    default:
        return NULL;
    }
}

/* ---- banner ---- */

void banner_encode(uint8_t out[BANNER_BYTES], const struct banner *banner)
{
    struct wire_writer w = wire_writer(out, BANNER_BYTES);

    wire_put_bytes(&w, banner_magic, BANNER_MAGIC_BYTES);
    wire_put_u16(&w, BANNER_PAYLOAD_BYTES);
    wire_put_u64(&w, banner->supported);
    wire_put_u64(&w, banner->required);
    CHECK(!w.failed);
}

/* Text that strangers open a conversation with, and who they are. */
static const struct {
    const char *opening, *why;
} strangers[] = {
    {"ceph v0", "no msgr2 banner: the peer speaks msgr1 (v1 port?)"},
    {"ceph v", "no msgr2 banner: the peer speaks another messenger version"},
    {"SSH-", "no msgr2 banner: the peer speaks SSH"},
    {"HTTP/", "no msgr2 banner: the peer speaks HTTP"},
    {"GET ", "no msgr2 banner: the peer speaks HTTP"},
    {"HEAD ", "no msgr2 banner: the peer speaks HTTP"},
    {"POST ", "no msgr2 banner: the peer speaks HTTP"},
    {"PUT ", "no msgr2 banner: the peer speaks HTTP"},
    {"OPTIONS ", "no msgr2 banner: the peer speaks HTTP"},
    {"CONNECT ", "no msgr2 banner: the peer speaks HTTP"},
    {"PRI * HTTP/2", "no msgr2 banner: the peer speaks HTTP/2"},
    {"\x16\x03", "no msgr2 banner: the peer speaks TLS"},
};

/* "LLLL:", the hex local id that the message of the RDMA stack begins with. */
static bool opens_rdma_handshake(const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < 4; i++) {
        if (n <= i || !isxdigit(in[i]))
            return false;
    }
    return n > 4 && in[4] == ':';
}

static bool is_zeros(const uint8_t *in, size_t n)
{
    while (n > 0 && in[n - 1] == 0)
        n--;
    return n == 0;
}

/* A guess for the user at what was dialled or who dialled. */
static const char *describe_stranger(const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
        size_t len = strlen(strangers[i].opening);

        if (n >= len && memcmp(in, strangers[i].opening, len) == 0)
            return strangers[i].why;
    }
    if (opens_rdma_handshake(in, n))
        return "no msgr2 banner: the peer sent an RDMA handshake";
    if (is_zeros(in, n))
        return "no msgr2 banner: the peer sent zeros";
    return "no msgr2 banner: the peer speaks an unknown protocol";
}

bool banner_is_possible(const uint8_t *in, size_t n, const char **ret_why)
{
    if (memcmp(in, banner_magic, MIN(n, BANNER_MAGIC_BYTES)) == 0)
        return true;
    *ret_why = describe_stranger(in, n);
    return false;
}

int banner_decode_prefix(const uint8_t in[BANNER_PREFIX_BYTES], const char **ret_why)
{
    unsigned len = in[BANNER_MAGIC_BYTES] | (unsigned)in[BANNER_MAGIC_BYTES + 1] << 8;

    if (!banner_is_possible(in, BANNER_PREFIX_BYTES, ret_why))
        return -EPROTO;
    if (len < BANNER_PAYLOAD_BYTES) {
        *ret_why = "banner payload shorter than 16 bytes";
        return -EMSGSIZE;
    }
    if (len > BANNER_PAYLOAD_MAX) {
        *ret_why = "banner payload longer than 4096 bytes";
        return -EMSGSIZE;
    }
    return (int)len;
}

int banner_decode_payload(const uint8_t *in, size_t len, struct banner *ret)
{
    struct wire_reader r = wire_reader(in, len);
    struct banner banner;

    banner.supported = wire_get_u64(&r);
    banner.required = wire_get_u64(&r);
    if (r.failed)
        return -EBADMSG;
    *ret = banner;
    return 0;
}

/* ---- preamble ---- */

void preamble_encode(uint8_t out[PREAMBLE_BYTES], const struct preamble *preamble)
{
    struct wire_writer w = wire_writer(out, PREAMBLE_BYTES);
    unsigned n = preamble->segments;

    CHECK(n >= 1 && n <= FRAME_SEGMENTS_MAX);
    CHECK(n == 1 || preamble->len[n - 1] > 0); /* Ceph refuses such a frame */
    wire_put_u8(&w, preamble->tag);
    wire_put_u8(&w, preamble->segments);
    for (unsigned i = 0; i < FRAME_SEGMENTS_MAX; i++) {
        wire_put_u32(&w, i < n ? preamble->len[i] : 0);
        wire_put_u16(&w, i < n ? preamble->align[i] : 0);
    }
    wire_put_u16(&w, 0); /* flags and a reserved byte */
    wire_put_u32(&w, crc32c(CRC32C_SEED_PREAMBLE, out, PREAMBLE_CRC_AT));
    CHECK(!w.failed && w.at == w.end);
}

int preamble_decode(const uint8_t in[PREAMBLE_BYTES], struct preamble *ret,
                    const char **ret_why)
{
    struct wire_reader r = wire_reader(in, PREAMBLE_BYTES);
    struct preamble preamble = {0};
    unsigned n, flags;

    if (crc32c(CRC32C_SEED_PREAMBLE, in, PREAMBLE_CRC_AT) !=
        wire_load_u32(in + PREAMBLE_CRC_AT)) {
        *ret_why = "preamble crc mismatch";
        return -EBADMSG;
    }
    preamble.tag = wire_get_u8(&r);
    preamble.segments = wire_get_u8(&r);
    n = preamble.segments;
    if (n < 1 || n > FRAME_SEGMENTS_MAX) {
        *ret_why = n < 1 ? "frame without a segment" : "frame of more than 4 segments";
        return -EBADMSG;
    }
    for (unsigned i = 0; i < FRAME_SEGMENTS_MAX; i++) {
        uint32_t len = wire_get_u32(&r);
        uint16_t align = wire_get_u16(&r);

        preamble.len[i] = i < n ? len : 0;
        preamble.align[i] = i < n ? align : 0;
    }
    flags = wire_get_u8(&r);
    if (n > 1 && preamble.len[n - 1] == 0) {
        *ret_why = "last segment of the frame is empty";
        return -EBADMSG;
    }
    if (flags & PREAMBLE_FLAG_COMPRESSED) {
        *ret_why = "compressed frame without negotiated compression";
        return -EBADMSG;
    }
    *ret = preamble;
    return 0;
}

size_t frame_epilogue_bytes(const struct preamble *preamble, bool rev1)
{
    if (!rev1)
        return EPILOGUE_REV0_BYTES;
    return preamble->segments > 1 ? EPILOGUE_REV1_BYTES : 0;
}

size_t frame_segment0_crc_bytes(const struct preamble *preamble, bool rev1)
{
    return rev1 && preamble->len[0] > 0 ? sizeof(uint32_t) : 0;
}

uint64_t frame_wire_bytes(const struct preamble *preamble, bool rev1)
{
    uint64_t total = PREAMBLE_BYTES + frame_segment0_crc_bytes(preamble, rev1) +
                     frame_epilogue_bytes(preamble, rev1);

    for (unsigned i = 0; i < preamble->segments; i++)
        total += preamble->len[i];
    return total;
}

/* ---- epilogue ---- */

void epilogue_encode(uint8_t *out, const struct preamble *preamble, bool rev1, bool aborted,
                     const uint32_t crcs[FRAME_SEGMENTS_MAX])
{
    size_t len = frame_epilogue_bytes(preamble, rev1);
    struct wire_writer w = wire_writer(out, len);

    if (len == 0) {
        CHECK(!aborted); /* a single 2.1 segment has no place to say so */
        return;
    }
    if (rev1)
        wire_put_u8(&w, aborted ? REV1_STATUS_ABORTED : REV1_STATUS_COMPLETE);
    else
        wire_put_u8(&w, aborted ? REV0_FLAG_ABORTED : 0);
    for (unsigned i = rev1 ? 1 : 0; i < FRAME_SEGMENTS_MAX; i++) {
        uint32_t crc = preamble->len[i] > 0 ? crcs[i] : CRC32C_SEED_SEGMENT;

        wire_put_u32(&w, i < preamble->segments ? crc : 0);
    }
    CHECK(!w.failed && w.at == w.end);
}

static const char *const crc_mismatches[FRAME_SEGMENTS_MAX] = {
    "segment 0 crc mismatch", "segment 1 (front) crc mismatch",
    "segment 2 (middle) crc mismatch", "segment 3 (data) crc mismatch"};

/* The crcs count in an aborted frame too: its filler was sent as announced. */
int epilogue_decode(const uint8_t *in, const struct preamble *preamble, bool rev1,
                    const uint32_t crcs[FRAME_SEGMENTS_MAX], bool *ret_aborted,
                    const char **ret_why)
{
    struct wire_reader r = wire_reader(in, frame_epilogue_bytes(preamble, rev1));
    uint8_t status;

    if (wire_left(&r) == 0) {
        *ret_aborted = false;
        return 0;
    }
    status = wire_get_u8(&r);
    for (unsigned i = rev1 ? 1 : 0; i < preamble->segments; i++) {
        uint32_t expected = preamble->len[i] > 0 ? crcs[i] : CRC32C_SEED_SEGMENT;

        if (wire_get_u32(&r) != expected) {
            *ret_why = crc_mismatches[i];
            return -EBADMSG;
        }
    }
    if (rev1) {
        status &= REV1_STATUS_MASK;
        if (status != REV1_STATUS_COMPLETE && status != REV1_STATUS_ABORTED) {
            *ret_why = "epilogue status is neither complete nor aborted";
            return -EBADMSG;
        }
        *ret_aborted = status == REV1_STATUS_ABORTED;
    } else {
        *ret_aborted = status & REV0_FLAG_ABORTED;
    }
    return 0;
}

/* ---- control frames ---- */

size_t frame_control_encode(enum frame_tag tag, bool rev1, const void *payload, size_t len,
                            uint8_t *out, size_t cap)
{
    struct preamble preamble = {.tag = (uint8_t)tag,
                                .segments = 1,
                                .len = {(uint32_t)len},
                                .align = {FRAME_ALIGN_DEFAULT}};
    uint32_t crcs[FRAME_SEGMENTS_MAX] = {crc32c(CRC32C_SEED_SEGMENT, payload, len)};
    uint64_t total = frame_wire_bytes(&preamble, rev1);
    struct wire_writer w = wire_writer(out, cap);

    CHECK(len <= UINT32_MAX);
    if (total > cap)
        return 0;
    preamble_encode(out, &preamble);
    w.at += PREAMBLE_BYTES;
    wire_put_bytes(&w, payload, len);
    if (frame_segment0_crc_bytes(&preamble, rev1) > 0)
        wire_put_u32(&w, crcs[0]);
    epilogue_encode(w.at, &preamble, rev1, false, crcs);
    CHECK(!w.failed);
    return (size_t)total;
}
