/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_stress.c: streams under random faults of the network, 200 seeds: no
 * byte is lost, doubled or moved, unless bytes are corrupted; the same seed is the
 * same run, and so is the log of its decisions alone; after the heal everything
 * arrives. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "sim/faults/faults.h"
#include "sim/world/net_control.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

#define STREAMS 3
#define BYTES 20000

/* One way of one connection. */
struct flow {
    int from, to; /* ends[]: who sends, who reads */
    size_t sent, got, wrong;
    bool ended;
};

struct play {
    struct sim_world *world;
    struct sim_faults *faults;
    struct os *nodes[2];
    struct test_random random;
    int fds[2][STREAMS]; /* of each node */
    struct flow flows[2][STREAMS];
    int consequences; /* of the faults that may happen */
    bool ended;
    uint64_t hash, fired;
    uint64_t end_ns;
};

static const struct sim_world_opts plain = {
    .strategy = SIM_FIFO,
    .log = true,
    .sndbuf = 9000,
    .rcvbuf = 7000,
    .link = {.latency_ns = 50 * NSEC_PER_USEC, .jitter_ns = 20 * NSEC_PER_USEC}};

/* ---- chance ---- */

static uint64_t below(struct play *p, uint64_t n)
{
    return testlib_random_below(&p->random, n);
}

static void draw_link(struct play *p)
{
    static const uint64_t rates[] = {0, 0, 1000000, 100000000};
    struct sim_link link = {
        .latency_ns = below(p, 3) * 100 * NSEC_PER_USEC,
        .jitter_ns = below(p, 2) * 200 * NSEC_PER_USEC,
        .jitter_shape = (enum sim_jitter_shape)below(p, 3),
        .bytes_per_sec = rates[below(p, ARRAY_SIZE(rates))],
        .overhead = (uint32_t)below(p, 2) * 66,
        .mtu = (uint32_t)below(p, 3) * 700,
        .slot_ns = below(p, 3) == 0 ? NSEC_PER_MSEC : 0,
        .loss = (uint16_t)(below(p, 3) == 0 ? 50 : 0),
        .loss_burst = (uint16_t)(below(p, 2) * 500),
        .loss_nth = (uint32_t)(below(p, 4) == 0 ? 17 : 0),
        .corrupt = (p->consequences & FC_CORRUPT) != 0 ? 60 : 0,
    };

    link.queue_bytes = link.bytes_per_sec != 0 && below(p, 2) == 0 ? 5000 : 0;
    for (int i = 0; i < 2; i++) {
        sim_world_set_link(p->world, p->nodes[i], p->nodes[1 - i], &link);
    }
}

static void draw_rates(struct play *p)
{
    for (int id = 0; id < FAULT_COUNT; id++) {
        const struct fault_info *info = fault_info((enum fault_id)id);

        if (strcmp(info->site, "world.packet") == 0 &&
            (info->consequences & ~p->consequences) == 0 && below(p, 2) == 0) {
            sim_faults_set_rate(p->faults, (enum fault_id)id, (uint16_t)(1 + below(p, 40)));
        }
    }
}

/* Something happens to the network, or it heals. */
static void disturb(struct play *p)
{
    int from = (int)below(p, 2);
    struct os *a = p->nodes[from], *b = p->nodes[1 - from];
    const int groups[] = {0, 1};

    switch (below(p, 12)) {
    case 0:
        sim_world_cut(p->world, a, b, true);
        break;
    case 1:
        sim_net_clog(p->world, a, b, 0, 50 * NSEC_PER_MSEC);
        break;
    case 2:
        sim_net_clog(p->world, a, b, 0, UINT64_MAX);
        break;
    case 3:
        sim_net_partition(p->world, p->nodes, groups, 2);
        break;
    case 4:
        sim_net_swizzle(p->world, p->nodes, 2, NSEC_PER_SEC);
        break;
    case 5:
        sim_net_shut_windows(p->world, a, true);
        break;
    case 6:
        sim_net_family(p->world, a, AF_INET, false, SIM_SILENT);
        break;
    case 7:
        sim_net_blackhole(p->world, a, b, SIM_HOST_UNREACHABLE);
        break;
    case 8:
        sim_net_pmtu_hole(p->world, a, b, 500);
        break;
    case 9:
        draw_link(p);
        break;
    case 10:
        if ((p->consequences & FC_CONN_LOSS) != 0) {
            sim_net_reset(p->world, a, b, ECONNRESET);
        }
        break;
    default:
        sim_net_heal(p->world);
        break;
    }
}

/* ---- the streams ---- */

static void connect_all(struct play *p)
{
    struct sockaddr_storage addr, peer;
    int listener = test_listen(p->nodes[1], AF_INET, STREAMS, &addr);

    for (int i = 0; i < STREAMS; i++) {
        p->fds[0][i] = test_dial(p->nodes[0], &addr);
        test_wait_fd(p->nodes[1], listener, POLLIN);
        p->fds[1][i] = os_accept(p->nodes[1], listener, &peer);
        ck_assert_int_ge(p->fds[1][i], 0);
    }
    os_close(p->nodes[1], listener);
}

/* Node `n` sends a little on stream i. */
static void send_some(struct play *p, int n, int i)
{
    struct flow *flow = &p->flows[n][i];
    uint8_t block[3000];
    size_t len = 1 + below(p, sizeof(block));
    ssize_t sent;

    len = MIN(len, (size_t)(BYTES - flow->sent));
    if (len == 0 || flow->ended || !test_is_ready(p->nodes[n], p->fds[n][i], POLLOUT)) {
        return;
    }
    for (size_t k = 0; k < len; k++) {
        block[k] = testlib_pattern((uint64_t)(n * STREAMS + i), flow->sent + k);
    }
    sent = test_send(p->nodes[n], p->fds[n][i], block, len);
    if (sent >= 0) {
        flow->sent += (size_t)sent;
    } else {
        flow->ended = sent != -EAGAIN;
    }
}

/* Node `n` reads on stream i what the other sent. */
static void read_some(struct play *p, int n, int i)
{
    struct flow *flow = &p->flows[1 - n][i];
    uint8_t block[3000];
    ssize_t got = os_recv(p->nodes[n], p->fds[n][i], block, 1 + below(p, sizeof(block)));

    for (ssize_t k = 0; k < got; k++, flow->got++) {
        flow->wrong +=
            block[k] != testlib_pattern((uint64_t)((1 - n) * STREAMS + i), flow->got);
        p->hash = p->hash * 31 + block[k] + sim_world_now(p->world);
    }
    flow->ended |= got <= 0 && got != -EAGAIN;
}

static bool is_done(const struct play *p)
{
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < STREAMS; i++) {
            const struct flow *flow = &p->flows[n][i];

            if (!flow->ended && flow->got < BYTES) {
                return false;
            }
        }
    }
    return true;
}

static void step(struct play *p, uint64_t ns_max)
{
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < STREAMS; i++) {
            send_some(p, n, i);
            read_some(p, n, i);
        }
    }
    os_sleep_ns(p->nodes[0], 1 + below(p, ns_max));
}

static void tell_story(void *arg)
{
    struct play *p = arg;

    connect_all(p);
    draw_rates(p);
    draw_link(p);
    for (int i = 0; i < 300; i++) {
        step(p, 300 * NSEC_PER_USEC);
        if (below(p, 20) == 0) {
            disturb(p);
        }
    }
    sim_faults_stop(p->faults, true);
    sim_net_heal(p->world);
    for (int i = 0; i < 10000 && !is_done(p); i++) {
        step(p, 20 * NSEC_PER_MSEC);
    }
    p->ended = is_done(p);
    p->end_ns = sim_world_now(p->world);
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < STREAMS; i++) {
            os_close(p->nodes[n], p->fds[n][i]);
        }
    }
}

/* Plays the seed. `decisions`: replays them. Its own decisions, to be freed. */
static char *play(struct play *p, uint64_t seed, int consequences, const char *decisions)
{
    struct sim_world_opts opts = plain;
    char why[200], *log;

    opts.seed = seed;
    opts.defaults = decisions != NULL;
    *p = (struct play){
        .world = sim_world_new(&opts), .random = {seed}, .consequences = consequences};
    p->nodes[0] = sim_world_node(p->world, 1, "a");
    p->nodes[1] = sim_world_node(p->world, 2, "b");
    p->faults = sim_faults_new(sim_world_decisions(p->world), seed);
    sim_net_set_faults(p->world, p->faults);
    if (decisions != NULL) {
        ck_assert_int_eq(
            sim_decisions_load(sim_world_decisions(p->world), decisions, why, sizeof(why)),
            0);
    }
    ck_assert_msg(sim_world_run(p->world, tell_story, p) == SIM_OK, "seed %d: %s",
                  (int)seed, sim_world_report(p->world));
    ck_assert_int_eq(sim_node_open_fds(p->nodes[0]) + sim_node_open_fds(p->nodes[1]), 0);
    log = sim_decisions_text(sim_world_decisions(p->world));
    ck_assert_ptr_nonnull(log);
    for (int id = 0; id < FAULT_COUNT; id++) {
        struct fault_counts counts;

        sim_faults_counts(p->faults, (enum fault_id)id, &counts);
        p->fired += counts.fired;
    }
    sim_world_free(p->world);
    sim_faults_free(p->faults);
    return log;
}

/* What only delays: every byte arrives, each at its place. */
START_TEST(delays_lose_nothing)
{
    struct play p;

    free(play(&p, (uint64_t)_i + 1, FC_DELAY, NULL));
    ck_assert_msg(p.ended, "seed %d: not all arrived", _i + 1);
    ck_assert_uint_gt(p.fired, 0);
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < STREAMS; i++) {
            ck_assert_msg(!p.flows[n][i].ended, "seed %d: a connection broke", _i + 1);
            ck_assert_uint_eq(p.flows[n][i].got, BYTES);
            ck_assert_uint_eq(p.flows[n][i].wrong, 0);
        }
    }
}
END_TEST

/* What breaks connections: what arrived is the beginning of what was sent. */
START_TEST(losses_leave_a_prefix)
{
    struct play p;

    free(play(&p, (uint64_t)_i + 1, FC_DELAY | FC_CONN_LOSS, NULL));
    ck_assert_msg(p.ended, "seed %d: some hang", _i + 1);
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < STREAMS; i++) {
            ck_assert_uint_le(p.flows[n][i].got, p.flows[n][i].sent);
            ck_assert_uint_eq(p.flows[n][i].wrong, 0);
        }
    }
}
END_TEST

/* One seed is one run, corrupted bytes and all; and so is its log without the seed's
 * choices. */
START_TEST(seeds_and_logs_are_runs)
{
    int all = FC_DELAY | FC_CONN_LOSS | FC_CORRUPT;
    struct play first, second, replayed;
    char *log = play(&first, (uint64_t)_i + 1, all, NULL);
    char *again = play(&second, (uint64_t)_i + 1, all, NULL);
    char *replay = play(&replayed, (uint64_t)_i + 1, all, log);

    ck_assert_uint_eq(first.hash, second.hash);
    ck_assert_uint_eq(first.hash, replayed.hash);
    ck_assert_uint_eq(first.end_ns, replayed.end_ns);
    ck_assert_str_eq(log, again);
    ck_assert_str_eq(log, replay);
    free(log);
    free(again);
    free(replay);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim net stress");
    TCase *tc = tcase_create("seeds");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, delays_lose_nothing, 0, 200);
    tcase_add_loop_test(tc, losses_leave_a_prefix, 0, 100);
    tcase_add_loop_test(tc, seeds_and_logs_are_runs, 0, 40);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
