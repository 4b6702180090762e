/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_write.c: from messenger_send to the stack: S1 to S5.
 *
 * Any thread queues into out_q (S3) and posts the write event. The owner takes messages by
 * priority, encodes them into `outgoing` (S4) until a batch is full, and offers the batch
 * to the stack (S5, S6). While the stack refuses, nothing more is encoded: out_q keeps its
 * order by priority and its bound, and the connection watches for writable.
 */
#include "engine/msgr/connection.h"

#include <errno.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

/* ---- S1 to S3: any thread ---- */

/* S3 under the lock: the message is in out_q, or the reason why not. */
static int queue_message(struct connection *c, struct message *msg)
{
    uint16_t priority = msg->header.priority;
    uint64_t bytes = message_bytes(msg), flow = msg->flow;
    int err;

    if (c->closed) {
        return -ENOTCONN;
    }
    msg->queued_ns = os_monotonic_ns(c->os);
    atomic_fetch_add(&c->m->unsent, 1);
    err = out_queue_push(&c->out_q, msg); /* from here on it may be gone already */
    if (err < 0) {
        atomic_fetch_sub(&c->m->unsent, 1);
        TRACE(c->os, OUT_QUEUE_FULL, .obj = c->trace_id, .a0 = c->out_q.messages,
              .a1 = c->out_q.bytes, .flow = flow);
        return err;
    }
    TRACE(c->os, S3_QUEUE, .obj = c->trace_id, .val = (int32_t)bytes, .a0 = priority,
          .a1 = c->out_q.messages, .flow = flow);
    if (c->ready) {
        conn_post(c, &c->write_event);
    }
    return 0;
}

int conn_submit(struct connection *c, struct message *msg, bool created)
{
    uint64_t before = 0;
    int err;

    if (msg->header.priority == 0) {
        msg->header.priority = PRIO_DEFAULT;
    }
    if (message_bytes(msg) > c->m->opts.message_bytes_max) {
        return -EMSGSIZE;
    }
    if (TRACE_ON(c->os)) {
        uint64_t event = TRACE(c->os, S2_SUBMIT_MESSAGE, .obj = c->trace_id, .a0 = created,
                               .flow = msg->flow);

        before = trace_enter(c->os, event);
    }
    if (c->loopback) {
        err = messenger_deliver_local(c->m, msg);
    } else {
        os_lock(c->os, c->lock);
        err = queue_message(c, msg);
        os_unlock(c->os, c->lock);
    }
    if (TRACE_ON(c->os)) {
        trace_enter(c->os, before);
    }
    return err;
}

/* ---- S4: encoding, on the owner ---- */

static int append_or_fault(struct connection *c, int err, size_t bytes)
{
    if (err < 0) {
        conn_fault(c, err, "no memory for outgoing bytes");
        return err;
    }
    c->out_at += bytes;
    return 0;
}

int conn_queue_bytes(struct connection *c, const void *data, size_t len)
{
    return append_or_fault(c, buffer_list_append_copy(&c->outgoing, data, len), len);
}

int conn_queue_frame(struct connection *c, enum frame_tag tag, const struct wire_writer *w)
{
    uint8_t frame[FRAME_CONTROL_BYTES(FRAME_CONTROL_MAX)];
    size_t len;

    CHECK(!w->failed);
    len =
        frame_control_encode(tag, c->rev1, w->start, wire_written(w), frame, sizeof(frame));
    CHECK(len > 0);
    TRACE(c->os, FRAME_OUT, .obj = c->trace_id, .a0 = tag, .val = (int32_t)len,
          .a1 = c->out_at);
    return conn_queue_bytes(c, frame, len);
}

static uint32_t segment_crc(const struct buffer *b)
{
    return crc32c(CRC32C_SEED_SEGMENT, b->data, b->len);
}

/* Preamble and header, then the segments by copy or reference, then the epilogue. */
static int append_message(struct connection *c, struct message *msg)
{
    const struct buffer *parts[] = {&msg->front, &msg->middle, &msg->data};
    struct preamble p = {.tag = TAG_MESSAGE,
                         .segments = 1,
                         .len = {MESSAGE_HEADER_BYTES},
                         .align = {FRAME_ALIGN_DEFAULT}};
    uint32_t crcs[FRAME_SEGMENTS_MAX] = {0};
    uint8_t head[PREAMBLE_BYTES + MESSAGE_HEADER_BYTES + 4], tail[EPILOGUE_REV0_BYTES];
    struct wire_writer w =
        wire_writer(head + PREAMBLE_BYTES, sizeof(head) - PREAMBLE_BYTES);
    int err;

    frame_message_header_encode(&w, &msg->header);
    crcs[0] = crc32c(CRC32C_SEED_SEGMENT, head + PREAMBLE_BYTES, MESSAGE_HEADER_BYTES);
    for (int i = 0; i < 3; i++) {
        p.len[i + 1] = (uint32_t)parts[i]->len;
        p.align[i + 1] = i == 2 ? FRAME_ALIGN_PAGE : FRAME_ALIGN_DEFAULT;
        crcs[i + 1] = segment_crc(parts[i]);
        if (parts[i]->len > 0) {
            p.segments = (uint8_t)(i + 2);
        }
    }
    preamble_encode(head, &p);
    if (frame_segment0_crc_bytes(&p, c->rev1) > 0) {
        wire_put_u32(&w, crcs[0]);
    }
    CHECK(!w.failed);
    err = buffer_list_append_copy(&c->outgoing, head, PREAMBLE_BYTES + wire_written(&w));
    for (int i = 0; i + 1 < p.segments && err == 0; i++) {
        err = buffer_list_append(&c->outgoing, parts[i]);
    }
    if (err == 0) {
        epilogue_encode(tail, &p, c->rev1, false, crcs);
        err =
            buffer_list_append_copy(&c->outgoing, tail, frame_epilogue_bytes(&p, c->rev1));
    }
    msg->frame_bytes = (uint32_t)frame_wire_bytes(&p, c->rev1);
    return append_or_fault(c, err, msg->frame_bytes);
}

/* S4. Takes the message; a lossless session keeps it until it is acknowledged. */
static int write_message(struct connection *c, struct message *msg)
{
    uint64_t at = c->out_at, began = os_monotonic_ns(c->os);
    int err;

    WORKER_COUNT(c->worker, msgr_send_messages_queue_lat_ns, began - msg->queued_ns);
    msg->header.seq = ++c->out_seq;
    msg->header.ack_seq = c->in_seq;
    msg->header.flags = 3; /* complete, no data crc: what Ceph sends */
    c->ack_owed = 0;
    err = append_message(c, msg);
    TRACE(c->os, S4_WRITE_MESSAGE, .obj = c->trace_id, .val = (int32_t)msg->frame_bytes,
          .a0 = msg->header.seq, .a1 = at, .flow = msg->flow,
          .aux = (uint32_t)(os_monotonic_ns(c->os) - began));
    if (err < 0) {
        message_unref(msg);
        messenger_sent(c->m, 1);
        return err;
    }
    c->unflushed++;
    WORKER_COUNT(c->worker, msgr_send_messages, 1);
    if (c->lossy) {
        message_unref(msg);
    } else {
        list_push_back(&c->sent, &msg->node);
        c->n_sent++;
    }
    return 0;
}

/* ---- S5 ---- */

static void outgoing_is_empty(struct connection *c)
{
    uint64_t n = c->unflushed;

    c->unflushed = 0;
    if (c->watching_writable) {
        event_center_delete_file_event(&c->worker->center, c->fd, OS_WRITABLE);
        c->watching_writable = false;
    }
    if (n > 0) {
        messenger_sent(c->m, n);
    }
}

/* One S6: what the stack takes of outgoing. */
static ssize_t stack_send(struct connection *c)
{
    struct iovec iov[64];
    int n = buffer_list_iov(&c->outgoing, iov, ARRAY_SIZE(iov));
    uint64_t at = c->out_at - c->outgoing.bytes, asked = 0, began = 0;
    ssize_t sent;

    for (int i = 0; i < n; i++) {
        asked += iov[i].iov_len;
    }
    if (TRACE_ON(c->os)) {
        began = os_monotonic_ns(c->os);
    }
    sent = connected_socket_send(c->socket, iov, n, asked < c->outgoing.bytes);
    TRACE(c->os, S6_STACK_SEND, .obj = c->trace_id, .val = (int32_t)sent, .a0 = at,
          .a1 = asked, .aux = (uint32_t)(os_monotonic_ns(c->os) - began));
    return sent;
}

int conn_try_send(struct connection *c)
{
    size_t offered = c->outgoing.bytes;
    uint64_t at = c->out_at - offered, before = 0;
    ssize_t sent = 1;

    if (offered == 0) {
        return 0;
    }
    if (TRACE_ON(c->os)) {
        uint64_t event = TRACE(c->os, S5_TRY_SEND, .obj = c->trace_id,
                               .val = (int32_t)offered, .a0 = at, .a1 = c->unflushed);

        before = trace_enter(c->os, event);
    }
    while (c->outgoing.bytes > 0 && sent > 0) {
        sent = stack_send(c);
        if (sent > 0) {
            buffer_list_consume(&c->outgoing, (size_t)sent);
            WORKER_COUNT(c->worker, msgr_send_bytes, (uint64_t)sent);
        }
    }
    if (TRACE_ON(c->os)) {
        trace_enter(c->os, before);
    }
    if (sent < 0) {
        conn_fault(c, (int)sent, connected_socket_why(c->socket, (int)sent));
        return (int)sent;
    }
    if (c->outgoing.bytes == 0) {
        outgoing_is_empty(c);
        return 0;
    }
    if (c->watching_writable) {
        return 0;
    }
    c->watching_writable = true;
    return conn_watch(c, OS_WRITABLE);
}

/* ---- the write event ---- */

static int queue_keepalive(struct connection *c, enum frame_tag tag,
                           const struct frame_keepalive *f)
{
    uint8_t payload[8];
    struct wire_writer w = wire_writer(payload, sizeof(payload));

    frame_keepalive_encode(&w, f);
    return conn_queue_frame(c, tag, &w);
}

/* Remembers the stamp until its answer comes; the oldest one makes room. */
static void remember_keepalive(struct connection *c, uint64_t stamp)
{
    if (c->n_keepalives == KEEPALIVES_UNANSWERED_MAX) {
        memmove(c->keepalives, c->keepalives + 1,
                (KEEPALIVES_UNANSWERED_MAX - 1) * sizeof(c->keepalives[0]));
        c->n_keepalives--;
    }
    c->keepalives[c->n_keepalives++] = stamp;
}

static int queue_keepalive_now(struct connection *c)
{
    /* No two are alike, and none goes back when the clock does: an answer tells which. */
    uint64_t now = MAX(os_realtime_ns(c->os), c->last_keepalive_ns + 1);
    const struct frame_keepalive f = {.sec = (uint32_t)(now / NSEC_PER_SEC),
                                      .nsec = (uint32_t)(now % NSEC_PER_SEC)};

    c->last_keepalive_ns = now;
    remember_keepalive(c, now);
    return queue_keepalive(c, TAG_KEEPALIVE2, &f);
}

static int queue_ack(struct connection *c)
{
    const struct frame_u64 f = {.value = c->in_seq};
    uint8_t payload[8];
    struct wire_writer w = wire_writer(payload, sizeof(payload));

    frame_u64_encode(&w, &f);
    c->ack_owed = 0;
    return conn_queue_frame(c, TAG_ACK, &w);
}

/* A lossless peer that does not acknowledge stops the encoding here, so that out_q fills
 * and messenger_send says so; conn_handle_ack goes on. */
static bool may_send_message(const struct connection *c)
{
    return c->n_sent < c->m->opts.out_queue_messages_max;
}

/* The keepalive that was asked for, and the answer to the peer's. 0; < 0: the connection
 * went. */
static int queue_keepalives(struct connection *c)
{
    int err = 0;

    if (atomic_exchange(&c->keepalive_wanted, false)) {
        err = queue_keepalive_now(c);
    }
    if (err == 0 && c->keepalive_answer_owed) {
        c->keepalive_answer_owed = false;
        err = queue_keepalive(c, TAG_KEEPALIVE2_ACK, &c->keepalive_answer);
    }
    return err;
}

static struct message *next_message(struct connection *c)
{
    struct message *msg;

    os_lock(c->os, c->lock);
    msg = may_send_message(c) ? out_queue_pop(&c->out_q) : NULL;
    os_unlock(c->os, c->lock);
    return msg;
}

/* Encodes up to one batch. 1: out_q may hold more; 0: it is empty, or waits for acks; < 0:
 * the connection went. A message is taken out of out_q only when nothing else can end the
 * connection before it is written: whoever ends it must find all of them. */
static int fill_outgoing(struct connection *c)
{
    while (c->outgoing.bytes < OUTGOING_BYTES_MAX) {
        struct message *msg;
        int err = queue_keepalives(c);

        if (err < 0) {
            return err;
        }
        msg = next_message(c);
        if (msg == NULL) {
            return 0;
        }
        err = write_message(c, msg);
        if (err < 0) {
            return err;
        }
    }
    return 1;
}

/* Encodes and sends, a few batches. 1: there is more, and room for it; 0: not so; < 0: the
 * connection went. */
static int write_batches(struct connection *c)
{
    int more = 1;

    for (int i = 0; i < BATCHES_PER_WRITE_EVENT && more > 0; i++) {
        int err;

        more = fill_outgoing(c);
        if (more == 0 && c->ack_owed > 0) {
            more = queue_ack(c); /* no message carried it */
        }
        if (more < 0) {
            return more;
        }
        err = conn_try_send(c);
        if (err < 0) {
            return err;
        }
        if (c->outgoing.bytes > 0) {
            return 0; /* the socket is full: it will call */
        }
    }
    return more;
}

void conn_ask_silent_peer(struct connection *c)
{
    uint64_t now = os_monotonic_ns(c->os);

    if (c->said_ns >= c->heard_ns && c->asked_ns <= c->heard_ns &&
        now - c->heard_ns >= c->m->opts.idle_timeout_ns / 2) {
        c->asked_ns = now;
        conn_send_keepalive(c);
    }
}

int conn_write(struct connection *c)
{
    uint64_t began = os_monotonic_ns(c->os), seq = c->out_seq;
    int more;

    if (!c->was_ready) {
        return conn_try_send(c); /* a handshake frame the socket had no room for */
    }
    more = write_batches(c);
    if (more < 0) {
        return more;
    }
    if (c->out_seq != seq) {
        c->said_ns = began;
        conn_ask_silent_peer(c);
    }
    if (more > 0) {
        conn_post(c, &c->write_event);
    }
    WORKER_COUNT(c->worker, msgr_running_send_time_ns, os_monotonic_ns(c->os) - began);
    return 0;
}

/* ---- acknowledgements and the end ---- */

void conn_handle_ack(struct connection *c, uint64_t seq)
{
    bool was_full = !may_send_message(c);

    if (seq <= c->acked_seq) { /* every message repeats what it has acknowledged */
        return;
    }
    TRACE(c->os, ACK_IN, .obj = c->trace_id, .a0 = seq, .a1 = c->out_seq);
    c->acked_seq = MIN(seq, c->out_seq);
    while (!list_is_empty(&c->sent)) {
        struct message *msg = container_of(c->sent.next, struct message, node);

        if (msg->header.seq > c->acked_seq) {
            break;
        }
        list_unlink(&msg->node);
        c->n_sent--;
        message_unref(msg);
    }
    if (was_full && may_send_message(c)) {
        conn_post(c, &c->write_event);
    }
}

static struct message *pop_any(struct connection *c)
{
    struct message *msg;

    os_lock(c->os, c->lock);
    msg = out_queue_pop(&c->out_q);
    os_unlock(c->os, c->lock);
    return msg;
}

uint64_t conn_drop_output(struct connection *c)
{
    uint64_t queued = 0, dropped;
    struct message *msg;
    struct list *node;

    while ((msg = pop_any(c)) != NULL) { /* one by one: an unref may take other locks */
        message_unref(msg);
        queued++;
    }
    dropped = queued;
    while ((node = list_pop_front(&c->sent)) != NULL) {
        message_unref(container_of(node, struct message, node));
        c->n_sent--;
        dropped++;
    }
    if (queued + c->unflushed > 0) {
        messenger_sent(c->m, queued + c->unflushed);
    }
    c->unflushed = 0;
    buffer_list_fini(&c->outgoing);
    return dropped;
}
