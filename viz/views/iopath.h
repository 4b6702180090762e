/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iopath.h: the numbers of the IO path figure: which steps ran on which threads, how often
 * and for how long, and what went from where to where. One pass over the records and one
 * over the messages; the size depends on kinds and threads, not on events.
 *
 * A "lane" is a thread, or a group of threads when there are too many to draw.
 */
#ifndef MSGRLAB_VIZ_VIEWS_IOPATH_H
#define MSGRLAB_VIZ_VIEWS_IOPATH_H

#include "viz/join/hist.h"
#include "viz/trace/steps.h"
#include "viz/views/view.h"

/* Steps first: each may exist once per lane. Then the data structures. */
enum place {
#define X(id, point, title) AT_##id,
    IO_STEPS(X)
#undef X
        AT_FAST, /* fast dispatch */
    AT_BEGIN,    /* the dispatcher's callback */
    AT_STEPS,
    AT_OUT_QUEUE = AT_STEPS,
    AT_EXTERNAL, /* the external events queue */
    AT_PIPE,
    AT_WAIT,  /* the driver */
    AT_FILES, /* the file events table */
    AT_OUTGOING,
    AT_RECV_BUF,
    AT_DISPATCH_QUEUE,
    AT_NOTIFY, /* the descriptors by which the RDMA stack wakes a worker */
    AT_WIRE,
    AT_PLACES,
};

#define LANES_MAX 12

/* What kind of arrow a connection of two places is. */
enum edge_class { EDGE_CALL, EDGE_WAKE, EDGE_WIRE, EDGE_COPY };

struct iopath_step {
    uint64_t calls;
    struct hist work; /* own time of a call */
};

struct iopath_edge {
    enum place from, to;
    uint8_t from_lane, to_lane; /* 0 for data structures */
    enum edge_class class_;
    bool expected; /* the reference model has it */
    uint64_t count, bytes;
    struct hist wait; /* from one to the other */
};

struct iopath {
    char lanes[LANES_MAX][40];
    unsigned n_lanes;
    const char *grouped; /* how threads were grouped; NULL: not at all */
    struct iopath_step steps[AT_STEPS][LANES_MAX];
    struct iopath_edge **edges; /* owned, in the order of first use */
    size_t n_edges;
    bool edges_left_out; /* there were too many */
    uint64_t posts, merges, writes, drains, cycles, runs;
    uint64_t notifies; /* of the RDMA stack */
    bool rdma;         /* an RDMA stack was recorded: S7, R1 and R2 have their places */
    uint64_t shown;    /* records that went into it */
};

/* Which runs have a connection. */
enum reference_stack { WITH_ANY, WITH_TCP, WITH_RDMA };

/* The reference: what a messenger does. */
struct reference_edge {
    uint8_t from, to; /* enum place */
    uint8_t class_;   /* enum edge_class */
    bool optional;    /* not every run has it: not drawn when unseen */
    uint8_t stack;    /* enum reference_stack */
};
extern const struct reference_edge reference_edges[];
extern const size_t reference_edges_n;

/* NULL if out of memory. */
struct iopath *iopath_new(const struct view_input *in);
void iopath_free(struct iopath *path); /* NULL is fine */
/* Whether the run should have had it. */
bool iopath_expects(const struct iopath *path, const struct reference_edge *edge);
/* Was there any such connection, on any thread? */
bool iopath_has(const struct iopath *path, enum place from, enum place to);
/* The step that a trace point of this kind belongs to; AT_PLACES: none. */
enum place place_of(uint16_t kind);
/* "S3", "out_q", ... */
const char *place_name(enum place place);
/* "S3 queue" of a step. */
const char *place_title(enum place place);

#endif
