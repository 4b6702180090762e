/* SPDX-License-Identifier: Apache-2.0 */
/* record.c: records as they are made and written. Reading is in record_read.c. */
#include "scenarios/run/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/text.h"
#include "viz/draw/output.h"

/* ---- from and to a run ----------------------------------------------------------- */

struct trace_hash record_program(void)
{
    static const char path[] = "/proc/self/exe";
    FILE *file = fopen(path, "rbe");
    struct trace_hash hash = {0};
    char buf[65536];
    size_t n;

    if (file == NULL) {
        return hash;
    }
    trace_hash_init(&hash);
    while ((n = fread(buf, 1, sizeof(buf), file)) > 0) {
        trace_hash_add(&hash, buf, n);
    }
    fclose(file);
    return hash;
}

static uint32_t count_lines(const char *text)
{
    uint32_t n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

void record_of_run(const struct run_opts *opts, const struct run_outcome *outcome,
                   struct record *ret)
{
    const struct world_opts *world = &opts->world;
    const char *decisions =
        outcome->decisions != NULL ? outcome->decisions : world->decisions;

    *ret = (struct record){.script = opts->script,
                           .script_hash = outcome->script,
                           .program = record_program(),
                           .seed = world->seed,
                           .on = world_kind_names[world->on],
                           .stack = stack_kind_names[world->stack],
                           .driver = event_driver_name(world->driver),
                           .schedule = world->schedule,
                           .profile = world->profile,
                           .timeout_ns = opts->timeout_ns,
                           .instructions_max = opts->instructions_max,
                           .n_sets = opts->n_sets,
                           .outcome = outcome->signature,
                           .code = outcome->code,
                           .hash = outcome->hash,
                           .hashed = outcome->hashed,
                           .log = decisions != NULL,
                           .decisions = decisions != NULL ? decisions : ""};
    ret->n_decisions = count_lines(ret->decisions);
    memcpy(ret->sets, opts->sets, sizeof(ret->sets));
}

int record_to_opts(const struct record *record, struct run_opts *opts, char *why,
                   size_t size)
{
    int driver = event_driver_by_name(record->driver);
    int stack = stack_kind_by_name(record->stack);
    bool known = record->schedule == NULL || world_schedule_by_name(record->schedule) >= 0;

    if (profile_by_name(record->profile) < 0) {
        snprintf(why, size,
                 "the record is of a run with --profile %s: this program has no "
                 "such profile",
                 record->profile);
        return -EINVAL;
    }
    if (driver < 0 || stack < 0 || !known || world_kind_by_name(record->on) != WORLD_SIM) {
        snprintf(why, size,
                 "the record is of a run with --on %s --stack %s --driver %s%s%s: this "
                 "program has no such thing, or cannot repeat it",
                 record->on, record->stack, record->driver, known ? "" : " --schedule ",
                 known ? "" : record->schedule);
        return -EINVAL;
    }
    opts->script = record->script;
    opts->world.seed = record->seed;
    opts->world.on = WORLD_SIM;
    opts->world.stack = (enum stack_kind)stack;
    opts->stack_asked = true;
    opts->world.driver = (enum event_driver_kind)driver;
    opts->world.schedule = record->schedule;
    opts->world.profile = record->profile;
    opts->world.decisions = record->log ? record->decisions : NULL;
    opts->timeout_ns = record->timeout_ns;
    opts->instructions_max = record->instructions_max;
    opts->n_sets = record->n_sets;
    memcpy(opts->sets, record->sets, sizeof(opts->sets));
    return 0;
}

/* ---- as text --------------------------------------------------------------------- */

/* False: it would break the lines of the file. */
static bool put(FILE *out, const char *key, const char *value)
{
    if (value != NULL) {
        fprintf(out, "%s %s\n", key, value);
    }
    return value == NULL || strpbrk(value, "\r\n") == NULL;
}

static void put_hash(FILE *out, const char *key, const struct trace_hash *hash)
{
    char text[TRACE_HASH_TEXT];

    if (hash->high != 0 || hash->low != 0) {
        fprintf(out, "%s %s\n", key, trace_hash_text(hash, text));
    }
}

static bool put_header(FILE *out, const struct record *r)
{
    bool good = put(out, "script", r->script);

    put_hash(out, "script_hash", &r->script_hash);
    put_hash(out, "program", &r->program);
    fprintf(out, "seed %" PRIu64 "\n", r->seed);
    good = put(out, "on", r->on) && good;
    good = put(out, "stack", r->stack) && good;
    good = put(out, "driver", r->driver) && good;
    good = put(out, "schedule", r->schedule) && good;
    good = put(out, "profile", r->profile) && good;
    fprintf(out, "timeout %" PRIu64 "ns\n", r->timeout_ns);
    if (r->instructions_max != 0) {
        fprintf(out, "instructions %" PRIu64 "\n", r->instructions_max);
    }
    for (int i = 0; i < r->n_sets; i++) {
        const struct setting *set = &r->sets[i];

        good = good && strpbrk(set->key, "\r\n") == NULL &&
               strpbrk(set->value, "\r\n") == NULL;
        fprintf(out, "set %s=%s\n", set->key, set->value);
    }
    fprintf(out, "code %d\n", r->code);
    good = put(out, "outcome", r->outcome[0] != '\0' ? r->outcome : "ok") && good;
    if (r->hashed) {
        put_hash(out, "trace_hash", &r->hash);
    }
    fprintf(out, "log %s\n\n", r->log ? "full" : "none");
    return good;
}

char *record_format(const struct record *record)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    bool good;

    if (out == NULL) {
        return NULL;
    }
    fprintf(out, "msgrlab decisions %d\n", RECORD_VERSION);
    good = put_header(out, record);
    if (record->log) {
        fputs(record->decisions, out);
    }
    fprintf(out, "end %" PRIu32 "\n", record->log ? record->n_decisions : 0);
    if (fclose(out) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- the file -------------------------------------------------------------------- */

bool record_may_replace(const char *path)
{
    static const char first[] = "msgrlab decisions ";
    FILE *file = fopen(path, "rbe");
    char got[sizeof(first) + 3] = "";
    size_t n;

    if (file == NULL) {
        return true;
    }
    n = fread(got, 1, sizeof(got) - 1, file);
    fclose(file);
    return n == 0 || strncmp(text_begin(got, &n), first, sizeof(first) - 1) == 0;
}

static int replace_file(const char *path, const char *text)
{
    struct output output;
    int rc = output_open(&output, path);

    if (rc == 0) {
        fputs(text, output.file);
        rc = output_close(&output, 0);
    }
    return rc;
}

int record_write(const char *path, const struct record *record, char *why, size_t size)
{
    char *text;
    int rc;

    if (!record_may_replace(path)) {
        snprintf(why, size,
                 "%s exists and is no record: it stays as it is; choose another name or "
                 "remove it",
                 path);
        return -EEXIST;
    }
    text = record_format(record);
    if (text == NULL) {
        snprintf(why, size, "%s: no memory, or a line break in a name", path);
        return -EINVAL;
    }
    rc = replace_file(path, text);
    free(text);
    if (rc < 0) {
        snprintf(why, size, "cannot write %s: %s", path, strerror(-rc));
    }
    return rc;
}

/* ---- the command line that repeats a run ----------------------------------------- */

void record_put_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-+=./:,@%";

    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        fprintf(out, " %s", word);
        return;
    }
    fputs(" '", out);
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            fputs("'\\''", out);
        } else {
            fputc(*word, out);
        }
    }
    fputc('\'', out);
}

static void put_option(FILE *out, const char *option, const char *value)
{
    fprintf(out, " %s", option);
    record_put_word(out, value);
}

char *record_again(const struct run_opts *opts)
{
    const struct world_opts *world = &opts->world;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }
    fprintf(out, "msgrlab run");
    record_put_word(out, opts->script);
    if (world->on == WORLD_LINUX) {
        put_option(out, "--on", world_kind_names[world->on]);
    }
    fprintf(out, " --seed %" PRIu64, world->seed);
    if (opts->stack_asked) {
        put_option(out, "--stack", stack_kind_names[world->stack]);
    }
    if (world->device != NULL) {
        put_option(out, "--device", world->device);
    }
    if (world->rdma != NULL) {
        put_option(out, "--rdma", world->rdma);
    }
    if (world->schedule != NULL) {
        put_option(out, "--schedule", world->schedule);
    }
    if (world->profile != NULL) {
        put_option(out, "--profile", world->profile);
    }
    if (world->driver != DRIVER_EPOLL) {
        put_option(out, "--driver", event_driver_name(world->driver));
    }
    if (opts->instructions_max != 0) {
        fprintf(out, " --set instructions=%" PRIu64, opts->instructions_max);
    }
    for (int i = 0; i < opts->n_sets; i++) {
        char *set = NULL;

        if (asprintf(&set, "%s=%s", opts->sets[i].key, opts->sets[i].value) >= 0) {
            put_option(out, "--set", set);
            free(set);
        }
    }
    if (opts->timeout_ns != RUN_TIMEOUT_NS) {
        fprintf(out, " --timeout %" PRIu64 "ns", opts->timeout_ns);
    }
    return fclose(out) == 0 ? text : NULL;
}
