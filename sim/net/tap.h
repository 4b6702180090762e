/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.h: the packets of the simulated network, as a capture would show them, for Wireshark.
 *
 * Where packets set out (stream_tap.c, rdma/roce.c) they are handed to the world's tap, if
 * it has one, as Ethernet frames: what is lost later is seen, too. Addresses are the
 * nodes'; MAC addresses are 02:00:00:00:00:number. A capture does not change a run.
 */
#ifndef MSGRLAB_SIM_NET_TAP_H
#define MSGRLAB_SIM_NET_TAP_H

#include <stddef.h>
#include <stdint.h>

#include "sim/net/net.h"

/* Called with each frame, at its virtual time; `from` is the node that sends it. The bytes
 * are valid during the call. Must make no os call of the world. */
typedef void (*sim_tap_fn)(void *arg, uint8_t from, uint64_t time_ns, const uint8_t *frame,
                           size_t len);

/* ---- for those who send ---- */

#define TAP_HEADERS 62 /* Ethernet, IPv6, and UDP: at most */

/* Room in front of a payload, filled from the back. */
struct tap_frame {
    uint8_t *start; /* of what was written so far */
    size_t len;
};

/* Whether anybody looks. */
bool tap_is_on(const struct sim_env *env);
/* Puts IP and Ethernet headers in front of the frame, in which `protocol` begins; there are
 * at least 54 bytes of room before it. IPv4 if the addresses are. */
void tap_add_ip(struct tap_frame *f, const struct sim_addr *from, const struct sim_addr *to,
                uint8_t from_node, uint8_t to_node, uint8_t protocol);
/* The frame is complete. */
void tap_emit(const struct sim_env *env, uint8_t from_node, const struct tap_frame *f);

enum tap_tcp_flags { TAP_FIN = 1, TAP_SYN = 2, TAP_RST = 4, TAP_PSH = 8, TAP_ACK = 16 };

#define TAP_TCP_PAYLOAD 1440 /* of a packet, so that IPv6 fits into 1,500 bytes */

/* A TCP segment from one address to another. */
struct tap_tcp {
    const struct sim_addr *from, *to;
    uint8_t from_node, to_node;
    uint32_t seq, ack;
    int flags;     /* enum tap_tcp_flags */
    size_t window; /* bytes; as Linux does, SYN says that it is scaled */
};
void tap_tcp(const struct sim_env *env, const struct tap_tcp *segment, const uint8_t *data,
             size_t len);

#endif
