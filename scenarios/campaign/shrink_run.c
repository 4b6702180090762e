/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/campaign/shrink_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/map.h"
#include "engine/util.h"
#include "scenarios/campaign/narrate.h"
#include "scenarios/campaign/save.h"

#define ATTEMPT_REAL_NS (60 * NSEC_PER_SEC)

/* ---- decisions as items and as text -------------------------------------------- */

/* Lines that were checked when the record was read. */
static int read_items(struct shrink_run *s, const char *decisions)
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
        int err = map_put(&u->items, place, i);

        CHECK(err == 0);
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
    struct shrink_run *s = arg;
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
    struct shrink_run *s = arg;
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

/* ---- the whole ----------------------------------------------------------------- */

/* A record without a log: its seed gives it. */
static int make_log(struct shrink_run *s)
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

int shrink_run_begin(struct shrink_run *s)
{
    int err = s->record.log ? read_items(s, s->record.decisions) : make_log(s);

    s->run.world.decisions = NULL;
    return err;
}

static bool on_progress(void *arg, const struct shrink_progress *progress)
{
    struct shrink_run *s = arg;

    return s->on_progress != NULL && s->on_progress(s->arg, progress);
}

int shrink_run(struct shrink_run *s, struct shrink_progress *ret)
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

    return shrink(&opts, s->items, &s->n, ret);
}

int shrink_run_write(struct shrink_run *s, const char *path, char *why, size_t size)
{
    char *plain = write_items(s->items, s->n, false);
    char *narrated = write_items(s->items, s->n, true);
    struct record small = s->record;
    struct campaign_result now;
    struct retold told = {0};
    int err;

    CHECK(plain != NULL && narrated != NULL);
    s->run.world.decisions = plain;
    if (campaign_run_apart(s->os, &s->run, ATTEMPT_REAL_NS, &told, &now) < 0) {
        told.hashed = false;
    }
    s->run.world.decisions = NULL;
    small.decisions = narrated;
    small.n_decisions = (uint32_t)s->n;
    small.log = true;
    small.hashed = told.hashed;
    small.hash = told.hash;
    small.program = record_program();
    if (told.hashed) {
        small.script_hash = told.script;
    }
    err = record_write(path, &small, why, size);
    free(plain);
    free(narrated);
    return err;
}

void shrink_run_fini(struct shrink_run *s)
{
    free(s->text);
    free(s->items);
    s->text = NULL;
    s->items = NULL;
}
