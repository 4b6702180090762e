/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_empty_maps.c: the maps of an empty cluster are those of a new Ceph 16.2 monitor,
 * byte for byte where it has nothing but ours, and else as it would write them.
 */
#include <string.h>

#include "scenarios/peer/empty_maps.h"
#include "scenarios/peer/osdmap.h"
#include "tests/lib/hex.h"
#include "tests/lib/testlib.h"

/* `ceph osd getmap 1` of a Ceph 16.2 monitor without osds. */
static const char real_osdmap[] =
    "08 07 80020000 | 09 01 32020000"
    "| 11111111222243338444555555555555 | 01000000 | e2f90d6be78d1d30 | e2f90d6be78d1d30"
    "| 00000000 00000000 00000000 | 00805800 | 00000000 | 00*24"
    "| 60010000 00000100 08000000 01000000 00000000"
    "  05000000 ffffffff 0b00 05 00 00000000 00000000 | 00*28"
    "  01000000 03000000 0001010a 01000000 ffffffff 00000000 06000000 00000000 01000000"
    "  04000000 00000000 00000000"
    "  0c000000 00000000 03000000 'osd' 01000000 04000000 'host' 02000000 07000000 "
    "'chassis'"
    "  03000000 04000000 'rack' 04000000 03000000 'row' 05000000 03000000 'pdu'"
    "  06000000 03000000 'pod' 07000000 04000000 'room' 08000000 0a000000 'datacenter'"
    "  09000000 04000000 'zone' 0a000000 06000000 'region' 0b000000 04000000 'root'"
    "  01000000 ffffffff 07000000 'default' 01000000 00000000 0f000000 'replicated_rule'"
    "  00000000 00000000 32000000 01000000 01 01 36000000 01 | 00*16"
    "| 01000000 07000000 'default' 04000000 01000000 'k' 01000000 '2' 01000000 'm' "
    "01000000 '2'"
    "  06000000 'plugin' 08000000 'jerasure' 09000000 'technique' 0c000000 'reed_sol_van'"
    "| 00*8 | 01000000 | 00*8 | 00*16"
    "| 09 01 3e000000 | 00*36 | 9a99593f 3333733f 6666663f | 0c 10 | 00*12"
    "| 89f42bad";

static const uint8_t fsid[CEPH_FSID_BYTES] = {0x11, 0x11, 0x11, 0x11, 0x22, 0x22,
                                              0x43, 0x33, 0x84, 0x44, 0x55, 0x55,
                                              0x55, 0x55, 0x55, 0x55};
static const struct new_osdmap same_map = {
    .fsid = fsid, .epoch = 1, .created = {0x6b0df9e2, 0x301d8de7}};

static void expect_bytes(const struct wire_writer *w, const struct hex *expected)
{
    ck_assert(!w->failed);
    ck_assert_uint_eq(wire_written(w), expected->len);
    ck_assert_mem_eq(w->start, expected->bytes, expected->len);
}

/* Of the same cluster and time, our map is the real one, its crc included. */
START_TEST(osdmap_is_a_new_monitors)
{
    const struct hex real = hex_of(real_osdmap);
    uint8_t bytes[OSDMAP_ENCODE_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    ck_assert_uint_eq(real.len, 646);
    osdmap_encode(&w, &same_map);
    expect_bytes(&w, &real);
}
END_TEST

/* OSD_MAP is cluster, no increment, one whole map, and the epochs there are: 690 bytes. */
START_TEST(osd_map_carries_the_map)
{
    const struct hex head = hex_of("11111111222243338444555555555555 00000000"
                                   "01000000 01000000 86020000 08 07");
    const struct hex tail = hex_of("89f42bad 01000000 01000000 00000000");
    uint8_t bytes[OSDMAP_ENCODE_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    osd_map_encode(&w, &same_map);
    ck_assert(!w.failed);
    ck_assert_uint_eq(wire_written(&w), 690);
    ck_assert_mem_eq(bytes, head.bytes, head.len);
    ck_assert_mem_eq(bytes + 690 - tail.len, tail.bytes, tail.len);
}
END_TEST

/* A writer that is too small says so, at whatever byte it ends. */
START_TEST(small_writers_fail)
{
    uint8_t bytes[OSDMAP_ENCODE_BYTES];

    for (size_t cap = 0; cap < 690; cap++) {
        struct wire_writer w = wire_writer(bytes, cap);

        osd_map_encode(&w, &same_map);
        ck_assert(w.failed);
    }
    for (size_t cap = 0; cap < 76; cap++) {
        struct wire_writer w = wire_writer(bytes, cap);

        mgr_map_encode(&w, 1);
        ck_assert(w.failed);
    }
}
END_TEST

/* The real MgrMap of epoch 1 without the modules it names (495 bytes then): no active
 * manager, no standby. */
START_TEST(mgr_map_has_no_manager)
{
    const struct hex expected =
        hex_of("0c 06 46000000 | 01000000 | 02 00000000 | 00*8 | 00 | 00000000 | 00000000"
               "| 00000000 | 00000000 | 00000000 | 00*8 | 00000000"
               "| 00*8 | 00000000 | 00000000 | 00000000");
    uint8_t bytes[EMPTY_MAP_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    mgr_map_encode(&w, 1);
    ck_assert(!w.failed);
    ck_assert_uint_eq(wire_written(&w) - 6, wire_load_u32(bytes + 2));
    expect_bytes(&w, &expected);
}
END_TEST

/* The real FSMap of epoch 1 without the names of mds features (370 bytes then). */
START_TEST(fs_map_has_no_file_system)
{
    const struct hex expected =
        hex_of("01000000 | 07 06 46000000 | 01000000 | 0100000000000000 | ffffffff"
               "| 00*8 00000000 | 00*8 00000000 | 00*8 00000000"
               "| 01 | 00000000 | 00000000 | 00000000 | 00000000 | 01");
    uint8_t bytes[EMPTY_MAP_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    fs_map_encode(&w, 1);
    expect_bytes(&w, &expected);
}
END_TEST

/* As a real monitor sends it: 22 bytes. */
START_TEST(fs_map_user_has_no_file_system)
{
    const struct hex expected =
        hex_of("01000000 | 01 01 0c000000 01000000 ffffffff 00000000");
    uint8_t bytes[EMPTY_MAP_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    fs_map_user_encode(&w, 1);
    expect_bytes(&w, &expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("empty_maps");
    TCase *tc = tcase_create("maps");

    tcase_add_test(tc, osdmap_is_a_new_monitors);
    tcase_add_test(tc, osd_map_carries_the_map);
    tcase_add_test(tc, small_writers_fail);
    tcase_add_test(tc, mgr_map_has_no_manager);
    tcase_add_test(tc, fs_map_has_no_file_system);
    tcase_add_test(tc, fs_map_user_has_no_file_system);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
