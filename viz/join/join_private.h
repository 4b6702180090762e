/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_private.h: what join.c, join_messages.c and join_dispatch.c build, and join_query.c
 * answers from. Nobody else includes it.
 */
#ifndef MSGRLAB_VIZ_JOIN_JOIN_PRIVATE_H
#define MSGRLAB_VIZ_JOIN_JOIN_PRIVATE_H

#include "engine/base/array.h"
#include "engine/base/map.h"
#include "viz/join/join.h"
#include "viz/trace/points.h"

#define JOIN_NONE UINT32_MAX /* instead of an index */
/* In message_of: the record belongs to later messages too. */
#define MORE_MESSAGES (1u << 31)

/* Records of a wire, each kind in time order. */
enum call_kind {
    CALL_S5,
    CALL_S6,
    CALL_S7,
    CALL_R1,
    CALL_R2,
    CALL_R4,
    CALL_R5,
    CALL_R6,
    CALL_R3,
    CALL_R7,
    CALL_KINDS
};

struct call_list {
    uint32_t *records; /* owned: record indexes */
    size_t n;
};

/* Where a message is in the bytes of a wire: [start, end). */
struct span {
    uint64_t start, end;
    uint32_t wire, message;
    uint32_t next; /* the same message on another wire; JOIN_NONE */
};

/* One direction of one socket. */
struct wire {
    struct call_list calls[CALL_KINDS];
    uint32_t *spans; /* owned: indexes, by start */
    size_t n_spans;
};

struct socket {
    uint32_t wire[2]; /* from the dialler, from the accepter */
    uint32_t dialler; /* object; JOIN_NONE: not seen */
    bool accepted;    /* the other end was seen */
    bool over;        /* the dialler has left it */
};

struct conn {
    uint32_t object;
    uint32_t socket; /* the current one; JOIN_NONE */
    bool dialled;
};

struct join {
    const struct trace_reader *reader; /* borrowed */
    struct join_message *messages;     /* owned, as all arrays here */
    size_t n_messages;
    struct span *spans;
    size_t n_spans;
    struct wire *wires;
    size_t n_wires;
    struct socket *sockets;
    size_t n_sockets;
    struct conn *conns;
    size_t n_conns;
    struct map by_id, by_link, by_object;
    uint32_t *message_of;  /* by record: first message, MORE_MESSAGES; JOIN_NONE */
    uint32_t *next_of;     /* by record: next of the same message's chain; JOIN_NONE */
    uint64_t foreign[256]; /* messages without a sender, by node */
    struct join_totals totals;
};

struct range {
    uint64_t start, end;
};

static inline uint64_t range_end(uint64_t start, uint64_t bytes)
{
    return start + bytes < start ? UINT64_MAX : start + bytes;
}

/* Which bytes of its wire a call is about; start == end: none. */
static inline struct range range_of(const struct trace_record *r)
{
    uint64_t bytes = r->val > 0 ? (uint64_t)r->val : 0;

    if (r->kind == TP_R5_READ_UNTIL) {
        bytes -= MIN(bytes, r->aux); /* what it wanted but did not get yet */
    }
    return r->kind == TP_R4_ALLOCATE ? (struct range){r->a1, range_end(r->a1, 1)}
                                     : (struct range){r->a0, range_end(r->a0, bytes)};
}

/* ---- join_messages.c ---- */

uint32_t join_add_message(struct join *join, uint64_t id, uint32_t record);
/* The record belongs to the message; records are added in their order. */
void join_chain(struct join *join, uint32_t m, uint32_t record);
uint32_t join_message_of_flow(struct join *join, uint64_t flow, uint32_t record);

/* ---- join_dispatch.c ---- */

/* Pass 2. 0 or -ENOMEM. */
int join_dispatches(struct join *join);

/* ---- join_query.c ---- */

/* Numbers the messages by their first record. -ENOMEM. */
int join_order_messages(struct join *join);

#endif
