/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story.h: made-up traces. A fake os whose clock and current thread the test sets, and the
 * records that the engine writes for a message, so that readers and views can be tested
 * against traces of which every number is known.
 *
 * Two nodes, a (1) and b (2), each with the threads app-0, msgr-worker-0 and ms_dispatch.
 */
#ifndef MSGRLAB_TESTS_LIB_STORY_H
#define MSGRLAB_TESTS_LIB_STORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/trace.h"
#include "engine/util.h"

enum { STORY_APP, STORY_WORKER, STORY_DISPATCH, STORY_THREADS };

struct story_node {
    struct os os;
    struct story *story;
    struct os_thread threads[STORY_THREADS];
};

/* One direction of a socket, as the two ends count its bytes. */
struct story_wire {
    uint64_t written, sent, received, consumed;
    uint64_t seq;
};

struct story {
    char path[64];
    struct trace *trace;
    struct story_node nodes[2];
    int node, thread; /* the current one */
    uint64_t now;
    uint64_t flow; /* of the last message */
    uint32_t conn[2], center[2];
    uint64_t cycle, ordinal;
    uint64_t post, wake; /* event ids of the last external_post and notify_write */
    bool queued;         /* the write handler is posted and has not run */
    struct story_wire wire;
};

static inline uint64_t story_monotonic(struct os *os)
{
    return container_of(os, struct story_node, os)->story->now;
}

static inline struct os_thread *story_self(struct os *os)
{
    struct story_node *node = container_of(os, struct story_node, os);

    return &node->threads[node->story->thread];
}

static inline void story_sleep(struct os *os, uint64_t ns)
{
    (void)os;
    (void)ns;
}

/* Which node (0, 1) and thread the next records are from, and how much later. */
static inline struct os *story_on(struct story *s, int node, int thread, uint64_t later)
{
    s->node = node;
    s->thread = thread;
    s->now += later;
    return &s->nodes[node].os;
}

/* Records into a new file in the current directory's build place or /tmp. */
static inline void story_open(struct story *s, const struct trace_opts *opts)
{
    static const struct os_ops ops = {
        .monotonic_ns = story_monotonic,
        .thread_self = story_self,
        .sleep_ns = story_sleep,
    };
    static const char *const names[] = {"app-0", "msgr-worker-0", "ms_dispatch"};
    const char *why = "";
    int fd;

    memset(s, 0, sizeof(*s));
    strcpy(s->path, "/tmp/story.XXXXXX");
    fd = mkstemp(s->path);
    CHECK(fd >= 0);
    close(fd);
    CHECK(trace_open(s->path, opts, &s->trace, &why) == 0);
    s->now = 1000000;
    for (int i = 0; i < 2; i++) {
        struct story_node *node = &s->nodes[i];

        node->story = s;
        node->os.ops = &ops;
        node->os.trace = s->trace;
        node->os.node = (uint8_t)(i + 1);
        strcpy(node->os.name, i ? "b" : "a");
        for (int t = 0; t < STORY_THREADS; t++) {
            node->threads[t].os = &node->os;
            strcpy(node->threads[t].name, names[t]);
        }
    }
}

static inline void story_objects(struct story *s)
{
    for (int i = 0; i < 2; i++) {
        struct os *os = story_on(s, i, STORY_WORKER, 0);

        s->center[i] =
            trace_object(os, TRACE_OBJECT_CENTER, 0, i ? "b/worker-0" : "a/worker-0");
        s->conn[i] = trace_object(os, TRACE_OBJECT_CONN, s->center[i], i ? "b>a" : "a>b");
    }
}

/* Both ends of a new socket. */
static inline void story_connect(struct story *s, uint64_t link)
{
    struct os *os = story_on(s, 0, STORY_WORKER, 1000);

    TRACE(os, CONN_SOCKET, .obj = s->conn[0], .val = 7, .a0 = link, .a1 = 1);
    os = story_on(s, 1, STORY_WORKER, 1000);
    TRACE(os, CONN_SOCKET, .obj = s->conn[1], .val = 9, .a0 = link, .a1 = 0);
    s->wire = (struct story_wire){.seq = s->wire.seq};
}

/* S1 S2 S3 on the application's thread. Returns the flow. */
static inline uint64_t story_submit(struct story *s, uint32_t bytes)
{
    uint64_t flow = 1ULL << 48 | ++s->flow, submit, before;
    struct os *os = story_on(s, 0, STORY_APP, 1000);

    TRACE(os, S1_SEND_MESSAGE, .a0 = 41, .a1 = 127, .val = (int32_t)bytes, .flow = flow);
    s->now += 200;
    submit = TRACE(os, S2_SUBMIT_MESSAGE, .obj = s->conn[0], .flow = flow);
    before = trace_enter(os, submit);
    s->now += 300;
    TRACE(os, S3_QUEUE, .obj = s->conn[0], .a0 = 127, .val = (int32_t)bytes, .a1 = 1,
          .flow = flow);
    s->now += 100;
    if (s->queued) {
        TRACE(os, EXT_MERGE, .obj = s->center[0], .a1 = trace_string(os, "write_handler"));
    } else {
        s->post = TRACE(os, EXT_POST, .obj = s->center[0], .a0 = ++s->ordinal,
                        .a1 = trace_string(os, "write_handler"), .val = 1, .aux = 1);
        s->wake = TRACE(os, WAKEUP, .obj = s->center[0], .a0 = s->ordinal);
        s->queued = true;
    }
    trace_enter(os, before);
    return flow;
}

/* S4: encodes the message; its frame is 100 bytes longer than its payload. */
static inline void story_write(struct story *s, uint64_t flow, uint32_t bytes)
{
    struct os *os = story_on(s, 0, STORY_WORKER, 700);

    TRACE(os, S4_WRITE_MESSAGE, .obj = s->conn[0], .a0 = ++s->wire.seq,
          .val = (int32_t)bytes + 100, .a1 = s->wire.written, .aux = 600, .flow = flow);
    s->wire.written += bytes + 100;
}

/* S5 and S6: hands at most `max` bytes of what was written to the socket. */
static inline void story_send(struct story *s, uint64_t max)
{
    struct os *os = story_on(s, 0, STORY_WORKER, 300);
    uint64_t offered = s->wire.written - s->wire.sent, sent = MIN(offered, max);
    uint64_t event = TRACE(os, S5_TRY_SEND, .obj = s->conn[0], .a0 = s->wire.sent,
                           .val = (int32_t)offered);
    uint64_t before = trace_enter(os, event);

    s->now += 4000;
    TRACE(os, S6_STACK_SEND, .obj = s->conn[0], .a0 = s->wire.sent, .val = (int32_t)sent,
          .a1 = offered, .aux = 3900);
    s->wire.sent += sent;
    trace_enter(os, before);
}

/* The sender's loop: wakes up and runs the write handler, which `s->wire` tells. Returns
 * what trace_enter has to be given back. */
static inline uint64_t story_wake_sender(struct story *s)
{
    struct os *os = story_on(s, 0, STORY_WORKER, 5000);
    uint64_t event;

    TRACE(os, WAIT_EXIT, .obj = s->center[0], .val = 1, .a0 = 5000, .a1 = ++s->cycle);
    s->now += 200;
    event = TRACE(os, FILE_EVENT, .obj = s->center[0], .a0 = 3, .val = 1, .a1 = s->cycle);
    trace_enter(os, event);
    TRACE(os, WAKE_DRAIN, .obj = s->center[0], .val = 1, .cause = s->wake);
    s->now += 200;
    event = TRACE(os, EXT_RUN, .obj = s->center[0], .a1 = trace_string(os, "write_handler"),
                  .a0 = s->ordinal, .cause = s->post);
    s->queued = false;
    return trace_enter(os, event);
}

static inline void story_sleep_center(struct story *s, int node)
{
    struct os *os = story_on(s, node, STORY_WORKER, 500);

    trace_enter(os, 0);
    TRACE(os, WAIT_ENTER, .obj = s->center[node], .a0 = UINT64_MAX, .a1 = s->cycle);
}

/* R3: the receiver wakes up for its socket. */
static inline void story_read_event(struct story *s)
{
    struct os *os = story_on(s, 1, STORY_WORKER, 9000);
    uint64_t event;

    TRACE(os, WAIT_EXIT, .obj = s->center[1], .val = 1, .a0 = 9000, .a1 = ++s->cycle);
    s->now += 100;
    event = TRACE(os, FILE_EVENT, .obj = s->center[1], .a0 = 9 | 1ULL << 32, .val = 1,
                  .a1 = s->cycle);
    trace_enter(os, event);
    s->now += 100;
    TRACE(os, R3_READ_EVENT, .obj = s->conn[1], .a0 = 9 | 1ULL << 32,
          .a1 = s->wire.consumed);
}

/* R6: reads at most `max` bytes of what was sent. */
static inline void story_read(struct story *s, uint64_t max)
{
    struct os *os = story_on(s, 1, STORY_WORKER, 2000);
    uint64_t got = MIN(s->wire.sent - s->wire.received, max);

    TRACE(os, R6_READ_BULK, .obj = s->conn[1], .a0 = s->wire.received, .val = (int32_t)got,
          .a1 = max, .aux = 1900);
    s->wire.received += got;
}

/* R5 R4 R5 R7: takes a message of that payload, which has been read; then the dispatch. */
static inline void story_receive(struct story *s, uint64_t seq, uint32_t bytes)
{
    struct os *os = story_on(s, 1, STORY_WORKER, 100);
    uint64_t at = s->wire.consumed;

    TRACE(os, R5_READ_UNTIL, .obj = s->conn[1], .a0 = at, .val = 32, .a1 = 32);
    s->now += 100;
    TRACE(os, R4_ALLOCATE, .obj = s->conn[1], .a1 = at, .val = (int32_t)bytes, .a0 = 1);
    s->now += 100;
    TRACE(os, R5_READ_UNTIL, .obj = s->conn[1], .a0 = at + 32, .val = (int32_t)bytes + 68,
          .a1 = bytes + 68);
    s->now += 400;
    TRACE(os, R7_DISPATCH, .obj = s->conn[1], .a0 = seq, .val = (int32_t)bytes + 100,
          .a1 = at, .aux = 41);
    s->wire.consumed = at + bytes + 100;
    TRACE(os, DISPATCH_ENQUEUE, .obj = s->conn[1], .a0 = seq, .val = 127, .a1 = 1);
}

static inline void story_dispatch(struct story *s, uint64_t seq)
{
    struct os *os = story_on(s, 1, STORY_DISPATCH, 3000);
    uint64_t event = TRACE(os, DISPATCH_BEGIN, .obj = s->conn[1], .a0 = seq, .a1 = 41);
    uint64_t before = trace_enter(os, event);

    s->now += 1500;
    trace_enter(os, before);
    TRACE(os, DISPATCH_END, .obj = s->conn[1], .a0 = seq, .aux = 1500);
}

/* `n` messages, each sent and received before the next. */
static inline void story_messages(struct story *s, int n, uint32_t bytes)
{
    for (int i = 0; i < n; i++) {
        uint64_t flow = story_submit(s, bytes);

        story_wake_sender(s);
        story_write(s, flow, bytes);
        story_send(s, UINT64_MAX);
        story_sleep_center(s, 0);
        story_read_event(s);
        story_read(s, 65536);
        story_receive(s, s->wire.seq, bytes);
        story_sleep_center(s, 1);
        story_dispatch(s, s->wire.seq);
    }
}

static inline void story_close(struct story *s)
{
    CHECK(trace_close(s->trace) == 0);
}

static inline void story_remove(struct story *s)
{
    unlink(s->path);
}

#endif
