/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c: a ready session: messages in (R7), acknowledgements, keepalives, and the
 * budgets a message must hold before it is read. Reconnecting a lossless session will be
 * added here.
 */
#include <errno.h>
#include <string.h>

#include "engine/msgr/connection.h"
#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

static int fault(struct connection *c, int err, const char *why)
{
    conn_fault(c, err, why);
    return err;
}

/* ---- budgets ---- */

static uint64_t payload_bytes(const struct preamble *p)
{
    uint64_t bytes = 0;

    for (int i = 1; i < p->segments; i++) {
        bytes += p->len[i];
    }
    return bytes;
}

/* True: held. False: the connection is queued and in `state` until there is room. */
static bool take_budget(struct connection *c, struct throttle *t, uint64_t n,
                        enum proto_state state)
{
    if (throttle_get(t, &c->waiter, n)) {
        c->waiting_on = NULL;
        return true;
    }
    c->waiting_on = t;
    conn_set_proto_state(c, state, t->name);
    return false;
}

int session_throttle(struct connection *c)
{
    struct message *msg = c->in.msg;
    uint64_t bytes = payload_bytes(&c->in.preamble);
    struct throttle *messages = c->policy.messages, *limit = c->policy.bytes;
    struct throttle *dispatch = &c->m->dispatch_throttle;

    if (messages != NULL && msg->held.messages == NULL) {
        if (!take_budget(c, messages, 1, PROTO_THROTTLE_MESSAGE)) {
            return 0;
        }
        msg->held.messages = messages;
    }
    if (limit != NULL && msg->held.bytes == NULL) {
        if (!take_budget(c, limit, bytes, PROTO_THROTTLE_BYTES)) {
            return 0;
        }
        msg->held.bytes = limit;
        msg->held.bytes_n = bytes;
    }
    if (msg->held.dispatch == NULL) {
        /* Empty messages cost memory too, or a peer could queue them without bound. */
        uint64_t cost = bytes + sizeof(*msg);

        if (!take_budget(c, dispatch, cost, PROTO_THROTTLE_DISPATCH_QUEUE)) {
            return 0;
        }
        msg->held.dispatch = dispatch;
        msg->held.dispatch_n = cost;
    }
    if (c->proto_state != PROTO_READY) {
        c->heard_ns = os_monotonic_ns(c->os); /* we listen again */
    }
    conn_set_proto_state(c, PROTO_READY, "budgets held");
    return 1;
}

/* ---- R7 ---- */

/* Moves the received segments into the message. False: the header is not one. */
static bool build_message(struct connection *c, struct message *msg)
{
    struct wire_reader r = wire_reader(c->in.header, sizeof(c->in.header));

    msg->front = c->in.segments[1];
    msg->middle = c->in.segments[2];
    msg->data = c->in.segments[3];
    for (int i = 1; i < FRAME_SEGMENTS_MAX; i++) {
        c->in.segments[i] = (struct buffer){0};
    }
    return frame_message_header_decode(&r, &msg->header) == 0;
}

static void drop_message(struct connection *c, struct message *msg, const char *why)
{
    TRACE(c->os, MESSAGE_DROPPED, .obj = c->trace_id, .a0 = msg->header.seq,
          .val = (int32_t)trace_string(c->os, why));
    message_unref(msg);
}

int session_message(struct connection *c)
{
    struct message *msg = c->in.msg;

    c->in.msg = NULL;
    if (!build_message(c, msg)) {
        message_unref(msg);
        return fault(c, -EBADMSG, "bad message header");
    }
    if (!c->lossy) {
        conn_handle_ack(c, msg->header.ack_seq);
    }
    if (msg->header.seq <= c->in_seq) {
        /* Ceph discards it too, but then never reads that connection again. */
        drop_message(c, msg, "old sequence number");
        return 0;
    }
    c->in_seq = msg->header.seq; /* gaps are legal */
    if (!c->lossy) {
        c->ack_owed++;
        conn_post(c, &c->write_event);
    }
    msg->conn = conn_ref(c);
    msg->drop_conn = conn_unref;
    msg->stream_at = c->in.at;
    msg->frame_bytes = (uint32_t)(c->in_at - c->in.at);
    WORKER_COUNT(c->worker, msgr_recv_messages, 1);
    TRACE(c->os, R7_DISPATCH, .obj = c->trace_id, .val = (int32_t)msg->frame_bytes,
          .a0 = msg->header.seq, .a1 = msg->stream_at, .aux = msg->header.type);
    messenger_deliver(c->m, msg);
    return 0;
}

/* ---- the other frames ---- */

/* The stamp goes back as it came. Answers wait for room in `outgoing` like everything else;
 * a newer one replaces one that still waits, so a peer that never reads cannot pile them
 * up. */
static int handle_keepalive(struct connection *c, struct wire_reader *r)
{
    if (frame_keepalive_decode(r, &c->keepalive_answer) < 0) {
        return fault(c, -EBADMSG, "bad KEEPALIVE2");
    }
    c->keepalive_answer_owed = true;
    return conn_write(c);
}

/* Forgets the KEEPALIVE2 of ours with that stamp and all before it, which a peer with more
 * to do need not answer one by one. False: there is none. */
static bool take_keepalive(struct connection *c, uint64_t stamp)
{
    uint32_t i = 0;

    while (i < c->n_keepalives && c->keepalives[i] != stamp) {
        i++;
    }
    if (i == c->n_keepalives) {
        return false;
    }
    c->n_keepalives -= i + 1;
    memmove(c->keepalives, c->keepalives + i + 1,
            c->n_keepalives * sizeof(c->keepalives[0]));
    return true;
}

static int handle_keepalive_ack(struct connection *c, struct wire_reader *r)
{
    struct frame_keepalive f;
    uint64_t stamp;
    bool ours;

    if (frame_keepalive_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad KEEPALIVE2_ACK");
    }
    stamp = f.sec * NSEC_PER_SEC + f.nsec;
    ours = f.nsec < NSEC_PER_SEC && take_keepalive(c, stamp);
    os_lock(c->os, c->lock);
    if (ours) {
        c->last_keepalive_ack_ns = stamp;
        c->keepalive_acks++;
    } else {
        c->stray_keepalive_acks++;
    }
    os_unlock(c->os, c->lock);
    return 0;
}

static int handle_ack(struct connection *c, struct wire_reader *r)
{
    struct frame_u64 f;

    if (frame_u64_decode(r, &f) < 0) {
        return fault(c, -EBADMSG, "bad ACK");
    }
    if (f.value > c->out_seq) {
        return fault(c, -EPROTO, "ACK for a message that was never sent");
    }
    conn_handle_ack(c, f.value);
    return 0;
}

bool session_accepts(enum frame_tag tag)
{
    return tag == TAG_MESSAGE || tag == TAG_KEEPALIVE2 || tag == TAG_KEEPALIVE2_ACK ||
           tag == TAG_ACK;
}

int session_frame(struct connection *c, enum frame_tag tag, struct wire_reader *payload)
{
    switch (tag) {
    case TAG_KEEPALIVE2:
        return handle_keepalive(c, payload);
    case TAG_KEEPALIVE2_ACK:
        return handle_keepalive_ack(c, payload);
    case TAG_ACK:
        return handle_ack(c, payload);
    default:
        CHECK(!"session_accepts lets only these through");
        return -EPROTO;
    }
}
