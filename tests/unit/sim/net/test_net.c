/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net.c: what the virtual network does beyond the contract of os.h: latency, rate,
 * jitter, cuts, ports, full buffers, resets between nodes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/util.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

#define LATENCY (10 * NSEC_PER_MSEC)

/* The test itself is a thread of the world, and calls both nodes. */
static struct sim_world *world;
static struct os *a, *b;

static void open_world(const struct sim_world_opts *opts)
{
    world = sim_world_new(opts);
    a = sim_world_node(world, 1, "a");
    b = sim_world_node(world, 2, "b");
}

static void setup(void)
{
    const struct sim_world_opts opts = {.seed = 1, .link = {.latency_ns = LATENCY}};

    open_world(&opts);
}

static void teardown(void)
{
    ck_assert_int_eq(sim_node_open_fds(a), 0);
    ck_assert_int_eq(sim_node_open_fds(b), 0);
    sim_world_free(world);
}

/* fds[0] of node a dialled fds[1] of node b. */
static void connect_nodes(int fds[2])
{
    struct sockaddr_storage addr, peer;
    int listener = test_listen(b, AF_INET, 4, &addr);

    ck_assert_int_ge(listener, 0);
    fds[0] = test_dial(a, &addr);
    test_wait_fd(b, listener, POLLIN);
    fds[1] = os_accept(b, listener, &peer);
    ck_assert_int_ge(fds[1], 0);
    test_wait_fd(a, fds[0], POLLOUT);
    ck_assert_int_eq(os_connect_result(a, fds[0]), 1);
    os_close(b, listener);
}

static void close_both(const int fds[2])
{
    os_close(a, fds[0]);
    os_close(b, fds[1]);
}

/* ---- time ---- */

/* A dialler is connected after a round trip, the listener half a trip later; a byte takes
 * the latency, exactly. */
START_TEST(latency_is_exact)
{
    struct sockaddr_storage addr, peer;
    int listener = test_listen(b, AF_INET, 4, &addr), fds[2];
    uint64_t begin = sim_world_now(world);
    char c;

    fds[0] = test_dial(a, &addr);
    test_wait_fd(a, fds[0], POLLOUT);
    ck_assert_uint_eq(sim_world_now(world) - begin, 2 * LATENCY);
    test_wait_fd(b, listener, POLLIN);
    ck_assert_uint_eq(sim_world_now(world) - begin, 3 * LATENCY);
    fds[1] = os_accept(b, listener, &peer);
    begin = sim_world_now(world);
    ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
    ck_assert_int_eq(os_recv(b, fds[1], &c, 1), -EAGAIN);
    test_wait_fd(b, fds[1], POLLIN);
    ck_assert_uint_eq(sim_world_now(world) - begin, LATENCY);
    os_close(b, listener);
    close_both(fds);
}
END_TEST

/* A rate makes a long message take its time. */
START_TEST(rate_is_kept)
{
    const struct sim_link link = {.latency_ns = LATENCY, .bytes_per_sec = 100000};
    static char data[50000];
    uint64_t begin;
    int fds[2];

    connect_nodes(fds);
    sim_world_set_link(world, a, b, &link);
    begin = sim_world_now(world);
    test_send_all(a, fds[0], data, sizeof(data));
    test_recv_all(b, fds[1], data, sizeof(data));
    ck_assert_uint_ge(sim_world_now(world) - begin, LATENCY + NSEC_PER_SEC / 2);
    ck_assert_uint_le(sim_world_now(world) - begin,
                      LATENCY + NSEC_PER_SEC / 2 + NSEC_PER_MSEC);
    close_both(fds);
}
END_TEST

/* Jitter never changes the order of bytes, nor do short reads and writes. */
START_TEST(bytes_stay_in_order)
{
    enum { BYTES = 300000 };
    struct sim_world_opts opts = {.seed = (uint64_t)_i + 1,
                                  .short_io_rate = 500,
                                  .sndbuf = 5000,
                                  .rcvbuf = 3000,
                                  .link = {.latency_ns = 1000, .jitter_ns = 100000}};
    static uint8_t data[BYTES];
    size_t sent = 0, got = 0;
    uint8_t buf[4000];
    int fds[2];

    sim_world_free(world);
    open_world(&opts);
    connect_nodes(fds);
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = testlib_pattern(7, i);
    }
    while (got < BYTES) {
        struct pollfd read_fd = {.fd = fds[1], .events = POLLIN};
        ssize_t n = sent < BYTES ? test_send(a, fds[0], data + sent, BYTES - sent) : 0;

        ck_assert(n >= 0 || n == -EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        os_poll(b, &read_fd, 1, 10000);
        n = os_recv(b, fds[1], buf, sizeof(buf));
        ck_assert(n > 0 || n == -EAGAIN);
        ck_assert(n <= 0 || memcmp(buf, data + got, (size_t)n) == 0);
        got += n > 0 ? (size_t)n : 0;
    }
    close_both(fds);
}
END_TEST

/* ---- cuts ---- */

/* What is sent into a cut arrives after it has healed; the other way is not concerned. */
START_TEST(cut_holds_bytes_back)
{
    struct pollfd readable;
    int fds[2];
    char buf[8];

    connect_nodes(fds);
    sim_world_cut(world, a, b, true);
    ck_assert_int_eq(test_send(a, fds[0], "hello", 5), 5);
    ck_assert_int_eq(test_send(b, fds[1], "there", 5), 5);
    test_recv_all(a, fds[0], buf, 5);
    readable = (struct pollfd){.fd = fds[1], .events = POLLIN};
    ck_assert_int_eq(os_poll(b, &readable, 1, 600 * (int64_t)NSEC_PER_SEC), 0);
    sim_world_cut(world, a, b, false);
    test_recv_all(b, fds[1], buf, 5);
    ck_assert_int_eq(memcmp(buf, "hello", 5), 0);
    close_both(fds);
}
END_TEST

/* Dialling through a cut succeeds when it heals in time, and times out as on Linux else. */
START_TEST(dialling_through_a_cut)
{
    struct sockaddr_storage addr, peer;
    int listener = test_listen(b, AF_INET, 4, &addr), fd, accepted;
    uint64_t begin = sim_world_now(world);

    sim_world_cut(world, a, b, true);
    fd = test_dial(a, &addr);
    os_sleep_ns(a, 2 * NSEC_PER_SEC);
    ck_assert_int_eq(os_connect_result(a, fd), 0);
    sim_world_cut(world, a, b, false);
    test_wait_fd(a, fd, POLLOUT);
    ck_assert_int_eq(os_connect_result(a, fd), 1);
    test_wait_fd(b, listener, POLLIN);
    accepted = os_accept(b, listener, &peer);
    os_close(a, fd);
    os_close(b, accepted);

    sim_world_cut(world, a, b, true);
    begin = sim_world_now(world);
    fd = test_dial(a, &addr);
    test_wait_fd(a, fd, POLLOUT);
    ck_assert_int_eq(os_connect_result(a, fd), -ETIMEDOUT);
    ck_assert_uint_ge(sim_world_now(world) - begin, 127 * NSEC_PER_SEC);
    os_close(a, fd);
    os_close(b, listener);
}
END_TEST

/* ---- addresses ---- */

/* Nodes have addresses of their own, and share the loopback ones. */
START_TEST(nodes_have_addresses)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(7)};
    struct sockaddr_storage peer;
    int listener = os_socket(b, AF_INET), fd = os_socket(a, AF_INET), accepted;

    own.sin_addr.s_addr = htonl(0x0a000001); /* of a, not of b */
    ck_assert_int_eq(os_bind(b, listener, (struct sockaddr *)&own, sizeof(own)),
                     -EADDRNOTAVAIL);
    own.sin_addr.s_addr = htonl(0x0a000002);
    ck_assert_int_eq(os_bind(b, listener, (struct sockaddr *)&own, sizeof(own)), 0);
    ck_assert_int_eq(os_listen(b, listener, 4), 0);
    ck_assert_int_eq(os_connect(a, fd, (struct sockaddr *)&own, sizeof(own)), -EINPROGRESS);
    test_wait_fd(b, listener, POLLIN);
    accepted = os_accept(b, listener, &peer);
    ck_assert_int_ge(accepted, 0);
    ck_assert_uint_eq(((struct sockaddr_in *)&peer)->sin_addr.s_addr, htonl(0x0a000001));
    os_close(a, fd);
    os_close(b, accepted);
    os_close(b, listener);

    own.sin_addr.s_addr = htonl(0x0a000009);
    fd = os_socket(a, AF_INET);
    ck_assert_int_eq(os_connect(a, fd, (struct sockaddr *)&own, sizeof(own)), -ENETUNREACH);
    os_close(a, fd);
}
END_TEST

/* One port at one address is bound once, whichever node asks; at two addresses twice. */
START_TEST(ports_are_exclusive)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(3300)};
    int one = os_socket(a, AF_INET), two = os_socket(b, AF_INET);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(os_bind(a, one, (struct sockaddr *)&addr, sizeof(addr)), 0);
    ck_assert_int_eq(os_bind(b, two, (struct sockaddr *)&addr, sizeof(addr)), -EADDRINUSE);
    addr.sin_addr.s_addr = htonl(INADDR_ANY);
    ck_assert_int_eq(os_bind(b, two, (struct sockaddr *)&addr, sizeof(addr)), 0);
    os_close(a, one);
    os_close(b, two);
}
END_TEST

/* Descriptors run out at the limit, and come back with close. */
START_TEST(descriptors_run_out)
{
    const struct sim_world_opts opts = {.seed = 1, .fds_max = 10};
    int fds[8], n = 0;

    sim_world_free(world);
    open_world(&opts);
    while (n < 8 && (fds[n] = os_socket(a, AF_INET)) >= 0) {
        n++;
    }
    ck_assert_int_eq(n, 7); /* 3 .. 9 */
    ck_assert_int_eq(fds[n], -EMFILE);
    os_close(a, fds[2]);
    ck_assert_int_eq(os_socket(a, AF_INET), fds[2]);
    while (n-- > 0) {
        os_close(a, fds[n]);
    }
}
END_TEST

/* ---- ends ---- */

/* After a close with unread bytes the peer reads what had arrived, then ECONNRESET, then
 * the end; it sends into EPIPE. */
START_TEST(unread_bytes_reset)
{
    int fds[2];
    char buf[8];

    connect_nodes(fds);
    ck_assert_int_eq(test_send(b, fds[1], "abc", 3), 3);
    ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
    os_sleep_ns(a, 2 * LATENCY);
    os_close(b, fds[1]);
    os_sleep_ns(a, 2 * LATENCY);
    ck_assert_int_eq(os_recv(a, fds[0], buf, sizeof(buf)), 3);
    ck_assert_int_eq(os_recv(a, fds[0], buf, sizeof(buf)), -ECONNRESET);
    ck_assert_int_eq(os_recv(a, fds[0], buf, sizeof(buf)), 0);
    ck_assert_int_eq(test_send(a, fds[0], "y", 1), -EPIPE);
    os_close(a, fds[0]);
}
END_TEST

/* The bytes of a node that closed still arrive; what is sent to it then is answered by
 * RST. */
START_TEST(closed_end_answers_with_reset)
{
    int fds[2];
    char buf[8];

    connect_nodes(fds);
    ck_assert_int_eq(test_send(b, fds[1], "last", 4), 4);
    os_close(b, fds[1]);
    test_recv_all(a, fds[0], buf, 4);
    ck_assert_int_eq(test_recv_some(a, fds[0], buf, sizeof(buf)), 0);
    ck_assert_int_eq(test_send(a, fds[0], "y", 1), 1); /* nobody knows yet */
    os_sleep_ns(a, 2 * LATENCY);
    ck_assert_int_eq(test_send(a, fds[0], "z", 1), -EPIPE);
    ck_assert_int_eq(os_recv(a, fds[0], buf, sizeof(buf)), 0);
    os_close(a, fds[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim net");
    TCase *tc = tcase_create("network");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, latency_is_exact);
    tcase_add_test(tc, rate_is_kept);
    tcase_add_loop_test(tc, bytes_stay_in_order, 0, 20);
    tcase_add_test(tc, cut_holds_bytes_back);
    tcase_add_test(tc, dialling_through_a_cut);
    tcase_add_test(tc, nodes_have_addresses);
    tcase_add_test(tc, ports_are_exclusive);
    tcase_add_test(tc, descriptors_run_out);
    tcase_add_test(tc, unread_bytes_reset);
    tcase_add_test(tc, closed_end_answers_with_reset);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
