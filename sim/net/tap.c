/* SPDX-License-Identifier: Apache-2.0 */
/* tap.c: Ethernet, IP and TCP headers around what the simulated network carries. */
#include "sim/net/tap.h"

#include <string.h>

#include "engine/util.h"
#include "sim/node/node.h"

#define TCP_HEADER 20
#define TCP_SYN_OPTIONS 8
#define TCP_WINDOW_SHIFT 7

bool tap_is_on(const struct sim_env *env)
{
    return env->tap != NULL;
}

void tap_emit(const struct sim_env *env, uint8_t from_node, const struct tap_frame *f)
{
    env->tap(env->tap_arg, from_node, env->sched->now, f->start, f->len);
}

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static uint8_t *grow(struct tap_frame *f, size_t bytes)
{
    f->start -= bytes;
    f->len += bytes;
    memset(f->start, 0, bytes);
    return f->start;
}

/* The Internet checksum's sum, to be folded. */
static uint32_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    }
    return len % 2 != 0 ? sum + (uint32_t)(bytes[len - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static void add_ipv4(struct tap_frame *f, const struct sim_addr *from,
                     const struct sim_addr *to, uint8_t protocol)
{
    size_t total = f->len + 20;
    uint8_t *ip = grow(f, 20);

    ip[0] = 0x45;
    put16(ip + 2, total);
    ip[6] = 0x40; /* don't fragment */
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, from->ip, 4);
    memcpy(ip + 16, to->ip, 4);
    put16(ip + 10, fold(sum_of(ip, 20, 0)));
}

static void add_ipv6(struct tap_frame *f, const struct sim_addr *from,
                     const struct sim_addr *to, uint8_t protocol)
{
    size_t payload = f->len;
    uint8_t *ip = grow(f, 40);

    ip[0] = 0x60;
    put16(ip + 4, payload);
    ip[6] = protocol;
    ip[7] = 64;
    memcpy(ip + 8, from->ip, 16);
    memcpy(ip + 24, to->ip, 16);
}

void tap_add_ip(struct tap_frame *f, const struct sim_addr *from, const struct sim_addr *to,
                uint8_t from_node, uint8_t to_node, uint8_t protocol)
{
    bool is_ipv4 = from->family == AF_INET;
    uint8_t *mac;

    if (is_ipv4) {
        add_ipv4(f, from, to, protocol);
    } else {
        add_ipv6(f, from, to, protocol);
    }
    mac = grow(f, 14);
    mac[0] = mac[6] = 2;
    mac[5] = to_node;
    mac[11] = from_node;
    put16(mac + 12, is_ipv4 ? 0x0800 : 0x86dd);
}

static void put_tcp_checksum(struct tap_frame *f, const struct tap_tcp *segment)
{
    size_t address = segment->from->family == AF_INET ? 4 : 16;
    uint32_t sum = 6 /* TCP */ + (uint32_t)f->len;

    sum = sum_of(segment->from->ip, address, sum);
    sum = sum_of(segment->to->ip, address, sum);
    put16(f->start + 16, fold(sum_of(f->start, f->len, sum)));
}

/* What a SYN says: the largest segment, and how windows are scaled. */
static void put_syn_options(uint8_t *at)
{
    static const uint8_t options[TCP_SYN_OPTIONS] = {
        2, 4, TAP_TCP_PAYLOAD >> 8, TAP_TCP_PAYLOAD & 0xff, 1, 3, 3, TCP_WINDOW_SHIFT};

    memcpy(at, options, sizeof(options));
}

void tap_tcp(const struct sim_env *env, const struct tap_tcp *segment, const uint8_t *data,
             size_t len)
{
    uint8_t room[TAP_HEADERS + TCP_HEADER + TCP_SYN_OPTIONS + TAP_TCP_PAYLOAD];
    bool is_syn = (segment->flags & TAP_SYN) != 0;
    size_t header = TCP_HEADER + (is_syn ? TCP_SYN_OPTIONS : 0);
    size_t window = is_syn ? segment->window : segment->window >> TCP_WINDOW_SHIFT;
    struct tap_frame f = {.start = room + sizeof(room) - TAP_TCP_PAYLOAD, .len = len};
    uint8_t *tcp;

    CHECK(len <= TAP_TCP_PAYLOAD);
    if (len > 0) {
        memcpy(f.start, data, len);
    }
    tcp = grow(&f, header);
    put16(tcp, segment->from->port);
    put16(tcp + 2, segment->to->port);
    put32(tcp + 4, segment->seq);
    put32(tcp + 8, (segment->flags & TAP_ACK) != 0 ? segment->ack : 0);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = (uint8_t)segment->flags;
    put16(tcp + 14, MIN(window, (size_t)0xffff));
    if (is_syn) {
        put_syn_options(tcp + TCP_HEADER);
    }
    put_tcp_checksum(&f, segment);
    tap_add_ip(&f, segment->from, segment->to, segment->from_node, segment->to_node, 6);
    tap_emit(env, segment->from_node, &f);
}
