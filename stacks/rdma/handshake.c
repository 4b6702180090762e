/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.c: the side channel's record, to text and back. */
#include "stacks/rdma/handshake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"

void handshake_encode(const struct handshake_record *r, uint8_t ret[HANDSHAKE_BYTES])
{
    char text[HANDSHAKE_BYTES + 1];
    int len = snprintf(text, sizeof(text), "%04x:%08x:%08x:%08x:", r->lid, (unsigned)r->qpn,
                       (unsigned)r->psn, (unsigned)r->peer_qpn);

    for (int i = 0; i < 16; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%02x", r->gid[i]);
    }
    CHECK(len == HANDSHAKE_BYTES - 1);
    memcpy(ret, text, HANDSHAKE_BYTES);
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A field and its ':'. */
static int take_field(const uint8_t **at, const uint8_t *end, uint64_t most, uint64_t *ret)
{
    uint64_t value = 0;
    int digits = 0;

    for (; *at < end && digit_of(**at) >= 0; (*at)++, digits++) {
        value = value << 4 | (uint64_t)digit_of(**at);
        if (value > most) {
            return -EPROTO;
        }
    }
    if (digits == 0 || *at == end || **at != ':') {
        return -EPROTO;
    }
    (*at)++;
    *ret = value;
    return 0;
}

static int take_gid(const uint8_t **at, const uint8_t *end, uint8_t gid[16])
{
    if (end - *at < 32) {
        return -EPROTO;
    }
    for (int i = 0; i < 16; i++) {
        int high = digit_of((*at)[2 * i]), low = digit_of((*at)[2 * i + 1]);

        if (high < 0 || low < 0) {
            return -EPROTO;
        }
        gid[i] = (uint8_t)(high << 4 | low);
    }
    *at += 32;
    return 0;
}

int handshake_decode(const uint8_t bytes[HANDSHAKE_BYTES], struct handshake_record *ret)
{
    const uint8_t *at = bytes, *end = bytes + HANDSHAKE_BYTES;
    struct handshake_record r;
    uint64_t lid, qpn, psn, peer;

    if (take_field(&at, end, 0xffff, &lid) < 0 ||
        take_field(&at, end, 0xffffff, &qpn) < 0 ||
        take_field(&at, end, 0xffffff, &psn) < 0 ||
        take_field(&at, end, 0xffffff, &peer) < 0 || take_gid(&at, end, r.gid) < 0) {
        return -EPROTO;
    }
    for (; at < end; at++) {
        if (*at != 0) {
            return -EPROTO;
        }
    }
    if (qpn == 0) { /* it could not be told from "opening" when it comes back */
        return -EPROTO;
    }
    r.lid = (uint16_t)lid;
    r.qpn = (uint32_t)qpn;
    r.psn = (uint32_t)psn;
    r.peer_qpn = (uint32_t)peer;
    *ret = r;
    return 0;
}

int handshake_take(struct handshake_reader *r, size_t n, struct handshake_record *ret)
{
    int err;

    CHECK(n <= HANDSHAKE_BYTES - r->len);
    r->len += n;
    if (r->len < HANDSHAKE_BYTES) {
        return 0;
    }
    r->len = 0;
    err = handshake_decode(r->bytes, ret);
    return err < 0 ? err : 1;
}
