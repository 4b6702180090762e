/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h: one run of one scenario, from its options to an outcome.
 *
 * Phases: the script's body; waiting for what it expects; shutting down; judging counters
 * and the trace; the summary. Whatever happens, the nodes are shut down, leaks are looked
 * for and the summary is printed.
 *
 * The main thread only. A watchdog, a real thread also beside a simulated run, ends the
 * process when something outside the script's reach hangs; nothing else ends the process. A
 * process may run many scenarios, one after the other.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_RUN_H
#define MSGRLAB_SCENARIOS_RUN_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "scenarios/base/exit_codes.h"
#include "scenarios/run/run_opts.h"
#include "sim/decide/trace_hash.h"
#include "sim/faults/faults.h"

#define RUN_SIGNATURE_BYTES 200

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

/* Runs it and prints the summary. Returns ret->code; `ret` is to be given to
 * run_outcome_fini whatever it says. */
int run_scenario(const struct run_opts *opts, struct run_outcome *ret);
void run_outcome_fini(struct run_outcome *outcome);

#endif
