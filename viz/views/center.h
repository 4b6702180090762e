/* SPDX-License-Identifier: Apache-2.0 */
/*
 * center.h: figure A, the event centers, as part of a drawing.
 */
#ifndef MSGRLAB_VIZ_VIEWS_CENTER_H
#define MSGRLAB_VIZ_VIEWS_CENTER_H

#include "viz/draw/dot.h"
#include "viz/views/view.h"

/* Draws it with its upper left corner at (x, y). Returns how many events it shows, or
 * -ENOMEM. */
int64_t center_draw(const struct view_input *in, struct drawing *d, double x, double y);

#endif
