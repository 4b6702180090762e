/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_message.c: one message as a waterfall: for every step when it ran, on which thread,
 * how long it worked and how long it had waited for that; and below, where all messages
 * spend their time. Without a selection it is the slowest message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "viz/draw/dot.h"
#include "viz/views/stages.h"

/* Calls that are shown for one message; the rest is counted. */
#define CALLS_MAX 400

/* One record, as a span of time. */
struct call {
    const struct trace_record *record;
    enum join_step step;
    uint64_t start, end; /* start == end: how long it took was not recorded */
};

struct waterfall {
    size_t message;     /* join_count: there is none */
    struct call *calls; /* owned, by start */
    size_t n, left_out;
    uint64_t start, end;
    struct hist *hists; /* owned: STAGES */
};

/* ---- collecting ------------------------------------------------------------------- */

static bool has_took(uint16_t kind)
{
    return kind == TP_S4_WRITE_MESSAGE || kind == TP_S6_STACK_SEND ||
           kind == TP_R6_READ_BULK || kind == TP_DISPATCH_END;
}

static void add_call(struct waterfall *w, const struct trace_record *r, enum join_step step)
{
    uint64_t took = has_took(r->kind) ? r->aux : 0;

    for (size_t i = 0; i < w->n; i++) {
        if (w->calls[i].record == r) {
            return;
        }
    }
    w->calls[w->n++] = (struct call){
        .record = r, .step = step, .start = r->ts - MIN(r->ts, took), .end = r->ts};
}

/* The external event that ran S4, and the post of it: shared with other messages, so they
 * are not in the join. */
static void add_wake_up(struct waterfall *w, const struct view_input *in,
                        const struct trace_record *write)
{
    const struct trace_record *run = trace_reader_find(in->reader, write->cause);
    const struct trace_record *post;

    if (run == NULL || run->kind != TP_EXT_RUN) {
        return;
    }
    add_call(w, run, JOIN_POST);
    post = trace_reader_find(in->reader, run->cause);
    if (post != NULL && post->kind == TP_EXT_POST) {
        add_call(w, post, JOIN_POST);
    }
}

static int compare_calls(const void *a, const void *b)
{
    const struct call *l = a, *r = b;

    if (l->start != r->start) {
        return l->start < r->start ? -1 : 1;
    }
    if (l->step != r->step) {
        return l->step < r->step ? -1 : 1;
    }
    return l->record->seq < r->record->seq ? -1 : l->record->seq > r->record->seq;
}

static int add_calls(struct waterfall *w, const struct view_input *in)
{
    size_t n = join_events(in->join, w->message, NULL, 0);
    struct join_event *events = malloc((n + 1) * sizeof(*events));
    struct join_time times[JOIN_STEPS];

    w->calls = malloc((CALLS_MAX + 3) * sizeof(*w->calls));
    if (events == NULL || w->calls == NULL) {
        free(events);
        return -ENOMEM;
    }
    join_events(in->join, w->message, events, n);
    join_times(in->join, w->message, times);
    for (size_t i = 0; i < n; i++) {
        const struct trace_record *r = trace_reader_record(in->reader, events[i].record);

        /* DISPATCH_END says how long the dispatcher took. */
        if (events[i].step == JOIN_BEGIN && times[JOIN_END].count > 0) {
            continue;
        }
        if (w->n == CALLS_MAX) {
            w->left_out++;
        } else {
            add_call(w, r, events[i].step);
        }
    }
    free(events);
    for (size_t i = 0, had = w->n; i < had; i++) {
        if (w->calls[i].step == JOIN_S4 && w->n <= CALLS_MAX) {
            add_wake_up(w, in, w->calls[i].record);
        }
    }
    qsort(w->calls, w->n, sizeof(*w->calls), compare_calls);
    return 0;
}

static int waterfall_init(struct waterfall *w, const struct view_input *in)
{
    size_t slowest;
    int rc = 0;

    *w = (struct waterfall){.hists = malloc(STAGES * sizeof(*w->hists))};
    if (w->hists == NULL) {
        return -ENOMEM;
    }
    slowest = stages_of_all(in, w->hists);
    w->message = in->message < join_count(in->join) ? in->message : slowest;
    if (w->message < join_count(in->join)) {
        rc = add_calls(w, in);
    }
    w->start = w->n > 0 ? w->calls[0].start : 0;
    for (size_t i = 0; i < w->n; i++) {
        w->end = MAX(w->end, w->calls[i].end);
    }
    return rc;
}

static void waterfall_fini(struct waterfall *w)
{
    free(w->calls);
    free(w->hists);
}

static const char *call_name(const struct call *call)
{
    return call->record->kind == TP_DISPATCH_END ? "dispatcher"
                                                 : point_of(call->record->kind)->name;
}

static void put_heading(const struct view_input *in, const struct waterfall *w, char *buf,
                        size_t size)
{
    const struct join_message *m;
    char id[40], total[16], conn[2][16];

    if (w->message == join_count(in->join)) {
        snprintf(buf, size, "The trace has no messages");
        return;
    }
    m = join_message(in->join, w->message);
    snprintf(buf, size, "Message %s: %s%s", join_id_text(m->id, id, sizeof(id)),
             duration_text(total, sizeof(total), w->end - w->start),
             in->message < join_count(in->join) ? "" : ", the slowest of all");
    if (m->from_conn != 0 || m->to_conn != 0) {
        size_t n = strlen(buf);

        snprintf(buf + n, size - n, "; connection %.40s to %.40s",
                 object_text(in->reader, m->from_conn, conn[0], sizeof(conn[0])),
                 object_text(in->reader, m->to_conn, conn[1], sizeof(conn[1])));
    }
}

static void put_facts(const struct view_input *in, const struct waterfall *w, char *buf,
                      size_t size)
{
    const struct join_message *m;
    char payload[16], frame[16], steps[80];

    buf[0] = '\0';
    if (w->message == join_count(in->join)) {
        return;
    }
    m = join_message(in->join, w->message);
    join_steps_text(in->join, w->message, steps, sizeof(steps));
    snprintf(
        buf, size, "seq %llu, type %llu, priority %llu, %s of payload, %s on the wire%s%s",
        (unsigned long long)m->seq, (unsigned long long)m->type,
        (unsigned long long)m->priority, bytes_text(payload, sizeof(payload), m->bytes),
        bytes_text(frame, sizeof(frame), m->frame), m->writes > 1 ? ", sent again" : "",
        m->local       ? ", local"
        : !m->sent     ? ", its sender is not in the trace"
        : !m->received ? ", no receiver in the trace"
                       : "");
    snprintf(buf + strlen(buf), size - strlen(buf), "\nsteps: %s", steps);
}

/* ---- as text ---------------------------------------------------------------------- */

#define BAR 48 /* characters of a bar */

/* '.' waits, '#' works, '|' a moment. */
static void put_bar(const struct waterfall *w, const struct call *call, uint64_t waited,
                    char bar[BAR + 1])
{
    double scale = w->end > w->start ? (double)(BAR - 1) / (double)(w->end - w->start) : 0;
    int from = (int)((double)(call->start - waited - w->start) * scale);
    int start = (int)((double)(call->start - w->start) * scale);
    int end = (int)((double)(call->end - w->start) * scale);

    memset(bar, ' ', BAR);
    bar[BAR] = '\0';
    for (int i = from; i < start; i++) {
        bar[i] = '.';
    }
    for (int i = start; i <= end; i++) {
        bar[i] = call->end > call->start ? '#' : '|';
    }
}

static void put_calls(const struct view_input *in, const struct waterfall *w, FILE *out)
{
    uint64_t done = w->start;

    fprintf(out, "%11s %11s %11s  %-2s %-17s %-20s %-*s  %s\n", "at", "waited", "worked",
            "", "step", "thread", BAR, "'.' waits  '#' works  '|' a moment", "fields");
    for (size_t i = 0; i < w->n; i++) {
        const struct call *c = &w->calls[i];
        uint64_t waited = c->start > done ? c->start - done : 0;
        char at[16], wait[16], work[16], thread[48], bar[BAR + 1], fields[400];

        put_bar(w, c, waited, bar);
        record_text(in->reader, c->record, fields, sizeof(fields));
        fprintf(out, "%11s %11s %11s  %-2s %-17s %-20s %s  %s\n",
                duration_text(at, sizeof(at), c->start - w->start),
                waited ? duration_text(wait, sizeof(wait), waited) : "",
                c->end > c->start ? duration_text(work, sizeof(work), c->end - c->start)
                                  : "",
                point_of(c->record->kind)->step, call_name(c),
                thread_text(in->reader, c->record->node, c->record->thread, thread,
                            sizeof(thread)),
                bar, fields);
        done = MAX(done, c->end);
    }
    if (w->left_out > 0) {
        fprintf(out, "and %zu more calls\n", w->left_out);
    }
}

/* One line of the table of stages; "" where nothing is known. */
static void put_stage(const struct view_input *in, const struct waterfall *w, enum stage s,
                      char cells[4][16])
{
    const struct hist *h = &w->hists[s];
    uint64_t ns[STAGES];

    memset(cells, 0, 4 * sizeof(cells[0]));
    if (w->message < join_count(in->join)) {
        stages_of(in, w->message, ns);
        if (ns[s] != STAGE_NONE) {
            duration_text(cells[0], sizeof(cells[0]), ns[s]);
        }
    }
    if (h->n > 0) {
        duration_text(cells[1], sizeof(cells[1]), hist_percentile(h, 50));
        duration_text(cells[2], sizeof(cells[2]), hist_percentile(h, 99));
        duration_text(cells[3], sizeof(cells[3]), h->max);
    }
}

int view_message(const struct view_input *in, FILE *out)
{
    char heading[240], facts[400], cells[4][16], count[32];
    struct waterfall w;
    char *caption = NULL;
    int rc = waterfall_init(&w, in);

    if (rc == 0) {
        caption = view_caption(in, "message", w.n);
        rc = caption == NULL ? -ENOMEM : 0;
    }
    if (rc == 0) {
        put_heading(in, &w, heading, sizeof(heading));
        put_facts(in, &w, facts, sizeof(facts));
        fprintf(out, "%s\n%s\n\n", heading, facts);
        put_calls(in, &w, out);
        fprintf(out, "\n%-28s %12s %12s %12s %12s %12s\n", "stage", "this one", "p50",
                "p99", "max", "messages");
        for (enum stage s = 0; s < STAGES; s++) {
            put_stage(in, &w, s, cells);
            fprintf(out, "%-28s %12s %12s %12s %12s %12s\n", stage_name(s), cells[0],
                    cells[1], cells[2], cells[3],
                    count_text(count, sizeof(count), w.hists[s].n));
        }
        fprintf(out, "--\n%s", caption);
        rc = ferror(out) ? -EIO : 0;
    }
    free(caption);
    waterfall_fini(&w);
    return rc;
}

/* ---- as a drawing ----------------------------------------------------------------- */

#define NAME_X 34.0
#define THREAD_X 150.0
#define BARS_X 296.0
#define BARS_W 560.0
#define FIELDS_X (BARS_X + BARS_W + 14)
#define ROW_H 25.0
#define TOP_Y 92.0
#define BAR_MIN 3.0 /* so that a short wait stays visible */

/* Calls of one step that are next to each other in time share a row. */
struct row {
    size_t first, last; /* calls */
    uint64_t waited;
};

static double bar_x(const struct waterfall *w, uint64_t ns)
{
    double all = w->end > w->start ? (double)(w->end - w->start) : 1;

    return BARS_X + (double)(ns - w->start) / all * BARS_W;
}

static const char *thread_colour(const struct view_input *in, const struct trace_record *r)
{
    return dot_colour((unsigned)trace_reader_thread_of(in->reader, r->node, r->thread));
}

static bool same_row(const struct call *a, const struct call *b)
{
    return a->record->kind == b->record->kind && a->record->node == b->record->node &&
           a->record->thread == b->record->thread;
}

static void draw_axis(struct drawing *d, const struct waterfall *w, double bottom)
{
    for (int i = 0; i <= 4; i++) {
        double x = BARS_X + BARS_W * i / 4;
        char text[16];

        drawing_box(d, &(struct dot_box){.x = x,
                                         .y = (TOP_Y - 14 + bottom) / 2,
                                         .w = 0.5,
                                         .h = bottom - TOP_Y + 14,
                                         .shape = DOT_BADGE,
                                         .fill = "#E4E4E4",
                                         .colour = "#E4E4E4"});
        duration_text(text, sizeof(text), (w->end - w->start) * (unsigned)i / 4);
        drawing_box(d, &(struct dot_box){.x = x,
                                         .y = TOP_Y - 22,
                                         .w = 80,
                                         .h = 12,
                                         .shape = DOT_PLAIN,
                                         .label = text,
                                         .font = 9,
                                         .colour = "#666666"});
    }
}

static void draw_span(struct drawing *d, const struct waterfall *w, uint64_t from,
                      uint64_t to, double y, const char *fill, const char *border)
{
    double x0 = bar_x(w, from), width = bar_x(w, to) - x0;

    width = MAX(width, BAR_MIN);
    drawing_box(d, &(struct dot_box){.x = x0 + width / 2,
                                     .y = y,
                                     .w = width,
                                     .h = border ? 9 : 14,
                                     .shape = border ? DOT_BOX : DOT_BADGE,
                                     .fill = fill,
                                     .colour = border ? border : fill,
                                     .dashed = border != NULL,
                                     .pen = 0.6});
}

static void put_row_fields(const struct view_input *in, const struct waterfall *w,
                           const struct row *row, char *buf, size_t size)
{
    const struct call *c = &w->calls[row->first];
    uint64_t work = 0;
    char text[16];

    for (size_t i = row->first; i <= row->last; i++) {
        work += w->calls[i].end - w->calls[i].start;
    }
    buf[0] = '\0';
    if (work > 0) {
        snprintf(buf, size, "%s  ", duration_text(text, sizeof(text), work));
    }
    if (row->last > row->first) {
        snprintf(buf + strlen(buf), size - strlen(buf), "%zu calls  ",
                 row->last - row->first + 1);
    }
    record_text(in->reader, c->record, buf + strlen(buf), size - strlen(buf));
}

static void draw_row(struct drawing *d, const struct view_input *in,
                     const struct waterfall *w, const struct row *row, double y)
{
    const struct call *c = &w->calls[row->first];
    const char *colour = thread_colour(in, c->record);
    const char *step = point_of(c->record->kind)->step;
    char text[400];

    drawing_box(d, &(struct dot_box){.x = 14,
                                     .y = y,
                                     .w = 24,
                                     .h = 16,
                                     .shape = DOT_BADGE,
                                     .label = step,
                                     .colour = "#FFFFFF",
                                     .fill = step[0] ? colour : "#FFFFFF",
                                     .bold = true});
    drawing_text(d, NAME_X, y, 10, DOT_INK, call_name(c));
    drawing_text(
        d, THREAD_X, y, 10, colour,
        thread_text(in->reader, c->record->node, c->record->thread, text, sizeof(text)));
    if (bar_x(w, c->start) - bar_x(w, c->start - row->waited) >= BAR_MIN) {
        draw_span(d, w, c->start - row->waited, c->start, y, "#F4F4F4", "#999999");
    }
    for (size_t i = row->first; i <= row->last; i++) {
        draw_span(d, w, w->calls[i].start, w->calls[i].end, y, colour, NULL);
    }
    put_row_fields(in, w, row, text, sizeof(text));
    drawing_text(d, FIELDS_X, y, 9, DOT_INK, text);
}

/* The hand-over to the next row, when another thread takes over. */
static void draw_hand_over(struct drawing *d, const struct waterfall *w,
                           const struct row *from, const struct row *to, double y)
{
    const struct call *a = &w->calls[from->last], *b = &w->calls[to->first];
    double x0 = bar_x(w, a->end), x1 = bar_x(w, b->start);
    bool network = a->record->node != b->record->node;
    int anchor;

    if (!network && a->record->thread == b->record->thread) {
        return;
    }
    anchor = drawing_box(
        d, &(struct dot_box){.x = x0, .y = y, .w = 0.1, .h = 0.1, .shape = DOT_PLAIN});
    drawing_line(d, &(struct dot_line){.from = anchor,
                                       .to = anchor,
                                       .points = {{x0 + 1, y + 7},
                                                  {x0 + 1, y + ROW_H / 2},
                                                  {x1 + 1, y + ROW_H / 2},
                                                  {x1 + 1, y + ROW_H - 7}},
                                       .n = 4,
                                       .style = network ? DOT_DOTTED : DOT_DASHED,
                                       .colour = "#666666",
                                       .label = network ? "network" : "wake-up",
                                       .label_x = MAX((x0 + x1) / 2, x0 + 30),
                                       .label_y = y + ROW_H / 2 - 6,
                                       .label_centred = true});
}

static double draw_rows(struct drawing *d, const struct view_input *in,
                        const struct waterfall *w)
{
    struct row row = {0}, before = {0};
    uint64_t done = w->start;
    double y = TOP_Y;
    size_t rows = 0;

    for (size_t i = 0; i < w->n; i = row.last + 1) {
        row = (struct row){.first = i, .last = i};
        while (row.last + 1 < w->n && same_row(&w->calls[i], &w->calls[row.last + 1])) {
            row.last++;
        }
        row.waited = w->calls[i].start > done ? w->calls[i].start - done : 0;
        draw_row(d, in, w, &row, y);
        if (rows++ > 0) {
            draw_hand_over(d, w, &before, &row, y - ROW_H);
        }
        for (size_t k = row.first; k <= row.last; k++) {
            done = MAX(done, w->calls[k].end);
        }
        before = row;
        y += ROW_H;
        if (rows == 60) { /* a page is enough */
            break;
        }
    }
    return y;
}

static void draw_stages(struct drawing *d, const struct view_input *in,
                        const struct waterfall *w, double y)
{
    static const char *const headings[] = {"this one", "p50", "p99", "max"};
    uint64_t all = MAX(hist_percentile(&w->hists[STAGE_TOTAL], 50), 1);
    char cells[4][16], count[32], text[80];

    snprintf(text, sizeof(text), "All %s messages, stage by stage",
             count_text(count, sizeof(count), join_count(in->join)));
    drawing_text(d, 2, y, 13, DOT_INK, text);
    y += 24;
    for (int row = -1; row < (int)STAGES; row++, y += 17) {
        if (row >= 0) {
            double share = (double)hist_percentile(&w->hists[row], 50) / (double)all;
            double width = 300 * MIN(share, 1.0);

            put_stage(in, w, (enum stage)row, cells);
            snprintf(text, sizeof(text), "%.6s", stage_name((enum stage)row));
            text[strcspn(text, " ")] = '\0';
            drawing_text(d, 2, y, 10, "#666666", text);
            drawing_text(d, 48, y, 10, DOT_INK, stage_name((enum stage)row) + 7);
            drawing_box(
                d, &(struct dot_box){.x = 560 + MAX(width, 1) / 2,
                                     .y = y,
                                     .w = MAX(width, 1),
                                     .h = 10,
                                     .shape = DOT_BADGE,
                                     .fill = row == STAGE_TOTAL ? "#999999" : "#0072B2",
                                     .colour = "#0072B2"});
        } else {
            drawing_text(d, 556, y, 9, "#666666", "p50, as a part of the p50 total");
        }
        for (int i = 0; i < 4; i++) {
            drawing_box(d, &(struct dot_box){.x = 246 + i * 82,
                                             .y = y,
                                             .w = 78,
                                             .h = 14,
                                             .shape = DOT_PLAIN,
                                             .label = row < 0 ? headings[i] : cells[i],
                                             .justify = 'r',
                                             .colour = row < 0 ? "#666666" : DOT_INK,
                                             .font = row < 0 ? 9 : 10});
        }
    }
}

static void draw_waterfall(struct drawing *d, const struct view_input *in,
                           const struct waterfall *w)
{
    char text[400];
    double bottom;

    put_heading(in, w, text, sizeof(text));
    drawing_text(d, 2, 14, 16, DOT_INK, text);
    put_facts(in, w, text, sizeof(text));
    drawing_text(d, 2, 42, 10, "#666666", text);
    bottom = TOP_Y;
    if (w->n > 0) {
        size_t rows = 1;

        for (size_t i = 1; i < w->n; i++) {
            rows += !same_row(&w->calls[i - 1], &w->calls[i]);
        }
        draw_axis(d, w, TOP_Y + (double)MIN(rows, (size_t)60) * ROW_H - 8);
        bottom = draw_rows(d, in, w);
        drawing_text(d, 2, bottom + 4, 9, "#666666",
                     "solid: works (colour: thread);  dashed, grey: waits");
    }
    if (w->left_out > 0) {
        snprintf(text, sizeof(text), "%zu more calls are left out", w->left_out);
        drawing_text(d, 300, bottom + 4, 9, "#666666", text);
    }
    draw_stages(d, in, w, bottom + 44);
}

int view_message_dot(const struct view_input *in, FILE *out)
{
    struct drawing *d = drawing_new();
    char *caption = NULL;
    struct waterfall w = {0};
    int rc = d == NULL ? -ENOMEM : waterfall_init(&w, in);

    if (rc == 0) {
        caption = view_caption(in, "message", w.n);
        rc = caption == NULL ? -ENOMEM : 0;
    }
    if (rc == 0) {
        draw_waterfall(d, in, &w);
        drawing_text(d, 2, drawing_bottom(d) + 44, 9, "#666666", caption);
        rc = drawing_write(d, out, "One message, step by step");
    }
    free(caption);
    waterfall_fini(&w);
    drawing_free(d);
    return rc;
}
