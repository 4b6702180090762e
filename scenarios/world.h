/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h: where a scenario runs: the real Linux now, the simulated world later. Gives each
 * node its operating system and its network stack, and owns the trace they record into.
 *
 * Main thread only, except the fields, which do not change after world_open.
 */
#ifndef MSGRLAB_SCENARIOS_WORLD_H
#define MSGRLAB_SCENARIOS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/event_driver.h"
#include "engine/os.h"

struct network_stack;
struct trace;

#define WORLD_NODES_MAX 250

struct world_opts {
    const char *on;    /* "linux" */
    const char *stack; /* "tcp" */
    enum event_driver_kind driver;
    uint64_t seed;
    const char *trace_path; /* NULL: a file without a name, for the run itself */
    bool no_trace;
    const char *title; /* of the trace */
};

struct world {
    const char *name, *stack; /* borrowed from the options */
    enum event_driver_kind driver;
    uint64_t seed;
    struct os *os;        /* owned: the scenario's own clock, threads and locks */
    struct trace *trace;  /* owned; NULL: nothing is recorded */
    char trace_path[512]; /* opens the trace file as long as the world is there */
    int trace_fd;         /* owned; of a file without a name, else -1 */
    bool trace_kept;      /* the user asked for the file */
};

/* EXIT_OK, or an exit code with a sentence in `why`. */
int world_open(const struct world_opts *opts, struct world *ret, char *why, size_t size);
/* Closes the trace; no node is left. 0 or a negative errno of the trace. The file can still
 * be read (trace_path) until world_close. */
int world_close_trace(struct world *w);
void world_close(struct world *w); /* a zeroed one is fine */

/* A node's own operating system, recording into the world's trace. NULL: no memory. */
struct os *world_os_new(struct world *w, uint8_t number, const char *name);
void world_os_free(struct world *w, struct os *os); /* NULL is fine */
/* 0 or a negative errno. */
int world_stack_new(struct world *w, struct os *os, struct network_stack **ret);

#endif
