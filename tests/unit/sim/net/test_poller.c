/* SPDX-License-Identifier: Apache-2.0 */
/* test_poller.c: what a kernel may do with events although it seldom does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

#define PIPES 4

struct play {
    struct os *os;
    int readers[PIPES], writers[PIPES];
    char order[400]; /* 'a' + pipe for each event, '.' at the end of a wait */
    uint64_t longest_ns;
    int empty_waits;
    bool edge, use_poll;
};

static void note(struct play *p, char c)
{
    if (strlen(p->order) + 1 < sizeof(p->order)) {
        p->order[strlen(p->order)] = c;
    }
}

/* Every pipe has a byte; events are taken until each was seen, and its byte read. */
static void drain(struct play *p, int pipe, int *left)
{
    char c;

    note(p, (char)('a' + pipe));
    *left -= os_read(p->os, p->readers[pipe], &c, 1) == 1;
}

static void drain_by_epoll(struct play *p, int *left)
{
    struct os_epoll_event events[PIPES];
    int epfd = os_epoll_create(p->os), n;

    for (int i = 0; i < PIPES; i++) {
        ck_assert_int_eq(os_epoll_ctl(p->os, epfd, OS_EPOLL_ADD, p->readers[i],
                                      OS_READABLE | (p->edge ? OS_EDGE : 0), (uint64_t)i),
                         0);
    }
    while (*left > 0) {
        uint64_t before = os_monotonic_ns(p->os);

        n = os_epoll_wait(p->os, epfd, events, PIPES, 10 * NSEC_PER_SEC);
        p->empty_waits += n == 0;
        p->longest_ns = MAX(p->longest_ns, os_monotonic_ns(p->os) - before);
        for (int i = 0; i < n; i++) {
            drain(p, (int)events[i].cookie, left);
        }
        note(p, '.');
    }
    n = os_epoll_wait(p->os, epfd, events, PIPES, 0); /* nothing is left over */
    ck_assert_int_eq(n, 0);
    os_close(p->os, epfd);
}

static void drain_by_poll(struct play *p, int *left)
{
    struct pollfd fds[PIPES];

    for (int i = 0; i < PIPES; i++) {
        fds[i] = (struct pollfd){.fd = p->readers[i], .events = POLLIN};
    }
    while (*left > 0) {
        uint64_t before = os_monotonic_ns(p->os);
        int n = os_poll(p->os, fds, PIPES, 10 * NSEC_PER_SEC);

        p->empty_waits += n == 0;
        p->longest_ns = MAX(p->longest_ns, os_monotonic_ns(p->os) - before);
        for (int i = 0; i < PIPES; i++) {
            if (fds[i].revents != 0) {
                drain(p, i, left);
                n--;
            }
        }
        ck_assert_int_eq(n, 0);
        note(p, '.');
    }
}

static void tell_story(void *arg)
{
    struct play *p = arg;
    int left = PIPES;

    for (int i = 0; i < PIPES; i++) {
        int fds[2];

        ck_assert_int_eq(os_pipe(p->os, fds), 0);
        p->readers[i] = fds[0];
        p->writers[i] = fds[1];
        ck_assert_int_eq(os_write(p->os, fds[1], "x", 1), 1);
    }
    if (p->use_poll) {
        drain_by_poll(p, &left);
    } else {
        drain_by_epoll(p, &left);
    }
}

/* One wait with all four, unless something is decided. */
static struct play play(struct sim_world_opts opts, bool edge, bool use_poll)
{
    struct play p = {.edge = edge, .use_poll = use_poll}, again = p;
    struct sim_world *world;
    char *text, why[100];

    opts.log = true;
    world = sim_world_new(&opts);
    p.os = sim_world_node(world, 1, "a");
    ck_assert_int_eq(sim_world_run(world, tell_story, &p), SIM_OK);
    text = sim_decisions_text(sim_world_decisions(world));
    sim_world_free(world);

    opts = (struct sim_world_opts){.seed = opts.seed, .defaults = true};
    world = sim_world_new(&opts);
    again.os = sim_world_node(world, 1, "a");
    ck_assert_int_eq(sim_decisions_load(sim_world_decisions(world), text, why, sizeof(why)),
                     0);
    ck_assert_int_eq(sim_world_run(world, tell_story, &again), SIM_OK);
    ck_assert_str_eq(again.order, p.order);
    sim_world_free(world);
    free(text);
    return p;
}

static bool is_edge(int i)
{
    return i == 1;
}

static bool is_poll(int i)
{
    return i == 2;
}

/* By default all events come at once, in order. */
START_TEST(default_is_in_order)
{
    const struct sim_world_opts opts = {.seed = 1};
    struct play p = play(opts, is_edge(_i), is_poll(_i));

    ck_assert_str_eq(p.order, "abcd.");
    ck_assert_uint_eq(p.longest_ns, 0);
}
END_TEST

/* Over many seeds each pipe comes first in some. poll(2) tells them in the order in which
 * it was asked. */
START_TEST(order_is_decided)
{
    int first[PIPES] = {0};

    for (uint64_t seed = 1; seed <= 100; seed++) {
        const struct sim_world_opts opts = {.seed = seed,
                                            .event_order_rate = SIM_RATE_ALWAYS};
        struct play p = play(opts, is_edge(_i), false);

        ck_assert_int_eq(strlen(p.order), PIPES + 1);
        first[p.order[0] - 'a']++;
    }
    for (int i = 0; i < PIPES; i++) {
        ck_assert_int_gt(first[i], 10);
    }
}
END_TEST

/* Events come one, two or three at a time; none is lost. */
START_TEST(batches_are_cut)
{
    int cut = 0;

    for (uint64_t seed = 1; seed <= 50; seed++) {
        const struct sim_world_opts opts = {.seed = seed,
                                            .event_order_rate = SIM_RATE_ALWAYS,
                                            .event_batch_rate = SIM_RATE_ALWAYS};
        struct play p = play(opts, is_edge(_i), is_poll(_i));

        cut += strlen(p.order) > PIPES + 1;
    }
    ck_assert_int_gt(cut, 20);
}
END_TEST

/* Readiness is seen late, up to 100 us for each; the waits do not end before. */
START_TEST(readiness_is_delayed)
{
    int late = 0;

    for (uint64_t seed = 1; seed <= 50; seed++) {
        const struct sim_world_opts opts = {.seed = seed,
                                            .event_delay_rate = SIM_RATE_ALWAYS};
        struct play p = play(opts, is_edge(_i), is_poll(_i));

        late += p.longest_ns > 0;
        ck_assert_uint_le(p.longest_ns, 100 * NSEC_PER_USEC);
        ck_assert_int_eq(p.empty_waits, 0);
    }
    ck_assert_int_gt(late, 40);
}
END_TEST

static void leave_and_look(void *arg)
{
    struct play *p = arg;
    int fds[2], epfd = os_epoll_create(p->os);
    struct os_epoll_event event;

    ck_assert_int_eq(os_pipe(p->os, fds), 0);
    ck_assert_int_eq(
        os_epoll_ctl(p->os, epfd, OS_EPOLL_ADD, fds[0], OS_READABLE | OS_EDGE, 1), 0);
    ck_assert_int_eq(os_write(p->os, fds[1], "xyz", 3), 3);
    ck_assert_int_eq(os_epoll_wait(p->os, epfd, &event, 1, 0), 1);
    p->empty_waits = os_epoll_wait(p->os, epfd, &event, 1, 0) == 0;
}

/* An edge that was told is told again, as long as the state holds. */
START_TEST(edges_come_twice)
{
    int twice = 0;

    for (uint64_t seed = 1; seed <= 50; seed++) {
        const struct sim_world_opts opts = {.seed = seed,
                                            .event_again_rate = SIM_RATE_ALWAYS};
        struct sim_world *world = sim_world_new(&opts);
        struct play p = {.os = sim_world_node(world, 1, "a")};

        ck_assert_int_eq(sim_world_run(world, leave_and_look, &p), SIM_OK);
        twice += p.empty_waits == 0;
        sim_world_free(world);
    }
    ck_assert_int_gt(twice, 10);
    ck_assert_int_lt(twice, 40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim poller");
    TCase *tc = tcase_create("poller");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, default_is_in_order, 0, 3);
    tcase_add_loop_test(tc, order_is_decided, 0, 2);
    tcase_add_loop_test(tc, batches_are_cut, 0, 3);
    tcase_add_loop_test(tc, readiness_is_delayed, 0, 3);
    tcase_add_test(tc, edges_come_twice);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
