/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.h: msgr2 on the wire: banner, preamble, frame layout 2.0 and 2.1 (crc mode), and
 * one encode/decode pair per frame (doc/dev/msgr2.rst; verified against Ceph 16.2).
 *
 * Pure functions: bytes in, structs out, and back. No fd, no clock, no allocation; any
 * thread. Decoders never read past what they are given, accept trailing bytes they do not
 * know (as Ceph does), and return 0 or -EBADMSG. Pointers in decoded structs (payloads)
 * point into the input. Encoders fail (writer->failed) only when the writer is too small.
 */
#ifndef MSGRLAB_ENGINE_PROTO_FRAMES_H
#define MSGRLAB_ENGINE_PROTO_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/entity_addr.h"
#include "engine/limits.h"
#include "engine/message_header.h"
#include "engine/proto/wire.h"

// clang-format off
/* X(ID, number): every tag of msgr2. */
#define FRAME_TAGS(X)                                                                    \
    X(HELLO, 1) X(AUTH_REQUEST, 2) X(AUTH_BAD_METHOD, 3) X(AUTH_REPLY_MORE, 4)           \
    X(AUTH_REQUEST_MORE, 5) X(AUTH_DONE, 6) X(AUTH_SIGNATURE, 7) X(CLIENT_IDENT, 8)      \
    X(SERVER_IDENT, 9) X(IDENT_MISSING_FEATURES, 10) X(SESSION_RECONNECT, 11)            \
    X(SESSION_RESET, 12) X(SESSION_RETRY, 13) X(SESSION_RETRY_GLOBAL, 14)                \
    X(SESSION_RECONNECT_OK, 15) X(WAIT, 16) X(MESSAGE, 17) X(KEEPALIVE2, 18)             \
    X(KEEPALIVE2_ACK, 19) X(ACK, 20) X(COMPRESSION_REQUEST, 21) X(COMPRESSION_DONE, 22)
// clang-format on

enum frame_tag {
#define X(id, n) TAG_##id = n,
    FRAME_TAGS(X)
#undef X
};

/* "HELLO", or "tag-N" shapes are not made here: NULL for an unknown tag. */
const char *frame_tag_name(unsigned tag);

/* ---- banner ---- */

#define BANNER_PREFIX_BYTES 10 /* "ceph v2\n" and the u16 payload length */
#define BANNER_BYTES 26
#define BANNER_PAYLOAD_MAX 4096 /* longer ones are refused */
#define MSGR2_FEATURE_REVISION_1 1ULL
#define MSGR2_FEATURE_COMPRESSION 2ULL

struct banner {
    uint64_t supported, required;
};

void banner_encode(uint8_t out[BANNER_BYTES], const struct banner *banner);
/* False as soon as one of the first n bytes of a stream is not a msgr2 banner's: strangers
 * may send fewer than ten before they wait. *ret_why then says who seems to speak. */
bool banner_is_possible(const uint8_t *in, size_t n, const char **ret_why);
/* Length of the payload that follows (16..BANNER_PAYLOAD_MAX), or -EPROTO if this is no
 * msgr2 banner, -EMSGSIZE for a bad length; *ret_why then says what came instead. */
int banner_decode_prefix(const uint8_t in[BANNER_PREFIX_BYTES], const char **ret_why);
int banner_decode_payload(const uint8_t *in, size_t len, struct banner *ret);

/* ---- frame layout ---- */

#define PREAMBLE_BYTES 32
#define FRAME_SEGMENTS_MAX 4
#define EPILOGUE_REV1_BYTES 13
#define EPILOGUE_REV0_BYTES 17
#define FRAME_ALIGN_DEFAULT 8
#define FRAME_ALIGN_PAGE 4096

struct preamble {
    uint8_t tag;
    uint8_t segments; /* 1..4 */
    uint32_t len[FRAME_SEGMENTS_MAX];
    uint16_t align[FRAME_SEGMENTS_MAX];
};

void preamble_encode(uint8_t out[PREAMBLE_BYTES], const struct preamble *preamble);
/* crc first, then structure: segment count 1..4, last segment of n > 1 not empty, flags
 * byte without the compression bit. Does not judge tag or lengths. 0 or -EBADMSG,
 * *ret_why. */
int preamble_decode(const uint8_t in[PREAMBLE_BYTES], struct preamble *ret,
                    const char **ret_why);
/* Bytes of the epilogue of such a frame (0 for a single 2.1 segment). */
size_t frame_epilogue_bytes(const struct preamble *preamble, bool rev1);
/* Bytes between segment 0 and segment 1: the 2.1 crc of a non-empty segment 0, else 0. */
size_t frame_segment0_crc_bytes(const struct preamble *preamble, bool rev1);
/* All bytes of the frame on the wire. */
uint64_t frame_wire_bytes(const struct preamble *preamble, bool rev1);
/* crcs[i] is crc32c(SEED_SEGMENT, segment i). */
void epilogue_encode(uint8_t *out, const struct preamble *preamble, bool rev1, bool aborted,
                     const uint32_t crcs[FRAME_SEGMENTS_MAX]);
/* 0 and *ret_aborted; -EBADMSG with *ret_why for a wrong crc or status. `in` holds
 * frame_epilogue_bytes(); crcs of what was received. For rev1, segment 0 is not in here. */
int epilogue_decode(const uint8_t *in, const struct preamble *preamble, bool rev1,
                    const uint32_t crcs[FRAME_SEGMENTS_MAX], bool *ret_aborted,
                    const char **ret_why);

/* A whole control frame: preamble, one segment, crc or epilogue. Returns its length; 0 if
 * cap is too small. cap >= FRAME_CONTROL_BYTES(len) always suffices. */
#define FRAME_CONTROL_BYTES(len) ((len) + PREAMBLE_BYTES + EPILOGUE_REV0_BYTES)
size_t frame_control_encode(enum frame_tag tag, bool rev1, const void *payload, size_t len,
                            uint8_t *out, size_t cap);

/* ---- payloads ---- */

struct frame_hello {
    uint8_t entity_type;
    struct entity_addr peer_addr; /* the address the sender sees or dialled */
};

struct frame_auth_request {
    uint32_t method;                        /* 1 = none, 2 = cephx */
    uint32_t modes_n, modes[FRAME_VEC_MAX]; /* connection modes, preferred first; 1 = crc */
    const uint8_t *payload;
    size_t payload_len;
};

struct frame_auth_bad_method {
    uint32_t method;
    int32_t result; /* negative errno */
    uint32_t methods_n, methods[FRAME_VEC_MAX];
    uint32_t modes_n, modes[FRAME_VEC_MAX];
};

struct frame_auth_more { /* AUTH_REPLY_MORE and AUTH_REQUEST_MORE */
    const uint8_t *payload;
    size_t payload_len;
};

struct frame_auth_done {
    uint64_t global_id;
    uint32_t mode;
    const uint8_t *payload;
    size_t payload_len;
};

#define AUTH_SIGNATURE_BYTES 32
struct frame_auth_signature {
    uint8_t bytes[AUTH_SIGNATURE_BYTES];
};

#define IDENT_FLAG_LOSSY 1ULL
struct frame_client_ident {
    struct entity_addrvec addrs;
    struct entity_addr target;
    int64_t gid;
    uint64_t global_seq, supported, required, flags, cookie;
};

struct frame_server_ident {
    struct entity_addrvec addrs;
    int64_t gid;
    uint64_t global_seq, supported, required, flags, cookie;
};

struct frame_session_reconnect {
    struct entity_addrvec addrs;
    uint64_t client_cookie, server_cookie, global_seq, connect_seq, in_seq;
};

struct frame_session_reset {
    bool full;
};

/* IDENT_MISSING_FEATURES (mask), SESSION_RETRY (connect_seq), SESSION_RETRY_GLOBAL
 * (global_seq), SESSION_RECONNECT_OK and ACK (seq): one u64 each. */
struct frame_u64 {
    uint64_t value;
};

struct frame_keepalive { /* KEEPALIVE2 and KEEPALIVE2_ACK */
    uint32_t sec, nsec;
};

struct frame_compression_request {
    bool want;
    uint32_t methods_n, methods[FRAME_VEC_MAX];
};

struct frame_compression_done {
    bool compress;
    uint32_t method;
};

void frame_hello_encode(struct wire_writer *w, const struct frame_hello *f);
int frame_hello_decode(struct wire_reader *r, struct frame_hello *ret);
void frame_auth_request_encode(struct wire_writer *w, const struct frame_auth_request *f);
int frame_auth_request_decode(struct wire_reader *r, struct frame_auth_request *ret);
void frame_auth_bad_method_encode(struct wire_writer *w,
                                  const struct frame_auth_bad_method *f);
int frame_auth_bad_method_decode(struct wire_reader *r, struct frame_auth_bad_method *ret);
void frame_auth_more_encode(struct wire_writer *w, const struct frame_auth_more *f);
int frame_auth_more_decode(struct wire_reader *r, struct frame_auth_more *ret);
void frame_auth_done_encode(struct wire_writer *w, const struct frame_auth_done *f);
int frame_auth_done_decode(struct wire_reader *r, struct frame_auth_done *ret);
void frame_auth_signature_encode(struct wire_writer *w,
                                 const struct frame_auth_signature *f);
int frame_auth_signature_decode(struct wire_reader *r, struct frame_auth_signature *ret);
void frame_client_ident_encode(struct wire_writer *w, const struct frame_client_ident *f);
int frame_client_ident_decode(struct wire_reader *r, struct frame_client_ident *ret);
void frame_server_ident_encode(struct wire_writer *w, const struct frame_server_ident *f);
int frame_server_ident_decode(struct wire_reader *r, struct frame_server_ident *ret);
void frame_session_reconnect_encode(struct wire_writer *w,
                                    const struct frame_session_reconnect *f);
int frame_session_reconnect_decode(struct wire_reader *r,
                                   struct frame_session_reconnect *ret);
void frame_session_reset_encode(struct wire_writer *w, const struct frame_session_reset *f);
int frame_session_reset_decode(struct wire_reader *r, struct frame_session_reset *ret);
void frame_u64_encode(struct wire_writer *w, const struct frame_u64 *f);
int frame_u64_decode(struct wire_reader *r, struct frame_u64 *ret);
void frame_keepalive_encode(struct wire_writer *w, const struct frame_keepalive *f);
int frame_keepalive_decode(struct wire_reader *r, struct frame_keepalive *ret);
void frame_compression_request_encode(struct wire_writer *w,
                                      const struct frame_compression_request *f);
int frame_compression_request_decode(struct wire_reader *r,
                                     struct frame_compression_request *ret);
void frame_compression_done_encode(struct wire_writer *w,
                                   const struct frame_compression_done *f);
int frame_compression_done_decode(struct wire_reader *r,
                                  struct frame_compression_done *ret);
void frame_message_header_encode(struct wire_writer *w,
                                 const struct frame_message_header *f);
int frame_message_header_decode(struct wire_reader *r, struct frame_message_header *ret);

/* The payload of AUTH_REQUEST for AUTH_NONE: u8 mode (10 to a monitor, 1 to others),
 * EntityName {u32 type, str id}, u64 global_id. */
struct auth_none_request {
    uint8_t mode;
    uint32_t entity_type;
    char id[64]; /* longer ones are a bad frame */
    uint64_t global_id;
};
void auth_none_request_encode(struct wire_writer *w, const struct auth_none_request *f);
int auth_none_request_decode(struct wire_reader *r, struct auth_none_request *ret);

#endif
