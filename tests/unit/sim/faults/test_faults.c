/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults.c: which faults happen: the catalogue, rules with their scopes, windows
 * and counts, rates with their decisions, and the watch that finds frames in a byte stream.
 */
#include <errno.h>
#include <string.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "sim/faults/faults.h"
#include "sim/faults/frame_watch.h"
#include "tests/lib/testlib.h"

static struct sim_faults *faults;
static struct sim_actor actor;

static void setup(void)
{
    faults = sim_faults_new(NULL, 7);
    sim_faults_name_actor(faults, &actor, "a>b");
}

static void teardown(void)
{
    sim_faults_free(faults);
}

static struct fault_place place_at(uint64_t now_ns)
{
    return (struct fault_place){
        .node = "a", .peer = "b", .thread = "w-0", .actor = &actor, .now_ns = now_ns};
}

/* Which of the next 10 calls at one instant are hit, as bits. */
static unsigned hits(enum fault_id id, const struct fault_place *place)
{
    struct fault_shot shot;
    unsigned bits = 0;

    for (int i = 0; i < 10; i++) {
        bits |= sim_faults_ask(faults, id, place, 3, &shot) ? 1u << i : 0;
    }
    return bits;
}

/* ---- the catalogue ------------------------------------------------------------------ */

/* Names are found whatever their case, are all different, and each row says what it may
 * lead to and what it does, in words that fit between JSON's quotes. */
START_TEST(catalogue_is_sound)
{
    ck_assert_int_eq(fault_by_name("S06_short_recv"), FAULT_S06_SHORT_RECV);
    ck_assert_int_eq(fault_by_name("s06_SHORT"), -1);
    for (int i = 0; i < FAULT_COUNT; i++) {
        const struct fault_info *info = fault_info((enum fault_id)i);

        ck_assert_int_eq(fault_by_name(info->name), i);
        ck_assert_msg((info->consequences & FC_ALL) != 0, "%s", info->name);
        ck_assert_ptr_null(strchr(info->what, '"'));
        ck_assert_int_lt((int)strlen(info->name), FAULT_NAME);
        if (info->decision >= 0) { /* the site of a fault has its name */
            ck_assert_str_eq(sim_site_name((enum sim_site)info->decision), info->name);
        }
    }
    ck_assert_int_eq(fault_consequence_by_name("corrupt"), FC_CORRUPT);
    ck_assert_int_eq(fault_consequence_by_name("Corrupt"), 0);
}
END_TEST

/* ---- rules -------------------------------------------------------------------------- */

/* nth, count: the 3rd and the two after it. */
START_TEST(rules_count)
{
    const struct fault_rule rule = {.id = FAULT_S06_FIN, .nth = 3, .count = 3};
    struct fault_place place = place_at(0);
    struct fault_counts counts;
    int number = sim_faults_add(faults, &rule);

    ck_assert_int_eq(number, 1);
    ck_assert_uint_eq(hits(FAULT_S06_RESET, &place), 0);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0x1c);
    ck_assert_uint_eq(sim_faults_rule_fired(faults, number), 3);
    sim_faults_counts(faults, FAULT_S06_FIN, &counts);
    ck_assert_uint_eq(counts.armed, 1);
    ck_assert_uint_eq(counts.asked, 10);
    ck_assert_uint_eq(counts.fired, 3);
}
END_TEST

/* A rule sees only its node, peer and thread. */
START_TEST(rules_have_scopes)
{
    static const struct fault_rule scopes[] = {
        {.id = FAULT_S06_FIN, .node = "b"},
        {.id = FAULT_S06_FIN, .peer = "c"},
        {.id = FAULT_S06_FIN, .thread = "w-1"},
        {.id = FAULT_S06_FIN, .node = "a", .peer = "b", .thread = "w-0"},
    };
    struct fault_place place = place_at(0), unknown = place_at(0);

    unknown.peer = "";
    sim_faults_add(faults, &scopes[_i]);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), _i == 3 ? 0x3ff : 0);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &unknown), 0);
}
END_TEST

static void enters(uint8_t node, int from, int to)
{
    const struct trace_record record = {
        .kind = TP_PROTO_STATE, .node = node, .a0 = (uint64_t)from, .a1 = (uint64_t)to};

    state_watch_record(sim_faults_states(faults), &record, NULL);
}

static uint8_t state_called(const char *name)
{
    for (int i = 0; i < STATE_WATCH_STATES; i++) {
        if (state_watch_name(i) != NULL && strcmp(state_watch_name(i), name) == 0) {
            return (uint8_t)i;
        }
    }
    ck_abort_msg("no state %s", name);
}

/* A rule with a state sees what happens while a connection of that node is in it. */
START_TEST(rules_wait_for_states)
{
    const struct fault_rule rule = {.id = FAULT_S06_FIN, .state = state_called("READY")};
    const struct fault_rule none = {.id = FAULT_S06_FIN, .state = STATE_WATCH_STATES};
    struct fault_place place = place_at(0);

    ck_assert_int_eq(sim_faults_add(faults, &none), -EINVAL);
    sim_faults_add(faults, &rule);
    place.number = 1;
    enters(1, PROTO_NONE, PROTO_START_CONNECT);
    enters(2, PROTO_SESSION_CONNECTING, PROTO_READY);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0);
    enters(1, PROTO_SESSION_CONNECTING, PROTO_READY);
    enters(1, PROTO_SESSION_ACCEPTING, PROTO_READY);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0x3ff);
    enters(1, PROTO_READY, PROTO_CLOSED);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0x3ff);
    enters(1, PROTO_READY, PROTO_CLOSED);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0);
    enters(1, PROTO_SESSION_CONNECTING, PROTO_READY);
    state_watch_forget(sim_faults_states(faults), 1); /* it died, and lives again */
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0);
}
END_TEST

/* A rule begins and ends by the clock, and occurrences outside do not count. */
START_TEST(rules_have_windows)
{
    const struct fault_rule rule = {
        .id = FAULT_S06_FIN, .at_ns = 100, .duration_ns = 50, .nth = 2};
    struct fault_place place = place_at(99);

    sim_faults_add(faults, &rule);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0);
    place = place_at(100);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0x3fe);
    place = place_at(150);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0);
}
END_TEST

/* What is removed or stopped is over; what goes on goes on. */
START_TEST(rules_end)
{
    const struct fault_rule rule = {.id = FAULT_S06_FIN};
    struct fault_place place = place_at(0);
    int first = sim_faults_add(faults, &rule), second = sim_faults_add(faults, &rule);

    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0x3ff);
    sim_faults_remove(faults, first);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0x3ff);
    ck_assert_uint_eq(sim_faults_rule_fired(faults, second), 10);
    sim_faults_stop(faults, true);
    ck_assert(!sim_faults_wants(faults, FAULT_S06_FIN));
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0);
    sim_faults_stop(faults, false);
    sim_faults_remove(faults, second);
    ck_assert_uint_eq(hits(FAULT_S06_FIN, &place), 0);
    ck_assert(!sim_faults_wants(faults, FAULT_S06_FIN));
}
END_TEST

/* A rule about frames counts frames of its tag and side, and no calls; the others count no
 * frames. An occurrence that one rule takes still counts for the next. */
START_TEST(frames_are_counted_apart)
{
    const struct fault_rule third = {
        .id = FAULT_S07_RESET, .frame = TAG_MESSAGE, .nth = 3, .count = 1};
    const struct fault_rule second = {
        .id = FAULT_S07_EPIPE, .frame = FAULT_TAG_ANY, .nth = 2, .count = 1};
    struct fault_place place = place_at(0), call = place_at(0);
    struct fault_shot shot;
    enum fault_id id;

    sim_faults_add(faults, &second);
    sim_faults_add(faults, &third);
    ck_assert(sim_faults_wants_frames(faults, FAULT_WRITE));
    ck_assert(!sim_faults_wants_frames(faults, FAULT_READ));
    place.frame = TAG_MESSAGE;
    ck_assert_uint_eq(hits(FAULT_S07_RESET, &call), 0);
    ck_assert(!sim_faults_ask_frame(faults, &place, &id, &shot));
    ck_assert(sim_faults_ask_frame(faults, &place, &id, &shot));
    ck_assert_int_eq(id, FAULT_S07_EPIPE);
    place.frame = TAG_ACK;
    ck_assert(!sim_faults_ask_frame(faults, &place, &id, &shot));
    place.side = FAULT_READ;
    place.frame = TAG_MESSAGE;
    ck_assert(!sim_faults_ask_frame(faults, &place, &id, &shot));
    place.side = FAULT_WRITE;
    ck_assert(sim_faults_ask_frame(faults, &place, &id, &shot));
    ck_assert_int_eq(id, FAULT_S07_RESET);
}
END_TEST

/* A rule that can never be carried out is refused. */
START_TEST(bad_rules_are_refused)
{
    static const struct fault_rule bad[] = {
        {.id = FAULT_COUNT},
        {.id = FAULT_P01_CRASH},
        {.id = FAULT_S06_FIN, .probability = 1025},
        {.id = FAULT_S06_FIN, .frame = TAG_ACK, .side = FAULT_WRITE},
        {.id = FAULT_S01_SOCKET, .frame = TAG_ACK},
    };

    ck_assert_int_eq(sim_faults_add(faults, &bad[_i]), -EINVAL);
}
END_TEST

/* r03_fds holds from so many open descriptors on. */
START_TEST(descriptors_are_a_condition)
{
    const struct fault_rule rule = {.id = FAULT_R03_FDS, .value = 5};
    struct fault_place place = place_at(0);

    sim_faults_add(faults, &rule);
    place.open = 4;
    ck_assert_uint_eq(hits(FAULT_R03_FDS, &place), 0);
    place.open = 5;
    ck_assert_uint_eq(hits(FAULT_R03_FDS, &place), 0x3ff);
}
END_TEST

/* ---- decisions ---------------------------------------------------------------------- */

/* A rate is drawn by the site's decisions: as often as it says, in 1 .. n, and logged so
 * that a replay without any rate gives the same. */
START_TEST(rates_are_decisions)
{
    struct sim_decisions d, again;
    struct fault_place place = place_at(0);
    struct fault_shot shot;
    struct sim_faults *f;
    char why[80], *log;
    uint64_t draws[1000];
    int fired = 0;

    sim_decisions_init(&d, 42);
    d.logging = true;
    f = sim_faults_new(&d, 0);
    sim_faults_name_actor(f, &actor, "a>b");
    sim_faults_set_rate(f, FAULT_S06_SHORT_RECV, 256);
    for (int i = 0; i < 1000; i++) {
        bool hit = sim_faults_ask(f, FAULT_S06_SHORT_RECV, &place, 9, &shot);

        draws[i] = hit ? shot.draw : 0;
        fired += hit;
        ck_assert(!hit || (shot.draw >= 1 && shot.draw <= 9 && shot.is_drawn));
    }
    ck_assert_int_gt(fired, 170);
    ck_assert_int_lt(fired, 290);
    log = sim_decisions_text(&d);
    sim_faults_free(f);
    sim_decisions_fini(&d);

    sim_decisions_init(&again, 1);
    again.defaults = true;
    ck_assert_int_eq(sim_decisions_load(&again, log, why, sizeof(why)), 0);
    f = sim_faults_new(&again, 0);
    sim_faults_name_actor(f, &actor, "a>b");
    for (int i = 0; i < 1000; i++) {
        bool hit = sim_faults_ask(f, FAULT_S06_SHORT_RECV, &place, 9, &shot);

        ck_assert_uint_eq(hit ? shot.draw : 0, draws[i]);
    }
    sim_faults_free(f);
    sim_decisions_fini(&again);
    free(log);
}
END_TEST

/* A rule's probability is a decision, too. */
START_TEST(chances_are_decisions)
{
    const struct fault_rule rule = {.id = FAULT_S06_FIN, .probability = 512};
    struct fault_place place = place_at(0);
    struct fault_shot shot;
    int fired = 0;

    sim_faults_add(faults, &rule);
    for (int i = 0; i < 1000; i++) {
        fired += sim_faults_ask(faults, FAULT_S06_FIN, &place, 1, &shot);
    }
    ck_assert_int_gt(fired, 420);
    ck_assert_int_lt(fired, 580);
}
END_TEST

/* ---- frames ------------------------------------------------------------------------- */

struct stream {
    uint8_t bytes[4096];
    size_t n;
    size_t starts[8]; /* of frames */
    int frames;
};

static void put_banner(struct stream *s, bool rev1)
{
    const struct banner banner = {.supported = rev1 ? MSGR2_FEATURE_REVISION_1 : 0};

    banner_encode(s->bytes, &banner);
    s->n = BANNER_BYTES;
}

static void put_frame(struct stream *s, enum frame_tag tag, size_t payload, bool rev1)
{
    static const uint8_t zeros[512];

    s->starts[s->frames++] = s->n;
    s->n += frame_control_encode(tag, rev1, zeros, payload, s->bytes + s->n,
                                 sizeof(s->bytes) - s->n);
}

static void put_story(struct stream *s, bool rev1)
{
    *s = (struct stream){0};
    put_banner(s, rev1);
    put_frame(s, TAG_HELLO, 40, rev1);
    put_frame(s, TAG_AUTH_REQUEST, 100, rev1);
    put_frame(s, TAG_ACK, 8, rev1);
    put_frame(s, TAG_KEEPALIVE2, 8, rev1);
}

/* Both directions have had the same bytes of this stream. */
static void pass(struct frame_watch pair[2], const struct stream *s, size_t from, size_t to)
{
    const struct iovec iov = {.iov_base = (void *)(s->bytes + from), .iov_len = to - from};

    frame_watch_advance(&pair[0], &iov, 1, to - from);
    frame_watch_advance(&pair[1], &iov, 1, to - from);
}

static void pair_init(struct frame_watch pair[2])
{
    frame_watch_init(&pair[0], &pair[1]);
    frame_watch_init(&pair[1], &pair[0]);
}

/* In pieces of any size each frame is seen when its preamble is whole, in 2.0 and 2.1, and
 * the watch knows how far it is to what comes next. */
START_TEST(watch_follows_pieces)
{
    static const uint8_t tags[] = {TAG_HELLO, TAG_AUTH_REQUEST, TAG_ACK, TAG_KEEPALIVE2};
    struct frame_watch pair[2];
    struct stream s;
    int seen = 0;

    put_story(&s, _i % 2 == 0);
    pair_init(pair);
    for (size_t at = 0; at < s.n; at++) {
        uint64_t until = frame_watch_until(&pair[0]), frames = pair[0].frames;

        ck_assert_uint_gt(until, 0);
        if (seen < s.frames && at == s.starts[seen]) {
            ck_assert(frame_watch_is_between(&pair[0]));
            ck_assert_uint_eq(until, PREAMBLE_BYTES);
        }
        pass(pair, &s, at, at + 1);
        if (pair[0].frames != frames) {
            ck_assert_uint_eq(at + 1, s.starts[seen] + PREAMBLE_BYTES);
            ck_assert_uint_eq(pair[0].tag, tags[seen]);
            seen++;
        }
    }
    ck_assert_int_eq(seen, 4);
    ck_assert(!pair[0].blind && frame_watch_is_between(&pair[0]));
}
END_TEST

/* Looking ahead finds every frame with its place, across any cut of the iovecs, and leaves
 * the watch alone. */
START_TEST(scan_looks_ahead)
{
    struct frame_watch pair[2];
    struct stream s;

    put_story(&s, true);
    for (size_t cut = 0; cut < s.n; cut++) {
        struct iovec iov[2] = {{.iov_base = s.bytes, .iov_len = cut},
                               {.iov_base = s.bytes + cut, .iov_len = s.n - cut}};
        struct frame_scan scan;
        struct frame_start start;
        int seen = 0;

        pair_init(pair);
        pair[1].rev1 = true; /* the peer's banner came before */
        frame_scan_begin(&scan, &pair[0], iov, 2);
        while (frame_scan_next(&scan, &start)) {
            ck_assert_uint_eq(start.offset, s.starts[seen]);
            ck_assert_uint_eq(start.index, (uint64_t)++seen);
        }
        ck_assert_int_eq(seen, s.frames);
        ck_assert_uint_eq(pair[0].frames, 0);
    }
}
END_TEST

/* What is no msgr2 makes it blind, for good, and nothing else. */
START_TEST(watch_goes_blind)
{
    struct frame_watch pair[2];
    struct stream s;

    put_story(&s, true);
    s.bytes[_i == 0 ? 2 : s.starts[2] + 3] ^= 0x10;
    pair_init(pair);
    pass(pair, &s, 0, BANNER_BYTES); /* both, so that the layout is known */
    pass(pair, &s, BANNER_BYTES, s.n);
    ck_assert(pair[0].blind);
    ck_assert_uint_eq(pair[0].frames, _i == 0 ? 0 : 2);
    ck_assert_uint_eq(frame_watch_until(&pair[0]), SIZE_MAX);
    pass(pair, &s, 0, s.n);
    ck_assert_uint_eq(pair[0].frames, _i == 0 ? 0 : 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_faults");
    TCase *tc = tcase_create("rules");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, catalogue_is_sound);
    tcase_add_test(tc, rules_count);
    tcase_add_loop_test(tc, rules_have_scopes, 0, 4);
    tcase_add_test(tc, rules_have_windows);
    tcase_add_test(tc, rules_wait_for_states);
    tcase_add_test(tc, rules_end);
    tcase_add_test(tc, frames_are_counted_apart);
    tcase_add_loop_test(tc, bad_rules_are_refused, 0, 5);
    tcase_add_test(tc, descriptors_are_a_condition);
    tcase_add_test(tc, rates_are_decisions);
    tcase_add_test(tc, chances_are_decisions);
    suite_add_tcase(suite, tc);
    tc = tcase_create("frames");
    tcase_add_loop_test(tc, watch_follows_pieces, 0, 2);
    tcase_add_test(tc, scan_looks_ahead);
    tcase_add_loop_test(tc, watch_goes_blind, 0, 2);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
