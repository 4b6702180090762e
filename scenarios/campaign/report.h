/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h: what a campaign has found, and how it is told: a progress line, a
 * summary, JSON, JUnit.
 *
 * Parent process, one thread.
 */
#ifndef MSGRLAB_SCENARIOS_CAMPAIGN_REPORT_H
#define MSGRLAB_SCENARIOS_CAMPAIGN_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "scenarios/run/run.h"
#include "sim/campaign/campaign.h"

/* What campaign_tally counts by which number. */
#define TALLY_FAULTS 0  /* + enum fault_id */
#define TALLY_KINDS 256 /* + enum trace_kind */
#define TALLY_SOCK 640  /* + socket state */
#define TALLY_PROTO 704 /* + protocol state */
#define TALLY_WC 768    /* + enum ibv_wc_status */
#define TALLY_ASYNC 832 /* + enum ibv_event_type */

#define REPORT_SEEDS_MAX                                                                   \
    1000 /* failing seeds with a case of their own; others are counted */
#define REPORT_BLOCKS_MAX 1000 /* cases for the others, of 100, 1000, ... seeds each */

/* A failure that was run once more to be kept. */
struct report_saved {
    struct report_saved *next;
    char signature[CAMPAIGN_SIGNATURE];
    uint64_t seed;
    char path[600];  /* of the record; "" when it could not be kept */
    char error[400]; /* why not; "" */
    bool repeats;    /* the same failure, and the same run as far as can be told */
    bool logged;     /* the record has the decisions */
    uint32_t decisions;
    char other[CAMPAIGN_SIGNATURE]; /* how it ended instead, if it does not repeat */
};

/* For JUnit: what became of some seeds that follow each other. */
struct report_block {
    uint64_t done, failed, skipped, real_ns;
};

/* For JUnit: a seed that failed. */
struct report_seed {
    uint64_t seed, real_ns;
    const struct campaign_failure *kind; /* borrowed from the report's failures */
};

struct report {
    const struct run_opts *run; /* borrowed: of every seed */
    struct os *os;              /* borrowed: the real clock */
    uint64_t first, last, seeds;
    uint64_t shard, shards; /* 0: not split */
    unsigned jobs;
    uint64_t began_ns, ended_ns;
    enum campaign_stop stop;

    uint64_t done, skipped, verified;
    uint64_t virtual_ns, busy_ns, points, records, messages, unsent;
    uint64_t cpu_ns; /* processor time of all workers; set before the summary */
    struct campaign_failures failures;
    struct campaign_hashes hashes;
    struct campaign_tally *tally;  /* owned */
    struct report_saved *saved;    /* owned */
    bool coverage;                 /* print what was reached */
    const char *const *must_reach; /* borrowed: names */
    int n_must_reach;

    /* junit.c; all NULL and 0 without report_keep_cases. */
    struct report_block *blocks; /* owned */
    uint64_t n_blocks, block_size;
    struct report_seed *seeds_failed; /* owned; the first REPORT_SEEDS_MAX */
    uint64_t n_seeds_failed;

    bool on_terminal;
    uint64_t shown_ns; /* when progress was printed last */
};

void report_init(struct report *r);
void report_fini(struct report *r);
void report_take(struct report *r, const struct campaign_result *result);
/* Exit code of a failure, and its class: the first word of its signature. */
int report_code(const struct campaign_result *result);
/* The worst class there was; EXIT_OK. */
int report_exit_code(const struct report *r);
struct report_saved *report_find_saved(const struct report *r, const char *signature);

/* Now and then: prints where it is, if it is time to. */
void report_progress(struct report *r);
void report_end_progress(struct report *r);
void report_summary(const struct report *r, FILE *out);
/* 0, or a negative errno: the file appears whole or not at all. */
int report_json(const struct report *r, const char *path);

/* junit.c: cases are kept from here on, for report_junit; before the first result.
 * 0 or -ENOMEM. */
int report_keep_cases(struct report *r);
/* A result; `kind`: of a failure, else NULL. */
void report_take_case(struct report *r, const struct campaign_result *result,
                      const struct campaign_failure *kind);
void report_free_cases(struct report *r);
/* As report_json. */
int report_junit(const struct report *r, const char *path);

/* reach.c: what can be reached: "S3_QUEUE", "sock:CLOSED", "proto:READY",
 * "wc:RETRY_EXC_ERR", "async:QP_FATAL". Counts a record. */
void reach_record(struct campaign_tally *tally, const struct trace_record *record);
/* How often; -1: there is no such name. */
int64_t reach_count(const struct campaign_tally *tally, const char *name);
/* A table; returns how many names of the run's must_reach were not. */
void reach_print(const struct campaign_tally *tally, FILE *out);
/* A member of an object of JSON, those that were. */
void reach_json(const struct campaign_tally *tally, FILE *out);
/* The name that was meant; NULL: none. */
const char *reach_suggest(const char *name);

#endif
