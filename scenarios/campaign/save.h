/* SPDX-License-Identifier: Apache-2.0 */
/*
 * save.h: runs a failed seed once more, in a process of its own, with the log of
 * decisions on, and keeps it as a record (record.h). The log is written into shared memory
 * while the run goes on, so a crash leaves it, too.
 *
 * Parent process, one thread.
 */
#ifndef MSGRLAB_SCENARIOS_CAMPAIGN_SAVE_H
#define MSGRLAB_SCENARIOS_CAMPAIGN_SAVE_H

#include <stddef.h>

#include "scenarios/campaign/report.h"
#include "sim/decide/decisions.h"
#include "sim/campaign/process.h"

#define DECISION_SINK_BYTES (256u << 20) /* address space; touched as needed */

/* Decision lines that survive the process that wrote them. */
struct decision_sink {
    _Atomic size_t len;
    _Atomic bool full; /* lines are missing */
    char text[];
};

struct decision_sink *decision_sink_new(void);       /* NULL: no memory */
void decision_sink_free(struct decision_sink *sink); /* NULL is fine */
/* The on_decision of world_opts; `arg` is the sink. */
void decision_sink_add(void *arg, const struct sim_decisions *d,
                       const struct sim_decision *it);

/* What a run in a process of its own told before it ended; zeros if it crashed. */
struct retold {
    struct trace_hash hash, script;
    int32_t code;
    uint8_t hashed;
    char signature[RUN_SIGNATURE_BYTES];
};

/* Runs it apart, quietly; *ret is how it ended. 0 or a negative errno. */
int campaign_run_apart(struct os *os, const struct run_opts *opts, uint64_t real_max_ns,
                       struct retold *ret_told, struct campaign_result *ret);
/* Keeps the failure in the directory, and says how that went in ret. `real_max_ns`: the run
 * is ended after so long. */
void campaign_save(struct os *os, const struct run_opts *run, const char *dir,
                   const struct campaign_result *failure, uint64_t real_max_ns,
                   struct report_saved *ret);

#endif
