/* SPDX-License-Identifier: Apache-2.0 */
/* report.c: what was found, and the words for people. Files: files.c. */
#include "scenarios/campaign/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/run/record.h"

#define LINE_EVERY_NS (5 * NSEC_PER_SEC) /* of progress, not on a terminal */

/* ---- life and counting ------------------------------------------------------------ */

void report_init(struct report *r)
{
    r->tally = campaign_tally_new();
    CHECK(r->tally != NULL);
    r->on_terminal = isatty(STDERR_FILENO);
    r->began_ns = r->shown_ns = os_monotonic_ns(r->os);
}

void report_fini(struct report *r)
{
    while (r->saved != NULL) {
        struct report_saved *next = r->saved->next;

        free(r->saved);
        r->saved = next;
    }
    campaign_failures_fini(&r->failures);
    campaign_hashes_fini(&r->hashes);
    campaign_tally_free(r->tally);
}

void report_take(struct report *r, const struct campaign_result *result)
{
    r->done++;
    r->skipped += result->skipped;
    r->verified += result->again;
    r->virtual_ns += result->virtual_ns;
    r->busy_ns += result->real_ns;
    r->points += result->points;
    r->records += result->records;
    r->messages += result->messages;
    r->unsent += result->unsent;
    if (result->hashed) {
        campaign_hashes_add(&r->hashes, result->hash);
    }
}

struct report_saved *report_find_saved(const struct report *r, const char *signature)
{
    struct report_saved *it = r->saved;

    while (it != NULL && strcmp(it->signature, signature) != 0) {
        it = it->next;
    }
    return it;
}

/* ---- codes ------------------------------------------------------------------------ */

int report_code(const struct campaign_result *result)
{
    switch (result->end) {
    case CAMPAIGN_PASSED:
        return EXIT_OK;
    case CAMPAIGN_CRASHED:
        return EXIT_CRASH;
    case CAMPAIGN_HUNG:
        return EXIT_TIMEOUT;
    default:
        return result->code;
    }
}

/* From bad to worst. Another run of the same seed means that no other result is worth
 * anything, but a crash and a broken invariant are there for all to see. */
static int rank_of(int code)
{
    static const int codes[] = {EXIT_OK,          EXIT_INTERRUPTED,    EXIT_USAGE,
                                EXIT_CANNOT,      EXIT_FILE,           EXIT_SCRIPT,
                                EXIT_EXPECTATION, EXIT_TIMEOUT,        EXIT_LIVENESS,
                                EXIT_SAFETY,      EXIT_NONDETERMINISM, EXIT_CRASH};

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (codes[i] == code) {
            return (int)i;
        }
    }
    return 0;
}

int report_exit_code(const struct report *r)
{
    int worst = EXIT_OK;

    if (r->stop == CAMPAIGN_STOPPED) {
        return EXIT_INTERRUPTED;
    }
    for (const struct campaign_failure *f = r->failures.first; f != NULL; f = f->next) {
        const struct report_saved *saved = report_find_saved(r, f->kept.signature);
        int code = report_code(&f->kept);

        if (saved != NULL && saved->error[0] == '\0' && !saved->repeats &&
            f->kept.end != CAMPAIGN_HUNG) {
            code = EXIT_NONDETERMINISM;
        }
        worst = rank_of(code) > rank_of(worst) ? code : worst;
    }
    return worst;
}

/* ---- progress --------------------------------------------------------------------- */

static double seconds_of(const struct report *r)
{
    uint64_t end = r->ended_ns != 0 ? r->ended_ns : os_monotonic_ns(r->os);

    return (double)MAX(end - r->began_ns, (uint64_t)1) / 1e9;
}

static void write_clock(double seconds, char *buf, size_t size)
{
    uint64_t s = seconds < 1e9 ? (uint64_t)(seconds + 0.5) : 0;

    if (s >= 3600) {
        snprintf(buf, size, "%" PRIu64 ":%02u:%02u", s / 3600, (unsigned)(s / 60 % 60),
                 (unsigned)(s % 60));
    } else {
        snprintf(buf, size, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
    }
}

static void write_progress(const struct report *r, char *buf, size_t size)
{
    double rate = (double)r->done / seconds_of(r);
    char bar[21], left[32] = "?";
    unsigned full = (unsigned)(20.0 * (double)r->done / (double)MAX(r->seeds, 1u));

    for (unsigned i = 0; i < 20; i++) {
        bar[i] = i < full ? '#' : '.';
    }
    bar[20] = '\0';
    if (rate > 0) {
        write_clock((double)(r->seeds - r->done) / rate, left, sizeof(left));
    }
    snprintf(buf, size,
             "[%s] %" PRIu64 " of %" PRIu64 " seeds, %.0f/s, %" PRIu64
             " failures of %" PRIu64 " kinds, %s left",
             bar, r->done, r->seeds, rate, r->failures.count, r->failures.kinds, left);
}

void report_progress(struct report *r)
{
    uint64_t now = os_monotonic_ns(r->os);
    char line[200];

    if (!r->on_terminal && now - r->shown_ns < LINE_EVERY_NS) {
        return;
    }
    r->shown_ns = now;
    write_progress(r, line, sizeof(line));
    if (r->on_terminal) {
        fprintf(stderr, "\r%s\033[K", line);
    } else {
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
}

void report_end_progress(struct report *r)
{
    if (r->on_terminal) {
        fprintf(stderr, "\r\033[K");
    }
}

/* ---- the summary ------------------------------------------------------------------ */

static void print_saved(const struct report_saved *s, FILE *out)
{
    if (s == NULL) {
        return;
    }
    if (s->error[0] != '\0') {
        fprintf(out, "      not kept: %s\n", s->error);
    } else if (!s->repeats) {
        fprintf(out, "      NOT REPEATED: run again it ended with: %s\n",
                s->other[0] != '\0' ? s->other : "ok");
    }
    if (s->path[0] == '\0') {
        return;
    }
    fprintf(out, "      msgrlab replay");
    record_put_word(out, s->path);
    if (s->logged && s->repeats) {
        char small[sizeof(s->path) + 16];
        size_t len = strlen(s->path);

        len -= len > 4 && strcmp(s->path + len - 4, ".rec") == 0 ? 4 : 0;
        snprintf(small, sizeof(small), "%.*s.small.rec", (int)len, s->path);
        fprintf(out, "\n      msgrlab shrink");
        record_put_word(out, s->path);
        fprintf(out, " -o");
        record_put_word(out, small);
        fprintf(out, "     (%u decisions)", s->decisions);
    }
    fputc('\n', out);
}

static void print_failures(const struct report *r, FILE *out)
{
    for (const struct campaign_failure *f = r->failures.first; f != NULL; f = f->next) {
        fprintf(out, "\n  %s\n      seed %" PRIu64 ", and %" PRIu64 " other%s\n",
                f->kept.signature, f->kept.seed, f->count - 1, f->count == 2 ? "" : "s");
        print_saved(report_find_saved(r, f->kept.signature), out);
    }
}

static void print_faults(const struct report *r, FILE *out)
{
    int n = 0;

    for (int id = 0; id < FAULT_COUNT; id++) {
        uint64_t fired = campaign_counted(r->tally, (unsigned)(TALLY_FAULTS + id));

        if (fired != 0) {
            fprintf(out, "%s%-18s %12" PRIu64, n % 2 == 0 ? "\n    " : "     ",
                    fault_info((enum fault_id)id)->name, fired);
            n++;
        }
    }
    fprintf(out, "%s\n", n == 0 ? "none" : "");
}

static const char *why_it_ended(const struct report *r)
{
    switch (r->stop) {
    case CAMPAIGN_STOPPED:
        return ", interrupted";
    case CAMPAIGN_TIME:
        return ", the time was up";
    case CAMPAIGN_TOO_MANY:
        return ", enough failures";
    default:
        return "";
    }
}

static void print_speed(const struct report *r, FILE *out)
{
    double seconds = seconds_of(r), busy = (double)MAX(r->busy_ns, 1u) / 1e9;
    double cpu = (double)MAX(r->cpu_ns, 1u) / 1e9;
    char took[32], lived[32];

    write_clock(seconds, took, sizeof(took));
    write_clock((double)r->virtual_ns / 1e9, lived, sizeof(lived));
    fprintf(out,
            "time          %s by %u processes; %.0f seeds/s; %.0f in an hour of processor "
            "time\n",
            took, r->jobs, (double)r->done / seconds, (double)r->done * 3600 / cpu);
    fprintf(out, "virtual time  %s, %.2f times the real time of the runs\n", lived,
            (double)r->virtual_ns / 1e9 / busy);
}

void report_summary(const struct report *r, FILE *out)
{
    fprintf(out, "campaign      %s, profile %s, schedule %s\n", r->run->script,
            r->run->world.profile != NULL ? r->run->world.profile : "none",
            r->run->world.schedule != NULL ? r->run->world.schedule : "by default");
    fprintf(out, "seeds         %" PRIu64 " of %" PRIu64 ", from %" PRIu64 " to %" PRIu64,
            r->done, r->seeds, r->first, r->last);
    if (r->shards > 1) {
        fprintf(out, ", shard %" PRIu64 "/%" PRIu64, r->shard + 1, r->shards);
    }
    fprintf(out, "%s\n", why_it_ended(r));
    if (r->skipped != 0) {
        fprintf(out, "skipped       %" PRIu64 "\n", r->skipped);
    }
    if (r->verified != 0) {
        fprintf(out, "verified      %" PRIu64 " ran twice and were compared\n",
                r->verified);
    }
    print_speed(r, out);
    fprintf(out,
            "totals        %" PRIu64 " scheduling points, %" PRIu64 " records, %" PRIu64
            " messages\n",
            r->points, r->records, r->messages);
    if (r->unsent != 0) {
        fprintf(out,
                "unsent        %" PRIu64
                " messages: the session was over, or a fault kept a "
                "sender from starting\n",
                r->unsent);
    }
    fprintf(out, "trace hashes  %" PRIu64 " different\n", r->hashes.used);
    fprintf(out, "faults        ");
    print_faults(r, out);
    if (r->coverage) {
        reach_print(r->tally, out);
    }
    fprintf(out, "failures      %" PRIu64 " of %" PRIu64 " kinds\n", r->failures.count,
            r->failures.kinds);
    print_failures(r, out);
}
