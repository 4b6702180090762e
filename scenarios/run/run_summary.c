/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_summary.c: how a run ended, in lines of "name  value" that people and programs read,
 * and the exit code that says the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/lab/books.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/toll.h"
#include "scenarios/run/run_impl.h"

static bool has_outsiders(const struct lab *lab)
{
    for (uint32_t i = 0; i < lab->n_conns; i++) {
        if (lab->conns[i]->peer == NULL && !lab->conns[i]->accepted) {
            return true;
        }
    }
    return false;
}

/* A session that ended although nothing can have ended it took messages with it. */
static int print_unexplained(const struct run *run)
{
    const struct lab_ledger *ledger = lab_unexplained(run->lab);

    if (ledger == NULL) {
        return 0;
    }
    fprintf(run->err,
            "unsent: %" PRIu64 " messages from %s to %s were not sent: their session "
            "was over, and neither a fault nor the script had ended it\n",
            ledger->unsent, ledger->from->opts.name, ledger->to->opts.name);
    return 1;
}

/* What went wrong without any expectation saying so. Returns how many lines. */
static int print_faults(const struct run *run)
{
    const struct lab *lab = run->lab;
    struct lab_sums sums;
    int n = 0;

    lab_sums(run->lab, NULL, NULL, NULL, &sums);
    if (lab->fault[0] != '\0') {
        fprintf(run->err,
                "safety: %s (%" PRIu64 " with wrong bytes, %" PRIu64
                " more than once, %" PRIu64 " out of order)\n",
                lab->fault, sums.corrupt, sums.duplicates, sums.inversions);
        n++;
    }
    for (int i = 0; i < lab->n_nodes; i++) {
        const struct lab_node *node = lab->nodes[i];

        if (node->foreign > 0 && !has_outsiders(lab)) {
            fprintf(run->err,
                    "corruption: node %s received %" PRIu64
                    " messages that nobody sent to it\n",
                    node->opts.name, node->foreign);
            n++;
        }
        if (node->echo_dropped > 0) {
            fprintf(run->err, "echo: node %s could not answer %" PRIu64 " messages\n",
                    node->opts.name, node->echo_dropped);
            n++;
        }
    }
    if (run->leak[0] != '\0') {
        fprintf(run->err, "leak: %s\n", run->leak);
        n++;
    }
    n += print_unexplained(run);
    return n;
}

/* The run is over, and what would tell was lost. */
static bool is_unjudged(const struct expectation *e)
{
    return e->kind == EXPECT_STEPS && e->state == EXPECT_PENDING && e->observed[0] != '\0';
}

static bool has_unjudged(const struct run *run)
{
    const struct expectation *e = run->expectations.first;

    while (e != NULL && !is_unjudged(e)) {
        e = e->next;
    }
    return e != NULL;
}

void run_print_expectations(const struct run *run, bool pending)
{
    for (const struct expectation *e = run->expectations.first; e != NULL; e = e->next) {
        if (e->state == EXPECT_FAILED) {
            fprintf(run->err, "%s: expected: %s\n    observed: %s\n", e->where, e->text,
                    e->observed);
        } else if (is_unjudged(e)) {
            fprintf(run->err, "%s: cannot be judged: %s\n    %s\n", e->where, e->text,
                    e->observed);
        } else if (pending && e->state == EXPECT_PENDING) {
            fprintf(run->err, "%s: still awaited: %s\n    so far: %s\n", e->where, e->text,
                    e->observed[0] != '\0' ? e->observed : "not looked at");
        }
    }
}

void run_print_unconnected(const struct run *run)
{
    if (run->unconnected != NULL) {
        fprintf(run->err, "not connected:\n%s", run->unconnected);
    }
}

struct totals {
    uint64_t sent, received, sent_bytes, received_bytes;
    uint64_t counters[LAB_COUNTERS];
};

static void sum_up(const struct lab *lab, struct totals *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (int i = 0; i < lab->n_nodes; i++) {
        const struct lab_node *node = lab->nodes[i];

        ret->sent += node->sent;
        ret->received += node->received + node->foreign;
        ret->sent_bytes += node->sent_bytes;
        ret->received_bytes += node->received_bytes;
        for (int k = 0; k < LAB_COUNTERS; k++) {
            ret->counters[k] += node->counters[k];
        }
    }
}

static void print_trace(const struct run *run)
{
    char hash[TRACE_HASH_TEXT];

    if (!run->world.trace_kept) {
        fprintf(run->out, "trace         not kept (--trace FILE keeps it)\n");
    } else if (run->trace_error != 0) {
        fprintf(run->out, "trace         %s: incomplete: %s\n", run->world.trace_path,
                trace_error_text(run->trace_error));
    } else {
        fprintf(run->out, "trace         %s: %" PRIu64 " records, %" PRIu64 " lost\n",
                run->world.trace_path, run->trace_records, run->trace_lost);
    }
    if (run->outcome->hashed) {
        fprintf(run->out, "trace hash    %s\n", trace_hash_text(&run->outcome->hash, hash));
    }
}

static void print_numbers(const struct run *run)
{
    const struct world *world = &run->world;
    uint32_t excused = expect_excused(&run->expectations);
    struct lab_sums sums;
    struct totals t;
    char time[32];

    sum_up(run->lab, &t);
    lab_sums(run->lab, NULL, NULL, NULL, &sums);
    fprintf(run->out, "scenario      %s\n", run->opts.script);
    fprintf(run->out, "world         %s\n", world_kind_names[world->kind]);
    fprintf(run->out, "stack         %s\n", stack_kind_names[world->stack]);
    fprintf(run->out, "driver        %s\n", event_driver_name(world->driver));
    fprintf(run->out, "seed          %" PRIu64 "\n", world->seed);
    fprintf(run->out, "nodes         %d\n", run->lab->n_nodes);
    fprintf(run->out, "messages      %" PRIu64 " sent, %" PRIu64 " received\n", t.sent,
            t.received);
    if (sums.unsent > 0) {
        fprintf(run->out, "unsent        %" PRIu64 " (%s)\n", sums.unsent,
                "the session was over, or a fault kept a sender from starting");
    }
    fprintf(run->out, "bytes         %" PRIu64 " sent, %" PRIu64 " received\n",
            t.sent_bytes, t.received_bytes);
    fprintf(run->out,
            "events        %" PRIu64 " file, %" PRIu64 " external, %" PRIu64
            " time, %" PRIu64 " wake-ups\n",
            t.counters[LAB_COUNTER_file_events], t.counters[LAB_COUNTER_external_events],
            t.counters[LAB_COUNTER_time_events], t.counters[LAB_COUNTER_wakeups]);
    fprintf(run->out, "time          %s%s\n",
            words_duration_text(run->ended_ns - run->started_ns, time, sizeof(time)),
            world->sim != NULL ? " (virtual)" : "");
    print_trace(run);
    fprintf(run->out, "expectations  %u of %u met",
            expect_count(&run->expectations, EXPECT_MET), run->expectations.n);
    if (excused > 0) {
        fprintf(run->out, ", %u of them but for what faults took", excused);
    }
    fputc('\n', run->out);
}

/* A script that cannot fail was perhaps not meant so. */
static void print_empty(const struct run *run)
{
    if (run->lab->n_nodes == 0) {
        fprintf(run->err, "note: the script makes no node: nothing was tested\n");
    } else if (run->expectations.n == 0) {
        fprintf(run->err, "note: the script expects nothing (expect.delivered(b, n), ...): "
                          "only a broken promise can make it fail\n");
    }
}

static void print_unused(const struct run *run)
{
    for (int i = 0; i < run->opts.n_sets; i++) {
        if (!run->opts.sets[i].used) {
            fprintf(run->err, "note: the script never asked for --set %s\n",
                    run->opts.sets[i].key);
        }
    }
}

static void print_file_limit(const struct run *run)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_NOFILE, &limit);
    fprintf(run->err,
            "msgrlab run: this process may open %llu files, and the scenario needs more: "
            "raise the limit (ulimit -n)\n",
            (unsigned long long)limit.rlim_cur);
}

/* Also the word for it. */
static int judge_run(const struct run *run, int faults, const char **ret_word)
{
    if (run->stopped == RUN_INTERRUPTED) {
        *ret_word = "interrupted";
        return EXIT_INTERRUPTED;
    }
    if (run->stopped == RUN_TIMED_OUT || run->stopped == RUN_REAL_TIMED_OUT) {
        *ret_word = "timed out";
        return EXIT_TIMEOUT;
    }
    if (run->script_failed) {
        *ret_word = run->cannot ? "cannot run here" : "script error";
        return run->cannot ? EXIT_CANNOT : EXIT_SCRIPT;
    }
    if (run->lab->fault[0] != '\0') {
        *ret_word = "UNSAFE";
        return EXIT_SAFETY;
    }
    if (expect_not_converged(&run->expectations) != NULL && run->world.sim != NULL) {
        *ret_word = "did not converge";
        return EXIT_LIVENESS;
    }
    if (faults == 0 && run->out_of_files) {
        *ret_word = "cannot run here";
        return EXIT_CANNOT;
    }
    if (faults > 0 || expect_count(&run->expectations, EXPECT_FAILED) > 0) {
        *ret_word = "FAILED";
        return EXIT_EXPECTATION;
    }
    if (run->trace_error != 0 || has_unjudged(run)) {
        *ret_word = "trace incomplete";
        return EXIT_FILE;
    }
    *ret_word = run->skipped ? "skipped" : "ok";
    return EXIT_OK;
}

int run_summary_skip(struct run *run)
{
    bool must = run->opts.require && !run->skip_by_fault;

    if (must) {
        snprintf(run->error, sizeof(run->error), "%.180s", run->skip_reason);
    }
    fprintf(run->out, "result        %s: %s\n",
            must ? "cannot run here (--require)" : "skipped", run->skip_reason);
    fflush(run->out);
    return must ? EXIT_CANNOT : EXIT_OK;
}

int run_summary(struct run *run)
{
    const char *word;
    int faults, code;

    fflush(run->out);
    run_print_expectations(run, run->stopped != RUN_GOES_ON);
    run_print_unconnected(run);
    faults = print_faults(run);
    if (run->trace_error != 0) {
        fprintf(run->err, "msgrlab run: cannot record to %s: %s\n",
                run->world.trace_kept ? run->world.trace_path : "a temporary file",
                trace_error_text(run->trace_error));
    }
    code = judge_run(run, faults, &word);
    if (code == EXIT_TIMEOUT) {
        char time[32];

        if (run->stopped == RUN_TIMED_OUT) {
            fprintf(run->err, "the time limit of %s passed; --timeout sets another\n",
                    words_duration_text(run->opts.timeout_ns, time, sizeof(time)));
        } else {
            fprintf(run->err, "the run took too much real time; --real-timeout sets "
                              "another limit\n");
        }
    }
    if (code == EXIT_CANNOT && run->out_of_files) {
        print_file_limit(run);
    }
    if (code == EXIT_OK && !run->skipped) {
        print_unused(run);
        print_empty(run);
    }
    print_numbers(run);
    if (run->skipped && code == EXIT_OK) {
        return run_summary_skip(run);
    }
    fprintf(run->out, "result        %s\n", word);
    fflush(run->out);
    return code;
}
