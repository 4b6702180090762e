/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake.h: the record of the side channel, 65 bytes of text, by which two queue pairs
 * learn of each other (Ceph: IBSYNMsg; "LLLL:QQQQQQQQ:PPPPPPPP:RRRRRRRR:" + 32 digits of
 * GID + NUL).
 *
 *   dialler    #1  lid:qpn:psn:0:gid        -->  acceptor
 *              #2  lid:qpn:psn:peer:gid     <--
 *              #3  lid:qpn:psn:peer:gid     -->  and the connection stands
 *
 * Pure: bytes in, bytes out. A record may come in pieces and several may come at once: the
 * reader takes bytes one record at a time. (Ceph wants each in one read.)
 */
#ifndef MSGRLAB_STACKS_RDMA_HANDSHAKE_H
#define MSGRLAB_STACKS_RDMA_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#define HANDSHAKE_BYTES 65

struct handshake_record {
    uint16_t lid;
    uint32_t qpn, psn; /* of the sender; 24 bits */
    uint32_t peer_qpn; /* 0: opening */
    uint8_t gid[16];   /* network order */
};

/* Bytes of one record, as they come. Zero it. */
struct handshake_reader {
    uint8_t bytes[HANDSHAKE_BYTES];
    size_t len;
};

void handshake_encode(const struct handshake_record *r, uint8_t ret[HANDSHAKE_BYTES]);
/* As strict as can be without refusing Ceph's: hex digits of any case and width, all five
 * fields, nothing behind but NULs. 0 or -EPROTO. */
int handshake_decode(const uint8_t bytes[HANDSHAKE_BYTES], struct handshake_record *ret);
/* Where the next read goes, and how much is still missing. */
static inline uint8_t *handshake_room(struct handshake_reader *r, size_t *ret_len)
{
    *ret_len = HANDSHAKE_BYTES - r->len;
    return r->bytes + r->len;
}
/* n more bytes are there. 1: *ret is a record, and the reader is empty again; 0: more are
 * missing; -EPROTO. */
int handshake_take(struct handshake_reader *r, size_t n, struct handshake_record *ret);

#endif
