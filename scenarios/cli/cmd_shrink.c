/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_shrink.c: msgrlab shrink RECORD -o SMALL: the few decisions without which the failure
 * would not be.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/interrupt.h"
#include "scenarios/base/words.h"
#include "scenarios/campaign/shrink_run.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/campaign/narrate.h"
#include "sim/campaign/process.h"

#define SHOW_EVERY_NS (5 * NSEC_PER_SEC) /* not on a terminal */

struct shrinker {
    const char *path;
    char out[600];
    struct shrink_run run;
    bool quiet, on_terminal;
    uint64_t shown_ns;
};

/* ---- progress ------------------------------------------------------------------ */

static bool on_progress(void *arg, const struct shrink_progress *p)
{
    struct shrinker *s = arg;
    uint64_t now = os_monotonic_ns(s->run.os);

    if (!s->quiet &&
        now - s->shown_ns >= (s->on_terminal ? NSEC_PER_SEC / 10 : SHOW_EVERY_NS)) {
        s->shown_ns = now;
        fprintf(stderr, "%s%zu of %zu decisions left, %s, %" PRIu64 " attempts%s",
                s->on_terminal ? "\r" : "", p->left, s->run.n_before,
                shrink_phase_name(p->phase), p->attempts, s->on_terminal ? "\033[K" : "\n");
        fflush(stderr);
    }
    return interrupt_came();
}

/* ---- the result ---------------------------------------------------------------- */

static void print_small(const struct shrink_run *s, const struct shrink_progress *p)
{
    char sentence[300];

    printf("decisions     %zu of %zu (%" PRIu64 " attempts, %" PRIu64 " remembered)\n",
           s->n, s->n_before, p->attempts, p->cached);
    for (size_t i = 0; i < s->n && i < 40; i++) {
        const struct shrink_item *it = &s->items[i];

        printf("    %s\n", narrate_decision(it->site, it->actor, it->occurrence, it->value,
                                            sentence, sizeof(sentence)));
    }
    if (s->n > 40) {
        printf("    ... and %zu more\n", s->n - 40);
    }
    printf("failure       %s\n", s->record.outcome);
}

static int conclude(struct shrinker *s, int end, const struct shrink_progress *p)
{
    char why[700];
    int written;

    if (!s->quiet && s->on_terminal) {
        fprintf(stderr, "\r\033[K");
    }
    if (end < 0) {
        fprintf(stderr, "msgrlab shrink: no process for an attempt: %s\n", strerror(-end));
        return EXIT_CANNOT;
    }
    if (end == SHRINK_NO_FAIL) {
        fprintf(stderr,
                "msgrlab shrink: the decisions in %s do not give the failure again that it "
                "names:\n    %s\nIf the script and the program are those that recorded it, "
                "that is nondeterminism.\n",
                s->path, s->run.record.outcome);
        return EXIT_NONDETERMINISM;
    }
    written = shrink_run_write(&s->run, s->out, why, sizeof(why));
    if (written < 0) {
        fprintf(stderr, "msgrlab shrink: %s\n", why);
    }
    print_small(&s->run, p);
    if (written < 0) {
        return EXIT_FILE;
    }
    printf("written       msgrlab replay %s\n", s->out);
    if (end == SHRINK_UNSTEADY) {
        fprintf(stderr, "msgrlab shrink: the result did not fail each of three times: that "
                        "is nondeterminism\n");
        return EXIT_NONDETERMINISM;
    }
    if (end == SHRINK_STOPPED) {
        fprintf(stderr, "msgrlab shrink: %s: it may not be minimal\n",
                interrupt_came() ? "interrupted" : "the time was up");
        return interrupt_came() ? EXIT_INTERRUPTED : EXIT_TIMEOUT;
    }
    return EXIT_OK;
}

/* ---- the command --------------------------------------------------------------- */

static int shrink_record(struct shrinker *s)
{
    struct shrink_progress progress;
    struct interrupt interrupt;
    int end = shrink_run_begin(&s->run);

    if (end == 0) {
        interrupt_watch(&interrupt);
        end = shrink_run(&s->run, &progress);
        end = conclude(s, end, &progress);
        interrupt_unwatch(&interrupt);
    } else {
        fprintf(stderr, "msgrlab shrink: %s: %s\n", s->path, strerror(-end));
        end = EXIT_CANNOT;
    }
    shrink_run_fini(&s->run);
    return end;
}

static int open_record(struct shrinker *s)
{
    char why[700];

    if (record_read(s->path, &s->run.record, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab shrink: %s\n", why);
        return EXIT_FILE;
    }
    if (s->run.record.outcome[0] == '\0') {
        fprintf(stderr, "msgrlab shrink: the run in %s went well: nothing to shrink\n",
                s->path);
        return EXIT_USAGE;
    }
    if (record_to_opts(&s->run.record, &s->run.run, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab shrink: %s: %s\n", s->path, why);
        return EXIT_FILE;
    }
    if (access(s->run.run.script, R_OK) != 0) {
        fprintf(stderr,
                "msgrlab shrink: there is no script %s here: go where the run was "
                "recorded\n",
                s->run.run.script);
        return EXIT_FILE;
    }
    return EXIT_OK;
}

static void name_output(struct shrinker *s)
{
    size_t len = strlen(s->path);

    if (s->out[0] == '\0') {
        len -= len > 4 && strcmp(s->path + len - 4, ".rec") == 0 ? 4 : 0;
        snprintf(s->out, sizeof(s->out), "%.*s.small.rec", (int)MIN(len, (size_t)580),
                 s->path);
    }
}

enum { OPT_OUTPUT, OPT_JOBS, OPT_TIME, OPT_QUIET };

static int take_option(void *state, int option, char *value)
{
    struct shrinker *s = state;
    uint64_t jobs;

    switch (option) {
    case OPT_OUTPUT:
        snprintf(s->out, sizeof(s->out), "%s", value);
        return EXIT_OK;
    case OPT_JOBS:
        if (!words_number(value, SHRINK_JOBS_MAX, &jobs) || jobs == 0) {
            return cli_usage_error("shrink", "--jobs wants a number from 1 to %d",
                                   SHRINK_JOBS_MAX);
        }
        s->run.jobs = (unsigned)jobs;
        return EXIT_OK;
    case OPT_TIME:
        if (!words_duration(value, &s->run.time_max_ns) || s->run.time_max_ns == 0) {
            return cli_usage_error("shrink", "--time wants %s, not '%s'",
                                   WORDS_DURATION_FORM, value);
        }
        return EXIT_OK;
    default:
        s->quiet = true;
        return EXIT_OK;
    }
}

static int run_shrink(int argc, char **argv)
{
    struct shrinker s = {.run = {.jobs = MIN(process_cpus(), SHRINK_JOBS_MAX),
                                 .on_progress = on_progress,
                                 .arg = &s},
                         .on_terminal = isatty(STDERR_FILENO)};
    int code = cli_options(&command_shrink, argc, argv, &s);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (argc - optind != 1) {
        return cli_usage_error("shrink",
                               argc == optind ? "which record?" : "one record at a time");
    }
    s.path = argv[optind];
    name_output(&s);
    code = open_record(&s);
    if (code == EXIT_OK) {
        s.run.os = os_linux_new(WORLD_NODES_MAX + 2, "shrink");
        code = s.run.os != NULL ? shrink_record(&s) : EXIT_CANNOT;
        os_linux_free(s.run.os);
    }
    record_fini(&s.run.record);
    return code;
}

static const struct cli_option options[] = {
    {"output", 'o', "SMALL", OPT_OUTPUT,
     "where to; default: the record's name with .small before .rec"},
    {"jobs", 0, "N", OPT_JOBS, "processes; default: one for each processor"},
    {"time", 0, "TIME", OPT_TIME, "no longer than this, like 10m; the best so far is kept"},
    {"quiet", 0, NULL, OPT_QUIET, "no progress"},
    {0},
};

const struct cli_command command_shrink = {
    .name = "shrink",
    .summary = "the few decisions that a recorded failure needs",
    .usage = "RECORD [-o SMALL] [OPTION...]",
    .about =
        "Takes decisions out of a failing run's record, and makes the others smaller, as\n"
        "long as it fails in the same way. What is left is written with a sentence for\n"
        "each decision: none of them can be left out. The result was run three times.",
    .options = {options},
    .take = take_option,
    .exits = {{EXIT_OK, "the result is minimal"},
              {EXIT_USAGE, "the command line is wrong, or the record is of no failure"},
              {EXIT_CANNOT, "no process could be started"},
              {EXIT_FILE, "a record cannot be read or written"},
              {EXIT_TIMEOUT,
               "the time was up: the result is smaller, but maybe not minimal"},
              {EXIT_NONDETERMINISM,
               "the record does not fail in the same way, or not each time"},
              {EXIT_INTERRUPTED, "Ctrl-C: the best so far was written"}},
    .run = run_shrink,
};
