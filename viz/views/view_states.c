/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_states.c: the two state machines of a connection (engine/states.h), with how often
 * each change was observed. Changes that are legal and were not seen are grey; a change
 * that is not legal is red.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/array.h"
#include "engine/base/map.h"
#include "engine/states.h"
#include "engine/util.h"
#include "viz/draw/dot.h"
#include "viz/join/hist.h"
#include "viz/views/view.h"

#define STATES_MAX 24

_Static_assert(PROTO_STATE_COUNT <= STATES_MAX, "counters for every state");
_Static_assert(SOCK_STATE_COUNT <= STATES_MAX, "counters for every state");

struct machine {
    const char *title;
    uint16_t kind; /* of the records */
    unsigned n;
    const char *names[STATES_MAX];
    uint32_t legal[STATES_MAX]; /* successors, as bits */
    uint64_t changes[STATES_MAX][STATES_MAX];
    uint64_t entered[STATES_MAX];
    struct hist stayed[STATES_MAX];
    uint64_t illegal, strange; /* changes; records with numbers of no state */
    struct map since;          /* object -> index in times */
    uint64_t *times;           /* owned: when the object entered its state */
    size_t n_times;
};

#define B(state) (1u << SOCK_##state)
static void define_sock(struct machine *m)
{
    m->title = "socket state";
    m->kind = TP_SOCK_STATE;
    m->n = SOCK_STATE_COUNT;
#define X(id, name, next)                                                                  \
    m->names[SOCK_##id] = name;                                                            \
    m->legal[SOCK_##id] = next;
    SOCK_STATES(X)
#undef X
}
#undef B

#define B(state) (1u << PROTO_##state)
static void define_proto(struct machine *m)
{
    m->title = "protocol state";
    m->kind = TP_PROTO_STATE;
    m->n = PROTO_STATE_COUNT;
#define X(id, name, next)                                                                  \
    m->names[PROTO_##id] = name;                                                           \
    m->legal[PROTO_##id] = next;
    PROTO_STATES(X)
#undef X
}
#undef B

/* ---- counting --------------------------------------------------------------------- */

/* Remembers when the object changed; returns when it had before, or 0. */
static int note_time(struct machine *m, uint32_t object, uint64_t now, uint64_t *ret_before)
{
    uint64_t at = map_get(&m->since, object, MAP_NONE);
    uint64_t *grown;

    *ret_before = 0;
    if (at != MAP_NONE) {
        *ret_before = m->times[at];
        m->times[at] = now;
        return 0;
    }
    grown = array_grow(m->times, m->n_times, sizeof(*m->times));
    if (grown == NULL) {
        return -ENOMEM;
    }
    m->times = grown;
    m->times[m->n_times] = now;
    return map_put(&m->since, object, m->n_times++);
}

static int take_change(struct machine *m, const struct trace_record *r)
{
    uint64_t before;
    int rc;

    if (r->a0 >= m->n || r->a1 >= m->n) {
        m->strange++;
        return 0;
    }
    m->changes[r->a0][r->a1]++;
    m->entered[r->a1]++;
    m->illegal += (m->legal[r->a0] >> r->a1 & 1) == 0;
    rc = note_time(m, r->obj, r->ts, &before);
    if (before != 0) {
        hist_add(&m->stayed[r->a0], r->ts - MIN(r->ts, before));
    }
    return rc;
}

/* Fills both machines; returns how many records there are, or -ENOMEM. */
static int64_t count_changes(const struct view_input *in, struct machine machines[2])
{
    int64_t shown = 0;
    int rc = 0;

    define_sock(&machines[0]);
    define_proto(&machines[1]);
    for (size_t i = 0; i < trace_reader_count(in->reader) && rc == 0; i++) {
        const struct trace_record *r = trace_reader_record(in->reader, i);

        for (int m = 0; m < 2; m++) {
            if (r->kind == machines[m].kind) {
                rc = take_change(&machines[m], r);
                shown++;
            }
        }
    }
    return rc < 0 ? rc : shown;
}

static void machines_free(struct machine *machines)
{
    for (int i = 0; machines != NULL && i < 2; i++) {
        map_fini(&machines[i].since);
        free(machines[i].times);
    }
    free(machines);
}

static bool is_legal(const struct machine *m, unsigned from, unsigned to)
{
    return (m->legal[from] >> to & 1) != 0;
}

static void count_edges(const struct machine *m, unsigned *ret_legal, unsigned *ret_seen)
{
    *ret_legal = *ret_seen = 0;
    for (unsigned from = 0; from < m->n; from++) {
        for (unsigned to = 0; to < m->n; to++) {
            /* The list may name a state as its own successor; that is no change. */
            *ret_legal += from != to && is_legal(m, from, to);
            *ret_seen += from != to && is_legal(m, from, to) && m->changes[from][to] > 0;
        }
    }
}

/* ---- as a graph ------------------------------------------------------------------- */

/* Nearly every state may close: those that did not are not drawn. */
static bool is_closed(const struct machine *m, unsigned state)
{
    return m->legal[state] == 0;
}

static void put_state(const struct machine *m, char prefix, unsigned state, FILE *out)
{
    char label[160], count[32], p50[16];
    bool seen = m->entered[state] > 0 || m->stayed[state].n > 0;
    size_t n = (size_t)snprintf(label, sizeof(label), "%s", m->names[state]);

    for (unsigned to = 0; to < m->n; to++) {
        seen |= m->changes[state][to] > 0;
    }
    if (is_closed(m, state)) {
        n += (size_t)snprintf(label + n, sizeof(label) - n, "\n(from nearly everywhere)");
    }
    if (m->entered[state] > 0) {
        n += (size_t)snprintf(label + n, sizeof(label) - n, "\n%s time%s",
                              count_text(count, sizeof(count), m->entered[state]),
                              m->entered[state] == 1 ? "" : "s");
    }
    if (m->stayed[state].n > 0) {
        snprintf(label + n, sizeof(label) - n, "\nstayed p50 %s",
                 duration_text(p50, sizeof(p50), hist_percentile(&m->stayed[state], 50)));
    }
    fprintf(out, "    \"%c%u\" [label=", prefix, state);
    dot_text(out, label, 'n');
    fprintf(out, ", color=\"%s\", fontcolor=\"%s\", penwidth=%s];\n",
            seen ? "#0072B2" : DOT_GREY, seen ? DOT_INK : "#8A8A8A", seen ? "2" : "1");
}

static void put_change(const struct machine *m, char prefix, unsigned from, unsigned to,
                       FILE *out)
{
    uint64_t n = m->changes[from][to];
    bool legal = is_legal(m, from, to);
    char count[32];

    if (n == 0 && (!legal || from == to || is_closed(m, to))) {
        return;
    }
    fprintf(out, "    \"%c%u\" -> \"%c%u\" [", prefix, from, prefix, to);
    if (n == 0) {
        fprintf(out, "color=\"%s\", penwidth=0.7, arrowsize=0.5", DOT_GREY);
        /* Unseen faults must not pull the picture together. */
        if (to < from) {
            fprintf(out, ", constraint=false");
        }
    } else {
        fprintf(out, "label=\" %s%s \", color=\"%s\", fontcolor=\"%s\", penwidth=%s",
                legal ? "" : "not legal: ", count_text(count, sizeof(count), n),
                legal ? DOT_INK : "#C00000:white:#C00000", legal ? DOT_INK : "#C00000",
                legal ? "1.6" : "2.4");
    }
    fprintf(out, "];\n");
}

static void put_machine(const struct machine *m, char prefix, FILE *out)
{
    unsigned legal, seen;
    char label[120];

    count_edges(m, &legal, &seen);
    snprintf(label, sizeof(label), "%s: %u of %u legal changes seen, %llu not legal",
             m->title, seen, legal, (unsigned long long)m->illegal);
    fprintf(out, "  subgraph \"cluster_%c\" {\n    label=", prefix);
    dot_text(out, label, 'n');
    fprintf(out, ";\n    labelloc=t; labeljust=l; fontsize=12; color=\"#DDDDDD\"; "
                 "style=\"rounded,filled\"; "
                 "fillcolor=\"" DOT_SHADE "\";\n");
    for (unsigned state = 0; state < m->n; state++) {
        put_state(m, prefix, state, out);
    }
    for (unsigned from = 0; from < m->n; from++) {
        for (unsigned to = 0; to < m->n; to++) {
            put_change(m, prefix, from, to, out);
        }
    }
    fprintf(out, "  }\n");
}

int view_states_dot(const struct view_input *in, FILE *out)
{
    struct machine *machines = calloc(2, sizeof(*machines));
    int64_t shown = machines == NULL ? -ENOMEM : count_changes(in, machines);
    char *caption = shown < 0 ? NULL : view_caption(in, "states", (uint64_t)shown);

    if (caption == NULL) {
        machines_free(machines);
        return -ENOMEM;
    }
    fprintf(out,
            "digraph msgrlab {\n  graph [rankdir=TB, nodesep=0.3, ranksep=0.45, pad=0.2, "
            "bgcolor=white, fontname=\"" DOT_FONT "\", fontsize=9, fontcolor=\"#666666\", "
            "labelloc=b, labeljust=l, label=");
    dot_text(out, caption, 'l');
    fprintf(out, "];\n  node [fontname=\"" DOT_FONT "\", fontsize=10, shape=box, "
                 "style=\"rounded,filled\", fillcolor=white];\n  edge [fontname=\"" DOT_FONT
                 "\", fontsize=9, arrowsize=0.7];\n");
    put_machine(&machines[0], 's', out);
    put_machine(&machines[1], 'p', out);
    fprintf(out, "}\n");
    free(caption);
    machines_free(machines);
    return ferror(out) ? -EIO : 0;
}

/* ---- as text ---------------------------------------------------------------------- */

static void put_rows(const struct machine *m, FILE *out)
{
    unsigned legal, seen;
    char count[32], p50[16];

    count_edges(m, &legal, &seen);
    fprintf(out, "%s: %u of %u legal changes seen\n", m->title, seen, legal);
    for (unsigned from = 0; from < m->n; from++) {
        for (unsigned to = 0; to < m->n; to++) {
            uint64_t n = m->changes[from][to];

            if (n > 0 || (from != to && is_legal(m, from, to))) {
                fprintf(out, "  %-24s -> %-24s %12s%s\n", m->names[from], m->names[to],
                        n ? count_text(count, sizeof(count), n) : "-",
                        is_legal(m, from, to) ? "" : "  ! not legal");
            }
        }
        if (m->stayed[from].n > 0) {
            fprintf(out, "  %-24s stayed p50 %s\n", m->names[from],
                    duration_text(p50, sizeof(p50), hist_percentile(&m->stayed[from], 50)));
        }
    }
    if (m->strange > 0) {
        fprintf(out, "  %llu changes from or to no known state\n",
                (unsigned long long)m->strange);
    }
}

int view_states(const struct view_input *in, FILE *out)
{
    struct machine *machines = calloc(2, sizeof(*machines));
    int64_t shown = machines == NULL ? -ENOMEM : count_changes(in, machines);
    char *caption = shown < 0 ? NULL : view_caption(in, "states", (uint64_t)shown);

    if (caption == NULL) {
        machines_free(machines);
        return -ENOMEM;
    }
    put_rows(&machines[0], out);
    fputc('\n', out);
    put_rows(&machines[1], out);
    fprintf(out, "--\n%s", caption);
    free(caption);
    machines_free(machines);
    return ferror(out) ? -EIO : 0;
}
