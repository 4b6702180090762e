/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_campaign.c: msgrlab campaign SCRIPT.lua --seeds A..B: a scenario under many seeds, on
 * all processors; what fails is kept.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/interrupt.h"
#include "scenarios/base/words.h"
#include "scenarios/campaign/report.h"
#include "scenarios/campaign/save.h"
#include "scenarios/cli/commands.h"
#include "scenarios/cli/run_cli.h"
#include "scenarios/run/run_defaults.h"
#include "sim/campaign/process.h"

#define MUST_REACH_MAX 64
#define FAILURES_MAX 1000
#define KINDS_KEPT_MAX 50
#define SEED_REAL_NS (60 * NSEC_PER_SEC)

struct campaign_cmd {
    struct run_opts run;
    struct campaign_opts opts;
    struct report report;
    const char *dir, *json, *junit;
    const char *must_reach[MUST_REACH_MAX];
    unsigned verify; /* percent */
    bool quiet;
    bool has_seeds;
};

/* ---- in a worker ------------------------------------------------------------------- */

static void observe(void *arg, const struct trace_record *record,
                    const struct trace_name *name)
{
    if (record != NULL) {
        reach_record(arg, record);
    }
    (void)name;
}

static void fill_result(const struct run_outcome *o, struct campaign_result *ret)
{
    ret->end = o->code == EXIT_OK ? CAMPAIGN_PASSED : CAMPAIGN_FAILED;
    ret->code = o->code;
    ret->hashed = o->hashed;
    ret->skipped = o->skipped;
    ret->poisoned = o->poisoned;
    ret->hash[0] = o->hash.high;
    ret->hash[1] = o->hash.low;
    ret->virtual_ns = o->virtual_ns;
    ret->points = o->points;
    ret->records = o->records;
    ret->messages = o->messages;
    ret->unsent = o->unsent;
    snprintf(ret->signature, sizeof(ret->signature), "%s", o->signature);
}

/* The same seed again, in a process that has run others since. */
static void verify_seed(const struct run_opts *opts, struct campaign_result *ret)
{
    struct campaign_result second = {0};
    struct run_outcome outcome;

    run_scenario(opts, &outcome);
    fill_result(&outcome, &second);
    run_outcome_fini(&outcome);
    ret->again = 1;
    ret->poisoned = ret->poisoned || second.poisoned;
    if (memcmp(ret->hash, second.hash, sizeof(ret->hash)) != 0 || ret->end != second.end) {
        ret->end = CAMPAIGN_FAILED;
        ret->code = EXIT_NONDETERMINISM;
        snprintf(ret->signature, sizeof(ret->signature), "nondeterminism within a process");
    }
}

static void run_seed(void *arg, uint64_t seed, struct campaign_result *ret)
{
    struct campaign_cmd *c = arg;
    struct run_opts opts = c->run;
    struct run_outcome outcome;

    opts.world.seed = seed;
    run_scenario(&opts, &outcome);
    fill_result(&outcome, ret);
    for (unsigned id = 0; id < FAULT_COUNT; id++) {
        campaign_count(c->report.tally, TALLY_FAULTS + id, outcome.fired[id]);
    }
    run_outcome_fini(&outcome);
    if (ret->end == CAMPAIGN_PASSED && ret->hashed &&
        sim_mix(seed, c->verify) % 100 < c->verify) {
        verify_seed(&opts, ret);
    }
}

/* ---- in the parent ------------------------------------------------------------------ */

/* Keeps a failure, unless it is kept already with this seed. */
static void save(struct campaign_cmd *c, const struct campaign_result *failure)
{
    struct report *r = &c->report;
    struct report_saved *saved = report_find_saved(r, failure->signature);

    if (saved == NULL && r->failures.kinds <= KINDS_KEPT_MAX) {
        saved = calloc(1, sizeof(*saved));
        if (saved == NULL) {
            return;
        }
        saved->next = r->saved;
        r->saved = saved;
    } else if (saved == NULL || saved->seed == failure->seed) {
        return;
    }
    campaign_save(c->opts.os, &c->run, c->dir, failure, c->opts.seed_max_ns, saved);
}

static void on_result(void *arg, const struct campaign_result *result)
{
    struct campaign_cmd *c = arg;
    struct campaign_failure *failure;
    bool is_new;

    report_take(&c->report, result);
    if (result->end == CAMPAIGN_PASSED) {
        report_take_case(&c->report, result, NULL);
        return;
    }
    failure = campaign_failures_add(&c->report.failures, result, &is_new);
    report_take_case(&c->report, result, failure);
    if (failure != NULL && is_new) {
        if (!c->quiet) {
            report_end_progress(&c->report);
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)result->seed,
                    result->signature);
        }
        save(c, &failure->kept);
    }
}

static bool on_tick(void *arg)
{
    struct campaign_cmd *c = arg;

    if (!c->quiet) {
        report_progress(&c->report);
    }
    return interrupt_came();
}

/* A shorter run of a failure may have come after the one that was kept. */
static void save_better(struct campaign_cmd *c)
{
    for (struct campaign_failure *f = c->report.failures.first; f != NULL; f = f->next) {
        save(c, &f->kept);
    }
}

/* How many names that had to be reached were not. */
static int complain_unreached(const struct campaign_cmd *c)
{
    int n = 0;

    if (c->report.stop == CAMPAIGN_STOPPED) {
        return 0; /* it had not the time to */
    }
    for (int i = 0; i < c->report.n_must_reach; i++) {
        if (reach_count(c->report.tally, c->must_reach[i]) == 0) {
            printf("never reached %s, in any seed: the campaign does not test it\n",
                   c->must_reach[i]);
            n++;
        }
    }
    return n;
}

static int write_reports(const struct campaign_cmd *c)
{
    int json = c->json != NULL ? report_json(&c->report, c->json) : 0;
    int junit = c->junit != NULL ? report_junit(&c->report, c->junit) : 0;

    if (json < 0) {
        fprintf(stderr, "msgrlab campaign: cannot write %s: %s\n", c->json,
                strerror(-json));
    }
    if (junit < 0) {
        fprintf(stderr, "msgrlab campaign: cannot write %s: %s\n", c->junit,
                strerror(-junit));
    }
    return json < 0 || junit < 0 ? EXIT_FILE : EXIT_OK;
}

/* What was not run passed no test, so an interrupted campaign is neither well nor bad. */
static void print_result(const struct report *r, int code)
{
    if (code == EXIT_INTERRUPTED) {
        printf("result        interrupted: %" PRIu64 " of %" PRIu64
               " seeds were run, %" PRIu64 " failed\n",
               r->done, r->seeds, r->failures.count);
    } else if (code == EXIT_FILE && r->failures.count == 0) {
        printf("result        ok, but a report could not be written\n");
    } else {
        printf("result        %s\n", code == EXIT_OK ? "ok" : "FAILED");
    }
}

static int conclude(struct campaign_cmd *c)
{
    struct report *r = &c->report;
    int written, unreached, code;

    r->ended_ns = os_monotonic_ns(c->opts.os);
    r->cpu_ns = process_children_ns() - r->cpu_ns;
    if (!c->quiet) {
        report_end_progress(r);
    }
    save_better(c);
    report_summary(r, stdout);
    if (r->messages == 0 && r->done > r->skipped && r->failures.count == 0) {
        printf("note          no seed delivered a message: does the script do anything?\n");
    }
    unreached = complain_unreached(c);
    written = write_reports(c);
    code = report_exit_code(r);
    if (code == EXIT_OK) {
        code = unreached > 0 ? EXIT_EXPECTATION : written;
    }
    print_result(r, code);
    return code;
}

static int run_seeds(struct campaign_cmd *c)
{
    struct report *r = &c->report;
    int rc;

    *r = (struct report){.run = &c->run,
                         .os = c->opts.os,
                         .first = c->opts.first,
                         .last = c->opts.last,
                         .shard = c->opts.shard,
                         .shards = c->opts.shards,
                         .seeds = campaign_seeds(&c->opts),
                         .jobs = c->opts.jobs,
                         .coverage = r->coverage,
                         .must_reach = c->must_reach,
                         .n_must_reach = r->n_must_reach};
    report_init(r);
    if (c->junit != NULL && report_keep_cases(r) < 0) {
        fprintf(stderr, "msgrlab campaign: no memory for the cases of --junit\n");
        report_free_cases(r);
        report_fini(r);
        return EXIT_CANNOT;
    }
    c->opts.tally = r->tally;
    if (r->coverage || r->n_must_reach > 0) {
        c->run.world.observer = (struct world_observer){observe, r->tally};
    }
    c->run.world.stacks = world_stacks_new(); /* each worker process has a copy */
    r->cpu_ns = process_children_ns();
    rc = campaign_run(&c->opts);
    sim_stacks_free(c->run.world.stacks);
    c->run.world.stacks = NULL;
    if (rc < 0) {
        fprintf(stderr, "msgrlab campaign: cannot go on: %s\n",
                rc == -ECHILD ? "workers die without running a seed" : strerror(-rc));
        report_free_cases(r);
        report_fini(r);
        return EXIT_CANNOT;
    }
    r->stop = (enum campaign_stop)rc;
    rc = conclude(c);
    report_free_cases(r);
    report_fini(r);
    return rc;
}

/* ---- options ------------------------------------------------------------------------ */

/* "2/5". */
static bool take_shard(const char *text, struct campaign_opts *opts)
{
    char first[32];
    const char *slash = strchr(text, '/');

    if (slash == NULL || (size_t)(slash - text) >= sizeof(first)) {
        return false;
    }
    snprintf(first, sizeof(first), "%.*s", (int)(slash - text), text);
    if (!words_number(first, UINT32_MAX, &opts->shard) ||
        !words_number(slash + 1, UINT32_MAX, &opts->shards) || opts->shard == 0 ||
        opts->shard > opts->shards) {
        return false;
    }
    opts->shard--;
    return true;
}

static bool take_jobs(const char *text, struct campaign_opts *opts)
{
    uint64_t n;

    if (!words_number(text, CAMPAIGN_JOBS_MAX, &n) || n == 0) {
        return false;
    }
    opts->jobs = (unsigned)n;
    return true;
}

/* "5" or "5%". */
static bool take_percent(char *text, unsigned *ret)
{
    size_t len = strlen(text);
    uint64_t n;

    if (len > 0 && text[len - 1] == '%') {
        text[len - 1] = '\0';
    }
    if (!words_number(text, 100, &n)) {
        return false;
    }
    *ret = (unsigned)n;
    return true;
}

static int take_must_reach(const char *name, struct campaign_cmd *c)
{
    const char *meant = reach_suggest(name);

    if (reach_count(NULL, name) < 0) {
        return cli_usage_error("campaign",
                               "nothing is called '%s'%s%s%s; --coverage "
                               "prints all names",
                               name, meant != NULL ? "; did you mean '" : "",
                               meant != NULL ? meant : "", meant != NULL ? "'?" : "");
    }
    if (c->report.n_must_reach == MUST_REACH_MAX) {
        return cli_usage_error("campaign", "at most %d times --must-reach", MUST_REACH_MAX);
    }
    c->must_reach[c->report.n_must_reach++] = name;
    return EXIT_OK;
}

static int wants(bool good, const char *option, const char *what, const char *value)
{
    return good ? EXIT_OK
                : cli_usage_error("campaign", "%s wants %s, not '%s'", option, what, value);
}

enum {
    OPT_SEEDS = RUN_CLI_END,
    OPT_JOBS,
    OPT_SHARD,
    OPT_TIME,
    OPT_OUTPUT,
    OPT_MAX_FAILURES,
    OPT_VERIFY,
    OPT_JSON,
    OPT_JUNIT,
    OPT_COVERAGE,
    OPT_MUST_REACH,
    OPT_QUIET,
    OPT_ON, /* so that it can be said that there is none */
};

static int take_option(void *state, int option, char *value)
{
    struct campaign_cmd *c = state;

    switch (option) {
    case OPT_SEEDS:
        c->has_seeds = run_cli_seeds(value, &c->opts.first, &c->opts.last);
        return c->has_seeds ? EXIT_OK : run_cli_bad_seeds("campaign", value);
    case OPT_ON:
        return cli_usage_error("campaign", "--on is for msgrlab run: a campaign is always "
                                           "in the simulated world");
    case OPT_JOBS:
        return wants(take_jobs(value, &c->opts), "--jobs", "a number from 1 to 256", value);
    case OPT_SHARD:
        return wants(take_shard(value, &c->opts), "--shard", "I/N, like 1/4", value);
    case OPT_TIME:
        return wants(words_duration(value, &c->opts.time_max_ns) && c->opts.time_max_ns > 0,
                     "--time", WORDS_DURATION_FORM, value);
    case OPT_OUTPUT:
        c->dir = value;
        return EXIT_OK;
    case OPT_MAX_FAILURES:
        return wants(words_number(value, UINT64_MAX, &c->opts.max_failures),
                     "--max-failures", "a number", value);
    case OPT_VERIFY:
        return wants(take_percent(value, &c->verify), "--verify", "a percentage", value);
    case OPT_JSON:
        c->json = value;
        return EXIT_OK;
    case OPT_JUNIT:
        c->junit = value;
        return EXIT_OK;
    case OPT_COVERAGE:
        c->report.coverage = true;
        return EXIT_OK;
    case OPT_MUST_REACH:
        return take_must_reach(value, c);
    case OPT_QUIET:
        c->quiet = true;
        return EXIT_OK;
    default:
        return run_cli_take("campaign", option, value, &c->run);
    }
}

static int check_script(int argc, char **argv, struct campaign_cmd *c)
{
    int code = run_cli_one_script("campaign", argc, argv);

    if (code != EXIT_OK) {
        return code;
    }
    if (!c->has_seeds) {
        return cli_usage_error("campaign", "which seeds? --seeds A..B");
    }
    c->run.script = argv[optind];
    return run_cli_script("campaign", &c->run);
}

static int run_campaign(int argc, char **argv)
{
    struct campaign_cmd c = {.dir = "msgrlab-failures"};
    struct interrupt interrupt;
    int code;

    run_defaults(&c.run);
    c.opts = (struct campaign_opts){.jobs = MIN(process_cpus(), CAMPAIGN_JOBS_MAX),
                                    .max_failures = FAILURES_MAX,
                                    .run = run_seed,
                                    .on_result = on_result,
                                    .on_tick = on_tick,
                                    .arg = &c};
    code = cli_options(&command_campaign, argc, argv, &c);
    if (code != CLI_GO_ON) {
        return code;
    }
    code = check_script(argc, argv, &c);
    if (code != EXIT_OK) {
        return code;
    }
    c.run.quiet = c.run.bare = true;
    c.opts.seed_max_ns = c.run.real_timeout_ns != 0 ? c.run.real_timeout_ns : SEED_REAL_NS;
    c.opts.os = os_linux_new(WORLD_NODES_MAX + 2, "campaign");
    if (c.opts.os == NULL) {
        fprintf(stderr, "msgrlab campaign: no memory to begin with\n");
        return EXIT_CANNOT;
    }
    interrupt_watch(&interrupt);
    code = run_seeds(&c);
    interrupt_unwatch(&interrupt);
    os_linux_free(c.opts.os);
    return code;
}

static const struct cli_option options[] = {
    {"seeds", 0, "A..B", OPT_SEEDS, "from A to B"},
    {"jobs", 0, "N", OPT_JOBS, "processes; default: one for each processor"},
    {"shard", 0, "I/N", OPT_SHARD,
     "only each Nth seed, beginning with the Ith: I of N machines"},
    {"time", 0, "TIME", OPT_TIME, "no longer than this, like 10m"},
    {"output", 'o', "DIR", OPT_OUTPUT, "where failures are kept; default msgrlab-failures"},
    {"max-failures", 0, "N", OPT_MAX_FAILURES,
     "stop after so many; default 1000, 0: never"},
    {"verify", 0, "N%", OPT_VERIFY,
     "run N of 100 passing seeds twice and compare the trace hashes"},
    {"json", 0, "FILE", OPT_JSON, "the summary for programs"},
    {"junit", 0, "FILE", OPT_JUNIT,
     "for CI systems, as JUnit's XML: a case for each failing seed, with the command that "
     "repeats it, and one for every 100 others (1000 and so on when they are many)"},
    {"coverage", 0, NULL, OPT_COVERAGE,
     "print how often each kind of event, state, completion error and asynchronous event "
     "was reached; with --json in the file, too"},
    {"must-reach", 0, "NAME", OPT_MUST_REACH,
     "a campaign that never came to this (a name of --coverage) fails; may be given "
     "several times"},
    {"quiet", 0, NULL, OPT_QUIET, "no progress"},
    {"on", 0, "WORLD", OPT_ON, NULL},
    {0},
};

const struct cli_command command_campaign = {
    .name = "campaign",
    .summary = "many seeds on all processors; failures are kept",
    .usage = "SCRIPT --seeds A..B [OPTION...]",
    .about = RUN_CLI_SCRIPT_HELP
    "\n"
    "\n"
    "Runs the scenario in the simulated world for every seed from A to B, in several\n"
    "processes. Failures of the same name are counted as one; of each, the shortest\n"
    "run is run once more with its decisions logged, and kept with the commands that\n"
    "replay it and shrink it. One that does not repeat is reported as nondeterminism.",
    .options = {options, run_cli_options},
    .take = take_option,
    .exits_of = "that of the worst failure",
    .exits = {{EXIT_OK, "no seed failed"},
              {EXIT_EXPECTATION,
               "an expectation failed, or something leaked; or --must-reach was not"},
              {EXIT_SCRIPT, "the script has an error"},
              {EXIT_CANNOT, "no process could be started"},
              {EXIT_FILE, "the script cannot be read, or a report not be written"},
              {EXIT_TIMEOUT, "a seed ran into a time limit"},
              {EXIT_CRASH, "a run crashed"},
              {EXIT_SAFETY, NULL},
              {EXIT_LIVENESS, "the simulated world stood still, or ran in circles"},
              {EXIT_NONDETERMINISM, "the same seed gave two different runs"},
              {EXIT_INTERRUPTED, "Ctrl-C or SIGTERM: what was found so far was reported"}},
    .run = run_campaign,
};
