/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h: where a scenario runs: on Linux, or in the simulated world. Gives each node its
 * operating system and its network stack, and owns the trace they record into.
 *
 * Main thread only, except the fields, which do not change after world_open. In the
 * simulated world the main thread is the virtual one that world_run starts.
 */
#ifndef MSGRLAB_SCENARIOS_WORLD_H
#define MSGRLAB_SCENARIOS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/event_driver.h"
#include "engine/os.h"

struct network_stack;
struct sim_world;
struct trace;

#define WORLD_NODES_MAX 250

struct world_opts {
    const char *on;       /* "linux" or "sim" */
    const char *schedule; /* sim: "fifo", "random" or "pct"; NULL: random */
    const char *stack;    /* "tcp" */
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
    struct sim_world *sim; /* owned; NULL: on Linux */
    struct os *os;         /* owned: the scenario's own clock, threads and locks */
    struct trace *trace;   /* owned; NULL: nothing is recorded */
    char trace_path[512];  /* opens the trace file as long as the world is there */
    int trace_fd;          /* owned; of a file without a name, else -1 */
    bool trace_kept;       /* the user asked for the file */
};

/* EXIT_OK, or an exit code with a sentence in `why`. */
int world_open(const struct world_opts *opts, struct world *ret, char *why, size_t size);
/* Runs fn(arg) in the world until it returns: on Linux that is a call. EXIT_OK;
 * EXIT_LIVENESS when the simulated world stood still or ran in circles, with a report of
 * who waits for what in *ret_report (borrowed): then fn did not return, and nothing of the
 * run may be touched but the trace. */
int world_run(struct world *w, void (*fn)(void *arg), void *arg, const char **ret_report);
/* Virtual schedules by name, for messages. */
extern const char *const world_schedules[3];
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
