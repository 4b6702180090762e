/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join.c: two passes over the records.
 *
 *   pass 1  in time order: follow which wire each connection is on; collect messages (by
 *           flow), their places on wires (S4), what was received (R7), and the calls
 *   then    per wire: join received to sent by byte range; name the first message of a call
 *   pass 2  dispatch records, by (connection, seq) of the R7 before them
 *
 * Which calls served a message is not stored but looked up (join_events): offsets only grow
 * on a wire, so they are neighbours in its list of calls. That keeps memory linear even
 * when a thousand messages share a thousand calls.
 */
#include "viz/join/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "viz/join/join_private.h"
#include "viz/trace/points.h"

/* ---- wires ------------------------------------------------------------------------ */

static uint32_t add_wire(struct join *join)
{
    struct wire *grown = array_grow(join->wires, join->n_wires, sizeof(*join->wires));

    if (grown == NULL) {
        return JOIN_NONE;
    }
    join->wires = grown;
    join->wires[join->n_wires] = (struct wire){0};
    return (uint32_t)join->n_wires++;
}

static uint32_t add_socket(struct join *join, uint64_t link)
{
    struct socket *grown =
        array_grow(join->sockets, join->n_sockets, sizeof(*join->sockets));
    struct socket *s;

    if (grown == NULL) {
        return JOIN_NONE;
    }
    join->sockets = grown;
    s = &join->sockets[join->n_sockets];
    *s = (struct socket){.dialler = JOIN_NONE};
    s->wire[0] = add_wire(join);
    s->wire[1] = add_wire(join);
    if (s->wire[0] == JOIN_NONE || s->wire[1] == JOIN_NONE ||
        (link != 0 && map_put(&join->by_link, link, join->n_sockets) < 0)) {
        return JOIN_NONE;
    }
    return (uint32_t)join->n_sockets++;
}

/* The connection with that object, made at its first record; on a socket nobody else knows
 * until a CONN_SOCKET record says better. */
static struct conn *conn_of(struct join *join, uint32_t object)
{
    uint32_t at = (uint32_t)map_get(&join->by_object, object, JOIN_NONE);
    struct conn *grown;

    if (at != JOIN_NONE) {
        return &join->conns[at];
    }
    grown = array_grow(join->conns, join->n_conns, sizeof(*join->conns));
    if (grown == NULL) {
        return NULL;
    }
    join->conns = grown;
    at = (uint32_t)join->n_conns;
    join->conns[at] = (struct conn){.socket = JOIN_NONE, .object = object};
    if (map_put(&join->by_object, object, at) < 0) {
        return NULL;
    }
    join->n_conns++;
    return &join->conns[at];
}

/* The wire a connection sends on (out) or receives from. */
static uint32_t wire_of(struct join *join, struct conn *conn, bool out)
{
    if (conn->socket == JOIN_NONE) {
        conn->socket = add_socket(join, 0);
    }
    if (conn->socket == JOIN_NONE) {
        return JOIN_NONE;
    }
    return join->sockets[conn->socket].wire[conn->dialled == out ? 0 : 1];
}

/* The dialler has left its socket, so its link may come again with another one. */
static void leave_socket(struct join *join, const struct conn *conn)
{
    if (conn->socket != JOIN_NONE && conn->dialled) {
        join->sockets[conn->socket].over = true;
    }
}

/* CONN_SOCKET: the connection is on a new socket. The two ends may be recorded in any
 * order, and an accepted socket may change hands, so several accepted ends can have one
 * dialler. */
static int enter_socket(struct join *join, struct conn *conn,
                        const struct trace_record *record)
{
    bool dialled = record->a1 != 0;
    uint32_t at = (uint32_t)map_get(&join->by_link, record->a0, JOIN_NONE);

    leave_socket(join, conn);
    if (at != JOIN_NONE &&
        (join->sockets[at].over || (dialled && join->sockets[at].dialler != JOIN_NONE))) {
        at = JOIN_NONE;
    }
    if (at == JOIN_NONE) {
        at = add_socket(join, record->a0);
    }
    if (at == JOIN_NONE) {
        return -ENOMEM;
    }
    conn->socket = at;
    conn->dialled = dialled;
    if (dialled) {
        join->sockets[at].dialler = conn->object;
    } else {
        join->sockets[at].accepted = true;
    }
    return 0;
}

static int note_call(struct join *join, uint32_t w, enum call_kind kind, uint32_t record)
{
    struct call_list *list;
    uint32_t *grown;

    if (w == JOIN_NONE) {
        return -ENOMEM;
    }
    list = &join->wires[w].calls[kind];
    grown = array_grow(list->records, list->n, sizeof(*list->records));
    if (grown == NULL) {
        return -ENOMEM;
    }
    list->records = grown;
    list->records[list->n++] = record;
    return 0;
}

static int add_span(struct join *join, uint32_t w, uint32_t m, uint64_t start,
                    uint64_t bytes)
{
    struct span *grown = array_grow(join->spans, join->n_spans, sizeof(*join->spans));
    struct wire *wire;
    uint32_t *list;

    if (grown == NULL || w == JOIN_NONE) {
        return -ENOMEM;
    }
    join->spans = grown;
    wire = &join->wires[w];
    list = array_grow(wire->spans, wire->n_spans, sizeof(*wire->spans));
    if (list == NULL) {
        return -ENOMEM;
    }
    wire->spans = list;
    wire->spans[wire->n_spans++] = (uint32_t)join->n_spans;
    join->spans[join->n_spans] = (struct span){.start = start,
                                               .end = range_end(start, bytes),
                                               .wire = w,
                                               .message = m,
                                               .next = join->messages[m].span};
    join->messages[m].span = (uint32_t)join->n_spans++;
    return 0;
}

/* ---- pass 1 ----------------------------------------------------------------------- */

/* S1 S2 S3 S4 and local delivery: everything that carries a flow by right. */
static int take_flow_step(struct join *join, const struct trace_record *r, uint32_t record)
{
    uint32_t m = r->flow != 0 ? join_message_of_flow(join, r->flow, record) : JOIN_NONE;
    struct join_message *message;
    struct conn *conn;

    if (r->flow == 0) {
        return 0;
    }
    if (m == JOIN_NONE) {
        return -ENOMEM;
    }
    message = &join->messages[m];
    message->from_node = r->node;
    if (r->obj != 0) {
        message->from_conn = r->obj;
    }
    join_chain(join, m, record);
    switch (r->kind) {
    case TP_S1_SEND_MESSAGE:
        message->type = r->a0;
        message->priority = r->a1;
        message->bytes = (uint32_t)r->val;
        return 0;
    case TP_LOCAL_DELIVERY:
        message->local = true;
        message->to_node = r->node;
        message->to_conn = r->obj;
        return 0;
    case TP_S4_WRITE_MESSAGE:
        message->sent = true;
        message->writes++;
        message->seq = r->a0;
        message->frame = (uint32_t)r->val;
        conn = conn_of(join, r->obj);
        return conn == NULL
                   ? -ENOMEM
                   : add_span(join, wire_of(join, conn, true), m, r->a1, (uint32_t)r->val);
    default:
        return 0;
    }
}

static int take_call(struct join *join, const struct trace_record *r, uint32_t record,
                     enum call_kind kind, bool out)
{
    struct range range = range_of(r);
    struct conn *conn;

    if (r->obj == 0 || (kind <= CALL_R6 && range.start == range.end)) {
        return 0; /* it moved nothing, or for nobody */
    }
    conn = conn_of(join, r->obj);
    return conn == NULL ? -ENOMEM : note_call(join, wire_of(join, conn, out), kind, record);
}

static int follow_record(struct join *join, const struct trace_record *r, uint32_t record)
{
    struct conn *conn;

    switch (r->kind) {
    case TP_S1_SEND_MESSAGE:
    case TP_S2_SUBMIT_MESSAGE:
    case TP_S3_QUEUE:
    case TP_S4_WRITE_MESSAGE:
    case TP_LOCAL_DELIVERY:
        return take_flow_step(join, r, record);
    case TP_S5_TRY_SEND:
        return take_call(join, r, record, CALL_S5, true);
    case TP_S6_STACK_SEND:
        return take_call(join, r, record, CALL_S6, true);
    case TP_S7_POST_SEND:
        return take_call(join, r, record, CALL_S7, true);
    case TP_R1_POLL_CQ:
        return take_call(join, r, record, CALL_R1, false);
    case TP_R2_NOTIFY:
        return take_call(join, r, record, CALL_R2, false);
    case TP_R3_READ_EVENT:
        return take_call(join, r, record, CALL_R3, false);
    case TP_R4_ALLOCATE:
        return take_call(join, r, record, CALL_R4, false);
    case TP_R5_READ_UNTIL:
        return take_call(join, r, record, CALL_R5, false);
    case TP_R6_READ_BULK:
        return take_call(join, r, record, CALL_R6, false);
    case TP_R7_DISPATCH:
        return take_call(join, r, record, CALL_R7, false);
    case TP_CONN_SOCKET:
        conn = conn_of(join, r->obj);
        return conn == NULL ? -ENOMEM : enter_socket(join, conn, r);
    case TP_CONN_FAULT:
    case TP_CONN_STOP:
    case TP_CONN_FREE:
        conn = conn_of(join, r->obj);
        if (conn != NULL) {
            leave_socket(join, conn);
        }
        return conn == NULL ? -ENOMEM : 0;
    default:
        return 0;
    }
}

/* ---- wire by wire ----------------------------------------------------------------- */

static int compare_spans(const void *a, const void *b, void *arg)
{
    const struct span *spans = arg;
    const struct span *l = &spans[*(const uint32_t *)a], *r = &spans[*(const uint32_t *)b];

    if (l->start != r->start) {
        return l->start < r->start ? -1 : 1;
    }
    return l < r ? -1 : l > r;
}

static void sort_spans(struct join *join, struct wire *wire)
{
    if (wire->n_spans > 1) {
        qsort_r(wire->spans, wire->n_spans, sizeof(*wire->spans), compare_spans,
                join->spans);
    }
}

/* The first of n spans of the wire that reaches behind `start`; its place, or n. */
static size_t first_span(const struct join *join, const struct wire *wire, size_t n,
                         uint64_t start)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (join->spans[wire->spans[middle]].end <= start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Joins one R7 to the message that was written there, or makes a message of its own. */
static int take_received(struct join *join, uint32_t w, size_t n_sent, uint32_t record)
{
    const struct trace_record *r = trace_reader_record(join->reader, record);
    struct wire *wire = &join->wires[w];
    size_t at = first_span(join, wire, n_sent, r->a1);
    struct join_message *message;
    uint32_t m;
    int rc = 0;

    if (at < n_sent &&
        join->spans[wire->spans[at]].start < range_end(r->a1, (uint32_t)r->val)) {
        m = join->spans[wire->spans[at]].message;
    } else {
        uint64_t n = ++join->foreign[r->node];

        m = join_add_message(join, (uint64_t)r->node << 48 | JOIN_ID_FOREIGN | n, record);
        rc = m == JOIN_NONE ? -ENOMEM : add_span(join, w, m, r->a1, (uint32_t)r->val);
        if (rc == 0) {
            join->messages[m].seq = r->a0;
            join->messages[m].type = r->aux;
            join->messages[m].frame = (uint32_t)r->val;
        }
    }
    if (rc < 0) {
        return rc;
    }
    message = &join->messages[m];
    message->received = true;
    message->to_node = r->node;
    message->to_conn = r->obj;
    join_chain(join, m, record);
    return 0;
}

/* Notes the first message of every call on the wire. */
static void name_calls(struct join *join, const struct wire *wire)
{
    for (enum call_kind kind = CALL_S5; kind <= CALL_R6; kind++) {
        for (size_t i = 0; i < wire->calls[kind].n; i++) {
            uint32_t record = wire->calls[kind].records[i];
            struct range range = range_of(trace_reader_record(join->reader, record));
            size_t at = first_span(join, wire, wire->n_spans, range.start);
            const struct span *spans = join->spans;

            join->totals.calls++;
            if (at == wire->n_spans || spans[wire->spans[at]].start >= range.end) {
                continue;
            }
            join->totals.calls_joined++;
            join->message_of[record] = spans[wire->spans[at]].message;
            if (at + 1 < wire->n_spans && spans[wire->spans[at + 1]].start < range.end) {
                join->message_of[record] |= MORE_MESSAGES;
            }
        }
    }
}

static int join_wire(struct join *join, uint32_t w)
{
    size_t n_sent = join->wires[w].n_spans;
    int rc = 0;

    sort_spans(join, &join->wires[w]);
    for (size_t i = 0; i < join->wires[w].calls[CALL_R7].n && rc == 0; i++) {
        rc = take_received(join, w, n_sent, join->wires[w].calls[CALL_R7].records[i]);
    }
    sort_spans(join, &join->wires[w]);
    name_calls(join, &join->wires[w]);
    return rc;
}

/* ---- all together ----------------------------------------------------------------- */

static void count_totals(struct join *join)
{
    struct join_totals *t = &join->totals;

    t->messages = join->n_messages;
    for (size_t i = 0; i < join->n_messages; i++) {
        const struct join_message *m = &join->messages[i];

        t->local += m->local;
        t->complete += m->sent && m->received;
        t->unsent += !m->sent && !m->received && !m->local;
        t->sent_only += m->sent && !m->received;
        t->received_only += m->received && !m->sent;
        t->replayed += m->writes > 1;
    }
    for (size_t i = 0; i < join->n_sockets; i++) {
        t->sockets += 1;
        t->sockets_paired +=
            join->sockets[i].dialler != JOIN_NONE && join->sockets[i].accepted;
    }
}

static int build(struct join *join)
{
    size_t count = trace_reader_count(join->reader);
    int rc = 0;

    join->message_of = malloc((count + 1) * sizeof(uint32_t));
    join->next_of = malloc((count + 1) * sizeof(uint32_t));
    if (join->message_of == NULL || join->next_of == NULL) {
        return -ENOMEM;
    }
    memset(join->message_of, 0xff, count * sizeof(uint32_t));
    memset(join->next_of, 0xff, count * sizeof(uint32_t));
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = follow_record(join, trace_reader_record(join->reader, i), (uint32_t)i);
    }
    for (uint32_t w = 0; w < join->n_wires && rc == 0; w++) {
        rc = join_wire(join, w);
    }
    rc = rc ? rc : join_dispatches(join);
    rc = rc ? rc : join_order_messages(join);
    if (rc == 0) {
        count_totals(join);
    }
    return rc;
}

int trace_join(const struct trace_reader *reader, struct join **ret)
{
    struct join *join = calloc(1, sizeof(*join));
    int rc;

    if (join == NULL) {
        return -ENOMEM;
    }
    join->reader = reader;
    rc = build(join);
    if (rc < 0) {
        join_free(join);
        return rc;
    }
    *ret = join;
    return 0;
}

void join_free(struct join *join)
{
    if (join == NULL) {
        return;
    }
    for (size_t w = 0; w < join->n_wires; w++) {
        for (enum call_kind kind = 0; kind < CALL_KINDS; kind++) {
            free(join->wires[w].calls[kind].records);
        }
        free(join->wires[w].spans);
    }
    free(join->wires);
    free(join->sockets);
    free(join->conns);
    free(join->spans);
    free(join->messages);
    free(join->message_of);
    free(join->next_of);
    map_fini(&join->by_id);
    map_fini(&join->by_link);
    map_fini(&join->by_object);
    free(join);
}
