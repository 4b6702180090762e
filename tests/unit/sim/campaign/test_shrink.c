/* SPDX-License-Identifier: Apache-2.0 */
/* test_shrink.c: delta debugging, on failures whose minimum is known. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "sim/campaign/shrink.h"
#include "tests/lib/testlib.h"

#define ITEMS 300

/* A world that fails when all of some decisions are there, with values that are high
 * enough. */
struct planted {
    struct shrink_item needs[8];
    size_t n_needs;
    uint32_t unused_from; /* the run never comes to occurrences from here on; 0: all */
    int die;              /* fails by this signal instead; 0: by a result */
    bool hang;            /* hangs when it does not fail */
    uint64_t progress, stop_at;
};

static bool is_there(const struct shrink_item *items, size_t n,
                     const struct shrink_item *need)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(items[i].site, need->site) == 0 &&
            strcmp(items[i].actor, need->actor) == 0 &&
            items[i].occurrence == need->occurrence && items[i].value >= need->value) {
            return true;
        }
    }
    return false;
}

static bool fails(void *arg, const struct shrink_item *items, size_t n, bool *used)
{
    const struct planted *p = arg;
    bool all = true;

    for (size_t i = 0; i < n; i++) {
        used[i] = p->unused_from == 0 || items[i].occurrence < p->unused_from;
    }
    for (size_t i = 0; i < p->n_needs; i++) {
        all = all && is_there(items, n, &p->needs[i]);
    }
    while (!all && p->hang) {
        pause();
    }
    if (all && p->die != 0) {
        kill(getpid(), p->die);
    }
    return all;
}

static bool died(void *arg, const struct process_end *end, bool late)
{
    const struct planted *p = arg;

    return !late && end->signal == p->die && p->die != 0;
}

static bool on_progress(void *arg, const struct shrink_progress *progress)
{
    struct planted *p = arg;

    (void)progress;
    return p->stop_at != 0 && ++p->progress >= p->stop_at;
}

static void fill(struct shrink_item *items)
{
    static const char *const sites[] = {"preempt", "run", "jitter"};
    static const char *const actors[] = {"a/one", "a/two", "b/one", "b>a.1"};

    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = (struct shrink_item){.site = sites[i % 3],
                                        .actor = actors[i / 3 % 4],
                                        .occurrence = i / 12,
                                        .value = 50 + i % 7};
    }
}

static struct shrink_opts opts_of(struct planted *p, unsigned jobs)
{
    return (struct shrink_opts){.jobs = jobs,
                                .attempt_max_ns = 20 * NSEC_PER_SEC,
                                .fails = fails,
                                .died = died,
                                .on_progress = on_progress,
                                .arg = p};
}

static int run(struct shrink_opts opts, struct shrink_item *items, size_t *n,
               struct shrink_progress *progress)
{
    int rc;

    opts.os = os_linux_new(1, "test");
    ck_assert_ptr_nonnull(opts.os);
    rc = shrink(&opts, items, n, progress);
    os_linux_free(opts.os);
    return rc;
}

static const struct shrink_item three[] = {
    {"preempt", "a/one", 5, 3}, {"jitter", "b>a.1", 20, 1}, {"run", "a/two", 0, 17}};

/* What is needed is left, with the lowest values that do; the same with any number of
 * processes. */
START_TEST(finds_the_minimum)
{
    struct planted p = {.n_needs = 3};
    struct shrink_progress progress;
    struct shrink_item items[ITEMS];
    size_t n = ITEMS;
    int fds = testlib_open_fds();

    memcpy(p.needs, three, sizeof(three));
    fill(items);
    ck_assert_int_eq(run(opts_of(&p, (unsigned)_i), items, &n, &progress), SHRINK_MINIMAL);
    ck_assert_uint_eq(n, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(is_there(items, n, &three[i]));
    }
    ck_assert_str_eq(items[0].site, "run");
    ck_assert_uint_eq(items[0].value, 17);
    ck_assert_uint_eq(items[1].value + items[2].value, 3 + 1);
    ck_assert_uint_lt(progress.attempts, 200);
    ck_assert_int_eq(testlib_open_fds(), fds);
}
END_TEST

/* A failure that needs nothing is shrunk to nothing, at once. */
START_TEST(needs_nothing)
{
    struct planted p = {.n_needs = 0};
    struct shrink_progress progress;
    struct shrink_item items[ITEMS];
    size_t n = ITEMS;

    fill(items);
    ck_assert_int_eq(run(opts_of(&p, 2), items, &n, &progress), SHRINK_MINIMAL);
    ck_assert_uint_eq(n, 0);
    ck_assert_uint_lt(progress.attempts, 8);
}
END_TEST

/* Decisions that do not fail to begin with are said to, and left alone. */
START_TEST(no_failure_is_said)
{
    struct planted p = {.n_needs = 1, .needs = {{"preempt", "nobody", 0, 1}}};
    struct shrink_progress progress;
    struct shrink_item items[ITEMS];
    size_t n = ITEMS;

    fill(items);
    ck_assert_int_eq(run(opts_of(&p, 2), items, &n, &progress), SHRINK_NO_FAIL);
    ck_assert_uint_eq(n, ITEMS);
}
END_TEST

/* The failure may be a crash; another end is another failure. */
START_TEST(crash_is_shrunk)
{
    struct planted p = {.n_needs = 1, .needs = {{"run", "b/one", 7, 1}}, .die = SIGKILL};
    struct shrink_progress progress;
    struct shrink_item items[ITEMS];
    size_t n = ITEMS;

    fill(items);
    ck_assert_int_eq(run(opts_of(&p, 2), items, &n, &progress), SHRINK_MINIMAL);
    ck_assert_uint_eq(n, 1);
    ck_assert(is_there(items, n, &p.needs[0]));
    ck_assert_uint_eq(items[0].value, 1);
}
END_TEST

/* An attempt that hangs is no failure, and costs its time only. */
START_TEST(hanging_attempt_is_ended)
{
    struct planted p = {.n_needs = 2,
                        .needs = {{"run", "b/one", 7, 50}, {"jitter", "a/one", 9, 50}},
                        .hang = true};
    struct shrink_opts opts = opts_of(&p, 4);
    struct shrink_progress progress;
    struct shrink_item items[2];
    size_t n = 2;

    memcpy(items, p.needs, sizeof(items));
    opts.attempt_max_ns = 200 * NSEC_PER_MSEC;
    ck_assert_int_eq(run(opts, items, &n, &progress), SHRINK_MINIMAL);
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_gt(progress.timed_out, 0);
}
END_TEST

/* What the run never comes to goes without an attempt of its own. */
START_TEST(unused_go_at_once)
{
    struct planted p = {
        .n_needs = 1, .needs = {{"preempt", "a/one", 0, 50}}, .unused_from = 1};
    struct shrink_progress progress;
    struct shrink_item items[ITEMS];
    size_t n = ITEMS;

    fill(items);
    ck_assert_int_eq(run(opts_of(&p, 1), items, &n, &progress), SHRINK_MINIMAL);
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_lt(progress.attempts, 30);
}
END_TEST

/* A stop keeps the best so far: smaller, and it still fails. */
START_TEST(stop_keeps_the_best)
{
    struct planted p = {.n_needs = 3};
    struct shrink_progress progress;
    struct shrink_item items[ITEMS];
    size_t n = ITEMS;

    memcpy(p.needs, three, sizeof(three));
    p.stop_at = 40;
    fill(items);
    ck_assert_int_eq(run(opts_of(&p, 1), items, &n, &progress), SHRINK_STOPPED);
    ck_assert_uint_gt(n, 3);
    ck_assert_uint_lt(n, ITEMS);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(is_there(items, n, &three[i]));
    }
}
END_TEST

/* ---- stand-ins ---- */

static bool strong_or_many(void *arg, const struct shrink_item *items, size_t n, bool *used)
{
    size_t weak = 0;

    (void)arg;
    memset(used, true, n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(items[i].site, "strong") == 0 && items[i].value >= 5) {
            return true;
        }
        weak += strcmp(items[i].site, "preempt") == 0;
    }
    return weak >= 20;
}

static bool stand_in(void *arg, const struct shrink_item *item, unsigned n,
                     struct shrink_item *ret)
{
    (void)arg;
    *ret = (struct shrink_item){.site = "strong",
                                .actor = item->actor,
                                .occurrence = item->occurrence,
                                .value = n + 1};
    return n < 10;
}

static bool is_alike(void *arg, const struct shrink_item *a, const struct shrink_item *b)
{
    (void)arg;
    return strcmp(a->site, "preempt") == 0 && strcmp(b->site, "preempt") == 0;
}

/* Twenty weak decisions make room for a strong one. */
START_TEST(strong_replaces_many)
{
    struct planted p = {0};
    struct shrink_opts opts = opts_of(&p, 2);
    struct shrink_progress progress;
    struct shrink_item items[ITEMS];
    size_t n = ITEMS;

    opts.fails = strong_or_many;
    opts.stand_in = stand_in;
    opts.is_alike = is_alike;
    fill(items);
    ck_assert_int_eq(run(opts, items, &n, &progress), SHRINK_MINIMAL);
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(items[0].site, "strong");
    ck_assert_uint_eq(items[0].value, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shrink");
    TCase *tc = tcase_create("shrink");

    tcase_set_timeout(tc, 100);
    tcase_add_loop_test(tc, finds_the_minimum, 1, 4);
    tcase_add_test(tc, needs_nothing);
    tcase_add_test(tc, no_failure_is_said);
    tcase_add_test(tc, crash_is_shrunk);
    tcase_add_test(tc, hanging_attempt_is_ended);
    tcase_add_test(tc, unused_go_at_once);
    tcase_add_test(tc, stop_keeps_the_best);
    tcase_add_test(tc, strong_replaces_many);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
