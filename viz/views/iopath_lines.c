/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iopath_lines.c: the lines of figure B. Each expected connection has a way of its own, in
 * the table below; anything else is drawn straight, black and double, with a "!".
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "viz/views/iopath_figure.h"

/* Beyond this many surprises more lines say nothing more. */
#define UNEXPECTED_MAX 24
#define LABEL_FONT 9.0  /* as in dot.c */
#define LABEL_LINE 11.5 /* height of a line of a label */

/* How a line goes from its place to the other. */
enum route {
    ROUTE_DIRECT, /* anything that has no way of its own */
    ROUTE_DOWN,   /* bottom to top */
    ROUTE_UP,     /* top to bottom */
    ROUTE_RIGHT,  /* side to side */
    ROUTE_LEFT,
    ROUTE_CHANNEL, /* side, along the gap between two columns, side */
    ROUTE_ELBOW,   /* top, between the rows, bottom */
    ROUTE_CORNER,  /* side, then up to the bottom */
    ROUTE_OVER,    /* top, over everything, top */
};

static const struct lead {
    uint8_t from, to, route;
    int8_t gap;          /* the channel right of this column */
    int8_t shift;        /* of the channel, or of the line */
    int8_t from_y, to_y; /* where it touches the sides */
    int8_t label; /* where in the channel: percent of the way, -: left of it; 0: half-way */
} leads[] = {
    {AT_S1, AT_S2, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_S2, AT_S3, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_S3, AT_OUT_QUEUE, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_OUT_QUEUE, AT_S4, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_S4, AT_OUTGOING, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_OUTGOING, AT_S5, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_S5, AT_S6, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_S6, AT_WIRE, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_S6, AT_S7, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_S7, AT_WIRE, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_WIRE, AT_R1, ROUTE_UP, 0, 0, 0, 0, 0},
    {AT_R1, AT_R2, ROUTE_LEFT, 0, 0, 8, 8, 0},
    {AT_R2, AT_NOTIFY, ROUTE_LEFT, 0, 0, 0, 0, 0},
    {AT_NOTIFY, AT_FILES, ROUTE_UP, 0, 0, 0, 0, 0},
    {AT_R2, AT_R6, ROUTE_CHANNEL, COLUMN_IN, 30, -12, 12, 0},
    {AT_S3, AT_EXTERNAL, ROUTE_RIGHT, 0, 0, -8, -8, 0},
    {AT_EXTERNAL, AT_PIPE, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_PIPE, AT_WAIT, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_WAIT, AT_FILES, ROUTE_DOWN, 0, 0, 0, 0, 0},
    {AT_EXTERNAL, AT_S4, ROUTE_CHANNEL, COLUMN_OUT, -14, 12, -8, 0},
    {AT_EXTERNAL, AT_S5, ROUTE_CHANNEL, COLUMN_OUT, -34, 16, -10, 75},
    {AT_FILES, AT_S4, ROUTE_CHANNEL, COLUMN_OUT, 34, -8, 10, 0},
    {AT_FILES, AT_S5, ROUTE_CHANNEL, COLUMN_OUT, 16, 8, 8, 0},
    {AT_WIRE, AT_FILES, ROUTE_UP, 0, 0, 0, 0, 0},
    {AT_FILES, AT_R3, ROUTE_RIGHT, 0, 0, 0, 0, 0},
    {AT_FILES, AT_R5, ROUTE_CHANNEL, COLUMN_CENTER, 10, -12, 10, 0},
    {AT_EXTERNAL, AT_R3, ROUTE_CHANNEL, COLUMN_CENTER, -16, 8, -12, 0},
    {AT_EXTERNAL, AT_R5, ROUTE_CHANNEL, COLUMN_CENTER, 24, -4, -8, 0},
    {AT_R3, AT_R5, ROUTE_UP, 0, -50, 0, 0, 0},
    {AT_R5, AT_R7, ROUTE_UP, 0, -50, 0, 0, 0},
    {AT_R7, AT_R5, ROUTE_DOWN, 0, 35, 0, 0, 0},
    {AT_R5, AT_R4, ROUTE_RIGHT, 0, 0, -15, -15, 0},
    {AT_R4, AT_R5, ROUTE_LEFT, 0, 0, 2, 2, 0},
    {AT_R4, AT_R7, ROUTE_CORNER, 0, 0, 0, 0, 0},
    {AT_R5, AT_R6, ROUTE_CHANNEL, COLUMN_IN, 20, 15, -8, 0},
    {AT_R6, AT_R5, ROUTE_CHANNEL, COLUMN_IN, -6, 10, 20, -30},
    {AT_R6, AT_RECV_BUF, ROUTE_UP, 0, 0, 0, 0, 0},
    {AT_RECV_BUF, AT_R5, ROUTE_ELBOW, 0, 44, 0, 0, 0},
    {AT_WIRE, AT_R6, ROUTE_UP, 0, 0, 0, 0, 0},
    {AT_R7, AT_DISPATCH_QUEUE, ROUTE_UP, 0, 0, 0, 0, 0},
    {AT_DISPATCH_QUEUE, AT_BEGIN, ROUTE_UP, 0, 0, 0, 0, 0},
    {AT_R7, AT_FAST, ROUTE_CORNER, 0, 0, 0, 0, 0},
    {AT_FAST, AT_R5, ROUTE_CHANNEL, COLUMN_IN, -24, 10, -18, 0},
    {AT_S2, AT_DISPATCH_QUEUE, ROUTE_RIGHT, 0, 0, 0, 0, 0},
    {AT_BEGIN, AT_S1, ROUTE_LEFT, 0, 0, 0, 0, 0},
    {AT_FAST, AT_S1, ROUTE_OVER, 0, 0, 0, 0, 0},
};

static const struct lead *find_lead(enum place from, enum place to)
{
    static const struct lead direct = {.route = ROUTE_DIRECT};

    for (size_t i = 0; i < ARRAY_SIZE(leads); i++) {
        if (leads[i].from == from && leads[i].to == to) {
            return &leads[i];
        }
    }
    return &direct;
}

/* ---- labels ----------------------------------------------------------------------- */

static void put_label(const struct iopath_edge *e, char *buf, size_t size)
{
    char text[32], p50[16], p99[16];
    int n = snprintf(buf, size, "%s%s", e->expected ? "" : "! ",
                     count_text(text, sizeof(text), e->count));

    if (e->bytes > 0) {
        n += snprintf(buf + n, size - (size_t)n, "%s%s%s",
                      e->class_ == EDGE_COPY ? " x\n" : "\n",
                      bytes_text(text, sizeof(text), e->bytes),
                      e->class_ == EDGE_COPY ? " copied" : "");
    }
    if (e->wait.n > 0) {
        duration_text(p50, sizeof(p50), hist_percentile(&e->wait, 50));
        duration_text(p99, sizeof(p99), hist_percentile(&e->wait, 99));
        snprintf(buf + n, size - (size_t)n, strcmp(p50, p99) ? "\np50 %s\np99 %s" : "\n%s",
                 p50, p99);
    }
}

static unsigned lines_of(const char *text)
{
    unsigned n = 1;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static size_t longest_line(const char *text)
{
    size_t longest = 0, column = 0;

    for (; *text != '\0'; text++) {
        column = *text == '\n' ? 0 : column + 1;
        longest = MAX(longest, column);
    }
    return longest;
}

/* ---- ways ------------------------------------------------------------------------- */

/* Half the height of a place's box. */
static double half_height(enum place place)
{
    return place < AT_STEPS       ? BOX_H / 2
           : place == AT_EXTERNAL ? BOX_H / 2 + 3
           : place == AT_WIRE     ? 15
                                  : 19;
}

static void put_point(struct dot_line *line, double x, double y)
{
    CHECK(line->n < DOT_POINTS_MAX);
    line->points[line->n][0] = x;
    line->points[line->n][1] = y;
    line->n++;
}

static void label_at(struct dot_line *line, double x, double y, bool centred)
{
    line->label_x = x;
    line->label_y = y;
    line->label_centred = centred;
}

/* The label of a line that goes up or down: to its right, or, if the line slants to the
 * left of what it shares with others, to its left. It keeps clear of the line over its
 * height. */
static void label_beside(struct dot_line *line, const struct lead *lead, bool slants_left)
{
    const char *label = line->label ? line->label : "";
    double x0 = line->points[0][0], x1 = line->points[1][0];
    double y0 = line->points[0][1], y1 = line->points[1][1];
    double slope = y1 != y0 ? fabs((x1 - x0) / (y1 - y0)) : 0;
    double clear = fmin(slope * lines_of(label) * LABEL_LINE / 2, fabs(x1 - x0) / 2) + 6;
    double y = (y0 + y1) / 2;

    if (lead->to == AT_S3) {
        y = y0 + 25; /* above the heading of the next layer */
    } else if (lead->from == AT_R3) {
        y = y0 - 12; /* below the line from recv_buf */
    }
    label_at(line,
             slants_left
                 ? (x0 + x1) / 2 - clear - dot_width(longest_line(label), LABEL_FONT)
                 : (x0 + x1) / 2 + clear,
             y, false);
}

static void lead_vertical(struct dot_line *line, const struct lead *lead, struct box from,
                          struct box to)
{
    double sign = lead->route == ROUTE_DOWN ? 1 : -1;
    double from_h = half_height(lead->from), to_h = half_height(lead->to);
    double x0 = from.x + lead->shift, x1 = to.x + lead->shift;
    bool left;

    if (lead->from == AT_WIRE) {
        x0 = x1;
    } else if (lead->to == AT_WIRE) {
        x1 = x0;
    }
    put_point(line, x0, from.y + sign * from_h);
    put_point(line, x1, to.y - sign * to_h);
    if (lead->shift != 0 && x0 != x1) { /* one of a pair */
        left = lead->shift < 0;
    } else {
        left = lead->from >= AT_STEPS ? x1 < x0 : x0 < x1;
    }
    label_beside(line, lead, left);
}

static void lead_sideways(struct dot_line *line, const struct lead *lead, struct box from,
                          struct box to)
{
    double sign = lead->route == ROUTE_RIGHT ? 1 : -1;
    double x0 = from.x + sign * from.w / 2, x1 = to.x - sign * to.w / 2;
    double y = from.y + lead->from_y;
    double lines = lines_of(line->label ? line->label : "");

    put_point(line, x0, y);
    put_point(line, x1, to.y + lead->to_y);
    label_at(line, (x0 + x1) / 2, y - 2 - lines * LABEL_LINE / 2, true);
}

static void lead_channel(struct dot_line *line, const struct lead *lead,
                         const struct figure *f, struct box from, struct box to)
{
    int gap = lead->gap;
    double left = f->left[gap] + f->width[gap];
    double x = (left + f->left[gap + 1]) / 2 + lead->shift;
    double x0 = from.x + (from.x < x ? 1 : -1) * from.w / 2;
    double x1 = to.x + (to.x < x ? 1 : -1) * to.w / 2;
    double y0 = from.y + lead->from_y, y1 = to.y + lead->to_y;
    const char *label = line->label ? line->label : "";

    put_point(line, x0, y0);
    put_point(line, x, y0);
    put_point(line, x, y1);
    put_point(line, x1, y1);
    label_at(line,
             lead->label < 0 ? x - 5 - dot_width(longest_line(label), LABEL_FONT) : x + 5,
             y0 + (y1 - y0) * (lead->label ? abs(lead->label) : 50) / 100, false);
}

static void lead_bent(struct dot_line *line, const struct lead *lead, struct box from,
                      struct box to, double from_h, double to_h)
{
    double between = (from.y + to.y) / 2;

    if (lead->route == ROUTE_ELBOW) {
        put_point(line, from.x, from.y - from_h);
        put_point(line, from.x, between);
        put_point(line, to.x + lead->shift, between);
        put_point(line, to.x + lead->shift, to.y + to_h);
        label_at(line, from.x + 6, between + 4, false);
    } else if (lead->route == ROUTE_CORNER) {
        put_point(line, from.x + (from.x < to.x ? 1 : -1) * from.w / 2, from.y);
        put_point(line, to.x, from.y);
        put_point(line, to.x, to.y + to_h);
        label_at(line, to.x + 6, between, false);
    } else {
        double over = to.y - to_h - 26;

        put_point(line, from.x, from.y - from_h);
        put_point(line, from.x, over);
        put_point(line, to.x, over);
        put_point(line, to.x, to.y - to_h);
        label_at(line, (from.x + to.x) / 2, over - 8, true);
    }
}

/* Straight from border to border. */
static void lead_direct(struct dot_line *line, struct box from, struct box to,
                        double from_h, double to_h)
{
    double dx = to.x - from.x, dy = to.y - from.y;
    double cut_from =
        fmin(dx != 0 ? from.w / 2 / fabs(dx) : 1, dy != 0 ? from_h / fabs(dy) : 1);
    double cut_to = fmin(dx != 0 ? to.w / 2 / fabs(dx) : 1, dy != 0 ? to_h / fabs(dy) : 1);

    if (dx == 0 && dy == 0) { /* a loop */
        put_point(line, from.x + from.w / 2, from.y - 8);
        put_point(line, from.x + from.w / 2 + 24, from.y - 8);
        put_point(line, from.x + from.w / 2 + 24, from.y + 8);
        put_point(line, from.x + from.w / 2, from.y + 8);
        label_at(line, from.x + from.w / 2 + 28, from.y, false);
        return;
    }
    cut_from = fmin(cut_from, 0.49);
    cut_to = fmin(cut_to, 0.49);
    put_point(line, from.x + dx * cut_from, from.y + dy * cut_from);
    put_point(line, to.x - dx * cut_to, to.y - dy * cut_to);
    label_at(line, from.x + dx / 2 + 8, from.y + dy / 2, false);
}

static void follow_lead(struct dot_line *line, const struct figure *f,
                        enum place from_place, struct box from, enum place to_place,
                        struct box to)
{
    const struct lead *lead = find_lead(from_place, to_place);
    double from_h = half_height(from_place), to_h = half_height(to_place);

    switch (lead->route) {
    case ROUTE_DOWN:
    case ROUTE_UP:
        lead_vertical(line, lead, from, to);
        break;
    case ROUTE_RIGHT:
    case ROUTE_LEFT:
        lead_sideways(line, lead, from, to);
        break;
    case ROUTE_CHANNEL:
        lead_channel(line, lead, f, from, to);
        break;
    case ROUTE_ELBOW:
    case ROUTE_CORNER:
    case ROUTE_OVER:
        lead_bent(line, lead, from, to, from_h, to_h);
        break;
    default:
        lead_direct(line, from, to, from_h, to_h);
        break;
    }
}

/* ---- lines ------------------------------------------------------------------------ */

/* The boxes of a place, or its one box, with the frame around them. */
static struct box group_of(const struct figure *f, enum place place)
{
    double left = INFINITY, right = -INFINITY;
    struct box group = {0};
    unsigned n = 0;

    for (unsigned lane = 0; lane < LANES_MAX; lane++) {
        const struct box *box = &f->boxes[place][lane];

        if (box->w > 0) {
            group = n++ == 0 ? *box : group;
            left = fmin(left, box->x - box->w / 2);
            right = fmax(right, box->x + box->w / 2);
        }
    }
    if (n > 1) {
        group.x = (left + right) / 2;
        group.w = right - left + 2 * GROUP_MARGIN;
    }
    return group;
}

/* From the side: one line leads to the frame around all boxes of a step. */
static bool is_grouped(enum route route)
{
    return route == ROUTE_RIGHT || route == ROUTE_LEFT || route == ROUTE_CHANNEL;
}

/* Lines with a common part: each is drawn, and the first has the label of all. */
static bool has_common_label(enum route route)
{
    return is_grouped(route) || route == ROUTE_ELBOW || route == ROUTE_CORNER ||
           route == ROUTE_OVER;
}

static bool is_same_way(const struct iopath_edge *a, const struct iopath_edge *b)
{
    return a->from == b->from && a->to == b->to;
}

/* Is edge i the first of its way? Then *ret_sum is the sum of all of them. */
static bool sum_edges(const struct iopath *path, size_t i, struct iopath_edge *ret_sum)
{
    for (size_t k = 0; k < i; k++) {
        if (is_same_way(path->edges[k], path->edges[i])) {
            return false;
        }
    }
    *ret_sum = *path->edges[i];
    for (size_t k = i + 1; k < path->n_edges; k++) {
        const struct iopath_edge *e = path->edges[k];

        if (is_same_way(e, ret_sum)) {
            ret_sum->count += e->count;
            ret_sum->bytes += e->bytes;
            hist_merge(&ret_sum->wait, &e->wait);
        }
    }
    return true;
}

static void draw_observed(struct figure *f, const struct iopath_edge *e, struct box from,
                          struct box to, const char *label)
{
    static const enum dot_style styles[] = {
        [EDGE_CALL] = DOT_SOLID,
        [EDGE_WAKE] = DOT_DASHED,
        [EDGE_WIRE] = DOT_DOTTED,
        [EDGE_COPY] = DOT_DOUBLE,
    };
    struct dot_line line = {.from = from.id,
                            .to = to.id,
                            .style = e->expected ? styles[e->class_] : DOT_DOUBLE,
                            .colour = e->expected ? DOT_INK : "#000000",
                            .label = label};

    line.width = (0.8 + 0.45 * log10((double)MAX(e->count, 1))) *
                 (line.style == DOT_DOUBLE ? 0.7 : 1) * (e->expected ? 1 : 1.8);
    follow_lead(&line, f, e->from, from, e->to, to);
    drawing_line(f->d, &line);
}

static void draw_edge(struct figure *f, size_t i)
{
    const struct iopath_edge *e = f->path->edges[i];
    enum route route = find_lead(e->from, e->to)->route;
    struct iopath_edge sum;
    char label[120] = "";

    if (!e->expected && f->unexpected++ >= UNEXPECTED_MAX) {
        return;
    }
    if (!has_common_label(route)) {
        put_label(e, label, sizeof(label));
    } else if (sum_edges(f->path, i, &sum)) {
        put_label(&sum, label, sizeof(label));
        e = is_grouped(route) ? &sum : e;
    } else if (is_grouped(route)) {
        return;
    }
    if (is_grouped(route)) {
        draw_observed(f, e, group_of(f, e->from), group_of(f, e->to), label);
    } else {
        draw_observed(f, e, f->boxes[e->from][e->from_lane], f->boxes[e->to][e->to_lane],
                      label);
    }
}

static void draw_missing(struct figure *f, const struct reference_edge *r)
{
    struct box from = group_of(f, r->from), to = group_of(f, r->to);
    struct dot_line line = {.style = DOT_SOLID, .colour = DOT_GREY, .width = 0.7};

    if (from.w > 0 && to.w > 0) {
        line.from = from.id;
        line.to = to.id;
        follow_lead(&line, f, r->from, from, r->to, to);
        drawing_line(f->d, &line);
    }
}

void iopath_draw_lines(struct figure *f)
{
    for (size_t i = 0; i < reference_edges_n; i++) {
        const struct reference_edge *r = &reference_edges[i];

        if (iopath_expects(f->path, r) && !iopath_has(f->path, r->from, r->to)) {
            draw_missing(f, r);
        }
    }
    for (size_t i = 0; i < f->path->n_edges; i++) {
        draw_edge(f, i);
    }
}
