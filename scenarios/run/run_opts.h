/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_opts.h: what can be said about a run of a scenario, from the command line, by a
 * campaign, or by the record of another run.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_RUN_OPTS_H
#define MSGRLAB_SCENARIOS_RUN_RUN_OPTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base.h"
#include "scenarios/base/setting.h"
#include "scenarios/lab/world.h"

#define RUN_SETS_MAX 64
#define RUN_TIMEOUT_NS (60 * NSEC_PER_SEC)
/* Real time that a simulated run may take: a bound for mistakes, far from what is usual. */
#define RUN_REAL_TIMEOUT_NS (300 * NSEC_PER_SEC)
#define RUN_SCRIPT_PATH 1000

/* Zero means the default, unless it says otherwise. */
struct run_opts {
    const char *script; /* its file */
    const char *name;   /* what it was called on the command line; NULL: its file */
    /* What the script says it is for, in the comment it begins with: where that is not to
     * be had, it is skipped, or (require) cannot run. */
    enum world_kind for_world; /* WORLD_UNSAID: any */
    bool for_stack;            /* its stack, which nobody asked for on the command line */
    bool require;
    bool stack_asked; /* world.stack was */
    struct world_opts world;
    uint64_t timeout_ns;      /* by the world's clock; must be set */
    uint64_t real_timeout_ns; /* sim: by the real clock [RUN_REAL_TIMEOUT_NS] */
    uint64_t instructions_max;
    int n_sets;
    struct setting sets[RUN_SETS_MAX];
    char found[RUN_SCRIPT_PATH]; /* where `script` points if it was found by name */
    bool log;                    /* keep the decisions for run_outcome.decisions */
    bool quiet;                  /* print nothing at all */
    /* sim: the caller watches over the process: no watchdog, no crash handler, and Ctrl-C
     * is its own. */
    bool bare;
    FILE *out, *err;   /* borrowed; NULL: stdout, stderr */
    const char *again; /* the command that repeats the run, for messages; NULL: run ... */
    /* Where a crash leaves a record of the run (record.h); NULL: nowhere. Writing the
     * record of a run that did end is the caller's. */
    const char *record_path;
};

#endif
