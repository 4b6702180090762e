/* SPDX-License-Identifier: Apache-2.0 */
/* test_explore.c: all schedules of small programs, each once. */
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "sim/world/explore.h"
#include "tests/lib/testlib.h"

#define LETTERS_MAX 32
#define RUNS_MAX 2000

struct play {
    struct os *os;
    struct os_mutex *lock;
    struct os_cond *cond;
    int count, flag, threads, calls;
    os_thread_fn fn[3];
    bool (*is_right)(const struct play *p);
    struct os_thread *thread[3];
    char order[LETTERS_MAX + 1]; /* who ran when */
    char (*seen)[LETTERS_MAX + 1];
    uint64_t n_seen;
};

/* The threads start at one instant and nothing else runs before they have ended. */
static void tell_story(void *arg)
{
    static const char *const names[] = {"one", "two", "three"};
    struct play *p = arg;

    sim_node_pause(p->os, NSEC_PER_MSEC);
    for (int i = 0; i < p->threads; i++) {
        ck_assert_int_eq(os_thread_start(p->os, names[i], p->fn[i], p, &p->thread[i]), 0);
    }
    os_sleep_ns(p->os, 2 * NSEC_PER_MSEC);
    for (int i = 0; i < p->threads; i++) {
        os_thread_join(p->thread[i]);
    }
}

static int run_play(struct sim_world *world, void *arg)
{
    struct play *p = arg;

    p->os = sim_world_node(world, 1, "a");
    p->lock = os_mutex_new(p->os, "lock");
    p->cond = os_cond_new(p->os, "news");
    p->count = p->flag = 0;
    memset(p->order, 0, sizeof(p->order));
    if (sim_world_run(world, tell_story, p) != SIM_OK) {
        return -1;
    }
    if (p->seen != NULL && p->n_seen < RUNS_MAX) {
        memcpy(p->seen[p->n_seen++], p->order, sizeof(p->order));
    }
    return p->is_right == NULL || p->is_right(p) ? 0 : -1;
}

static struct explore_result explore(struct play *p, uint32_t depth, uint32_t preempt_max,
                                     bool go_on)
{
    const struct explore_opts opts = {.world = {.seed = 1},
                                      .depth = depth,
                                      .preempt_max = preempt_max,
                                      .go_on = go_on,
                                      .run = run_play,
                                      .arg = p};
    struct explore_result result;

    ck_assert_int_eq(sim_explore(&opts, &result), 0);
    return result;
}

/* ---- counting ---- */

/* One letter, then one point; as many steps as there are calls, and one more. */
static void write_letters(struct play *p, char letter)
{
    for (int i = 0; i <= p->calls; i++) {
        p->order[strlen(p->order)] = letter;
        if (i < p->calls) {
            os_cond_signal(p->os, p->cond);
        }
    }
}

static void write_a(void *arg)
{
    write_letters(arg, 'a');
}

static void write_b(void *arg)
{
    write_letters(arg, 'b');
}

static void write_c(void *arg)
{
    write_letters(arg, 'c');
}

static int compare_orders(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void check_count(int threads, int calls, uint32_t preempt_max, uint64_t runs)
{
    struct play p = {.threads = threads, .calls = calls, .fn = {write_a, write_b, write_c}};
    struct explore_result result;

    p.seen = calloc(RUNS_MAX, sizeof(*p.seen));
    result = explore(&p, 32, preempt_max, false);
    ck_assert(result.complete && !result.deeper);
    ck_assert_uint_eq(result.runs, runs);
    ck_assert_uint_eq(p.n_seen, runs);
    qsort(p.seen, p.n_seen, sizeof(*p.seen), compare_orders);
    for (uint64_t i = 1; i < p.n_seen; i++) {
        ck_assert_str_ne(p.seen[i - 1], p.seen[i]); /* each way once */
    }
    explore_result_fini(&result);
    free(p.seen);
}

/* Two threads of n steps have (2n)! / n!^2 interleavings, three of two steps 6! / 2!^3. */
START_TEST(counts_every_interleaving_once)
{
    check_count(1, 3, 0, 1);
    check_count(2, 0, 0, 2);
    check_count(2, 1, 0, 6);
    check_count(2, 2, 0, 20);
    check_count(2, 4, 0, 252);
    check_count(3, 1, 0, 90);
}
END_TEST

/* With one preemption: two ways without any, and for each thread one for each of its inner
 * points. */
START_TEST(preemptions_can_be_bounded)
{
    check_count(2, 2, 1, 6);
    check_count(2, 4, 1, 10);
}
END_TEST

/* Choices behind the bound stay as they are by default. */
START_TEST(depth_bounds_the_search)
{
    struct play p = {.threads = 2, .calls = 4, .fn = {write_a, write_b}};
    struct explore_result result = explore(&p, 3, 0, false);

    ck_assert(result.complete && result.deeper);
    ck_assert_uint_eq(result.runs, 8);
    explore_result_fini(&result);
}
END_TEST

/* ---- finding ---- */

static void add_unlocked(void *arg)
{
    struct play *p = arg;
    int before = p->count;

    os_cond_signal(p->os, p->cond); /* any os call will do */
    p->count = before + 1;
}

static void add_locked(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    add_unlocked(arg);
    os_unlock(p->os, p->lock);
}

static bool counted_two(const struct play *p)
{
    return p->count == 2;
}

/* The decisions of the failure make the default schedule fail the same way. */
static void check_replay(const struct play *p, const struct explore_result *found)
{
    const struct sim_world_opts opts = {.seed = 77, .defaults = true};
    struct sim_world *world = sim_world_new(&opts);
    struct play again = *p;
    char why[100];

    ck_assert_int_eq(
        sim_decisions_load(sim_world_decisions(world), found->decisions, why, sizeof(why)),
        0);
    ck_assert_int_ne(run_play(world, &again), 0);
    if (strcmp(found->signature, "failed") != 0) {
        ck_assert_str_eq(sim_world_signature(world), found->signature);
    }
    sim_world_free(world);
}

/* Of the six ways four lose an update; with a lock there are fewer ways, and none does. */
START_TEST(finds_a_lost_update)
{
    struct play wrong = {
        .threads = 2, .fn = {add_unlocked, add_unlocked}, .is_right = counted_two};
    struct play right = {
        .threads = 2, .fn = {add_locked, add_locked}, .is_right = counted_two};
    struct explore_result result = explore(&wrong, 32, 0, true);

    ck_assert(result.complete);
    ck_assert_uint_eq(result.runs, 6);
    ck_assert_uint_eq(result.failures, 4);
    ck_assert_str_eq(result.signature, "failed");
    check_replay(&wrong, &result);
    explore_result_fini(&result);

    result = explore(&right, 32, 0, false);
    ck_assert(result.complete && !result.deeper);
    ck_assert_uint_gt(result.runs, 10);
    ck_assert_uint_eq(result.failures, 0);
    ck_assert_ptr_null(result.decisions);
    explore_result_fini(&result);
}
END_TEST

/* Looks at the flag before it takes the lock: the signal may come in between. */
static void wait_wrongly(void *arg)
{
    struct play *p = arg;

    if (p->flag == 0) {
        os_lock(p->os, p->lock);
        os_cond_wait(p->os, p->cond, p->lock, -1);
        os_unlock(p->os, p->lock);
    }
}

static void wait_rightly(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    while (p->flag == 0) {
        os_cond_wait(p->os, p->cond, p->lock, -1);
    }
    os_unlock(p->os, p->lock);
}

static void give_news(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->lock);
    p->flag = 1;
    os_cond_signal(p->os, p->cond);
    os_unlock(p->os, p->lock);
}

/* It is found, told by name, and replays; the right program, even beside a third thread, is
 * proved to have none with up to two preemptions. */
START_TEST(finds_a_lost_wakeup)
{
    struct play wrong = {.threads = 2, .fn = {wait_wrongly, give_news}};
    struct play right = {.threads = 3, .fn = {wait_rightly, give_news, add_locked}};
    struct explore_result result = explore(&wrong, 32, 0, false);

    ck_assert_uint_eq(result.failures, 1);
    ck_assert(!result.complete);
    ck_assert_uint_eq(result.first, result.runs);
    ck_assert_str_eq(result.signature, "deadlock condition:news thread:a/one");
    check_replay(&wrong, &result);
    explore_result_fini(&result);

    result = explore(&right, 64, 2, false);
    ck_assert(result.complete && !result.deeper);
    ck_assert_uint_gt(result.runs, 100);
    ck_assert_uint_eq(result.failures, 0);
    explore_result_fini(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim explore");
    TCase *tc = tcase_create("explore");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, counts_every_interleaving_once);
    tcase_add_test(tc, preemptions_can_be_bounded);
    tcase_add_test(tc, depth_bounds_the_search);
    tcase_add_test(tc, finds_a_lost_update);
    tcase_add_test(tc, finds_a_lost_wakeup);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
