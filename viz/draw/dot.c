/* SPDX-License-Identifier: Apache-2.0 */
#include "viz/draw/dot.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"

#define CORNER 9.0     /* radius of a bend */
#define ARROW 8.0      /* length of an arrow's head */
#define LABEL_FONT 9.0 /* of lines */

/* ---- text ------------------------------------------------------------------------- */

/* Does the line that begins here go on behind DOT_LINE_MAX? */
static bool is_long(const char *line)
{
    return strcspn(line, "\n") > DOT_LINE_MAX;
}

void dot_text(FILE *out, const char *text, char justify)
{
    bool cut = is_long(text);
    size_t column = 0;

    fputc('"', out);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n') {
            fprintf(out, "\\%c", justify);
            column = 0;
            cut = is_long(p + 1);
        } else if (++column > DOT_LINE_MAX - (cut ? 3 : 0)) {
            fputs(column <= DOT_LINE_MAX ? "." : "", out);
        } else if (*p == '"' || *p == '\\') {
            fprintf(out, "\\%c", *p);
        } else if (*p == '&') {
            fputs("&amp;", out); /* Graphviz knows the entities of HTML */
        } else {
            fputc(*p >= ' ' && *p <= '~' ? *p : '?', out);
        }
    }
    if (justify != 'n') {
        fprintf(out, "\\%c", justify);
    }
    fputc('"', out);
}

void dot_id(FILE *out, const char *prefix, unsigned number)
{
    fprintf(out, "\"%s%u\"", prefix, number);
}

const char *dot_colour(unsigned n)
{
    static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#AA4499",
                                          "#B37700", "#2A8FBD", "#4D4D4D", "#882255"};

    return colours[n % ARRAY_SIZE(colours)];
}

/* ---- drawings --------------------------------------------------------------------- */

/* The parts are written one after the other as soon as they are known; only the extent,
 * which must come first, waits for the end. y points up in DOT. */
struct drawing {
    FILE *lanes, *boxes, *lines;
    char *texts[3]; /* owned by the streams until closed */
    size_t sizes[3];
    int n_lanes, n_boxes;
    double left, right, top, bottom;
};

struct drawing *drawing_new(void)
{
    struct drawing *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        return NULL;
    }
    d->left = d->top = INFINITY;
    d->right = d->bottom = -INFINITY;
    d->lanes = open_memstream(&d->texts[0], &d->sizes[0]);
    d->boxes = open_memstream(&d->texts[1], &d->sizes[1]);
    d->lines = open_memstream(&d->texts[2], &d->sizes[2]);
    if (d->lanes == NULL || d->boxes == NULL || d->lines == NULL) {
        drawing_free(d);
        return NULL;
    }
    return d;
}

static void close_streams(struct drawing *d)
{
    FILE **streams[] = {&d->lanes, &d->boxes, &d->lines};

    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        if (*streams[i] != NULL) {
            fclose(*streams[i]);
            *streams[i] = NULL;
        }
    }
}

void drawing_free(struct drawing *d)
{
    if (d == NULL) {
        return;
    }
    close_streams(d);
    for (size_t i = 0; i < ARRAY_SIZE(d->texts); i++) {
        free(d->texts[i]);
    }
    free(d);
}

double drawing_bottom(const struct drawing *d)
{
    return d->bottom;
}

static void extend(struct drawing *d, double x, double y, double w, double h)
{
    d->left = fmin(d->left, x - w / 2);
    d->right = fmax(d->right, x + w / 2);
    d->top = fmin(d->top, y - h / 2);
    d->bottom = fmax(d->bottom, y + h / 2);
}

void drawing_lane(struct drawing *d, double x, double y, double w, double h,
                  const char *label)
{
    extend(d, x + w / 2, y + h / 2, w, h);
    fprintf(d->lanes,
            "  subgraph \"cluster_%d\" {\n    graph [bb=\"%.1f,%.1f,%.1f,%.1f\", label=",
            d->n_lanes++, x, -(y + h), x + w, -y);
    dot_text(d->lanes, label, 'n');
    fprintf(
        d->lanes,
        ", lp=\"%.1f,%.1f\", fontsize=11, fontcolor=\"#666666\", style=\"filled,rounded\", "
        "fillcolor=\"" DOT_SHADE "\", color=\"#DDDDDD\"];\n  }\n",
        x + 10 + dot_width(strlen(label), 11) / 2, -(y + 11));
}

static void write_shape(FILE *out, const struct dot_box *box)
{
    static const char *const shapes[] = {
        [DOT_ROUND] = "box",         [DOT_BOX] = "box",         [DOT_QUEUE] = "cylinder",
        [DOT_PIPE] = "cds",          [DOT_BADGE] = "box",       [DOT_WIRE] = "box3d",
        [DOT_PLAIN] = "plaintext",   [DOT_DIAMOND] = "diamond", [DOT_CIRCLE] = "ellipse",
        [DOT_TRIANGLE] = "triangle",
    };

    fprintf(out, "shape=%s", shapes[box->shape]);
    if (box->shape == DOT_BADGE) {
        fprintf(
            out,
            ", style=\"filled,rounded\", penwidth=0, fillcolor=\"%s\", fontcolor=\"%s\"",
            box->fill, box->colour);
    } else if (box->shape != DOT_PLAIN) {
        fprintf(out,
                ", style=\"filled%s%s\", fillcolor=\"%s\", color=\"%s\", penwidth=%.1f",
                box->shape == DOT_ROUND ? ",rounded" : "", box->dashed ? ",dashed" : "",
                box->fill ? box->fill : "white", box->colour ? box->colour : DOT_INK,
                box->pen > 0 ? box->pen : 1);
    } else {
        fprintf(out, ", fontcolor=\"%s\"", box->colour ? box->colour : DOT_INK);
    }
}

int drawing_box(struct drawing *d, const struct dot_box *box)
{
    const char *label = box->label ? box->label : "";

    extend(d, box->x, box->y, box->w, box->h);
    fprintf(d->boxes, "  \"b%d\" [pos=\"%.1f,%.1f\", width=%.3f, height=%.3f, ", d->n_boxes,
            box->x, -box->y, box->w / 72, box->h / 72);
    write_shape(d->boxes, box);
    if (box->font > 0) {
        fprintf(d->boxes, ", fontsize=%.0f", box->font);
    }
    if (box->bold) {
        fprintf(d->boxes, ", fontname=\"" DOT_FONT " bold\"");
    }
    fprintf(d->boxes, ", label=");
    dot_text(d->boxes, label, box->justify ? box->justify : 'n');
    fprintf(d->boxes, ", tooltip=");
    dot_text(d->boxes, box->tooltip ? box->tooltip : label, 'n');
    fprintf(d->boxes, "];\n");
    return d->n_boxes++;
}

void drawing_text(struct drawing *d, double x, double y, double font, const char *colour,
                  const char *text)
{
    size_t longest = 0, lines = 1, column = 0;
    double w;

    for (const char *p = text; *p != '\0'; p++) {
        column = *p == '\n' ? 0 : column + 1;
        lines += *p == '\n';
        longest = MAX(longest, column);
    }
    w = dot_width(MIN(longest, (size_t)DOT_LINE_MAX), font) + 8;
    drawing_box(d, &(struct dot_box){.x = x + w / 2,
                                     .y = y,
                                     .w = w,
                                     .h = (double)lines * font * 1.25,
                                     .shape = DOT_PLAIN,
                                     .label = text,
                                     .justify = 'l',
                                     .colour = colour,
                                     .font = font});
}

/* ---- lines ------------------------------------------------------------------------ */

struct point_xy {
    double x, y;
};

static struct point_xy towards(struct point_xy from, struct point_xy to, double distance)
{
    double length = hypot(to.x - from.x, to.y - from.y);
    double part = length > 0 ? fmin(distance / length, 0.5) : 0;

    return (struct point_xy){from.x + (to.x - from.x) * part,
                             from.y + (to.y - from.y) * part};
}

/* One cubic piece: its two inner control points and its end. */
static void write_piece(FILE *out, struct point_xy a, struct point_xy b,
                        struct point_xy end)
{
    fprintf(out, " %.1f,%.1f %.1f,%.1f %.1f,%.1f", a.x, -a.y, b.x, -b.y, end.x, -end.y);
}

static void write_straight(FILE *out, struct point_xy from, struct point_xy to)
{
    write_piece(out, (struct point_xy){(2 * from.x + to.x) / 3, (2 * from.y + to.y) / 3},
                (struct point_xy){(from.x + 2 * to.x) / 3, (from.y + 2 * to.y) / 3}, to);
}

/* The path as Graphviz wants it: the tip of the arrow, then cubic pieces that end where the
 * arrow's head begins. */
static void write_path(struct drawing *d, const struct dot_line *line)
{
    struct point_xy p[DOT_POINTS_MAX], at;
    FILE *out = d->lines;

    for (int i = 0; i < line->n; i++) {
        p[i] = (struct point_xy){line->points[i][0], line->points[i][1]};
        extend(d, p[i].x, p[i].y, 2, 2);
    }
    fprintf(out, "pos=\"");
    if (!line->no_arrow) {
        struct point_xy tip = p[line->n - 1];
        double length = hypot(tip.x - p[line->n - 2].x, tip.y - p[line->n - 2].y);
        double part = length > 0 ? fmin(ARROW / length, 0.9) : 0;

        fprintf(out, "e,%.1f,%.1f ", tip.x, -tip.y);
        p[line->n - 1] = (struct point_xy){tip.x + (p[line->n - 2].x - tip.x) * part,
                                           tip.y + (p[line->n - 2].y - tip.y) * part};
    }
    at = p[0];
    fprintf(out, "%.1f,%.1f", at.x, -at.y);
    for (int i = 1; i < line->n - 1; i++) {
        struct point_xy before = towards(p[i], p[i - 1], CORNER);
        struct point_xy behind = towards(p[i], p[i + 1], CORNER);

        write_straight(out, at, before);
        write_piece(out, p[i], p[i], behind);
        at = behind;
    }
    write_straight(out, at, p[line->n - 1]);
    fprintf(out, "\"");
}

static void write_label(struct drawing *d, const struct dot_line *line)
{
    size_t longest = 0, lines = 1, column = 0;
    double w, x = line->label_x;

    for (const char *p = line->label; *p != '\0'; p++) {
        column = *p == '\n' ? 0 : column + 1;
        lines += *p == '\n';
        longest = MAX(longest, column);
    }
    w = dot_width(MIN(longest, (size_t)DOT_LINE_MAX), LABEL_FONT);
    x += line->label_centred ? 0 : w / 2;
    extend(d, x, line->label_y, w, (double)lines * LABEL_FONT * 1.3);
    fprintf(d->lines, ", lp=\"%.1f,%.1f\", fontcolor=\"%s\", label=", x, -line->label_y,
            line->colour ? line->colour : DOT_INK);
    dot_text(d->lines, line->label, line->label_centred ? 'n' : 'l');
}

void drawing_line(struct drawing *d, const struct dot_line *line)
{
    const char *colour = line->colour ? line->colour : DOT_INK;

    CHECK(line->n >= 2 && line->n <= DOT_POINTS_MAX);
    fprintf(d->lines, "  \"b%d\" -> \"b%d\" [", line->from, line->to);
    write_path(d, line);
    fprintf(d->lines, ", penwidth=%.1f, style=%s, color=\"%s%s%s\"",
            line->width > 0 ? line->width : 1,
            line->style == DOT_DASHED   ? "dashed"
            : line->style == DOT_DOTTED ? "dotted"
                                        : "solid",
            colour, line->style == DOT_DOUBLE ? ":invis:" : "",
            line->style == DOT_DOUBLE ? colour : "");
    if (line->no_arrow) {
        fprintf(d->lines, ", dir=none");
    }
    if (line->label != NULL && line->label[0] != '\0') {
        write_label(d, line);
    }
    fprintf(d->lines, "];\n");
}

int drawing_write(struct drawing *d, FILE *out, const char *title)
{
    bool failed = ferror(d->lanes) || ferror(d->boxes) || ferror(d->lines);

    close_streams(d);
    if (failed || d->texts[0] == NULL || d->texts[1] == NULL || d->texts[2] == NULL) {
        return -ENOMEM;
    }
    if (d->n_boxes == 0) {
        d->left = d->right = d->top = d->bottom = 0;
    }
    fprintf(
        out,
        "digraph msgrlab {\n  graph [layout=nop2, bb=\"%.1f,%.1f,%.1f,%.1f\", pad=0.2, ",
        d->left, -d->bottom, d->right, -d->top);
    fprintf(out,
            "outputorder=nodesfirst, bgcolor=white, fontname=\"" DOT_FONT "\", tooltip=");
    dot_text(out, title, 'n');
    fprintf(out,
            "];\n  node [fontname=\"" DOT_FONT "\", fontsize=10, fontcolor=\"" DOT_INK
            "\", fixedsize=true, margin=0];\n  edge [fontname=\"" DOT_FONT
            "\", fontsize=%.0f, arrowsize=0.7];\n%s%s%s}\n",
            LABEL_FONT, d->texts[0], d->texts[1], d->texts[2]);
    return ferror(out) ? -EIO : 0;
}
