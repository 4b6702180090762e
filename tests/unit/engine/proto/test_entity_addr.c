/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_entity_addr.c: engine/entity_addr.h: text, order, vectors and wire form.
 */
#include "engine/entity_addr.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "engine/proto/wire.h"
#include "tests/lib/hex.h"
#include "tests/lib/testlib.h"

/* The test once for each row of the table. */
#define add_rows(tc, test, table) tcase_add_loop_test(tc, test, 0, (int)ARRAY_SIZE(table))

static struct entity_addr addr_of(const char *text)
{
    struct entity_addr addr;
    const char *why = NULL;

    ck_assert_msg(entity_addr_parse(text, ADDR_MSGR2, 0, &addr, &why) == 0, "%s: %s", text,
                  why);
    return addr;
}

static struct entity_addrvec vec_of(const char *text)
{
    struct entity_addrvec vec;
    const char *why = NULL;

    ck_assert_msg(entity_addrvec_parse(text, ADDR_MSGR2, 0, &vec, &why) == 0, "%s: %s",
                  text, why);
    return vec;
}

/* ---- text ---- */

/* With v2 and port 3300 where the text leaves them open. */
static const struct {
    const char *text, *full;
} texts[] = {
    {"v2:127.0.0.1:3300/0", "v2:127.0.0.1:3300/0"},
    {"v1:10.1.2.3:6789/4294967295", "v1:10.1.2.3:6789/4294967295"},
    {"any:127.0.0.1:0/1434690706", "any:127.0.0.1:0/1434690706"},
    {"127.0.0.1", "v2:127.0.0.1:3300/0"},
    {"127.0.0.1/7", "v2:127.0.0.1:3300/7"},
    {"v1:127.0.0.1", "v1:127.0.0.1:3300/0"},
    {"0.0.0.0:65535", "v2:0.0.0.0:65535/0"},
    {"127.0.0.1:003300/007", "v2:127.0.0.1:3300/7"},
    {"[::1]", "v2:[::1]:3300/0"},
    {"v1:[::1]:6789/4", "v1:[::1]:6789/4"},
    {"[2001:DB8:0:0::1]:1/2", "v2:[2001:db8::1]:1/2"},
    {"[::ffff:10.0.0.1]:1", "v2:[::ffff:10.0.0.1]:1/0"},
    {"any:[fe80::1%3]:1", "any:[fe80::1%3]:1/0"},
    {"[1:2:3:4:5:6:7:8%4294967295]:65535/4294967295",
     "v2:[1:2:3:4:5:6:7:8%4294967295]:65535/4294967295"},
};

START_TEST(texts_parse_and_print)
{
    struct entity_addr addr, again;
    char buf[ENTITY_ADDR_TEXT];
    const char *why = NULL;

    ck_assert_int_eq(entity_addr_parse(texts[_i].text, ADDR_MSGR2, 3300, &addr, &why), 0);
    ck_assert_str_eq(entity_addr_text(&addr, buf), texts[_i].full);
    ck_assert_int_eq(entity_addr_parse(buf, ADDR_LEGACY, 1, &again, &why), 0);
    ck_assert(entity_addr_equal(&addr, &again));
}
END_TEST

static const struct {
    const char *text, *why;
} bad_texts[] = {
    {"", "the address is empty"},
    {"-", "not an ip address (names are not resolved)"},
    {"v2:", "the ip is missing"},
    {":3300", "the ip is missing"},
    {"/1", "the ip is missing"},
    {"v3:127.0.0.1:3300", "unknown address type: v1:, v2: or any: expected"},
    {"v12:127.0.0.1:3300", "unknown address type: v1:, v2: or any: expected"},
    {"localhost:3300", "not an ip address (names are not resolved)"},
    {"localhost", "not an ip address (names are not resolved)"},
    {"V2:127.0.0.1", "not an ip address (names are not resolved)"},
    {" 127.0.0.1", "not an ip address (names are not resolved)"},
    {"127.0.0", "not an IPv4 address"},
    {"127.0.0.256:1", "not an IPv4 address"},
    {"127.0.0.1.1:1", "not an IPv4 address"},
    {"1111111111111111111111", "not an IPv4 address"},
    {"127.0.0.1:", "port is not a number from 0 to 65535"},
    {"127.0.0.1:65536", "port is not a number from 0 to 65535"},
    {"127.0.0.1:-1", "port is not a number from 0 to 65535"},
    {"127.0.0.1:+1", "port is not a number from 0 to 65535"},
    {"127.0.0.1: 1", "port is not a number from 0 to 65535"},
    {"127.0.0.1:99999999999999999999999999", "port is not a number from 0 to 65535"},
    {"127.0.0.1:/1", "port is not a number from 0 to 65535"},
    {"127.0.0.1:1/", "nonce is not a number from 0 to 4294967295"},
    {"127.0.0.1:1/4294967296", "nonce is not a number from 0 to 4294967295"},
    {"127.0.0.1:1/0x10", "unexpected text behind the address"},
    {"127.0.0.1:1x", "unexpected text behind the address"},
    {"127.0.0.1:1/2/3", "unexpected text behind the address"},
    {"127.0.0.1:1/2 ", "unexpected text behind the address"},
    {"127.0.0.1:1,127.0.0.1:2", "several addresses need brackets: [a,b]"},
    {"127.0.0.1,127.0.0.2", "several addresses need brackets: [a,b]"},
    {"v2:127.0.0.1:1/0,v1:127.0.0.1:2/0", "several addresses need brackets: [a,b]"},
    {"[::1]:1,[::1]:2", "several addresses need brackets: [a,b]"},
    {"::1", "an IPv6 address needs brackets: [::1]:3300"},
    {"v2:2001:db8::1/4", "an IPv6 address needs brackets: [::1]:3300"},
    {"[::1", "']' is missing behind the IPv6 address"},
    {"[::1%", "IPv6 scope is not a number from 0 to 4294967295"},
    {"[", "']' is missing behind the IPv6 address"},
    {"[]", "not an IPv6 address"},
    {"[127.0.0.1]", "not an IPv6 address"},
    {"[1:2:3:4:5:6:7:8:9]", "not an IPv6 address"},
    {"[1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9]", "not an IPv6 address"},
    {"[fe80::1%eth0]", "IPv6 scope is not a number from 0 to 4294967295"},
    {"[fe80::1%]", "IPv6 scope is not a number from 0 to 4294967295"},
    {"[fe80::1%4294967296]", "IPv6 scope is not a number from 0 to 4294967295"},
    {"[::1]3300", "unexpected text behind the address"},
    {"[::1]:65536", "port is not a number from 0 to 65535"},
};

/* A text that is refused says what is wrong and leaves the result alone. */
START_TEST(bad_texts_say_why)
{
    struct entity_addr addr, untouched;
    const char *why = NULL;
    char *text = (char *)exact_copy(bad_texts[_i].text, strlen(bad_texts[_i].text) + 1);

    memset(&addr, 0xa5, sizeof(addr));
    memset(&untouched, 0xa5, sizeof(untouched));
    ck_assert_int_eq(entity_addr_parse(text, ADDR_MSGR2, 3300, &addr, &why), -EINVAL);
    ck_assert_msg(strcmp(why, bad_texts[_i].why) == 0, "\"%s\": %s", text, why);
    ck_assert_mem_eq(&addr, &untouched, sizeof(addr));
    free(text);
}
END_TEST

static const struct {
    const char *text, *full;
} vec_texts[] = {
    {"127.0.0.1", "v2:127.0.0.1:3300/0"},
    {"[127.0.0.1]", "v2:127.0.0.1:3300/0"},
    {"[127.0.0.1:5]", "v2:127.0.0.1:5/0"},
    {"[::1]", "v2:[::1]:3300/0"},
    {"[::1]:5/6", "v2:[::1]:5/6"},
    {"[fe80::1%2]", "v2:[fe80::1%2]:3300/0"},
    {"[[::1]]", "v2:[::1]:3300/0"},
    {"[v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0]",
     "[v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0]"},
    {"[[::1]:1,v1:[::2]:2/3,10.0.0.1]", "[v2:[::1]:1/0,v1:[::2]:2/3,v2:10.0.0.1:3300/0]"},
    {"[0.0.0.1,0.0.0.2,0.0.0.3,0.0.0.4,0.0.0.5,0.0.0.6,0.0.0.7,0.0.0.8]",
     "[v2:0.0.0.1:3300/0,v2:0.0.0.2:3300/0,v2:0.0.0.3:3300/0,v2:0.0.0.4:3300/0,"
     "v2:0.0.0.5:3300/0,v2:0.0.0.6:3300/0,v2:0.0.0.7:3300/0,v2:0.0.0.8:3300/0]"},
};

START_TEST(vector_texts_parse_and_print)
{
    struct entity_addrvec vec, again;
    char buf[ENTITY_ADDRVEC_TEXT];
    const char *why = NULL;

    ck_assert_int_eq(entity_addrvec_parse(vec_texts[_i].text, ADDR_MSGR2, 3300, &vec, &why),
                     0);
    ck_assert_str_eq(entity_addrvec_text(&vec, buf), vec_texts[_i].full);
    ck_assert_int_eq(entity_addrvec_parse(buf, ADDR_LEGACY, 1, &again, &why), 0);
    ck_assert(entity_addrvec_equal(&vec, &again));
}
END_TEST

static const struct {
    const char *text, *why;
} bad_vec_texts[] = {
    {"", "the address is empty"},
    {"[", "']' is missing at the end of the list"},
    {"[]", "the address is empty"},
    {"[127.0.0.1", "']' is missing at the end of the list"},
    {"[127.0.0.1,]", "the address is empty"},
    {"[,127.0.0.1]", "the address is empty"},
    {"[127.0.0.1]:3300", "']' is missing at the end of the list"},
    {"[::1,::2]", "an IPv6 address needs brackets: [::1]:3300"},
    {"[1::2::3]", "not an IPv6 address"},
    {"[127.0.0.1,localhost]", "not an ip address (names are not resolved)"},
    {"127.0.0.1,127.0.0.2", "several addresses need brackets: [a,b]"},
    {"[[127.0.0.1]]", "not an IPv6 address"},
    {"[1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1]",
     "more than 8 addresses"},
    {"[v2:127.0.0.1:"
     "0000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000000001]",
     "an address of the list is too long"},
};

START_TEST(bad_vector_texts_say_why)
{
    struct entity_addrvec vec;
    const char *why = NULL;
    char *text =
        (char *)exact_copy(bad_vec_texts[_i].text, strlen(bad_vec_texts[_i].text) + 1);

    vec.n = 99;
    ck_assert_int_eq(entity_addrvec_parse(text, ADDR_MSGR2, 3300, &vec, &why), -EINVAL);
    ck_assert_msg(strcmp(why, bad_vec_texts[_i].why) == 0, "\"%s\": %s", text, why);
    ck_assert_uint_eq(vec.n, 99);
    free(text);
}
END_TEST

/* What cannot be written by hand still prints: blank, no type, a type that does not exist.
 */
START_TEST(odd_addresses_print)
{
    struct entity_addr addr = addr_of("[1:2:3:4:5:6:7:8%4294967295]:65535/4294967295");
    struct entity_addrvec vec = {.n = ADDRVEC_MAX};
    char buf[ENTITY_ADDR_TEXT], long_buf[ENTITY_ADDRVEC_TEXT];

    addr.type = UINT32_MAX;
    ck_assert_str_eq(entity_addr_text(&addr, buf),
                     "type4294967295:[1:2:3:4:5:6:7:8%4294967295]"
                     ":65535/4294967295");
    memset(&addr.in6.sin6_addr, 0xab, sizeof(addr.in6.sin6_addr));
    for (int i = 0; i < ADDRVEC_MAX; i++)
        vec.v[i] = addr;
    entity_addr_text(&addr, buf);
    entity_addrvec_text(&vec, long_buf);
    ck_assert_uint_eq(strlen(long_buf), ADDRVEC_MAX * (strlen(buf) + 1) + 1);
    addr = addr_of("127.0.0.1:1");
    addr.type = ADDR_NONE;
    ck_assert_str_eq(entity_addr_text(&addr, buf), "127.0.0.1:1/0");
    memset(&addr, 0, sizeof(addr));
    ck_assert_str_eq(entity_addr_text(&addr, buf), "-");
    vec.n = 0;
    ck_assert_str_eq(entity_addrvec_text(&vec, long_buf), "-");
}
END_TEST

/* ---- values ---- */

START_TEST(values_and_setters)
{
    struct entity_addr blank = {.type = ADDR_ANY, .nonce = 7},
                       v4 = addr_of("10.0.0.1:80/3");
    struct entity_addr v6 = addr_of("v1:[::5]:90/4"), addr = v4;
    char buf[ENTITY_ADDR_TEXT];

    ck_assert(entity_addr_is_blank(&blank) && !entity_addr_is_blank(&v4));
    ck_assert_uint_eq(entity_addr_socklen(&blank), 0);
    ck_assert_uint_eq(entity_addr_socklen(&v4), 16);
    ck_assert_uint_eq(entity_addr_socklen(&v6), 28);
    ck_assert_uint_eq(entity_addr_port(&v4), 80);
    ck_assert_uint_eq(entity_addr_port(&v6), 90);
    ck_assert_uint_eq(entity_addr_port(&blank), 0);
    entity_addr_set_ip(&addr, &v6);
    ck_assert_str_eq(entity_addr_text(&addr, buf), "v2:[::5]:80/3");
    entity_addr_set_ip(&addr, &blank); /* nothing to take over */
    ck_assert_str_eq(entity_addr_text(&addr, buf), "v2:[::5]:80/3");
    entity_addr_set_ip(&addr, &v4);
    entity_addr_set_port(&addr, 81);
    ck_assert_str_eq(entity_addr_text(&addr, buf), "v2:10.0.0.1:81/3");
    entity_addr_set_port(&blank, 81);
    ck_assert(entity_addr_is_blank(&blank));
    entity_addr_set_ip(&blank, &v4);
    ck_assert_str_eq(entity_addr_text(&blank, buf), "any:10.0.0.1:0/7");
}
END_TEST

START_TEST(ip_any)
{
    struct entity_addr blank = {0}, v4 = addr_of("0.0.0.0:1"), v6 = addr_of("[::]:1");
    struct entity_addr other = addr_of("0.0.0.1:1"), other6 = addr_of("[::1]:1");

    ck_assert(entity_addr_is_ip_any(&v4) && entity_addr_is_ip_any(&v6));
    ck_assert(!entity_addr_is_ip_any(&blank) && !entity_addr_is_ip_any(&other));
    ck_assert(!entity_addr_is_ip_any(&other6));
}
END_TEST

START_TEST(from_sockaddr_takes_ip_families_only)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(5), .sin_zero = {1, 2}};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = 2};
    struct sockaddr local = {.sa_family = AF_UNIX, .sa_data = "/x"};
    struct entity_addr addr;

    addr = entity_addr_from_sockaddr((struct sockaddr *)&in, ADDR_MSGR2, 9);
    ck_assert(addr.type == ADDR_MSGR2 && addr.nonce == 9 && entity_addr_port(&addr) == 5);
    ck_assert_uint_eq(addr.in.sin_zero[0] | addr.in.sin_zero[1], 0);
    addr = entity_addr_from_sockaddr((struct sockaddr *)&in6, ADDR_LEGACY, 0);
    ck_assert(addr.type == ADDR_LEGACY && addr.in6.sin6_scope_id == 2);
    addr = entity_addr_from_sockaddr(&local, ADDR_ANY, 3);
    ck_assert(entity_addr_is_blank(&addr) && addr.type == ADDR_ANY && addr.nonce == 3);
}
END_TEST

/* Bytes that mean nothing (sin_zero, the rest of the union) do not tell addresses apart. */
START_TEST(meaningless_bytes_do_not_count)
{
    struct entity_addr a = addr_of("10.0.0.1:80/3"), b;
    struct entity_addrvec vec_a = {1, {a}}, vec_b;

    memset(&b, 0xee, sizeof(b));
    b.type = a.type;
    b.nonce = a.nonce;
    b.in.sin_family = AF_INET;
    b.in.sin_port = a.in.sin_port;
    b.in.sin_addr = a.in.sin_addr;
    ck_assert(entity_addr_equal(&a, &b));
    memset(&vec_b, 0xee, sizeof(vec_b));
    vec_b.n = 1;
    vec_b.v[0] = b;
    ck_assert(entity_addrvec_equal(&vec_a, &vec_b));
    ck_assert(entity_addrvec_hash(&vec_a) == entity_addrvec_hash(&vec_b));
}
END_TEST

/* ---- order ---- */

/* Ascending by Ceph's rule: bytes of the type, of the nonce (low byte first), of the
 * family, of the port (high byte first), of the ip. */
static const char *const ascending[] = {
    "v1:255.0.0.1:1/255",
    "v2:127.0.0.1:3300/0",
    "v2:127.0.0.1:1/4278190080", /* 00 00 00 ff */
    "v2:127.0.0.1:1/256",        /* 00 01 00 00 */
    "v2:127.0.0.1:1/1",
    "v2:127.0.0.1:2/1",
    "v2:127.0.0.1:255/1",
    "v2:127.0.0.1:256/1",
    "v2:1.0.0.2:256/257",
    "v2:2.0.0.1:256/257",
    "v2:[::]:0/257",
    "v2:[::1]:0/257",
    "v2:[1::]:0/257",
    "v2:[::]:1/257",
    "v2:127.0.0.1:1/2",
    "v2:127.0.0.1:1/255",
    "any:127.0.0.1:1/0",
};

START_TEST(order_is_that_of_memory)
{
    for (size_t i = 0; i < ARRAY_SIZE(ascending); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(ascending); j++) {
            struct entity_addr a = addr_of(ascending[i]), b = addr_of(ascending[j]);
            int order = entity_addr_compare(&a, &b);

            ck_assert_msg((order > 0) - (order < 0) == (i > j) - (i < j), "%s and %s: %d",
                          ascending[i], ascending[j], order);
            ck_assert(entity_addr_equal(&a, &b) == (i == j));
        }
    }
}
END_TEST

/* ---- vectors ---- */

START_TEST(vectors_find_and_compare)
{
    struct entity_addrvec vec = vec_of("[v2:10.0.0.1:1/5,v1:10.0.0.1:2/5,v2:10.0.0.1:3/5]");
    struct entity_addrvec swapped =
        vec_of("[v1:10.0.0.1:2/5,v2:10.0.0.1:1/5,10.0.0.1:3/5]");
    struct entity_addrvec shorter = vec_of("[v2:10.0.0.1:1/5,v1:10.0.0.1:2/5]");
    struct entity_addrvec empty = {.n = 0};
    struct entity_addr inside = addr_of("v1:10.0.0.1:2/5"),
                       outside = addr_of("10.0.0.1:2/5");

    ck_assert(entity_addrvec_equal(&vec, &vec));
    ck_assert(!entity_addrvec_equal(&vec, &swapped));
    ck_assert(!entity_addrvec_equal(&vec, &shorter));
    ck_assert(!entity_addrvec_equal(&shorter, &vec));
    ck_assert(entity_addrvec_equal(&empty, &empty));
    ck_assert(entity_addrvec_contains(&vec, &inside));
    ck_assert(!entity_addrvec_contains(&vec, &outside));
    ck_assert(!entity_addrvec_contains(&empty, &inside));
    ck_assert_ptr_eq(entity_addrvec_find(&vec, ADDR_MSGR2), &vec.v[0]);
    ck_assert_ptr_eq(entity_addrvec_find(&vec, ADDR_LEGACY), &vec.v[1]);
    ck_assert_ptr_null(entity_addrvec_find(&vec, ADDR_ANY));
    ck_assert_ptr_null(entity_addrvec_find(&empty, ADDR_NONE));
}
END_TEST

/* The hash is part of what a run looks like: it may not change from build to build. 4096
 * neighbours share no value, and every bit is set in about half of them. */
START_TEST(hash_is_fixed_and_mixes)
{
    struct entity_addrvec vec = vec_of("[v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0]");
    static uint64_t seen[4096];
    int ones[64] = {0}, equal = 0;

    ck_assert_msg(entity_addrvec_hash(&vec) == 0xe7894c6e9329307b, "%#jx",
                  (uintmax_t)entity_addrvec_hash(&vec));
    vec = vec_of("10.0.0.1:6800");
    for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
        vec.v[0].nonce = (uint32_t)i;
        seen[i] = entity_addrvec_hash(&vec);
        for (size_t j = 0; j < i; j++)
            equal += seen[j] == seen[i];
        for (int bit = 0; bit < 64; bit++)
            ones[bit] += seen[i] >> bit & 1;
    }
    ck_assert_int_eq(equal, 0);
    for (int bit = 0; bit < 64; bit++)
        ck_assert_msg(ones[bit] > 1848 && ones[bit] < 2248, "bit %d: %d", bit, ones[bit]);
}
END_TEST

/* ---- wire form ---- */

static const struct {
    const char *text, *hex;
} wire_addrs[] = {
    {"v2:127.0.0.1:3300/0",
     "01 01 01 1c 00*3 | 02 00*3 | 00*4 | 10 00*3 | 02 00 0c e4 7f 00 00 01 00*8"},
    {"any:127.0.0.1:0/1434690706",
     "01 01 01 1c 00*3 | 03 00*3 | 92 a4 83 55 | 10 00*3 | 02 00 00 00 7f 00 00 01 00*8"},
    {"v1:[2001:db8::1%5]:6789/1",
     "01 01 01 28 00*3 | 01 00*3 | 01 00*3 | 1c 00*3 | 0a 00 1a 85 "
     "00*4 20 01 0d b8 00*11 01 05 00*3"},
    {NULL, "01 01 01 28 00*3 | 03 00*3 | 07 00*3 | 1c 00*3 | 00*28"}, /* blank */
};

static struct entity_addr wire_addr(int i)
{
    struct entity_addr blank = {.type = ADDR_ANY, .nonce = 7};

    return wire_addrs[i].text ? addr_of(wire_addrs[i].text) : blank;
}

/* Both ways, into and out of memory of exactly that size; every cut is a bad message. */
START_TEST(addresses_on_the_wire)
{
    struct hex hex = hex_of(wire_addrs[_i].hex);
    struct entity_addr addr = wire_addr(_i), ret;

    for (size_t len = 0; len <= hex.len; len++) {
        uint8_t *out = malloc(len), *in = exact_copy(hex.bytes, len);
        struct wire_writer w = wire_writer(out, len);
        struct wire_reader r = wire_reader(in, len);

        entity_addr_encode(&w, &addr);
        ck_assert(w.failed == (len < hex.len));
        ck_assert_int_eq(entity_addr_decode(&r, &ret), len < hex.len ? -EBADMSG : 0);
        ck_assert(r.failed == (len < hex.len));
        if (len == hex.len) {
            ck_assert_mem_eq(out, hex.bytes, len);
            ck_assert(entity_addr_equal(&ret, &addr));
            ck_assert_uint_eq(wire_left(&r), 0);
        }
        free(out);
        free(in);
    }
}
END_TEST

/* What Ceph never sends but a decoder must decide about. */
static const struct {
    const char *what, *hex, *text; /* NULL: refused */
} odd_wire_addrs[] = {
    {"a longer body is skipped",
     "01 01 01 1f 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 00*8 aa bb cc",
     "v2:127.0.0.1:3300/0"},
    {"a newer version that we can read",
     "01 09 01 1d 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 00*8 aa",
     "v2:127.0.0.1:3300/0"},
    {"sin_zero is not zero",
     "01 01 01 1c 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 ff*8",
     "v2:127.0.0.1:3300/0"},
    {"a shorter sockaddr is filled up",
     "01 01 01 14 00*3 02 00*3 00*4 08 00*3 02 00 0c e4 7f 00 00 01",
     "v2:127.0.0.1:3300/0"},
    {"a family and no more", "01 01 01 0e 00*3 02 00*3 00*4 02 00*3 0a 00", "v2:[::]:0/0"},
    {"no sockaddr is blank", "01 01 01 0c 00*3 02 00*3 00*4 00*4", "-"},
    {"family 0 is blank, whatever follows",
     "01 01 01 28 00*3 02 00*3 00*4 1c 00*3 00 00 ff*26", "-"},
    {"the form before nautilus", "00 00*3 00*4 00*128", NULL},
    {"marker of a vector", "02 01 00*3 00*35", NULL},
    {"marker 3", "03 01 01 1c 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 00*8",
     NULL},
    {"a version that needs a newer decoder",
     "01 02 02 1c 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 00*8", NULL},
    {"sockaddr longer than the body",
     "01 01 01 1c 00*3 02 00*3 00*4 11 00*3 02 00 0c e4 7f 00 00 01 00*9", NULL},
    {"sockaddr of 4 GiB", "01 01 01 1c 00*3 02 00*3 00*4 ff*4 02 00 0c e4 7f 00 00 01 00*8",
     NULL},
    {"half a family", "01 01 01 0d 00*3 02 00*3 00*4 01 00*3 02", NULL},
    {"IPv4 longer than its family",
     "01 01 01 1d 00*3 02 00*3 00*4 11 00*3 02 00 0c e4 7f 00 00 01 00*9", NULL},
    {"IPv6 longer than its family", "01 01 01 29 00*3 02 00*3 00*4 1d 00*3 0a 00 00*27",
     NULL},
    {"blank longer than any family", "01 01 01 29 00*3 02 00*3 00*4 1d 00*3 00*29", NULL},
    {"a family that is no ip", "01 01 01 1c 00*3 02 00*3 00*4 10 00*3 01 00 00*14", NULL},
    {"body shorter than its fields", "01 01 01 0b 00*3 02 00*3 00*4 00*3", NULL},
    {"body of 4 GiB", "01 01 01 ff*4 02 00*3 00*4 00*4", NULL},
};

START_TEST(odd_addresses_on_the_wire)
{
    struct hex hex = hex_of(odd_wire_addrs[_i].hex);
    uint8_t *in = exact_copy(hex.bytes, hex.len);
    struct wire_reader r = wire_reader(in, hex.len);
    struct entity_addr addr;
    char buf[ENTITY_ADDR_TEXT];
    int rc = entity_addr_decode(&r, &addr);

    ck_assert_msg(rc == (odd_wire_addrs[_i].text ? 0 : -EBADMSG), "%s",
                  odd_wire_addrs[_i].what);
    ck_assert(r.failed == (rc < 0));
    if (rc == 0) {
        ck_assert_str_eq(entity_addr_text(&addr, buf), odd_wire_addrs[_i].text);
        ck_assert_uint_eq(wire_left(&r), 0);
    }
    free(in);
}
END_TEST

#define V2_HEX "01 01 01 1c 00*3 02 00*3 00*4 10 00*3 02 00 0c e4 7f 00 00 01 00*8 "
#define V1_HEX "01 01 01 1c 00*3 01 00*3 00*4 10 00*3 02 00 1a 85 7f 00 00 01 00*8 "

static const struct {
    const char *hex, *text; /* NULL: refused */
} wire_vecs[] = {
    {"02 01 00*3 " V2_HEX, "v2:127.0.0.1:3300/0"},
    {"02 02 00*3 " V2_HEX V1_HEX, "[v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0]"},
    {"02 08 00*3 " V2_HEX V1_HEX V2_HEX V1_HEX V2_HEX V1_HEX V2_HEX V1_HEX,
     "[v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0,v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0,"
     "v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0,v2:127.0.0.1:3300/0,v1:127.0.0.1:6789/0]"},
    {"02 00*4", "-"},
    {V1_HEX, "v1:127.0.0.1:6789/0"}, /* marker 1: a vector of one */
    {"02 09 00*3 " V2_HEX V1_HEX V2_HEX V1_HEX V2_HEX V1_HEX V2_HEX V1_HEX V2_HEX, NULL},
    {"02 ff*4 " V2_HEX, NULL},
    {"03 01 00*3 " V2_HEX, NULL},
    {"00 00*3 00*4 00*128", NULL},
};

START_TEST(vectors_on_the_wire)
{
    struct hex hex = hex_of(wire_vecs[_i].hex);
    struct entity_addrvec vec, again;
    char buf[ENTITY_ADDRVEC_TEXT];
    uint8_t out[1024];
    struct wire_writer w = wire_writer(out, sizeof(out));

    for (size_t len = 0; len <= hex.len; len++) {
        uint8_t *in = exact_copy(hex.bytes, len);
        struct wire_reader r = wire_reader(in, len);
        int rc = entity_addrvec_decode(&r, &vec);

        ck_assert_int_eq(rc, len == hex.len && wire_vecs[_i].text ? 0 : -EBADMSG);
        ck_assert(r.failed == (rc < 0));
        free(in);
    }
    if (!wire_vecs[_i].text)
        return;
    ck_assert_str_eq(entity_addrvec_text(&vec, buf), wire_vecs[_i].text);
    entity_addrvec_encode(&w, &vec);
    if (hex.bytes[0] == 2) {
        ck_assert_uint_eq(wire_written(&w), hex.len);
        ck_assert_mem_eq(out, hex.bytes, hex.len);
    }
    ck_assert_int_eq(
        entity_addrvec_decode(&(struct wire_reader){.at = out, .end = w.at}, &again), 0);
    ck_assert(entity_addrvec_equal(&vec, &again));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("entity_addr");
    TCase *tc = tcase_create("entity_addr");

    suite_add_tcase(suite, tc);
    add_rows(tc, texts_parse_and_print, texts);
    add_rows(tc, bad_texts_say_why, bad_texts);
    add_rows(tc, vector_texts_parse_and_print, vec_texts);
    add_rows(tc, bad_vector_texts_say_why, bad_vec_texts);
    tcase_add_test(tc, odd_addresses_print);
    tcase_add_test(tc, values_and_setters);
    tcase_add_test(tc, ip_any);
    tcase_add_test(tc, from_sockaddr_takes_ip_families_only);
    tcase_add_test(tc, meaningless_bytes_do_not_count);
    tcase_add_test(tc, order_is_that_of_memory);
    tcase_add_test(tc, vectors_find_and_compare);
    tcase_add_test(tc, hash_is_fixed_and_mixes);
    add_rows(tc, addresses_on_the_wire, wire_addrs);
    add_rows(tc, odd_addresses_on_the_wire, odd_wire_addrs);
    add_rows(tc, vectors_on_the_wire, wire_vecs);
    return testlib_run(suite);
}
