/* SPDX-License-Identifier: Apache-2.0 */
/* campaign.c: the workers, and the parent's loop around them. */
#include "sim/campaign/campaign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "sim/campaign/process.h"

#define TICK_NS (100 * NSEC_PER_MSEC)
#define GROW_MAX (256ULL << 20)
#define LOOK_AT_MEMORY_EVERY 64 /* seeds */
#define CODE_RENEW 90           /* a worker wants to be replaced */
/* So many replacements in a row that did nothing: the machine, not a seed, is to blame. */
#define IDLE_DEATHS_MAX 20

struct campaign_tally {
    _Atomic uint64_t counts[CAMPAIGN_TALLIES];
};

/* What the parent must know of a worker that can no longer tell. */
struct slot {
    _Atomic uint64_t seed;  /* index of the seed it is at */
    _Atomic uint64_t since; /* when it began; 0: it is between seeds */
};

struct shared {
    _Atomic uint64_t next; /* index of the next seed */
    struct slot slots[CAMPAIGN_JOBS_MAX];
};

struct worker {
    struct process process;
    struct slot *slot; /* borrowed: in shared memory */
    struct campaign *campaign;
    bool is_alive, was_killed;
    bool heard;         /* a result since it began */
    uint64_t last_seed; /* of that result */
};

struct campaign {
    const struct campaign_opts *opts;
    struct shared *shared;
    struct worker *workers;
    uint64_t seeds; /* there are */
    uint64_t done, failures;
    unsigned idle_deaths;
    int error;
};

/* ---- seeds ------------------------------------------------------------------------ */

uint64_t campaign_seeds(const struct campaign_opts *opts)
{
    uint64_t all = opts->last - opts->first; /* less one, so that it fits */
    uint64_t shards = MAX(opts->shards, (uint64_t)1);

    if (opts->last < opts->first || opts->shard > all) {
        return 0;
    }
    all = (all - opts->shard) / shards;
    return all == UINT64_MAX ? all : all + 1;
}

static uint64_t seed_at(const struct campaign *c, uint64_t index)
{
    return c->opts->first + c->opts->shard + index * MAX(c->opts->shards, (uint64_t)1);
}

/* ---- a worker --------------------------------------------------------------------- */

static bool has_grown(const struct campaign *c, uint64_t at_first)
{
    uint64_t most = c->opts->grow_max != 0 ? c->opts->grow_max : GROW_MAX;

    return process_memory() > at_first + most;
}

static int work(void *arg, struct process *self)
{
    struct worker *w = arg;
    struct campaign *c = w->campaign;
    struct os *os = c->opts->os;
    uint64_t memory = process_memory();

    for (uint64_t n = 1;; n++) {
        struct campaign_result result = {.end = CAMPAIGN_PASSED};
        uint64_t index = c->shared->next++, began = os_monotonic_ns(os);

        if (index >= c->seeds) {
            return 0;
        }
        CHECK(w->slot->since == 0);
        w->slot->seed = index;
        w->slot->since = began;
        process_forget_errors(self);
        c->opts->run(c->opts->arg, seed_at(c, index), &result);
        result.seed = seed_at(c, index);
        result.real_ns = os_monotonic_ns(os) - began;
        process_send(self, &result, sizeof(result));
        w->slot->since = 0;
        if (result.poisoned || (n % LOOK_AT_MEMORY_EVERY == 0 && has_grown(c, memory))) {
            return CODE_RENEW;
        }
    }
}

static int start_worker(struct campaign *c, struct worker *w)
{
    int rc;

    CHECK(!w->is_alive);
    w->campaign = c;
    w->heard = w->was_killed = false;
    w->slot->since = 0;
    rc = process_start(c->opts->os, work, w, &w->process);
    w->is_alive = rc == 0;
    return rc;
}

/* ---- the parent ------------------------------------------------------------------- */

static void take(struct campaign *c, const struct campaign_result *result)
{
    c->done++;
    c->failures += result->end != CAMPAIGN_PASSED;
    c->opts->on_result(c->opts->arg, result);
}

static void receive(struct campaign *c, struct worker *w)
{
    struct campaign_result result;

    CHECK(w->is_alive);
    while (process_receive(&w->process, &result, sizeof(result)) > 0) {
        w->heard = true;
        w->last_seed = result.seed;
        c->idle_deaths = 0;
        take(c, &result);
    }
}

/* The seed it was at, unless its result had been sent. */
static void blame_seed(struct campaign *c, struct worker *w, const struct process_end *end)
{
    struct campaign_result result = {.end = CAMPAIGN_CRASHED};

    CHECK(!w->is_alive);
    result.seed = seed_at(c, w->slot->seed);
    result.real_ns = os_monotonic_ns(c->opts->os) - w->slot->since;
    if (w->heard && w->last_seed == result.seed) {
        return;
    }
    if (w->was_killed) {
        result.end = CAMPAIGN_HUNG;
        snprintf(result.signature, sizeof(result.signature), "timeout real");
    } else {
        process_sign_end(end, result.signature, sizeof(result.signature));
    }
    c->idle_deaths = 0;
    take(c, &result);
}

/* The worker's pipe has ended. */
static void bury(struct campaign *c, struct worker *w, bool renew)
{
    struct process_end end;
    bool at_work = w->slot->since != 0;

    CHECK(w->is_alive);
    process_reap(&w->process, &end);
    w->is_alive = false;
    if (at_work && renew) {
        blame_seed(c, w, &end);
    }
    if (end.code == 0 || !renew) {
        return;
    }
    if (!at_work && end.code != CODE_RENEW && ++c->idle_deaths > IDLE_DEATHS_MAX) {
        c->error = -ECHILD;
        return;
    }
    c->error = c->shared->next < c->seeds ? start_worker(c, w) : c->error;
}

static void kill_late(struct campaign *c)
{
    uint64_t now = os_monotonic_ns(c->opts->os);

    for (unsigned i = 0; i < c->opts->jobs; i++) {
        struct worker *w = &c->workers[i];
        uint64_t since = w->slot->since;

        if (w->is_alive && since != 0 && now > since &&
            now - since > c->opts->seed_max_ns && !w->was_killed) {
            w->was_killed = true;
            process_kill(&w->process);
        }
    }
}

/* Waits a tick at most; false: no worker is left. */
static bool wait_for_workers(struct campaign *c, int64_t timeout_ns)
{
    struct pollfd fds[CAMPAIGN_JOBS_MAX];
    struct worker *of[CAMPAIGN_JOBS_MAX];
    int n = 0;

    for (unsigned i = 0; i < c->opts->jobs; i++) {
        if (c->workers[i].is_alive) {
            of[n] = &c->workers[i];
            fds[n++] = (struct pollfd){.fd = c->workers[i].process.fd, .events = POLLIN};
        }
    }
    if (n == 0) {
        return false;
    }
    os_poll(c->opts->os, fds, n, timeout_ns);
    for (int i = 0; i < n; i++) {
        if (fds[i].revents != 0) {
            receive(c, of[i]);
        }
        if (of[i]->process.ended) {
            bury(c, of[i], true);
        }
    }
    return true;
}

static int loop(struct campaign *c)
{
    const struct campaign_opts *o = c->opts;
    uint64_t began = os_monotonic_ns(o->os), tick = began;

    while (wait_for_workers(c, (int64_t)TICK_NS)) {
        uint64_t now = os_monotonic_ns(o->os);

        if (o->max_failures != 0 && c->failures >= o->max_failures) {
            return CAMPAIGN_TOO_MANY;
        }
        if (o->time_max_ns != 0 && now - began >= o->time_max_ns) {
            return CAMPAIGN_TIME;
        }
        if (now - tick >= TICK_NS) {
            tick = now;
            kill_late(c);
            if (o->on_tick != NULL && o->on_tick(o->arg)) {
                return CAMPAIGN_STOPPED;
            }
        }
    }
    return c->error != 0 ? c->error : CAMPAIGN_ALL_DONE;
}

int campaign_run(const struct campaign_opts *opts)
{
    struct campaign c = {.opts = opts, .seeds = campaign_seeds(opts)};
    int rc = -ENOMEM;

    CHECK(opts->jobs >= 1 && opts->jobs <= CAMPAIGN_JOBS_MAX);
    CHECK(opts->seed_max_ns != 0);
    c.shared = process_share(sizeof(*c.shared));
    c.workers = calloc(opts->jobs, sizeof(*c.workers));
    if (c.shared != NULL && c.workers != NULL) {
        rc = 0;
        for (unsigned i = 0; i < opts->jobs && rc == 0; i++) {
            c.workers[i].slot = &c.shared->slots[i];
            rc = i < c.seeds ? start_worker(&c, &c.workers[i]) : 0;
        }
        rc = rc == 0 ? loop(&c) : rc;
        for (unsigned i = 0; i < opts->jobs; i++) {
            if (c.workers[i].is_alive) {
                process_kill(&c.workers[i].process);
                receive(&c, &c.workers[i]);
                bury(&c, &c.workers[i], false);
            }
        }
    }
    free(c.workers);
    process_unshare(c.shared, sizeof(*c.shared));
    return rc;
}

/* ---- counting --------------------------------------------------------------------- */

struct campaign_tally *campaign_tally_new(void)
{
    return process_share(sizeof(struct campaign_tally));
}

void campaign_tally_free(struct campaign_tally *tally)
{
    process_unshare(tally, sizeof(*tally));
}

void campaign_count(struct campaign_tally *tally, unsigned which, uint64_t n)
{
    CHECK(which < CAMPAIGN_TALLIES);
    if (tally != NULL && n != 0) {
        tally->counts[which] += n;
    }
}

uint64_t campaign_counted(const struct campaign_tally *tally, unsigned which)
{
    CHECK(which < CAMPAIGN_TALLIES);
    return tally != NULL ? tally->counts[which] : 0;
}

/* The one to look at first: the shortest, and of those the lowest seed, so that it does not
 * depend on which worker was faster. A crash has no points; there the lowest seed wins. */
static bool is_better(const struct campaign_result *a, const struct campaign_result *b)
{
    return a->points != b->points ? a->points < b->points : a->seed < b->seed;
}

struct campaign_failure *campaign_failures_add(struct campaign_failures *f,
                                               const struct campaign_result *result,
                                               bool *ret_new)
{
    struct campaign_failure **at = &f->first;

    CHECK(result->end != CAMPAIGN_PASSED);
    f->count++;
    while (*at != NULL && strcmp((*at)->kept.signature, result->signature) != 0) {
        at = &(*at)->next;
    }
    *ret_new = *at == NULL;
    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at == NULL) {
            return NULL;
        }
        (*at)->kept = *result;
        f->kinds++;
    } else if (is_better(result, &(*at)->kept)) {
        (*at)->kept = *result;
    }
    (*at)->count++;
    return *at;
}

void campaign_failures_fini(struct campaign_failures *f)
{
    while (f->first != NULL) {
        struct campaign_failure *next = f->first->next;

        free(f->first);
        f->first = next;
    }
    *f = (struct campaign_failures){0};
}

static uint64_t (*hash_slot(uint64_t (*slots)[2], uint64_t size, const uint64_t hash[2]))[2]
{
    uint64_t at = hash[0] & (size - 1);

    while ((slots[at][0] | slots[at][1]) != 0 &&
           (slots[at][0] != hash[0] || slots[at][1] != hash[1])) {
        at = (at + 1) & (size - 1);
    }
    return &slots[at];
}

static bool hashes_grow(struct campaign_hashes *h)
{
    uint64_t size = MAX(h->size * 2, (uint64_t)1024);
    uint64_t(*slots)[2] = calloc(size, sizeof(*slots));

    if (slots == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < h->size; i++) {
        if ((h->slots[i][0] | h->slots[i][1]) != 0) {
            memcpy(hash_slot(slots, size, h->slots[i]), h->slots[i], sizeof(*slots));
        }
    }
    free(h->slots);
    h->slots = slots;
    h->size = size;
    return true;
}

bool campaign_hashes_add(struct campaign_hashes *h, const uint64_t hash[2])
{
    uint64_t(*slot)[2];

    if ((h->used + 1) * 2 > h->size && !hashes_grow(h)) {
        return true;
    }
    CHECK(h->used < h->size);
    slot = hash_slot(h->slots, h->size, hash);
    if (((*slot)[0] | (*slot)[1]) != 0) {
        return false;
    }
    memcpy(slot, hash, sizeof(*slot));
    h->used++;
    return true;
}

void campaign_hashes_fini(struct campaign_hashes *h)
{
    free(h->slots);
    *h = (struct campaign_hashes){0};
}
