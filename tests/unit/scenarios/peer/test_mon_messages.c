/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_mon_messages.c: the monitor's payloads are read and written as a real monitor does,
 * and no bytes of a peer lead a decoder astray.
 */
#include <errno.h>
#include <string.h>

#include "scenarios/peer/flat_json.h"
#include "scenarios/peer/mon_messages.h"
#include "tests/lib/hex.h"
#include "tests/lib/testlib.h"

/* `ceph mon getmap` of a Ceph 16.2 monitor. */
static const char real_map[] =
    "09 06 c3000000 | 445df10f71464bf28dedcd6353a2abd4 | 01000000"
    "| bab8036b a2e35736 | bab8036b a2e35736 | 01 01 08000000 ff 00*7 | 01 01 08000000 00*8"
    "| 01000000 | 01000000 'a' | 05 01 58000000 01000000 'a'"
    "  02 02000000 | 01 01 01 1c000000 02000000 00000000 10000000 0200 5b0f 7f000001 00*8"
    "              | 01 01 01 1c000000 01000000 00000000 10000000 0200 5b10 7f000001 00*8"
    "  0000 0000 00000000"
    "| 01000000 01000000 'a' | 10 | 00000000 | 01 | 00000000 | 00 | 00000000 | 00000000";

#define BODY 6       /* behind the envelope's head */
#define MON_COUNT 70 /* how many monitors follow */
#define MON_NAME 89  /* of the first monitor, inside its own envelope; see real_map */

static int decode(const struct hex *hex, struct monmap *ret)
{
    uint8_t *copy = exact_copy(hex->bytes, hex->len);
    struct wire_reader r = wire_reader(copy, hex->len);
    char why[MONMAP_WHY] = "";
    int err = monmap_decode(&r, ret, why);

    free(copy);
    ck_assert(err == 0 || err == -EBADMSG);
    ck_assert(err == 0 || why[0] != '\0');
    return err;
}

static struct hex encode(const struct monmap *map)
{
    struct hex hex = {0};
    struct wire_writer w = wire_writer(hex.bytes, sizeof(hex.bytes));

    monmap_encode(&w, map);
    ck_assert(!w.failed);
    hex.len = wire_written(&w);
    return hex;
}

static void set_body_length(struct hex *hex)
{
    wire_store_u32(hex->bytes + 2, (uint32_t)(hex->len - BODY));
}

/* ---- the monitor map ---- */

/* Every field of a real map is where we look for it. */
START_TEST(real_map_is_read)
{
    struct hex hex = hex_of(real_map);
    struct monmap map;
    char text[ENTITY_ADDRVEC_TEXT];

    ck_assert_uint_eq(hex.len, 201);
    ck_assert_int_eq(decode(&hex, &map), 0);
    ck_assert_uint_eq(map.version, 9);
    ck_assert_uint_eq(map.fsid[0], 0x44);
    ck_assert_uint_eq(map.fsid[15], 0xd4);
    ck_assert_uint_eq(map.epoch, 1);
    ck_assert_uint_eq(map.created.sec, 0x6b03b8ba);
    ck_assert_uint_eq(map.created.nsec, 911729570);
    ck_assert_uint_eq(map.persistent_features, 0xff);
    ck_assert_uint_eq(map.optional_features, 0);
    ck_assert_uint_eq(map.mons_n, 1);
    ck_assert_str_eq(map.mons[0].name, "a");
    ck_assert_str_eq(entity_addrvec_text(&map.mons[0].addrs, text),
                     "[v2:127.0.0.1:23311/0,v1:127.0.0.1:23312/0]");
    ck_assert_uint_eq(map.min_mon_release, 16);
    ck_assert_uint_eq(map.election_strategy, 1);
    ck_assert_uint_eq(map.disallowed_n, 0);
    ck_assert(!map.stretch_mode);
    ck_assert_str_eq(map.tiebreaker, "");
}
END_TEST

/* What we write for the same map is the same, byte for byte. */
START_TEST(real_map_is_written)
{
    struct hex hex = hex_of(real_map), again;
    struct monmap map;

    ck_assert_int_eq(decode(&hex, &map), 0);
    again = encode(&map);
    ck_assert_uint_eq(again.len, hex.len);
    ck_assert_mem_eq(again.bytes, hex.bytes, hex.len);
}
END_TEST

static struct monmap three_monitors(void)
{
    static const char *const names[] = {"c", "a", "b"};
    struct hex hex = hex_of(real_map);
    struct monmap map;

    ck_assert_int_eq(decode(&hex, &map), 0);
    map.mons_n = 3;
    for (uint16_t i = 0; i < 3; i++) {
        map.mons[i] = map.mons[0];
        strcpy(map.mons[i].name, names[i]);
        map.mons[i].priority = i;
        map.mons[i].weight = (uint16_t)(i * 10);
    }
    map.election_strategy = 2;
    map.disallowed_n = 2;
    strcpy(map.disallowed[0], "a");
    strcpy(map.disallowed[1], "b");
    map.stretch_mode = true;
    strcpy(map.tiebreaker, "b");
    return map;
}

/* Monitors come back in the order of their ranks, whatever their names. */
START_TEST(ranks_order_the_monitors)
{
    struct monmap map = three_monitors(), again;
    struct hex hex = encode(&map);

    ck_assert_int_eq(decode(&hex, &again), 0);
    ck_assert_uint_eq(again.mons_n, 3);
    for (uint16_t i = 0; i < 3; i++) {
        ck_assert_str_eq(again.mons[i].name, map.mons[i].name);
        ck_assert_uint_eq(again.mons[i].priority, i);
        ck_assert_uint_eq(again.mons[i].weight, i * 10);
    }
    ck_assert_uint_eq(again.disallowed_n, 2);
    ck_assert_str_eq(again.disallowed[1], "b");
    ck_assert(again.stretch_mode);
    ck_assert_str_eq(again.tiebreaker, "b");
}
END_TEST

/* A map that ends early is refused, wherever it ends and whatever its length says. */
START_TEST(cut_map_is_refused)
{
    struct monmap map = three_monitors(), again;
    struct hex whole = encode(&map);

    for (size_t len = 0; len < whole.len - 4; len++) { /* the last field is not read */
        struct hex cut = whole;

        cut.len = len;
        ck_assert_int_eq(decode(&cut, &again), -EBADMSG);
        if (len > BODY) {
            set_body_length(&cut);
            ck_assert_int_eq(decode(&cut, &again), -EBADMSG);
        }
    }
}
END_TEST

/* Any one byte may be anything: the map is refused, or is one that can be written and read
 * again. */
START_TEST(damaged_map_is_refused_or_whole)
{
    struct monmap map = three_monitors(), got, again;
    struct hex whole = encode(&map);

    for (size_t at = 0; at < whole.len; at++) {
        for (unsigned value = 0; value < 256; value++) {
            struct hex bad = whole;

            bad.bytes[at] = (uint8_t)value;
            if (decode(&bad, &got) == 0) {
                bad = encode(&got);
                ck_assert_int_eq(decode(&bad, &again), 0);
                ck_assert_uint_eq(again.mons_n, got.mons_n);
            }
        }
    }
}
END_TEST

/* Newer writers add fields at the end and raise only the version: we read what we know. */
START_TEST(newer_version_is_read)
{
    struct hex hex = hex_of(real_map);
    struct monmap map;

    hex.bytes[0] = 12;
    hex_append(&hex, 0xee, 40);
    set_body_length(&hex);
    ck_assert_int_eq(decode(&hex, &map), 0);
    ck_assert_uint_eq(map.election_strategy, 1);
    hex.bytes[1] = 10; /* "whoever knows less than 10 cannot read this" */
    ck_assert_int_eq(decode(&hex, &map), -EBADMSG);
}
END_TEST

/* Older versions end earlier; what they lack is zero. */
START_TEST(older_versions_are_read)
{
    static const struct {
        uint8_t version;
        size_t missing;
    } rows[] = {{8, 9}, {7, 9 + 9}, {6, 9 + 9 + 1}};
    struct hex hex = hex_of(real_map);
    struct monmap map;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct hex old = hex;

        old.bytes[0] = rows[i].version;
        old.len -= rows[i].missing;
        set_body_length(&old);
        ck_assert_int_eq(decode(&old, &map), 0);
        ck_assert_uint_eq(map.mons_n, 1);
        ck_assert_uint_eq(map.min_mon_release, rows[i].version >= 7 ? 16 : 0);
        ck_assert_uint_eq(map.election_strategy, rows[i].version >= 8 ? 1 : 0);
    }
    hex.bytes[0] = 5;
    ck_assert_int_eq(decode(&hex, &map), -EBADMSG);
}
END_TEST

/* Names are printed: control characters in them are refused. So are two monitors of one
 * name. */
START_TEST(names_are_printable_and_unique)
{
    struct hex hex = hex_of(real_map);
    struct monmap map = three_monitors();

    ck_assert_uint_eq(hex.bytes[MON_NAME], 'a');
    hex.bytes[MON_NAME] = 0x1b;
    ck_assert_int_eq(decode(&hex, &map), -EBADMSG);
    map = three_monitors();
    hex = encode(&map);
    for (size_t i = 0; i < hex.len; i++) {
        hex.bytes[i] = hex.bytes[i] == 'c' ? 'a' : hex.bytes[i];
    }
    ck_assert_int_eq(decode(&hex, &map), -EBADMSG);
}
END_TEST

/* A map beyond the limit is refused, and the reason says the limit and what came. */
START_TEST(limits_are_named)
{
    struct hex hex = hex_of(real_map);
    struct wire_reader r;
    struct monmap map;
    char why[MONMAP_WHY];

    hex.bytes[MON_COUNT] = MONMAP_MONS_MAX + 8;
    r = wire_reader(hex.bytes, hex.len);
    ck_assert_int_eq(monmap_decode(&r, &map, why), -EBADMSG);
    ck_assert_str_eq(why, "the monmap has 40 monitors, and our limit is 32");
    hex = hex_of(real_map);
    hex.bytes[hex.len - 13] = 33; /* disallowed leaders */
    r = wire_reader(hex.bytes, hex.len);
    ck_assert_int_eq(monmap_decode(&r, &map, why), -EBADMSG);
    ck_assert_str_eq(why, "the monmap has 33 disallowed leaders, and our limit is 32");
}
END_TEST

/* MON_MAP is the map with its length before it. */
START_TEST(mon_map_wraps_the_map)
{
    struct hex hex = {0};
    struct monmap map = three_monitors(), again;
    struct wire_writer w = wire_writer(hex.bytes, sizeof(hex.bytes));
    struct wire_reader r;
    char why[MONMAP_WHY];

    mon_map_encode(&w, &map);
    ck_assert(!w.failed);
    hex.len = wire_written(&w);
    ck_assert_uint_eq(wire_load_u32(hex.bytes), hex.len - 4);
    r = wire_reader(hex.bytes, hex.len);
    ck_assert_int_eq(mon_map_decode(&r, &again, why), 0);
    ck_assert_uint_eq(again.mons_n, 3);
    r = wire_reader(hex.bytes, hex.len - 1);
    ck_assert_int_eq(mon_map_decode(&r, &again, why), -EBADMSG);
}
END_TEST

/* ---- the other payloads ---- */

/* The subscription a real client sends first. */
START_TEST(real_subscription_is_read)
{
    struct hex hex = hex_of("02000000 06000000 'config' 00*8 00 06000000 'monmap' 00*8 00"
                            "02000000 'vm'");
    struct wire_reader r = wire_reader(hex.bytes, hex.len);
    struct mon_subscribe f;
    struct hex again = {0};
    struct wire_writer w = wire_writer(again.bytes, sizeof(again.bytes));

    ck_assert_int_eq(mon_subscribe_decode(&r, &f), 0);
    ck_assert_uint_eq(f.n, 2);
    ck_assert_str_eq(f.items[0].what, "config");
    ck_assert_str_eq(f.items[1].what, "monmap");
    ck_assert_uint_eq(f.items[1].start, 0);
    ck_assert_str_eq(f.hostname, "vm");
    mon_subscribe_encode(&w, &f);
    ck_assert_uint_eq(wire_written(&w), hex.len);
    ck_assert_mem_eq(again.bytes, hex.bytes, hex.len);
    for (size_t len = 0; len < hex.len; len++) {
        bool no_hostname = len == hex.len - 6; /* as before version 3 */

        r = wire_reader(hex.bytes, len);
        ck_assert_int_eq(mon_subscribe_decode(&r, &f), no_hostname ? 0 : -EBADMSG);
    }
}
END_TEST

/* More items than we keep are refused before anything is stored. */
START_TEST(too_many_items_are_refused)
{
    struct hex hex = hex_of("ffffffff 00*900");
    struct wire_reader r = wire_reader(hex.bytes, hex.len);
    struct mon_subscribe subscribe;
    struct mon_command command;
    struct mon_command_ack ack;

    ck_assert_int_eq(mon_subscribe_decode(&r, &subscribe), -EBADMSG);
    hex = hex_of("00*34 09000000 00*900");
    r = wire_reader(hex.bytes, hex.len);
    ck_assert_int_eq(mon_command_decode(&r, &command), -EBADMSG);
    hex = hex_of("00*18 00*4 00*4 09000000 00*900");
    r = wire_reader(hex.bytes, hex.len);
    ck_assert_int_eq(mon_command_ack_decode(&r, &ack), -EBADMSG);
}
END_TEST

START_TEST(versions_round_trip)
{
    const struct mon_get_version ask = {.handle = 7, .what = "osdmap"};
    const struct mon_get_version_reply tell = {
        .handle = 7, .newest = 1ULL << 40, .oldest = 3};
    struct mon_get_version asked;
    struct mon_get_version_reply told;
    uint8_t bytes[64];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    struct wire_reader r;

    mon_get_version_encode(&w, &ask);
    ck_assert_uint_eq(wire_written(&w), 8 + 4 + 6);
    r = wire_reader(bytes, 18);
    ck_assert_int_eq(mon_get_version_decode(&r, &asked), 0);
    ck_assert_uint_eq(asked.handle, 7);
    ck_assert_str_eq(asked.what, "osdmap");
    r = wire_reader(bytes, 17);
    ck_assert_int_eq(mon_get_version_decode(&r, &asked), -EBADMSG);

    w = wire_writer(bytes, sizeof(bytes));
    mon_get_version_reply_encode(&w, &tell);
    ck_assert_uint_eq(wire_written(&w), 24);
    r = wire_reader(bytes, 24);
    ck_assert_int_eq(mon_get_version_reply_decode(&r, &told), 0);
    ck_assert_uint_eq(told.newest, 1ULL << 40);
    ck_assert_uint_eq(told.oldest, 3);
    r = wire_reader(bytes, 23);
    ck_assert_int_eq(mon_get_version_reply_decode(&r, &told), -EBADMSG);
}
END_TEST

START_TEST(commands_round_trip)
{
    const struct ceph_text word = {"{\"prefix\": \"status\"}", 20};
    const struct mon_command ask = {.fsid = {1, 2}, .n = 1, .words = {word}};
    const struct mon_command_ack tell = {
        .result = -EINVAL, .status = {"no", 2}, .n = 1, .words = {word}};
    struct mon_command asked;
    struct mon_command_ack told;
    uint8_t bytes[128];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    struct wire_reader r;
    size_t len;

    mon_command_encode(&w, &ask);
    len = wire_written(&w);
    ck_assert_uint_eq(len, 18 + 16 + 4 + 4 + 20);
    ck_assert_uint_eq(bytes[8], 0xff); /* session_mon is -1 */
    ck_assert_uint_eq(bytes[9], 0xff);
    r = wire_reader(bytes, len);
    ck_assert_int_eq(mon_command_decode(&r, &asked), 0);
    ck_assert_uint_eq(asked.fsid[1], 2);
    ck_assert_uint_eq(asked.words[0].len, 20);
    ck_assert_mem_eq(asked.words[0].text, word.text, 20);
    for (size_t cut = 0; cut < len; cut++) {
        r = wire_reader(bytes, cut);
        ck_assert_int_eq(mon_command_decode(&r, &asked), -EBADMSG);
    }

    w = wire_writer(bytes, sizeof(bytes));
    mon_command_ack_encode(&w, &tell);
    len = wire_written(&w);
    r = wire_reader(bytes, len);
    ck_assert_int_eq(mon_command_ack_decode(&r, &told), 0);
    ck_assert_int_eq(told.result, -EINVAL);
    ck_assert_uint_eq(told.status.len, 2);
    for (size_t cut = 0; cut < len; cut++) {
        r = wire_reader(bytes, cut);
        ck_assert_int_eq(mon_command_ack_decode(&r, &told), -EBADMSG);
    }
}
END_TEST

/* ---- what rados, rbd and ceph tell send, as Ceph 16.2 sent it ---- */

#define FSID " 11111111222243338444555555555555 "
#define PAXOS "00*8 ffff 00*8"

/* Every shorter piece is refused. */
#define EXPECT_CUT_IS_REFUSED(hex, decode, type)                                           \
    for (size_t cut_ = 0; cut_ < (hex).len; cut_++) {                                      \
        struct wire_reader cut_r_ = wire_reader((hex).bytes, cut_);                        \
        type cut_says_;                                                                    \
                                                                                           \
        ck_assert_int_eq(decode(&cut_r_, &cut_says_), -EBADMSG);                           \
    }

static void expect_bytes(const struct wire_writer *w, const char *text)
{
    struct hex hex = hex_of(text);

    ck_assert(!w->failed);
    ck_assert_uint_eq(wire_written(w), hex.len);
    ck_assert_mem_eq(w->start, hex.bytes, hex.len);
}

START_TEST(real_command_is_read_and_answered)
{
    struct hex hex =
        hex_of(FSID "01000000 26000000 '{\"prefix\": \"get_command_descriptions\"}'");
    const struct daemon_command_reply reply = {.result = -EINVAL, .status = {"no", 2}};
    uint8_t bytes[128];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    struct wire_reader r = wire_reader(hex.bytes, hex.len);
    struct daemon_command f;

    ck_assert_int_eq(command_decode(&r, &f), 0);
    ck_assert_uint_eq(f.n, 1);
    ck_assert_uint_eq(f.words[0].len, 38);
    command_encode(&w, &f);
    ck_assert_uint_eq(wire_written(&w), hex.len);
    ck_assert_mem_eq(bytes, hex.bytes, hex.len);
    EXPECT_CUT_IS_REFUSED(hex, command_decode, struct daemon_command);
    w = wire_writer(bytes, sizeof(bytes));
    command_reply_encode(&w, &reply);
    expect_bytes(&w, "eaffffff 02000000 'no'");
}
END_TEST

START_TEST(real_statfs_is_read_and_answered)
{
    struct hex old = hex_of("0100000000000000 ffff 00*8" FSID);
    struct hex hex = hex_of("0100000000000000 ffff 00*8" FSID "00");
    struct hex pool = hex_of("0100000000000000 ffff 00*8" FSID "01 0500000000000000");
    uint8_t bytes[128];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    struct wire_reader r = wire_reader(hex.bytes, hex.len);
    struct mon_statfs f;

    ck_assert_int_eq(mon_statfs_decode(&r, &f), 0);
    ck_assert(!f.of_pool);
    mon_statfs_reply_encode_empty(&w, f.fsid, 1);
    expect_bytes(&w, FSID "0100000000000000 00*32");
    r = wire_reader(pool.bytes, pool.len);
    ck_assert_int_eq(mon_statfs_decode(&r, &f), 0);
    ck_assert(f.of_pool);
    ck_assert_int_eq(f.pool, 5);
    r = wire_reader(pool.bytes, pool.len - 1);
    ck_assert_int_eq(mon_statfs_decode(&r, &f), -EBADMSG);
    EXPECT_CUT_IS_REFUSED(old, mon_statfs_decode, struct mon_statfs);
    r = wire_reader(old.bytes, old.len);
    ck_assert_int_eq(mon_statfs_decode(&r, &f), 0); /* version 1 */
}
END_TEST

START_TEST(real_get_pool_stats_is_read_and_answered)
{
    struct hex hex = hex_of(PAXOS FSID "02000000 03000000 'foo' 01000000 'b'");
    struct hex many = hex_of(PAXOS FSID "ffffffff 00*64");
    uint8_t bytes[128];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    struct wire_reader r = wire_reader(hex.bytes, hex.len);
    struct mon_get_pool_stats f;

    ck_assert_int_eq(mon_get_pool_stats_decode(&r, &f), 0);
    ck_assert_uint_eq(f.pools_n, 2);
    EXPECT_CUT_IS_REFUSED(hex, mon_get_pool_stats_decode, struct mon_get_pool_stats);
    mon_get_pool_stats_reply_encode_empty(&w, f.fsid, 1);
    expect_bytes(&w, "0100000000000000 ffff 00*8" FSID "00000000 01");
    r = wire_reader(many.bytes, many.len);
    ck_assert_int_eq(mon_get_pool_stats_decode(&r, &f), -EBADMSG);
}
END_TEST

START_TEST(real_pool_op_is_read_and_answered)
{
    struct hex hex =
        hex_of(PAXOS FSID "00000000 01000000 00*8 00*8 04000000 'pnew' 00 ffff");
    struct hex long_name = hex_of(PAXOS FSID "00000000 99000000 00*8 00*8 c8000000 07*200");
    const struct mon_pool_op_reply reply = {
        .fsid = hex.bytes + 18, .version = 2, .result = -EPERM, .epoch = 2};
    uint8_t bytes[128];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    struct wire_reader r = wire_reader(hex.bytes, hex.len);
    struct mon_pool_op f;

    ck_assert_int_eq(mon_pool_op_decode(&r, &f), 0);
    ck_assert_str_eq(f.name, "pnew");
    ck_assert_str_eq(mon_pool_op_name(f.op), "create pool");
    hex.len -= 3; /* what follows the name is optional */
    EXPECT_CUT_IS_REFUSED(hex, mon_pool_op_decode, struct mon_pool_op);
    mon_pool_op_reply_encode(&w, &reply);
    expect_bytes(&w, "0200000000000000 ffff 00*8" FSID "ffffffff 02000000 00");
    r = wire_reader(long_name.bytes, long_name.len);
    ck_assert_int_eq(mon_pool_op_decode(&r, &f), 0);
    ck_assert_uint_eq(strlen(f.name), MON_NAME_BYTES - 1);
    ck_assert_uint_eq(strspn(f.name, "?"), MON_NAME_BYTES - 1);
    ck_assert_ptr_null(mon_pool_op_name(f.op));
}
END_TEST

START_TEST(auth_is_refused)
{
    uint8_t bytes[64];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    auth_reply_encode_refused(&w, -EOPNOTSUPP, "no");
    expect_bytes(&w, "00000000 a1ffffff 00*8 00000000 02000000 'no'");
}
END_TEST

START_TEST(ping_round_trips)
{
    const struct ceph_text health = {"{}", 2};
    struct ceph_text got;
    uint8_t bytes[16];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    struct wire_reader r;

    mon_ping_encode(&w, &health);
    r = wire_reader(bytes, wire_written(&w));
    ck_assert_int_eq(mon_ping_decode(&r, &got), 0);
    ck_assert_uint_eq(got.len, 2);
    r = wire_reader(bytes, 5);
    ck_assert_int_eq(mon_ping_decode(&r, &got), -EBADMSG);
}
END_TEST

/* ---- members of a command ---- */

static const struct field {
    const char *json;
    int err;
    const char *value; /* of "prefix" */
} fields[] = {
    {"{\"prefix\": \"mon dump\"}", 0, "mon dump"},
    {" {\n\"format\":\"json\" , \"prefix\":\"status\"}", 0, "status"},
    {"{\"prefix\":\"\"}", 0, ""},
    {"{\"target\":[\"mon\",\"\"],\"prefix\":\"a\"}", 0, "a"},
    {"{\"a\":{\"prefix\":\"inner\"},\"prefix\":\"outer\"}", 0, "outer"},
    {"{\"a\":\"prefix\",\"b\":\"},{\\\"\",\"prefix\":\"x\"}", 0, "x"},
    {"{\"a\":-1.5e3,\"b\":true,\"c\":null,\"prefix\":\"x\"}", 0, "x"},
    {"{\"prefix\":\"a\\\"b\\\\c\\/\\u0064\\n\"}", 0, "a\"b\\c/d\n"},
    {"{\"prefix\":\"\\u00e4\"}", 0, "?"},
    {"{}", -ENOENT, NULL},
    {"{\"prefix\": 7}", -ENOENT, NULL},
    {"{\"prefixes\": \"x\"}", -ENOENT, NULL},
    {"{\"a\":{\"prefix\":\"x\"}}", -ENOENT, NULL},
    {"", -EBADMSG, NULL},
    {"[]", -EBADMSG, NULL},
    {"\"prefix\"", -EBADMSG, NULL},
    {"{", -EBADMSG, NULL},
    {"{\"prefix", -EBADMSG, NULL},
    {"{\"prefix\"}", -EBADMSG, NULL},
    {"{\"prefix\":\"mon", -EBADMSG, NULL},
    {"{\"prefix\":\"\\x\"}", -EBADMSG, NULL},
    {"{\"prefix\":\"\\u12\"}", -EBADMSG, NULL},
    {"{\"prefix\":\"\\", -EBADMSG, NULL},
    {"{\"a\":[[}", -EBADMSG, NULL},
    {"{\"a\":]}", -EBADMSG, NULL},
    {"{\"a\":1", -EBADMSG, NULL},
    {"{\"a\":1,", -EBADMSG, NULL},
    {"{\"prefix\":\"0123456789abcdef\"}", -EMSGSIZE, NULL},
};

/* A member is found on the top level only, and nothing is read behind the end. */
START_TEST(members_are_found)
{
    const struct field *f = &fields[_i];
    size_t len = strlen(f->json);
    char *copy = (char *)exact_copy(f->json, len);
    struct ceph_text json = {copy, len};
    char value[16] = "untouched";

    ck_assert_int_eq(flat_json_field(&json, "prefix", value, sizeof(value)), f->err);
    ck_assert_str_eq(value, f->err == 0 ? f->value : "untouched");
    free(copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mon_messages");
    TCase *map = tcase_create("monmap");
    TCase *rest = tcase_create("messages");

    tcase_add_test(map, real_map_is_read);
    tcase_add_test(map, real_map_is_written);
    tcase_add_test(map, ranks_order_the_monitors);
    tcase_add_test(map, cut_map_is_refused);
    tcase_add_test(map, damaged_map_is_refused_or_whole);
    tcase_add_test(map, newer_version_is_read);
    tcase_add_test(map, older_versions_are_read);
    tcase_add_test(map, names_are_printable_and_unique);
    tcase_add_test(map, limits_are_named);
    tcase_add_test(map, mon_map_wraps_the_map);
    suite_add_tcase(suite, map);
    tcase_add_test(rest, real_subscription_is_read);
    tcase_add_test(rest, too_many_items_are_refused);
    tcase_add_test(rest, versions_round_trip);
    tcase_add_test(rest, commands_round_trip);
    tcase_add_test(rest, real_command_is_read_and_answered);
    tcase_add_test(rest, real_statfs_is_read_and_answered);
    tcase_add_test(rest, real_get_pool_stats_is_read_and_answered);
    tcase_add_test(rest, real_pool_op_is_read_and_answered);
    tcase_add_test(rest, auth_is_refused);
    tcase_add_test(rest, ping_round_trips);
    tcase_add_loop_test(rest, members_are_found, 0, (int)ARRAY_SIZE(fields));
    suite_add_tcase(suite, rest);
    return testlib_run(suite);
}
