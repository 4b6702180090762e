/* SPDX-License-Identifier: Apache-2.0 */
/* test_handshake.c: the side channel's record: Ceph's bytes, in pieces, merged,
 * broken. */
#include <errno.h>
#include <string.h>

#include "stacks/rdma/handshake.h"
#include "tests/lib/testlib.h"

/* As a real monitor and client exchanged them, soft-RoCE, 192.0.2.1. */
static const char said[] =
    "0000:00000013:00204a16:00000000:00000000000000000000ffffc0000201";
static const char answered[] =
    "0000:00000014:00204a16:00000013:00000000000000000000ffffc0000201";

static const uint8_t gid[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};

static void check_answered(const struct handshake_record *r)
{
    ck_assert_uint_eq(r->lid, 0);
    ck_assert_uint_eq(r->qpn, 0x14);
    ck_assert_uint_eq(r->psn, 0x204a16);
    ck_assert_uint_eq(r->peer_qpn, 0x13);
    ck_assert_int_eq(memcmp(r->gid, gid, sizeof(gid)), 0);
}

/* The bytes are Ceph's, both ways. */
START_TEST(bytes_are_those_of_ceph)
{
    struct handshake_record r = {.qpn = 0x13, .psn = 0x204a16};
    uint8_t bytes[HANDSHAKE_BYTES];

    _Static_assert(sizeof(said) == HANDSHAKE_BYTES, "64 characters and a NUL");
    memcpy(r.gid, gid, sizeof(gid));
    handshake_encode(&r, bytes);
    ck_assert_int_eq(memcmp(bytes, said, HANDSHAKE_BYTES), 0);
    ck_assert_int_eq(handshake_decode((const uint8_t *)answered, &r), 0);
    check_answered(&r);
}
END_TEST

/* What was encoded is decoded again, at the ends of every range. */
START_TEST(every_value_survives)
{
    const uint32_t values[] = {1, 0x17, 0x7fffff, 0xffffff};
    uint8_t bytes[HANDSHAKE_BYTES];

    for (int i = 0; i < 64; i++) {
        struct handshake_record r = {.lid = (uint16_t)(i * 1041),
                                     .qpn = values[i % 4],
                                     .psn = i % 5 == 0 ? 0 : values[i / 4 % 4],
                                     .peer_qpn = i % 3 == 0 ? 0 : values[i / 16]};
        struct handshake_record got;

        memset(r.gid, i, sizeof(r.gid));
        handshake_encode(&r, bytes);
        ck_assert_int_eq(handshake_decode(bytes, &got), 0);
        ck_assert_uint_eq(got.lid, r.lid);
        ck_assert_uint_eq(got.qpn, r.qpn);
        ck_assert_uint_eq(got.psn, r.psn);
        ck_assert_uint_eq(got.peer_qpn, r.peer_qpn);
        ck_assert_int_eq(memcmp(got.gid, r.gid, sizeof(r.gid)), 0);
    }
}
END_TEST

static int feed(struct handshake_reader *reader, const char *bytes, size_t n,
                struct handshake_record *ret)
{
    size_t room;
    uint8_t *to = handshake_room(reader, &room);

    ck_assert_uint_le(n, room);
    memcpy(to, bytes, n);
    return handshake_take(reader, n, ret);
}

/* A record may be split anywhere: Ceph takes only whole ones. */
START_TEST(record_may_come_in_two_pieces)
{
    struct handshake_reader reader = {0};
    struct handshake_record r;
    size_t cut = (size_t)_i + 1;

    ck_assert_int_eq(feed(&reader, answered, cut, &r), 0);
    ck_assert_int_eq(feed(&reader, answered + cut, HANDSHAKE_BYTES - cut, &r), 1);
    check_answered(&r);
}
END_TEST

START_TEST(record_may_come_byte_by_byte)
{
    struct handshake_reader reader = {0};
    struct handshake_record r;

    for (size_t i = 0; i < HANDSHAKE_BYTES - 1; i++) {
        ck_assert_int_eq(feed(&reader, answered + i, 1, &r), 0);
    }
    ck_assert_int_eq(feed(&reader, answered + HANDSHAKE_BYTES - 1, 1, &r), 1);
    check_answered(&r);
}
END_TEST

/* Two records in one piece are two: the reader never asks for more than the one. */
START_TEST(merged_records_are_two)
{
    char both[2 * HANDSHAKE_BYTES];
    struct handshake_reader reader = {0};
    struct handshake_record r;
    size_t at = 0;
    int records = 0;

    memcpy(both, said, HANDSHAKE_BYTES);
    memcpy(both + HANDSHAKE_BYTES, answered, HANDSHAKE_BYTES);
    while (at < sizeof(both)) {
        size_t room;

        handshake_room(&reader, &room);
        ck_assert_int_eq(feed(&reader, both + at, room, &r), 1);
        at += room;
        records++;
        ck_assert_uint_eq(r.qpn, records == 1 ? 0x13 : 0x14);
    }
    ck_assert_int_eq(records, 2);
}
END_TEST

/* Digits of either case, and fields of other widths, as Ceph's parser takes them. */
START_TEST(other_spellings_are_taken)
{
    const char text[HANDSHAKE_BYTES] =
        "0:00000014:204A16:13:00000000000000000000FFFFC0000201\0\0\0\0";
    struct handshake_record r;

    ck_assert_int_eq(handshake_decode((const uint8_t *)text, &r), 0);
    check_answered(&r);
}
END_TEST

/* Whatever byte is damaged so that it is no hex digit: refused, and *ret is untouched. */
START_TEST(damaged_record_is_refused)
{
    struct handshake_record r = {.qpn = 77};
    uint8_t bytes[HANDSHAKE_BYTES];

    memcpy(bytes, answered, HANDSHAKE_BYTES);
    bytes[_i] = 'z';
    ck_assert_int_eq(handshake_decode(bytes, &r), -EPROTO);
    ck_assert_uint_eq(r.qpn, 77);
}
END_TEST

/* Numbers that no queue pair has, no queue pair at all, other protocols. */
START_TEST(nonsense_is_refused)
{
    static const char *const texts[] = {
        "ceph v2\n\x10\x01",
        "0000:01000014:00204a16:00000013:00000000000000000000ffffc0000201",
        "0000:00000014:ff204a16:00000013:00000000000000000000ffffc0000201",
        "0000:00000000:00204a16:00000013:00000000000000000000ffffc0000201",
        "10000:0000014:00204a16:00000013:00000000000000000000ffffc0000201",
        "0000:00000014:00204a16:00000013:0000000000000000ffffc0000201",
        "0000:00000014:00204a16:00000013-00000000000000000000ffffc0000201",
        ":::::",
        "",
    };
    uint8_t bytes[HANDSHAKE_BYTES] = {0};
    struct handshake_record r;

    memcpy(bytes, texts[_i], strlen(texts[_i]));
    ck_assert_int_eq(handshake_decode(bytes, &r), -EPROTO);
}
END_TEST

/* After a bad record the reader starts over: nothing of it remains. */
START_TEST(reader_is_empty_after_a_record)
{
    struct handshake_reader reader = {0};
    struct handshake_record r;
    char bad[HANDSHAKE_BYTES];

    memset(bad, 'x', sizeof(bad));
    ck_assert_int_eq(feed(&reader, bad, sizeof(bad), &r), -EPROTO);
    ck_assert_int_eq(feed(&reader, answered, HANDSHAKE_BYTES, &r), 1);
    check_answered(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rdma_handshake");
    TCase *tc = tcase_create("record");

    tcase_add_test(tc, bytes_are_those_of_ceph);
    tcase_add_test(tc, every_value_survives);
    tcase_add_loop_test(tc, record_may_come_in_two_pieces, 0, HANDSHAKE_BYTES - 1);
    tcase_add_test(tc, record_may_come_byte_by_byte);
    tcase_add_test(tc, merged_records_are_two);
    tcase_add_test(tc, other_spellings_are_taken);
    tcase_add_loop_test(tc, damaged_record_is_refused, 0, HANDSHAKE_BYTES);
    tcase_add_loop_test(tc, nonsense_is_refused, 0, 9);
    tcase_add_test(tc, reader_is_empty_after_a_record);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
