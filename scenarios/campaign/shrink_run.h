/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shrink_run.h: the few decisions of a recorded run without which its failure would not be:
 * delta debugging (sim/campaign/shrink.h) over runs of the scenario, each in a process of
 * its own.
 *
 * In this order: the caller's fields, shrink_run_begin, shrink_run, perhaps
 * shrink_run_write, shrink_run_fini. Parent process, one thread.
 */
#ifndef MSGRLAB_SCENARIOS_CAMPAIGN_SHRINK_RUN_H
#define MSGRLAB_SCENARIOS_CAMPAIGN_SHRINK_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/run/record.h"
#include "sim/campaign/campaign.h"
#include "sim/campaign/shrink.h"

struct shrink_run {
    /* The caller's. */
    struct record record; /* whose failure is looked for; the caller frees it */
    struct run_opts run;  /* of the record (record_to_opts) */
    struct os *os;        /* borrowed: the real one */
    unsigned jobs;        /* as in shrink_opts, like the next three */
    uint64_t time_max_ns;
    bool (*on_progress)(void *arg, const struct shrink_progress *progress);
    void *arg;

    /* What is left, and how many there were. */
    struct shrink_item *items; /* owned */
    size_t n, n_before;

    /* Private. */
    char *text; /* owned: the decisions, cut into words that the items point to */
    char outcome[CAMPAIGN_SIGNATURE]; /* of a record that did not know it */
};

/* Reads the decisions: those of the record, or (it has no log) of a run of its seed. 0 or a
 * negative errno; shrink_run_fini is to be called whatever it says. */
int shrink_run_begin(struct shrink_run *s);
/* As shrink(): an enum shrink_end or a negative errno; items are the best so far. */
int shrink_run(struct shrink_run *s, struct shrink_progress *ret);
/* Runs what is left once more, for its hash, and writes a record of it, with a sentence for
 * each decision. 0, or a negative errno and why. */
int shrink_run_write(struct shrink_run *s, const char *path, char *why, size_t size);
void shrink_run_fini(struct shrink_run *s);

#endif
