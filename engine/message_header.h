/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_header.h: what a message says of itself on the wire (msgr2's ceph_msg_header2).
 */
#ifndef MSGRLAB_ENGINE_MESSAGE_HEADER_H
#define MSGRLAB_ENGINE_MESSAGE_HEADER_H

#include <stdint.h>

/* Segment 0 of MESSAGE. */
#define MESSAGE_HEADER_BYTES 41
struct frame_message_header {
    uint64_t seq, tid;
    uint16_t type, priority, version;
    uint32_t data_pre_padding_len;
    uint16_t data_off;
    uint64_t ack_seq;
    uint8_t flags;
    uint16_t compat_version;
};

#endif
