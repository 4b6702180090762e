/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_iopath.c: figure B, the way of the messages through the layers, over figure A, the
 * event centers. Every thing has one place, so two pictures can be compared at a glance:
 *
 *            sending                event center             receiving
 *   row 0    S1                                              dispatcher      fast dispatch
 *       1    S2                                              dispatch queue
 *       2    S3  ---------------->  external events          R7
 *       3    out_q                  notify pipe
 *       4    S4                     driver wait              R5 ------------ R4
 *       5    outgoing               file events[] ---------> R3              recv_buf
 *       6    S5
 *       7    S6                                                              R6
 *       8    S7                     notify fd <----------- R2 <------------- R1
 *       9    ======================== socket, network, socket ======================
 *
 * Row 8 is there in runs of an RDMA stack only.
 *
 * A step that several threads ran has a box for each, side by side in a frame. Lines from
 * the side lead to the frame, and stand for all of its boxes.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "viz/views/center.h"
#include "viz/draw/dot.h"
#include "viz/views/iopath_figure.h"

/* Characters of the heading. */
#define TITLE_MAX 80

/* Where a place is. */
static const struct {
    uint8_t column, row;
} grid[AT_PLACES] = {
    [AT_S1] = {COLUMN_OUT, 0},          [AT_S2] = {COLUMN_OUT, 1},
    [AT_S3] = {COLUMN_OUT, 2},          [AT_OUT_QUEUE] = {COLUMN_OUT, 3},
    [AT_S4] = {COLUMN_OUT, 4},          [AT_OUTGOING] = {COLUMN_OUT, 5},
    [AT_S5] = {COLUMN_OUT, 6},          [AT_S6] = {COLUMN_OUT, 7},
    [AT_EXTERNAL] = {COLUMN_CENTER, 2}, [AT_PIPE] = {COLUMN_CENTER, 3},
    [AT_WAIT] = {COLUMN_CENTER, 4},     [AT_FILES] = {COLUMN_CENTER, 5},
    [AT_BEGIN] = {COLUMN_IN, 0},        [AT_DISPATCH_QUEUE] = {COLUMN_IN, 1},
    [AT_R7] = {COLUMN_IN, 2},           [AT_R5] = {COLUMN_IN, 4},
    [AT_S7] = {COLUMN_OUT, 8},          [AT_NOTIFY] = {COLUMN_CENTER, 8},
    [AT_R2] = {COLUMN_IN, 8},           [AT_R1] = {COLUMN_BESIDE, 8},
    [AT_R3] = {COLUMN_IN, 5},           [AT_FAST] = {COLUMN_BESIDE, 0},
    [AT_R4] = {COLUMN_BESIDE, 4},       [AT_RECV_BUF] = {COLUMN_BESIDE, 5},
    [AT_R6] = {COLUMN_BESIDE, 7},       [AT_WIRE] = {COLUMN_CENTER, 9},
};

/* ---- boxes ------------------------------------------------------------------------ */

static unsigned lanes_of(const struct iopath *path, enum place place)
{
    unsigned n = 0;

    for (unsigned lane = 0; place < AT_STEPS && lane < path->n_lanes; lane++) {
        n += path->steps[place][lane].calls > 0;
    }
    return MAX(n, 1);
}

static void place_columns(struct figure *f)
{
    static const double gaps[COLUMNS] = {150, 120, 128, 0};
    double x = 24;

    for (enum place place = 0; place < AT_WIRE; place++) {
        double *width = &f->width[grid[place].column];
        double boxes = lanes_of(f->path, place);

        *width = fmax(*width, boxes * BOX_W + (boxes - 1) * BOX_GAP);
    }
    for (int column = 0; column < COLUMNS; column++) {
        f->left[column] = x;
        x += f->width[column] + gaps[column];
    }
}

/* Only an RDMA stack has these. */
static bool is_left_out(const struct figure *f, enum place place)
{
    return !f->path->rdma &&
           (place == AT_S7 || place == AT_R1 || place == AT_R2 || place == AT_NOTIFY);
}

static double row_y(const struct figure *f, unsigned row)
{
    if (row == 9 && !f->path->rdma) {
        row = 8;
    }
    /* A layer's heading needs room above its first row. */
    return TOP + row * ROW + (row >= 2 ? 24 : 0) + (row >= 7 ? 24 : 0) +
           (row < 8          ? 0
            : !f->path->rdma ? -10
            : row == 8       ? 24
                             : 14);
}

static void draw_lane(struct figure *f, const char *label, int first, int last,
                      unsigned from_row, unsigned to_row)
{
    double left = f->left[first] - 16, right = f->left[last] + f->width[last] + 16;
    double top = row_y(f, from_row) - 50, bottom = row_y(f, to_row) + 34;

    drawing_lane(f->d, left, top, right - left, bottom - top, label);
}

static void draw_layers(struct figure *f)
{
    draw_lane(f, "Messenger", COLUMN_OUT, COLUMN_BESIDE, 0, 1);
    draw_lane(f, "AsyncConnection, sending", COLUMN_OUT, COLUMN_OUT, 2, 6);
    draw_lane(f, "EventCenter", COLUMN_CENTER, COLUMN_CENTER, 2, 6);
    draw_lane(f, "AsyncConnection, receiving", COLUMN_IN, COLUMN_BESIDE, 2, 6);
    draw_lane(f, "NetworkStack", COLUMN_OUT, COLUMN_BESIDE, 7, 7);
    if (f->path->rdma) {
        draw_lane(f, "RDMAStack and Verbs", COLUMN_OUT, COLUMN_BESIDE, 8, 8);
    }
}

/* The step's number in its colour, over the upper left corner of its box. */
static void draw_badge(struct figure *f, enum place place, const char *colour, double x,
                       double y)
{
    if (place <= AT_R7) {
        drawing_box(f->d, &(struct dot_box){.x = x - BOX_W / 2 + 13,
                                            .y = y - BOX_H / 2 + 5,
                                            .w = 24,
                                            .h = 16,
                                            .shape = DOT_BADGE,
                                            .label = place_name(place),
                                            .colour = "#FFFFFF",
                                            .fill = colour,
                                            .bold = true});
    }
}

static void draw_step(struct figure *f, enum place place, int lane, double x, double y)
{
    const struct iopath_step *s = &f->path->steps[place][MAX(lane, 0)];
    const char *colour = lane < 0 ? DOT_GREY : dot_colour((unsigned)lane);
    const char *name = place_title(place) + (place <= AT_R7 ? 3 : 0);
    char label[200], calls[32], work[16];
    int n = snprintf(label, sizeof(label), "%s\n", name);

    if (lane < 0) {
        snprintf(label + n, sizeof(label) - (size_t)n, "not observed");
    } else {
        n += snprintf(label + n, sizeof(label) - (size_t)n, "%s call%s",
                      count_text(calls, sizeof(calls), s->calls), s->calls == 1 ? "" : "s");
        if (s->work.n > 0) {
            n += snprintf(label + n, sizeof(label) - (size_t)n, ", p50 %s",
                          duration_text(work, sizeof(work), hist_percentile(&s->work, 50)));
        }
        snprintf(label + n, sizeof(label) - (size_t)n, "\n%.26s", f->path->lanes[lane]);
    }
    f->boxes[place][MAX(lane, 0)] =
        (struct box){.id = drawing_box(f->d, &(struct dot_box){.x = x,
                                                               .y = y,
                                                               .w = BOX_W,
                                                               .h = BOX_H,
                                                               .shape = DOT_ROUND,
                                                               .label = label,
                                                               .colour = colour,
                                                               .pen = lane < 0 ? 1 : 2.2,
                                                               .dashed = lane < 0}),
                     .x = x,
                     .y = y,
                     .w = BOX_W};
    draw_badge(f, place, colour, x, y);
}

static void draw_steps(struct figure *f, enum place place)
{
    int column = grid[place].column;
    double boxes = lanes_of(f->path, place);
    double x = f->left[column] + f->width[column] / 2 - (boxes - 1) * (BOX_W + BOX_GAP) / 2;
    bool any = false;

    for (unsigned lane = 0; lane < f->path->n_lanes; lane++) {
        if (f->path->steps[place][lane].calls > 0) {
            draw_step(f, place, (int)lane, x, row_y(f, grid[place].row));
            x += BOX_W + BOX_GAP;
            any = true;
        }
    }
    if (!any && place != AT_FAST) { /* fast dispatch is up to the user */
        draw_step(f, place, -1, x, row_y(f, grid[place].row));
    }
}

/* Around the boxes of a step, when there are several. Nodes are drawn in their order, so
 * this comes before the boxes. */
static void draw_frame(struct figure *f, enum place place)
{
    int column = grid[place].column;
    double boxes = lanes_of(f->path, place);

    if (boxes > 1) {
        drawing_box(f->d, &(struct dot_box){.x = f->left[column] + f->width[column] / 2,
                                            .y = row_y(f, grid[place].row),
                                            .w = boxes * BOX_W + (boxes - 1) * BOX_GAP +
                                                 2 * GROUP_MARGIN,
                                            .h = BOX_H + 2 * GROUP_MARGIN,
                                            .shape = DOT_ROUND,
                                            .colour = "#AAAAAA",
                                            .fill = "#EFEFEF",
                                            .pen = 0.8});
    }
}

static void put_structure_label(const struct figure *f, enum place place, char *buf,
                                size_t size)
{
    const struct iopath *p = f->path;
    char a[32], b[32], c[32];

    switch (place) {
    case AT_EXTERNAL:
        snprintf(buf, size, "external events\n%s posted, %s merged\n%s run",
                 count_text(a, sizeof(a), p->posts), count_text(b, sizeof(b), p->merges),
                 count_text(c, sizeof(c), p->runs));
        break;
    case AT_PIPE:
        snprintf(buf, size, "notify pipe\n%s written, %s drained",
                 count_text(a, sizeof(a), p->writes), count_text(b, sizeof(b), p->drains));
        break;
    case AT_WAIT:
        snprintf(buf, size, "driver wait\n%s cycles", count_text(a, sizeof(a), p->cycles));
        break;
    case AT_NOTIFY:
        snprintf(buf, size, "notify fd of each connection\n%s written",
                 count_text(a, sizeof(a), p->notifies));
        break;
    case AT_WIRE:
        snprintf(buf, size,
                 p->rdma ? "queue pair,  network,  queue pair"
                         : "socket,  network,  socket");
        break;
    default:
        snprintf(buf, size, "%s", place_name(place));
        break;
    }
}

static void draw_structure(struct figure *f, enum place place)
{
    static const enum dot_shape shapes[AT_PLACES] = {
        [AT_OUT_QUEUE] = DOT_QUEUE, [AT_EXTERNAL] = DOT_QUEUE,
        [AT_PIPE] = DOT_PIPE,       [AT_WAIT] = DOT_ROUND,
        [AT_FILES] = DOT_QUEUE,     [AT_OUTGOING] = DOT_QUEUE,
        [AT_RECV_BUF] = DOT_QUEUE,  [AT_DISPATCH_QUEUE] = DOT_QUEUE,
        [AT_NOTIFY] = DOT_PIPE,     [AT_WIRE] = DOT_WIRE};
    int column = grid[place].column;
    double w = place == AT_WIRE
                   ? f->left[COLUMN_BESIDE] + f->width[COLUMN_BESIDE] - f->left[0]
               : column == COLUMN_CENTER ? BOX_W
                                         : 104;
    struct box *box = &f->boxes[place][0];
    char label[160];

    put_structure_label(f, place, label, sizeof(label));
    *box = (struct box){.x = place == AT_WIRE ? f->left[0] + w / 2
                                              : f->left[column] + f->width[column] / 2,
                        .y = row_y(f, grid[place].row),
                        .w = w};
    box->id = drawing_box(f->d, &(struct dot_box){.x = box->x,
                                                  .y = box->y,
                                                  .w = w,
                                                  .h = place == AT_EXTERNAL ? BOX_H + 6
                                                       : place == AT_WIRE   ? 30
                                                                            : 38,
                                                  .shape = shapes[place],
                                                  .label = label,
                                                  .colour = "#777777",
                                                  .fill = "#FFFFFF"});
}

/* ---- around it -------------------------------------------------------------------- */

static void draw_sample(struct figure *f, double x, double y, enum dot_style style,
                        const char *colour, double width, const char *text)
{
    int anchor = drawing_box(
        f->d, &(struct dot_box){.x = x, .y = y, .w = 1, .h = 1, .shape = DOT_PLAIN});

    drawing_line(f->d, &(struct dot_line){.from = anchor,
                                          .to = anchor,
                                          .points = {{x, y}, {x + 40, y}},
                                          .n = 2,
                                          .style = style,
                                          .colour = colour,
                                          .width = width});
    drawing_text(f->d, x + 44, y, 9, DOT_INK, text);
}

static void draw_legend(struct figure *f, double y)
{
    double x = f->left[0];

    draw_sample(f, x, y, DOT_SOLID, DOT_INK, 1.4, "same thread");
    draw_sample(f, x + 140, y, DOT_DASHED, DOT_INK, 1.4, "wake-up");
    draw_sample(f, x + 262, y, DOT_DOUBLE, DOT_INK, 1.4, "bytes are copied");
    draw_sample(f, x + 426, y, DOT_DOTTED, DOT_INK, 1.4, "network");
    draw_sample(f, x + 548, y, DOT_SOLID, DOT_GREY, 0.8, "expected, not observed");
    draw_sample(f, x + 744, y, DOT_DOUBLE, "#000000", 2, "! not expected");
}

/* Title, boxes, lines and legend. */
static void draw_figure(struct figure *f, const struct view_input *in)
{
    const char *title = trace_reader_info(in->reader)->title;
    char text[320];

    place_columns(f);
    snprintf(text, sizeof(text), "The IO path, as observed%s%s", title[0] ? ": " : "",
             title);
    if (strlen(text) > TITLE_MAX) {
        strcpy(text + TITLE_MAX - 3, "..."); /* the caption has all of it */
    }
    drawing_text(f->d, f->left[0] - 16, 18, 16, DOT_INK, text);
    draw_layers(f);
    for (enum place place = 0; place < AT_STEPS; place++) {
        if (!is_left_out(f, place)) {
            draw_frame(f, place);
            draw_steps(f, place);
        }
    }
    for (enum place place = AT_STEPS; place < AT_PLACES; place++) {
        if (!is_left_out(f, place)) {
            draw_structure(f, place);
        }
    }
    iopath_draw_lines(f);
    draw_legend(f, row_y(f, 9) + 40);
}

static int draw_caption(struct figure *f, const struct view_input *in, double y,
                        uint64_t shown)
{
    char *caption = view_caption(in, "iopath", shown);
    char text[160];

    if (caption == NULL) {
        return -ENOMEM;
    }
    snprintf(text, sizeof(text), "%s%s%s",
             f->path->grouped ? "boxes and colours: "
                              : "one box per step and thread; its colour is the thread",
             f->path->grouped ? f->path->grouped : "",
             f->path->edges_left_out ? "; too many connections: some are left out" : "");
    drawing_text(f->d, f->left[0], y, 9, "#666666", text);
    drawing_text(f->d, f->left[0], y + 40, 9, "#666666", caption);
    free(caption);
    return 0;
}

int view_iopath_dot(const struct view_input *in, FILE *out)
{
    struct figure *f = calloc(1, sizeof(*f));
    struct iopath *path = iopath_new(in);
    int64_t shown = 0;
    int rc = -ENOMEM;

    if (f != NULL && path != NULL && (f->d = drawing_new()) != NULL) {
        f->path = path;
        draw_figure(f, in);
        shown = center_draw(in, f->d, f->left[0] - 16, drawing_bottom(f->d) + 40);
        rc = shown < 0 ? (int)shown
                       : draw_caption(f, in, drawing_bottom(f->d) + 24, path->shown);
        rc = rc ? rc : drawing_write(f->d, out, "The IO path, as observed");
    }
    if (f != NULL) {
        drawing_free(f->d);
    }
    free(f);
    iopath_free(path);
    return rc;
}

/* ---- the twin in text ------------------------------------------------------------- */

static void put_step_rows(const struct iopath *path, FILE *out)
{
    char calls[32], p50[16], p99[16];

    fprintf(out, "%-18s %-28s %12s %12s %12s\n", "step", "thread", "calls", "p50", "p99");
    for (enum place place = 0; place < AT_STEPS; place++) {
        bool any = false;

        for (unsigned lane = 0; lane < path->n_lanes; lane++) {
            const struct iopath_step *s = &path->steps[place][lane];

            if (s->calls > 0) {
                fprintf(out, "%-18s %-28s %12s %12s %12s\n", place_title(place),
                        path->lanes[lane], count_text(calls, sizeof(calls), s->calls),
                        duration_text(p50, sizeof(p50), hist_percentile(&s->work, 50)),
                        duration_text(p99, sizeof(p99), hist_percentile(&s->work, 99)));
                any = true;
            }
        }
        if (!any && (path->rdma || (place != AT_S7 && place != AT_R1 && place != AT_R2))) {
            fprintf(out, "%-18s not observed\n", place_title(place));
        }
    }
}

static void put_end(const struct iopath *path, enum place place, unsigned lane, FILE *out)
{
    char text[80];

    snprintf(text, sizeof(text), "%s%s%s%s", place_name(place),
             place < AT_STEPS ? " (" : "", place < AT_STEPS ? path->lanes[lane] : "",
             place < AT_STEPS ? ")" : "");
    fprintf(out, "%-34s ", text);
}

static void put_edge_rows(const struct iopath *path, FILE *out)
{
    static const char *const classes[] = {"call", "wake-up", "network", "copy"};
    char count[32], bytes[16], p50[16], p99[16];

    fprintf(out, "\n%-34s %-34s %-8s %10s %10s %10s %10s\n", "from", "to", "how", "count",
            "bytes", "p50", "p99");
    for (size_t i = 0; i < path->n_edges; i++) {
        const struct iopath_edge *e = path->edges[i];
        bool timed = e->wait.n > 0;

        put_end(path, e->from, e->from_lane, out);
        put_end(path, e->to, e->to_lane, out);
        fprintf(out, "%-8s %10s %10s %10s %10s%s\n", classes[e->class_],
                count_text(count, sizeof(count), e->count),
                e->bytes ? bytes_text(bytes, sizeof(bytes), e->bytes) : "",
                timed ? duration_text(p50, sizeof(p50), hist_percentile(&e->wait, 50)) : "",
                timed ? duration_text(p99, sizeof(p99), hist_percentile(&e->wait, 99)) : "",
                e->expected ? "" : "  ! not expected");
    }
    for (size_t i = 0; i < reference_edges_n; i++) {
        const struct reference_edge *r = &reference_edges[i];

        if (iopath_expects(path, r) && !iopath_has(path, r->from, r->to)) {
            fprintf(out, "%-34s %-34s %-8s not observed\n", place_name(r->from),
                    place_name(r->to), classes[r->class_]);
        }
    }
}

int view_iopath(const struct view_input *in, FILE *out)
{
    struct iopath *path = iopath_new(in);
    char *caption = path != NULL ? view_caption(in, "iopath", path->shown) : NULL;

    if (caption == NULL) {
        iopath_free(path);
        return -ENOMEM;
    }
    put_step_rows(path, out);
    put_edge_rows(path, out);
    fprintf(out, "--\n%s", caption);
    free(caption);
    iopath_free(path);
    return ferror(out) ? -EIO : 0;
}
