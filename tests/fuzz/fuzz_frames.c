/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_frames.c: banner, frames, payloads and address texts from bytes nobody vouches for.
 *
 * The first byte of an input selects what the rest is:
 *
 *     B  a banner, what follows its payload is ignored
 *     1  a stream of 2.1 frames        0  a stream of 2.0 frames
 *     a  the same as 1, and            b  the same as 0, but with every crc repaired
 *        first, so that mutations get past it; an enemy can compute a crc too
 *     P  a tag and one payload         T  the text of an address or of a list of them
 *
 * Besides what the sanitizers see, it holds that whatever decodes also encodes, and that
 * the encoded form decodes to the same again. Memory: a few copies of the input at most.
 */
#include "engine/proto/frames.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/util.h"
#include "tests/lib/frame_codecs.h"
#include "tests/lib/hex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_BYTES_MAX (1u << 20)

/* ---- payloads ---- */

/* A payload encodes to at most what it was decoded from, plus what a blank or short
 * sockaddr (28 bytes) and a missing vector marker (5) grow by. */
static size_t encoded_bytes_max(size_t len)
{
    return len + 5 + (ADDRVEC_MAX + 1) * 28;
}

static void fuzz_payload(unsigned tag, const uint8_t *bytes, size_t len)
{
    size_t cap = encoded_bytes_max(len);
    uint8_t *in = exact_copy(bytes, len), *first = malloc(cap), *second = malloc(cap);
    struct wire_reader r = wire_reader(in, len);
    struct wire_writer w = wire_writer(first, cap), again = wire_writer(second, cap);
    union frame_payload says;
    int rc = frame_payload_decode(tag, &r, &says);

    CHECK(rc == 0 || rc == -EBADMSG || rc == -ENOENT);
    if (rc == 0) {
        frame_payload_encode(tag, &w, &says);
        CHECK(!w.failed);
        free(in); /* `says` may point into it, and may not be used from here on */
        in = exact_copy(first, wire_written(&w));
        r = wire_reader(in, wire_written(&w));
        CHECK(frame_payload_decode(tag, &r, &says) == 0);
        CHECK(wire_left(&r) == 0);
        frame_payload_encode(tag, &again, &says);
        CHECK(!again.failed && wire_written(&again) == wire_written(&w));
        CHECK(memcmp(first, second, wire_written(&w)) == 0);
    }
    free(in);
    free(first);
    free(second);
}

/* ---- frames ---- */

/* Puts the right crcs into the frame at the start of what is left. */
static void repair_crcs(uint8_t *at, size_t left, bool rev1)
{
    uint32_t crcs[FRAME_SEGMENTS_MAX] = {0};
    struct preamble preamble;
    const char *why;
    uint8_t *epilogue, status;

    if (left < PREAMBLE_BYTES)
        return;
    wire_store_u32(at + PREAMBLE_BYTES - 4,
                   crc32c(CRC32C_SEED_PREAMBLE, at, PREAMBLE_BYTES - 4));
    if (preamble_decode(at, &preamble, &why) < 0 ||
        frame_wire_bytes(&preamble, rev1) > left)
        return;
    at += PREAMBLE_BYTES;
    for (unsigned i = 0; i < preamble.segments; i++) {
        crcs[i] = crc32c(CRC32C_SEED_SEGMENT, at, preamble.len[i]);
        at += preamble.len[i];
        if (i == 0 && frame_segment0_crc_bytes(&preamble, rev1) > 0) {
            wire_store_u32(at, crcs[0]);
            at += 4;
        }
    }
    epilogue = at;
    if (frame_epilogue_bytes(&preamble, rev1) > 0) {
        status = epilogue[0];
        epilogue_encode(epilogue, &preamble, rev1, false, crcs);
        epilogue[0] = status;
    }
}

/* What a receiver refuses before it takes memory. */
static bool is_within_limits(const struct preamble *preamble)
{
    uint64_t total = frame_wire_bytes(preamble, true);

    if (preamble->tag == TAG_MESSAGE)
        return preamble->len[0] == MESSAGE_HEADER_BYTES && total <= MESSAGE_BYTES_MAX;
    return frame_tag_name(preamble->tag) && preamble->segments == 1 &&
           preamble->len[0] <= FRAME_CONTROL_MAX;
}

/* A frame of one segment is what frame_control_encode makes of it, up to its alignment. */
static void fuzz_control_encode(const struct frame_view *view, bool rev1)
{
    size_t len = view->preamble.len[0],
           total = (size_t)frame_wire_bytes(&view->preamble, rev1);
    uint8_t *out = malloc(total);
    struct wire_reader r = wire_reader(out, total);
    struct frame_view again;
    const char *why;

    CHECK(frame_control_encode(view->preamble.tag, rev1, view->segment[0], len, out,
                               total - 1) == 0);
    CHECK(frame_control_encode(view->preamble.tag, rev1, view->segment[0], len, out,
                               total) == total);
    CHECK(frame_walk(&r, rev1, &again, &why) == 1 && wire_left(&r) == 0);
    CHECK(again.preamble.tag == view->preamble.tag && again.preamble.len[0] == len);
    CHECK(len == 0 || memcmp(again.segment[0], view->segment[0], len) == 0);
    free(out);
}

/* A frame that passed: its preamble and epilogue come out of the encoders as they are meant
 * to be, and its payload goes through the decoders. */
static void fuzz_frame(const struct frame_view *view, bool rev1)
{
    const struct preamble *preamble = &view->preamble;
    uint32_t crcs[FRAME_SEGMENTS_MAX] = {0};
    uint8_t bytes[PREAMBLE_BYTES], epilogue[EPILOGUE_REV0_BYTES];
    struct preamble again;
    const char *why;
    bool aborted;

    preamble_encode(bytes, preamble);
    CHECK(preamble_decode(bytes, &again, &why) == 0);
    CHECK(again.tag == preamble->tag && again.segments == preamble->segments);
    CHECK(memcmp(again.len, preamble->len, sizeof(again.len)) == 0);
    CHECK(memcmp(again.align, preamble->align, sizeof(again.align)) == 0);
    for (unsigned i = 0; i < preamble->segments; i++)
        crcs[i] = crc32c(CRC32C_SEED_SEGMENT, view->segment[i], preamble->len[i]);
    epilogue_encode(epilogue, preamble, rev1, view->aborted, crcs);
    CHECK(epilogue_decode(epilogue, preamble, rev1, crcs, &aborted, &why) == 0);
    CHECK(aborted == view->aborted);
    if (!is_within_limits(preamble))
        return;
    if (preamble->segments == 1)
        fuzz_control_encode(view, rev1);
    fuzz_payload(preamble->tag, view->segment[0], preamble->len[0]);
    if (preamble->tag == TAG_AUTH_REQUEST) {
        struct wire_reader r = wire_reader(view->segment[0], preamble->len[0]);
        struct frame_auth_request request;

        if (frame_auth_request_decode(&r, &request) == 0)
            fuzz_payload(TAG_AUTH_NONE_REQUEST, request.payload, request.payload_len);
    }
}

static void fuzz_stream(const uint8_t *data, size_t size, bool rev1, bool repair)
{
    uint8_t *copy = exact_copy(data, size);
    struct wire_reader r = wire_reader(copy, size);
    struct frame_view view;
    const char *why = NULL;
    int rc;

    do {
        size_t before = wire_left(&r);

        if (repair)
            repair_crcs(copy + (size - before), before, rev1);
        rc = frame_walk(&r, rev1, &view, &why);
        CHECK(rc >= 0 || (rc == -EBADMSG && why != NULL));
        if (rc == 1) {
            CHECK(before - wire_left(&r) == frame_wire_bytes(&view.preamble, rev1));
            fuzz_frame(&view, rev1);
        }
    } while (rc == 1);
    free(copy);
}

/* ---- banner ---- */

static void fuzz_banner(const uint8_t *data, size_t size)
{
    struct banner banner, again;
    uint8_t bytes[BANNER_BYTES];
    const char *why = NULL;
    uint8_t *copy;
    int len, rc;

    if (size < BANNER_PREFIX_BYTES)
        return;
    copy = exact_copy(data, BANNER_PREFIX_BYTES);
    len = banner_decode_prefix(copy, &why);
    free(copy);
    CHECK(len >= 16 || (len < 0 && why != NULL));
    if (len < 0)
        return;
    size = MIN(size - BANNER_PREFIX_BYTES, (size_t)len);
    copy = exact_copy(data + BANNER_PREFIX_BYTES, size);
    rc = banner_decode_payload(copy, size, &banner);
    free(copy);
    CHECK(rc == (size < 16 ? -EBADMSG : 0));
    if (rc < 0)
        return;
    banner_encode(bytes, &banner);
    CHECK(banner_decode_prefix(bytes, &why) == 16);
    CHECK(banner_decode_payload(bytes + BANNER_PREFIX_BYTES, 16, &again) == 0);
    CHECK(again.supported == banner.supported && again.required == banner.required);
}

/* ---- texts ---- */

static void fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char one[ENTITY_ADDR_TEXT], list[ENTITY_ADDRVEC_TEXT];
    struct entity_addr addr, addr_again;
    struct entity_addrvec vec, vec_again;
    const char *why = NULL;
    int rc;

    CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    rc = entity_addr_parse(text, ADDR_MSGR2, 3300, &addr, &why);
    CHECK(rc == 0 || (rc == -EINVAL && why != NULL));
    if (rc == 0) {
        CHECK(entity_addr_parse(entity_addr_text(&addr, one), ADDR_ANY, 1, &addr_again,
                                &why) == 0);
        CHECK(entity_addr_equal(&addr, &addr_again));
    }
    rc = entity_addrvec_parse(text, ADDR_MSGR2, 3300, &vec, &why);
    CHECK(rc == 0 || (rc == -EINVAL && why != NULL));
    if (rc == 0) {
        CHECK(entity_addrvec_parse(entity_addrvec_text(&vec, list), ADDR_ANY, 1, &vec_again,
                                   &why) == 0);
        CHECK(entity_addrvec_equal(&vec, &vec_again));
        CHECK(entity_addrvec_hash(&vec) == entity_addrvec_hash(&vec_again));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_BYTES_MAX)
        return 0;
    switch (data[0]) {
    case 'B':
        fuzz_banner(data + 1, size - 1);
        break;
    case '1':
    case '0':
        fuzz_stream(data + 1, size - 1, data[0] == '1', false);
        break;
    case 'a':
    case 'b':
        fuzz_stream(data + 1, size - 1, data[0] == 'a', true);
        break;
    case 'P':
        fuzz_payload(data[1], data + 2, size - 2);
        break;
    case 'T':
        fuzz_text(data + 1, size - 1);
        break;
    }
    return 0;
}
