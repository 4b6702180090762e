/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h: what all views share: what they get, and the caption. Each view_*.c writes one
 * view in one or more formats; show.c chooses.
 */
#ifndef MSGRLAB_VIZ_VIEWS_VIEW_H
#define MSGRLAB_VIZ_VIEWS_VIEW_H

#include <stdio.h>

#include "viz/join/join.h"
#include "viz/trace/points.h"
#include "viz/show.h"
#include "viz/trace/trace_reader.h"

struct view_input {
    const struct trace_reader *reader; /* borrowed */
    const struct join *join;           /* borrowed */
    const struct show_opts *opts;      /* borrowed */
    size_t message;                    /* selected by opts->message; join_count: none */
};

/* Writes a view in one format. 0 or a negative errno. */
typedef int (*view_fn)(const struct view_input *in, FILE *out);

int view_text(const struct view_input *in, FILE *out);
int view_text_json(const struct view_input *in, FILE *out); /* JSON Lines */
int view_text_csv(const struct view_input *in, FILE *out);
int view_message(const struct view_input *in, FILE *out);
int view_message_dot(const struct view_input *in, FILE *out);
int view_iopath(const struct view_input *in, FILE *out);
int view_iopath_dot(const struct view_input *in, FILE *out); /* figures A and B */
int view_center(const struct view_input *in, FILE *out);
int view_center_dot(const struct view_input *in, FILE *out); /* figure A */
int view_states(const struct view_input *in, FILE *out);
int view_states_dot(const struct view_input *in, FILE *out);

/* The caption: lines, each ending with a line end. `shown`: how many events the view uses.
 * The string is the caller's to free; NULL if out of memory. */
char *view_caption(const struct view_input *in, const char *view, uint64_t shown);
/* "1,234,567"; size >= 27. Returns buf. */
char *count_text(char *buf, size_t size, uint64_t n);

#endif
