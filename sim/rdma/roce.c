/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roce.c: the packets of queue pairs as RoCE v2 (InfiniBand Architecture, Annex A17):
 * Ethernet, IP, UDP port 4791, BTH, AETH or immediate data, payload, ICRC. Only for who
 * looks on: between devices they travel as struct nic_packet.
 */
#include <isa-l/crc.h>
#include <string.h>

#include "engine/util.h"
#include "sim/rdma/nic.h"
#include "sim/net/tap.h"

#define ROCE_PORT 4791
#define UDP_HEADER 8
#define BTH 12
#define EXTENDED 4 /* AETH, or immediate data */
#define ICRC 4
#define PAYLOAD_MAX 4096

enum roce_opcode {
    RC_SEND_FIRST,
    RC_SEND_MIDDLE,
    RC_SEND_LAST,
    RC_SEND_LAST_IMM,
    RC_SEND_ONLY,
    RC_SEND_ONLY_IMM,
    RC_ACKNOWLEDGE = 17,
};

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put24(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 16);
    put16(at + 1, value);
}

static enum roce_opcode opcode_of(const struct nic_packet *p, bool first, bool last)
{
    bool has_imm = p->opcode == IBV_WR_SEND_WITH_IMM;

    if (p->kind != PACKET_SEND) {
        return RC_ACKNOWLEDGE;
    }
    if (first && last) {
        return has_imm ? RC_SEND_ONLY_IMM : RC_SEND_ONLY;
    }
    if (last) {
        return has_imm ? RC_SEND_LAST_IMM : RC_SEND_LAST;
    }
    return first ? RC_SEND_FIRST : RC_SEND_MIDDLE;
}

/* AETH: what the answer says, and how many messages came. */
static uint8_t syndrome_of(const struct nic_packet *p)
{
    switch (p->kind) {
    case PACKET_NAK_RNR:
        return (uint8_t)(0x20 | ((unsigned int)p->status & 31));
    case PACKET_NAK_SEQUENCE:
        return 0x60;
    case PACKET_NAK_ERROR:
        return p->status == IBV_WC_REM_INV_REQ_ERR  ? 0x61
               : p->status == IBV_WC_REM_ACCESS_ERR ? 0x62
                                                    : 0x63;
    default:
        return 0x1f; /* no credits: an SRQ may be behind it */
    }
}

static void address_of(const union ibv_gid *gid, struct sim_addr *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    *ret = (struct sim_addr){.family = AF_INET6};
    memcpy(ret->ip, gid->raw, 16);
    if (memcmp(gid->raw, mapped, sizeof(mapped)) == 0) {
        *ret = (struct sim_addr){.family = AF_INET};
        memcpy(ret->ip, gid->raw + 12, 4);
    }
}

/* Over what does not change on the way; the rest counts as ones. `ip` .. ICRC. */
static uint32_t icrc_of(const uint8_t *ip, size_t len, bool is_ipv4)
{
    uint8_t copy[8 + 40 + UDP_HEADER + BTH + EXTENDED + PAYLOAD_MAX + 4];
    size_t header = is_ipv4 ? 20 : 40;
    uint8_t *at = copy + 8;

    memset(copy, 0xff, 8);
    memcpy(at, ip, len);
    if (is_ipv4) {
        at[1] = at[8] = at[10] = at[11] = 0xff; /* TOS, TTL, checksum */
    } else {
        at[0] |= 0x0f; /* traffic class, flow label, hop limit */
        at[1] = at[2] = at[3] = at[7] = 0xff;
    }
    at[header + 6] = at[header + 7] = 0xff; /* UDP checksum */
    at[header + UDP_HEADER + 4] = 0xff;     /* BTH: reserved */
    return crc32_gzip_refl(0, copy, len + 8);
}

/* BTH and what follows it, but the ICRC. Returns the bytes. */
static size_t put_transport(const struct nic_qp *qp, const struct nic_packet *p, uint32_t i,
                            uint8_t *bth)
{
    uint32_t mtu = nic_mtu(qp), offset = i * mtu, n = 0;
    bool first = p->first && i == 0, last = p->last && i + 1 == p->n_psn;
    enum roce_opcode opcode = opcode_of(p, first, last);
    uint8_t *at = bth + BTH;

    memset(bth, 0, BTH);
    if (p->kind == PACKET_SEND) {
        n = MIN(mtu, p->len - offset);
    }
    bth[0] = (uint8_t)opcode;
    bth[1] = (uint8_t)((p->solicited && last ? 0x80 : 0) | 0x40 | (-n & 3) << 4);
    put16(bth + 2, 0xffff);
    put24(bth + 5, p->dest_qpn);
    bth[8] = p->kind == PACKET_SEND && last ? 0x80 : 0; /* an answer is asked for */
    put24(bth + 9, (p->psn + i) & PSN_MASK);
    if (opcode == RC_ACKNOWLEDGE) {
        at[0] = syndrome_of(p);
        put24(at + 1, qp->msn & PSN_MASK);
        at += EXTENDED;
    } else if (opcode == RC_SEND_LAST_IMM || opcode == RC_SEND_ONLY_IMM) {
        memcpy(at, &p->imm, sizeof(p->imm));
        at += EXTENDED;
    }
    memcpy(at, p->data + offset, n);
    memset(at + n, 0, -n & 3);
    return (size_t)(at - bth) + n + (-n & 3);
}

static void emit(const struct nic_qp *qp, const struct nic_packet *p, uint32_t i,
                 uint8_t to_node)
{
    uint8_t room[TAP_HEADERS + BTH + EXTENDED + PAYLOAD_MAX + 4 + ICRC];
    struct tap_frame f = {.start = room + TAP_HEADERS};
    uint8_t from_node = qp->nic->node->base.node, *icrc_at;
    struct sim_addr from, to;
    size_t headers;
    uint32_t icrc;

    address_of(&qp->nic->gids[qp->attr.ah_attr.grh.sgid_index], &from);
    address_of(&p->to, &to);
    f.len = put_transport(qp, p, i, f.start) + ICRC;
    icrc_at = f.start + f.len - ICRC;
    f.start -= UDP_HEADER;
    f.len += UDP_HEADER;
    put16(f.start, 0xc000 | (qp->ibv.qp_num & 0x3fff));
    put16(f.start + 2, ROCE_PORT);
    put16(f.start + 4, (uint32_t)f.len);
    put16(f.start + 6, 0);
    headers = f.len;
    tap_add_ip(&f, &from, &to, from_node, to_node, 17);
    headers = f.len - headers - 14; /* of IP */
    icrc = icrc_of(f.start + 14, f.len - 14 - ICRC, headers == 20);
    memcpy(icrc_at, &icrc, sizeof(icrc)); /* least significant byte first */
    tap_emit(qp->nic->node->env, from_node, &f);
}

void nic_tap_packet(const struct nic_qp *qp, const struct nic_packet *p, uint8_t to_node)
{
    if (tap_is_on(qp->nic->node->env)) {
        for (uint32_t i = 0; i < p->n_psn; i++) {
            emit(qp, p, i, to_node);
        }
    }
}
