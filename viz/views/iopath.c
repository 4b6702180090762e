/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iopath.c: counts steps and connections.
 *
 * Where a connection comes from: `cause` and what the same thread did before (calls on one
 * thread), the queue that a record names (wake-ups), and the joined messages (waiting in
 * queues, the network). Reading is recorded inside out, R6 before the R5 that called it;
 * the R6 records of a thread wait here for that R5.
 */
#include "viz/views/iopath.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/array.h"
#include "engine/base/map.h"
#include "engine/util.h"

/* More boxes than this cannot be read. */
#define BOXES_MAX 26
/* Nor can more connections; only a trace made to be bad has them. */
#define EDGES_MAX 600
/* How far a cause is followed. */
#define CAUSES_MAX 6

/* ---- lanes ------------------------------------------------------------------------ */

/* What one thread has been doing. */
struct thread_state {
    uint8_t lane;
    uint16_t steps;  /* which steps it ran, as bits */
    enum place step; /* last step whose own time is not known yet; AT_PLACES */
    uint64_t step_ns;
    enum place reading; /* last of R3 R4 R5 R7; AT_PLACES */
    uint64_t reading_cause;
    uint32_t reading_obj;
    uint64_t run_counted, file_counted; /* events that already count as the way to S4, S5 */
    struct iopath_edge *pending; /* wire -> R6 of R6 records that wait for their R5 */
    uint64_t pending_calls, pending_bytes;
    uint64_t direct_bytes, prefetched_bytes; /* how R5 got its bytes */
};

struct collector {
    const struct view_input *in;
    struct iopath *path;
    struct thread_state *threads; /* by place in the reader's list */
    struct map by_edge;
    uint8_t poller[256]; /* the lane of a node's R2 */
    bool failed;
};

/* "worker" of "worker-3". */
static void put_role(const char *name, char *buf, size_t size)
{
    size_t n;

    snprintf(buf, size, "%s", name);
    n = strlen(buf);
    while (n > 0 && buf[n - 1] >= '0' && buf[n - 1] <= '9') {
        n--;
    }
    if (n > 1 && n < strlen(buf) && buf[n - 1] == '-') {
        snprintf(buf + n, size - n, "N");
    }
}

/* Names the lanes with threads told apart (0), or grouped by node and role (1) or by role
 * (2). Returns how many boxes that makes. */
static unsigned make_lanes(struct collector *c, int level)
{
    uint16_t steps[LANES_MAX] = {0};
    unsigned boxes = 0;

    c->path->n_lanes = 0;
    for (size_t t = 0; t < trace_reader_threads(c->in->reader); t++) {
        const struct trace_thread *thread = trace_reader_thread(c->in->reader, t);
        char name[40], role[20];
        unsigned lane = 0;

        if (c->threads[t].steps == 0) {
            continue;
        }
        put_role(thread->name, role, sizeof(role));
        snprintf(name, sizeof(name), "%s%s%s", level < 2 ? thread->node_name : "",
                 level < 2 ? "." : "", level > 0 ? role : thread->name);
        while (lane < c->path->n_lanes && strcmp(c->path->lanes[lane], name) != 0) {
            lane++;
        }
        if (lane == c->path->n_lanes && lane < LANES_MAX) {
            snprintf(c->path->lanes[lane], sizeof(name), "%s",
                     lane == LANES_MAX - 1 ? "other threads" : name);
            c->path->n_lanes++;
        }
        lane = MIN(lane, LANES_MAX - 1);
        c->threads[t].lane = (uint8_t)lane;
        boxes += (unsigned)__builtin_popcount(c->threads[t].steps & ~steps[lane]);
        steps[lane] |= c->threads[t].steps;
    }
    return boxes;
}

static struct thread_state *thread_of(struct collector *c, const struct trace_record *r)
{
    size_t t = trace_reader_thread_of(c->in->reader, r->node, r->thread);

    return &c->threads[t];
}

static void choose_lanes(struct collector *c)
{
    static const char *const grouped[] = {NULL, "threads of a node by role",
                                          "threads by role"};
    int level = 0;

    for (size_t i = 0; i < trace_reader_count(c->in->reader); i++) {
        const struct trace_record *r = trace_reader_record(c->in->reader, i);
        enum place place = place_of(r->kind);

        if (place < AT_STEPS) {
            thread_of(c, r)->steps |= (uint16_t)(1u << place);
            c->path->rdma |= place == AT_S7 || place == AT_R1;
        }
    }
    while (make_lanes(c, level) > BOXES_MAX && level < 2) {
        level++;
    }
    c->path->grouped = grouped[level];
    for (size_t i = 0; i < trace_reader_threads(c->in->reader); i++) {
        if ((c->threads[i].steps & 1u << AT_R2) != 0) {
            c->poller[trace_reader_thread(c->in->reader, i)->node] = c->threads[i].lane;
        }
    }
}

/* ---- edges ------------------------------------------------------------------------ */

static uint64_t edge_key(enum place from, unsigned from_lane, enum place to,
                         unsigned to_lane)
{
    return (uint64_t)from << 24 | (uint64_t)from_lane << 16 | (uint64_t)to << 8 | to_lane;
}

static const struct reference_edge *find_reference(enum place from, enum place to)
{
    for (size_t i = 0; i < reference_edges_n; i++) {
        if (reference_edges[i].from == from && reference_edges[i].to == to) {
            return &reference_edges[i];
        }
    }
    return NULL;
}

/* The connection of two places, made at its first use. Data structures have lane 0. */
static struct iopath_edge *edge_of(struct collector *c, enum place from, unsigned from_lane,
                                   enum place to, unsigned to_lane)
{
    uint64_t key = edge_key(from, from_lane, to, to_lane);
    uint64_t at = map_get(&c->by_edge, key, MAP_NONE);
    const struct reference_edge *reference = find_reference(from, to);
    struct iopath_edge **grown, *edge;

    if (at != MAP_NONE) {
        return c->path->edges[at];
    }
    if (c->path->n_edges == EDGES_MAX) {
        c->path->edges_left_out = true;
        return NULL;
    }
    edge = calloc(1, sizeof(*edge));
    grown = array_grow(c->path->edges, c->path->n_edges, sizeof(*grown));
    if (grown != NULL) {
        c->path->edges = grown;
    }
    if (edge == NULL || grown == NULL || map_put(&c->by_edge, key, c->path->n_edges) < 0) {
        free(edge);
        c->failed = true;
        return NULL;
    }
    *edge = (struct iopath_edge){.from = from,
                                 .to = to,
                                 .from_lane = (uint8_t)from_lane,
                                 .to_lane = (uint8_t)to_lane,
                                 .class_ = reference ? reference->class_ : EDGE_CALL,
                                 .expected = reference != NULL};
    c->path->edges[c->path->n_edges++] = edge;
    return edge;
}

static void count(struct iopath_edge *edge, uint64_t n, uint64_t bytes)
{
    if (edge != NULL) {
        edge->count += n;
        edge->bytes += bytes;
    }
}

static void count_wait(struct iopath_edge *edge, uint64_t from_ns, uint64_t to_ns)
{
    count(edge, 1, 0);
    if (edge != NULL) {
        hist_add(&edge->wait, to_ns > from_ns ? to_ns - from_ns : 0);
    }
}

/* ---- one record ------------------------------------------------------------------- */

/* The nearest cause that is a step, or the run of an event. NULL: none. */
static const struct trace_record *parent_of(const struct collector *c,
                                            const struct trace_record *r)
{
    for (int i = 0; i < CAUSES_MAX && r != NULL && r->cause != 0; i++) {
        r = trace_reader_find(c->in->reader, r->cause);
        if (r != NULL && (place_of(r->kind) < AT_STEPS || r->kind == TP_EXT_RUN ||
                          r->kind == TP_FILE_EVENT || r->kind == TP_TIME_EVENT)) {
            return r;
        }
    }
    return NULL;
}

/* How a step that the loop runs was reached: through the external queue or a file event,
 * once per event; anything else is worth showing. */
static void count_run(struct collector *c, struct thread_state *t,
                      const struct trace_record *parent, enum place step)
{
    const struct trace_record *post;
    uint64_t id;

    if (parent == NULL || parent->kind == TP_TIME_EVENT) {
        return;
    }
    id = trace_reader_id(c->in->reader, parent);
    if (parent->kind == TP_EXT_RUN) {
        post = trace_reader_find(c->in->reader, parent->cause);
        if (id != t->run_counted) {
            t->run_counted = id;
            count_wait(edge_of(c, AT_EXTERNAL, 0, step, t->lane),
                       post ? post->ts : parent->ts, parent->ts);
        }
    } else if (parent->kind == TP_FILE_EVENT) {
        /* S4 and S5 in a read event are answers to control frames, not wake-ups. */
        bool writable = (parent->val & 2) != 0;

        if (id != t->file_counted && (writable || step >= AT_R3)) {
            t->file_counted = id;
            count(edge_of(c, AT_FILES, 0, step, t->lane), 1, 0);
        }
    } else {
        enum place from = place_of(parent->kind);

        /* An acknowledgement or an answer is written while reading. */
        if (from < AT_R3 || from == AT_FAST) {
            count(edge_of(c, from, thread_of(c, parent)->lane, step, t->lane), 1, 0);
        }
    }
}

/* R5 ends a read_until: the R6 calls since then were its own. */
static void take_read_until(struct collector *c, struct thread_state *t,
                            const struct trace_record *r)
{
    uint64_t want = (uint32_t)r->val, served = MIN(r->a1, want);
    uint64_t direct = want - served - MIN((uint64_t)r->aux, want - served);

    if (t->pending_calls > 0) {
        count(edge_of(c, AT_R5, t->lane, AT_R6, t->lane), t->pending_calls, 0);
        if (t->pending_bytes > direct) {
            count(edge_of(c, AT_R6, t->lane, AT_RECV_BUF, 0), t->pending_calls,
                  t->pending_bytes - direct);
        }
        if (direct > 0) {
            count(edge_of(c, AT_R6, t->lane, AT_R5, t->lane), t->pending_calls,
                  MIN(direct, t->pending_bytes));
        }
        t->pending_calls = t->pending_bytes = 0;
    }
    if (served > 0) {
        count(edge_of(c, AT_RECV_BUF, 0, AT_R5, t->lane), 1, served);
    }
}

/* R3 R4 R5 R7 follow each other within one event and connection. */
static void take_reading(struct collector *c, struct thread_state *t,
                         const struct trace_record *r, enum place step)
{
    const struct trace_record *parent;

    if (step == AT_R3 || t->reading == AT_PLACES || t->reading_obj != r->obj ||
        t->reading_cause != r->cause) {
        parent = parent_of(c, r);
        t->pending_calls = step == AT_R5 ? t->pending_calls : 0;
        count_run(c, t, parent, step);
    } else if (t->reading != step) {
        count(edge_of(c, t->reading, t->lane, step, t->lane), 1, 0);
    }
    if (step == AT_R5) {
        take_read_until(c, t, r);
    }
    t->reading = step;
    t->reading_obj = r->obj;
    t->reading_cause = r->cause;
}

static void take_sending(struct collector *c, struct thread_state *t,
                         const struct trace_record *r, enum place step)
{
    const struct trace_record *parent = parent_of(c, r);
    enum place from = parent != NULL ? place_of(parent->kind) : AT_PLACES;

    if (step == AT_S1 && (from == AT_BEGIN || from == AT_FAST)) {
        count(edge_of(c, from, thread_of(c, parent)->lane, AT_S1, t->lane), 1, 0);
    } else if (step == AT_S3) {
        count(edge_of(c, AT_S3, t->lane, AT_OUT_QUEUE, 0), 1, 0);
    } else if (step == AT_S4) {
        count(edge_of(c, AT_S4, t->lane, AT_OUTGOING, 0), 1, (uint32_t)r->val);
        count_run(c, t, parent, AT_S4);
    } else if (step == AT_S5) {
        count(edge_of(c, AT_OUTGOING, 0, AT_S5, t->lane), 1, (uint32_t)r->val);
        count_run(c, t, parent, AT_S5);
    } else if (step == AT_S6) {
        if (from < AT_STEPS) {
            count(edge_of(c, from, thread_of(c, parent)->lane, AT_S6, t->lane), 1, 0);
        }
        if (r->val > 0 && !c->path->rdma) {
            count(edge_of(c, AT_S6, t->lane, AT_WIRE, 0), 1, (uint32_t)r->val);
        }
    } else if (step == AT_S7) {
        count(edge_of(c, AT_S6, t->lane, AT_S7, t->lane), 1, (uint32_t)r->val);
        count(edge_of(c, AT_S7, t->lane, AT_WIRE, 0), 1, (uint32_t)r->val);
    }
}

/* What the RDMA stack's dispatcher thread does. */
static void take_polling(struct collector *c, struct thread_state *t,
                         const struct trace_record *r, enum place step)
{
    if (step == AT_R2) {
        count(edge_of(c, AT_R1, t->lane, AT_R2, t->lane), 1, 0);
        if (r->a1 != 0) { /* it was empty: the worker wakes */
            c->path->notifies++;
            count(edge_of(c, AT_R2, t->lane, AT_NOTIFY, 0), 1, 0);
        }
    }
}

static void take_step(struct collector *c, struct thread_state *t,
                      const struct trace_record *r, enum place step)
{
    struct iopath_step *s = &c->path->steps[step][t->lane];

    s->calls++;
    if (step == AT_S4 || step == AT_S6 || step == AT_R6) {
        hist_add(&s->work, r->aux); /* "took" */
    } else if (step != AT_BEGIN) {
        t->step = step;
        t->step_ns = r->ts;
    }
    if (step <= AT_S7) {
        take_sending(c, t, r, step);
    } else if (step <= AT_R2) {
        take_polling(c, t, r, step);
    } else if (step == AT_R6) {
        if (r->val > 0) {
            enum place from = c->path->rdma ? AT_R2 : AT_WIRE;

            count(edge_of(c, from, c->path->rdma ? c->poller[r->node] : 0, AT_R6, t->lane),
                  1, (uint32_t)r->val);
            t->pending_bytes += (uint32_t)r->val;
        }
        t->pending_calls++;
    } else if (step != AT_BEGIN) {
        take_reading(c, t, r, step);
    }
}

/* The queues of the event center. */
static bool take_center(struct collector *c, struct thread_state *t,
                        const struct trace_record *r)
{
    const struct trace_record *cause;

    switch (r->kind) {
    case TP_EXT_POST:
    case TP_EXT_MERGE:
        c->path->posts += r->kind == TP_EXT_POST;
        c->path->merges += r->kind == TP_EXT_MERGE;
        cause = parent_of(c, r);
        if (cause != NULL &&
            (cause->kind == TP_S2_SUBMIT_MESSAGE || cause->kind == TP_S3_QUEUE)) {
            count(edge_of(c, AT_S3, t->lane, AT_EXTERNAL, 0), 1, 0);
        }
        return true;
    case TP_EXT_RUN:
        c->path->runs++;
        return true;
    case TP_WAKEUP:
        c->path->writes++;
        count(edge_of(c, AT_EXTERNAL, 0, AT_PIPE, 0), 1, 0);
        return true;
    case TP_WAKE_DRAIN:
        c->path->drains++;
        cause = trace_reader_find(c->in->reader, r->cause);
        if (cause != NULL && cause->kind == TP_WAKEUP) {
            count_wait(edge_of(c, AT_PIPE, 0, AT_WAIT, 0), cause->ts, r->ts);
        } else {
            count(edge_of(c, AT_PIPE, 0, AT_WAIT, 0), 1, 0);
        }
        return true;
    case TP_WAIT_EXIT:
        c->path->cycles++;
        if (r->val > 0) {
            count(edge_of(c, AT_WAIT, 0, AT_FILES, 0), 1, 0);
        }
        return true;
    default:
        return false;
    }
}

static void take_record(struct collector *c, const struct trace_record *r)
{
    struct thread_state *t = thread_of(c, r);
    enum place step = place_of(r->kind);

    if (t->step != AT_PLACES) {
        uint64_t passed = r->ts - t->step_ns;
        bool took = step == AT_S4 || step == AT_S6 || step == AT_R6;

        hist_add(&c->path->steps[t->step][t->lane].work,
                 took ? passed - MIN(passed, r->aux) : passed);
        t->step = AT_PLACES;
    }
    if (step < AT_STEPS) {
        take_step(c, t, r, step);
        c->path->shown++;
    } else if (r->kind == TP_DISPATCH_ENQUEUE) {
        if (r->flow == 0) {
            count(edge_of(c, AT_R7, t->lane, AT_DISPATCH_QUEUE, 0), 1, 0);
        }
        c->path->shown++;
    } else if (r->kind == TP_DISPATCH_END) {
        hist_add(&c->path->steps[AT_BEGIN][t->lane].work, r->aux);
        c->path->shown++;
    } else {
        c->path->shown += take_center(c, t, r);
    }
}

/* ---- one message ------------------------------------------------------------------ */

static void take_message(struct collector *c, size_t m)
{
    const struct trace_reader *reader = c->in->reader;
    struct join_time times[JOIN_STEPS];
    const struct trace_record *r[JOIN_STEPS];
    uint8_t lane[JOIN_STEPS];

    join_times(c->in->join, m, times);
    for (enum join_step s = 0; s < JOIN_STEPS; s++) {
        r[s] = times[s].count ? trace_reader_record(reader, times[s].first) : NULL;
        lane[s] = r[s] ? thread_of(c, r[s])->lane : 0;
    }
    if (r[JOIN_S1] && r[JOIN_S2]) {
        count_wait(edge_of(c, AT_S1, lane[JOIN_S1], AT_S2, lane[JOIN_S2]), r[JOIN_S1]->ts,
                   r[JOIN_S2]->ts);
    }
    if (r[JOIN_S2] && r[JOIN_S3]) {
        count_wait(edge_of(c, AT_S2, lane[JOIN_S2], AT_S3, lane[JOIN_S3]), r[JOIN_S2]->ts,
                   r[JOIN_S3]->ts);
    }
    if (r[JOIN_S3] && r[JOIN_S4]) {
        count_wait(edge_of(c, AT_OUT_QUEUE, 0, AT_S4, lane[JOIN_S4]), r[JOIN_S3]->ts,
                   r[JOIN_S4]->ts - MIN(r[JOIN_S4]->ts, r[JOIN_S4]->aux));
    }
    if (r[JOIN_S7] && r[JOIN_R1]) {
        count_wait(edge_of(c, AT_WIRE, 0, AT_R1, lane[JOIN_R1]), r[JOIN_S7]->ts,
                   r[JOIN_R1]->ts);
    }
    if (r[JOIN_R2] && r[JOIN_R3]) {
        count_wait(edge_of(c, AT_NOTIFY, 0, AT_FILES, 0), r[JOIN_R2]->ts, r[JOIN_R3]->ts);
    } else if (r[JOIN_S6] && r[JOIN_R3]) {
        count_wait(edge_of(c, AT_WIRE, 0, AT_FILES, 0), r[JOIN_S6]->ts, r[JOIN_R3]->ts);
    }
    if (r[JOIN_ENQUEUE] && r[JOIN_BEGIN]) {
        count_wait(edge_of(c, AT_DISPATCH_QUEUE, 0, AT_BEGIN, lane[JOIN_BEGIN]),
                   r[JOIN_ENQUEUE]->ts, r[JOIN_BEGIN]->ts);
    }
    if (r[JOIN_S2] && r[JOIN_LOCAL]) {
        count(edge_of(c, AT_S2, lane[JOIN_S2], AT_DISPATCH_QUEUE, 0), 1, 0);
    }
}

/* ---- all together ----------------------------------------------------------------- */

struct iopath *iopath_new(const struct view_input *in)
{
    struct collector c = {.in = in};
    size_t n = trace_reader_threads(in->reader);

    c.path = calloc(1, sizeof(*c.path));
    c.threads = calloc(n + 1, sizeof(*c.threads));
    c.failed = c.path == NULL || c.threads == NULL;
    if (!c.failed) {
        for (size_t i = 0; i <= n; i++) {
            c.threads[i].step = c.threads[i].reading = AT_PLACES;
        }
        choose_lanes(&c);
    }
    for (size_t i = 0; i < trace_reader_count(in->reader) && !c.failed; i++) {
        take_record(&c, trace_reader_record(in->reader, i));
    }
    for (size_t m = 0; m < join_count(in->join) && !c.failed; m++) {
        take_message(&c, m);
    }
    map_fini(&c.by_edge);
    free(c.threads);
    if (c.failed) {
        iopath_free(c.path);
        return NULL;
    }
    return c.path;
}

void iopath_free(struct iopath *path)
{
    if (path == NULL) {
        return;
    }
    for (size_t i = 0; i < path->n_edges; i++) {
        free(path->edges[i]);
    }
    free(path->edges);
    free(path);
}

bool iopath_expects(const struct iopath *path, const struct reference_edge *edge)
{
    return !edge->optional &&
           (edge->stack == WITH_ANY || (edge->stack == WITH_RDMA) == path->rdma);
}

bool iopath_has(const struct iopath *path, enum place from, enum place to)
{
    for (size_t i = 0; i < path->n_edges; i++) {
        if (path->edges[i]->from == from && path->edges[i]->to == to) {
            return true;
        }
    }
    return false;
}
