/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_codecs.h: what the unit tests and the fuzz target of engine/proto/frames.h share:
 * every payload behind one decode/encode pair that goes by tag, and a receiver that takes
 * one frame off a byte string. All static, so that a test needs nothing else; any thread.
 */
#ifndef MSGRLAB_TESTS_LIB_FRAME_CODECS_H
#define MSGRLAB_TESTS_LIB_FRAME_CODECS_H

#include <errno.h>

#include "engine/base/crc32c.h"
#include "engine/proto/frames.h"
#include "engine/util.h"

/* No tag of msgr2, but a payload like the others: what AUTH_REQUEST carries for AUTH_NONE.
 */
#define TAG_AUTH_NONE_REQUEST 0x80u
#define frame_auth_none_request auth_none_request
#define frame_auth_none_request_encode auth_none_request_encode
#define frame_auth_none_request_decode auth_none_request_decode

// clang-format off
/* X(TAG, kind of payload): WAIT has none. */
#define FRAME_CODECS(X)                                                                  \
    X(HELLO, hello) X(AUTH_REQUEST, auth_request) X(AUTH_BAD_METHOD, auth_bad_method)    \
    X(AUTH_REPLY_MORE, auth_more) X(AUTH_REQUEST_MORE, auth_more)                        \
    X(AUTH_DONE, auth_done) X(AUTH_SIGNATURE, auth_signature)                            \
    X(CLIENT_IDENT, client_ident) X(SERVER_IDENT, server_ident)                          \
    X(IDENT_MISSING_FEATURES, u64) X(SESSION_RECONNECT, session_reconnect)               \
    X(SESSION_RESET, session_reset) X(SESSION_RETRY, u64) X(SESSION_RETRY_GLOBAL, u64)   \
    X(SESSION_RECONNECT_OK, u64) X(MESSAGE, message_header) X(KEEPALIVE2, keepalive)     \
    X(KEEPALIVE2_ACK, keepalive) X(ACK, u64)                                             \
    X(COMPRESSION_REQUEST, compression_request) X(COMPRESSION_DONE, compression_done)    \
    X(AUTH_NONE_REQUEST, auth_none_request)
// clang-format on

union frame_payload {
#define X(id, kind) struct frame_##kind id##_;
    FRAME_CODECS(X)
#undef X
};

/* 0, -EBADMSG, or -ENOENT for a tag that does not exist. */
static inline int frame_payload_decode(unsigned tag, struct wire_reader *r,
                                       union frame_payload *ret)
{
    switch (tag) {
#define X(id, kind)                                                                        \
    case TAG_##id:                                                                         \
        return frame_##kind##_decode(r, &ret->id##_);
        FRAME_CODECS(X)
#undef X
    case TAG_WAIT:
        return 0;
    default:
        return -ENOENT;
    }
}

static inline void frame_payload_encode(unsigned tag, struct wire_writer *w,
                                        const union frame_payload *f)
{
    switch (tag) {
#define X(id, kind)                                                                        \
    case TAG_##id:                                                                         \
        frame_##kind##_encode(w, &f->id##_);                                               \
        return;
        FRAME_CODECS(X)
#undef X
    default:
        CHECK(tag == TAG_WAIT);
    }
}

struct frame_view {
    struct preamble preamble;
    const uint8_t *segment[FRAME_SEGMENTS_MAX]; /* borrowed from the input */
    bool aborted;
};

/* Segments and their crcs. 0, also when the reader ran dry (it says so); -EBADMSG. */
static inline int walk_segments(struct wire_reader *r, bool rev1, struct frame_view *view,
                                uint32_t crcs[FRAME_SEGMENTS_MAX], const char **ret_why)
{
    const struct preamble *preamble = &view->preamble;

    for (unsigned i = 0; i < preamble->segments; i++) {
        view->segment[i] = wire_get_bytes(r, preamble->len[i]);
        if (r->failed)
            return 0;
        crcs[i] = crc32c(CRC32C_SEED_SEGMENT, view->segment[i], preamble->len[i]);
        if (i == 0 && frame_segment0_crc_bytes(preamble, rev1) > 0) {
            uint32_t crc = wire_get_u32(r);

            if (!r->failed && crc != crcs[0]) {
                *ret_why = "segment 0 crc mismatch";
                return -EBADMSG;
            }
        }
    }
    return 0;
}

/* Takes the frame at the start of `r`, as a connection would. 1 a frame, 0 more bytes are
 * needed (the reader has failed then), -EBADMSG with *ret_why. */
static inline int frame_walk(struct wire_reader *r, bool rev1, struct frame_view *ret,
                             const char **ret_why)
{
    const uint8_t *bytes = wire_get_bytes(r, PREAMBLE_BYTES);
    uint32_t crcs[FRAME_SEGMENTS_MAX] = {0};
    struct frame_view view = {0};
    int rc;

    if (!bytes)
        return 0;
    rc = preamble_decode(bytes, &view.preamble, ret_why);
    if (rc < 0)
        return rc;
    rc = walk_segments(r, rev1, &view, crcs, ret_why);
    if (rc < 0)
        return rc;
    bytes = wire_get_bytes(r, frame_epilogue_bytes(&view.preamble, rev1));
    if (r->failed)
        return 0;
    rc = epilogue_decode(bytes, &view.preamble, rev1, crcs, &view.aborted, ret_why);
    if (rc < 0)
        return rc;
    *ret = view;
    return 1;
}

#endif
