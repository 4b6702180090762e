/* SPDX-License-Identifier: Apache-2.0 */
/* test_campaign.c: seeds handed out to processes, and what happens when those die. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "sim/campaign/campaign.h"
#include "sim/campaign/process.h"
#include "tests/lib/testlib.h"

#define SEEDS 200

struct seen {
    int times[SEEDS + 1];
    struct campaign_result results[SEEDS + 1];
    uint64_t ticks, stop_at; /* stop at that tick; 0: never */
    uint64_t n;
};

static void take(void *arg, const struct campaign_result *result)
{
    struct seen *seen = arg;

    ck_assert_uint_le(result->seed, SEEDS);
    seen->times[result->seed]++;
    seen->results[result->seed] = *result;
    seen->n++;
}

static bool tick(void *arg)
{
    struct seen *seen = arg;

    seen->ticks++;
    return seen->stop_at != 0 && seen->ticks >= seen->stop_at;
}

static void passes(void *arg, uint64_t seed, struct campaign_result *ret)
{
    (void)arg;
    ret->points = seed * 2;
    ret->hashed = 1;
    ret->hash[0] = seed % 10 + 1;
}

static int run(struct campaign_opts opts, struct seen *seen)
{
    int rc;

    memset(seen->times, 0, sizeof(seen->times));
    opts.os = os_linux_new(1, "test");
    ck_assert_ptr_nonnull(opts.os);
    opts.on_result = take;
    opts.on_tick = tick;
    opts.arg = seen;
    opts.seed_max_ns = opts.seed_max_ns != 0 ? opts.seed_max_ns : 20 * NSEC_PER_SEC;
    rc = campaign_run(&opts);
    os_linux_free(opts.os);
    return rc;
}

/* Whatever the number of processes, each seed runs once, and its result is what it gave. */
START_TEST(each_seed_runs_once)
{
    struct seen seen = {0};
    int fds = testlib_open_fds();
    struct campaign_opts opts = {
        .first = 1, .last = SEEDS, .jobs = (unsigned)_i, .run = passes};

    ck_assert_int_eq(run(opts, &seen), CAMPAIGN_ALL_DONE);
    ck_assert_int_eq(seen.times[0], 0);
    for (int i = 1; i <= SEEDS; i++) {
        ck_assert_int_eq(seen.times[i], 1);
        ck_assert_uint_eq(seen.results[i].points, (uint64_t)i * 2);
        ck_assert_int_eq(seen.results[i].end, CAMPAIGN_PASSED);
    }
    ck_assert_int_eq(testlib_open_fds(), fds);
}
END_TEST

/* Shards are disjoint, and together they are the whole. */
START_TEST(shards_are_a_partition)
{
    struct seen seen = {0};
    int times[SEEDS + 1] = {0};

    for (uint64_t shard = 0; shard < 3; shard++) {
        struct campaign_opts opts = {
            .first = 7, .last = 100, .shard = shard, .shards = 3, .jobs = 2, .run = passes};

        seen.n = 0;
        ck_assert_int_eq(run(opts, &seen), CAMPAIGN_ALL_DONE);
        ck_assert_uint_eq(seen.n, campaign_seeds(&opts));
        for (int i = 0; i <= SEEDS; i++) {
            times[i] += seen.times[i];
        }
    }
    for (int i = 0; i <= SEEDS; i++) {
        ck_assert_int_eq(times[i], i >= 7 && i <= 100);
    }
}
END_TEST

static void dies_at_some(void *arg, uint64_t seed, struct campaign_result *ret)
{
    (void)arg;
    (void)ret;
    if (seed % 20 == 3) {
        kill(getpid(), SIGKILL);
    } else if (seed % 20 == 7) {
        _exit(66);
    } else if (seed % 20 == 11) {
        CHECK(seed == 0);
    }
}

/* A crash costs its own seed and no other; its name says how, and where if known. */
START_TEST(crash_is_of_one_seed)
{
    struct seen seen = {0};
    struct campaign_opts opts = {.first = 1, .last = SEEDS, .jobs = 2, .run = dies_at_some};

    ck_assert_int_eq(run(opts, &seen), CAMPAIGN_ALL_DONE);
    for (int i = 1; i <= SEEDS; i++) {
        const struct campaign_result *r = &seen.results[i];

        ck_assert_int_eq(seen.times[i], 1);
        if (i % 20 == 3) {
            ck_assert_int_eq(r->end, CAMPAIGN_CRASHED);
            ck_assert_str_eq(r->signature, "crash SIGKILL");
        } else if (i % 20 == 7) {
            ck_assert_str_eq(r->signature, "crash exit 66");
        } else if (i % 20 == 11) {
            ck_assert_ptr_nonnull(strstr(r->signature, "crash SIGABRT tests/unit/"));
            ck_assert_ptr_nonnull(strstr(r->signature, "CHECK failed: seed == 0"));
        } else {
            ck_assert_int_eq(r->end, CAMPAIGN_PASSED);
        }
    }
}
END_TEST

static void hangs_at_five(void *arg, uint64_t seed, struct campaign_result *ret)
{
    (void)arg;
    (void)ret;
    while (seed == 5) {
        pause();
    }
}

/* What hangs is ended, and the others go on. */
START_TEST(hanging_seed_is_ended)
{
    struct seen seen = {0};
    struct campaign_opts opts = {.first = 1,
                                 .last = 20,
                                 .jobs = 2,
                                 .run = hangs_at_five,
                                 .seed_max_ns = NSEC_PER_SEC};

    ck_assert_int_eq(run(opts, &seen), CAMPAIGN_ALL_DONE);
    ck_assert_uint_eq(seen.n, 20);
    ck_assert_int_eq(seen.results[5].end, CAMPAIGN_HUNG);
    ck_assert_str_eq(seen.results[5].signature, "timeout real");
}
END_TEST

static void tells_its_process(void *arg, uint64_t seed, struct campaign_result *ret)
{
    (void)arg;
    ret->points = (uint64_t)getpid();
    ret->poisoned = seed % 2;
}

/* A poisoned process runs no other seed. */
START_TEST(poisoned_process_is_replaced)
{
    struct seen seen = {0};
    struct campaign_opts opts = {
        .first = 1, .last = 20, .jobs = 1, .run = tells_its_process};

    ck_assert_int_eq(run(opts, &seen), CAMPAIGN_ALL_DONE);
    for (int i = 1; i < 20; i++) {
        bool same = seen.results[i].points == seen.results[i + 1].points;

        ck_assert_int_eq(same, i % 2 == 0);
    }
}
END_TEST

static void grows(void *arg, uint64_t seed, struct campaign_result *ret)
{
    char *memory = malloc(1 << 20);

    (void)arg;
    memset(memory, (int)seed, 1 << 20); /* and never free: that is what is watched for */
    ret->points = (uint64_t)getpid();
    ret->records = (uint64_t)memory[seed];
}

/* So does one that grows. */
START_TEST(growing_process_is_replaced)
{
    struct seen seen = {0};
    struct campaign_opts opts = {
        .first = 1, .last = SEEDS, .jobs = 1, .run = grows, .grow_max = 50 << 20};

    ck_assert_int_eq(run(opts, &seen), CAMPAIGN_ALL_DONE);
    ck_assert_uint_eq(seen.results[1].points, seen.results[2].points);
    ck_assert_uint_ne(seen.results[1].points, seen.results[SEEDS].points);
}
END_TEST

static void takes_its_time(void *arg, uint64_t seed, struct campaign_result *ret)
{
    (void)arg;
    (void)seed;
    (void)ret;
    usleep(20000);
}

/* A stop, a time limit and enough failures end it early; what came is kept. */
START_TEST(ends_early_when_told)
{
    struct seen seen = {.stop_at = 3};
    struct campaign_opts opts = {
        .first = 1, .last = SEEDS, .jobs = 1, .run = takes_its_time};

    ck_assert_int_eq(run(opts, &seen), CAMPAIGN_STOPPED);
    ck_assert_uint_gt(seen.n, 0);
    ck_assert_uint_lt(seen.n, SEEDS);
    seen = (struct seen){0};
    opts.time_max_ns = 300 * NSEC_PER_MSEC;
    ck_assert_int_eq(run(opts, &seen), CAMPAIGN_TIME);
    ck_assert_uint_lt(seen.n, SEEDS);
    seen = (struct seen){0};
    opts = (struct campaign_opts){
        .first = 1, .last = SEEDS, .jobs = 1, .run = dies_at_some, .max_failures = 2};
    ck_assert_int_eq(run(opts, &seen), CAMPAIGN_TOO_MANY);
    ck_assert_int_eq(seen.results[7].end, CAMPAIGN_CRASHED);
}
END_TEST

struct counting {
    struct campaign_tally *tally;
    uint64_t n;
};

static void counts(void *arg, uint64_t seed, struct campaign_result *ret)
{
    struct counting *c = arg;

    (void)ret;
    campaign_count(c->tally, 3, seed);
}

static void take_counted(void *arg, const struct campaign_result *result)
{
    struct counting *c = arg;

    (void)result;
    c->n++;
}

/* What workers count arrives, whoever counted. */
START_TEST(tally_is_shared)
{
    struct counting c = {.tally = campaign_tally_new()};
    struct os *os = os_linux_new(1, "test");
    struct campaign_opts opts = {.os = os,
                                 .first = 1,
                                 .last = 100,
                                 .jobs = 2,
                                 .seed_max_ns = 20 * NSEC_PER_SEC,
                                 .run = counts,
                                 .on_result = take_counted,
                                 .arg = &c};

    ck_assert_ptr_nonnull(c.tally);
    ck_assert_int_eq(campaign_run(&opts), CAMPAIGN_ALL_DONE);
    ck_assert_uint_eq(c.n, 100);
    ck_assert_uint_eq(campaign_counted(c.tally, 3), 5050);
    ck_assert_uint_eq(campaign_counted(c.tally, 4), 0);
    campaign_tally_free(c.tally);
    os_linux_free(os);
}
END_TEST

static struct campaign_result failure(uint64_t seed, uint64_t points, const char *name)
{
    struct campaign_result r = {.seed = seed, .points = points, .end = CAMPAIGN_FAILED};

    snprintf(r.signature, sizeof(r.signature), "%s", name);
    return r;
}

/* One of each name is kept: the shortest, whatever the order they came in. */
START_TEST(failures_are_grouped)
{
    struct campaign_result r[] = {failure(9, 50, "safety x"), failure(4, 70, "safety y"),
                                  failure(5, 20, "safety x"), failure(3, 20, "safety x"),
                                  failure(2, 90, "safety x")};
    struct campaign_failures f = {0};
    bool is_new;

    for (size_t i = 0; i < ARRAY_SIZE(r); i++) {
        ck_assert_ptr_nonnull(campaign_failures_add(&f, &r[i], &is_new));
        ck_assert_int_eq(is_new, i < 2);
    }
    ck_assert_uint_eq(f.count, 5);
    ck_assert_uint_eq(f.kinds, 2);
    ck_assert_uint_eq(f.first->count, 4);
    ck_assert_uint_eq(f.first->kept.seed, 3);
    ck_assert_uint_eq(f.first->next->kept.seed, 4);
    campaign_failures_fini(&f);
}
END_TEST

START_TEST(different_hashes_are_counted)
{
    struct campaign_hashes h = {0};

    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t hash[2] = {i % 3000 * 0x9e3779b97f4a7c15, 1};

        ck_assert_int_eq(campaign_hashes_add(&h, hash), i < 3000);
    }
    ck_assert_uint_eq(h.used, 3000);
    campaign_hashes_fini(&h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("campaign");
    TCase *tc = tcase_create("campaign");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, each_seed_runs_once, 1, 5);
    tcase_add_test(tc, shards_are_a_partition);
    tcase_add_test(tc, crash_is_of_one_seed);
    tcase_add_test(tc, hanging_seed_is_ended);
    tcase_add_test(tc, poisoned_process_is_replaced);
    tcase_add_test(tc, growing_process_is_replaced);
    tcase_add_test(tc, ends_early_when_told);
    tcase_add_test(tc, tally_is_shared);
    tcase_add_test(tc, failures_are_grouped);
    tcase_add_test(tc, different_hashes_are_counted);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
