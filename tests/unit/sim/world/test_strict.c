/* SPDX-License-Identifier: Apache-2.0 */
/* test_strict.c: what no correct program does is found in a strict world. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/util.h"
#include "sim/sched/lock_order.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

struct play {
    struct os *os, *other;
    struct os_mutex *first, *second, *third, *twin[2];
    struct os_cond *cond;
    int fds[2];
};

static struct sim_world *open_world(bool strict, struct play *p)
{
    const struct sim_world_opts opts = {.seed = 1, .strict = strict};
    struct sim_world *world = sim_world_new(&opts);

    *p = (struct play){.os = sim_world_node(world, 1, "a"),
                       .other = sim_world_node(world, 2, "b")};
    p->first = os_mutex_new(p->os, "first");
    p->second = os_mutex_new(p->other, "second"); /* nodes share classes */
    p->third = os_mutex_new(p->os, "third");
    p->twin[0] = os_mutex_new(p->os, "twin");
    p->twin[1] = os_mutex_new(p->os, "twin");
    p->cond = os_cond_new(p->os, "news");
    return world;
}

/* The run ends with this signature; "" means it ends well. */
static void expect(void (*fn)(void *arg), const char *signature)
{
    struct play p;
    struct sim_world *world = open_world(true, &p);

    ck_assert_int_eq(sim_world_run(world, fn, &p),
                     signature[0] != '\0' ? SIM_SAFETY : SIM_OK);
    ck_assert_str_eq(sim_world_signature(world), signature);
    sim_world_free(world);
}

static void in_thread(struct play *p, const char *name, os_thread_fn fn)
{
    struct os_thread *thread;

    ck_assert_int_eq(os_thread_start(p->os, name, fn, p, &thread), 0);
    os_thread_join(thread);
}

/* ---- descriptors ---- */

static void open_pipe(struct play *p)
{
    ck_assert_int_eq(os_pipe(p->os, p->fds), 0);
}

static void read_closed(void *arg)
{
    struct play *p = arg;
    char c;

    open_pipe(p);
    os_close(p->os, p->fds[0]);
    ck_assert_int_eq(os_read(p->os, p->fds[0], &c, 1), -EBADF);
    os_close(p->os, p->fds[1]);
}

static void write_wrong_end(void *arg)
{
    struct play *p = arg;

    open_pipe(p);
    ck_assert_int_eq(os_write(p->os, p->fds[0], "x", 1), -EBADF);
    os_close(p->os, p->fds[0]);
}

static void recv_from_pipe(void *arg)
{
    struct play *p = arg;
    char c;

    open_pipe(p);
    ck_assert_int_eq(os_recv(p->os, p->fds[0], &c, 1), -ENOTSOCK);
    os_close(p->os, p->fds[0]);
}

static void poll_never_open(void *arg)
{
    struct play *p = arg;
    struct pollfd fd = {.fd = 99, .events = POLLIN};

    ck_assert_int_eq(os_poll(p->os, &fd, 1, 0), 1);
    ck_assert_int_eq(fd.revents, POLLNVAL);
    os_close(p->os, 99);
}

static void close_twice(void *arg)
{
    struct play *p = arg;

    open_pipe(p);
    os_close(p->os, p->fds[0]);
    os_close(p->os, p->fds[0]);
    os_close(p->os, p->fds[1]);
}

/* Each is a violation where it is strict; elsewhere it is an error number only. */
START_TEST(wrong_descriptors)
{
    static const struct {
        void (*fn)(void *arg);
        const char *signature;
    } cases[] = {
        {read_closed, "bad_fd read a"},      {write_wrong_end, "wrong_fd write a"},
        {recv_from_pipe, "wrong_fd recv a"}, {poll_never_open, "bad_fd poll a"},
        {close_twice, "double close a"},
    };
    struct play p;
    struct sim_world *world = open_world(false, &p);

    expect(cases[_i].fn, cases[_i].signature);
    ck_assert_int_eq(sim_world_run(world, cases[_i].fn, &p), SIM_OK);
    sim_world_free(world);
}
END_TEST

static void open_and_keep(void *arg)
{
    open_pipe(arg);
}

/* Closes its descriptor twice; meanwhile another has the number. */
static void recycle(void *arg)
{
    struct play *p = arg;
    char c;

    open_pipe(p);
    os_close(p->os, p->fds[0]);
    os_close(p->os, p->fds[1]);
    in_thread(p, "owner", open_and_keep);
    os_close(p->os, p->fds[0]); /* nobody can know that this is wrong... */
    os_read(p->os, p->fds[0], &c, 1);
}

/* A second close that hits a number somebody else has got is found when that one is used,
 * and told as what it was. */
START_TEST(recycled_number)
{
    expect(recycle, "recycled_fd read a");
}
END_TEST

static void close_soon(void *arg)
{
    struct play *p = arg;

    os_sleep_ns(p->os, NSEC_PER_MSEC);
    os_close(p->os, p->fds[0]);
}

static void poll_and_close(void *arg)
{
    struct play *p = arg;
    struct os_thread *thread;
    struct pollfd fd;

    open_pipe(p);
    fd = (struct pollfd){.fd = p->fds[0], .events = POLLIN};
    ck_assert_int_eq(os_thread_start(p->os, "closer", close_soon, p, &thread), 0);
    os_poll(p->os, &fd, 1, NSEC_PER_SEC);
}

static void wait_and_close(void *arg)
{
    struct play *p = arg;
    struct os_epoll_event event;
    struct os_thread *thread;

    p->fds[0] = os_epoll_create(p->os);
    ck_assert_int_eq(os_thread_start(p->os, "closer", close_soon, p, &thread), 0);
    os_epoll_wait(p->os, p->fds[0], &event, 1, NSEC_PER_SEC);
}

/* A descriptor is closed while another thread waits for it; one that is only registered
 * with an epoll descriptor may be closed. */
START_TEST(close_while_waiting)
{
    expect(poll_and_close, "close_while_waiting a");
    expect(wait_and_close, "close_while_waiting a");
}
END_TEST

static void change_mode(struct play *p, int mask)
{
    int epfd = os_epoll_create(p->os);

    open_pipe(p);
    os_epoll_ctl(p->os, epfd, OS_EPOLL_ADD, p->fds[0], OS_READABLE | OS_EDGE, 1);
    os_epoll_ctl(p->os, epfd, OS_EPOLL_MOD, p->fds[0], mask, 1);
    os_close(p->os, epfd);
}

static void forget_edge(void *arg)
{
    change_mode(arg, OS_READABLE);
}

static void keep_edge(void *arg)
{
    change_mode(arg, OS_EDGE);
}

START_TEST(trigger_mode_stays)
{
    expect(forget_edge, "mixed_trigger_mode a");
    expect(keep_edge, "");
}
END_TEST

/* ---- locks ---- */

static void unlock_foreign(void *arg)
{
    struct play *p = arg;

    os_unlock(p->os, p->first);
    os_sleep_ns(p->os, 1);
}

static void hold_and_start(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->first);
    in_thread(p, "thief", unlock_foreign);
}

static void wait_without(void *arg)
{
    struct play *p = arg;

    os_cond_wait(p->os, p->cond, p->first, 1);
    os_sleep_ns(p->os, 1);
}

static void free_held(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->first);
    os_mutex_free(p->os, p->first);
    os_sleep_ns(p->os, 1);
}

static void lock_and_end(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->first);
}

static void end_holding(void *arg)
{
    in_thread(arg, "forgetful", lock_and_end);
}

START_TEST(mutexes_belong_to_somebody)
{
    expect(hold_and_start, "not_held first");
    expect(wait_without, "not_held first");
    expect(free_held, "freed_held first");
    expect(end_holding, "ended_holding");
}
END_TEST

static void take(struct play *p, struct os_mutex *outer, struct os_mutex *inner)
{
    os_lock(p->os, outer);
    os_lock(p->os, inner);
    os_unlock(p->os, inner);
    os_unlock(p->os, outer);
}

static void two_ways(void *arg)
{
    struct play *p = arg;

    take(p, p->first, p->second);
    take(p, p->second, p->first);
}

static void round_trip(void *arg)
{
    struct play *p = arg;

    take(p, p->first, p->second);
    take(p, p->second, p->third);
    take(p, p->third, p->first);
}

static void twins_two_ways(void *arg)
{
    struct play *p = arg;

    take(p, p->twin[0], p->twin[1]);
    take(p, p->twin[1], p->twin[0]);
}

static void in_order(void *arg)
{
    struct play *p = arg;

    for (int i = 0; i < 3; i++) {
        take(p, p->first, p->second);
        take(p, p->second, p->third);
        take(p, p->first, p->third);
        take(p, p->twin[0], p->twin[1]);
        take(p, p->first, p->twin[1]);
    }
}

/* A condition's mutex is taken again inside of another one. */
static void wait_inside(void *arg)
{
    struct play *p = arg;

    os_lock(p->os, p->first);
    os_lock(p->os, p->third);
    os_cond_wait(p->os, p->cond, p->first, 1);
}

/* No deadlock happens in any of these runs, and yet it could. The signature has the two
 * names in order, the report both ways. */
START_TEST(lock_order)
{
    struct play p;
    struct sim_world *world = open_world(true, &p);

    expect(two_ways, "lock_order first second");
    expect(round_trip, "lock_order first third");
    expect(twins_two_ways, "lock_order twin twin");
    expect(wait_inside, "lock_order first third");
    expect(in_order, "");

    ck_assert_int_eq(sim_world_run(world, round_trip, &p), SIM_SAFETY);
    ck_assert_msg(strstr(sim_world_report(world),
                         "main takes \"first\" and holds \"third\"; before, main took "
                         "\"third\" and held \"second\"; main took \"second\" and held "
                         "\"first\";") != NULL,
                  "%s", sim_world_report(world));
    sim_world_free(world);
}
END_TEST

/* More classes than there is room for are not watched; many pairs are. */
START_TEST(lock_order_bounds)
{
    struct lock_order order = {.n = 0};
    struct lock_id ids[LOCK_CLASSES_MAX + 1], last;
    char text[100], name[20];

    for (int i = 0; i <= LOCK_CLASSES_MAX; i++) {
        snprintf(name, sizeof(name), "class %d", i);
        ids[i] = lock_order_id(&order, name);
        ck_assert_int_eq(ids[i].class, i < LOCK_CLASSES_MAX ? i : -1);
        if (i > 0) {
            ck_assert(lock_order_add(&order, ids[i - 1], ids[i], "t", text, 100));
        }
    }
    ck_assert(!lock_order_add(&order, ids[LOCK_CLASSES_MAX - 1], ids[0], "t", text, 100));
    ck_assert(lock_order_add(&order, ids[LOCK_CLASSES_MAX], ids[0], "t", text, 100));

    last = lock_order_id(&order, "class 0");
    for (int i = 0; i < 1000; i++) {
        struct lock_id next = lock_order_id(&order, "class 0");

        ck_assert(lock_order_add(&order, last, next, "t", text, 100));
        ck_assert(lock_order_add(&order, last, next, "t", text, 100));
        ck_assert(!lock_order_add(&order, next, last, "t", text, 100));
        last = next;
    }
    lock_order_fini(&order);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim strict");
    TCase *tc = tcase_create("strict");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, wrong_descriptors, 0, 5);
    tcase_add_test(tc, recycled_number);
    tcase_add_test(tc, close_while_waiting);
    tcase_add_test(tc, trigger_mode_stays);
    tcase_add_test(tc, mutexes_belong_to_somebody);
    tcase_add_test(tc, lock_order);
    tcase_add_test(tc, lock_order_bounds);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
