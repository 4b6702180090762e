/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h: the record of a simulated run: what was run, how it ended, and every choice
 * that was not "nothing special". It is text:
 *
 *     msgrlab decisions 1                      format and version
 *     script scenarios/hello.lua               a header: key, a space, the value
 *     seed 7
 *     set pings=17                             may come several times
 *     ...
 *     log full                                 or "none": the seed has to do
 *                                              an empty line
 *     preempt a/msgr-worker-0 17 2             decisions (sim/decide/decisions.h): site,
 *     ...                                      actor, occurrence, value; # begins a comment
 *     end 1                                    how many there were
 *
 * A replay with a full log needs the seed only for the script's and the nodes' random
 * numbers: all choices are in the log. Lines may be taken out of it (and `end` adapted):
 * what is not there is "nothing special".
 *
 * Owns nothing that outlives a call but what record_fini frees. Any thread.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_RECORD_H
#define MSGRLAB_SCENARIOS_RUN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "scenarios/run/run.h"

#define RECORD_VERSION 1
#define RECORD_BYTES_MAX (512u << 20)

/* All text is borrowed from options and outcome, or from `text`. */
struct record {
    const char *script;
    struct trace_hash script_hash;
    struct trace_hash program; /* of the executable; zeros: not known */
    uint64_t seed;
    const char *on, *stack, *driver;
    const char *schedule, *profile; /* NULL: the default */
    uint64_t timeout_ns;
    uint64_t instructions_max; /* 0: the default */
    int n_sets;
    struct setting sets[RUN_SETS_MAX];
    const char *outcome; /* signature; "" for a run that went well, "crash" */
    int code;            /* exit code */
    struct trace_hash hash;
    bool hashed;
    bool log;              /* false: no decisions are in it */
    const char *decisions; /* lines; "" for none */
    uint32_t n_decisions;
    char *text; /* owned; NULL: all is borrowed */
};

/* What a run with these options, and this outcome, is remembered by. Without
 * outcome->decisions (or options that had some to replay) it has no log. */
void record_of_run(const struct run_opts *opts, const struct run_outcome *outcome,
                   struct record *ret);
/* Of this program's file, to tell builds apart; zeros if it cannot be read. */
struct trace_hash record_program(void);
/* The options that repeat it; what a record does not say (traces, output) stays as it is.
 * 0; -EINVAL with a sentence in `why`: this program has no such driver, ... */
int record_to_opts(const struct record *record, struct run_opts *opts, char *why,
                   size_t size);

/* As text, malloc'ed; the caller frees it. NULL: no memory, or a text with line breaks. */
char *record_format(const struct record *record);
/* A mistyped --record must not cost somebody a file: nothing is there, or a record. */
bool record_may_replace(const char *path);
/* The file appears whole or not at all. An existing file is replaced if it is a record. 0,
 * or a negative errno with a sentence in `why`. */
int record_write(const char *path, const struct record *record, char *why, size_t size);

/* 0, or a negative errno with "x.rec:7: what is wrong" in `why`. */
int record_read(const char *path, struct record *ret, char *why, size_t size);
/* The same for a text in memory, which is copied; `name` stands for the path. */
int record_parse(const char *name, const char *text, size_t len, struct record *ret,
                 char *why, size_t size);
void record_fini(struct record *record);

/* A blank and the word, so that a shell takes it for one. */
void record_put_word(FILE *out, const char *word);
/* "msgrlab run x.lua --seed 7 --set a=b", malloc'ed. NULL: no memory. */
char *record_again(const struct run_opts *opts);

#endif
