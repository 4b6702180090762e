/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h: one run of one scenario, from its options to an outcome.
 *
 * Phases: the script's body; waiting for what it expects; shutting down; judging counters
 * and the trace; the summary. Whatever happens, the nodes are shut down, leaks are looked
 * for and the summary is printed.
 *
 * The main thread only, except run_is_stopped. A watchdog, a real thread also beside a
 * simulated run, ends the process when something outside the script's reach hangs; nothing
 * else ends the process. A process may run many scenarios, one after the other.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_RUN_H
#define MSGRLAB_SCENARIOS_RUN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "scenarios/base/exit_codes.h"
#include "scenarios/lab/expect.h"
#include "scenarios/lab/lab.h"
#include "scenarios/lua/host.h"
#include "scenarios/lab/world.h"
#include "sim/faults/faults.h"
#include "sim/decide/trace_hash.h"

#define RUN_SETS_MAX 64
#define RUN_TIMEOUT_NS (60 * NSEC_PER_SEC)
#define RUN_GRACE_NS (5 * NSEC_PER_SEC)  /* from the time limit to the watchdog */
#define RUN_SETTLE_NS (1 * NSEC_PER_SEC) /* for messages still under way */
/* Real time that a simulated run may take: a bound for mistakes, far from what is usual. */
#define RUN_REAL_TIMEOUT_NS (300 * NSEC_PER_SEC)
#define RUN_SIGNATURE_BYTES 200
#define RUN_SCRIPT_PATH 1000

struct run_set {
    const char *key, *value; /* borrowed from the command line */
    bool used;               /* the script looked at it */
};

/* Zero means the default, unless it says otherwise. */
struct run_opts {
    const char *script; /* its file */
    const char *name;   /* what it was called on the command line; NULL: its file */
    /* What the script says it is for, in the comment it begins with: where that is not to
     * be had, it is skipped, or (require) cannot run. */
    const char *for_world; /* "sim", "linux"; NULL: any */
    bool for_stack;        /* its stack, which nobody asked for on the command line */
    bool require;
    bool stack_asked; /* world.stack was */
    struct world_opts world;
    uint64_t timeout_ns;      /* by the world's clock; must be set */
    uint64_t real_timeout_ns; /* sim: by the real clock [RUN_REAL_TIMEOUT_NS] */
    uint64_t instructions_max;
    int n_sets;
    struct run_set sets[RUN_SETS_MAX];
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

/* How a run ended. */
struct run_outcome {
    int code; /* exit_codes.h */
    /* "" when all went well; else a name of the failure that does not depend on times or
     * chance, beginning with a class: safety | liveness | expectation | script | leak |
     * timeout | cannot | file | interrupted. (crash and nondeterminism are for callers.) */
    char signature[RUN_SIGNATURE_BYTES];
    bool skipped;
    struct trace_hash hash;   /* of what was recorded; sim only */
    bool hashed;              /* ... there is one */
    struct trace_hash script; /* of the script's text */
    uint64_t schedule;        /* hash of who ran when; sim only */
    uint64_t virtual_ns;      /* what the run took by its world's clock */
    uint64_t points;          /* scheduling points; sim only */
    uint64_t records;         /* recorded; sim only */
    uint64_t messages;        /* received */
    uint64_t unsent;          /* not sent: their sessions were over */
    uint64_t stopped_id;  /* event at which world_opts.stop_* ended the run; 0: not so */
    uint32_t n_decisions; /* other than "nothing special", if they were logged */
    char *decisions;      /* owned: their lines, if asked for */
    char *report;         /* owned: of a world that stopped: who waits for what; or NULL */
    /* Virtual threads are stuck in the middle and have left their memory behind: the
     * process should run no other scenario, and end with _exit. */
    bool poisoned;
    int pcap_error;              /* a negative errno: packets could not be written */
    uint32_t fired[FAULT_COUNT]; /* how often each fault happened */
};

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
    uint64_t started_ns, deadline_ns;
    _Atomic int phase;   /* enum run_phase */
    _Atomic int stopped; /* enum run_stop */

    /* What the script's side found out. */
    bool script_failed, skipped, cannot, gave_up;
    char cannot_why[200]; /* what could not be done here last; a script may get over it */
    bool in_handler;
    struct lab_inbox *handling; /* owned: the message a handler looks at */
    char skip_reason[240];
    bool skip_by_fault; /* ... and no wish of the script, nor anything missing here */
    int cannot_rc;      /* -errno of cannot_why */
    uint64_t handlings; /* so many so far: the number of that one */
    char error[RUN_SIGNATURE_BYTES]; /* first line of the script's error */

    /* What the end found out. */
    char *unconnected; /* owned: lab_unconnected, of a run that failed; NULL */
    bool out_of_files; /* lab_is_out_of_files; likewise */
    char leak[400];
    uint64_t trace_records, trace_lost;
    int trace_error;
    uint64_t ended_ns;
};

/* Runs it and prints the summary. Returns ret->code; `ret` is to be given to
 * run_outcome_fini whatever it says. */
int run_scenario(const struct run_opts *opts, struct run_outcome *ret);
void run_outcome_fini(struct run_outcome *outcome);

/* A time limit or Ctrl-C. Any thread. */
bool run_is_stopped(void *run);
struct run *run_of(lua_State *L);

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
