/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render.h: DOT in, a picture out, by the program "dot" in a child process.
 *
 * The child gets an empty environment, 10 s of processor time and 1 GiB of memory, and
 * writes to memory; what it reads was written by this program.
 */
#ifndef MSGRLAB_VIZ_DRAW_RENDER_H
#define MSGRLAB_VIZ_DRAW_RENDER_H

#include <stddef.h>
#include <stdio.h>

/* Renders the text as "svg", "pdf" or "png". 0, or a negative errno with a sentence in
 * `why` and nothing written to `out`; if writing itself failed, `why` stays as it was. */
int render_dot(const char *text, size_t len, const char *format, FILE *out, char *why,
               size_t size);

#endif
