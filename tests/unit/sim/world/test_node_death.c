/* SPDX-License-Identifier: Apache-2.0 */
/* test_node_death.c: nodes that stand still, die in two ways, and are buried. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/util.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

#define PORT 4000
#define LATENCY_NS (50 * NSEC_PER_USEC)

struct story {
    struct sim_world *world;
    struct os *a, *b;
    struct os_mutex *lock, *shared;
    int listener, dialled, accepted; /* fds: of b, a, b */
    int steps, result;
    void (*fn)(struct story *s);
};

static struct sockaddr_in address_of(uint8_t number)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    in.sin_addr.s_addr = htonl(0x0a000000u | number);
    return in;
}

static int listen_on(struct os *os)
{
    struct sockaddr_in in = address_of(os->node);
    int fd = os_socket(os, AF_INET);

    ck_assert_int_eq(os_bind(os, fd, (struct sockaddr *)&in, sizeof(in)), 0);
    ck_assert_int_eq(os_listen(os, fd, 8), 0);
    return fd;
}

static int dial(struct os *os, uint8_t number)
{
    struct sockaddr_in in = address_of(number);
    int fd = os_socket(os, AF_INET);

    ck_assert_int_eq(os_connect(os, fd, (struct sockaddr *)&in, sizeof(in)), -EINPROGRESS);
    return fd;
}

/* 1, or 0 after the time-out. */
static int wait_for(struct os *os, int fd, short events, int64_t timeout_ns)
{
    struct pollfd p = {.fd = fd, .events = events};

    return os_poll(os, &p, 1, timeout_ns);
}

static void connect_a_to_b(struct story *s)
{
    struct sockaddr_storage peer;

    s->listener = listen_on(s->b);
    s->dialled = dial(s->a, 2);
    ck_assert_int_eq(wait_for(s->b, s->listener, POLLIN, -1), 1);
    s->accepted = os_accept(s->b, s->listener, &peer);
    ck_assert_int_ge(s->accepted, 0);
}

static ssize_t send_text(struct os *os, int fd, const char *text)
{
    const struct iovec iov = {.iov_base = (void *)text, .iov_len = strlen(text)};

    return os_send(os, fd, &iov, 1, false);
}

static ssize_t recv_byte(struct os *os, int fd)
{
    char c;

    return os_recv(os, fd, &c, 1);
}

static void run_story(void *arg)
{
    struct story *s = arg;

    s->fn(s);
}

static void play(void (*fn)(struct story *s))
{
    const struct sim_world_opts opts = {.seed = 3, .link = {.latency_ns = LATENCY_NS}};
    struct story s = {.world = sim_world_new(&opts), .fn = fn};

    s.a = sim_world_node(s.world, 1, "a");
    s.b = sim_world_node(s.world, 2, "b");
    s.lock = os_mutex_new(s.b, "lock");
    ck_assert_msg(sim_world_run(s.world, run_story, &s) == SIM_OK, "%s",
                  sim_world_report(s.world));
    os_mutex_free(s.b, s.lock);
    sim_world_free(s.world);
}

/* ---- pauses ---- */

static void step_each_ms(void *arg)
{
    struct story *s = arg;

    for (int i = 0; i < 10; i++) {
        os_sleep_ns(s->b, NSEC_PER_MSEC);
        s->steps++;
    }
}

static void pause_and_count(struct story *s)
{
    struct os_thread *thread;

    ck_assert_int_eq(os_thread_start(s->b, "stepper", step_each_ms, s, &thread), 0);
    os_sleep_ns(s->a, 3 * NSEC_PER_MSEC + 1);
    ck_assert_int_eq(s->steps, 3);
    sim_node_pause(s->b, 5 * NSEC_PER_MSEC);
    os_sleep_ns(s->a, 4 * NSEC_PER_MSEC);
    ck_assert_int_eq(s->steps, 3);
    os_sleep_ns(s->a, NSEC_PER_MSEC + 1); /* the wait of before has long ended */
    ck_assert_int_eq(s->steps, 4);
    sim_node_pause(s->b, UINT64_MAX);
    os_sleep_ns(s->a, NSEC_PER_SEC);
    ck_assert_int_eq(s->steps, 4);
    sim_node_resume(s->b);
    os_thread_join(thread);
    ck_assert_int_eq(s->steps, 10);
}

/* A paused node's threads do not run; what they wait for comes meanwhile. */
START_TEST(paused_threads_stand_still)
{
    play(pause_and_count);
}
END_TEST

static void pause_itself(void *arg)
{
    struct story *s = arg;

    sim_node_pause(s->b, NSEC_PER_SEC);
    os_lock(s->b, s->lock);
    s->steps++;
    os_unlock(s->b, s->lock);
}

static void see_it_pause(struct story *s)
{
    uint64_t before = sim_world_now(s->world);
    struct os_thread *thread;

    ck_assert_int_eq(os_thread_start(s->b, "itself", pause_itself, s, &thread), 0);
    os_thread_join(thread);
    ck_assert_uint_eq(sim_world_now(s->world) - before, NSEC_PER_SEC);
    ck_assert_int_eq(s->steps, 1);
}

/* A thread that pauses its own node stops at its next os call. */
START_TEST(node_pauses_itself)
{
    play(see_it_pause);
}
END_TEST

/* A world that ends in the middle of a pause is freed like any other. */
static void pause_for_good(struct story *s)
{
    sim_node_pause(s->b, NSEC_PER_SEC);
    sim_world_violate(s->world, "over", "it ends here");
    os_sleep_ns(s->a, 1);
}

START_TEST(pause_outlives_the_run)
{
    const struct sim_world_opts opts = {.seed = 3};
    struct story s = {.world = sim_world_new(&opts), .fn = pause_for_good};

    s.a = sim_world_node(s.world, 1, "a");
    s.b = sim_world_node(s.world, 2, "b");
    ck_assert_int_eq(sim_world_run(s.world, run_story, &s), SIM_SAFETY);
    sim_world_free(s.world);
}
END_TEST

/* ---- a process dies ---- */

static void crash_closes(struct story *s)
{
    int other;

    connect_a_to_b(s);
    other = dial(s->a, 2);
    ck_assert_int_eq(wait_for(s->a, other, POLLOUT, -1), 1);
    os_sleep_ns(s->a, NSEC_PER_MSEC); /* waits to be accepted */
    sim_node_kill(s->b, SIM_CRASH);
    ck_assert_int_eq(wait_for(s->a, s->dialled, POLLIN, NSEC_PER_MSEC), 1);
    ck_assert_int_eq(recv_byte(s->a, s->dialled), 0); /* FIN */
    ck_assert_int_eq(wait_for(s->a, other, POLLIN, NSEC_PER_MSEC), 1);
    ck_assert_int_eq(recv_byte(s->a, other), -ECONNRESET); /* RST: nobody accepted it */
    os_close(s->a, other);
    other = dial(s->a, 2);
    ck_assert_int_eq(wait_for(s->a, other, POLLOUT, NSEC_PER_MSEC), 1);
    ck_assert_int_eq(os_connect_result(s->a, other), -ECONNREFUSED);
    sim_node_bury(s->b);
}

/* Its kernel closes what was open, and refuses who comes. */
START_TEST(crash_looks_like_close)
{
    play(crash_closes);
}
END_TEST

static void crash_with_unread(struct story *s)
{
    connect_a_to_b(s);
    ck_assert_int_eq(send_text(s->a, s->dialled, "never read"), 10);
    os_sleep_ns(s->a, NSEC_PER_MSEC);
    sim_node_kill(s->b, SIM_CRASH);
    ck_assert_int_eq(wait_for(s->a, s->dialled, POLLIN, NSEC_PER_MSEC), 1);
    ck_assert_int_eq(recv_byte(s->a, s->dialled), -ECONNRESET);
    sim_node_bury(s->b);
}

/* Bytes that arrived and were not read make it a RST. */
START_TEST(crash_with_unread_bytes_resets)
{
    play(crash_with_unread);
}
END_TEST

static void restart(struct story *s)
{
    struct os *again;
    int fd, listener;

    connect_a_to_b(s);
    sim_node_kill(s->b, SIM_CRASH);
    again = sim_world_node(s->world, 2, "b2");
    listener = listen_on(again); /* the same port */
    fd = dial(s->a, 2);
    ck_assert_int_eq(wait_for(again, listener, POLLIN, NSEC_PER_MSEC), 1);
    ck_assert_int_eq(os_connect_result(s->a, fd), 1);
    /* What the dead one does has no effect on the living. */
    sim_node_bury(s->b);
    os_close(s->b, s->listener);
    os_close(s->b, s->accepted);
    ck_assert_int_eq(os_socket(s->b, AF_INET), -ENETDOWN);
    ck_assert_int_eq(wait_for(s->a, fd, POLLIN, NSEC_PER_MSEC), 0);
    ck_assert_int_eq(sim_node_open_fds(s->b), 0);
    ck_assert_int_eq(sim_node_open_fds(again), 1);
}

/* The number, the address and the port are there for another. */
START_TEST(crashed_node_restarts)
{
    play(restart);
}
END_TEST

/* ---- a machine dies ---- */

static void power_loss(struct story *s)
{
    struct sockaddr_in in = address_of(2);
    int fd;

    connect_a_to_b(s);
    ck_assert_int_eq(send_text(s->b, s->accepted, "x"), 1); /* on the wire: it arrives */
    sim_node_kill(s->b, SIM_POWER_LOSS);
    ck_assert_int_eq(wait_for(s->a, s->dialled, POLLIN, NSEC_PER_MSEC), 1);
    ck_assert_int_eq(recv_byte(s->a, s->dialled), 1);
    ck_assert_int_eq(send_text(s->a, s->dialled, "hello?"), 6);
    ck_assert_int_eq(wait_for(s->a, s->dialled, POLLIN, 60 * NSEC_PER_SEC), 0);
    fd = os_socket(s->a, AF_INET);
    ck_assert_int_eq(os_connect(s->a, fd, (struct sockaddr *)&in, sizeof(in)),
                     -EINPROGRESS);
    ck_assert_int_eq(wait_for(s->a, fd, POLLOUT, 10 * NSEC_PER_SEC), 0);
    sim_world_node(s->world, 2, "b2"); /* reboots, and listens nowhere */
    /* asked again, at the latest after sim_world_opts.resend_max_ns */
    ck_assert_int_eq(wait_for(s->a, s->dialled, POLLIN, 6 * NSEC_PER_SEC), 1);
    ck_assert_int_eq(recv_byte(s->a, s->dialled), -ECONNRESET);
    ck_assert_int_eq(wait_for(s->a, fd, POLLOUT, 100 * NSEC_PER_SEC), 1);
    ck_assert_int_eq(os_connect_result(s->a, fd), -ECONNREFUSED);
    sim_node_bury(s->b);
}

/* Silence, until the machine is up again: then what it is asked about is unknown to it. */
START_TEST(power_loss_is_silence)
{
    play(power_loss);
}
END_TEST

static void power_loss_in_handshake(struct story *s)
{
    int first, second;

    s->listener = listen_on(s->b);
    first = dial(s->a, 2);
    ck_assert_int_eq(wait_for(s->a, first, POLLOUT, -1), 1); /* its ACK is on the way */
    second = dial(s->a, 2);
    os_sleep_ns(s->a, LATENCY_NS + 1); /* its SYN, ACK is on the way */
    sim_node_kill(s->b, SIM_POWER_LOSS);
    ck_assert_int_eq(wait_for(s->a, second, POLLOUT, 10 * NSEC_PER_SEC), 0);
    ck_assert_int_eq(send_text(s->a, first, "x"), 1);
    ck_assert_int_eq(wait_for(s->a, first, POLLIN, 10 * NSEC_PER_SEC), 0);
    ck_assert_int_eq(os_shutdown(s->a, first, SHUT_WR), 0);
    sim_world_node(s->world, 2, "b2");
    ck_assert_int_eq(wait_for(s->a, first, POLLIN, 6 * NSEC_PER_SEC), 1);
    ck_assert_int_eq(recv_byte(s->a, first), -ECONNRESET);
    os_close(s->a, first);
    os_close(s->a, second);
    sim_node_bury(s->b);
}

/* Connections that were only half there are forgotten, too. */
START_TEST(power_loss_amid_handshakes)
{
    play(power_loss_in_handshake);
}
END_TEST

/* ---- the afterlife ---- */

/* Waits for its socket as a worker does, holding a lock now and then; then shuts down. */
static void serve(void *arg)
{
    struct story *s = arg;
    int epfd = os_epoll_create(s->b);
    struct os_epoll_event event;

    ck_assert_int_eq(
        os_epoll_ctl(s->b, epfd, OS_EPOLL_ADD, s->accepted, OS_READABLE | OS_EDGE, 7), 0);
    os_lock(s->b, s->lock);
    ck_assert_int_eq(os_epoll_wait(s->b, epfd, &event, 1, -1), 1);
    os_unlock(s->b, s->lock);
    ck_assert_int_eq((int)event.cookie, 7);
    s->result = (int)recv_byte(s->b, s->accepted);
    ck_assert_int_eq(send_text(s->b, s->accepted, "x"), -ECONNRESET);
    os_close(s->b, s->accepted);
    os_close(s->b, s->listener);
    os_close(s->b, epfd);
    s->steps++;
}

static void bury(struct story *s)
{
    struct os_thread *thread;

    connect_a_to_b(s);
    ck_assert_int_eq(os_thread_start(s->b, "server", serve, s, &thread), 0);
    os_sleep_ns(s->a, NSEC_PER_MSEC);
    sim_node_kill(s->b, SIM_CRASH);
    ck_assert(sim_node_is_dead(s->b));
    os_sleep_ns(s->a, NSEC_PER_SEC);
    ck_assert_int_eq(s->steps, 0);
    sim_node_bury(s->b);
    os_thread_join(thread);
    ck_assert_int_eq(s->steps, 1);
    ck_assert_int_eq(s->result, -ECONNRESET);
    ck_assert_int_eq(sim_node_open_fds(s->b), 0);
}

/* A dead thread goes on from where it stood, finds its sockets dead, and ends. */
START_TEST(buried_threads_end_well)
{
    play(bury);
}
END_TEST

static void lock_once(void *arg)
{
    struct story *s = arg;

    os_lock(s->a, s->shared);
    s->steps++;
    os_unlock(s->a, s->shared);
}

/* A thread of each node waits for a mutex of the story's; the one of b came first, and b
 * dies before the mutex is unlocked, or just after. */
static void share_a_lock(struct story *s, bool unlock_first)
{
    struct os_thread *dying, *living;

    s->shared = os_mutex_new(s->a, "shared");
    os_lock(s->a, s->shared);
    ck_assert_int_eq(os_thread_start(s->b, "dying", lock_once, s, &dying), 0);
    os_sleep_ns(s->a, NSEC_PER_MSEC);
    ck_assert_int_eq(os_thread_start(s->a, "living", lock_once, s, &living), 0);
    os_sleep_ns(s->a, NSEC_PER_MSEC);
    if (unlock_first) {
        os_unlock(s->a, s->shared);
        sim_node_kill(s->b, SIM_CRASH);
    } else {
        sim_node_kill(s->b, SIM_CRASH);
        os_unlock(s->a, s->shared);
    }
    os_thread_join(living);
    ck_assert_int_eq(s->steps, 1);
    sim_node_bury(s->b);
    os_thread_join(dying);
    ck_assert_int_eq(s->steps, 2);
    os_mutex_free(s->a, s->shared);
}

static void die_then_unlock(struct story *s)
{
    share_a_lock(s, false);
}

static void unlock_then_die(struct story *s)
{
    share_a_lock(s, true);
}

/* A mutex that nodes share is not lost with one of them that waits for it. */
START_TEST(dead_waiters_are_passed_over)
{
    play(die_then_unlock);
    play(unlock_then_die);
}
END_TEST

/* A node that nobody buries keeps the run from ending, and the report says why. */
static void leave_dead(struct story *s)
{
    struct os_thread *thread;

    connect_a_to_b(s);
    ck_assert_int_eq(os_thread_start(s->b, "server", serve, s, &thread), 0);
    os_sleep_ns(s->a, NSEC_PER_MSEC);
    sim_node_kill(s->b, SIM_CRASH);
    os_thread_join(thread);
}

START_TEST(unburied_node_is_a_deadlock)
{
    const struct sim_world_opts opts = {.seed = 3, .link = {.latency_ns = LATENCY_NS}};
    struct story s = {.world = sim_world_new(&opts), .fn = leave_dead};

    s.a = sim_world_node(s.world, 1, "a");
    s.b = sim_world_node(s.world, 2, "b");
    s.lock = os_mutex_new(s.b, "lock");
    ck_assert_int_eq(sim_world_run(s.world, run_story, &s), SIM_DEADLOCK);
    ck_assert_ptr_nonnull(strstr(sim_world_report(s.world), "(dead)"));
    sim_world_free(s.world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim node death");
    TCase *tc = tcase_create("node death");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, paused_threads_stand_still);
    tcase_add_test(tc, node_pauses_itself);
    tcase_add_test(tc, pause_outlives_the_run);
    tcase_add_test(tc, crash_looks_like_close);
    tcase_add_test(tc, crash_with_unread_bytes_resets);
    tcase_add_test(tc, crashed_node_restarts);
    tcase_add_test(tc, power_loss_is_silence);
    tcase_add_test(tc, power_loss_amid_handshakes);
    tcase_add_test(tc, buried_threads_end_well);
    tcase_add_test(tc, dead_waiters_are_passed_over);
    tcase_add_test(tc, unburied_node_is_a_deadlock);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
