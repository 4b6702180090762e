/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reasons.c: the lines that say why there is no session name who, how far, and which
 * address; nothing in them can move a cursor; a flood gives few lines and a true number.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/peer/reasons.h"
#include "tests/lib/testlib.h"

static struct entity_addrvec addrs_of(const char *text)
{
    struct entity_addrvec vec;
    const char *why = "";

    ck_assert_msg(entity_addrvec_parse(text, ADDR_MSGR2, 0, &vec, &why) == 0, "%s", why);
    return vec;
}

static struct conn_seen seen_by(enum conn_progress progress)
{
    return (struct conn_seen){.progress = progress,
                              .socket = addrs_of("v2:127.0.0.1:45678").v[0],
                              .objection = ""};
}

static void set_first(struct conn_seen *seen, const char *bytes, size_t n)
{
    memcpy(seen->first, bytes, n);
    seen->first_n = (uint8_t)n;
}

static void expect_refused(const struct conn_seen *seen, const char *why, const char *line)
{
    const struct entity_addrvec ours = addrs_of("v2:127.0.0.1:3300");
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    reasons_print_refused(out, seen, why, &ours);
    fclose(out);
    ck_assert_str_eq(text, line);
    free(text);
}

static void expect_progress(const struct conn_seen *seen, const char *why, const char *line)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    reasons_print_progress(out, seen, why);
    fclose(out);
    ck_assert_str_eq(text, line);
    free(text);
}

/* A caller that asked for another address: which one, and which are ours. */
START_TEST(wanted_and_own_address)
{
    struct conn_seen seen = seen_by(CONN_IDENT);

    seen.entity_type = ENTITY_CLIENT;
    seen.wanted = addrs_of("v2:127.0.0.1:3301/7").v[0];
    expect_refused(
        &seen, "CLIENT_IDENT for an address that is not ours",
        "127.0.0.1:45678: CLIENT_IDENT for an address that is not ours; it wants "
        "v2:127.0.0.1:3301/7, we are v2:127.0.0.1:3300/0");
}
END_TEST

/* A stranger shows its first bytes, harmless ones. */
START_TEST(strangers_show_their_bytes)
{
    struct conn_seen seen = seen_by(CONN_TRANSPORT);

    set_first(&seen, "GET /\r\n", 7);
    expect_refused(&seen, "no msgr2 banner: the peer speaks HTTP",
                   "127.0.0.1:45678: no msgr2 banner: the peer speaks HTTP; it began with "
                   "\"GET /\\r\\n\"");
    set_first(&seen, "\x1b[2J\"\\\xff", 7);
    expect_refused(&seen, "why",
                   "127.0.0.1:45678: why; it began with \"\\x1b[2J\\\"\\\\\\xff\"");
}
END_TEST

/* Who stops on the way: how far it came, as what, and what we had against it. */
START_TEST(half_open_callers)
{
    struct conn_seen seen = seen_by(CONN_TRANSPORT);

    expect_refused(&seen, "handshake took too long",
                   "127.0.0.1:45678: handshake took too long; it sent nothing");
    expect_refused(&seen, "", "127.0.0.1:45678: no reason known; it sent nothing");
    seen.progress = CONN_HELLO;
    seen.entity_type = ENTITY_OSD;
    seen.objection = "it wants other authentication";
    expect_refused(
        &seen, "the peer closed the connection",
        "127.0.0.1:45678: it wants other authentication; then the peer closed the "
        "connection; it came as far as HELLO and says it is an osd");
}
END_TEST

/* The dialler says how far it came, and of another address only when that is likely. */
START_TEST(diallers_say_how_far)
{
    const char *closed = "the peer closed the connection";
    struct conn_seen seen = seen_by(CONN_TRANSPORT);

    seen.wanted = addrs_of("v2:127.0.0.1:3301").v[0];
    expect_progress(&seen, closed, "; it was connected, but nothing came from the peer");
    seen.progress = CONN_HELLO;
    expect_progress(&seen, closed, "; the peer's HELLO came, but no AUTH_DONE");
    seen.entity_type = ENTITY_OSD;
    expect_progress(&seen, "the peer is of another entity type",
                    "; the peer's HELLO came, but no AUTH_DONE: it says it is an osd");
    seen.progress = CONN_SIGNATURE;
    expect_progress(&seen, "the peer requires features we lack",
                    "; AUTH_DONE and AUTH_SIGNATURE came, but no SERVER_IDENT");
    expect_progress(
        &seen, closed,
        "; AUTH_DONE and AUTH_SIGNATURE came, but no SERVER_IDENT: the peer may "
        "know itself by another address than v2:127.0.0.1:3301/0 (behind a "
        "forwarder or a NAT, or with another nonce), and drops whoever asks for "
        "that one: dial the address it announces");
    seen.progress = CONN_IDENT;
    seen.said = addrs_of("[v2:10.0.0.1:3300,v1:10.0.0.1:6789]");
    expect_progress(&seen, "somebody else answers at that address",
                    "; SERVER_IDENT came: we want v2:127.0.0.1:3301/0, it says it is "
                    "[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0]");
    seen.progress = CONN_SESSION;
    expect_progress(&seen, closed, "");
}
END_TEST

/* Ten lines a second, and the others as a number, once: none is lost or told twice. */
START_TEST(floods_are_counted)
{
    struct refusals r = {0};
    uint64_t now = 5 * NSEC_PER_SEC, lines = 0, reported = 0;

    for (int i = 0; i < 1000; i++) {
        lines += refusals_take(&r, now);
        reported += refusals_report(&r, 3, now, false);
    }
    ck_assert_uint_eq(lines, REFUSED_LINES_PER_SECOND);
    ck_assert_uint_eq(reported, 0); /* the second is not over */
    now += NSEC_PER_SEC;
    ck_assert_uint_eq(refusals_report(&r, 3, now, false), 1000 + 3 - lines);
    ck_assert_uint_eq(refusals_report(&r, 3, now, true), 0);
    ck_assert(refusals_take(&r, now)); /* a new second */
    for (int i = 0; i < 20; i++) {
        refusals_take(&r, now);
    }
    ck_assert_uint_eq(refusals_report(&r, 5, now, true),
                      20 + 1 - REFUSED_LINES_PER_SECOND + 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peer_reasons");
    TCase *tc = tcase_create("reasons");

    tcase_add_test(tc, wanted_and_own_address);
    tcase_add_test(tc, strangers_show_their_bytes);
    tcase_add_test(tc, half_open_callers);
    tcase_add_test(tc, diallers_say_how_far);
    tcase_add_test(tc, floods_are_counted);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
