/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shrink_try.c: tries candidates, several at a time, each in a child process; what was
 * tried before is known.
 */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/campaign/shrink_impl.h"
#include "sim/decide/decisions.h"

#define TICK_NS (50 * NSEC_PER_MSEC)
#define CODE_FAILS 41 /* what a child says by its exit code */
#define CODE_PASSES 42

/* ---- what was tried before ---------------------------------------------------------- */

uint64_t shrink_key_of(const struct shrink_item *items, size_t n)
{
    uint64_t key = sim_mix(0, n);

    for (size_t i = 0; i < n; i++) {
        key = sim_mix(key, sim_mix_text(0, items[i].site));
        key = sim_mix(key, sim_mix_text(0, items[i].actor));
        key = sim_mix(key, items[i].occurrence);
        key = sim_mix(key, items[i].value);
    }
    return key;
}

/* Without memory it is forgotten, and tried again. */
void shrink_remember(struct map *answers, uint64_t key, bool fails)
{
    (void)map_put(answers, key, fails);
}

/* ---- one attempt ------------------------------------------------------------------ */

struct attempt {
    struct process process;
    struct candidate *candidate;
    const struct shrink_opts *opts;
    uint64_t began_ns;
    bool is_running, was_killed;
};

static int try_in_child(void *arg, struct process *self)
{
    struct attempt *a = arg;
    struct candidate *c = a->candidate;

    return a->opts->fails(a->opts->arg, c->items, c->n, c->used) ? CODE_FAILS : CODE_PASSES;
}

static int start_attempt(struct shrinking *s, struct attempt *a, struct candidate *c)
{
    int rc;

    CHECK(c->used != NULL);
    *a = (struct attempt){
        .candidate = c, .opts = s->opts, .began_ns = os_monotonic_ns(s->opts->os)};
    memset(c->used, true, c->n);
    rc = process_start(s->opts->os, try_in_child, a, &a->process);
    a->is_running = rc == 0;
    s->progress.attempts += rc == 0;
    return rc;
}

/* The child is dead: what does that say? */
static void end_attempt(struct shrinking *s, struct attempt *a)
{
    const struct shrink_opts *o = s->opts;
    struct candidate *c = a->candidate;
    struct process_end end;

    CHECK(a->is_running);
    process_reap(&a->process, &end);
    a->is_running = false;
    if (s->stopped) { /* killed half-way: it says nothing */
        return;
    }
    c->known = true;
    s->progress.timed_out += a->was_killed;
    if (!a->was_killed && (end.code == CODE_FAILS || end.code == CODE_PASSES)) {
        c->fails = end.code == CODE_FAILS;
    } else {
        c->fails = o->died != NULL && o->died(o->arg, &end, a->was_killed);
        memset(c->used, true, c->n);
    }
}

/* Asks whether to stop; kills what takes too long. */
static void look_around(struct shrinking *s, struct attempt *attempts, unsigned n)
{
    const struct shrink_opts *o = s->opts;
    uint64_t now = os_monotonic_ns(o->os);

    s->progress.left = s->n;
    if ((o->on_progress != NULL && o->on_progress(o->arg, &s->progress)) ||
        (o->time_max_ns != 0 && now - s->began_ns >= o->time_max_ns)) {
        s->stopped = true;
    }
    for (unsigned i = 0; i < n; i++) {
        struct attempt *a = &attempts[i];

        if (a->is_running && !a->was_killed &&
            (s->stopped || now - a->began_ns > s->attempt_max_ns)) {
            a->was_killed = true;
            process_kill(&a->process);
        }
    }
}

/* Waits a tick at most for one of them to end; false: none is running. */
static bool wait_for_attempts(struct shrinking *s, struct attempt *attempts, unsigned n)
{
    struct pollfd fds[SHRINK_JOBS_MAX];
    struct attempt *of[SHRINK_JOBS_MAX];
    int n_fds = 0;

    for (unsigned i = 0; i < n; i++) {
        if (attempts[i].is_running) {
            of[n_fds] = &attempts[i];
            fds[n_fds++] = (struct pollfd){.fd = attempts[i].process.fd, .events = POLLIN};
        }
    }
    if (n_fds == 0) {
        return false;
    }
    os_poll(s->opts->os, fds, n_fds, (int64_t)TICK_NS);
    for (int i = 0; i < n_fds; i++) {
        if (fds[i].revents != 0) { /* it sends nothing, so this is its end */
            end_attempt(s, of[i]);
        }
    }
    look_around(s, attempts, n);
    return true;
}

/* Tries those that are not known, side by side; n <= jobs. */
void shrink_try_all(struct shrinking *s, struct candidate *candidates, unsigned n)
{
    struct attempt attempts[SHRINK_JOBS_MAX];
    unsigned running = 0;

    CHECK(n <= s->opts->jobs);
    for (unsigned i = 0; i < n && !s->stopped; i++) {
        struct candidate *c = &candidates[i];
        uint64_t fails = map_get(&s->answers, c->key, MAP_NONE);

        c->used = s->used + i * s->used_stride;
        if (fails != MAP_NONE) {
            c->known = true;
            c->fails = fails;
            s->progress.cached++;
            memset(c->used, true, c->n);
        } else {
            int rc = start_attempt(s, &attempts[running], c);

            running += rc == 0;
            s->error = rc < 0 ? rc : s->error;
        }
    }
    look_around(s, attempts, running);
    while (wait_for_attempts(s, attempts, running)) {
    }
    for (unsigned i = 0; i < n; i++) {
        if (candidates[i].known) {
            shrink_remember(&s->answers, candidates[i].key, candidates[i].fails);
        }
    }
    s->stopped = s->stopped || s->error != 0;
}

/* The candidate is the best now, less what its run never came to. */
void shrink_adopt(struct shrinking *s, const struct candidate *c)
{
    size_t n = 0;

    CHECK(c->fails);
    CHECK(c->n <= s->n);
    for (size_t i = 0; i < c->n; i++) {
        if (c->used[i]) {
            s->best[n++] = c->items[i];
        }
    }
    s->n = n;
    s->progress.left = n;
    shrink_remember(&s->answers, shrink_key_of(s->best, n), true);
}
