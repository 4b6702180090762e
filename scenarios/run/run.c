/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: tells a scenario, from reading its script to its world's end. */
#include "scenarios/run/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/interrupt.h"
#include "scenarios/base/text.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/finish.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/unconnected.h"
#include "scenarios/lua/api.h"
#include "scenarios/run/record.h"
#include "scenarios/run/run_exit.h"
#include "scenarios/run/run_guard.h"
#include "scenarios/run/run_impl.h"

#define GRACE_NS (5 * NSEC_PER_SEC) /* from the time limit to the watchdog */
/* What a simulated run may take beyond its time limit, by its own clock, to end well. */
#define SIM_GRACE_NS (600 * NSEC_PER_SEC)

/* ---- stopping ---------------------------------------------------------------------- */

/* A time limit or Ctrl-C. Any thread. */
static bool is_stopped(void *arg)
{
    struct run *run = arg;
    int goes_on = RUN_GOES_ON;

    if (interrupt_came()) {
        atomic_compare_exchange_strong(&run->stopped, &goes_on, RUN_INTERRUPTED);
    } else if (os_monotonic_ns(run->world.os) >= run->story.deadline_ns) {
        atomic_compare_exchange_strong(&run->stopped, &goes_on, RUN_TIMED_OUT);
    }
    return run->stopped != RUN_GOES_ON;
}

/* On the watchdog's thread: the script is to stop where it looks next. */
static void stop_softly(void *arg)
{
    struct run *run = arg;
    int goes_on = RUN_GOES_ON;

    atomic_compare_exchange_strong(&run->stopped, &goes_on, RUN_REAL_TIMED_OUT);
}

/* The same, when nothing the run can do itself has helped: a script inside a function of C,
 * or a messenger that does not end. */
static void bark(void *arg)
{
    static const char *const what[] = {"in the script", "waiting for expectations",
                                       "shutting the nodes down", "reading the trace",
                                       "ending"};
    const struct run *run = arg;

    fprintf(stderr,
            "msgrlab run: the time limit passed %s, and nothing moves any more.\n"
            "What was recorded so far is in the trace. Giving up.\n",
            what[run->phase]);
}

static int start_guard(struct run *run, struct run_guard *guard)
{
    bool sim = run->world.sim != NULL;
    uint64_t real = run->opts.real_timeout_ns;

    real = real != 0 ? real : RUN_REAL_TIMEOUT_NS;
    *guard = (struct run_guard){.soft_ns = sim ? real : UINT64_MAX,
                                .hard_ns = (sim ? real : run->opts.timeout_ns) + GRACE_NS,
                                .on_soft = stop_softly,
                                .on_hard = bark,
                                .arg = run};
    return run_guard_start(guard);
}

/* ---- the script -------------------------------------------------------------------- */

/* The whole file. 0 or a negative errno; *ret is the caller's. */
static int read_script(const char *path, char **ret, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t len = 0;
    int rc = 0;

    if (file == NULL) {
        return -errno;
    }
    text = malloc(LUA_HOST_SCRIPT_MAX + 1);
    if (text == NULL) {
        rc = -ENOMEM;
    } else {
        len = fread(text, 1, LUA_HOST_SCRIPT_MAX + 1, file);
        rc = ferror(file) ? -EISDIR : len > LUA_HOST_SCRIPT_MAX ? -EFBIG : 0;
    }
    fclose(file);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

/* A script about RDMA, on a machine: what has no device there is skipped. */
static bool is_optional(const struct run_opts *opts)
{
    return opts->for_stack && opts->world.on == WORLD_LINUX;
}

static void skip(struct run *run, bool by_fault, const char *prefix, const char *reason)
{
    run->skipped = true;
    run->skip_by_fault = by_fault;
    snprintf(run->skip_reason, sizeof(run->skip_reason), "%s%s", prefix, reason);
}

static void fail_script(struct run *run)
{
    const char *why = run->story.cannot_why;

    run->cannot = why[0] != '\0' && strstr(run->host->error, why) != NULL;
    if (run->cannot && lab_has_met(run->lab, FC_NO_RESOURCE)) {
        skip(run, true, "a fault had it that ", why);
        return;
    }
    if (run->cannot && run->story.cannot_rc == -ENODEV && is_optional(&run->opts)) {
        skip(run, false, "", why);
        return;
    }
    run->script_failed = true;
    snprintf(run->error, sizeof(run->error), "%.*s", (int)strcspn(run->host->error, "\n"),
             run->host->error);
    fprintf(run->err, "%s\n", run->host->error);
}

/* A call into the script's side; false: no more calls. */
static bool call(struct run *run, int n_args)
{
    if (lua_host_call(run->host, n_args, 0)) {
        return true;
    }
    if (run->story.skipped) {
        skip(run, false, "", run->story.skip_reason);
    } else if (!run->story.gave_up && run->stopped == RUN_GOES_ON) {
        fail_script(run);
    }
    return false;
}

static bool call_function(struct run *run, lua_CFunction function)
{
    lua_pushcfunction(run->host->L, function);
    return call(run, 0);
}

static void run_script(struct run *run, const char *text, size_t len)
{
    run->phase = RUN_SCRIPT;
    if (!call_function(run, lua_api_open)) {
        return;
    }
    if (!lua_host_load(run->host, text, len, run->opts.script)) {
        fail_script(run);
        return;
    }
    if (!call(run, 0)) {
        return;
    }
    run->phase = RUN_EXPECT;
    if (call_function(run, api_await_expectations)) {
        call_function(run, api_settle);
    }
}

/* ---- the whole --------------------------------------------------------------------- */

static int set_up(struct run *run)
{
    struct lua_host_opts host = {.instructions_max = run->opts.instructions_max,
                                 .seed = run->opts.world.seed,
                                 .out = run->out,
                                 .is_stopped = is_stopped,
                                 .arg = run};

    run->started_ns = os_monotonic_ns(run->world.os);
    if (lab_new(&run->world, &run->lab) < 0) {
        return -ENOMEM;
    }
    if (lab_fair_init(run->lab) < 0) {
        return -ENOMEM;
    }
    run->story = (struct story){.world = &run->world,
                                .lab = run->lab,
                                .expectations = &run->expectations,
                                .sets = run->opts.sets,
                                .n_sets = run->opts.n_sets,
                                .deadline_ns = run->started_ns + run->opts.timeout_ns};
    run->lab->is_stopped = is_stopped;
    run->lab->stop_arg = run;
    run->host = lua_host_new(&host);
    if (run->host == NULL) {
        return -ENOMEM;
    }
    run->host->user = &run->story;
    return 0;
}

/* The script went through, and nothing it waited for failed: only then does it say
 * something that messages are missing. */
static bool run_came_true(const struct run *run)
{
    bool all = !run->script_failed && !run->skipped && !run->story.gave_up &&
               run->stopped == RUN_GOES_ON;

    for (const struct expectation *e = run->expectations.first; e != NULL && all;
         e = e->next) {
        all = e->state != EXPECT_FAILED;
    }
    return all;
}

/* Before everything ends: what of it was not as it should be. */
static void look_at_failure(struct run *run)
{
    bool failed = expect_count(&run->expectations, EXPECT_FAILED) > 0;

    if (failed || run->stopped != RUN_GOES_ON) { /* quiet or not: it is part of the run */
        run->unconnected = lab_unconnected(run->lab, false);
    }
    if (run->script_failed && run->cannot) {
        run->out_of_files = strstr(run->error, strerror(EMFILE)) != NULL;
    } else if (failed && lab_is_out_of_files(run->lab)) {
        run->out_of_files = true;
        snprintf(run->error, sizeof(run->error), "too many open files");
    }
}

/* What the virtual or the real main thread does. */
static void run_in_world(void *arg)
{
    struct run *run = arg;
    struct run_census before;
    int code = EXIT_CANNOT;

    expect_init(&run->expectations);
    if (set_up(run) < 0) {
        fprintf(run->err, "msgrlab run: no memory to begin with\n");
    } else {
        before = run->world.sim == NULL ? run_census() : (struct run_census){0};
        run_script(run, run->text, run->len);
        if (run_came_true(run)) {
            lab_fair_finish(run->lab);
        }
        run->phase = RUN_SHUTDOWN;
        run->ended_ns = os_monotonic_ns(run->world.os);
        look_at_failure(run);
        lab_shutdown(run->lab);
        run_look_for_leaks(run, &before);
        run_judge(run);
        run->phase = RUN_DONE;
        code = run_summary(run);
    }
    run_sign(run, code, "");
    free(run->unconnected);
    lua_host_free(run->host);
    expect_fini(&run->expectations);
    lab_free(run->lab);
}

/* How to have the same run again, on a line of its own. */
static void say_again(const struct run *run)
{
    char *again = run->opts.again == NULL ? record_again(&run->opts) : NULL;

    if (run->opts.again != NULL || again != NULL) {
        fprintf(run->err, "again: %s\n", again != NULL ? again : run->opts.again);
    }
    free(again);
}

/* The simulated world stopped moving: its threads are stuck in the middle of what they did,
 * so all that can be done is to say who waits for what, and keep the trace. */
static void end_stuck_run(struct run *run, int code)
{
    run->outcome->poisoned = true;
    run->outcome->report = strdup(world_report(&run->world));
    fprintf(run->err, "msgrlab run: %s\n%s\n",
            code == EXIT_SAFETY ? "an invariant was violated" : "the run does not go on",
            world_report(&run->world));
    run_print_expectations(run, true);
    if (run->lab != NULL) { /* it may have stood still before there was one */
        run->unconnected = lab_unconnected(run->lab, true);
    }
    run_print_unconnected(run);
    free(run->unconnected);
    run_finish_trace(run);
    if (run->world.trace_kept) {
        fprintf(run->err, "The trace up to here is in %s.\n", run->world.trace_path);
    }
    say_again(run);
    run_sign(run, code, world_signature(&run->world));
}

/* What the simulated world knows when it is over. */
static void ask_world(struct run *run)
{
    struct sim_world *sim = run->world.sim;
    struct run_outcome *outcome = run->outcome;
    struct sim_world_stats stats;

    outcome->virtual_ns = os_monotonic_ns(run->world.os) - run->started_ns;
    if (sim != NULL) {
        sim_world_stats(sim, &stats);
        outcome->points = stats.points;
        outcome->schedule = stats.schedule;
        outcome->stopped_id = run->world.stopped_id;
    }
    for (int id = 0; id < FAULT_COUNT; id++) {
        struct fault_counts counts;

        sim_faults_counts(run->world.faults, (enum fault_id)id, &counts);
        outcome->fired[id] = (uint32_t)MIN(counts.fired, (uint64_t)UINT32_MAX);
    }
    if (sim != NULL && run->opts.log) {
        outcome->n_decisions = (uint32_t)sim_world_decisions(sim)->n_log;
        outcome->decisions = sim_decisions_text(sim_world_decisions(sim));
    }
}

/* What a crash leaves: a record without a log, as the seed gives the run again. NULL: no
 * memory. */
static char *crash_record(const struct run *run)
{
    struct record record;

    record_of_run(&run->opts, run->outcome, &record);
    record.outcome = "crash";
    record.code = EXIT_CRASH;
    record.hashed = false;
    return record_format(&record);
}

static int expect_crash(struct run *run, struct run_guard *guard)
{
    char *again = record_again(&run->opts), *text = NULL;
    int rc = -ENOMEM;

    if (run->opts.record_path != NULL) { /* reads the program's whole file */
        text = crash_record(run);
    }
    if (again != NULL) {
        rc = run_guard_crash(guard, run->opts.again != NULL ? run->opts.again : again,
                             run->opts.record_path, text);
    }
    free(again);
    free(text);
    return rc;
}

static void run_guarded(struct run *run)
{
    struct run_guard guard;
    int code;

    if (!run->opts.bare && start_guard(run, &guard) < 0) {
        fprintf(run->err, "msgrlab run: no memory, or no thread, to begin with\n");
        run_sign(run, EXIT_CANNOT, "");
        return;
    }
    if (run->world.sim != NULL && !run->opts.bare && expect_crash(run, &guard) < 0) {
        fprintf(run->err, "note: no memory to prepare for a crash\n");
    }
    code = run_exit_of_verdict(world_run(&run->world, run_in_world, run));
    if (code != EXIT_OK) {
        end_stuck_run(run, code);
    }
    ask_world(run);
    if (!run->opts.bare) {
        run_guard_stop(&guard);
    }
}

/* Where a quiet run prints. NULL: no descriptor for it. */
static FILE *open_nowhere(void)
{
    return fopen("/dev/null", "we");
}

/* The run is over and goes by what it did; that packets are missing is said beside it. */
static void finish_pcap(struct run *run)
{
    const char *path = run->opts.world.pcap_path;
    uint64_t packets;

    if (run->world.pcap == NULL) {
        return;
    }
    run->outcome->pcap_error = world_close_pcap(&run->world, &packets);
    if (run->outcome->pcap_error < 0) {
        fprintf(run->err,
                "msgrlab run: cannot write the packets to %s: %s; those before are in "
                "%s.part\n",
                path, strerror(-run->outcome->pcap_error), path);
    } else {
        fprintf(run->out, "packets       %s: %llu\n", path, (unsigned long long)packets);
    }
}

/* Nothing was run: the world is not here. */
static void skip_all(struct run *run, const char *why)
{
    skip(run, false, "", why);
    fprintf(run->out, "scenario      %s\n", run->opts.script);
    run_sign(run, run_summary_skip(run), "");
}

static const char *why_unreadable(const char *text, size_t len, int rc)
{
    const char *wrong = rc == 0 ? text_wrong(text, len) : NULL;

    if (rc == -EISDIR) {
        return "it is a folder, and no script";
    }
    return rc == -EFBIG ? "it is longer than 4 MiB" : rc < 0 ? strerror(-rc) : wrong;
}

/*
 * Whether expect.steps may be called, which needs the trace in a file. The call itself
 * comes too late to say so: the first steps of messages that are on their way by then
 * would be missing; and a file for every run, in case of a call, is what campaigns must
 * not pay. So the word decides. Where only a comment has it, a file is written that nobody
 * reads; a script that has another name for the call is told by it what to do
 * (lua/expect.c).
 */
static bool speaks_of_steps(const char *text, size_t len)
{
    return memmem(text, len, "steps", strlen("steps")) != NULL;
}

static void run_script_file(struct run *run)
{
    struct run_opts *opts = &run->opts;
    char why[700] = "", *text = NULL;
    enum world_error err;
    int rc = read_script(opts->script, &text, &run->len);
    const char *wrong = why_unreadable(text, run->len, rc);

    if (wrong != NULL) {
        fprintf(run->err, "msgrlab run: cannot read %s: %s\n", opts->script, wrong);
        run_sign(run, EXIT_FILE, "");
        free(text);
        return;
    }
    trace_hash_init(&run->outcome->script);
    trace_hash_add(&run->outcome->script, text, run->len);
    run->text = text;
    if (opts->for_world != WORLD_UNSAID && opts->for_world != opts->world.on) {
        snprintf(why, sizeof(why), "this scenario is for --on %s",
                 world_kind_names[opts->for_world]);
        skip_all(run, why);
        free(text);
        return;
    }
    opts->world.log = opts->log;
    opts->world.steps = speaks_of_steps(text, run->len);
    opts->world.time_max_ns = opts->timeout_ns + SIM_GRACE_NS;
    err = world_open(&opts->world, &run->world, why, sizeof(why));
    if (err == WORLD_OK) {
        run_guarded(run);
        finish_pcap(run);
        world_close(&run->world);
    } else if (err == WORLD_CANNOT && is_optional(opts)) {
        skip_all(run, why);
    } else {
        fprintf(run->err, "msgrlab run: %s\n", why);
        run_sign(run, run_exit_of_error(err), "");
    }
    free(text);
}

int run_scenario(const struct run_opts *opts, struct run_outcome *ret)
{
    FILE *nowhere = opts->quiet ? open_nowhere() : NULL;
    struct run run = {.opts = *opts,
                      .outcome = ret,
                      .out = opts->out != NULL ? opts->out : stdout,
                      .err = opts->err != NULL ? opts->err : stderr};

    *ret = (struct run_outcome){0};
    if (nowhere != NULL) {
        run.out = run.err = nowhere;
    }
    run_script_file(&run);
    if (nowhere != NULL) {
        fclose(nowhere);
    }
    return ret->code;
}
