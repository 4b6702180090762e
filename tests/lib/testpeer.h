/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testpeer.h: what a peer says, as bytes: every frame of a handshake in either role, and
 * messages, right or spoilt, for tests that speak to a messenger over a plain socket. In
 * this handshake nobody has to be waited for, so a whole conversation can be written in
 * advance.
 */
#ifndef MSGRLAB_TESTS_LIB_TESTPEER_H
#define MSGRLAB_TESTS_LIB_TESTPEER_H

#include "engine/proto/frames.h"

/* How far a conversation goes: all that a good peer says before it is at this point. */
enum peer_phase { AT_BANNER, AT_HELLO, AT_AUTH, AT_SIGNATURE, AT_IDENT, AT_READY };

struct peer {
    bool rev1;                 /* 2.1 framing */
    struct entity_addr server; /* the address that is dialled */
    struct wire_writer w;      /* where the bytes go; fails the test when it is full */
};

/* Writes into `bytes`, which is kept. */
void peer_init(struct peer *p, const struct entity_addr *server, void *bytes, size_t cap);
/* What was written since the last call: forgets it. */
size_t peer_take(struct peer *p);

/* The conversation of a good dialler, or of a good acceptor, up to `phase`. */
void peer_dial_until(struct peer *p, enum peer_phase phase);
void peer_accept_until(struct peer *p, enum peer_phase phase);

/* One control frame around what was written to `payload`. */
void peer_put_frame(struct peer *p, enum frame_tag tag, const struct wire_writer *payload);
void peer_put_banner(struct peer *p, uint64_t supported, uint64_t required);
void peer_put_hello(struct peer *p, uint8_t entity_type);
void peer_put_auth_request(struct peer *p, uint32_t method);
void peer_put_auth_done(struct peer *p, uint32_t mode);
void peer_put_signature(struct peer *p, uint8_t byte);
void peer_put_client_ident(struct peer *p, uint64_t features);
void peer_put_server_ident(struct peer *p, const struct entity_addr *addr,
                           uint64_t features);
void peer_put_u64(struct peer *p, enum frame_tag tag, uint64_t value);
void peer_put_keepalive(struct peer *p);
void peer_put_preamble(struct peer *p, uint8_t tag, uint8_t segments,
                       const uint32_t len[4]);

enum peer_spoil {
    SPOIL_NOTHING,
    SPOIL_HEADER,
    SPOIL_FRONT,
    SPOIL_DATA,
    SPOIL_STATUS,
    ABORT
};
/* A PING with that sequence number, tid == seq, front and data of the test pattern (seed
 * seq). */
void peer_put_message(struct peer *p, uint64_t seq, size_t front, size_t data,
                      enum peer_spoil spoil);

#endif
