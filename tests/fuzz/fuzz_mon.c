/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mon.c: payloads of the monitor protocol from bytes nobody vouches for.
 *
 * The first byte of an input selects what the rest is:
 *
 *     M  MON_MAP           S  MON_SUBSCRIBE     V  MON_GET_VERSION   v  its reply
 *     C  MON_COMMAND       A  its ack           D  COMMAND           J  a JSON object
 *     F  STATFS            G  GETPOOLSTATS      O  POOLOP            P  PING
 *
 * Besides what the sanitizers see, it holds that whatever decodes and has an encoder also
 * encodes, and that the encoded form decodes and encodes to the same again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/peer/flat_json.h"
#include "scenarios/peer/mon_messages.h"
#include "tests/lib/hex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_BYTES_MAX (1u << 16)
#define ENCODED_BYTES_MAX (INPUT_BYTES_MAX * 2) /* texts come back as long as they were */

static uint8_t first[ENCODED_BYTES_MAX], second[ENCODED_BYTES_MAX];

/* Decodes, encodes, decodes that, encodes again. */
#define ROUND_TRIP(r, type, decode, encode)                                                \
    do {                                                                                   \
        type says, again;                                                                  \
        struct wire_writer w1 = wire_writer(first, sizeof(first));                         \
        struct wire_writer w2 = wire_writer(second, sizeof(second));                       \
        struct wire_reader r2;                                                             \
        int rc = decode(&(r), &says);                                                      \
                                                                                           \
        CHECK(rc == 0 || rc == -EBADMSG);                                                  \
        if (rc == 0) {                                                                     \
            encode(&w1, &says);                                                            \
            CHECK(!w1.failed);                                                             \
            r2 = wire_reader(first, wire_written(&w1));                                    \
            CHECK(decode(&r2, &again) == 0);                                               \
            encode(&w2, &again);                                                           \
            CHECK(wire_written(&w2) == wire_written(&w1));                                 \
            CHECK(memcmp(first, second, wire_written(&w1)) == 0);                          \
        }                                                                                  \
    } while (0)

static int decode_map(struct wire_reader *r, struct monmap *ret)
{
    char why[MONMAP_WHY] = "";
    int rc = mon_map_decode(r, ret, why);

    CHECK(rc == 0 || why[0] != '\0');
    return rc;
}

/* Names that are not unique decode, but a map of ours never has them. */
static void fuzz_map(struct wire_reader *r)
{
    struct monmap map;

    if (decode_map(r, &map) < 0) {
        return;
    }
    CHECK(map.mons_n <= MONMAP_MONS_MAX && map.disallowed_n <= MONMAP_MONS_MAX);
    *r = wire_reader(first, 0);
    {
        struct wire_writer w = wire_writer(first, sizeof(first));

        mon_map_encode(&w, &map);
        CHECK(!w.failed);
        *r = wire_reader(first, wire_written(&w));
        CHECK(decode_map(r, &map) == 0);
        w = wire_writer(second, sizeof(second));
        mon_map_encode(&w, &map);
        CHECK(memcmp(first, second, wire_written(&w)) == 0);
    }
}

static void fuzz_json(const uint8_t *bytes, size_t len)
{
    const struct ceph_text json = {(const char *)bytes, len};
    char value[64];
    int rc = flat_json_field(&json, "prefix", value, sizeof(value));

    CHECK(rc == 0 || rc == -ENOENT || rc == -EBADMSG || rc == -EMSGSIZE);
    CHECK(rc != 0 || strlen(value) < sizeof(value));
}

static void fuzz_decode_only(uint8_t selector, struct wire_reader *r)
{
    struct mon_statfs statfs;
    struct mon_get_pool_stats stats;
    struct mon_pool_op op;
    struct ceph_text health;

    switch (selector) {
    case 'F':
        mon_statfs_decode(r, &statfs);
        break;
    case 'G':
        mon_get_pool_stats_decode(r, &stats);
        break;
    case 'O':
        CHECK(mon_pool_op_decode(r, &op) < 0 || strlen(op.name) < sizeof(op.name));
        break;
    default:
        mon_ping_decode(r, &health);
    }
}

static void fuzz_payload(uint8_t selector, const uint8_t *bytes, size_t len)
{
    struct wire_reader r = wire_reader(bytes, len);

    switch (selector) {
    case 'M':
        fuzz_map(&r);
        break;
    case 'S':
        ROUND_TRIP(r, struct mon_subscribe, mon_subscribe_decode, mon_subscribe_encode);
        break;
    case 'V':
        ROUND_TRIP(r, struct mon_get_version, mon_get_version_decode,
                   mon_get_version_encode);
        break;
    case 'v':
        ROUND_TRIP(r, struct mon_get_version_reply, mon_get_version_reply_decode,
                   mon_get_version_reply_encode);
        break;
    case 'C':
        ROUND_TRIP(r, struct mon_command, mon_command_decode, mon_command_encode);
        break;
    case 'A':
        ROUND_TRIP(r, struct mon_command_ack, mon_command_ack_decode,
                   mon_command_ack_encode);
        break;
    case 'D':
        ROUND_TRIP(r, struct daemon_command, command_decode, command_encode);
        break;
    case 'J':
        fuzz_json(bytes, len);
        break;
    default:
        fuzz_decode_only(selector, &r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    if (size < 1 || size > INPUT_BYTES_MAX) {
        return 0;
    }
    copy = exact_copy(data + 1, size - 1);
    fuzz_payload(data[0], copy, size - 1);
    free(copy);
    return 0;
}
