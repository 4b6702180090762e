/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h: one run of one scenario, from the command line to the exit code.
 *
 * Phases: the script's body; waiting for what it expects; shutting down; judging counters
 * and the trace; the summary. Whatever happens, the nodes are shut down, leaks are looked
 * for and the summary is printed.
 *
 * The main thread only, except run_is_stopped. A watchdog thread ends the process when
 * something outside the script's reach hangs.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_H
#define MSGRLAB_SCENARIOS_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/exit_codes.h"
#include "scenarios/expect.h"
#include "scenarios/lab.h"
#include "scenarios/lua_host.h"
#include "scenarios/world.h"
#include "sim/trace_hash.h"

#define RUN_SETS_MAX 64
#define RUN_TIMEOUT_NS (60 * NSEC_PER_SEC)
#define RUN_GRACE_NS (5 * NSEC_PER_SEC)  /* from the time limit to the watchdog */
#define RUN_SETTLE_NS (1 * NSEC_PER_SEC) /* for messages still under way */

struct run_set {
    const char *key, *value; /* borrowed from the command line */
    bool used;               /* the script looked at it */
};

struct run_opts {
    const char *script;
    struct world_opts world;
    uint64_t timeout_ns, instructions_max;
    int n_sets;
    struct run_set sets[RUN_SETS_MAX];
};

enum run_phase { RUN_SCRIPT, RUN_EXPECT, RUN_SHUTDOWN, RUN_JUDGE, RUN_DONE };

enum run_stop { RUN_GOES_ON, RUN_TIMED_OUT, RUN_INTERRUPTED };

struct run {
    struct run_opts opts;
    struct world world;
    struct lab *lab;
    struct lua_host *host;
    struct expect_list expectations;
    uint64_t started_ns, deadline_ns;
    _Atomic int phase;   /* enum run_phase */
    _Atomic int stopped; /* enum run_stop */

    /* What the script's side found out. */
    bool script_failed, skipped, cannot, gave_up;
    bool in_handler;
    bool hashed; /* the simulated world's trace, in trace_hash */
    struct trace_hash trace_hash;
    struct lab_inbox *handling; /* owned: the message a handler looks at */
    char skip_reason[200];

    /* What the end found out. */
    char leak[400];
    uint64_t trace_records, trace_lost;
    int trace_error;
    uint64_t ended_ns;
};

/* Runs it and prints the summary. An exit code. */
int run_scenario(const struct run_opts *opts);

/* Time limit or Ctrl-C. Any thread. */
bool run_is_stopped(void *run);
struct run *run_of(lua_State *L);

/* run_summary.c */
int run_summary(const struct run *run);

#endif
