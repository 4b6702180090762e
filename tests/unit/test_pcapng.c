/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pcapng.c: captures of the simulated network. tests/interop/pcap.sh shows them to
 * tshark; here the headers are checked byte by byte.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "sim/node.h"
#include "sim/net/pcapng.h"
#include "sim/net/tap.h"
#include "tests/lib/testlib.h"

struct seen {
    int n;
    uint8_t frame[4][2000];
    size_t len[4];
};

static void look(void *arg, uint8_t from, uint64_t time_ns, const uint8_t *frame,
                 size_t len)
{
    struct seen *seen = arg;

    ck_assert_int_lt(seen->n, 4);
    memcpy(seen->frame[seen->n], frame, len);
    seen->len[seen->n++] = len;
}

static struct sim_addr address(uint8_t number, uint16_t port)
{
    return (struct sim_addr){.family = AF_INET, .port = port, .ip = {10, 0, 0, number}};
}

START_TEST(tcp_segments_are_cut)
{
    const struct sim_world_opts opts = {.seed = 1};
    struct sim_world *w = sim_world_new(&opts);
    struct sim_addr from = address(1, 4000), to = address(2, 6800);
    struct tap_tcp segment = {.from = &from,
                              .to = &to,
                              .from_node = 1,
                              .to_node = 2,
                              .seq = 7,
                              .ack = 9,
                              .flags = TAP_ACK | TAP_FIN};
    static struct seen seen;
    uint8_t data[1441];

    memset(data, 0x11, sizeof(data));
    sim_world_set_tap(w, look, &seen);
    ck_assert(tap_is_on(w));
    tap_tcp(w, &segment, data, sizeof(data));
    ck_assert_int_eq(seen.n, 2);
    ck_assert_uint_eq(seen.len[0], 14 + 20 + 20 + 1440);
    ck_assert_uint_eq(seen.len[1], 14 + 20 + 20 + 1);
    ck_assert_int_eq(seen.frame[0][34 + 13], TAP_ACK);
    ck_assert_int_eq(seen.frame[1][34 + 13], TAP_ACK | TAP_FIN | TAP_PSH);
    ck_assert_int_eq(seen.frame[1][34 + 6] << 8 | seen.frame[1][34 + 7], 7 + 1440);
    ck_assert_int_eq(seen.frame[0][26 + 3], 1); /* source 10.0.0.1 */
    ck_assert_int_eq(seen.frame[0][30 + 3], 2);
    sim_world_set_tap(w, NULL, NULL);
    ck_assert(!tap_is_on(w));
    sim_world_free(w);
}
END_TEST

START_TEST(blocks_have_their_lengths)
{
    char path[] = "/tmp/test_pcapng_XXXXXX";
    uint8_t frame[61] = {1, 2, 3};
    struct pcapng *p;
    uint32_t words[128];
    size_t bytes;
    FILE *file;

    close(mkstemp(path));
    ck_assert_int_eq(pcapng_open(path, &p), 0);
    pcapng_frame(p, 3, 5, frame, sizeof(frame));
    pcapng_frame(p, 3, 6, frame, 60);
    ck_assert_uint_eq(pcapng_frames(p), 2);
    ck_assert_int_eq(pcapng_close(p), 0);
    file = fopen(path, "rb");
    bytes = fread(words, 1, sizeof(words), file);
    fclose(file);
    unlink(path);
    /* section 28, interface 44, packets 32 + 64 and 32 + 60 */
    ck_assert_uint_eq(bytes, 28 + 44 + 96 + 92);
    for (size_t at = 0; at < bytes / 4;) {
        uint32_t total = words[at + 1];

        ck_assert_uint_eq(words[at + total / 4 - 1], total);
        at += total / 4;
    }
}
END_TEST

START_TEST(no_such_directory)
{
    struct pcapng *p;

    ck_assert_int_lt(pcapng_open("/nowhere/x.pcapng", &p), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pcapng");
    TCase *tc = tcase_create("pcapng");

    tcase_add_test(tc, tcp_segments_are_cut);
    tcase_add_test(tc, blocks_have_their_lengths);
    tcase_add_test(tc, no_such_directory);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
