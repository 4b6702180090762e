/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_shrink.c: msgrlab shrink RECORD -o SMALL: the few decisions without which the failure
 * would not be.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/map.h"
#include "engine/util.h"
#include "scenarios/base/interrupt.h"
#include "scenarios/base/words.h"
#include "scenarios/campaign/save.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/campaign/narrate.h"
#include "scenarios/run/record.h"
#include "sim/campaign/process.h"
#include "sim/campaign/shrink.h"

#define ATTEMPT_REAL_NS (60 * NSEC_PER_SEC)
#define SHOW_EVERY_NS (5 * NSEC_PER_SEC) /* not on a terminal */

enum { OPT_JOBS = 256, OPT_TIME, OPT_QUIET };

static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                        {"jobs", required_argument, NULL, OPT_JOBS},
                                        {"time", required_argument, NULL, OPT_TIME},
                                        {"quiet", no_argument, NULL, OPT_QUIET},
                                        CLI_HELP,
                                        {NULL, 0, NULL, 0}};

static const char help[] =
    "usage: msgrlab shrink RECORD [-o SMALL] [OPTION...]\n"
    "\n"
    "Takes decisions out of a failing run's record, and makes the others smaller, as long\n"
    "as it fails in the same way. What is left is written with a sentence for each\n"
    "decision: none of them can be left out. The result was run three times.\n"
    "\n"
    "  -o SMALL       where to; default: the record's name with .small before .rec\n"
    "  --jobs N       processes; default: one for each processor\n"
    "  --time TIME    no longer than this, like 10m; the best so far is kept\n"
    "  --quiet        no progress\n"
    "\n"
    "exit codes:\n"
    "    0  the result is minimal\n"
    "    2  the command line is wrong\n"
    "    4  no process could be started\n"
    "    5  a record cannot be read or written\n"
    "    6  the time was up: the result is smaller, but maybe not minimal\n"
    "   13  the record does not fail in the same way, or not each time\n"
    "  130  Ctrl-C: the best so far was written\n";

struct shrinker {
    const char *path;
    char out[600];
    struct record record;
    struct run_opts run; /* of the record, without decisions */
    struct os *os;       /* owned: the real one */
    unsigned jobs;
    uint64_t time_max_ns;
    bool quiet, on_terminal;
    uint64_t shown_ns;
    char outcome[CAMPAIGN_SIGNATURE]; /* of a record that did not know it */

    char *text; /* owned: the decisions, cut into words that the items point to */
    struct shrink_item *items; /* owned */
    size_t n, n_before;
};

/* ---- decisions as items and as text -------------------------------------------- */

/* Lines that were checked when the record was read. */
static int read_items(struct shrinker *s, const char *decisions)
{
    size_t cap = 0;
    char *save = NULL;

    s->text = strdup(decisions);
    if (s->text == NULL) {
        return -ENOMEM;
    }
    for (char *line = strtok_r(s->text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *within = NULL, *site = strtok_r(line, " \t\r", &within);
        char *actor = strtok_r(NULL, " \t\r", &within);
        char *occurrence = strtok_r(NULL, " \t\r", &within);
        char *value = strtok_r(NULL, " \t\r", &within);

        if (site == NULL || site[0] == '#' || value == NULL ||
            strtoull(value, NULL, 10) == 0) {
            continue;
        }
        if (s->n == cap) {
            struct shrink_item *items;

            cap = MAX(cap * 2, (size_t)64);
            items = realloc(s->items, cap * sizeof(*items));
            if (items == NULL) {
                return -ENOMEM;
            }
            s->items = items;
        }
        s->items[s->n++] =
            (struct shrink_item){.site = site,
                                 .actor = actor,
                                 .occurrence = (uint32_t)strtoul(occurrence, NULL, 10),
                                 .value = strtoull(value, NULL, 10)};
    }
    s->n_before = s->n;
    return 0;
}

/* malloc'ed; NULL: no memory. */
static char *write_items(const struct shrink_item *items, size_t n, bool narrated)
{
    char *text = NULL, sentence[300];
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const struct shrink_item *it = &items[i];

        if (narrated) {
            fprintf(out, "# %s\n",
                    narrate_decision(it->site, it->actor, it->occurrence, it->value,
                                     sentence, sizeof(sentence)));
        }
        fprintf(out, "%s %s %" PRIu32 " %" PRIu64 "\n", it->site, it->actor, it->occurrence,
                it->value);
    }
    return fclose(out) == 0 ? text : NULL;
}

/* ---- in a child: does it fail? ------------------------------------------------- */

/* Which items the run came to. Two places of one hash would be taken for each other: then
 * an item is kept that could go. */
struct usage {
    bool *used;
    struct map items; /* hash of a place -> number of an item */
};

static uint64_t hash_of_place(const char *site, const char *actor, uint32_t occurrence)
{
    return sim_mix(sim_mix_text(sim_mix_text(0, site), actor), occurrence);
}

static void usage_init(struct usage *u, const struct shrink_item *items, size_t n,
                       bool *used)
{
    *u = (struct usage){.used = used};
    for (size_t i = 0; i < n; i++) {
        const struct shrink_item *it = &items[i];
        uint64_t place = hash_of_place(it->site, it->actor, it->occurrence);

        CHECK(map_put(&u->items, place, i) == 0);
        used[i] = false;
    }
}

static void on_decision(void *arg, const struct sim_decisions *d,
                        const struct sim_decision *it)
{
    struct usage *u = arg;
    uint64_t place =
        hash_of_place(sim_site_name(it->site), d->names[it->actor], it->occurrence);
    uint64_t i = map_get(&u->items, place, MAP_NONE);

    if (i != MAP_NONE) {
        u->used[i] = true;
    }
}

static bool fails(void *arg, const struct shrink_item *items, size_t n, bool *used)
{
    struct shrinker *s = arg;
    struct run_opts opts = s->run;
    struct run_outcome outcome;
    struct usage usage;
    char *text = write_items(items, n, false);

    CHECK(text != NULL);
    usage_init(&usage, items, n, used);
    opts.world.decisions = text;
    opts.world.on_decision = on_decision;
    opts.world.decision_arg = &usage;
    opts.log = opts.quiet = opts.bare = true;
    run_scenario(&opts, &outcome);
    return strcmp(outcome.signature, s->record.outcome) == 0; /* the process ends now */
}

/* In the parent: the child died instead. */
static bool died(void *arg, const struct process_end *end, bool late)
{
    struct shrinker *s = arg;
    char signature[CAMPAIGN_SIGNATURE] = "timeout real";

    if (!late) {
        process_sign_end(end, signature, sizeof(signature));
    }
    return strcmp(signature, s->record.outcome) == 0;
}

/* ---- stand-ins ----------------------------------------------------------------- */

static bool is_site(const struct shrink_item *item, enum sim_site site)
{
    return strcmp(item->site, sim_site_name(site)) == 0;
}

/* About who runs when. */
static bool is_schedule(const struct shrink_item *item)
{
    return is_site(item, SIM_SITE_PREEMPT) || is_site(item, SIM_SITE_RUN) ||
           is_site(item, SIM_SITE_WAKE) || is_site(item, SIM_SITE_STARVE) ||
           is_site(item, SIM_SITE_STAND_BACK);
}

static bool is_alike(void *arg, const struct shrink_item *a, const struct shrink_item *b)
{
    (void)arg;
    return is_schedule(a) && is_schedule(b);
}

/* Where another thread went on, or a little later, the thread may as well not run for a
 * while. Points of a thread are the occurrences of all three sites. */
static bool stand_in(void *arg, const struct shrink_item *item, unsigned n,
                     struct shrink_item *ret)
{
    static const struct {
        enum sim_site site;
        uint64_t value;
    } ways[] = {{SIM_SITE_STARVE, 2 * NSEC_PER_MSEC},
                {SIM_SITE_STAND_BACK, 4096},
                {SIM_SITE_STARVE, 100 * NSEC_PER_MSEC},
                {SIM_SITE_STAND_BACK, 64}};
    static const uint32_t later[] = {1, 2, 4, 8, 16, 32, 64};
    unsigned way = n % ARRAY_SIZE(ways), place = n / ARRAY_SIZE(ways);

    (void)arg;
    if (place >= ARRAY_SIZE(later) || !is_site(item, SIM_SITE_PREEMPT)) {
        return false;
    }
    *ret = (struct shrink_item){.site = sim_site_name(ways[way].site),
                                .actor = item->actor,
                                .occurrence = item->occurrence + later[place],
                                .value = ways[way].value};
    return true;
}

/* ---- progress ------------------------------------------------------------------ */

static bool on_progress(void *arg, const struct shrink_progress *p)
{
    struct shrinker *s = arg;
    uint64_t now = os_monotonic_ns(s->os);

    if (!s->quiet &&
        now - s->shown_ns >= (s->on_terminal ? NSEC_PER_SEC / 10 : SHOW_EVERY_NS)) {
        s->shown_ns = now;
        fprintf(stderr, "%s%zu of %zu decisions left, %s, %" PRIu64 " attempts%s",
                s->on_terminal ? "\r" : "", p->left, s->n_before,
                shrink_phase_name(p->phase), p->attempts, s->on_terminal ? "\033[K" : "\n");
        fflush(stderr);
    }
    return interrupt_came();
}

/* ---- the result ---------------------------------------------------------------- */

static int print_small(const struct shrinker *s, const struct shrink_progress *p)
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
    return EXIT_OK;
}

/* Runs the result once more, for its hash, and writes it. */
static int write_small(struct shrinker *s, const struct shrink_progress *p)
{
    char *plain = write_items(s->items, s->n, false);
    char *told_text = write_items(s->items, s->n, true);
    struct record small = s->record;
    struct campaign_result now;
    struct retold told = {0};
    char why[700];
    int code = EXIT_OK;

    CHECK(plain != NULL && told_text != NULL);
    s->run.world.decisions = plain;
    if (campaign_run_apart(s->os, &s->run, ATTEMPT_REAL_NS, &told, &now) < 0) {
        told.hashed = false;
    }
    small.decisions = told_text;
    small.n_decisions = (uint32_t)s->n;
    small.log = true;
    small.hashed = told.hashed;
    small.hash = told.hash;
    small.program = record_program();
    if (told.hashed) {
        small.script_hash = told.script;
    }
    if (record_write(s->out, &small, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab shrink: %s\n", why);
        code = EXIT_FILE;
    }
    print_small(s, p);
    if (code == EXIT_OK) {
        printf("written       msgrlab replay %s\n", s->out);
    }
    free(plain);
    free(told_text);
    return code;
}

static int conclude(struct shrinker *s, int end, const struct shrink_progress *p)
{
    int code;

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
                s->path, s->record.outcome);
        return EXIT_NONDETERMINISM;
    }
    code = write_small(s, p);
    if (code != EXIT_OK) {
        return code;
    }
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

/* A record without a log: its seed gives it. */
static int make_log(struct shrinker *s)
{
    struct decision_sink *sink = decision_sink_new();
    struct run_opts opts = s->run;
    struct campaign_result now;
    struct retold told;
    int rc = -ENOMEM;

    if (sink != NULL) {
        opts.log = true;
        opts.world.on_decision = decision_sink_add;
        opts.world.decision_arg = sink;
        rc = campaign_run_apart(s->os, &opts, ATTEMPT_REAL_NS, &told, &now);
    }
    if (rc == 0) {
        rc = read_items(s, sink->text);
    }
    if (rc == 0 && strcmp(s->record.outcome, "crash") == 0) { /* now it is known how */
        snprintf(s->outcome, sizeof(s->outcome), "%s", now.signature);
        s->record.outcome = s->outcome;
    }
    decision_sink_free(sink);
    return rc;
}

static int shrink_record(struct shrinker *s)
{
    struct shrink_opts opts = {.os = s->os,
                               .jobs = s->jobs,
                               .time_max_ns = s->time_max_ns,
                               .attempt_max_ns = ATTEMPT_REAL_NS,
                               .late_is_failure =
                                   strcmp(s->record.outcome, "timeout real") == 0,
                               .fails = fails,
                               .died = died,
                               .stand_in = stand_in,
                               .is_alike = is_alike,
                               .on_progress = on_progress,
                               .arg = s};
    struct shrink_progress progress;
    struct interrupt interrupt;
    int end = s->record.log ? read_items(s, s->record.decisions) : make_log(s);

    if (end == 0) {
        interrupt_watch(&interrupt);
        s->run.world.decisions = NULL;
        end = shrink(&opts, s->items, &s->n, &progress);
        end = conclude(s, end, &progress);
        interrupt_unwatch(&interrupt);
    } else {
        fprintf(stderr, "msgrlab shrink: %s: %s\n", s->path, strerror(-end));
        end = EXIT_CANNOT;
    }
    free(s->text);
    free(s->items);
    return end;
}

static int open_record(struct shrinker *s)
{
    char why[700];

    if (record_read(s->path, &s->record, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab shrink: %s\n", why);
        return EXIT_FILE;
    }
    if (s->record.outcome[0] == '\0') {
        fprintf(stderr, "msgrlab shrink: the run in %s went well: nothing to shrink\n",
                s->path);
        return EXIT_USAGE;
    }
    if (record_to_opts(&s->record, &s->run, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab shrink: %s: %s\n", s->path, why);
        return EXIT_FILE;
    }
    if (access(s->run.script, R_OK) != 0) {
        fprintf(stderr,
                "msgrlab shrink: there is no script %s here: go where the run was "
                "recorded\n",
                s->run.script);
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

static int take_option(int option, const char *value, struct shrinker *s)
{
    uint64_t jobs;

    switch (option) {
    case 'o':
        snprintf(s->out, sizeof(s->out), "%s", value);
        return EXIT_OK;
    case OPT_JOBS:
        if (!words_number(value, SHRINK_JOBS_MAX, &jobs) || jobs == 0) {
            return cli_usage_error("shrink", "--jobs wants a number from 1 to %d",
                                   SHRINK_JOBS_MAX);
        }
        s->jobs = (unsigned)jobs;
        return EXIT_OK;
    case OPT_TIME:
        if (!words_duration(value, &s->time_max_ns) || s->time_max_ns == 0) {
            return cli_usage_error("shrink", "--time wants %s, not '%s'",
                                   WORDS_DURATION_FORM, value);
        }
        return EXIT_OK;
    default:
        s->quiet = true;
        return EXIT_OK;
    }
}

int cmd_shrink(int argc, char **argv)
{
    struct shrinker s = {.jobs = MIN(process_cpus(), SHRINK_JOBS_MAX),
                         .on_terminal = isatty(STDERR_FILENO)};
    int option, code;

    cli_start();
    while ((option = cli_next(argc, argv, "ho:", options)) != CLI_END) {
        if (option == CLI_BAD) {
            return EXIT_USAGE;
        }
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_OK;
        }
        code = take_option(option, optarg, &s);
        if (code != EXIT_OK) {
            return code;
        }
    }
    if (argc - optind != 1) {
        return cli_usage_error("shrink",
                               argc == optind ? "which record?" : "one record at a time");
    }
    s.path = argv[optind];
    name_output(&s);
    code = open_record(&s);
    if (code == EXIT_OK) {
        s.os = os_linux_new(WORLD_NODES_MAX + 2, "shrink");
        code = s.os != NULL ? shrink_record(&s) : EXIT_CANNOT;
        os_linux_free(s.os);
    }
    record_fini(&s.record);
    return code;
}
