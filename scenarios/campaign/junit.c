/* SPDX-License-Identifier: Apache-2.0 */
/*
 * junit.c: what a campaign has found, as JUnit's XML, for CI systems.
 *
 *     suite      the script
 *     "seed 57"        a seed that failed: how, and the command that repeats it
 *     "seeds 1..100"   all others of these; skipped if none of them was run
 *     "reaches S3_QUEUE"   one for each --must-reach
 *
 * Names of cases depend on the options only, so that a CI system sees the same ones each
 * time. Counts are those of the cases. Parent process, one thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/util.h"
#include "scenarios/campaign/report.h"
#include "scenarios/run/record.h"
#include "viz/draw/output.h"

/* ---- keeping cases ----------------------------------------------------------------- */

int report_keep_cases(struct report *r)
{
    uint64_t span = r->last - r->first; /* one less than the seeds there are */

    r->block_size = 100;
    while (span / r->block_size >= REPORT_BLOCKS_MAX) {
        r->block_size *= 10;
    }
    r->n_blocks = span / r->block_size + 1;
    r->blocks = calloc(r->n_blocks, sizeof(*r->blocks));
    r->seeds_failed = calloc(REPORT_SEEDS_MAX, sizeof(*r->seeds_failed));
    return r->blocks != NULL && r->seeds_failed != NULL ? 0 : -ENOMEM;
}

void report_free_cases(struct report *r)
{
    free(r->blocks);
    free(r->seeds_failed);
    r->blocks = NULL;
    r->seeds_failed = NULL;
}

void report_take_case(struct report *r, const struct campaign_result *result,
                      const struct campaign_failure *kind)
{
    struct report_block *block;

    if (r->blocks == NULL) {
        return;
    }
    block = &r->blocks[(result->seed - r->first) / r->block_size];
    block->done++;
    block->skipped += result->skipped;
    if (result->end == CAMPAIGN_PASSED) {
        block->real_ns += result->real_ns;
        return;
    }
    block->failed++;
    if (kind != NULL && r->n_seeds_failed < REPORT_SEEDS_MAX) {
        r->seeds_failed[r->n_seeds_failed++] = (struct report_seed){
            .seed = result->seed, .real_ns = result->real_ns, .kind = kind};
    } else {
        block->real_ns += result->real_ns;
    }
}

/* ---- XML --------------------------------------------------------------------------- */

/* The length of the character of UTF-8 that begins there; 0: it is none that XML may have.
 */
static size_t character(const unsigned char *p)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    uint32_t code = len == 1 ? p[0] : p[0] & (0x7fu >> len);

    if ((p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (p[i] & 0x3f);
    }
    if ((code < 0x20 && code != '\n' && code != '\t') || code == 0x7f ||
        (len == 3 && code < 0x800) || (len == 4 && (code < 0x10000 || code > 0x10ffff)) ||
        (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff) {
        return 0;
    }
    return len;
}

/* For attributes and text alike. */
static void put_xml(FILE *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p != '\0') {
        size_t len = character(p);

        if (len == 0) {
            fputc('?', out);
            len = 1;
        } else if (strchr("<>&\"'", *p) != NULL || *p < 0x20) {
            fprintf(out, "&#%u;", *p);
        } else {
            fwrite(p, 1, len, out);
        }
        p += len;
    }
}

static void put_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    put_xml(out, value);
    fputc('"', out);
}

/* ---- cases ------------------------------------------------------------------------- */

struct junit {
    const struct report *r;
    FILE *out; /* of the cases */
    char class_[300];
    uint64_t tests, failures, errors, skipped;
};

/* "scenarios/campaigns/lite.lua" under chaos -> "scenarios.campaigns.lite.chaos": CI
 * systems take dots for folders. */
static void name_class(const struct report *r, char *ret, size_t size)
{
    const char *script = r->run->name + strspn(r->run->name, "./");
    const char *profile = r->run->world.profile;
    size_t len = strlen(script);

    len -= len > 4 && strcmp(script + len - 4, ".lua") == 0 ? 4 : 0;
    snprintf(ret, size, "%.*s", (int)MIN(len, size - 20), script);
    for (char *p = ret; *p != '\0'; p++) {
        *p = *p == '.' ? '_' : *p == '/' ? '.' : *p;
    }
    if (profile != NULL && strcmp(profile, "none") != 0) {
        len = strlen(ret);
        snprintf(ret + len, size - len, ".%s", profile);
    }
}

static void begin_case(struct junit *j, const char *name, uint64_t ns)
{
    char time[40];

    j->tests++;
    fputs("  <testcase", j->out);
    put_attribute(j->out, "classname", j->class_);
    put_attribute(j->out, "name", name);
    snprintf(time, sizeof(time), "%.6f", (double)ns / 1e9);
    put_attribute(j->out, "time", time);
    fputs(">\n", j->out);
}

static void end_case(struct junit *j)
{
    fputs("  </testcase>\n", j->out);
}

/* What nobody asked of the script counts as an error, what it promised as a failure. */
static bool is_error(const struct campaign_result *result)
{
    switch (report_code(result)) {
    case EXIT_EXPECTATION:
    case EXIT_SAFETY:
    case EXIT_LIVENESS:
        return false;
    default:
        return true;
    }
}

static void put_failure(struct junit *j, const struct campaign_result *result,
                        const char *text)
{
    const char *element = is_error(result) ? "error" : "failure";
    char type[32];

    j->errors += is_error(result);
    j->failures += !is_error(result);
    snprintf(type, sizeof(type), "%.*s", (int)strcspn(result->signature, " "),
             result->signature);
    fprintf(j->out, "    <%s", element);
    put_attribute(j->out, "message", result->signature);
    put_attribute(j->out, "type", type);
    fputc('>', j->out);
    put_xml(j->out, text);
    fprintf(j->out, "</%s>\n", element);
}

static void put_skipped(struct junit *j, const char *why)
{
    j->skipped++;
    fputs("    <skipped", j->out);
    put_attribute(j->out, "message", why);
    fputs("/>\n", j->out);
}

/* What repeats it, and the record of its kind. */
static void put_commands(struct junit *j, const struct report_seed *s)
{
    const struct report_saved *saved = report_find_saved(j->r, s->kind->kept.signature);
    struct run_opts opts = *j->r->run;
    char *again;

    opts.world.seed = s->seed;
    again = record_again(&opts);
    fputs("    <system-out>", j->out);
    put_xml(j->out, again != NULL ? again : "no memory for the command");
    fputc('\n', j->out);
    if (saved != NULL && saved->path[0] != '\0') {
        fprintf(j->out, "kept of this kind, seed %" PRIu64 ": msgrlab replay ",
                saved->seed);
        put_xml(j->out, saved->path);
        fputc('\n', j->out);
    }
    fputs("</system-out>\n", j->out);
    free(again);
}

static int by_seed(const void *a, const void *b)
{
    uint64_t x = ((const struct report_seed *)a)->seed;
    uint64_t y = ((const struct report_seed *)b)->seed;

    return (x > y) - (x < y);
}

static void put_failed_seeds(struct junit *j)
{
    for (uint64_t i = 0; i < j->r->n_seeds_failed; i++) {
        const struct report_seed *s = &j->r->seeds_failed[i];
        char name[64], text[120];

        snprintf(name, sizeof(name), "seed %" PRIu64, s->seed);
        snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " seeds failed like this.",
                 s->kind->count, j->r->done);
        begin_case(j, name, s->real_ns);
        put_failure(j, &s->kind->kept, text);
        put_commands(j, s);
        end_case(j);
    }
}

/* Kinds with more seeds than have a case. */
static void put_other_seeds(struct junit *j)
{
    for (const struct campaign_failure *f = j->r->failures.first; f != NULL; f = f->next) {
        uint64_t more = f->count;
        char name[CAMPAIGN_SIGNATURE + 40], text[80];

        for (uint64_t i = 0; i < j->r->n_seeds_failed; i++) {
            more -= j->r->seeds_failed[i].kind == f;
        }
        if (more > 0) {
            snprintf(name, sizeof(name), "more seeds: %s", f->kept.signature);
            snprintf(text, sizeof(text), "%" PRIu64 " more seeds failed like this.", more);
            begin_case(j, name, 0);
            put_failure(j, &f->kept, text);
            end_case(j);
        }
    }
}

/* How many of the seeds before the `n`th one, counted from 0, belong to this shard. */
static uint64_t of_shard(const struct report *r, uint64_t n)
{
    if (r->shards <= 1) {
        return n;
    }
    return n <= r->shard ? 0 : (n - r->shard - 1) / r->shards + 1;
}

/* How many from the one to the other, both included; there may be 2^64. */
static uint64_t between(const struct report *r, uint64_t from, uint64_t to)
{
    bool with_last = r->shards <= 1 || to % r->shards == r->shard;

    return of_shard(r, to) - of_shard(r, from) + with_last;
}

static void put_block(struct junit *j, uint64_t i)
{
    const struct report *r = j->r;
    const struct report_block *b = &r->blocks[i];
    uint64_t from = i * r->block_size, left = r->last - r->first - from;
    uint64_t to = from + MIN(r->block_size - 1, left), wanted = between(r, from, to);
    char name[120], text[160];
    size_t len;

    if (wanted == 0) {
        return;
    }
    len = (size_t)snprintf(name, sizeof(name), "seeds %" PRIu64 "..%" PRIu64,
                           r->first + from, r->first + to);
    if (r->shards > 1) {
        snprintf(name + len, sizeof(name) - len, " of shard %" PRIu64 "/%" PRIu64,
                 r->shard + 1, r->shards);
    }
    snprintf(text, sizeof(text),
             "%" PRIu64 " of %" PRIu64 " seeds ran: %" PRIu64 " passed, %" PRIu64
             " skipped themselves, %" PRIu64 " failed",
             b->done, wanted, b->done - b->failed - b->skipped, b->skipped, b->failed);
    begin_case(j, name, b->real_ns);
    if (b->done == b->failed + b->skipped) {
        put_skipped(j, text);
    }
    fprintf(j->out, "    <system-out>%s</system-out>\n", text);
    end_case(j);
}

static void put_reached(struct junit *j)
{
    for (int i = 0; i < j->r->n_must_reach; i++) {
        const char *name = j->r->must_reach[i];
        char text[200];

        snprintf(text, sizeof(text), "reaches %s", name);
        begin_case(j, text, 0);
        if (reach_count(j->r->tally, name) == 0) {
            j->failures++;
            fputs(
                "    <failure message=\"never reached, in any seed: the campaign does not "
                "test it\" type=\"unreached\"/>\n",
                j->out);
        }
        end_case(j);
    }
}

/* ---- the whole --------------------------------------------------------------------- */

static void put_number(FILE *out, const char *name, uint64_t n)
{
    fprintf(out, " %s=\"%" PRIu64 "\"", name, n);
}

static void put_property(FILE *out, const char *name, const char *value)
{
    fprintf(out, "    <property name=\"%s\"", name);
    put_attribute(out, "value", value);
    fputs("/>\n", out);
}

static void put_head(const struct junit *j, FILE *out)
{
    const struct report *r = j->r;
    uint64_t took = r->ended_ns - r->began_ns, now = os_realtime_ns(r->os);
    time_t began = (time_t)((now - MIN(now, took)) / NSEC_PER_SEC);
    char stamp[40] = "", seeds[100];
    struct tm tm;

    if (gmtime_r(&began, &tm) != NULL) {
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    }
    fputs(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"msgrlab campaign\"",
        out);
    put_number(out, "tests", j->tests);
    put_number(out, "failures", j->failures);
    put_number(out, "errors", j->errors);
    fprintf(out, " time=\"%.3f\">\n<testsuite", (double)took / 1e9);
    put_attribute(out, "name", r->run->name);
    put_number(out, "tests", j->tests);
    put_number(out, "failures", j->failures);
    put_number(out, "errors", j->errors);
    put_number(out, "skipped", j->skipped);
    fprintf(out, " time=\"%.3f\" timestamp=\"%s\">\n", (double)took / 1e9, stamp);
    fputs("  <properties>\n", out);
    snprintf(seeds, sizeof(seeds), "%" PRIu64 "..%" PRIu64, r->first, r->last);
    put_property(out, "seeds", seeds);
    put_property(out, "profile",
                 r->run->world.profile != NULL ? r->run->world.profile : "none");
    put_property(out, "stack", stack_kind_names[r->run->world.stack]);
    put_property(out, "version", MSGRLAB_VERSION);
    fputs("  </properties>\n", out);
}

int report_junit(const struct report *r, const char *path)
{
    struct junit j = {.r = r};
    struct output file;
    char *cases = NULL;
    size_t len;
    int rc;

    j.out = open_memstream(&cases, &len);
    if (j.out == NULL) {
        return -ENOMEM;
    }
    name_class(r, j.class_, sizeof(j.class_));
    qsort(r->seeds_failed, r->n_seeds_failed, sizeof(*r->seeds_failed), by_seed);
    put_failed_seeds(&j);
    put_other_seeds(&j);
    for (uint64_t i = 0; i < r->n_blocks; i++) {
        put_block(&j, i);
    }
    put_reached(&j);
    rc = fclose(j.out) != 0 ? -ENOMEM : output_open(&file, path);
    if (rc < 0) {
        free(cases);
        return rc;
    }
    put_head(&j, file.file);
    fwrite(cases, 1, len, file.file);
    fputs("</testsuite>\n</testsuites>\n", file.file);
    free(cases);
    return output_close(&file, 0);
}
