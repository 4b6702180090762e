/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_replay.c: msgrlab replay RECORD: the recorded run once more, and whether it was the
 * same one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/cli/streams.h"
#include "scenarios/run/record.h"
#include "scenarios/run/run.h"
#include "viz/trace/points.h"
#include "viz/trace/trace_reader.h"

#define LAST_RECORDS 20

struct replay {
    const char *path;       /* of the record */
    const char *to;         /* NULL: to the end */
    const char *trace_path; /* NULL: not kept */
    const char *pcap_path;  /* likewise */
    struct record record;
};

/* ---- the same run? --------------------------------------------------------------- */

static void print_hash(const char *what, const struct trace_hash *hash)
{
    char text[TRACE_HASH_TEXT];

    fprintf(stderr, "    %s %s\n", what, trace_hash_text(hash, text));
}

static const char *name_of(const char *signature)
{
    return signature[0] != '\0' ? signature : "ok";
}

static bool is_same_outcome(const struct record *r, const struct run_outcome *now)
{
    return r->code == now->code && strcmp(r->outcome, now->signature) == 0;
}

/* Whether another outcome is explained by what has changed since. */
static bool is_explained(const struct record *r, const struct run_outcome *now,
                         const struct trace_hash *program)
{
    bool script = !trace_hash_equal(&r->script_hash, &now->script);
    bool other = !trace_hash_equal(&r->program, program);

    if (script) {
        fprintf(stderr, "note: %s has changed since the run was recorded\n", r->script);
    }
    if (other) {
        fprintf(stderr, "note: another build of msgrlab recorded it\n");
    }
    return script || other;
}

/* The exit code. */
static int compare(const struct replay *replay, const struct run_outcome *now)
{
    const struct record *r = &replay->record;
    bool hashes = r->hashed && now->hashed;
    struct trace_hash program = record_program();
    bool explained = is_explained(r, now, &program);

    if (is_same_outcome(r, now) && (!hashes || trace_hash_equal(&r->hash, &now->hash))) {
        printf("replay        the same run%s\n",
               hashes ? "" : ", as far as its outcome tells: there is no trace hash");
        return now->code;
    }
    fflush(stdout);
    fprintf(stderr, "replay: this was another run\n");
    fprintf(stderr, "    recorded: %s (exit code %d)\n    now:      %s (exit code %d)\n",
            name_of(r->outcome), r->code, name_of(now->signature), now->code);
    if (hashes) {
        print_hash("recorded: trace hash", &r->hash);
        print_hash("now:      trace hash", &now->hash);
    }
    return explained ? now->code : EXIT_NONDETERMINISM;
}

/* ---- stopping at an event -------------------------------------------------------- */

/* "250", or an id "3.1.250". */
static bool take_event(const char *text, struct world_opts *opts)
{
    unsigned long long seq;
    unsigned node, thread;
    int end = 0;

    if (sscanf(text, "%3u.%3u.%15llu%n", &node, &thread, &seq, &end) == 3 &&
        text[end] == '\0' && node < 256 && thread < 256 && text[0] != '-') {
        opts->stop_id = (uint64_t)node << 56 | (uint64_t)thread << 48 | seq;
        return opts->stop_id != 0;
    }
    return words_number(text, UINT64_MAX, &opts->stop_after) && opts->stop_after != 0;
}

static void print_record(const struct trace_reader *reader, size_t i)
{
    const struct trace_record *r = trace_reader_record(reader, i);
    uint64_t ns = r->ts - trace_reader_info(reader)->first_ns;
    const struct point *point = point_of(r->kind);
    char thread[48], fields[600];

    record_text(reader, r, fields, sizeof(fields));
    printf("%8llu.%03u us  %-20s %-15s %-2s  %-17s %s\n",
           (unsigned long long)(ns / NSEC_PER_USEC), (unsigned)(ns % NSEC_PER_USEC),
           thread_text(reader, r->node, r->thread, thread, sizeof(thread)),
           layer_name(point->layer), point->step, point->name, fields);
}

/* The records up to the one with that id. */
static int print_last(const char *path, uint64_t id)
{
    struct trace_reader *reader = NULL;
    size_t last = 0, n;
    char why[200];

    if (trace_reader_open(path, &reader, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab replay: %s\n", why);
        return EXIT_FILE;
    }
    n = trace_reader_count(reader);
    while (last < n && trace_reader_id(reader, trace_reader_record(reader, last)) != id) {
        last++;
    }
    for (size_t i = last >= LAST_RECORDS ? last - LAST_RECORDS + 1 : 0;
         i <= last && last < n; i++) {
        print_record(reader, i);
    }
    trace_reader_close(reader);
    return EXIT_OK;
}

static int show_stop(const struct replay *replay, const char *path,
                     const struct run_outcome *now)
{
    int code;

    if (now->stopped_id == 0) {
        fprintf(stderr,
                "msgrlab replay: the run ended before %s: it has %llu records, and ended "
                "with: %s\n",
                replay->to, (unsigned long long)now->records, name_of(now->signature));
        return EXIT_USAGE;
    }
    code = print_last(path, now->stopped_id);
    printf("--\nstopped at    %s\nvirtual time  %llu.%03u us\n\n%s\n", replay->to,
           (unsigned long long)(now->virtual_ns / NSEC_PER_USEC),
           (unsigned)(now->virtual_ns % NSEC_PER_USEC),
           now->report != NULL ? now->report : "");
    return code;
}

/* Needs the trace as a file, for the names in it. */
static int run_to_event(const struct replay *replay, struct run_opts *opts,
                        struct run_outcome *now)
{
    char temporary[] = "/tmp/msgrlab-replay-XXXXXX";
    int fd = -1, code;

    if (opts->world.trace_path == NULL) {
        fd = mkstemp(temporary);
        if (fd < 0) {
            fprintf(stderr, "msgrlab replay: cannot make a temporary file in /tmp\n");
            return EXIT_FILE;
        }
        opts->world.trace_path = temporary;
    }
    opts->quiet = true;
    run_scenario(opts, now);
    code = show_stop(replay, opts->world.trace_path, now);
    if (fd >= 0) {
        close(fd);
        unlink(temporary);
    }
    return code;
}

/* ---- the command ----------------------------------------------------------------- */

static int replay_record(struct replay *replay)
{
    struct run_opts opts = {
        .world = {.trace_path = replay->trace_path, .pcap_path = replay->pcap_path}};
    struct run_outcome now = {0};
    char why[300], again[600];
    int code;

    if (record_to_opts(&replay->record, &opts, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab replay: %s: %s\n", replay->path, why);
        return EXIT_FILE;
    }
    if (access(opts.script, R_OK) != 0) {
        fprintf(stderr,
                "msgrlab replay: there is no script %s here: go where the run was "
                "recorded\n",
                opts.script);
        return EXIT_FILE;
    }
    snprintf(again, sizeof(again), "msgrlab replay %s", replay->path);
    opts.again = again;
    opts.world.title = again;
    if (replay->to != NULL && !take_event(replay->to, &opts.world)) {
        return cli_usage_error("replay",
                               "--to wants a number or an id like 3.1.250, not "
                               "'%s'",
                               replay->to);
    }
    if (replay->to != NULL) {
        code = run_to_event(replay, &opts, &now);
    } else {
        code = run_scenario(&opts, &now);
        code = code == EXIT_FILE || code == EXIT_INTERRUPTED ? code : compare(replay, &now);
    }
    if (code == EXIT_OK && now.pcap_error < 0) {
        code = EXIT_FILE;
    }
    if (now.poisoned) { /* its threads' memory is nobody's: no leak checker may ask */
        code = streams_end(code);
        fflush(NULL);
        _exit(code);
    }
    run_outcome_fini(&now);
    return code;
}

enum { OPT_TO, OPT_TRACE, OPT_PCAP };

static int take_option(void *state, int option, char *value)
{
    struct replay *replay = state;

    switch (option) {
    case OPT_TO:
        replay->to = value;
        return EXIT_OK;
    case OPT_PCAP:
        replay->pcap_path = value;
        return EXIT_OK;
    default:
        replay->trace_path = value;
        return EXIT_OK;
    }
}

static int run_replay(int argc, char **argv)
{
    struct replay replay = {0};
    char why[700];
    int code = cli_options(&command_replay, argc, argv, &replay);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (argc - optind != 1) {
        return cli_usage_error("replay",
                               argc == optind ? "which record?" : "one record at a time");
    }
    replay.path = argv[optind];
    if (record_read(replay.path, &replay.record, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab replay: %s\n", why);
        return EXIT_FILE;
    }
    code = replay_record(&replay);
    record_fini(&replay.record);
    return code;
}

static const struct cli_option options[] = {
    {"to", 0, "EVENT", OPT_TO,
     "stop at this record of the trace: its number, from 1, or its id as show -o x.csv "
     "prints it (3.1.250); shows the 20 records up to it, and who waits for what"},
    {"trace", 0, "FILE", OPT_TRACE,
     "keep what was recorded, for msgrlab show and msgrlab diff"},
    {"pcap", 0, "FILE", OPT_PCAP,
     "keep the packets of the network as pcapng, for Wireshark"},
    {0},
};

const struct cli_command command_replay = {
    .name = "replay",
    .summary = "repeat a recorded run, and say whether it was the same",
    .usage = "RECORD [OPTION...]",
    .about = "Repeats a simulated run that msgrlab run --record, or a campaign, wrote "
             "down, from\n"
             "the choices in the record, and says whether it was the same run.",
    .options = {options},
    .take = take_option,
    .exits_of = "those of msgrlab run, from the run that was repeated",
    .exits = {{EXIT_OK, "that run passes; with --to: it came to that event"},
              {EXIT_EXPECTATION, NULL},
              {EXIT_USAGE,
               "the command line is wrong; with --to: the run did not come to that event"},
              {EXIT_SCRIPT, NULL},
              {EXIT_CANNOT, NULL},
              {EXIT_FILE,
               "the record, the script or another file cannot be read or written"},
              {EXIT_TIMEOUT, NULL},
              {EXIT_SAFETY, NULL},
              {EXIT_LIVENESS, NULL},
              {EXIT_NONDETERMINISM, "the same script and program, and yet another run"},
              {EXIT_INTERRUPTED, NULL}},
    .run = run_replay,
};
