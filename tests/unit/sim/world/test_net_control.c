/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_control.c: each fault of links and segments by itself: it happens, where and
 * when it was said, and is gone after the heal.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/unit/sim/net/test_net_nodes.h"

/* ---- L01, L02: time ---- */

/* Every shape stays within jitter_ns; the exponential is small mostly, the tail rarely
 * but then long. */
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

/* Losses of a burst follow each other; the same rate without bursts loses as much
 * alone. */
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

/* A rule picks one segment, and how often in a row it is lost: 202 + 404 ms, and the
 * trip. */
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

/* What chance does is in the log under the end's name and the segment's number,
 * wherever the fault was armed; and an override does the same. */
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

int main(void)
{
    Suite *suite = suite_create("sim net faults");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
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
    tcase_add_loop_test(tc, corruption_is_as_said, 0, SIM_CORRUPT_COUNT - 1);
    tcase_add_loop_test(tc, rules_hit_segments, 0, FAULT_COUNT);
    tcase_add_test(tc, choices_are_numbered_by_segment);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
