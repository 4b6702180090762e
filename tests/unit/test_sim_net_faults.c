/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sim_net_faults.c: each fault of the network by itself: it happens, where and when it
 * was said, and is gone after the heal.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/util.h"
#include "sim/faults.h"
#include "sim/net_faults.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

#define MS NSEC_PER_MSEC
#define LATENCY MS

/* The test itself is a thread of the world, and calls all nodes. */
static struct sim_world *world;
static struct sim_faults *faults;
static struct os *a, *b, *c;
static int fds[2]; /* of a and of b: fds[0] dialled fds[1] */

static void open_world(const struct sim_world_opts *opts)
{
    world = sim_world_new(opts);
    a = sim_world_node(world, 1, "a");
    b = sim_world_node(world, 2, "b");
    c = sim_world_node(world, 3, "c");
    faults = sim_faults_new(sim_world_decisions(world), opts->seed);
    sim_net_set_faults(world, faults);
}

static void connect_nodes(struct os *from, struct os *to, int ret[2])
{
    struct sockaddr_storage addr, peer;
    int listener = test_listen(to, AF_INET, 4, &addr);

    ret[0] = test_dial(from, &addr);
    test_wait_fd(to, listener, POLLIN);
    ret[1] = os_accept(to, listener, &peer);
    ck_assert_int_ge(ret[1], 0);
    os_close(to, listener);
}

static void setup(void)
{
    const struct sim_world_opts opts = {.seed = 1, .link = {.latency_ns = LATENCY}};

    open_world(&opts);
    connect_nodes(a, b, fds);
}

static void teardown(void)
{
    os_close(a, fds[0]);
    os_close(b, fds[1]);
    ck_assert_int_eq(sim_node_open_fds(a) + sim_node_open_fds(b) + sim_node_open_fds(c), 0);
    sim_world_free(world);
    sim_faults_free(faults);
}

static uint64_t now(void)
{
    return sim_world_now(world);
}

static uint64_t fired(enum fault_id id)
{
    struct fault_counts counts;

    sim_faults_counts(faults, id, &counts);
    return counts.fired;
}

/* Sends a byte from a to b. When it arrived, from now. */
static uint64_t trip(void)
{
    uint64_t begin = now();
    char byte;

    ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
    test_recv_all(b, fds[1], &byte, 1);
    ck_assert_int_eq(byte, 'x');
    return now() - begin;
}

static bool comes_within(struct os *os, int fd, uint64_t ns)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return os_poll(os, &p, 1, (int64_t)ns) == 1;
}

static void set_link(struct sim_link link)
{
    sim_world_set_link(world, a, b, &link);
}

static struct sim_link_stats stats_of(struct os *from, struct os *to)
{
    struct sim_link_stats stats;

    sim_net_stats(world, from, to, &stats);
    return stats;
}

static void add_rule(enum fault_id id, struct fault_rule rule)
{
    rule.id = id;
    rule.count = MAX(rule.count, 1u);
    ck_assert_int_gt(sim_faults_add(faults, &rule), 0);
}

/* ---- L01, L02: time ---- */

/* Every shape stays within jitter_ns; the exponential is small mostly, the tail rarely but
 * then long. */
START_TEST(jitter_has_a_shape)
{
    enum { TRIPS = 2000 };
    int small[3] = {0}, large[3] = {0};

    for (int shape = 0; shape < 3; shape++) {
        set_link((struct sim_link){.jitter_ns = 16 * MS,
                                   .jitter_shape = (enum sim_jitter_shape)shape});
        for (int i = 0; i < TRIPS; i++) {
            uint64_t ns = trip();

            ck_assert_uint_le(ns, 16 * MS);
            small[shape] += ns <= 2 * MS;
            large[shape] += ns >= 8 * MS;
        }
    }
    ck_assert_int_lt(abs(small[SIM_JITTER_UNIFORM] - TRIPS / 8), TRIPS / 20);
    ck_assert_int_gt(small[SIM_JITTER_EXP], TRIPS * 3 / 10);
    ck_assert_int_lt(large[SIM_JITTER_EXP], TRIPS * 2 / 10);
    ck_assert_int_gt(small[SIM_JITTER_TAIL], TRIPS * 9 / 10);
    ck_assert_int_gt(large[SIM_JITTER_TAIL], TRIPS / 32);
}
END_TEST

/* Headers take their share of the rate. */
START_TEST(segments_have_overhead)
{
    static char data[10000];
    uint64_t begin = now();

    set_link((struct sim_link){.bytes_per_sec = 1000000, .mtu = 1000, .overhead = 100});
    test_send_all(a, fds[0], data, sizeof(data));
    test_recv_all(b, fds[1], data, sizeof(data));
    ck_assert_uint_eq(now() - begin, 11 * MS);
}
END_TEST

/* What does not fit into the queue is sent again: it comes, late, and is counted. */
START_TEST(full_queue_drops)
{
    static char data[10000];
    uint64_t begin = now();

    set_link((struct sim_link){.bytes_per_sec = 1000000, .mtu = 1000, .queue_bytes = 4000});
    test_send_all(a, fds[0], data, sizeof(data));
    test_recv_all(b, fds[1], data, sizeof(data));
    ck_assert_uint_ge(now() - begin, 200 * MS);
    ck_assert_uint_ge(stats_of(a, b).dropped, 5);
    ck_assert_uint_gt(stats_of(a, b).stalled_ns, 0);
    ck_assert_uint_gt(fired(FAULT_L02_QUEUE), 0);
    set_link((struct sim_link){.latency_ns = LATENCY});
    ck_assert_uint_eq(trip(), LATENCY);
}
END_TEST

/* ---- L03: loss ---- */

/* Every third segment comes when it is sent again, 200 ms and two latencies later. */
START_TEST(every_nth_is_lost)
{
    set_link((struct sim_link){.latency_ns = LATENCY, .loss_nth = 3});
    for (int i = 1; i <= 9; i++) {
        ck_assert_uint_eq(trip(), i % 3 == 0 ? 203 * MS : LATENCY);
    }
    ck_assert_uint_eq(stats_of(a, b).dropped, 3);
    sim_net_heal(world);
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_eq(trip(), LATENCY);
    }
}
END_TEST

/* Losses of a burst follow each other; the same rate without bursts loses as much alone. */
START_TEST(losses_come_in_bursts)
{
    int lost[2] = {0}, twice[2] = {0};

    for (int burst = 0; burst < 2; burst++) {
        bool before = false;

        set_link((struct sim_link){.loss = 30, .loss_burst = (uint16_t)(burst * 800)});
        for (int i = 0; i < 3000; i++) {
            bool is_lost = trip() > 0;

            lost[burst] += is_lost;
            twice[burst] += is_lost && before;
            before = is_lost;
        }
    }
    ck_assert_int_gt(lost[0], 30);
    ck_assert_int_lt(twice[0] * 5, lost[0]);
    ck_assert_int_gt(twice[1] * 2, lost[1]);
    ck_assert_uint_gt(fired(FAULT_L03_LINK_LOSS), 0);
}
END_TEST

/* A rule picks one segment, and how often in a row it is lost: 202 + 404 ms, and the trip. */
START_TEST(rule_loses_one_segment)
{
    add_rule(FAULT_L03_LOSS,
             (struct fault_rule){.node = "a", .peer = "b", .nth = 2, .value = 2});
    ck_assert_uint_eq(trip(), LATENCY);
    ck_assert_uint_eq(trip(), 607 * MS);
    ck_assert_uint_eq(trip(), LATENCY);
    ck_assert_uint_eq(fired(FAULT_L03_LOSS), 1);
}
END_TEST

/* ---- L05, L14: order between connections, slots ---- */

/* Later bytes of another connection overtake; within one they do not. */
START_TEST(others_overtake)
{
    int other[2];
    char byte;

    connect_nodes(a, b, other);
    add_rule(FAULT_L05_REORDER, (struct fault_rule){.time_ns = 5 * MS});
    ck_assert_int_eq(test_send(a, fds[0], "1", 1), 1);
    ck_assert_int_eq(test_send(a, other[0], "2", 1), 1);
    ck_assert_int_eq(test_send(a, fds[0], "3", 1), 1);
    test_recv_all(b, other[1], &byte, 1);
    ck_assert_int_eq(os_recv(b, fds[1], &byte, 1), -EAGAIN);
    test_recv_all(b, fds[1], &byte, 1);
    ck_assert_int_eq(byte, '1');
    test_recv_all(b, fds[1], &byte, 1);
    ck_assert_int_eq(byte, '3');
    os_close(a, other[0]);
    os_close(b, other[1]);
}
END_TEST

/* Nothing, then many at one instant. */
START_TEST(slots_batch)
{
    char bytes[10];

    set_link((struct sim_link){.latency_ns = 1000, .slot_ns = 10 * MS});
    os_sleep_ns(a, 10 * MS - now() % (10 * MS) + 1000);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
        os_sleep_ns(a, 100000);
    }
    ck_assert_int_eq(os_recv(b, fds[1], bytes, 10), -EAGAIN);
    test_wait_fd(b, fds[1], POLLIN);
    ck_assert_uint_eq(now() % (10 * MS), 0);
    ck_assert_int_eq(os_recv(b, fds[1], bytes, 10), 10);
}
END_TEST

/* ---- L06, L07: cuts, jams, clogs ---- */

/* After a heal the bytes come when they are sent again; with heal_at_once at once. */
START_TEST(heal_waits_for_the_next_try)
{
    const struct sim_world_opts at_once = {
        .seed = 1, .link = {.latency_ns = LATENCY}, .heal_at_once = true};
    uint64_t begin;
    char byte;

    for (int i = 0; i < 2; i++) {
        begin = now();
        sim_world_cut(world, a, b, true);
        ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
        os_sleep_ns(a, 300 * MS); /* tries fail after 1 and 203 ms; the next is after 607 */
        sim_world_cut(world, a, b, false);
        test_recv_all(b, fds[1], &byte, 1);
        ck_assert_uint_eq(now() - begin, i == 0 ? 607 * MS : 300 * MS);
        ck_assert_uint_eq(fired(FAULT_L06_CUT), 1);
        if (i == 0) {
            teardown();
            open_world(&at_once);
            connect_nodes(a, b, fds);
        }
    }
}
END_TEST

/* Groups are cut off from each other, and nobody else. */
START_TEST(partition_has_groups)
{
    struct os *const nodes[] = {a, b, c};
    const int groups[] = {0, 1, 1};
    int other[2];

    connect_nodes(b, c, other);
    sim_net_partition(world, nodes, groups, 3);
    ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
    ck_assert_int_eq(test_send(b, other[0], "x", 1), 1);
    ck_assert(comes_within(c, other[1], 2 * LATENCY));
    ck_assert(!comes_within(b, fds[1], 60 * NSEC_PER_SEC));
    sim_net_heal(world);
    ck_assert(comes_within(b, fds[1], 6 * NSEC_PER_SEC));
    sim_net_isolate(world, c);
    ck_assert_int_eq(test_send(b, fds[1], "x", 1), 1);
    ck_assert_int_eq(test_send(b, other[0], "y", 1), 1);
    ck_assert(comes_within(a, fds[0], 2 * LATENCY));
    os_sleep_ns(a, NSEC_PER_SEC);
    ck_assert_uint_eq(stats_of(b, c).dropped, 3); /* after 1, 203, 607 ms */
    os_close(b, other[0]);
    os_close(c, other[1]);
}
END_TEST

/* A jam holds everything, and lets it go at one instant, at once. */
START_TEST(jam_bursts)
{
    uint64_t begin = now();
    char bytes[3];

    sim_net_clog(world, a, b, 0, UINT64_MAX);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
        os_sleep_ns(a, 10 * NSEC_PER_SEC);
    }
    ck_assert_int_eq(os_recv(b, fds[1], bytes, 3), -EAGAIN);
    sim_net_heal_between(world, a, b);
    test_wait_fd(b, fds[1], POLLIN);
    ck_assert_uint_eq(now() - begin, 30 * NSEC_PER_SEC);
    ck_assert_int_eq(os_recv(b, fds[1], bytes, 3), 3);
    ck_assert_uint_eq(stats_of(a, b).dropped, 0);
}
END_TEST

/* A clog is one way, of one port, and over by itself. */
START_TEST(clog_is_one_way_and_port)
{
    struct sockaddr_storage addr;
    char byte;
    uint16_t port;

    ck_assert_int_eq(os_local_addr(a, fds[0], &addr), 0);
    port = ntohs(((struct sockaddr_in *)&addr)->sin_port);
    sim_net_clog(world, a, b, (uint16_t)(port + 1), NSEC_PER_SEC);
    ck_assert_uint_eq(trip(), LATENCY);
    sim_net_heal(world);
    sim_net_clog(world, a, b, port, 50 * MS);
    ck_assert_int_eq(test_send(b, fds[1], "y", 1), 1);
    ck_assert_uint_eq(trip(), 50 * MS);
    test_recv_all(a, fds[0], &byte, 1);
    ck_assert_uint_eq(trip(), LATENCY);
}
END_TEST

/* Each node is clogged for a while around the middle, and free at the end. */
START_TEST(swizzle_is_over_in_time)
{
    struct os *const nodes[] = {a, b};
    uint64_t begin = now();
    char byte;

    sim_net_swizzle(world, nodes, 2, 100 * MS);
    os_sleep_ns(a, 50 * MS);
    ck_assert_int_eq(test_send(a, fds[0], "x", 1), 1);
    test_recv_all(b, fds[1], &byte, 1);
    ck_assert_uint_gt(now() - begin, 50 * MS + LATENCY);
    ck_assert_uint_le(now() - begin, 100 * MS);
    os_sleep_ns(a, 50 * MS);
    ck_assert_uint_eq(trip(), LATENCY);
}
END_TEST

/* ---- L08: black holes, filters, resets ---- */

/* An established connection stalls in silence and is told in the end; new ones are made. */
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

/* ---- L09: sizes ---- */

/* Bytes arrive in pieces of the segment's size, exactly. */
START_TEST(segments_have_a_size)
{
    char data[100];

    set_link((struct sim_link){.latency_ns = LATENCY, .mtu = 33});
    ck_assert_int_eq(test_send(a, fds[0], data, 100), 100);
    for (int left = 100; left > 0; left -= 33) {
        test_wait_fd(b, fds[1], POLLIN);
        ck_assert_int_eq(os_recv(b, fds[1], data, 100), MIN(left, 33));
    }
}
END_TEST

/* Small segments pass, large ones never do, until it heals. */
START_TEST(pmtu_hole_takes_the_large)
{
    static char data[2000];

    sim_net_pmtu_hole(world, a, b, 1000);
    ck_assert_uint_eq(trip(), LATENCY);
    ck_assert_int_eq(test_send(a, fds[0], data, sizeof(data)), sizeof(data));
    ck_assert(!comes_within(b, fds[1], 60 * NSEC_PER_SEC));
    sim_net_heal(world);
    test_recv_all(b, fds[1], data, sizeof(data));
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

/* Without IPv4 nothing new is made there, the old stalls (or ends); IPv6 is not concerned. */
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

/* ---- L13: a line for many ---- */

/* Two links share what one could have alone. */
START_TEST(bottleneck_is_shared)
{
    static char data[50000];
    struct os *const nodes[] = {a, b, c};
    uint64_t begin, alone;
    int other[2];

    connect_nodes(a, c, other);
    sim_net_bottleneck(world, nodes, 3, 1000000, 0);
    begin = now();
    ck_assert_int_eq(test_send(a, fds[0], data, sizeof(data)), sizeof(data));
    test_recv_all(b, fds[1], data, sizeof(data));
    alone = now() - begin;
    ck_assert_uint_eq(alone, 50 * MS + LATENCY);
    begin = now();
    ck_assert_int_eq(test_send(a, fds[0], data, sizeof(data)), sizeof(data));
    ck_assert_int_eq(test_send(a, other[0], data, sizeof(data)), sizeof(data));
    test_recv_all(c, other[1], data, sizeof(data));
    ck_assert_uint_eq(now() - begin, 100 * MS + LATENCY);
    test_recv_all(b, fds[1], data, sizeof(data));
    sim_net_bottleneck(world, nodes, 3, 0, 0);
    ck_assert_uint_eq(trip(), LATENCY);
    os_close(a, other[0]);
    os_close(c, other[1]);
}
END_TEST

/* ---- L15: wrong bytes ---- */

/* Every kind changes what arrives, once, and as it says. */
START_TEST(corruption_is_as_said)
{
    enum sim_corrupt kind = (enum sim_corrupt)(1 + _i);
    uint8_t sent[256], got[600];
    int other[2];
    ssize_t n;

    connect_nodes(a, b, other); /* whose bytes are on their way */
    for (size_t i = 0; i < sizeof(sent); i++) {
        sent[i] = testlib_pattern(9, i);
    }
    ck_assert_int_eq(test_send(a, other[0],
                               "foreign bytes, enough for any range of sixty-four"
                               " bytes: 0123456789abcdef",
                               72),
                     72);
    sim_net_corrupt(world, a, b, kind, 2);
    ck_assert_int_eq(test_send(a, fds[0], sent, sizeof(sent)), sizeof(sent));
    ck_assert_int_eq(test_send(a, fds[0], sent, sizeof(sent)), sizeof(sent));
    os_sleep_ns(b, 2 * LATENCY);
    n = os_recv(b, fds[1], got, sizeof(got));
    ck_assert_int_eq(memcmp(sent, got, sizeof(sent)), 0);
    if (kind == SIM_CORRUPT_EXTRA) {
        ck_assert_int_eq(n, 2 * sizeof(sent) + 1);
    } else if (kind == SIM_CORRUPT_MISSING) {
        ck_assert_int_eq(n, 2 * sizeof(sent) - 1);
    } else if (kind == SIM_CORRUPT_TAIL) {
        ck_assert_int_lt(n, 2 * sizeof(sent));
    } else {
        ck_assert_int_eq(n, 2 * sizeof(sent));
        ck_assert_int_ne(memcmp(sent, got + sizeof(sent), sizeof(sent)), 0);
    }
    ck_assert_uint_eq(stats_of(a, b).corrupted, 1);
    ck_assert_uint_eq(trip(), LATENCY);
    os_close(a, other[0]);
    os_close(b, other[1]);
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

/* ---- what chance does, and rules ---- */

/* Sends a segment. Whether it arrived after the latency, as it was. */
static bool is_untouched(void)
{
    uint8_t data[100], got[101];

    memset(data, 0x5a, sizeof(data));
    ck_assert_int_eq(test_send(a, fds[0], data, sizeof(data)), sizeof(data));
    os_sleep_ns(a, LATENCY);
    return os_recv(b, fds[1], got, sizeof(got)) == sizeof(data) &&
           memcmp(data, got, sizeof(data)) == 0;
}

/* Each fault of segments happens by a rule, to the segment that it names, and is counted;
 * stopped faults do not happen. */
START_TEST(rules_hit_segments)
{
    enum fault_id id = (enum fault_id)_i;

    if (strcmp(fault_info(id)->site, "world.packet") != 0) {
        return;
    }
    add_rule(id,
             (struct fault_rule){.node = "a", .peer = "b", .nth = 3, .time_ns = 7 * MS});
    sim_faults_stop(faults, true);
    for (int i = 0; i < 4; i++) {
        ck_assert(is_untouched());
    }
    sim_faults_stop(faults, false);
    ck_assert(is_untouched());
    ck_assert(is_untouched());
    ck_assert_uint_eq(fired(id), 0);
    ck_assert(!is_untouched());
    ck_assert_uint_eq(fired(id), 1);
}
END_TEST

/* What chance does is in the log under the end's name and the segment's number, wherever the
 * fault was armed; and an override does the same. */
START_TEST(choices_are_numbered_by_segment)
{
    const struct sim_world_opts replay = {
        .seed = 1, .link = {.latency_ns = LATENCY}, .defaults = true};
    char line[200];

    teardown();
    open_world(&replay);
    ck_assert_int_eq(sim_decisions_load(sim_world_decisions(world), "l03_loss b<a.1 5 1\n",
                                        line, sizeof(line)),
                     0);
    connect_nodes(a, b,
                  fds); /* SYN and ACK are segments, too, but only the SYN is counted */
    ck_assert_uint_eq(trip(), LATENCY);
    set_link((struct sim_link){.latency_ns = LATENCY, .loss = 1});
    for (int i = 2; i <= 6; i++) {
        ck_assert_uint_eq(trip(), i == 4 ? 203 * MS : LATENCY);
    }
}
END_TEST

static void add_link_tests(TCase *tc)
{
    tcase_add_test(tc, jitter_has_a_shape);
    tcase_add_test(tc, segments_have_overhead);
    tcase_add_test(tc, full_queue_drops);
    tcase_add_test(tc, every_nth_is_lost);
    tcase_add_test(tc, losses_come_in_bursts);
    tcase_add_test(tc, rule_loses_one_segment);
    tcase_add_test(tc, others_overtake);
    tcase_add_test(tc, slots_batch);
    tcase_add_test(tc, heal_waits_for_the_next_try);
    tcase_add_test(tc, partition_has_groups);
    tcase_add_test(tc, jam_bursts);
    tcase_add_test(tc, clog_is_one_way_and_port);
    tcase_add_test(tc, swizzle_is_over_in_time);
    tcase_add_test(tc, segments_have_a_size);
    tcase_add_test(tc, pmtu_hole_takes_the_large);
    tcase_add_test(tc, bottleneck_is_shared);
}

static void add_connection_tests(TCase *tc)
{
    tcase_add_test(tc, blackhole_is_silent);
    tcase_add_test(tc, blackhole_answers);
    tcase_add_test(tc, filters_answer_diallers);
    tcase_add_test(tc, accepted_then_reset);
    tcase_add_test(tc, reset_ends_what_there_is);
    tcase_add_test(tc, family_goes_and_comes);
    tcase_add_test(tc, address_changes);
    tcase_add_loop_test(tc, corruption_is_as_said, 0, SIM_CORRUPT_COUNT - 1);
    tcase_add_test(tc, full_backlog_refuses);
    tcase_add_test(tc, window_shuts_and_opens);
    tcase_add_test(tc, lost_fin_leaves_half_a_connection);
    tcase_add_loop_test(tc, rules_hit_segments, 0, FAULT_COUNT);
    tcase_add_test(tc, choices_are_numbered_by_segment);
}

int main(void)
{
    Suite *suite = suite_create("sim net faults");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
    add_link_tests(tc);
    add_connection_tests(tc);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
