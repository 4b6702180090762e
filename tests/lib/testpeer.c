/* SPDX-License-Identifier: Apache-2.0 */
/* testpeer.c: frames of a peer that is a plain socket. */
#include "tests/lib/testpeer.h"

#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/message.h"
#include "engine/policy.h"
#include "tests/lib/testlib.h"

/* A writer over a buffer every control payload fits into. */
#define PAYLOAD(w)                                                                         \
    uint8_t w##_bytes[1024];                                                               \
    struct wire_writer w = wire_writer(w##_bytes, sizeof(w##_bytes))

void peer_init(struct peer *p, const struct entity_addr *server, void *bytes, size_t cap)
{
    *p = (struct peer){.rev1 = true, .server = *server, .w = wire_writer(bytes, cap)};
}

size_t peer_take(struct peer *p)
{
    size_t len = wire_written(&p->w);

    ck_assert(!p->w.failed);
    p->w.at = p->w.start;
    return len;
}

void peer_put_frame(struct peer *p, enum frame_tag tag, const struct wire_writer *payload)
{
    size_t len = frame_control_encode(tag, p->rev1, payload->start, wire_written(payload),
                                      p->w.at, (size_t)(p->w.end - p->w.at));

    ck_assert(!payload->failed);
    ck_assert_uint_gt(len, 0);
    p->w.at += len;
}

void peer_put_banner(struct peer *p, uint64_t supported, uint64_t required)
{
    const struct banner banner = {.supported = supported, .required = required};
    uint8_t bytes[BANNER_BYTES];

    banner_encode(bytes, &banner);
    wire_put_bytes(&p->w, bytes, sizeof(bytes));
}

void peer_put_hello(struct peer *p, uint8_t entity_type)
{
    const struct frame_hello f = {.entity_type = entity_type, .peer_addr = p->server};
    PAYLOAD(w);

    frame_hello_encode(&w, &f);
    peer_put_frame(p, TAG_HELLO, &w);
}

void peer_put_auth_request(struct peer *p, uint32_t method)
{
    const struct auth_none_request none = {.mode = 1, .entity_type = ENTITY_OSD, .id = "9"};
    struct frame_auth_request f = {.method = method, .modes_n = 1, .modes = {1}};
    PAYLOAD(inner);
    PAYLOAD(w);

    auth_none_request_encode(&inner, &none);
    f.payload = inner.start;
    f.payload_len = wire_written(&inner);
    frame_auth_request_encode(&w, &f);
    peer_put_frame(p, TAG_AUTH_REQUEST, &w);
}

void peer_put_auth_done(struct peer *p, uint32_t mode)
{
    const struct frame_auth_done f = {.global_id = 0, .mode = mode};
    PAYLOAD(w);

    frame_auth_done_encode(&w, &f);
    peer_put_frame(p, TAG_AUTH_DONE, &w);
}

void peer_put_signature(struct peer *p, uint8_t byte)
{
    const struct frame_auth_signature f = {{byte}};
    PAYLOAD(w);

    frame_auth_signature_encode(&w, &f);
    peer_put_frame(p, TAG_AUTH_SIGNATURE, &w);
}

void peer_put_client_ident(struct peer *p, uint64_t features)
{
    struct frame_client_ident f = {.target = p->server,
                                   .gid = 9,
                                   .global_seq = 1,
                                   .supported = features,
                                   .required = FEATURES_REQUIRED,
                                   .flags = IDENT_FLAG_LOSSY};
    PAYLOAD(w);

    f.addrs.n = 1;
    f.addrs.v[0] = p->server;
    f.addrs.v[0].nonce = p->server.nonce + 99; /* somebody else */
    frame_client_ident_encode(&w, &f);
    peer_put_frame(p, TAG_CLIENT_IDENT, &w);
}

void peer_put_server_ident(struct peer *p, const struct entity_addr *addr,
                           uint64_t features)
{
    struct frame_server_ident f = {.gid = 9,
                                   .global_seq = 1,
                                   .supported = features,
                                   .required = FEATURES_REQUIRED,
                                   .flags = IDENT_FLAG_LOSSY};
    PAYLOAD(w);

    f.addrs.n = 1;
    f.addrs.v[0] = *addr;
    frame_server_ident_encode(&w, &f);
    peer_put_frame(p, TAG_SERVER_IDENT, &w);
}

void peer_put_u64(struct peer *p, enum frame_tag tag, uint64_t value)
{
    PAYLOAD(w);

    wire_put_u64(&w, value);
    peer_put_frame(p, tag, &w);
}

void peer_put_keepalive(struct peer *p)
{
    const struct frame_keepalive f = {.sec = 1, .nsec = 2};
    PAYLOAD(w);

    frame_keepalive_encode(&w, &f);
    peer_put_frame(p, TAG_KEEPALIVE2, &w);
}

void peer_put_preamble(struct peer *p, uint8_t tag, uint8_t segments, const uint32_t len[4])
{
    struct preamble preamble = {.tag = tag, .segments = segments, .align = {8, 8, 8, 8}};
    uint8_t bytes[PREAMBLE_BYTES];

    memcpy(preamble.len, len, sizeof(preamble.len));
    preamble_encode(bytes, &preamble);
    wire_put_bytes(&p->w, bytes, sizeof(bytes));
}

void peer_dial_until(struct peer *p, enum peer_phase phase)
{
    if (phase > AT_BANNER) {
        peer_put_banner(p, p->rev1 ? MSGR2_FEATURE_REVISION_1 : 0, 0);
    }
    if (phase > AT_HELLO) {
        peer_put_hello(p, ENTITY_OSD);
    }
    if (phase > AT_AUTH) {
        peer_put_auth_request(p, 1);
    }
    if (phase > AT_SIGNATURE) {
        peer_put_signature(p, 0);
    }
    if (phase > AT_IDENT) {
        peer_put_client_ident(p, FEATURES_SUPPORTED);
    }
}

void peer_accept_until(struct peer *p, enum peer_phase phase)
{
    if (phase > AT_BANNER) {
        peer_put_banner(p, p->rev1 ? MSGR2_FEATURE_REVISION_1 : 0, 0);
    }
    if (phase > AT_HELLO) {
        peer_put_hello(p, ENTITY_OSD);
    }
    if (phase > AT_AUTH) {
        peer_put_auth_done(p, 1);
    }
    if (phase > AT_SIGNATURE) {
        peer_put_signature(p, 0);
    }
    if (phase > AT_IDENT) {
        peer_put_server_ident(p, &p->server, FEATURES_SUPPORTED);
    }
}

/* ---- messages ---- */

/* Room for a segment, filled with the pattern; its crc. */
static uint32_t put_pattern(struct peer *p, size_t len, uint64_t seed)
{
    uint8_t *at = p->w.at;

    ck_assert_uint_le(len, (size_t)(p->w.end - at));
    for (size_t i = 0; i < len; i++) {
        at[i] = testlib_pattern(seed, i);
    }
    p->w.at += len;
    return crc32c(CRC32C_SEED_SEGMENT, at, len);
}

void peer_put_message(struct peer *p, uint64_t seq, size_t front, size_t data,
                      enum peer_spoil spoil)
{
    const struct frame_message_header header = {.seq = seq,
                                                .tid = seq,
                                                .type = MSG_PING,
                                                .priority = PRIO_DEFAULT,
                                                .version = 1,
                                                .compat_version = 1,
                                                .flags = 3};
    struct preamble preamble = {
        .tag = TAG_MESSAGE,
        .segments = data > 0    ? 4
                    : front > 0 ? 2
                                : 1,
        .len = {MESSAGE_HEADER_BYTES, (uint32_t)front, 0, (uint32_t)data},
        .align = {8, 8, 8, FRAME_ALIGN_PAGE}};
    uint32_t crcs[FRAME_SEGMENTS_MAX];
    uint8_t tail[EPILOGUE_REV0_BYTES];
    size_t tail_len = frame_epilogue_bytes(&preamble, p->rev1);
    uint8_t *at;

    peer_put_preamble(p, TAG_MESSAGE, preamble.segments, preamble.len);
    at = p->w.at;
    frame_message_header_encode(&p->w, &header);
    crcs[0] = crc32c(CRC32C_SEED_SEGMENT, at, MESSAGE_HEADER_BYTES);
    crcs[0] ^= spoil == SPOIL_HEADER;
    if (p->rev1) {
        wire_put_u32(&p->w, crcs[0]);
    }
    crcs[1] = put_pattern(p, front, seq) ^ (spoil == SPOIL_FRONT);
    crcs[2] = CRC32C_SEED_SEGMENT;
    crcs[3] = put_pattern(p, data, seq) ^ (spoil == SPOIL_DATA);
    epilogue_encode(tail, &preamble, p->rev1, spoil == ABORT, crcs);
    if (spoil == SPOIL_STATUS) {
        tail[0] = 7;
    }
    wire_put_bytes(&p->w, tail, tail_len);
}
