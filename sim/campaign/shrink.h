/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shrink.h: delta debugging over the decisions of a failing run. What is left is
 * 1-minimal: taking any one decision away makes the failure go away, or another one.
 *
 * Decisions are keyed (decisions.h), so taking one out moves no other. The order of
 * attempts, each with what the one before has left:
 *
 *   empty       no decision at all: it fails anyway
 *   sites       all of one site        ("no short reads")
 *   nodes       all of one node        ("b takes the ordinary course")
 *   actors      all of one actor       ("one connection", "one thread")
 *   halves      of what is left, then quarters, ... down to one
 *   stand-ins   one strong decision for many weak ones: "this thread stands back for a
 *               while" for a dozen "another thread goes on"
 *   values      smaller: 1, or halfway down to it
 *   singles     again, until none can go
 *   verify      the result, three times
 *
 * Each attempt runs in a child process (process.h), `jobs` at a time; the same set is never
 * tried twice; and what a failing attempt did not use is dropped at once. Same input, same
 * result, whatever the machine and the number of jobs, as long as no time limit ends it.
 *
 * It knows nothing of scenarios: whether a set fails is the callback's. One thread.
 */
#ifndef MSGRLAB_SIM_CAMPAIGN_SHRINK_H
#define MSGRLAB_SIM_CAMPAIGN_SHRINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/os.h"
#include "sim/campaign/process.h"

#define SHRINK_JOBS_MAX 64

/* One decision. The three names are compared, not read. */
struct shrink_item {
    const char *site, *actor; /* borrowed */
    uint32_t occurrence;
    uint64_t value; /* > 0 */
};

enum shrink_phase {
    SHRINK_CHECK,
    SHRINK_EMPTY,
    SHRINK_SITES,
    SHRINK_NODES,
    SHRINK_ACTORS,
    SHRINK_HALVES,
    SHRINK_STAND_INS,
    SHRINK_VALUES,
    SHRINK_SINGLES,
    SHRINK_VERIFY,
};

struct shrink_progress {
    enum shrink_phase phase;
    size_t left;                          /* decisions */
    uint64_t attempts, cached, timed_out; /* so far */
};

struct shrink_opts {
    struct os *os;           /* borrowed: a real one */
    unsigned jobs;           /* 1 .. SHRINK_JOBS_MAX */
    uint64_t time_max_ns;    /* of the whole; 0: no limit */
    uint64_t attempt_max_ns; /* of one attempt; must be set */
    bool late_is_failure;    /* `died` may say yes to late ones: always wait that long; else
                                attempts get some times what the first one took */

    /* In a child: whether these decisions, and no others, fail in the same way. used[i] is
     * true for all; make it false for those the run never came to. A child that dies is
     * judged by `died` instead. */
    bool (*fails)(void *arg, const struct shrink_item *items, size_t n, bool *used);
    /* In the parent: an attempt ended its process, or was ended after attempt_max_ns
     * (`late`); whether that is the failure that is looked for. NULL: never. */
    bool (*died)(void *arg, const struct process_end *end, bool late);
    /* In the parent: the nth decision that may do the work of this one and of others that
     * it is the like of, in *ret (names that outlive the call). False: there are no more.
     * NULL: none. */
    bool (*stand_in)(void *arg, const struct shrink_item *item, unsigned n,
                     struct shrink_item *ret);
    bool (*is_alike)(void *arg, const struct shrink_item *a, const struct shrink_item *b);
    /* In the parent, often. `true`: stop with the best so far. May be NULL. */
    bool (*on_progress)(void *arg, const struct shrink_progress *progress);
    void *arg;
};

enum shrink_end {
    SHRINK_MINIMAL,  /* 1-minimal, and verified */
    SHRINK_STOPPED,  /* on_progress or the time limit: smaller, but not minimal */
    SHRINK_NO_FAIL,  /* the decisions do not fail in the same way to begin with */
    SHRINK_UNSTEADY, /* the result did not fail each of three times */
};

/* Works on `items` in place: *n is how many are left, in their order. An enum shrink_end,
 * or a negative errno; then, too, items are the best so far. */
int shrink(const struct shrink_opts *opts, struct shrink_item *items, size_t *n,
           struct shrink_progress *ret_progress);
const char *shrink_phase_name(enum shrink_phase phase);

#endif
