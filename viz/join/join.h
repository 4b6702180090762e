/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join.h: from records to messages. For each message: which steps it took, on both nodes.
 *
 * What joins what:
 *   S1 S2 S3 S4  carry the message's flow
 *   S5 S6 S7     the same connection and socket, and a byte range that overlaps the one S4
 *                gave the message
 *   R1 R2
 *   R4 R5 R6 R7  the other end of the same socket (CONN_SOCKET records with an equal link),
 *                and a byte range that overlaps
 *   R3           the read event under which the first of these ran
 *   dispatch     the connection and seq of R7, or the flow for local delivery
 * A system call may serve many messages, and a message may need many calls.
 *
 * One direction of one socket is a "wire"; a reconnect makes new ones. A message that is
 * sent again after a reconnect is still one message, with two places on two wires.
 *
 * A message whose other end is not in the trace (a real Ceph daemon, a part that was lost)
 * keeps the half that is. One that was received and has no sender gets an id of its own.
 * What could not be joined is counted in struct join_totals.
 *
 * A join is immutable: any thread may ask. It borrows the reader. Building it is O(n log n)
 * in the records, and takes about 12 bytes a record.
 */
#ifndef MSGRLAB_VIZ_JOIN_JOIN_H
#define MSGRLAB_VIZ_JOIN_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viz/trace/steps.h"
#include "viz/trace/trace_reader.h"

/* In canonical order. */
enum join_step {
#define X(id, point, title) JOIN_##id,
    IO_STEPS(X)
#undef X
        JOIN_LABELLED,         /* those above appear in join_steps_text */
    JOIN_POST = JOIN_LABELLED, /* external event posted, merged, its wake-up, run */
    JOIN_LOCAL,                /* local delivery */
    JOIN_ENQUEUE,              /* put into the dispatch queue */
    JOIN_FAST,                 /* fast dispatch */
    JOIN_BEGIN,                /* the dispatcher's callback */
    JOIN_END,
    JOIN_STEPS,
};

struct join_event {
    enum join_step step;
    uint32_t record; /* for trace_reader_record */
};

/* What all records say about one message. Numbers nobody recorded are 0. */
struct join_message {
    uint64_t id;                 /* the flow, or JOIN_ID_FOREIGN | ... */
    uint8_t from_node, to_node;  /* 0: unknown */
    bool sent;                   /* was written to a wire (S4) */
    bool received;               /* came out at the other end (R7) */
    bool local;                  /* never left the messenger */
    uint32_t from_conn, to_conn; /* objects */
    uint32_t writes;             /* how often S4 wrote it: more than 1 is a replay */
    uint64_t seq;
    uint64_t type, priority;
    uint64_t bytes;       /* payload, as S1 says */
    uint64_t frame;       /* bytes on the wire */
    uint32_t first, last; /* record indexes of what is known without byte ranges */
    uint32_t span;        /* private: first place on a wire */
};

/* Of an id: received from somebody who is not in the trace. */
#define JOIN_ID_FOREIGN (1ULL << 47)

struct join_totals {
    uint64_t messages;
    uint64_t complete; /* sent and received */
    uint64_t local;
    uint64_t unsent;        /* never written */
    uint64_t sent_only;     /* written, no receiver in the trace */
    uint64_t received_only; /* received, no sender in the trace */
    uint64_t replayed;      /* written more than once */
    uint64_t calls;         /* S5 S6 R4 R5 R6 records with a byte range */
    uint64_t calls_joined;  /* those that served a message; others carried control frames */
    uint64_t dispatches_unmatched;    /* dispatch records of no known message */
    uint64_t sockets, sockets_paired; /* wires' sockets, and those seen from both ends */
};

/* When a message took a step: first and last record, and how many. count 0: never. */
struct join_time {
    uint32_t count;
    uint32_t first, last; /* record indexes */
};

struct join; /* private */

/* 0 or -ENOMEM. */
int trace_join(const struct trace_reader *reader, struct join **ret);
void join_free(struct join *join); /* NULL is fine */

const struct join_totals *join_totals(const struct join *join);
/* Messages in the order of their first record. */
size_t join_count(const struct join *join);
const struct join_message *join_message(const struct join *join, size_t i);
/* The message with that id (flow); join_count if there is none. */
size_t join_find(const struct join *join, uint64_t id);
/* The n-th (from 0) message sent by that node; join_count if there is none. */
size_t join_nth_sent(const struct join *join, uint8_t node, size_t n);
/* The first message that a record belongs to; join_count if none. *ret_more: it belongs to
 * others too. */
size_t join_of_record(const struct join *join, size_t record, bool *ret_more);

/* Every step of a message in the order of records. Returns how many there are; writes at
 * most `max` of them. */
size_t join_events(const struct join *join, size_t i, struct join_event *out, size_t max);
/* The same in short, in O(log n): fills JOIN_STEPS elements. */
void join_times(const struct join *join, size_t i, struct join_time *out);

/* "S1 S2 S3 S4 S5 S6 R3 R4 R5 R6 R7": the labelled steps seen, in canonical order. Returns
 * the whole length, like snprintf. */
size_t join_steps_text(const struct join *join, size_t i, char *buf, size_t size);
/* "1:5", the fifth message of node 1; "from:2:5", the fifth that node 2 received from
 * outside the trace. size >= 32. Returns buf. */
char *join_id_text(uint64_t id, char *buf, size_t size);
/* The reverse; also accepts a plain number (the message index). join_count: no such
 * message. */
size_t join_parse_id(const struct join *join, const char *text);
/* The step that records of that kind are; JOIN_STEPS: none. */
enum join_step join_step_of(uint16_t kind);
/* "S4", "post", "enqueue", ... */
const char *join_step_name(enum join_step step);

#endif
