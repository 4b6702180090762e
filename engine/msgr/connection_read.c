/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_read.c: from the stack to complete frames: R3 to R6.
 *
 * The reader is a state machine over pieces: banner prefix, banner payload, preamble, then
 * per frame its segments, the crc behind segment 0 (2.1), the epilogue. Each piece has a
 * known length and is filled by read_until, first from recv_buf, then from the stack; large
 * pieces bypass recv_buf. Lengths are checked against limits, and a message's budgets are
 * held, before memory is taken.
 *
 * Results inside this file: 1 the piece is complete, 0 no more bytes now, < 0 the
 * connection faulted and must not be touched.
 */
#include "engine/msgr/connection.h"

#include <errno.h>
#include <string.h>

#include "engine/base/crc32c.h"
#include "engine/msgr/messenger_impl.h"
#include "engine/trace.h"
#include "engine/util.h"

static void drop_frame(struct connection *c)
{
    for (int i = 0; i < FRAME_SEGMENTS_MAX; i++) {
        buffer_fini(&c->in.segments[i]);
    }
    message_unref(c->in.msg);
    c->in.msg = NULL;
    c->in.done = 0;
    c->in.state = IN_PREAMBLE;
}

void conn_reset_reader(struct connection *c)
{
    if (c->waiting_on != NULL) {
        throttle_cancel(c->waiting_on, &c->waiter);
        c->waiting_on = NULL;
    }
    event_center_delete_time_event(&c->worker->center, &c->stall_timer);
    drop_frame(c);
    c->in.state = IN_BANNER_PREFIX;
}

static int fault(struct connection *c, int err, const char *why)
{
    conn_fault(c, err, why);
    return err;
}

/* ---- R5 and R6 ---- */

/* R6: bytes from the stack: > 0, 0 nothing now, or this event has had its bytes; < 0
 * faulted. These bytes, and nothing else, say that the peer is alive. */
static ssize_t read_bulk(struct connection *c, void *buf, size_t len)
{
    uint64_t at = c->in_at + (c->recv_end - c->recv_start), began = 0, now;
    ssize_t n;

    len = MIN(len, c->read_left);
    if (len == 0) {
        return 0;
    }
    if (TRACE_ON(c->os)) {
        began = os_monotonic_ns(c->os);
    }
    n = connected_socket_read(c->socket, buf, len);
    now = os_monotonic_ns(c->os);
    TRACE(c->os, R6_READ_BULK, .obj = c->trace_id, .val = (int32_t)n, .a0 = at, .a1 = len,
          .aux = (uint32_t)(now - began));
    if (n < 0) {
        return fault(c, (int)n, connected_socket_why(c->socket, (int)n));
    }
    if (n > 0) {
        c->heard_ns = now;
        c->read_left -= (size_t)n;
    }
    WORKER_COUNT(c->worker, msgr_recv_bytes, (uint64_t)n);
    return n;
}

static int fill_recv_buf(struct connection *c)
{
    size_t want = c->was_ready ? RECV_PREFETCH : RECV_PREFETCH_HANDSHAKE;
    ssize_t n;

    CHECK(c->recv_start == c->recv_end);
    c->recv_start = c->recv_end = 0;
    if (c->recv_buf.len < want) {
        buffer_fini(&c->recv_buf);
        if (buffer_alloc(&c->recv_buf, want) < 0) {
            return fault(c, -ENOMEM, "no memory for recv_buf");
        }
    }
    n = read_bulk(c, c->recv_buf.data, c->recv_buf.len);
    if (n > 0) {
        c->recv_end = (size_t)n;
    }
    return n < 0 ? (int)n : n > 0;
}

static size_t take_recv_buf(struct connection *c, uint8_t *dst, size_t len)
{
    size_t n = MIN(len, c->recv_end - c->recv_start);

    if (n > 0) {
        memcpy(dst, c->recv_buf.data + c->recv_start, n);
        c->recv_start += n;
        c->in_at += n;
    }
    return n;
}

/* Continues to fill dst[0..len); in.done counts what has arrived in former calls. */
static int fill_piece(struct connection *c, uint8_t *dst, size_t len,
                      size_t *ret_prefetched)
{
    for (;;) {
        size_t got = take_recv_buf(c, dst + c->in.done, len - c->in.done);
        ssize_t n;

        *ret_prefetched += got;
        c->in.done += got;
        if (c->in.done == len) {
            return 1;
        }
        if (len - c->in.done >= RECV_PREFETCH) {
            n = read_bulk(c, dst + c->in.done, len - c->in.done);
            if (n > 0) {
                c->in.done += (size_t)n;
                c->in_at += (size_t)n;
            }
        } else {
            n = fill_recv_buf(c);
        }
        if (n <= 0) {
            return (int)n;
        }
    }
}

/* R5. in.done goes back to 0 when the piece is complete. */
static int read_until(struct connection *c, void *dst, size_t len)
{
    uint64_t at = c->in_at;
    size_t want = len - c->in.done, prefetched = 0;
    uint32_t trace_id = c->trace_id;
    struct os *os = c->os;
    int result = fill_piece(c, dst, len, &prefetched);

    TRACE(os, R5_READ_UNTIL, .obj = trace_id, .val = (int32_t)want, .a0 = at,
          .a1 = prefetched, .aux = result == 0 ? (uint32_t)(len - c->in.done) : 0);
    if (result > 0) {
        c->in.done = 0;
    }
    return result;
}

/* ---- banner ---- */

/* Somebody else speaks here: keeps what of it has come already. */
static int refuse_stranger(struct connection *c, size_t got)
{
    uint8_t first[CONN_FIRST_BYTES];
    const char *why;
    size_t n = MIN(c->recv_end - c->recv_start, sizeof(first) - got);

    memcpy(first, c->in.raw, got);
    if (n > 0) {
        memcpy(first + got, c->recv_buf.data + c->recv_start, n);
    }
    conn_saw_stranger(c, first, got + n);
    banner_is_possible(first, got + n, &why);
    return fault(c, -EPROTO, why);
}

static int read_banner_prefix(struct connection *c)
{
    const char *why;
    int result = read_until(c, c->in.raw, BANNER_PREFIX_BYTES), len;

    if (result < 0) {
        return result;
    }
    if (!banner_is_possible(c->in.raw, result > 0 ? BANNER_PREFIX_BYTES : c->in.done,
                            &why)) {
        return refuse_stranger(c, result > 0 ? BANNER_PREFIX_BYTES : c->in.done);
    }
    if (result == 0) {
        return 0;
    }
    len = banner_decode_prefix(c->in.raw, &why);
    if (len < 0) {
        return fault(c, len, why);
    }
    if (buffer_alloc(&c->in.segments[0], (size_t)len) < 0) {
        return fault(c, -ENOMEM, "no memory for a banner");
    }
    c->in.state = IN_BANNER_PAYLOAD;
    return 1;
}

static int read_banner_payload(struct connection *c)
{
    struct buffer *payload = &c->in.segments[0];
    int result = read_until(c, payload->data, payload->len);
    struct banner banner;

    if (result <= 0) {
        return result;
    }
    if (banner_decode_payload(payload->data, payload->len, &banner) < 0) {
        return fault(c, -EBADMSG, "bad banner payload");
    }
    drop_frame(c);
    result = handshake_banner(c, &banner);
    return result < 0 ? result : 1;
}

/* ---- frames ---- */

static int begin_control(struct connection *c)
{
    const struct preamble *p = &c->in.preamble;

    if (p->segments != 1) {
        return fault(c, -EBADMSG, "control frame with several segments");
    }
    if (p->len[0] > FRAME_CONTROL_MAX) {
        return fault(c, -EMSGSIZE, "control frame too long");
    }
    if (buffer_alloc(&c->in.segments[0], p->len[0]) < 0) {
        return fault(c, -ENOMEM, "no memory for a frame");
    }
    c->in.state = IN_SEGMENT;
    return 1;
}

static int begin_message(struct connection *c)
{
    const struct preamble *p = &c->in.preamble;
    uint64_t bytes = 0;

    for (int i = 1; i < p->segments; i++) {
        bytes += p->len[i];
    }
    if (p->len[0] != MESSAGE_HEADER_BYTES) {
        return fault(c, -EBADMSG, "message header of a wrong length");
    }
    if (bytes > c->m->opts.message_bytes_max) {
        return fault(c, -EMSGSIZE, "message too long");
    }
    c->in.msg = message_new(0);
    if (c->in.msg == NULL) {
        return fault(c, -ENOMEM, "no memory for a message");
    }
    c->in.state = IN_THROTTLE;
    return 1;
}

static int read_preamble(struct connection *c)
{
    uint64_t at = c->in_at - c->in.done;
    int result = read_until(c, c->in.raw, PREAMBLE_BYTES);
    struct preamble *p = &c->in.preamble;
    const char *why;
    bool legal;

    if (result <= 0) {
        return result;
    }
    c->in.at = at;
    c->in.segment = 0;
    if (preamble_decode(c->in.raw, p, &why) < 0) {
        return fault(c, -EBADMSG, why);
    }
    if (frame_tag_name(p->tag) == NULL) {
        return fault(c, -EBADMSG, "unknown frame tag");
    }
    legal = c->was_ready ? session_accepts(p->tag) : handshake_accepts(c, p->tag);
    if (!legal) {
        return fault(c, -EPROTO, "frame not legal in this state");
    }
    return p->tag == TAG_MESSAGE ? begin_message(c) : begin_control(c);
}

/* R4: memory for the message, now that its budgets are held. The header has a place
 * already. */
static int allocate_segments(struct connection *c)
{
    for (uint32_t i = 0; i < c->in.preamble.segments; i++) {
        size_t len = c->in.preamble.len[i];

        if (len > 0) {
            TRACE(c->os, R4_ALLOCATE, .obj = c->trace_id, .val = (int32_t)len, .a0 = i,
                  .a1 = c->in.at);
        }
        if (i > 0 && buffer_alloc(&c->in.segments[i], len) < 0) {
            return fault(c, -ENOMEM, "no memory for a message segment");
        }
    }
    c->in.state = IN_SEGMENT;
    return 1;
}

/* While a message waits for its budgets nothing is read, so a level-triggered driver must
 * not be told about the socket, or it would report it without end. */
static int wait_for_budget(struct connection *c)
{
    bool was_waiting = c->waiting_on != NULL;

    if (session_throttle(c) == 0) {
        if (!was_waiting) {
            event_center_delete_file_event(&c->worker->center, c->fd, OS_READABLE);
        }
        return 0;
    }
    if (was_waiting) {
        int err = conn_watch(c, OS_READABLE);

        if (err < 0) {
            return err;
        }
    }
    return allocate_segments(c);
}

static int read_segment(struct connection *c)
{
    uint32_t i = c->in.segment, len = c->in.preamble.len[i];
    uint8_t *dst;
    int result = 1;

    dst = c->in.msg != NULL && i == 0 ? c->in.header : c->in.segments[i].data;
    if (len > 0) {
        result = read_until(c, dst, len);
    }
    if (result <= 0) {
        return result;
    }
    c->in.crcs[i] = crc32c(CRC32C_SEED_SEGMENT, dst, len);
    if (i == 0 && frame_segment0_crc_bytes(&c->in.preamble, c->rev1) > 0) {
        c->in.state = IN_SEGMENT0_CRC;
    } else if (i + 1 < c->in.preamble.segments) {
        c->in.segment++;
    } else {
        c->in.state = IN_EPILOGUE;
    }
    return 1;
}

static int read_segment0_crc(struct connection *c)
{
    int result = read_until(c, c->in.raw, 4);

    if (result <= 0) {
        return result;
    }
    if (wire_load_u32(c->in.raw) != c->in.crcs[0]) {
        return fault(c, -EBADMSG, "segment 0 crc mismatch");
    }
    if (c->in.preamble.segments > 1) {
        c->in.segment = 1;
        c->in.state = IN_SEGMENT;
    } else {
        c->in.state = IN_EPILOGUE;
    }
    return 1;
}

/* The frame is here and its crcs are right. */
static int handle_frame(struct connection *c)
{
    enum frame_tag tag = c->in.preamble.tag;
    struct buffer payload = c->in.segments[0];
    struct wire_reader r = wire_reader(payload.data, payload.len);
    int err;

    TRACE(c->os, FRAME_IN, .obj = c->trace_id, .a0 = tag,
          .val = (int32_t)(c->in_at - c->in.at), .a1 = c->in.at);
    c->in.state = IN_PREAMBLE;
    if (tag == TAG_MESSAGE) {
        err = session_message(c);
        return err < 0 ? err : 1;
    }
    c->in.segments[0] = (struct buffer){0}; /* ours: the handler may end the connection */
    err = c->was_ready ? session_frame(c, tag, &r) : handshake_frame(c, tag, &r);
    buffer_fini(&payload);
    return err < 0 ? err : 1;
}

static int read_epilogue(struct connection *c)
{
    size_t len = frame_epilogue_bytes(&c->in.preamble, c->rev1);
    bool aborted = false;
    const char *why;
    int result = 1;

    if (len > 0) {
        result = read_until(c, c->in.raw, len);
    }
    if (result <= 0) {
        return result;
    }
    if (len > 0 && epilogue_decode(c->in.raw, &c->in.preamble, c->rev1, c->in.crcs,
                                   &aborted, &why) < 0) {
        return fault(c, -EBADMSG, why);
    }
    if (aborted) {
        drop_frame(c); /* the sender took it back; its seq is not used up */
        return 1;
    }
    return handle_frame(c);
}

static int read_piece(struct connection *c)
{
    switch (c->in.state) {
    case IN_BANNER_PREFIX:
        return read_banner_prefix(c);
    case IN_BANNER_PAYLOAD:
        return read_banner_payload(c);
    case IN_PREAMBLE:
        return read_preamble(c);
    case IN_THROTTLE:
        return wait_for_budget(c);
    case IN_SEGMENT:
        return read_segment(c);
    case IN_SEGMENT0_CRC:
        return read_segment0_crc(c);
    case IN_EPILOGUE:
        return read_epilogue(c);
    }
    CHECK(!"unknown reader state");
    return -EIO;
}

/* The connection is still there. */
static void end_read_event(struct connection *c, bool more, uint64_t began)
{
    if (more || c->read_left == 0) {
        conn_post(c, &c->read_event); /* others first; an edge would not come again */
    }
    if (c->read_left < READ_BYTES_PER_EVENT) {
        c->read_ns = began;
    }
    if (c->in.msg != NULL && c->in.state > IN_THROTTLE) {
        conn_stall_watch(c);
    }
}

int conn_read(struct connection *c)
{
    uint64_t began = os_monotonic_ns(c->os);
    struct worker *worker = c->worker;
    int frames = 0, result = 1;

    c->read_left = READ_BYTES_PER_EVENT;
    while (result > 0 && frames < FRAMES_PER_READ_EVENT) {
        result = read_piece(c);
        /* A fast dispatcher ends nothing at once: that is an event of its own. */
        CHECK(result < 0 || c->sock_state == SOCK_ESTABLISHED);
        if (result > 0 && c->in.state == IN_PREAMBLE) {
            frames++;
        }
    }
    if (result >= 0) {
        end_read_event(c, result > 0, began);
    }
    WORKER_COUNT(worker, msgr_running_recv_time_ns, os_monotonic_ns(c->os) - began);
    return MIN(result, 0);
}
