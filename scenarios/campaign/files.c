/* SPDX-License-Identifier: Apache-2.0 */
/* files.c: what a campaign has found, as JSON. */
#include <inttypes.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/campaign/report.h"
#include "viz/draw/output.h"

/* ---- JSON ------------------------------------------------------------------------- */

static void put_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            fprintf(out, "\\%c", *p);
        } else if (*p < 0x20 || *p >= 0x7f) { /* a byte that may be no UTF-8 */
            fprintf(out, "\\u%04x", *p);
        } else {
            fputc(*p, out);
        }
    }
    fputc('"', out);
}

static void put_json_field(FILE *out, const char *key, const char *text)
{
    fprintf(out, "\"%s\": ", key);
    put_json_text(out, text);
    fputs(", ", out);
}

static void put_class(FILE *out, const char *signature)
{
    char word[32];

    snprintf(word, sizeof(word), "%.*s", (int)strcspn(signature, " "), signature);
    put_json_field(out, "class", word);
}

static void put_json_failure(const struct report *r, const struct campaign_failure *f,
                             FILE *out)
{
    const struct report_saved *s = report_find_saved(r, f->kept.signature);

    fputs("    {", out);
    put_json_field(out, "signature", f->kept.signature);
    put_class(out, f->kept.signature);
    if (s != NULL && s->path[0] != '\0') {
        put_json_field(out, "record", s->path);
        fprintf(out, "\"decisions\": %u, \"repeats\": %s, ", s->decisions,
                s->repeats ? "true" : "false");
    }
    fprintf(out, "\"code\": %d, \"count\": %" PRIu64 ", \"seed\": %" PRIu64 "}%s\n",
            report_code(&f->kept), f->count, f->kept.seed, f->next != NULL ? "," : "");
}

static void put_json_faults(const struct report *r, FILE *out)
{
    const char *comma = "";

    fputs("  \"faults\": {", out);
    for (int id = 0; id < FAULT_COUNT; id++) {
        uint64_t fired = campaign_counted(r->tally, (unsigned)(TALLY_FAULTS + id));

        if (fired != 0) {
            fprintf(out, "%s\"%s\": %" PRIu64, comma, fault_info((enum fault_id)id)->name,
                    fired);
            comma = ", ";
        }
    }
    fputs("},\n", out);
}

static const char *stop_name(enum campaign_stop stop)
{
    static const char *const names[] = {"done", "interrupted", "time", "failures"};

    return names[stop];
}

int report_json(const struct report *r, const char *path)
{
    struct output file;
    int rc = output_open(&file, path);
    FILE *out = file.file;

    if (rc < 0) {
        return rc;
    }
    fputs("{\n  ", out);
    put_json_field(out, "script", r->run->script);
    put_json_field(out, "profile",
                   r->run->world.profile != NULL ? r->run->world.profile : "none");
    put_json_field(out, "ended", stop_name(r->stop));
    fprintf(out,
            "\"first\": %" PRIu64 ", \"last\": %" PRIu64 ", \"shard\": %" PRIu64
            ", \"shards\": %" PRIu64 ",\n",
            r->first, r->last, r->shard + 1, MAX(r->shards, (uint64_t)1));
    fprintf(out,
            "  \"seeds\": %" PRIu64 ", \"done\": %" PRIu64 ", \"skipped\": %" PRIu64
            ", \"verified\": %" PRIu64 ", \"jobs\": %u,\n",
            r->seeds, r->done, r->skipped, r->verified, r->jobs);
    fprintf(out,
            "  \"real_ns\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 ", \"virtual_ns\": %" PRIu64
            ",\n",
            r->ended_ns - r->began_ns, r->cpu_ns, r->virtual_ns);
    fprintf(out,
            "  \"points\": %" PRIu64 ", \"records\": %" PRIu64 ", \"messages\": %" PRIu64
            ", \"unsent\": %" PRIu64 ", \"trace_hashes\": %" PRIu64 ",\n",
            r->points, r->records, r->messages, r->unsent, r->hashes.used);
    put_json_faults(r, out);
    if (r->coverage) {
        reach_json(r->tally, out);
    }
    fprintf(out, "  \"code\": %d,\n  \"failures\": [\n", report_exit_code(r));
    for (const struct campaign_failure *f = r->failures.first; f != NULL; f = f->next) {
        put_json_failure(r, f, out);
    }
    fputs("  ]\n}\n", out);
    return output_close(&file, 0);
}
