/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.c: msgrlab bench sim: how fast the simulated world is. All figures are by
 * processor time of this process, so that what else the machine does hardly counts; rounds
 * are interleaved, and medians printed with their ranges.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/bench/bench.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/run/run_defaults.h"
#include "scenarios/run/script_find.h"
#include "sim/campaign/process.h"

#define SEEDS_A_ROUND 40
#define THREADS 8
#define CALLS 50000 /* of each bare thread */
#define CAMPAIGN_SCRIPT "campaigns/lite.lua"
#define RATE_SCRIPT "rate.lua"
#define RATE_MESSAGES "100000"

/* ---- a bare world -------------------------------------------------------------- */

struct bare {
    struct os *os;
    struct os_mutex *lock;
    uint64_t n;
};

static void lock_and_unlock(void *arg)
{
    struct bare *b = arg;

    for (int i = 0; i < CALLS / 2; i++) {
        os_lock(b->os, b->lock);
        b->n++;
        os_unlock(b->os, b->lock);
    }
}

static void bare_story(void *arg)
{
    struct bare *b = arg;
    struct os_thread *threads[THREADS];

    b->lock = os_mutex_new(b->os, "bench");
    for (int i = 0; i < THREADS; i++) {
        CHECK(os_thread_start(b->os, "bench", lock_and_unlock, b, &threads[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        os_thread_join(threads[i]);
    }
    os_mutex_free(b->os, b->lock);
}

/* Scheduling points a second of threads that do nothing but pass them. */
static double measure_bare(uint64_t seed)
{
    struct sim_world_opts opts = {.seed = seed, .strategy = SIM_RANDOM, .call_ns = 200};
    struct sim_world *w = sim_world_new(&opts);
    struct sim_world_stats stats;
    struct bare bare = {0};
    uint64_t began = process_self_ns();

    CHECK(w != NULL);
    bare.os = sim_world_node(w, 1, "bench");
    CHECK(bare.os != NULL);
    CHECK(sim_world_run(w, bare_story, &bare) == SIM_OK);
    CHECK(bare.n == (uint64_t)THREADS * (CALLS / 2));
    sim_world_stats(w, &stats);
    sim_world_free(w);
    return (double)stats.points * 1e9 / (double)MAX(process_self_ns() - began, 1u);
}

/* ---- the workload of a campaign ------------------------------------------------ */

struct totals {
    double seeds_an_hour, points, records, ratio; /* a second, of processor time */
    unsigned failed;
    bool poisoned;
};

static void measure_runs(const char *script, const char *profile, bool traced,
                         uint64_t first, struct totals *ret)
{
    struct run_opts opts;
    uint64_t began = process_self_ns(), points = 0, records = 0, virtual_ns = 0;
    double seconds;

    run_defaults(&opts);
    opts.script = script;
    opts.world.stack = STACK_TCP;
    opts.quiet = opts.bare = true;
    opts.world.profile = profile;
    opts.world.no_trace = !traced;
    *ret = (struct totals){0};
    for (uint64_t i = 0; i < SEEDS_A_ROUND && !ret->poisoned; i++) {
        struct run_outcome outcome;

        opts.world.seed = first + i;
        run_scenario(&opts, &outcome);
        points += outcome.points;
        records += outcome.records;
        virtual_ns += outcome.virtual_ns;
        ret->failed += outcome.code != EXIT_OK;
        ret->poisoned = outcome.poisoned;
        run_outcome_fini(&outcome);
    }
    seconds = (double)MAX(process_self_ns() - began, 1u) / 1e9;
    ret->seeds_an_hour = SEEDS_A_ROUND * 3600 / seconds;
    ret->points = (double)points / seconds;
    ret->records = (double)records / seconds;
    ret->ratio = (double)virtual_ns / 1e9 / seconds;
}

/* ---- messages one after the other ------------------------------------------------ */

/* Messages of 64 bytes a second, recorded and hashed; 0: the run fails. */
static double measure_messages(const char *script, enum stack_kind stack, uint64_t seed)
{
    struct run_opts opts;
    struct run_outcome outcome;
    uint64_t began = process_self_ns();
    double rate;

    run_defaults(&opts);
    opts.script = script;
    opts.world.stack = stack;
    opts.world.seed = seed;
    opts.quiet = opts.bare = true;
    opts.sets[opts.n_sets++] = (struct setting){"messages", RATE_MESSAGES, false};
    run_scenario(&opts, &outcome);
    rate =
        outcome.code != EXIT_OK || !outcome.hashed
            ? 0
            : (double)outcome.messages * 1e9 / (double)MAX(process_self_ns() - began, 1u);
    run_outcome_fini(&outcome);
    return rate;
}

/* ---- rows ---------------------------------------------------------------------- */

enum {
    ROW_BARE,
    ROW_PLAIN,
    ROW_SEEDS,
    ROW_POINTS,
    ROW_RECORDS,
    ROW_RATIO,
    ROW_RDMA,
    ROW_TCP,
    ROWS
};

static const struct {
    const char *name;
    double unit;
    const char *unit_name;
} rows[ROWS] = {
    {"scheduling points, bare threads", 1e6, "M/s"},
    {"scheduling points, plain run, no trace", 1e6, "M/s"},
    {"seeds of profile lite", 1e3, "k/core-hour"},
    {"scheduling points, profile lite", 1e6, "M/s"},
    {"trace records hashed, profile lite", 1e6, "M/s"},
    {"simulated time to processor time", 1, "times"},
    {"messages of 64 bytes over RDMA, hashed", 1e3, "k/s"},
    {"messages of 64 bytes over TCP, hashed", 1e3, "k/s"},
};

static int compare_doubles(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;

    return (a > b) - (a < b);
}

static void print_row(int row, double *values, uint32_t n)
{
    double unit = rows[row].unit, median;

    qsort(values, n, sizeof(*values), compare_doubles);
    median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
    printf("  %-40s %9.2f %-12s (%.2f to %.2f)\n", rows[row].name, median / unit,
           rows[row].unit_name, values[0] / unit, values[n - 1] / unit);
}

struct scripts {
    char campaign[SCRIPT_PATH_MAX], rate[SCRIPT_PATH_MAX];
};

static int complain(const char *script)
{
    fprintf(stderr, "msgrlab bench: a seed of %s fails; find it with msgrlab campaign\n",
            script);
    return -ECANCELED;
}

/* 0, or -ECANCELED: a run failed, which was said. */
static int measure(const struct scripts *scripts, uint32_t rounds,
                   double values[ROWS][BENCH_ROUNDS_MAX])
{
    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t first = 1 + (uint64_t)i * SEEDS_A_ROUND;
        struct totals plain, lite;

        values[ROW_BARE][i] = measure_bare(i);
        measure_runs(scripts->campaign, "none", false, first, &plain);
        measure_runs(scripts->campaign, "lite", true, first, &lite);
        if (plain.poisoned || lite.poisoned) {
            return complain(scripts->campaign);
        }
        values[ROW_PLAIN][i] = plain.points;
        values[ROW_SEEDS][i] = lite.seeds_an_hour;
        values[ROW_POINTS][i] = lite.points;
        values[ROW_RECORDS][i] = lite.records;
        values[ROW_RATIO][i] = lite.ratio;
        values[ROW_RDMA][i] = measure_messages(scripts->rate, STACK_RDMA, first);
        values[ROW_TCP][i] = measure_messages(scripts->rate, STACK_TCP, first);
        if (values[ROW_RDMA][i] <= 0 || values[ROW_TCP][i] <= 0) {
            return complain(scripts->rate);
        }
    }
    return 0;
}

static bool find(const char *name, char *ret, size_t size)
{
    if (!script_find(name, ret, size)) {
        fprintf(stderr, "msgrlab bench: there is no scenarios/%s here\n", name);
        return false;
    }
    return true;
}

int bench_sim(uint32_t rounds)
{
    static double values[ROWS][BENCH_ROUNDS_MAX];
    struct scripts scripts;
    int rc;

    CHECK(rounds >= 1 && rounds <= BENCH_ROUNDS_MAX);
    if (!find(CAMPAIGN_SCRIPT, scripts.campaign, sizeof(scripts.campaign)) ||
        !find(RATE_SCRIPT, scripts.rate, sizeof(scripts.rate))) {
        return -ENOENT;
    }
    rc = measure(&scripts, rounds, values);
    if (rc < 0) {
        return rc;
    }
    printf(
        "the simulated world, one process on one core\n"
        "medians of %u interleaved rounds (least to most) by processor time; a round is\n"
        "%d threads of %d calls, %d seeds of %s each without and with\n"
        "profile and trace hash, and %s messages of %s on each stack\n\n",
        rounds, THREADS, CALLS, SEEDS_A_ROUND, CAMPAIGN_SCRIPT, RATE_MESSAGES, RATE_SCRIPT);
    for (int row = 0; row < ROWS; row++) {
        print_row(row, values[row], rounds);
    }
    return 0;
}
