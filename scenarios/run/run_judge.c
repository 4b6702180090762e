/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_judge.c: what can be said only when the nodes are shut down: what is left over, and
 * what is in the trace.
 */
#include <stdio.h>
#include <string.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "scenarios/lab/node.h"
#include "scenarios/run/run_guard.h"
#include "scenarios/run/run_impl.h"
#include "viz/join/join.h"
#include "viz/trace/trace_reader.h"

/* Threads leave /proc a little after they are joined. */
#define LEAK_WAIT_NS (2 * NSEC_PER_SEC)

/* ---- leaks ------------------------------------------------------------------------- */

/* A simulated node has descriptors of its own; the process is looked at only when the nodes
 * are real. */
static void look_for_open(struct run *run, const struct run_census *before)
{
    uint64_t until = os_monotonic_ns(run->world.os) + LEAK_WAIT_NS;
    struct run_census now = run_census();
    char *out = run->leak;
    size_t room = sizeof(run->leak);

    while ((now.threads > before->threads || now.fds > before->fds) &&
           os_monotonic_ns(run->world.os) < until) {
        os_sleep_ns(run->world.os, NSEC_PER_MSEC);
        now = run_census();
    }
    if (now.fds != before->fds) {
        snprintf(out, room, "%d descriptors are open, %d were before the run", now.fds,
                 before->fds);
    } else if (now.threads != before->threads) {
        snprintf(out, room, "%d threads are there, %d were before the run", now.threads,
                 before->threads);
    }
}

void run_look_for_leaks(struct run *run, const struct run_census *before)
{
    char *out = run->leak;
    size_t room = sizeof(run->leak);

    if (run->world.sim == NULL) {
        look_for_open(run, before);
    } else if (run->world.leaked_fds != 0) {
        snprintf(out, room, "%d descriptors of simulated nodes are open",
                 run->world.leaked_fds);
    }
    if (out[0] == '\0' && run->world.leaked_chunks != 0) {
        snprintf(out, room, "chunks: %llu of the RDMA stacks are not where they belong",
                 (unsigned long long)run->world.leaked_chunks);
    }
    for (int i = 0; i < run->lab->n_nodes && out[0] == '\0'; i++) {
        const struct lab_node *node = run->lab->nodes[i];

        if (node->leaked) {
            snprintf(out, room,
                     "node %s still has %llu connections, %llu in handshake, %llu messages "
                     "to dispatch",
                     node->opts.name,
                     (unsigned long long)node->counters[LAB_COUNTER_connections],
                     (unsigned long long)node->counters[LAB_COUNTER_accepting],
                     (unsigned long long)node->counters[LAB_COUNTER_dispatch_depth]);
        }
    }
}

/* ---- the trace --------------------------------------------------------------------- */

static bool wants_steps(const struct run *run)
{
    for (const struct expectation *e = run->expectations.first; e != NULL; e = e->next) {
        if (e->kind == EXPECT_STEPS) {
            return true;
        }
    }
    return false;
}

void run_finish_trace(struct run *run)
{
    struct run_outcome *outcome = run->outcome;
    bool sim = run->world.sim != NULL && run->world.trace != NULL;

    run->trace_lost = run->world.trace != NULL ? trace_lost(run->world.trace) : 0;
    run->trace_error = world_close_trace(&run->world);
    if (sim) {
        trace_hasher_result(&run->world.hasher, &outcome->hash);
        outcome->hashed = true;
        outcome->records = outcome->hash.records;
    }
}

/* Why what is not in the trace may have happened all the same; "": it may not. */
static void explain_losses(const struct run *run, char *why, size_t size)
{
    if (run->trace_error != 0) {
        snprintf(why, size, "the trace is incomplete: %s",
                 trace_error_text(run->trace_error));
    } else if (run->trace_lost > 0) {
        snprintf(why, size, "the trace is incomplete: %llu records are lost",
                 (unsigned long long)run->trace_lost);
    } else {
        why[0] = '\0';
    }
}

void run_judge(struct run *run)
{
    struct trace_reader *reader = NULL;
    struct join *join = NULL;
    char why[200] = "there is no trace";

    run->phase = RUN_JUDGE;
    if (run->world.trace != NULL) {
        run_finish_trace(run);
        explain_losses(run, why, sizeof(why));
        if (run->world.trace_kept || wants_steps(run)) {
            if (trace_reader_open(run->world.trace_path, &reader, why, sizeof(why)) == 0) {
                run->trace_records = trace_reader_count(reader);
            }
        }
        if (reader != NULL && wants_steps(run) && trace_join(reader, &join) < 0) {
            snprintf(why, sizeof(why), "not enough memory to read the trace");
        }
    }
    expect_finish(&run->expectations, run->lab, join, why);
    join_free(join);
    trace_reader_close(reader);
}
