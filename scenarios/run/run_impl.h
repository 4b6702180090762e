/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_impl.h: a run while it goes on, between the files of this folder. run.c tells it,
 * run_judge.c looks at what it left behind, run_summary.c prints how it ended,
 * run_outcome.c gives that a name.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_RUN_IMPL_H
#define MSGRLAB_SCENARIOS_RUN_RUN_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scenarios/lab/expect.h"
#include "scenarios/lab/lab.h"
#include "scenarios/lab/world.h"
#include "scenarios/lua/host.h"
#include "scenarios/lua/story.h"
#include "scenarios/run/run.h"
#include "scenarios/run/run_guard.h"

enum run_phase { RUN_SCRIPT, RUN_EXPECT, RUN_SHUTDOWN, RUN_JUDGE, RUN_DONE };

enum run_stop { RUN_GOES_ON, RUN_TIMED_OUT, RUN_INTERRUPTED, RUN_REAL_TIMED_OUT };

struct run {
    struct run_opts opts;
    struct run_outcome *outcome; /* borrowed: the caller's */
    FILE *out, *err;             /* borrowed */
    const char *text;            /* borrowed: the script */
    size_t len;
    struct world world;
    struct lab *lab;
    struct lua_host *host;
    struct expect_list expectations;
    struct story story; /* what the script is told in, and what it left there */
    uint64_t started_ns;
    _Atomic int phase;   /* enum run_phase */
    _Atomic int stopped; /* enum run_stop */

    /* What the script's side found out. */
    bool script_failed, cannot, skipped;
    char skip_reason[240];
    bool skip_by_fault; /* ... and no wish of the script, nor anything missing here */
    char error[RUN_SIGNATURE_BYTES]; /* first line of the script's error */

    /* What the end found out. */
    char *unconnected; /* owned: lab_unconnected, of a run that failed; NULL */
    bool out_of_files; /* lab_is_out_of_files; likewise */
    char leak[400];
    uint64_t trace_records, trace_lost;
    int trace_error;
    uint64_t ended_ns;
};

/* run_judge.c: what of the process or the nodes is open that was not before the run. */
void run_look_for_leaks(struct run *run, const struct run_census *before);
/* Nothing is recorded any more. */
void run_finish_trace(struct run *run);
/* The same, and judges what is judged from the trace. */
void run_judge(struct run *run);

/* run_summary.c: prints how it ended; returns the exit code. */
int run_summary(struct run *run);
/* The same for one that was skipped: its last line. */
int run_summary_skip(struct run *run);
/* Expectations that failed; those that are awaited still, too, if `pending`. */
void run_print_expectations(const struct run *run, bool pending);
/* The connections that were not up. */
void run_print_unconnected(const struct run *run);
/* run_outcome.c: fills in code, signature and what else of the outcome the run itself
 * knows; `stopped`: the signature of a world that stopped by itself, "" otherwise. */
void run_sign(struct run *run, int code, const char *stopped);

#endif
