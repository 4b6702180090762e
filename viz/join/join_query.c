/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_query.c: answers from a finished join. See join.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "viz/join/join_private.h"

/* Read events on other threads in between are skipped, up to so many. */
#define READ_EVENTS_BACK 16

enum join_step join_step_of(uint16_t kind)
{
    switch (kind) {
#define X(id, point, title)                                                                \
    case TP_##point:                                                                       \
        return JOIN_##id;
        IO_STEPS(X)
#undef X
    case TP_EXT_POST:
    case TP_EXT_MERGE:
    case TP_EXT_RUN:
    case TP_WAKEUP:
        return JOIN_POST;
    case TP_LOCAL_DELIVERY:
        return JOIN_LOCAL;
    case TP_DISPATCH_ENQUEUE:
        return JOIN_ENQUEUE;
    case TP_FAST_DISPATCH:
        return JOIN_FAST;
    case TP_DISPATCH_BEGIN:
        return JOIN_BEGIN;
    case TP_DISPATCH_END:
        return JOIN_END;
    default:
        return JOIN_STEPS;
    }
}

const char *join_step_name(enum join_step step)
{
    static const char *const names[] = {
#define X(id, point, title) [JOIN_##id] = #id,
        IO_STEPS(X)
#undef X
            [JOIN_POST] = "wake-up",
        [JOIN_LOCAL] = "local",
        [JOIN_ENQUEUE] = "queue",
        [JOIN_FAST] = "fast dispatch",
        [JOIN_BEGIN] = "begin",
        [JOIN_END] = "end",
    };

    CHECK(step < JOIN_STEPS);
    return names[step];
}

/* ---- numbering -------------------------------------------------------------------- */

static int compare_firsts(const void *a, const void *b, void *arg)
{
    const struct join_message *messages = arg;
    const struct join_message *l = &messages[*(const uint32_t *)a];
    const struct join_message *r = &messages[*(const uint32_t *)b];

    if (l->first != r->first) {
        return l->first < r->first ? -1 : 1;
    }
    return l < r ? -1 : l > r;
}

/* Moves the messages; place[old] = new. */
static void renumber(struct join *join, const uint32_t *place, struct join_message *moved)
{
    for (size_t i = 0; i < join->n_messages; i++) {
        moved[place[i]] = join->messages[i];
    }
    free(join->messages);
    join->messages = moved;
    for (size_t i = 0; i < join->n_spans; i++) {
        join->spans[i].message = place[join->spans[i].message];
    }
    for (size_t i = 0; i < trace_reader_count(join->reader); i++) {
        uint32_t m = join->message_of[i];

        if (m != JOIN_NONE) {
            join->message_of[i] = place[m & ~MORE_MESSAGES] | (m & MORE_MESSAGES);
        }
    }
    for (uint64_t i = 0; i < join->by_id.size; i++) {
        if (join->by_id.entries[i].value != MAP_NONE) {
            join->by_id.entries[i].value = place[join->by_id.entries[i].value];
        }
    }
}

int join_order_messages(struct join *join)
{
    size_t n = join->n_messages;
    uint32_t *order = malloc((n + 1) * sizeof(*order));
    uint32_t *place = malloc((n + 1) * sizeof(*place));
    struct join_message *moved = malloc((n + 1) * sizeof(*moved));

    if (order == NULL || place == NULL || moved == NULL) {
        free(order);
        free(place);
        free(moved);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
    }
    qsort_r(order, n, sizeof(*order), compare_firsts, join->messages);
    for (size_t i = 0; i < n; i++) {
        place[order[i]] = (uint32_t)i;
    }
    renumber(join, place, moved);
    free(order);
    free(place);
    return 0;
}

/* ---- asking ----------------------------------------------------------------------- */

const struct join_totals *join_totals(const struct join *join)
{
    return &join->totals;
}

size_t join_count(const struct join *join)
{
    return join->n_messages;
}

const struct join_message *join_message(const struct join *join, size_t i)
{
    CHECK(i < join->n_messages);
    return &join->messages[i];
}

size_t join_find(const struct join *join, uint64_t id)
{
    uint32_t m = (uint32_t)map_get(&join->by_id, id, JOIN_NONE);

    return m == JOIN_NONE ? join->n_messages : m;
}

size_t join_nth_sent(const struct join *join, uint8_t node, size_t n)
{
    for (size_t i = 0; i < join->n_messages; i++) {
        const struct join_message *m = &join->messages[i];

        if (m->from_node == node && !(m->id & JOIN_ID_FOREIGN) && n-- == 0) {
            return i;
        }
    }
    return join->n_messages;
}

size_t join_of_record(const struct join *join, size_t record, bool *ret_more)
{
    uint32_t m = join->message_of[record];
    uint64_t flow = trace_reader_record(join->reader, record)->flow;

    *ret_more = m != JOIN_NONE && (m & MORE_MESSAGES);
    if (m != JOIN_NONE) {
        return m & ~MORE_MESSAGES;
    }
    return flow != 0 ? join_find(join, flow) : join->n_messages;
}

/* ---- which calls served a message ------------------------------------------------- */

/* Of the calls in the list: which overlap the span? [*ret_from, *ret_to). The offsets of a
 * wire only grow, so they are neighbours. */
static void find_calls(const struct join *join, const struct call_list *list,
                       const struct span *span, size_t *ret_from, size_t *ret_to)
{
    size_t low = 0, high = list->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (range_of(trace_reader_record(join->reader, list->records[middle])).end <=
            span->start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_from = low;
    high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (range_of(trace_reader_record(join->reader, list->records[middle])).start <
            span->end) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_to = low;
}

static enum join_step step_of_call(enum call_kind kind)
{
    static const uint8_t steps[] = {
        [CALL_S5] = JOIN_S5, [CALL_S6] = JOIN_S6, [CALL_S7] = JOIN_S7, [CALL_R1] = JOIN_R1,
        [CALL_R2] = JOIN_R2, [CALL_R4] = JOIN_R4, [CALL_R5] = JOIN_R5, [CALL_R6] = JOIN_R6,
        [CALL_R3] = JOIN_R3, [CALL_R7] = JOIN_R7,
    };

    return steps[kind];
}

/* The read event under which a record of the wire ran; JOIN_NONE. */
static uint32_t find_read_event(const struct join *join, const struct wire *wire,
                                uint32_t record)
{
    const struct call_list *list = &wire->calls[CALL_R3];
    uint8_t thread = trace_reader_record(join->reader, record)->thread;
    size_t low = 0, high = list->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list->records[middle] <= record) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t back = 0; low > 0 && back < READ_EVENTS_BACK; low--, back++) {
        if (trace_reader_record(join->reader, list->records[low - 1])->thread == thread) {
            return list->records[low - 1];
        }
    }
    return JOIN_NONE;
}

static size_t put_event(struct join_event *out, size_t max, size_t n, enum join_step step,
                        uint32_t record)
{
    if (n < max) {
        out[n] = (struct join_event){step, record};
    }
    return n + 1;
}

/* All calls for one place of a message. */
static size_t put_span_calls(const struct join *join, const struct span *span,
                             struct join_event *out, size_t max, size_t n)
{
    const struct wire *wire = &join->wires[span->wire];
    uint32_t served = JOIN_NONE;

    for (enum call_kind kind = CALL_S5; kind <= CALL_R6; kind++) {
        const struct call_list *list = &wire->calls[kind];
        size_t from, to;

        find_calls(join, list, span, &from, &to);
        for (size_t i = from; i < to; i++) {
            n = put_event(out, max, n, step_of_call(kind), list->records[i]);
        }
        if (kind >= CALL_R4 && from < to) {
            served = MIN(served, list->records[from]);
        }
    }
    if (served != JOIN_NONE) {
        uint32_t event = find_read_event(join, wire, served);

        n = event != JOIN_NONE ? put_event(out, max, n, JOIN_R3, event) : n;
    }
    return n;
}

static int compare_events(const void *a, const void *b)
{
    const struct join_event *l = a, *r = b;

    if (l->record != r->record) {
        return l->record < r->record ? -1 : 1;
    }
    return (int)l->step - (int)r->step;
}

size_t join_events(const struct join *join, size_t i, struct join_event *out, size_t max)
{
    const struct join_message *message = join_message(join, i);
    size_t n = 0;

    for (uint32_t r = message->last == JOIN_NONE ? JOIN_NONE : message->first;
         r != JOIN_NONE; r = join->next_of[r]) {
        n = put_event(out, max, n, join_step_of(trace_reader_record(join->reader, r)->kind),
                      r);
    }
    for (uint32_t s = message->span; s != JOIN_NONE; s = join->spans[s].next) {
        n = put_span_calls(join, &join->spans[s], out, max, n);
    }
    if (n > 0 && max > 0) {
        qsort(out, MIN(n, max), sizeof(*out), compare_events);
    }
    return n;
}

static void add_time(struct join_time *time, uint32_t first, uint32_t last, uint32_t count)
{
    time->first = time->count == 0 ? first : MIN(time->first, first);
    time->last = time->count == 0 ? last : MAX(time->last, last);
    time->count += count;
}

void join_times(const struct join *join, size_t i, struct join_time *out)
{
    const struct join_message *message = join_message(join, i);

    memset(out, 0, JOIN_STEPS * sizeof(*out));
    for (uint32_t r = message->last == JOIN_NONE ? JOIN_NONE : message->first;
         r != JOIN_NONE; r = join->next_of[r]) {
        add_time(&out[join_step_of(trace_reader_record(join->reader, r)->kind)], r, r, 1);
    }
    for (uint32_t s = message->span; s != JOIN_NONE; s = join->spans[s].next) {
        const struct span *span = &join->spans[s];
        const struct wire *wire = &join->wires[span->wire];
        uint32_t served = JOIN_NONE;

        for (enum call_kind kind = CALL_S5; kind <= CALL_R6; kind++) {
            const struct call_list *list = &wire->calls[kind];
            size_t from, to;

            find_calls(join, list, span, &from, &to);
            if (from == to) {
                continue;
            }
            add_time(&out[step_of_call(kind)], list->records[from], list->records[to - 1],
                     (uint32_t)(to - from));
            if (kind >= CALL_R4) {
                served = MIN(served, list->records[from]);
            }
        }
        if (served != JOIN_NONE &&
            (served = find_read_event(join, wire, served)) != JOIN_NONE) {
            add_time(&out[JOIN_R3], served, served, 1);
        }
    }
}

/* ---- text ------------------------------------------------------------------------- */

size_t join_steps_text(const struct join *join, size_t i, char *buf, size_t size)
{
    struct join_time times[JOIN_STEPS];
    size_t n = 0;

    join_times(join, i, times);
    if (size > 0) {
        buf[0] = '\0';
    }
    for (enum join_step step = JOIN_S1; step < JOIN_LABELLED; step++) {
        if (times[step].count > 0) {
            n += (size_t)snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0,
                                  "%s%s", n ? " " : "", join_step_name(step));
        }
    }
    return n;
}

char *join_id_text(uint64_t id, char *buf, size_t size)
{
    uint64_t n = id & (JOIN_ID_FOREIGN - 1);

    snprintf(buf, size, "%s%u:%llu", id & JOIN_ID_FOREIGN ? "from:" : "",
             (unsigned)(id >> 48), (unsigned long long)n);
    return buf;
}

size_t join_parse_id(const struct join *join, const char *text)
{
    bool foreign = strncmp(text, "from:", 5) == 0;
    unsigned long long node, n;
    char *end;

    text += foreign ? 5 : 0;
    if (*text < '0' || *text > '9') {
        return join->n_messages;
    }
    node = strtoull(text, &end, 10);
    if (*end == '\0' && !foreign) {
        return node < join->n_messages ? (size_t)node : join->n_messages;
    }
    if (*end != ':' || end[1] < '0' || end[1] > '9' || node > 0xffff) {
        return join->n_messages;
    }
    n = strtoull(end + 1, &end, 10);
    if (*end != '\0' || n >= JOIN_ID_FOREIGN) {
        return join->n_messages;
    }
    return join_find(join, node << 48 | (foreign ? JOIN_ID_FOREIGN : 0) | n);
}
