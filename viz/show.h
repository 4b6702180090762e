/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show.h: the one door to viz/: a trace in, a picture or text out. This is what
 * "msgrlab show" calls.
 *
 * Every view prints its own caption: what was recorded, which nodes, how many events are
 * shown, were lost and were damaged, and the command that makes it again.
 *
 * Any thread, but one at a time in a process if a picture is rendered (it waits for a
 * child).
 */
#ifndef MSGRLAB_VIZ_SHOW_H
#define MSGRLAB_VIZ_SHOW_H

#include <stdint.h>
#include <stdio.h>

/* Zeroed fields mean: everything, as text, to standard output. */
struct show_opts {
    const char *trace;   /* path of the trace file; required */
    const char *view;    /* a name from show_views; NULL = "text" */
    const char *output;  /* path; its extension chooses the format. NULL = text to stdout */
    const char *format;  /* "svg", "txt", ...: overrides the extension */
    const char *message; /* only that message: index, NODE:N or from:NODE:N */
    const char *kind;    /* only records of that kind (name, id or step), text views */
    const char *conn;    /* only records of that object (name or id), text views */
    uint64_t limit;      /* at most so many lines; 0 = all */
};

/* 0, or a negative errno after a sentence on `err`. A failure leaves no output file behind,
 * and an existing one as it was. */
int show_run(const struct show_opts *opts, FILE *err);
/* Prints each view with its formats and what it is for. */
void show_views(FILE *out);

#endif
