/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_conns.c: each fault of connections, addresses, backlogs and windows by
 * itself: who is told, when and how; and that it is gone after the heal.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/unit/sim/net/test_net_nodes.h"

/* ---- L08: black holes, filters, resets ---- */

/* An established connection stalls in silence and is told in the end; new ones are
 * made. */
START_TEST(blackhole_is_silent)
{
    uint64_t begin = now();
    int other[2];
    char byte;

    ck_assert_int_eq(sim_net_blackhole(world, a, b, SIM_SILENT), 1);
    ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
    connect_nodes(a, b, other);
    os_close(a, other[0]);
    os_close(b, other[1]);
    ck_assert(comes_within(a, fds[0], 1000 * NSEC_PER_SEC));
    ck_assert_uint_ge(now() - begin, 924600 * MS);
    ck_assert_int_eq(os_recv(a, fds[0], &byte, 1), -ETIMEDOUT);
    ck_assert_int_eq(os_recv(b, fds[1], &byte, 1), -EAGAIN); /* b knows nothing */
    ck_assert_uint_eq(fired(FAULT_S13_TIMED_OUT), 1);
    ck_assert_int_eq(test_send(b, fds[1], "y", 1), 1);
    ck_assert(
        !comes_within(b, fds[1], 60 * NSEC_PER_SEC)); /* the RST to it vanishes, too */
}
END_TEST

/* With an answer: RST ends it at once, ICMP gives the error of the end. */
START_TEST(blackhole_answers)
{
    char byte;
    int other[2];

    connect_nodes(a, b, other);
    sim_net_blackhole(world, a, b, SIM_HOST_UNREACHABLE);
    ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
    ck_assert(comes_within(a, fds[0], 1000 * NSEC_PER_SEC));
    ck_assert_int_eq(os_recv(a, fds[0], &byte, 1), -EHOSTUNREACH);
    sim_net_blackhole(world, a, b, SIM_RST);
    ck_assert_int_eq(test_send(a, other[0], "x", 1), 1);
    ck_assert(comes_within(a, other[0], 3 * LATENCY));
    ck_assert_int_eq(os_recv(a, other[0], &byte, 1), -ECONNRESET);
    ck_assert_int_eq(os_recv(b, other[1], &byte, 1), -EAGAIN);
    os_close(a, other[0]);
    os_close(b, other[1]);
}
END_TEST

/* What a filter makes of a new connection. */
START_TEST(filters_answer_diallers)
{
    static const struct {
        enum sim_block how;
        int error;
    } kinds[] = {
        {SIM_RST, ECONNREFUSED},
        {SIM_NET_UNREACHABLE, ENETUNREACH},
        {SIM_HOST_UNREACHABLE, EHOSTUNREACH},
        {SIM_PORT_UNREACHABLE, ECONNREFUSED},
        {SIM_PROTO_UNREACHABLE, ENOPROTOOPT},
        {SIM_ADMIN_PROHIBITED, EHOSTUNREACH},
        {SIM_TTL_EXCEEDED, EHOSTUNREACH},
        {SIM_SILENT, ETIMEDOUT},
    };
    struct sockaddr_storage addr;
    int listener = test_listen(b, AF_INET, 4, &addr);

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        uint64_t begin = now();
        int fd;

        sim_net_filter(world, a, b, kinds[i].how);
        fd = test_dial(a, &addr);
        test_wait_fd(a, fd, POLLOUT);
        ck_assert_int_eq(os_connect_result(a, fd), -kinds[i].error);
        ck_assert_uint_ge(now() - begin,
                          kinds[i].how == SIM_SILENT ? 127 * NSEC_PER_SEC : 2 * LATENCY);
        os_close(a, fd);
    }
    ck_assert_uint_eq(trip(), LATENCY); /* what is established passes */
    ck_assert(!test_is_ready(b, listener, POLLIN));
    os_close(b, listener);
}
END_TEST

/* Accepted, and reset before the first byte, at both ends. */
START_TEST(accepted_then_reset)
{
    int other[2];
    char byte;

    sim_net_filter(world, a, b, SIM_ACCEPT_RST);
    connect_nodes(a, b, other);
    ck_assert_int_eq(os_recv(b, other[1], &byte, 1), -ECONNRESET);
    ck_assert_int_eq(test_recv_some(a, other[0], &byte, 1), -ECONNRESET);
    os_close(a, other[0]);
    os_close(b, other[1]);
    sim_net_heal(world);
    connect_nodes(a, b, other);
    ck_assert_int_eq(os_recv(b, other[1], &byte, 1), -EAGAIN);
    os_close(a, other[0]);
    os_close(b, other[1]);
}
END_TEST

/* Everything between two nodes ends, in whatever state it is; others go on. */
START_TEST(reset_ends_what_there_is)
{
    struct sockaddr_storage addr;
    int listener = test_listen(b, AF_INET, 4, &addr), dialling = test_dial(a, &addr);
    int other[2];
    char byte;

    connect_nodes(b, c, other);
    dialling = dialling >= 0 ? dialling : -1;
    ck_assert_int_eq(sim_net_reset(world, a, b, ETIMEDOUT), 2);
    ck_assert_int_eq(os_recv(a, fds[0], &byte, 1), -ETIMEDOUT);
    ck_assert_int_eq(os_recv(b, fds[1], &byte, 1), -ETIMEDOUT);
    ck_assert_int_eq(os_connect_result(a, dialling), -ETIMEDOUT);
    ck_assert_int_eq(os_recv(c, other[1], &byte, 1), -EAGAIN);
    os_close(a, dialling);
    os_close(b, listener);
    os_close(b, other[0]);
    os_close(c, other[1]);
}
END_TEST

/* ---- L11: addresses ---- */

static int dial_own_address(struct os *from, uint32_t ip, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = os_socket(from, AF_INET), err;

    in.sin_addr.s_addr = htonl(ip);
    err = os_connect(from, fd, (struct sockaddr *)&in, sizeof(in));
    if (err != -EINPROGRESS) {
        os_close(from, fd);
        return err;
    }
    return fd;
}

/* Without IPv4 nothing new is made there, the old stalls (or ends); IPv6 is not
 * concerned. */
START_TEST(family_goes_and_comes)
{
    struct sockaddr_storage six, peer;
    int listener = test_listen(b, AF_INET6, 4, &six), fd, accepted;
    char byte;

    ck_assert_int_eq(sim_net_family(world, a, AF_UNIX, false, SIM_SILENT), -EAFNOSUPPORT);
    ck_assert_int_eq(sim_net_family(world, a, AF_INET, false, SIM_SILENT), 0);
    ck_assert_int_eq(dial_own_address(a, 0x0a000002, 7), -ENETUNREACH);
    ck_assert_int_eq(test_send(b, fds[1], "x", 1), 1);
    ck_assert(!comes_within(a, fds[0], 60 * NSEC_PER_SEC));
    fd = test_dial(a, &six);
    test_wait_fd(b, listener, POLLIN);
    accepted = os_accept(b, listener, &peer);
    ck_assert_int_eq(sim_net_family(world, a, AF_INET, true, SIM_SILENT), 0);
    ck_assert(comes_within(a, fds[0], 6 * NSEC_PER_SEC));
    ck_assert_int_eq(sim_net_family(world, a, AF_INET, false, SIM_RST), 0);
    ck_assert_int_eq(os_recv(a, fds[0], &byte, 1), 1);
    ck_assert_int_eq(os_recv(a, fds[0], &byte, 1), -ECONNABORTED);
    os_close(a, fd);
    os_close(b, accepted);
    os_close(b, listener);
}
END_TEST

/* A new address: who knows the old one finds nobody, what used it stalls. */
START_TEST(address_changes)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(7)};
    struct sockaddr_storage peer;
    int listener = os_socket(b, AF_INET), fd, accepted;

    ck_assert_int_eq(os_bind(b, listener, (struct sockaddr *)&any, sizeof(any)), 0);
    ck_assert_int_eq(os_listen(b, listener, 4), 0);
    fd = dial_own_address(a, 0x0a000002, 7);
    test_wait_fd(b, listener, POLLIN);
    accepted = os_accept(b, listener, &peer);
    ck_assert_int_eq(sim_net_readdress(world, b, AF_INET, 3), -EADDRINUSE);
    ck_assert_int_eq(sim_net_readdress(world, b, AF_INET, 77), 0);
    ck_assert_int_eq(test_send(a, fd, "x", 1), 1);
    ck_assert(!comes_within(b, accepted, 60 * NSEC_PER_SEC));
    ck_assert_int_eq(dial_own_address(a, 0x0a000002, 7), -ENETUNREACH);
    os_close(a, fd);
    os_close(b, accepted);
    fd = dial_own_address(a, 0x0a00004d, 7);
    test_wait_fd(b, listener, POLLIN);
    accepted = os_accept(b, listener, &peer);
    ck_assert_int_ge(accepted, 0);
    os_close(a, fd);
    os_close(b, accepted);
    os_close(b, listener);
}
END_TEST

/* ---- S02, S14: backlog, windows ---- */

/* With backlog_refuses who finds no room is told so. */
START_TEST(full_backlog_refuses)
{
    const struct sim_world_opts opts = {
        .seed = 1, .link = {.latency_ns = LATENCY}, .backlog_refuses = true};
    struct sockaddr_storage addr;
    int listener, first, second;

    teardown();
    open_world(&opts);
    connect_nodes(a, b, fds);
    listener = test_listen(b, AF_INET, 0, &addr);
    first = test_dial(a, &addr);
    test_wait_fd(b, listener, POLLIN);
    second = test_dial(a, &addr);
    test_wait_fd(a, second, POLLOUT);
    ck_assert_int_eq(os_connect_result(a, second), -ECONNREFUSED);
    ck_assert_uint_eq(fired(FAULT_S02_BACKLOG), 1);
    os_close(a, first);
    os_close(a, second);
    os_close(b, listener);
}
END_TEST

/* A shut window: the sender fills its buffer and stops; nothing is lost when it opens. */
START_TEST(window_shuts_and_opens)
{
    static uint8_t block[10000], got[10000];
    size_t sent = 0;
    ssize_t n;

    ck_assert_uint_eq(trip(), LATENCY);
    sim_net_shut_windows(world, b, true);
    while ((n = test_send(a, fds[0], block, sizeof(block))) > 0) {
        sent += (size_t)n;
        os_sleep_ns(a, 10 * MS);
    }
    ck_assert_int_eq(n, -EAGAIN);
    ck_assert_int_eq(os_recv(b, fds[1], got, 1), -EAGAIN);
    ck_assert(!comes_within(b, fds[1], 3000 * NSEC_PER_SEC)); /* it is asked, and answers */
    sim_net_shut_windows(world, b, false);
    while (sent > 0) {
        n = test_recv_some(b, fds[1], got, sizeof(got));
        ck_assert_int_gt(n, 0);
        sent -= (size_t)n;
    }
    test_wait_fd(a, fds[0], POLLOUT);
}
END_TEST

/* ---- S10: closes that nobody hears of ---- */

/* A FIN in a cut is sent again, for a while; then the peer is left alone. When it says
 * something, it is answered by RST. */
START_TEST(lost_fin_leaves_half_a_connection)
{
    int other[2];
    char byte;

    connect_nodes(a, b, other);
    sim_world_cut(world, a, b, true);
    os_close(a, other[0]);
    ck_assert(!comes_within(b, other[1], 200 * NSEC_PER_SEC));
    sim_world_cut(world, a, b, false);
    ck_assert(!comes_within(b, other[1], 200 * NSEC_PER_SEC));
    ck_assert_int_eq(test_send(b, other[1], "x", 1), 1);
    ck_assert_int_eq(test_recv_some(b, other[1], &byte, 1), -ECONNRESET);
    os_close(b, other[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim net conns");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, blackhole_is_silent);
    tcase_add_test(tc, blackhole_answers);
    tcase_add_test(tc, filters_answer_diallers);
    tcase_add_test(tc, accepted_then_reset);
    tcase_add_test(tc, reset_ends_what_there_is);
    tcase_add_test(tc, family_goes_and_comes);
    tcase_add_test(tc, address_changes);
    tcase_add_test(tc, full_backlog_refuses);
    tcase_add_test(tc, window_shuts_and_opens);
    tcase_add_test(tc, lost_fin_leaves_half_a_connection);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
