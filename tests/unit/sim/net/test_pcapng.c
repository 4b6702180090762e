/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pcapng.c: captures of the simulated network. tests/interop/pcap.sh shows them to
 * tshark; here the headers are checked byte by byte, and what TCP says in them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/util.h"
#include "sim/node/node.h"
#include "sim/world/net_control.h"
#include "sim/net/pcapng.h"
#include "sim/net/tap.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

#define IP 14 /* where headers begin: all frames here are IPv4 */
#define TCP 34
#define FLAGS (TCP + 13)
#define FRAMES_MAX 200
#define LATENCY NSEC_PER_MSEC

static struct seen {
    int n;
    uint8_t frame[FRAMES_MAX][1600];
    size_t len[FRAMES_MAX];
    uint64_t time_ns[FRAMES_MAX];
    uint8_t from[FRAMES_MAX];
} seen;

static uint32_t get(const uint8_t *at, int bytes)
{
    uint32_t value = 0;

    for (int i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static uint32_t sum_of(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    }
    return sum;
}

/* What includes its own checksum. */
static bool sums_up(uint32_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum == 0xffff;
}

static void look(void *arg, uint8_t from, uint64_t time_ns, const uint8_t *frame,
                 size_t len)
{
    (void)arg;
    ck_assert_int_lt(seen.n, FRAMES_MAX);
    ck_assert_uint_le(len, sizeof(seen.frame[0]));
    memcpy(seen.frame[seen.n], frame, len);
    seen.len[seen.n] = len;
    seen.from[seen.n] = from;
    seen.time_ns[seen.n++] = time_ns;
    ck_assert(sums_up(sum_of(frame + IP, 20)));
    ck_assert(sums_up(sum_of(frame + IP + 12, len - IP - 12) + 6 + (uint32_t)len - TCP));
    ck_assert_uint_eq(get(frame + IP + 2, 2), len - IP);
}

static int flags_of(int i)
{
    return seen.frame[i][FLAGS];
}

static uint32_t seq_of(int i)
{
    return get(seen.frame[i] + TCP + 4, 4);
}

static uint32_t ack_of(int i)
{
    return get(seen.frame[i] + TCP + 8, 4);
}

static size_t header_of(int i)
{
    return TCP + (size_t)(seen.frame[i][TCP + 12] >> 4) * 4;
}

/* Packets of a node with all of the flags. */
static int count(uint8_t from, int flags)
{
    int n = 0;

    for (int i = 0; i < seen.n; i++) {
        n += seen.from[i] == from && (flags_of(i) & flags) == flags;
    }
    return n;
}

/* The bytes that a node sent, put together by their sequence numbers; how many. */
static size_t stream_of(uint8_t from, uint8_t *to, size_t size)
{
    uint32_t first = 0;
    size_t end = 0;

    for (int i = 0; i < seen.n; i++) {
        size_t header = header_of(i), len = seen.len[i] - header;

        if (seen.from[i] == from && (flags_of(i) & TAP_SYN) != 0) {
            first = seq_of(i) + 1;
        }
        if (seen.from[i] == from && len > 0) {
            ck_assert_uint_le(seq_of(i) - first + len, size);
            memcpy(to + (seq_of(i) - first), seen.frame[i] + header, len);
            end = MAX(end, seq_of(i) - first + len);
        }
    }
    return end;
}

/* ---- one segment ------------------------------------------------------------------- */

static struct sim_addr address(uint8_t number, uint16_t port)
{
    return (struct sim_addr){.family = AF_INET, .port = port, .ip = {10, 0, 0, number}};
}

/* What the nodes of a world see of it. */
static struct sim_env *env_of(struct sim_world *w)
{
    return to_node(sim_world_node(w, 0, "a"))->env;
}

START_TEST(headers_of_tcp)
{
    const struct sim_world_opts opts = {.seed = 1};
    struct sim_world *w = sim_world_new(&opts);
    struct sim_env *env = env_of(w);
    struct sim_addr from = address(1, 4000), to = address(2, 6800);
    struct tap_tcp segment = {.from = &from,
                              .to = &to,
                              .from_node = 1,
                              .to_node = 2,
                              .seq = 7,
                              .ack = 9,
                              .flags = TAP_ACK | TAP_FIN,
                              .window = 1000 << 7};
    uint8_t data[TAP_TCP_PAYLOAD];

    memset(data, 0x11, sizeof(data));
    seen.n = 0;
    sim_world_set_tap(w, look, NULL);
    ck_assert(tap_is_on(env));
    tap_tcp(env, &segment, data, sizeof(data));
    segment.flags = TAP_SYN;
    tap_tcp(env, &segment, NULL, 0);
    ck_assert_int_eq(seen.n, 2);
    ck_assert_uint_eq(seen.len[0], 14 + 20 + 20 + TAP_TCP_PAYLOAD);
    ck_assert_uint_eq(seen.len[1], 14 + 20 + 28);
    ck_assert_int_eq(flags_of(0), TAP_ACK | TAP_FIN);
    ck_assert_uint_eq(get(seen.frame[0] + TCP, 4), 4000 << 16 | 6800);
    ck_assert_uint_eq(seq_of(0), 7);
    ck_assert_uint_eq(ack_of(0), 9);
    ck_assert_uint_eq(ack_of(1), 0); /* no ACK flag */
    ck_assert_uint_eq(get(seen.frame[0] + TCP + 14, 2), 1000);
    ck_assert_uint_eq(get(seen.frame[1] + TCP + 14, 2), 0xffff); /* not scaled yet */
    ck_assert_uint_eq(get(seen.frame[0] + IP + 12, 4), 0x0a000001);
    ck_assert_uint_eq(get(seen.frame[0] + IP + 16, 4), 0x0a000002);
    sim_world_set_tap(w, NULL, NULL);
    ck_assert(!tap_is_on(env));
    sim_world_free(w);
}
END_TEST

/* ---- connections ------------------------------------------------------------------- */

/* The test itself is a thread of the world, and calls both nodes. */
static struct sim_world *world;
static struct os *a, *b;
static int fds[2]; /* fds[0] of a dialled fds[1] of b */

static void open_world(const struct sim_world_opts *opts, bool tapped)
{
    seen.n = 0;
    world = sim_world_new(opts);
    a = sim_world_node(world, 1, "a");
    b = sim_world_node(world, 2, "b");
    if (tapped) {
        sim_world_set_tap(world, look, NULL);
    }
}

static void setup(void)
{
    const struct sim_world_opts opts = {.seed = 1, .link = {.latency_ns = LATENCY}};

    open_world(&opts, true);
}

static void teardown(void)
{
    sim_world_free(world);
}

static void connect_nodes(void)
{
    struct sockaddr_storage addr, peer;
    int listener = test_listen(b, AF_INET, 4, &addr);

    fds[0] = test_dial(a, &addr);
    test_wait_fd(b, listener, POLLIN);
    fds[1] = os_accept(b, listener, &peer);
    ck_assert_int_ge(fds[1], 0);
    os_close(b, listener);
}

/* Sends so many bytes from a to b, which reads them meanwhile. */
static void talk(size_t bytes)
{
    static uint8_t data[100000], got[100000];
    size_t sent = 0, n = 0;

    for (size_t i = 0; i < bytes; i++) {
        data[i] = testlib_pattern(7, i);
    }
    while (n < bytes) {
        ssize_t put = sent < bytes ? test_send(a, fds[0], data + sent, bytes - sent) : 0;
        struct pollfd read_fd = {.fd = fds[1], .events = POLLIN};
        ssize_t took;

        ck_assert(put >= 0 || put == -EAGAIN);
        sent += put > 0 ? (size_t)put : 0;
        os_poll(b, &read_fd, 1, 100 * (int64_t)NSEC_PER_USEC);
        took = os_recv(b, fds[1], got + n, sizeof(got) - n);
        ck_assert(took > 0 || took == -EAGAIN);
        n += took > 0 ? (size_t)took : 0;
    }
    ck_assert(memcmp(data, got, bytes) == 0);
}

/* What b reads after the last byte. */
static ssize_t read_end(struct os *os, int fd)
{
    char byte;

    test_wait_fd(os, fd, POLLIN);
    return os_recv(os, fd, &byte, 1);
}

START_TEST(handshake_is_three_packets)
{
    connect_nodes();
    ck_assert_int_eq(seen.n, 3);
    ck_assert_int_eq(flags_of(0), TAP_SYN);
    ck_assert_int_eq(flags_of(1), TAP_SYN | TAP_ACK);
    ck_assert_int_eq(flags_of(2), TAP_ACK);
    ck_assert_uint_eq(ack_of(1), seq_of(0) + 1);
    ck_assert_uint_eq(seq_of(2), ack_of(1));
    ck_assert_uint_eq(ack_of(2), seq_of(1) + 1);
    ck_assert_uint_eq(seen.time_ns[1] - seen.time_ns[0], LATENCY);
    ck_assert_uint_eq(seen.time_ns[2] - seen.time_ns[1], LATENCY);
    ck_assert_int_eq(seen.from[0], 1);
    ck_assert_int_eq(seen.from[1], 2);
    os_close(a, fds[0]);
    os_close(b, fds[1]);
}
END_TEST

/* Data in packets of TCP's size, each run of them with PSH at its end; what arrived is
 * acknowledged; two FINs. */
START_TEST(data_and_end)
{
    static uint8_t bytes[5000];

    connect_nodes();
    talk(4000);
    ck_assert_uint_eq(stream_of(1, bytes, sizeof(bytes)), 4000);
    for (size_t i = 0; i < 4000; i++) {
        ck_assert_uint_eq(bytes[i], testlib_pattern(7, i));
    }
    ck_assert_int_eq(count(1, TAP_PSH), 1);
    ck_assert_int_eq(seen.n, 3 + 3 + 1);
    ck_assert_uint_eq(ack_of(6), seq_of(0) + 1 + 4000);
    ck_assert_uint_eq(seen.time_ns[6] - seen.time_ns[5], LATENCY);
    os_close(a, fds[0]);
    ck_assert_int_eq(read_end(b, fds[1]), 0);
    os_close(b, fds[1]);
    ck_assert_int_eq(count(1, TAP_FIN | TAP_ACK), 1);
    ck_assert_int_eq(count(2, TAP_FIN | TAP_ACK), 1);
    ck_assert_int_eq(count(1, TAP_RST) + count(2, TAP_RST), 0);
    ck_assert_uint_eq(ack_of(seen.n - 1), seq_of(0) + 1 + 4000 + 1); /* FIN takes one */
    ck_assert_uint_eq(seq_of(seen.n - 1), seq_of(1) + 1);
}
END_TEST

START_TEST(refused_by_rst)
{
    struct sockaddr_storage addr;
    int listener = test_listen(b, AF_INET, 4, &addr), fd;

    os_close(b, listener);
    fd = test_dial(a, &addr);
    test_wait_fd(a, fd, POLLOUT);
    ck_assert_int_eq(os_connect_result(a, fd), -ECONNREFUSED);
    ck_assert_int_eq(seen.n, 2);
    ck_assert_int_eq(flags_of(1), TAP_RST | TAP_ACK);
    ck_assert_uint_eq(ack_of(1), seq_of(0) + 1);
    os_close(a, fd);
}
END_TEST

/* Who closes with bytes unread sends an RST instead of a FIN. */
START_TEST(unread_bytes_make_rst)
{
    connect_nodes();
    ck_assert_int_eq(test_send(a, fds[0], "unread", 6), 6);
    test_wait_fd(b, fds[1], POLLIN);
    os_close(b, fds[1]);
    ck_assert_int_eq(read_end(a, fds[0]), -ECONNRESET);
    os_close(a, fds[0]);
    ck_assert_int_eq(count(2, TAP_RST), 1);
    ck_assert_int_eq(count(2, TAP_FIN) + count(1, TAP_FIN), 0);
}
END_TEST

/* What is sent while nothing passes is seen, and seen again when it is sent again. */
START_TEST(lost_ones_come_again)
{
    uint32_t seq;
    int before;

    connect_nodes();
    before = seen.n;
    sim_world_cut(world, a, b, true);
    ck_assert_int_eq(test_send(a, fds[0], "hello", 5), 5);
    ck_assert_int_eq(seen.n, before + 1);
    seq = seq_of(before);
    os_poll(a, NULL, 0, 3 * (int64_t)NSEC_PER_SEC);
    sim_world_cut(world, a, b, false);
    test_wait_fd(b, fds[1], POLLIN);
    ck_assert_int_ge(seen.n, before + 4); /* twice more at least, and an ACK */
    for (int i = before; i < seen.n - 1; i++) {
        ck_assert_uint_eq(seq_of(i), seq);
        ck_assert_int_eq(memcmp(seen.frame[i] + header_of(i), "hello", 5), 0);
    }
    ck_assert_uint_eq(ack_of(seen.n - 1), seq + 5);
    os_close(a, fds[0]);
    os_close(b, fds[1]);
}
END_TEST

/* A slow reader's window goes down to nothing and is opened again. */
START_TEST(windows_are_said)
{
    struct sim_world_opts opts = {
        .seed = 1, .sndbuf = 8000, .rcvbuf = 4096, .link = {.latency_ns = LATENCY}};
    int zero = 0, last = 0;

    sim_world_free(world);
    open_world(&opts, true);
    connect_nodes();
    talk(40000);
    for (int i = 3; i < seen.n; i++) {
        if (seen.from[i] == 2) {
            last = (int)get(seen.frame[i] + TCP + 14, 2);
            zero += last == 0;
        }
    }
    ck_assert_int_gt(zero, 0);
    ck_assert_int_gt(last, 0);
    os_close(a, fds[0]);
    os_close(b, fds[1]);
}
END_TEST

/* The run is the same one, watched or not. */
START_TEST(watching_changes_nothing)
{
    struct sim_world_opts opts = {
        .seed = (uint64_t)_i + 1,
        .short_io_rate = 500,
        .sndbuf = 5000,
        .rcvbuf = 3000,
        .link = {.latency_ns = 1000, .jitter_ns = 100000, .loss = 100, .mtu = 700}};
    struct sim_world_stats stats[2];
    uint64_t ended[2];

    for (int tapped = 0; tapped < 2; tapped++) {
        static uint8_t bytes[20000];

        sim_world_free(world);
        open_world(&opts, tapped);
        connect_nodes();
        talk(20000);
        os_close(a, fds[0]);
        ck_assert_int_eq(read_end(b, fds[1]), 0);
        os_close(b, fds[1]);
        sim_world_stats(world, &stats[tapped]);
        ended[tapped] = sim_world_now(world);
        ck_assert_uint_eq(stream_of(1, bytes, sizeof(bytes)), tapped ? 20000 : 0);
        for (size_t i = 0; tapped && i < sizeof(bytes); i++) {
            ck_assert_uint_eq(bytes[i], testlib_pattern(7, i));
        }
    }
    ck_assert_uint_eq(ended[0], ended[1]);
    ck_assert_uint_eq(stats[0].schedule, stats[1].schedule);
    ck_assert_uint_eq(stats[0].timers, stats[1].timers);
}
END_TEST

/* ---- files ------------------------------------------------------------------------- */

static char path[40];

static void make_file(void)
{
    snprintf(path, sizeof(path), "/tmp/test_pcapng_XXXXXX");
    close(mkstemp(path));
}

static void remove_file(void)
{
    unlink(path);
}

/* Blocks of the file; each has its length at both ends. */
static int count_blocks(const char *suffix, size_t want_bytes)
{
    static uint32_t words[60000];
    char name[100];
    FILE *file;
    size_t bytes;
    int n = 0;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    file = fopen(name, "rb");
    ck_assert_ptr_nonnull(file);
    bytes = fread(words, 1, sizeof(words), file);
    fclose(file);
    ck_assert_uint_eq(bytes, want_bytes);
    for (size_t at = 0; at < bytes / 4; n++) {
        uint32_t total = words[at + 1];

        ck_assert_uint_ge(total, 12);
        ck_assert_uint_le(at + total / 4, bytes / 4);
        ck_assert_uint_eq(words[at + total / 4 - 1], total);
        at += total / 4;
    }
    return n;
}

START_TEST(blocks_have_their_lengths)
{
    uint8_t frame[61] = {1, 2, 3};
    struct pcapng *p;

    ck_assert_int_eq(pcapng_open(path, &p), 0);
    pcapng_frame(p, 3, 5, frame, sizeof(frame));
    pcapng_frame(p, 3, 6, frame, 60);
    ck_assert_uint_eq(pcapng_frames(p), 2);
    ck_assert_int_eq(count_blocks(".part", 28), 1); /* so far: the section */
    ck_assert_int_eq(pcapng_close(p), 0);
    /* section 28, interface 44, packets 32 + 64 and 32 + 60 */
    ck_assert_int_eq(count_blocks("", 28 + 44 + 96 + 92), 4);
    ck_assert_int_eq(pcapng_open(path, &p), 0); /* a capture may be replaced */
    ck_assert_int_eq(pcapng_close(p), 0);
    ck_assert_int_eq(count_blocks("", 28), 1);
}
END_TEST

/* Whatever ends the process, the file ends with a block. */
START_TEST(only_whole_blocks_are_written)
{
    static uint8_t frame[1000];
    struct pcapng *p;

    ck_assert_int_eq(pcapng_open(path, &p), 0);
    for (int i = 0; i < 100; i++) {
        pcapng_frame(p, 1, 5, frame, sizeof(frame));
    }
    /* 65,536 bytes hold the interface and 63 of them */
    ck_assert_int_eq(count_blocks(".part", 28 + 44 + 63 * 1032), 2 + 63);
    ck_assert_int_eq(pcapng_close(p), 0);
    ck_assert_int_eq(count_blocks("", 28 + 44 + 100 * 1032), 2 + 100);
}
END_TEST

/* A disk that fills up: the old capture stays, and what was written is whole blocks. */
START_TEST(full_disk_leaves_the_old_one)
{
    static uint8_t frame[1000];
    struct rlimit limit = {100000, RLIM_INFINITY};
    struct pcapng *p;
    char part[100];

    snprintf(part, sizeof(part), "%s.part", path);
    ck_assert_int_eq(pcapng_open(path, &p), 0);
    ck_assert_int_eq(pcapng_close(p), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(pcapng_open(path, &p), 0);
    for (int i = 0; i < 200; i++) {
        pcapng_frame(p, 1, 5, frame, sizeof(frame));
    }
    ck_assert_int_eq(pcapng_close(p), -EFBIG);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(count_blocks("", 28), 1);
    ck_assert_int_eq(count_blocks(".part", 28 + 44 + 96 * 1032), 2 + 96);
    /* The next one begins anew. */
    ck_assert_int_eq(pcapng_open(path, &p), 0);
    ck_assert_int_eq(pcapng_close(p), 0);
    ck_assert_int_eq(access(part, F_OK), -1);
}
END_TEST

START_TEST(cannot_be_written)
{
    FILE *file = fopen(path, "wb");
    struct pcapng *p;

    fputs("a letter", file);
    fclose(file);
    ck_assert_int_eq(pcapng_open(path, &p), -EEXIST);
    ck_assert_int_eq(pcapng_open("/nowhere/x.pcapng", &p), -ENOENT);
    ck_assert_int_eq(pcapng_open("/dev/full", &p), -ENOSPC);
    ck_assert_int_eq(pcapng_close(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pcapng");
    TCase *segments = tcase_create("segments"), *conns = tcase_create("connections");
    TCase *files = tcase_create("files");

    tcase_add_test(segments, headers_of_tcp);
    suite_add_tcase(suite, segments);
    tcase_add_checked_fixture(conns, setup, teardown);
    tcase_add_test(conns, handshake_is_three_packets);
    tcase_add_test(conns, data_and_end);
    tcase_add_test(conns, refused_by_rst);
    tcase_add_test(conns, unread_bytes_make_rst);
    tcase_add_test(conns, lost_ones_come_again);
    tcase_add_test(conns, windows_are_said);
    tcase_add_loop_test(conns, watching_changes_nothing, 0, 4);
    suite_add_tcase(suite, conns);
    tcase_add_checked_fixture(files, make_file, remove_file);
    tcase_add_test(files, blocks_have_their_lengths);
    tcase_add_test(files, only_whole_blocks_are_written);
    tcase_add_test(files, full_disk_leaves_the_old_one);
    tcase_add_test(files, cannot_be_written);
    suite_add_tcase(suite, files);
    return testlib_run(suite);
}
