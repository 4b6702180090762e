/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h: one message: header fields and three byte segments, front (payload), middle
 * and data, counted references.
 *
 * A message is built by one thread and handed over whole; after messenger_send it must not
 * be changed. Received messages carry the connection they came on and give their throttle
 * budget back when the last reference goes.
 */
#ifndef MSGRLAB_ENGINE_MESSAGE_H
#define MSGRLAB_ENGINE_MESSAGE_H

#include <stdint.h>

#include "engine/base.h"
#include "engine/buffer.h"
#include "engine/message_header.h"

#ifdef __cplusplus
extern "C" {
#endif

struct connection;
struct throttle;

/* Message types this project itself speaks. */
enum {
    MSG_PING = 2,
    MSG_MON_MAP = 4,
    MSG_MON_GET_MAP = 5,
    MSG_STATFS = 13,
    MSG_STATFS_REPLY = 14,
    MSG_MON_SUBSCRIBE = 15,
    MSG_AUTH = 17,
    MSG_AUTH_REPLY = 18,
    MSG_MON_GET_VERSION = 19,
    MSG_MON_GET_VERSION_REPLY = 20,
    MSG_OSD_MAP = 41,
    MSG_FS_MAP = 45,
    MSG_POOLOP_REPLY = 48,
    MSG_POOLOP = 49,
    MSG_MON_COMMAND = 50,
    MSG_MON_COMMAND_ACK = 51,
    MSG_GETPOOLSTATS = 58,
    MSG_GETPOOLSTATS_REPLY = 59,
    MSG_CONFIG = 62,
    MSG_COMMAND = 97,
    MSG_COMMAND_REPLY = 98,
    MSG_FS_MAP_USER = 103,
    MSG_MGR_MAP = 0x704,
};

enum { PRIO_LOW = 64, PRIO_DEFAULT = 127, PRIO_HIGH = 196, PRIO_HIGHEST = 255 };

struct message {
    struct frame_message_header header; /* seq, ack_seq: the engine's; rest: the user's */
    struct buffer front, middle, data;  /* owned */
    uint64_t flow;                      /* trace identity; 0 for a received one */

    /* Private part: the engine's. */
    ATOMIC(int) refs;
    struct list node;        /* in out_q, sent, or a dispatch queue */
    struct connection *conn; /* shared; received messages only */
    /* Gives the reference of conn back; set by whoever sets conn. */
    void (*drop_conn)(struct connection *conn);
    uint64_t queued_ns;        /* when it entered out_q or the dispatch queue */
    uint64_t dispatch_ordinal; /* n-th push into the dispatch queue */
    uint64_t dispatch_from;    /* id of the connection, while in the dispatch queue */
    uint64_t stream_at;        /* stream offset of its frame (trace) */
    uint32_t frame_bytes;      /* length of its frame on the wire (trace) */
    struct {
        /* Borrowed from the messenger; NULL: nothing is held. */
        struct throttle *messages, *bytes, *dispatch;
        uint64_t bytes_n, dispatch_n; /* what is held of the latter two */
    } held;
};

/* A message of `type` with priority PRIO_DEFAULT, version 1, no bytes; one reference. NULL
 * if no memory. */
struct message *message_new(uint16_t type);
struct message *message_ref(struct message *msg);
void message_unref(struct message *msg); /* NULL is fine */
/* front + middle + data. */
uint64_t message_bytes(const struct message *msg);
/* Gives held budgets back: dispatch alone (before the handler runs), or all. Twice is fine;
 * by one thread at a time. */
void message_release_dispatch(struct message *msg);
void message_release_throttles(struct message *msg);

#ifdef __cplusplus
}
#endif

#endif
