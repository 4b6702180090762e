/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dot.h: writes Graphviz' DOT language, and nothing else does.
 *
 * Two ways to use it: plain graphs that Graphviz lays out (dot_begin, dot_text), and
 * drawings with fixed places (struct drawing) for figures that should look the same every
 * time. A drawing is DOT too: it names the layout engine "nop2", which draws what it is
 * told.
 *
 * Text that comes from a trace passes dot_text: printable ASCII, at most 120 characters
 * a line ("..." for the rest), quoted. There are no HTML labels, URLs or images.
 */
#ifndef MSGRLAB_VIZ_DRAW_DOT_H
#define MSGRLAB_VIZ_DRAW_DOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DOT_LINE_MAX 120
#define DOT_FONT "DejaVu Sans"
#define DOT_GREY "#B8B8B8"  /* what was not observed */
#define DOT_INK "#333333"   /* lines and text */
#define DOT_SHADE "#F7F7F7" /* background of a layer */

/* A quoted string. Line ends stay line ends: 'n' centred, 'l' to the left, 'r' to the
 * right. */
void dot_text(FILE *out, const char *text, char justify);
/* A quoted name made of a prefix and a number, for ids. */
void dot_id(FILE *out, const char *prefix, unsigned number);

/* ---- drawings: points (1/72 inch), x to the right, y down ---- */

struct drawing; /* private */

enum dot_shape {
    DOT_ROUND,    /* a step: rounded box */
    DOT_BOX,      /* a bar */
    DOT_QUEUE,    /* a data structure: cylinder */
    DOT_PIPE,     /* the notify pipe */
    DOT_WIRE,     /* the network */
    DOT_PLAIN,    /* only text */
    DOT_BADGE,    /* text in `colour` on `fill`, without a border */
    DOT_DIAMOND,  /* external event */
    DOT_CIRCLE,   /* file event */
    DOT_TRIANGLE, /* timer */
};

struct dot_box {
    double x, y, w, h; /* centre and size */
    enum dot_shape shape;
    const char *label;
    char justify;       /* 'n' (also 0), 'l', 'r' */
    const char *colour; /* border, or text of DOT_PLAIN; NULL = DOT_INK */
    const char *fill;   /* NULL = white */
    double pen;         /* border width; 0 = 1 */
    double font;        /* 0 = 10 */
    bool dashed, bold;
    const char *tooltip; /* NULL: the label */
};

#define DOT_POINTS_MAX 6

enum dot_style {
    DOT_SOLID,  /* same thread */
    DOT_DASHED, /* wake-up */
    DOT_DOTTED, /* the network */
    DOT_DOUBLE, /* bytes are copied */
};

struct dot_line {
    int from, to;                     /* boxes it belongs to */
    double points[DOT_POINTS_MAX][2]; /* a path with rounded corners */
    int n;                            /* points */
    enum dot_style style;
    double width;       /* 0 = 1 */
    const char *colour; /* NULL = DOT_INK */
    bool no_arrow;
    const char *label;       /* NULL: none */
    double label_x, label_y; /* left end, middle line of the label */
    bool label_centred;      /* label_x is its middle instead */
};

/* NULL if out of memory. */
struct drawing *drawing_new(void);
void drawing_free(struct drawing *d); /* NULL is fine */
/* A background with a heading, behind everything. */
void drawing_lane(struct drawing *d, double x, double y, double w, double h,
                  const char *label);
/* Returns the number of the box, for lines. */
int drawing_box(struct drawing *d, const struct dot_box *box);
/* Text from x to the right, centred on y. */
void drawing_text(struct drawing *d, double x, double y, double font, const char *colour,
                  const char *text);
void drawing_line(struct drawing *d, const struct dot_line *line);
/* How far down it reaches so far. */
double drawing_bottom(const struct drawing *d);
/* Writes it. 0, -ENOMEM, or -EIO. `title` names it for screen readers. */
int drawing_write(struct drawing *d, FILE *out, const char *title);

/* Colour n of a palette that is dark enough for text on white, and told apart by the
 * colour-blind. It repeats, so a colour never stands alone: the thread's name is beside it.
 */
const char *dot_colour(unsigned n);

/* How wide a text of n characters is about. */
static inline double dot_width(size_t n, double font)
{
    return (double)n * font * 0.62;
}

#endif
