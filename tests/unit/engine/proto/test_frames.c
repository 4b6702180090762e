/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_frames.c: engine/proto/frames.h and engine/base/crc32c.h against bytes of a real
 * Ceph 16.2 and 18.2, and against the damage that a network or an enemy does to bytes.
 */
#include "engine/proto/frames.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "engine/base/crc32c.h"
#include "tests/lib/frame_codecs.h"
#include "tests/lib/hex.h"
#include "tests/lib/testlib.h"
#include "tests/lib/worked_frames.h"

/* ---- real frames ---- */

static size_t encode_payload(unsigned tag, const union frame_payload *says, uint8_t *out,
                             size_t cap)
{
    struct wire_writer w = wire_writer(out, cap);

    frame_payload_encode(tag, &w, says);
    ck_assert(!w.failed);
    return wire_written(&w);
}

/* The payload of row `i`, encoded from its fields. */
static struct hex payload_of(int i)
{
    struct hex payload;

    payload.len = encode_payload(worked[i].tag, &worked[i].says, payload.bytes,
                                 sizeof(payload.bytes));
    return payload;
}

static void assert_same_bytes(const char *what, const uint8_t *got, size_t got_len,
                              const uint8_t *expected, size_t expected_len)
{
    ck_assert_msg(got_len == expected_len, "%s: %zu bytes, not %zu", what, got_len,
                  expected_len);
    for (size_t i = 0; i < got_len; i++)
        ck_assert_msg(got[i] == expected[i], "%s: byte %zu is %02x, not %02x", what, i,
                      got[i], expected[i]);
}

/* Fields encode to the bytes Ceph sent. */
START_TEST(encodes_what_ceph_encodes)
{
    const struct worked *row = &worked[_i];
    struct hex expected = hex_of(row->hex), payload = payload_of(_i);
    uint8_t out[1024];
    size_t len = frame_control_encode(row->tag, !row->rev0, payload.bytes, payload.len, out,
                                      sizeof(out));

    assert_same_bytes(row->name, out, len, expected.bytes, expected.len);
    ck_assert(len <= FRAME_CONTROL_BYTES(payload.len));
    ck_assert_uint_eq(
        frame_control_encode(row->tag, !row->rev0, payload.bytes, payload.len, out, len),
        len);
    ck_assert_uint_eq(frame_control_encode(row->tag, !row->rev0, payload.bytes, payload.len,
                                           out, len - 1),
                      0);
}
END_TEST

/* The bytes Ceph sent decode to the fields: encoding is injective (the test above ties each
 * field to its place), so equal bytes after a re-encode mean equal fields. */
START_TEST(decodes_what_ceph_encodes)
{
    const struct worked *row = &worked[_i];
    struct hex bytes = hex_of(row->hex);
    struct wire_reader r = wire_reader(bytes.bytes, bytes.len), payload;
    struct frame_view view;
    union frame_payload says;
    const char *why = "truncated";
    uint8_t out[1024];
    size_t len;

    ck_assert_msg(frame_walk(&r, !row->rev0, &view, &why) == 1, "%s: %s", row->name, why);
    ck_assert_uint_eq(wire_left(&r), 0);
    ck_assert_uint_eq(view.preamble.tag, row->tag);
    ck_assert_uint_eq(view.preamble.align[0], FRAME_ALIGN_DEFAULT);
    ck_assert(!view.aborted);
    ck_assert_uint_eq(frame_wire_bytes(&view.preamble, !row->rev0), bytes.len);
    payload = wire_reader(view.segment[0], view.preamble.len[0]);
    ck_assert_int_eq(frame_payload_decode(row->tag, &payload, &says), 0);
    ck_assert_uint_eq(wire_left(&payload), 0);
    len = encode_payload(row->tag, &says, out, sizeof(out));
    assert_same_bytes(row->name, out, len, view.segment[0], view.preamble.len[0]);
}
END_TEST

/* A payload cut anywhere is a bad message, and nothing behind the cut is read. */
START_TEST(truncated_payloads_are_bad)
{
    const struct worked *row = &worked[_i];
    struct hex payload = payload_of(_i);

    for (size_t len = 0; len < payload.len; len++) {
        uint8_t *cut = exact_copy(payload.bytes, len);
        struct wire_reader r = wire_reader(cut, len);
        union frame_payload untouched, says;

        memset(&untouched, 0xa5, sizeof(untouched));
        memset(&says, 0xa5, sizeof(says));
        ck_assert_msg(frame_payload_decode(row->tag, &r, &says) == -EBADMSG,
                      "%s cut to %zu bytes", row->name, len);
        ck_assert_mem_eq(&says, &untouched, sizeof(says));
        free(cut);
    }
}
END_TEST

/* A frame cut anywhere asks for more bytes; it never passes for a whole one. */
START_TEST(truncated_frames_ask_for_more)
{
    const struct worked *row = &worked[_i];
    struct hex frame = hex_of(row->hex);

    for (size_t len = 0; len < frame.len; len++) {
        uint8_t *cut = exact_copy(frame.bytes, len);
        struct wire_reader r = wire_reader(cut, len);
        struct frame_view view;
        const char *why = NULL;

        ck_assert_msg(frame_walk(&r, !row->rev0, &view, &why) == 0,
                      "%s cut to %zu bytes: %s", row->name, len, why);
        free(cut);
    }
}
END_TEST

/* Newer peers append: bytes behind the known fields change nothing. */
START_TEST(trailing_bytes_are_accepted)
{
    const struct worked *row = &worked[_i];
    struct hex payload = payload_of(_i);
    size_t len = payload.len;
    struct wire_reader r;
    union frame_payload says;
    uint8_t out[1024];

    hex_append(&payload, 0xff, 7);
    r = wire_reader(payload.bytes, payload.len);
    ck_assert_int_eq(frame_payload_decode(row->tag, &r, &says), 0);
    assert_same_bytes(row->name, out, encode_payload(row->tag, &says, out, sizeof(out)),
                      payload.bytes, len);
}
END_TEST

/* An encoder without enough room fails and stays inside. */
START_TEST(encoders_stay_inside)
{
    const struct worked *row = &worked[_i];
    size_t len = payload_of(_i).len;

    for (size_t cap = 0; cap <= len; cap++) {
        uint8_t *out = malloc(cap);
        struct wire_writer w = wire_writer(out, cap);

        frame_payload_encode(row->tag, &w, &row->says);
        ck_assert_msg(w.failed == (cap < len), "%s into %zu bytes", row->name, cap);
        free(out);
    }
}
END_TEST

/* Any flipped bit in a frame is noticed, in the preamble by the preamble's crc. */
START_TEST(flipped_bits_are_noticed)
{
    const struct worked *row = &worked[_i];
    struct hex frame = hex_of(row->hex);
    size_t slots = row->rev0 ? 12 : 0; /* the crcs of absent segments mean nothing */

    for (size_t bit = 0; bit < 8 * (frame.len - slots); bit++) {
        struct hex flipped = frame;
        struct wire_reader r = wire_reader(flipped.bytes, flipped.len);
        struct frame_view view;
        const char *why = NULL;
        int rc;

        flipped.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rc = frame_walk(&r, !row->rev0, &view, &why);
        if (row->rev0 && rc == 1 && bit / 8 == frame.len - EPILOGUE_REV0_BYTES) {
            ck_assert(view.aborted == (bit % 8 == 0)); /* the other flags are reserved */
            continue;
        }
        ck_assert_msg(rc == -EBADMSG, "%s: bit %zu went unnoticed", row->name, bit);
        if (bit < 8 * PREAMBLE_BYTES)
            ck_assert_str_eq(why, "preamble crc mismatch");
    }
}
END_TEST

/* ---- crc ---- */

/* The check values of msgr2's CRC-32C: no inversion, seed 0 or all ones. */
START_TEST(crc_has_ceph_convention)
{
    static const uint8_t zeros[32];

    ck_assert_uint_eq(crc32c(CRC32C_SEED_PREAMBLE, "123456789", 9), 0x58e3fa20);
    ck_assert_uint_eq(crc32c(CRC32C_SEED_SEGMENT, "123456789", 9), 0x1cf96d7c);
    ck_assert_uint_eq(crc32c(CRC32C_SEED_SEGMENT, "", 0), 0xffffffff);
    ck_assert_uint_eq(crc32c(CRC32C_SEED_SEGMENT, NULL, 0), 0xffffffff);
    ck_assert_uint_eq(crc32c(CRC32C_SEED_SEGMENT, zeros, sizeof(zeros)), 0x756ec955);
}
END_TEST

/* One bit at a time, from the polynomial alone. */
static uint32_t crc_by_definition(uint32_t crc, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return crc;
}

/* Every length and alignment that the unrolled code of the library treats differently, cut
 * in two at every third place. */
START_TEST(crc_is_the_polynomial_and_chains)
{
    uint8_t bytes[700];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + (i >> 3));
    for (size_t len = 0; len + 16 <= sizeof(bytes); len++) {
        const uint8_t *at = bytes + len % 16;
        uint32_t expected = crc_by_definition(0x12345678, at, len);

        ck_assert_uint_eq(crc32c(0x12345678, at, len), expected);
        for (size_t cut = 0; cut <= len; cut += 3)
            ck_assert_uint_eq(crc32c(crc32c(0x12345678, at, cut), at + cut, len - cut),
                              expected);
    }
}
END_TEST

/* ---- messages ---- */

struct worked_message {
    const char *name;
    bool rev1, aborted;
    const char *hex;
    struct preamble preamble;
    struct frame_message_header header;
};

#define PING_1                                                                             \
    {                                                                                      \
        .seq = 1, .type = 2, .priority = 127, .version = 1, .flags = 3                     \
    }
#define PREAMBLE_4                                                                         \
    {                                                                                      \
        .tag = TAG_MESSAGE, .segments = 4, .len = {41, 5, 0, 4}, .align = {                \
            8,                                                                             \
            8,                                                                             \
            8,                                                                             \
            4096                                                                           \
        }                                                                                  \
    }
#define PREAMBLE_4_HEX                                                                     \
    "11 04 29 00*3 08 00 05 00*3 08 00 00*4 08 00 04 00*3 00 10 00 00 f9 2a e0 a7 | "
#define PING_1_HEX "01 00*7 00*8 02 00 7f 00 01 00 00*4 00 00 00*8 03 00 00 00 00 "

// clang-format off
static const struct worked_message worked_messages[] = {
    {"two segments", true, false,
     "11 02 29 00*3 08 00 30 00*3 08 00 00*12 00 00 2d 2f be 15 | "
     "02 00*7 00*8 0f 00 7f 00 03 00 00*4 00 00 00*8 03 01 00 00 00 | 1f 25 04 bd | "
     "02 00*3 06 00*3 'config' 00*8 00 06 00*3 'monmap' 00*8 00 02 00*3 'vm' | "
     "0e | 80 4d 2c 73 | 00*4 | 00*4",
     {.tag = TAG_MESSAGE, .segments = 2, .len = {41, 48}, .align = {8, 8}},
     {.seq = 2, .type = 15, .priority = 127, .version = 3, .flags = 3, .compat_version = 1}},
    {"empty middle", true, false,
     PREAMBLE_4_HEX PING_1_HEX "| 6c e3 2e 57 | 'FRONT' 'DATA' | "
     "0e | e0 8c a9 f6 | ff*4 | 6d 00 70 38",
     PREAMBLE_4, PING_1},
    {"aborted", true, true,
     PREAMBLE_4_HEX PING_1_HEX "| 6c e3 2e 57 | 'FRONT' 'DATA' | "
     "01 | e0 8c a9 f6 | ff*4 | 6d 00 70 38",
     PREAMBLE_4, PING_1},
    {"2.0", false, false,
     PREAMBLE_4_HEX PING_1_HEX "'FRONT' 'DATA' | "
     "00 | 6c e3 2e 57 | e0 8c a9 f6 | ff*4 | 6d 00 70 38",
     PREAMBLE_4, PING_1},
    {"aborted 2.0", false, true,
     PREAMBLE_4_HEX PING_1_HEX "'FRONT' 'DATA' | "
     "01 | 6c e3 2e 57 | e0 8c a9 f6 | ff*4 | 6d 00 70 38",
     PREAMBLE_4, PING_1},
};
// clang-format on

static struct frame_view walk_or_fail(const struct worked_message *row, struct hex *frame)
{
    struct wire_reader r = wire_reader(frame->bytes, frame->len);
    struct frame_view view;
    const char *why = "truncated";

    ck_assert_msg(frame_walk(&r, row->rev1, &view, &why) == 1, "%s: %s", row->name, why);
    ck_assert_uint_eq(wire_left(&r), 0);
    return view;
}

START_TEST(messages_decode)
{
    const struct worked_message *row = &worked_messages[_i];
    struct hex frame = hex_of(row->hex);
    struct frame_view view = walk_or_fail(row, &frame);
    struct wire_reader r = wire_reader(view.segment[0], MESSAGE_HEADER_BYTES);
    struct frame_message_header header;

    ck_assert(view.aborted == row->aborted);
    ck_assert_uint_eq(view.preamble.segments, row->preamble.segments);
    ck_assert_mem_eq(view.preamble.len, row->preamble.len, sizeof(row->preamble.len));
    ck_assert_mem_eq(view.preamble.align, row->preamble.align, sizeof(row->preamble.align));
    ck_assert_uint_eq(frame_wire_bytes(&row->preamble, row->rev1), frame.len);
    ck_assert_int_eq(frame_message_header_decode(&r, &header), 0);
    ck_assert_uint_eq(header.seq, row->header.seq);
    ck_assert_uint_eq(header.type, row->header.type);
    ck_assert_uint_eq(header.priority, row->header.priority);
    ck_assert_uint_eq(header.version, row->header.version);
    ck_assert_uint_eq(header.compat_version, row->header.compat_version);
    ck_assert_uint_eq(header.flags, row->header.flags);
}
END_TEST

/* Put together from its parts, a message has the bytes of Ceph. The crc slot of an empty
 * middle does not depend on what the caller has in crcs[2]. */
START_TEST(messages_encode)
{
    const struct worked_message *row = &worked_messages[_i];
    struct hex frame = hex_of(row->hex);
    struct frame_view view = walk_or_fail(row, &frame);
    uint32_t crcs[FRAME_SEGMENTS_MAX] = {0};
    uint8_t out[1024];
    struct wire_writer w = wire_writer(out, sizeof(out));

    preamble_encode(out, &row->preamble);
    w.at += PREAMBLE_BYTES;
    frame_message_header_encode(&w, &row->header);
    crcs[0] = crc32c(CRC32C_SEED_SEGMENT, out + PREAMBLE_BYTES, MESSAGE_HEADER_BYTES);
    if (row->rev1)
        wire_put_u32(&w, crcs[0]);
    for (unsigned i = 1; i < row->preamble.segments; i++) {
        wire_put_bytes(&w, view.segment[i], row->preamble.len[i]);
        if (row->preamble.len[i] > 0)
            crcs[i] = crc32c(CRC32C_SEED_SEGMENT, view.segment[i], row->preamble.len[i]);
    }
    epilogue_encode(w.at, &row->preamble, row->rev1, row->aborted, crcs);
    w.at += frame_epilogue_bytes(&row->preamble, row->rev1);
    assert_same_bytes(row->name, out, wire_written(&w), frame.bytes, frame.len);
}
END_TEST

/* Each field of the header at its own offset. */
START_TEST(message_header_has_its_offsets)
{
    struct frame_message_header header = {.seq = 0x0807060504030201,
                                          .tid = 0x100f0e0d0c0b0a09,
                                          .type = 0x1211,
                                          .priority = 0x1413,
                                          .version = 0x1615,
                                          .data_pre_padding_len = 0x1a191817,
                                          .data_off = 0x1c1b,
                                          .ack_seq = 0x24232221201f1e1d,
                                          .flags = 0x25,
                                          .compat_version = 0x2726};
    uint8_t out[MESSAGE_HEADER_BYTES];
    struct wire_writer w = wire_writer(out, sizeof(out));

    frame_message_header_encode(&w, &header);
    ck_assert(!w.failed && w.at == w.end);
    for (uint8_t i = 0; i < 39; i++)
        ck_assert_uint_eq(out[i], i + 1);
    ck_assert_uint_eq(out[39] | out[40], 0);
}
END_TEST

/* ---- preamble and epilogue ---- */

static const struct {
    const char *hex; /* of the 28 bytes under the crc */
    const char *why; /* NULL: accepted */
} preambles[] = {
    {"14 00 08 00*3 08 00*21", "frame without a segment"},
    {"14 05 08 00*3 08 00*21", "frame of more than 4 segments"},
    {"14 ff 08 00*3 08 00*21", "frame of more than 4 segments"},
    {"11 02 29 00*3 08 00 00*20", "last segment of the frame is empty"},
    {"11 04 29 00*3 08 00 01 00*3 08 00 01 00*3 08 00 00*4 00 10 00 00",
     "last segment of the frame is empty"},
    {"14 01 08 00*3 08 00*19 01 00", "compressed frame without negotiated compression"},
    {"14 01 08 00*3 08 00*19 fe ff", NULL}, /* reserved bits: Ceph 16.2 ignores them */
    {"63 01 ff*4 00*22", NULL}, /* tags and lengths are for the caller to judge */
    {"11 01 29 00*3 03 00 ff*18 00 00", NULL}, /* descriptors of absent segments */
    {"11 03 29 00*3 08 00 00*6 01 00*3 08 00 00*8", NULL}, /* an empty one in the middle */
};

START_TEST(preambles_are_judged)
{
    struct hex hex = hex_of(preambles[_i].hex);
    struct preamble preamble;
    const char *why = NULL;
    int rc;

    ck_assert_uint_eq(hex.len, 28);
    wire_store_u32(hex.bytes + 28, crc32c(CRC32C_SEED_PREAMBLE, hex.bytes, 28));
    rc = preamble_decode(hex.bytes, &preamble, &why);
    ck_assert_int_eq(rc, preambles[_i].why ? -EBADMSG : 0);
    if (rc < 0) {
        ck_assert_str_eq(why, preambles[_i].why);
        return;
    }
    ck_assert_uint_eq(preamble.tag, hex.bytes[0]);
    for (unsigned i = preamble.segments; i < FRAME_SEGMENTS_MAX; i++)
        ck_assert(preamble.len[i] == 0 && preamble.align[i] == 0);
}
END_TEST

/* The status byte of a 2.1 epilogue: its low half must be 0xe or 0x1. */
START_TEST(late_status_is_complete_or_aborted)
{
    struct preamble preamble = {.tag = TAG_MESSAGE, .segments = 2, .len = {41, 1}};
    uint32_t crcs[FRAME_SEGMENTS_MAX] = {1, 2, 3, 4};
    uint8_t epilogue[EPILOGUE_REV1_BYTES];
    const char *why = NULL;
    bool aborted = false;
    int rc;

    epilogue_encode(epilogue, &preamble, true, false, crcs);
    epilogue[0] = (uint8_t)_i;
    rc = epilogue_decode(epilogue, &preamble, true, crcs, &aborted, &why);
    if ((_i & 0xf) == 0xe || (_i & 0xf) == 0x1) {
        ck_assert_int_eq(rc, 0);
        ck_assert(aborted == ((_i & 0xf) == 0x1));
    } else {
        ck_assert_int_eq(rc, -EBADMSG);
        ck_assert_str_eq(why, "epilogue status is neither complete nor aborted");
    }
}
END_TEST

/* A wrong crc is reported with its segment; slots of absent segments are not looked at. */
START_TEST(epilogue_names_the_bad_segment)
{
    static const char *const whys[] = {
        "segment 0 crc mismatch", "segment 1 (front) crc mismatch",
        "segment 2 (middle) crc mismatch", "segment 3 (data) crc mismatch"};
    bool rev1 = _i % 2;
    unsigned n = (unsigned)_i / 2, first = rev1 ? 1 : 0;
    struct preamble preamble = {.tag = TAG_MESSAGE, .segments = (uint8_t)n};
    uint32_t crcs[FRAME_SEGMENTS_MAX] = {0x11111111, 0x22222222, 0x33333333, 0x44444444};
    uint8_t epilogue[EPILOGUE_REV0_BYTES];
    bool aborted = true;

    for (unsigned i = 0; i < n; i++)
        preamble.len[i] = i + 1;
    epilogue_encode(epilogue, &preamble, rev1, false, crcs);
    for (unsigned slot = first; slot < FRAME_SEGMENTS_MAX; slot++) {
        uint8_t *at = epilogue + 1 + 4 * (slot - first);
        const char *why = NULL;
        int rc;

        ck_assert_uint_eq(wire_load_u32(at), slot < n ? crcs[slot] : 0);
        at[1] ^= 0x10;
        rc = epilogue_decode(epilogue, &preamble, rev1, crcs, &aborted, &why);
        ck_assert_int_eq(rc, slot < n ? -EBADMSG : 0);
        if (rc < 0)
            ck_assert_str_eq(why, whys[slot]);
        at[1] ^= 0x10;
    }
}
END_TEST

/* The rules for where crcs and epilogues are, case by case. */
START_TEST(layout_of_frames)
{
    struct preamble empty = {.segments = 1}, one = {.segments = 1, .len = {8}};
    struct preamble two = {.segments = 2, .len = {0, 5}};
    struct preamble huge = {.segments = 4,
                            .len = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    bool aborted = true;
    const char *why;

    ck_assert_uint_eq(frame_wire_bytes(&empty, true), 32);
    ck_assert_uint_eq(frame_wire_bytes(&empty, false), 49);
    ck_assert_uint_eq(frame_wire_bytes(&one, true), 32 + 8 + 4);
    ck_assert_uint_eq(frame_wire_bytes(&one, false), 32 + 8 + 17);
    ck_assert_uint_eq(frame_wire_bytes(&two, true), 32 + 5 + 13);
    ck_assert_uint_eq(frame_wire_bytes(&two, false), 32 + 5 + 17);
    ck_assert_uint_eq(frame_wire_bytes(&huge, true), 4ull * UINT32_MAX + 32 + 4 + 13);
    ck_assert_int_eq(epilogue_decode(NULL, &one, true, NULL, &aborted, &why), 0);
    ck_assert(!aborted);
}
END_TEST

/* ---- banner ---- */

START_TEST(banner_of_ceph)
{
    struct hex hex = hex_of("63 65 70 68 20 76 32 0a 10 00 01 00*7 00*8");
    struct banner banner = {.supported = MSGR2_FEATURE_REVISION_1}, ret;
    uint8_t out[BANNER_BYTES];
    const char *why = NULL;

    banner_encode(out, &banner);
    assert_same_bytes("banner", out, sizeof(out), hex.bytes, hex.len);
    ck_assert_int_eq(banner_decode_prefix(hex.bytes, &why), 16);
    hex_append(&hex, 0xaa, 8); /* a longer payload of the future */
    for (size_t len = 0; len <= 24; len++) {
        uint8_t *cut = exact_copy(hex.bytes + BANNER_PREFIX_BYTES, len);
        int rc = banner_decode_payload(cut, len, &ret);

        ck_assert_int_eq(rc, len < 16 ? -EBADMSG : 0);
        ck_assert(rc < 0 || (ret.supported == 1 && ret.required == 0));
        free(cut);
    }
}
END_TEST

static const struct {
    const char *hex; /* the first 10 bytes, the rest is filled with zeros */
    int rc;
    const char *why;
} prefixes[] = {
    {"'ceph v2' 0a 10 00", 16, NULL},
    {"'ceph v2' 0a 18 00", 24, NULL},
    {"'ceph v2' 0a 00 10", 4096, NULL},
    {"'ceph v2' 0a 01 10", -EMSGSIZE, "banner payload longer than 4096 bytes"},
    {"'ceph v2' 0a ff ff", -EMSGSIZE, "banner payload longer than 4096 bytes"},
    {"'ceph v2' 0a 0f 00", -EMSGSIZE, "banner payload shorter than 16 bytes"},
    {"'ceph v2' 0a", -EMSGSIZE, "banner payload shorter than 16 bytes"},
    {"'ceph v027'", -EPROTO, "no msgr2 banner: the peer speaks msgr1 (v1 port?)"},
    {"'ceph v3' 0a 10", -EPROTO,
     "no msgr2 banner: the peer speaks another messenger version"},
    {"'0000:00000'", -EPROTO, "no msgr2 banner: the peer sent an RDMA handshake"},
    {"'HTTP/1.1 4'", -EPROTO, "no msgr2 banner: the peer speaks HTTP"},
    {"'GET / HTTP'", -EPROTO, "no msgr2 banner: the peer speaks HTTP"},
    {"'SSH-2.0-Op'", -EPROTO, "no msgr2 banner: the peer speaks SSH"},
    {"16 03 01 02 00 01 00 01 fc 03", -EPROTO, "no msgr2 banner: the peer speaks TLS"},
    {"00*10", -EPROTO, "no msgr2 banner: the peer sent zeros"},
    {"ff*10", -EPROTO, "no msgr2 banner: the peer speaks an unknown protocol"},
};

START_TEST(banners_are_judged)
{
    struct hex hex = hex_of(prefixes[_i].hex);
    uint8_t *prefix;
    const char *why = NULL;

    hex.len = BANNER_PREFIX_BYTES;
    prefix = exact_copy(hex.bytes, hex.len);
    ck_assert_int_eq(banner_decode_prefix(prefix, &why), prefixes[_i].rc);
    ck_assert_msg(prefixes[_i].rc > 0 || strcmp(why, prefixes[_i].why) == 0, "%s", why);
    free(prefix);
}
END_TEST

/* A stream is refused at its first byte that no banner has, and not before. */
START_TEST(banners_are_judged_early)
{
    const uint8_t banner[BANNER_PREFIX_BYTES] = "ceph v2\n\x10";
    const char *why = NULL;

    for (size_t n = 0; n <= sizeof(banner); n++) {
        uint8_t *bytes = exact_copy(banner, n);

        ck_assert(banner_is_possible(bytes, n, &why));
        for (size_t i = 0; i < n && i < 8; i++) {
            bytes[i] ^= 0x80;
            ck_assert(!banner_is_possible(bytes, n, &why));
            bytes[i] ^= 0x80;
        }
        free(bytes);
    }
    ck_assert(!banner_is_possible((const uint8_t *)"ceph v027", 9, &why));
    ck_assert_str_eq(why, "no msgr2 banner: the peer speaks msgr1 (v1 port?)");
    ck_assert(!banner_is_possible((const uint8_t *)"\x16\x03", 2, &why));
    ck_assert_str_eq(why, "no msgr2 banner: the peer speaks TLS");
    ck_assert(!banner_is_possible((const uint8_t *)"\n", 1, &why));
    ck_assert_str_eq(why, "no msgr2 banner: the peer speaks an unknown protocol");
}
END_TEST

/* ---- bounds of payloads ---- */

static const struct {
    const char *what;
    unsigned tag;
    const char *hex;
    int rc;
} bounds[] = {
    {"32 modes", TAG_AUTH_REQUEST, "01 00*3 20 00*3 00*128 00*4", 0},
    {"33 modes", TAG_AUTH_REQUEST, "01 00*3 21 00*3 00*132 00*4", -EBADMSG},
    {"4 billion modes", TAG_AUTH_REQUEST, "01 00*3 ff*4 00*132 00*4", -EBADMSG},
    {"33 methods", TAG_AUTH_BAD_METHOD, "01 00*3 00*4 21 00*3 00*132 00*4", -EBADMSG},
    {"33 compressors", TAG_COMPRESSION_REQUEST, "01 21 00*3 00*132", -EBADMSG},
    {"blob one byte too long", TAG_AUTH_REPLY_MORE, "05 00*3 11*4", -EBADMSG},
    {"blob of 4 GiB", TAG_AUTH_REQUEST_MORE, "ff*4 11*4", -EBADMSG},
    {"empty blob", TAG_AUTH_REQUEST_MORE, "00*4", 0},
    {"blob", TAG_AUTH_REPLY_MORE, "04 00*3 11*4", 0},
    {"8 addresses, all blank", TAG_SESSION_RECONNECT, NULL, 0},
    {"9 addresses, all blank", TAG_SESSION_RECONNECT, NULL, -EBADMSG},
    {"id of 63 bytes", TAG_AUTH_NONE_REQUEST, "0a 08 00*3 3f 00*3 61*63 00*8", 0},
    {"id of 64 bytes", TAG_AUTH_NONE_REQUEST, "0a 08 00*3 40 00*3 61*64 00*8", -EBADMSG},
    {"id with a NUL", TAG_AUTH_NONE_REQUEST, "0a 08 00*3 03 00*3 61 00 61 00*8", -EBADMSG},
    {"true is any other than 0", TAG_SESSION_RESET, "7f", 0},
    {"no such tag", 23, "00", -ENOENT},
    {"no such tag either", 0, "00", -ENOENT},
};

START_TEST(bounds_are_kept)
{
    struct hex hex = {0};
    uint8_t *bytes;
    struct wire_reader r;
    union frame_payload says;

    if (bounds[_i].hex) {
        hex = hex_of(bounds[_i].hex);
    } else {
        struct hex blank = hex_of("01 01 01 0c 00*3 00*12");

        hex_append(&hex, 2, 1);
        hex_append(&hex, bounds[_i].rc == 0 ? 8 : 9, 1);
        hex_append(&hex, 0, 3);
        for (int i = 0; i < 9; i++) {
            memcpy(hex.bytes + hex.len, blank.bytes, blank.len);
            hex.len += blank.len;
        }
        hex_append(&hex, 0, 40);
    }
    bytes = exact_copy(hex.bytes, hex.len);
    r = wire_reader(bytes, hex.len);
    ck_assert_msg(frame_payload_decode(bounds[_i].tag, &r, &says) == bounds[_i].rc, "%s",
                  bounds[_i].what);
    free(bytes);
}
END_TEST

/* What a client says in AUTH_REQUEST, both shapes of it, and every truncation. */
START_TEST(auth_none_request_of_ceph)
{
    static const struct {
        const char *hex;
        struct auth_none_request says;
    } rows[] = {{"0a 08 00*3 05 00*3 'admin' 00*8", {10, ENTITY_CLIENT, "admin", 0}},
                {"01 01 00*3 00*4 0b 10 00*6", {1, ENTITY_MON, "", 0x100b}}};
    struct hex hex = hex_of(rows[_i].hex);
    struct auth_none_request says;
    uint8_t out[128];
    struct wire_writer w = wire_writer(out, sizeof(out));

    auth_none_request_encode(&w, &rows[_i].says);
    assert_same_bytes("auth none", out, wire_written(&w), hex.bytes, hex.len);
    for (size_t len = 0; len <= hex.len; len++) {
        uint8_t *cut = exact_copy(hex.bytes, len);
        struct wire_reader r = wire_reader(cut, len);

        ck_assert_int_eq(auth_none_request_decode(&r, &says), len < hex.len ? -EBADMSG : 0);
        free(cut);
    }
    ck_assert_uint_eq(says.mode, rows[_i].says.mode);
    ck_assert_uint_eq(says.entity_type, rows[_i].says.entity_type);
    ck_assert_str_eq(says.id, rows[_i].says.id);
    ck_assert_uint_eq(says.global_id, rows[_i].says.global_id);
}
END_TEST

START_TEST(tags_have_names)
{
    ck_assert_str_eq(frame_tag_name(1), "HELLO");
    ck_assert_str_eq(frame_tag_name(17), "MESSAGE");
    ck_assert_str_eq(frame_tag_name(22), "COMPRESSION_DONE");
    ck_assert_ptr_null(frame_tag_name(0));
    ck_assert_ptr_null(frame_tag_name(23));
}
END_TEST

/* The test once for each row of the table. */
#define add_rows(tc, test, table) tcase_add_loop_test(tc, test, 0, (int)ARRAY_SIZE(table))

int main(void)
{
    Suite *suite = suite_create("frames");
    TCase *tc = tcase_create("frames");

    suite_add_tcase(suite, tc);
    add_rows(tc, encodes_what_ceph_encodes, worked);
    add_rows(tc, decodes_what_ceph_encodes, worked);
    add_rows(tc, truncated_payloads_are_bad, worked);
    add_rows(tc, truncated_frames_ask_for_more, worked);
    add_rows(tc, trailing_bytes_are_accepted, worked);
    add_rows(tc, encoders_stay_inside, worked);
    add_rows(tc, flipped_bits_are_noticed, worked);
    tcase_add_test(tc, crc_has_ceph_convention);
    tcase_add_test(tc, crc_is_the_polynomial_and_chains);
    add_rows(tc, messages_decode, worked_messages);
    add_rows(tc, messages_encode, worked_messages);
    tcase_add_test(tc, message_header_has_its_offsets);
    add_rows(tc, preambles_are_judged, preambles);
    tcase_add_loop_test(tc, late_status_is_complete_or_aborted, 0, 256);
    tcase_add_loop_test(tc, epilogue_names_the_bad_segment, 4, 10);
    tcase_add_test(tc, layout_of_frames);
    tcase_add_test(tc, banner_of_ceph);
    tcase_add_test(tc, banners_are_judged_early);
    add_rows(tc, banners_are_judged, prefixes);
    add_rows(tc, bounds_are_kept, bounds);
    tcase_add_loop_test(tc, auth_none_request_of_ceph, 0, 2);
    tcase_add_test(tc, tags_have_names);
    return testlib_run(suite);
}
