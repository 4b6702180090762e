/* SPDX-License-Identifier: Apache-2.0 */
/* shrink.c: candidates, and the order they are tried in. Trying is in shrink_try.c. */
#include <errno.h>
#include <string.h>

#include "engine/util.h"
#include "sim/campaign/shrink_impl.h"

#define VERIFY_TIMES 3
#define STAND_IN_ATTEMPTS 3000
/* An attempt may take so many times what the first took, and that much more. */
#define LATE_TIMES 20
#define LATE_MIN_NS (2 * NSEC_PER_SEC)

const char *shrink_phase_name(enum shrink_phase phase)
{
    static const char *const names[] = {"check",   "empty",  "sites",     "nodes",
                                        "actors",  "halves", "stand-ins", "values",
                                        "singles", "verify"};

    return names[phase];
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
    c.key = shrink_key_of(c.items, c.n);
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

    CHECK(first < parts);
    for (unsigned i = 0; i < n; i++) {
        candidates[i] = without_part(s, part_of, arg, first + i);
        if (candidates[i].n == s->n) { /* nothing in it */
            candidates[i].known = true;
            shrink_remember(&s->answers, candidates[i].key, true);
        }
    }
    shrink_try_all(s, candidates, n);
    for (unsigned i = 0; i < n; i++) {
        if (ret < 0 && candidates[i].known && candidates[i].fails &&
            candidates[i].n < s->n) {
            shrink_adopt(s, &candidates[i]);
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

    shrink_try_all(s, &c, 1);
    gone = c.known && c.fails;
    if (gone) {
        shrink_adopt(s, &c);
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
    c.key = shrink_key_of(c.items, c.n);
    return c;
}

/* Tries them side by side and frees them. True: one of them is the best now. */
static bool try_batch(struct shrinking *s, struct candidate *candidates, unsigned n)
{
    bool any = false;

    shrink_try_all(s, candidates, n);
    for (unsigned i = 0; i < n; i++) {
        if (!any && candidates[i].known && candidates[i].fails) {
            shrink_adopt(s, &candidates[i]);
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
    CHECK(s->opts->is_alike != NULL);
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
    c.key = shrink_key_of(c.items, c.n);
    shrink_try_all(s, &c, 1);
    fails = c.known && c.fails;
    if (fails) {
        shrink_adopt(s, &c);
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
    struct candidate c = {.items = s->best, .n = s->n, .key = shrink_key_of(s->best, s->n)};
    struct map kept = s->answers;

    s->answers = (struct map){0}; /* really, not from memory */
    shrink_try_all(s, &c, 1);
    map_fini(&s->answers);
    s->answers = kept;
    if (c.known && c.fails) {
        shrink_adopt(s, &c);
    }
    return c.known && c.fails;
}

static void try_empty(struct shrinking *s)
{
    struct candidate c = {.n = 0, .key = shrink_key_of(NULL, 0)};

    s->progress.phase = SHRINK_EMPTY;
    shrink_try_all(s, &c, 1);
    if (c.known && c.fails) {
        shrink_adopt(s, &c);
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
    map_fini(&s.answers);
    process_unshare(s.used, s.used_bytes);
    return rc;
}
