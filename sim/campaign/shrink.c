/* SPDX-License-Identifier: Apache-2.0 */
/* shrink.c: candidates, the order they are tried in, and the children that try them. */
#include "sim/campaign/shrink.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/decide/decisions.h"

#define VERIFY_TIMES 3
#define STAND_IN_ATTEMPTS 3000
#define TICK_NS (50 * NSEC_PER_MSEC)
/* An attempt may take so many times what the first took, and that much more. */
#define LATE_TIMES 20
#define LATE_MIN_NS (2 * NSEC_PER_SEC)
#define CODE_FAILS 41 /* what a child says by its exit code */
#define CODE_PASSES 42

/* A set of decisions to try: the best so far without some, or with another value. */
struct candidate {
    struct shrink_item *items; /* owned */
    size_t n;
    uint64_t key;
    bool *used; /* borrowed: in shared memory */
    bool known; /* from the cache, or tried */
    bool fails;
};

struct answers { /* open addressing */
    struct answer {
        uint64_t key; /* 0: empty */
        bool fails;
    } * slots; /* owned */
    size_t size, used;
};

struct shrinking {
    const struct shrink_opts *opts;
    struct shrink_item *best; /* borrowed: the caller's */
    size_t n;
    struct answers answers;
    struct shrink_progress progress;
    uint64_t began_ns, attempt_max_ns;
    uint64_t stand_ins_end; /* attempts after which no more are tried */
    bool *used;             /* shared memory: `jobs` times as many as there were at first */
    size_t used_bytes, used_stride;
    bool stopped;
    int error;
};

const char *shrink_phase_name(enum shrink_phase phase)
{
    static const char *const names[] = {"check",   "empty",  "sites",     "nodes",
                                        "actors",  "halves", "stand-ins", "values",
                                        "singles", "verify"};

    return names[phase];
}

/* ---- what was tried before ---------------------------------------------------------- */

static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0;

    for (; *name != '\0'; name++) {
        hash = sim_mix(hash, (uint8_t)*name);
    }
    return hash;
}

static uint64_t key_of(const struct shrink_item *items, size_t n)
{
    uint64_t key = sim_mix(0, n);

    for (size_t i = 0; i < n; i++) {
        key = sim_mix(key, hash_name(items[i].site));
        key = sim_mix(key, hash_name(items[i].actor));
        key = sim_mix(key, items[i].occurrence);
        key = sim_mix(key, items[i].value);
    }
    return key | 1;
}

static struct answer *answer_at(struct answer *slots, size_t size, uint64_t key)
{
    size_t at = (key >> 1) & (size - 1);

    while (slots[at].key != 0 && slots[at].key != key) {
        at = (at + 1) & (size - 1);
    }
    return &slots[at];
}

/* Without memory it is forgotten, and tried again. */
static void remember(struct answers *a, uint64_t key, bool fails)
{
    if ((a->used + 1) * 2 > a->size) {
        size_t size = MAX(a->size * 2, (size_t)256);
        struct answer *slots = calloc(size, sizeof(*slots));

        if (slots == NULL) {
            return;
        }
        for (size_t i = 0; i < a->size; i++) {
            if (a->slots[i].key != 0) {
                *answer_at(slots, size, a->slots[i].key) = a->slots[i];
            }
        }
        free(a->slots);
        a->slots = slots;
        a->size = size;
    }
    a->used += answer_at(a->slots, a->size, key)->key == 0;
    *answer_at(a->slots, a->size, key) = (struct answer){key, fails};
}

static bool recall(const struct answers *a, uint64_t key, bool *ret_fails)
{
    const struct answer *it;

    if (a->size == 0) {
        return false;
    }
    it = answer_at(a->slots, a->size, key);
    *ret_fails = it->fails;
    return it->key != 0;
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
static void try_all(struct shrinking *s, struct candidate *candidates, unsigned n)
{
    struct attempt attempts[SHRINK_JOBS_MAX];
    unsigned running = 0;

    for (unsigned i = 0; i < n && !s->stopped; i++) {
        struct candidate *c = &candidates[i];

        c->used = s->used + i * s->used_stride;
        if (recall(&s->answers, c->key, &c->fails)) {
            c->known = true;
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
            remember(&s->answers, candidates[i].key, candidates[i].fails);
        }
    }
    s->stopped = s->stopped || s->error != 0;
}

/* The candidate is the best now, less what its run never came to. */
static void adopt(struct shrinking *s, const struct candidate *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (c->used[i]) {
            s->best[n++] = c->items[i];
        }
    }
    s->n = n;
    s->progress.left = n;
    remember(&s->answers, key_of(s->best, n), true);
}

/* ---- candidates ------------------------------------------------------------------- */

/* The best without those that `out` marks. */
static struct candidate without(const struct shrinking *s, const bool *out)
{
    struct candidate c = {.items = calloc(MAX(s->n, (size_t)1), sizeof(*c.items))};

    CHECK(c.items != NULL);
    for (size_t i = 0; i < s->n; i++) {
        if (!out[i]) {
            c.items[c.n++] = s->best[i];
        }
    }
    c.key = key_of(c.items, c.n);
    return c;
}

/* What is to be taken out: all items for which `part_of` gives this part. */
typedef size_t (*part_fn)(const struct shrinking *s, size_t item, size_t arg);

static struct candidate without_part(const struct shrinking *s, part_fn part_of, size_t arg,
                                     size_t part)
{
    bool *out = calloc(MAX(s->n, (size_t)1), sizeof(*out));
    struct candidate c;

    CHECK(out != NULL);
    for (size_t i = 0; i < s->n; i++) {
        out[i] = part_of(s, i, arg) == part;
    }
    c = without(s, out);
    free(out);
    return c;
}

/* Tries to take out parts first, first + 1, ... as many as there are jobs. Returns the one
 * that could go (it is gone then), or -1; the lowest wins, not the fastest. */
static long take_out_one(struct shrinking *s, part_fn part_of, size_t arg, size_t first,
                         size_t parts)
{
    struct candidate candidates[SHRINK_JOBS_MAX];
    unsigned n = (unsigned)MIN((size_t)s->opts->jobs, parts - first);
    long ret = -1;

    for (unsigned i = 0; i < n; i++) {
        candidates[i] = without_part(s, part_of, arg, first + i);
        if (candidates[i].n == s->n) { /* nothing in it */
            candidates[i].known = true;
            remember(&s->answers, candidates[i].key, true);
        }
    }
    try_all(s, candidates, n);
    for (unsigned i = 0; i < n; i++) {
        if (ret < 0 && candidates[i].known && candidates[i].fails &&
            candidates[i].n < s->n) {
            adopt(s, &candidates[i]);
            ret = (long)(first + i);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        free(candidates[i].items);
    }
    return ret;
}

/* ---- groups ----------------------------------------------------------------------- */

enum group_kind { BY_SITE, BY_NODE, BY_ACTOR };

/* "a/msgr-worker-0" and "a>b" belong to a. */
static bool is_same_group(const struct shrink_item *a, const struct shrink_item *b,
                          enum group_kind kind)
{
    size_t len = strcspn(a->actor, "/>:");

    switch (kind) {
    case BY_SITE:
        return strcmp(a->site, b->site) == 0;
    case BY_NODE:
        return strcspn(b->actor, "/>:") == len && strncmp(a->actor, b->actor, len) == 0;
    default:
        return strcmp(a->actor, b->actor) == 0;
    }
}

/* A group is known by its first item. */
static size_t group_of(const struct shrinking *s, size_t item, size_t kind)
{
    size_t i = 0;

    while (!is_same_group(&s->best[i], &s->best[item], (enum group_kind)kind)) {
        i++;
    }
    return i;
}

/* Tries to take out the group whose first item that is. */
static bool drop_group(struct shrinking *s, enum group_kind kind, size_t first)
{
    struct candidate c = without_part(s, group_of, kind, first);
    bool gone;

    try_all(s, &c, 1);
    gone = c.known && c.fails;
    if (gone) {
        adopt(s, &c);
    }
    free(c.items);
    return gone;
}

/* The largest group of at most `most` items, and of those the first from `from` on. Its
 * size in *ret_size; 0: there is none. */
static size_t largest_group(const struct shrinking *s, enum group_kind kind, size_t most,
                            size_t from, size_t *ret_size)
{
    size_t *sizes = calloc(MAX(s->n, (size_t)1), sizeof(*sizes)), best = 0;

    CHECK(sizes != NULL);
    for (size_t i = 0; i < s->n; i++) {
        sizes[group_of(s, i, kind)]++;
    }
    *ret_size = 0;
    for (size_t i = 0; i < s->n; i++) {
        bool is_later = sizes[i] < most || i >= from;

        if (sizes[i] <= most && is_later && sizes[i] > *ret_size) {
            *ret_size = sizes[i];
            best = i;
        }
    }
    free(sizes);
    return best;
}

/* From the largest to the smallest: many weak decisions tell less than a few strong ones,
 * so they are to go first. */
static void drop_groups(struct shrinking *s, enum group_kind kind, enum shrink_phase phase)
{
    size_t most = SIZE_MAX, from = 0, size;

    s->progress.phase = phase;
    while (!s->stopped) {
        size_t first = largest_group(s, kind, most, from, &size);

        if (size == 0) {
            return;
        }
        most = size;
        from = drop_group(s, kind, first) ? first : first + 1;
    }
}

/* ---- halves and singles ------------------------------------------------------------ */

static size_t chunk_of(const struct shrinking *s, size_t item, size_t chunk)
{
    return item / chunk;
}

/* Takes out chunks of this size wherever that can be done. True: some went. */
static bool drop_chunks(struct shrinking *s, size_t chunk)
{
    bool any = false;

    for (size_t at = 0; !s->stopped && at * chunk < s->n;) {
        size_t parts = (s->n + chunk - 1) / chunk;
        long gone = take_out_one(s, chunk_of, chunk, at, parts);

        if (gone < 0) {
            at += s->opts->jobs;
        } else {
            any = true;
            at = (size_t)gone; /* the next one has moved there */
        }
    }
    return any;
}

static void drop_halves(struct shrinking *s)
{
    s->progress.phase = SHRINK_HALVES;
    for (size_t chunk = (s->n + 1) / 2; chunk > 1 && !s->stopped;) {
        drop_chunks(s, chunk);
        chunk = MIN(chunk / 2, (s->n + 1) / 2);
    }
}

static void drop_singles(struct shrinking *s)
{
    s->progress.phase = SHRINK_SINGLES;
    while (!s->stopped && drop_chunks(s, 1)) {
    }
}

/* ---- stand-ins -------------------------------------------------------------------- */

/* The best with one stand-in for `item` and its likes, of its actor or (`all`) of any. */
static struct candidate with_stand_in(const struct shrinking *s, size_t item,
                                      const struct shrink_item *stand_in, bool all)
{
    const struct shrink_item *gone = &s->best[item];
    struct candidate c = {.items = calloc(s->n, sizeof(*c.items))};

    CHECK(c.items != NULL);
    for (size_t i = 0; i < s->n; i++) {
        const struct shrink_item *it = &s->best[i];

        if (i == item) {
            c.items[c.n++] = *stand_in;
        } else if (!s->opts->is_alike(s->opts->arg, gone, it) ||
                   (!all && strcmp(gone->actor, it->actor) != 0)) {
            c.items[c.n++] = *it;
        }
    }
    c.key = key_of(c.items, c.n);
    return c;
}

/* Tries them side by side and frees them. True: one of them is the best now. */
static bool try_batch(struct shrinking *s, struct candidate *candidates, unsigned n)
{
    bool any = false;

    try_all(s, candidates, n);
    for (unsigned i = 0; i < n; i++) {
        if (!any && candidates[i].known && candidates[i].fails) {
            adopt(s, &candidates[i]);
            any = true;
        }
        free(candidates[i].items);
    }
    return any;
}

/* All ways for one item. True: there are fewer now. */
static bool stand_in_for(struct shrinking *s, size_t item, bool all)
{
    struct candidate candidates[SHRINK_JOBS_MAX];
    struct shrink_item stand_in;
    unsigned n = 0, waiting = 0;

    while (!s->stopped && s->opts->stand_in(s->opts->arg, &s->best[item], n, &stand_in)) {
        struct candidate c = with_stand_in(s, item, &stand_in, all);

        n++;
        if (c.n >= s->n) {
            free(c.items);
            continue;
        }
        candidates[waiting++] = c;
        if (waiting == s->opts->jobs) {
            waiting = 0;
            if (try_batch(s, candidates, s->opts->jobs)) {
                return true;
            }
        }
    }
    return try_batch(s, candidates, waiting);
}

static bool stand_in_once(struct shrinking *s)
{
    for (int all = 1; all >= 0; all--) {
        for (size_t i = 0; i < s->n && !s->stopped; i++) {
            if (s->progress.attempts > s->stand_ins_end) {
                return false;
            }
            if (stand_in_for(s, i, all == 1)) {
                return true;
            }
        }
    }
    return false;
}

static void use_stand_ins(struct shrinking *s)
{
    if (s->opts->stand_in == NULL) {
        return;
    }
    s->progress.phase = SHRINK_STAND_INS;
    s->stand_ins_end = s->progress.attempts + STAND_IN_ATTEMPTS;
    while (!s->stopped && stand_in_once(s)) {
        drop_singles(s);
        s->progress.phase = SHRINK_STAND_INS;
    }
}

/* ---- values ----------------------------------------------------------------------- */

static bool try_value(struct shrinking *s, size_t item, uint64_t value)
{
    bool *none = calloc(s->n, sizeof(*none));
    struct candidate c;
    bool fails;

    CHECK(none != NULL);
    c = without(s, none);
    free(none);
    c.items[item].value = value;
    c.key = key_of(c.items, c.n);
    try_all(s, &c, 1);
    fails = c.known && c.fails;
    if (fails) {
        adopt(s, &c);
    }
    free(c.items);
    return fails;
}

/* Smaller is simpler: a shorter delay, the first of a list of errors. True: some got. */
static bool lower_values(struct shrinking *s)
{
    bool any = false;

    s->progress.phase = SHRINK_VALUES;
    for (size_t i = 0; i < s->n && !s->stopped; i++) {
        uint64_t low = 0; /* the highest value known not to fail; 0 is "not there" */
        size_t n = s->n;

        while (i < s->n && s->n == n && s->best[i].value > low + 1 && !s->stopped) {
            uint64_t value =
                low == 0 ? 1 : low + (s->best[i].value - low) / 2; /* 1 first */

            if (try_value(s, i, value)) {
                any = true;
            } else {
                low = value;
            }
        }
    }
    return any;
}

/* ---- the whole -------------------------------------------------------------------- */

static bool try_best(struct shrinking *s)
{
    struct candidate c = {.items = s->best, .n = s->n, .key = key_of(s->best, s->n)};
    struct answers kept = s->answers;

    s->answers = (struct answers){0}; /* really, not from memory */
    try_all(s, &c, 1);
    free(s->answers.slots);
    s->answers = kept;
    if (c.known && c.fails) {
        adopt(s, &c);
    }
    return c.known && c.fails;
}

static void try_empty(struct shrinking *s)
{
    struct candidate c = {.n = 0, .key = key_of(NULL, 0)};

    s->progress.phase = SHRINK_EMPTY;
    try_all(s, &c, 1);
    if (c.known && c.fails) {
        adopt(s, &c);
    }
}

/* Lower values may make another decision superfluous, and the other way round. */
static void minimize(struct shrinking *s)
{
    try_empty(s);
    drop_groups(s, BY_SITE, SHRINK_SITES);
    drop_groups(s, BY_NODE, SHRINK_NODES);
    drop_groups(s, BY_ACTOR, SHRINK_ACTORS);
    drop_halves(s);
    drop_singles(s);
    use_stand_ins(s);
    while (!s->stopped && lower_values(s)) {
        drop_singles(s);
    }
}

static int run(struct shrinking *s)
{
    s->progress.phase = SHRINK_CHECK;
    if (!try_best(s)) {
        return s->error != 0 ? s->error : s->stopped ? SHRINK_STOPPED : SHRINK_NO_FAIL;
    }
    if (!s->opts->late_is_failure) {
        s->attempt_max_ns =
            MIN(s->attempt_max_ns,
                LATE_MIN_NS + LATE_TIMES * (os_monotonic_ns(s->opts->os) - s->began_ns));
    }
    minimize(s);
    if (s->stopped) {
        return s->error != 0 ? s->error : SHRINK_STOPPED;
    }
    s->progress.phase = SHRINK_VERIFY;
    for (int i = 0; i < VERIFY_TIMES; i++) {
        if (!try_best(s)) {
            return s->stopped ? SHRINK_STOPPED : SHRINK_UNSTEADY;
        }
    }
    return SHRINK_MINIMAL;
}

int shrink(const struct shrink_opts *opts, struct shrink_item *items, size_t *n,
           struct shrink_progress *ret_progress)
{
    struct shrinking s = {.opts = opts, .best = items, .n = *n};
    int rc = -ENOMEM;

    CHECK(opts->jobs >= 1 && opts->jobs <= SHRINK_JOBS_MAX);
    CHECK(opts->attempt_max_ns != 0);
    s.began_ns = os_monotonic_ns(opts->os);
    s.attempt_max_ns = opts->attempt_max_ns;
    s.used_stride = MAX(*n, (size_t)1);
    s.used_bytes = s.used_stride * opts->jobs * sizeof(*s.used);
    s.used = process_share(s.used_bytes);
    if (s.used != NULL) {
        rc = run(&s);
    }
    *n = s.n;
    s.progress.left = s.n;
    *ret_progress = s.progress;
    free(s.answers.slots);
    process_unshare(s.used, s.used_bytes);
    return rc;
}
