/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iopath_figure.h: figure B while it is drawn: where its boxes are. view_iopath.c draws the
 * boxes, iopath_lines.c the lines between them.
 */
#ifndef MSGRLAB_VIZ_VIEWS_IOPATH_FIGURE_H
#define MSGRLAB_VIZ_VIEWS_IOPATH_FIGURE_H

#include "viz/draw/dot.h"
#include "viz/views/iopath.h"

#define BOX_W 158.0
#define BOX_H 48.0
#define BOX_GAP 16.0
#define GROUP_MARGIN 6.0 /* of the frame around the boxes of one step */
#define ROW 90.0
#define TOP 92.0 /* middle of row 0 */

enum column { COLUMN_OUT, COLUMN_CENTER, COLUMN_IN, COLUMN_BESIDE, COLUMNS };

struct box {
    int id; /* in the drawing; -1: not drawn */
    double x, y, w;
};

struct figure {
    struct drawing *d;
    const struct iopath *path;
    double left[COLUMNS], width[COLUMNS];
    struct box boxes[AT_PLACES][LANES_MAX];
    unsigned unexpected; /* connections */
};

/* All lines, observed or only expected. */
void iopath_draw_lines(struct figure *f);

#endif
