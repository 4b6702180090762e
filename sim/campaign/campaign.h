/* SPDX-License-Identifier: Apache-2.0 */
/*
 * campaign.h: runs something for many seeds, in several processes, and keeps what failed.
 *
 *     parent                     worker 1..jobs (process.h)
 *     ------                     --------------------------
 *     campaign_run   <--pipe---  seed, seed, seed, ...: one after another in one process
 *       on_result
 *
 * A worker takes the next seed from a counter in shared memory, so all stay busy. One that
 * crashes, hangs, grows or is poisoned by a run is replaced: only the seed it was at has
 * failed, and the others go on.
 *
 * It knows nothing of scenarios: what a seed means is the callback's. One thread; the
 * parent must have no other.
 */
#ifndef MSGRLAB_SIM_CAMPAIGN_CAMPAIGN_H
#define MSGRLAB_SIM_CAMPAIGN_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/os.h"

#define CAMPAIGN_JOBS_MAX 256
#define CAMPAIGN_SIGNATURE 320
#define CAMPAIGN_TALLIES 1024

enum campaign_end {
    CAMPAIGN_PASSED,
    CAMPAIGN_FAILED,  /* code and signature say how */
    CAMPAIGN_CRASHED, /* the process ended: "crash SIGSEGV" */
    CAMPAIGN_HUNG,    /* it had to be ended: "timeout real" */
};

/* How one seed ended. A record of a pipe, so no pointers. */
struct campaign_result {
    uint64_t seed;
    int32_t end;  /* enum campaign_end */
    int32_t code; /* the callback's; 0 for a process that ended by itself */
    uint8_t hashed, skipped;
    uint8_t poisoned; /* the process must run no other seed */
    uint8_t again;    /* it was run twice, for comparison */
    uint64_t hash[2];
    uint64_t virtual_ns, real_ns, points, records, messages, unsent;
    char signature[CAMPAIGN_SIGNATURE]; /* "" when passed */
};

/* What all workers count together, by numbers that the caller gives meaning to. */
struct campaign_tally;
void campaign_count(struct campaign_tally *tally, unsigned which, uint64_t n);
uint64_t campaign_counted(const struct campaign_tally *tally, unsigned which);

struct campaign_opts {
    struct os *os;          /* borrowed: a real one */
    uint64_t first, last;   /* seeds, both included */
    uint64_t shard, shards; /* only seeds with (seed - first) % shards == shard; 0: all */
    unsigned jobs;          /* processes at a time, 1 .. CAMPAIGN_JOBS_MAX */
    uint64_t time_max_ns;   /* of the whole; 0: no limit */
    uint64_t seed_max_ns;   /* of one seed, real time; must be set */
    uint64_t grow_max;      /* bytes a worker may grow before it is replaced [256 MiB] */
    uint64_t max_failures;  /* stop after so many; 0: never */
    struct campaign_tally *tally; /* of campaign_tally_new; may be NULL */

    /* In a worker: runs a seed and fills in everything but seed and real_ns; `ret` is
     * zeroed, and end is CAMPAIGN_PASSED. */
    void (*run)(void *arg, uint64_t seed, struct campaign_result *ret);
    /* In the parent, for each seed, as they come. */
    void (*on_result)(void *arg, const struct campaign_result *result);
    /* In the parent, about ten times a second: time for a progress line. `true`: stop. */
    bool (*on_tick)(void *arg);
    void *arg;
};

enum campaign_stop {
    CAMPAIGN_ALL_DONE,
    CAMPAIGN_STOPPED, /* on_tick said so */
    CAMPAIGN_TIME,
    CAMPAIGN_TOO_MANY, /* max_failures */
};

/* An enum campaign_stop, or a negative errno when no process could be started. */
int campaign_run(const struct campaign_opts *opts);
/* How many seeds these options mean; UINT64_MAX: 2^64. */
uint64_t campaign_seeds(const struct campaign_opts *opts);

struct campaign_tally *campaign_tally_new(void);        /* NULL: no memory */
void campaign_tally_free(struct campaign_tally *tally); /* NULL is fine */

/* ---- the same failure, counted once ---- */

struct campaign_failure {
    struct campaign_failure *next;
    uint64_t count;
    struct campaign_result kept; /* the seed that fails with the fewest points */
};

struct campaign_failures {
    struct campaign_failure *first; /* owned; in the order they were found */
    uint64_t count, kinds;
};

/* Counts a failure; *ret_new: nobody has seen its signature. NULL: no memory. */
struct campaign_failure *campaign_failures_add(struct campaign_failures *f,
                                               const struct campaign_result *result,
                                               bool *ret_new);
void campaign_failures_fini(struct campaign_failures *f);

/* ---- how many different runs there were ---- */

struct campaign_hashes {
    uint64_t (*slots)[2]; /* owned; open addressing; zeros: empty */
    uint64_t size, used;
};

/* True: it is new. Also without memory: then the number is too high. */
bool campaign_hashes_add(struct campaign_hashes *h, const uint64_t hash[2]);
void campaign_hashes_fini(struct campaign_hashes *h);

#endif
