/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_join.c: from records to messages. The traces are made up, so that it is known which
 * call served which message; the last test joins a real run.
 */
#include <string.h>
#include <unistd.h>

#include "tests/lib/story.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testnode.h"
#include "viz/join/join.h"

#define ALL_STEPS "S1 S2 S3 S4 S5 S6 R3 R4 R5 R6 R7"
#define EVENTS_MAX 256

/* ---- a story, joined ---- */

struct joined {
    struct trace_reader *reader;
    struct join *join;
    const struct join_totals *totals;
};

static void join_file(struct joined *j, const char *path)
{
    char why[256] = "";

    ck_assert_msg(trace_reader_open(path, &j->reader, why, sizeof(why)) == 0, "%s", why);
    ck_assert_int_eq(trace_join(j->reader, &j->join), 0);
    j->totals = join_totals(j->join);
}

static void start(struct story *s)
{
    const struct trace_opts opts = {.mode = TRACE_STREAM};

    story_open(s, &opts);
    story_objects(s);
}

static void finish(struct story *s, struct joined *j)
{
    story_close(s);
    join_file(j, s->path);
}

static void end(struct story *s, struct joined *j)
{
    join_free(j->join);
    trace_reader_close(j->reader);
    story_remove(s);
}

/* The place of the message with that flow. */
static size_t find(const struct joined *j, uint64_t flow)
{
    size_t i = join_find(j->join, flow);

    ck_assert_uint_lt(i, join_count(j->join));
    ck_assert_uint_eq(join_message(j->join, i)->id, flow);
    return i;
}

static void check_steps(const struct joined *j, size_t i, const char *expected)
{
    char text[80];

    ck_assert_uint_eq(join_steps_text(j->join, i, text, sizeof(text)), strlen(expected));
    ck_assert_str_eq(text, expected);
}

/* How often the message took a step; the events are in order and agree with join_times. */
static unsigned count_step(const struct joined *j, size_t i, enum join_step step)
{
    struct join_event events[EVENTS_MAX];
    struct join_time times[JOIN_STEPS];
    size_t n = join_events(j->join, i, events, EVENTS_MAX);
    unsigned count = 0;

    ck_assert_uint_le(n, EVENTS_MAX);
    join_times(j->join, i, times);
    for (size_t k = 0; k < n; k++) {
        const struct trace_record *r = trace_reader_record(j->reader, events[k].record);

        ck_assert_int_eq(join_step_of(r->kind), events[k].step);
        ck_assert(k == 0 || events[k - 1].record <= events[k].record);
        if (events[k].step == step) {
            ck_assert(count > 0 || times[step].first == events[k].record);
            ck_assert_uint_ge(times[step].last, events[k].record);
            count++;
        }
    }
    ck_assert_uint_eq(times[step].count, count);
    return count;
}

static uint32_t first_record(const struct joined *j, size_t i, enum join_step step)
{
    struct join_time times[JOIN_STEPS];

    join_times(j->join, i, times);
    ck_assert_uint_gt(times[step].count, 0);
    return times[step].first;
}

/* ---- one connection ---- */

/* One message after the other: each has all its steps, and what S1, S4 and R7 said. */
START_TEST(each_message_has_its_own_steps)
{
    struct joined j;
    struct story s;

    start(&s);
    story_connect(&s, 77);
    story_messages(&s, 3, 500);
    finish(&s, &j);
    ck_assert_uint_eq(join_count(j.join), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct join_message *m = join_message(j.join, i);

        check_steps(&j, i, ALL_STEPS);
        ck_assert_uint_eq(m->id, 1ULL << 48 | (i + 1));
        ck_assert(m->sent && m->received && !m->local);
        ck_assert_int_eq(m->from_node, 1);
        ck_assert_int_eq(m->to_node, 2);
        ck_assert_uint_eq(m->from_conn, s.conn[0]);
        ck_assert_uint_eq(m->to_conn, s.conn[1]);
        ck_assert_uint_eq(m->seq, i + 1);
        ck_assert_uint_eq(m->type, 41);
        ck_assert_uint_eq(m->priority, 127);
        ck_assert_uint_eq(m->bytes, 500);
        ck_assert_uint_eq(m->frame, 600);
        ck_assert_uint_eq(m->writes, 1);
        for (enum join_step step = JOIN_S1; step < JOIN_STEPS; step++) {
            bool twice = step == JOIN_R5, never = step == JOIN_S7 || step == JOIN_R1 ||
                                                  step == JOIN_R2 || step == JOIN_POST ||
                                                  step == JOIN_LOCAL || step == JOIN_FAST;

            ck_assert_uint_eq(count_step(&j, i, step), never ? 0 : twice ? 2 : 1);
        }
    }
    ck_assert_uint_eq(j.totals->messages, 3);
    ck_assert_uint_eq(j.totals->complete, 3);
    ck_assert_uint_eq(j.totals->calls, j.totals->calls_joined);
    ck_assert_uint_eq(j.totals->dispatches_unmatched, 0);
    ck_assert_uint_eq(j.totals->sockets, 1);
    ck_assert_uint_eq(j.totals->sockets_paired, 1);
    end(&s, &j);
}
END_TEST

/* Many messages in one system call: all of them have it, and it says that it has more. */
START_TEST(one_call_serves_many_messages)
{
    struct story s;
    struct joined j;
    uint64_t flow[3];
    bool more;

    start(&s);
    story_connect(&s, 77);
    for (int i = 0; i < 3; i++) {
        flow[i] = story_submit(&s, 200);
    }
    story_wake_sender(&s);
    for (int i = 0; i < 3; i++) {
        story_write(&s, flow[i], 200);
    }
    story_send(&s, UINT64_MAX);
    story_read_event(&s);
    story_read(&s, 65536);
    for (uint64_t i = 1; i <= 3; i++) {
        story_receive(&s, i, 200);
    }
    finish(&s, &j);
    for (int i = 0; i < 3; i++) {
        check_steps(&j, find(&j, flow[i]), ALL_STEPS);
        ck_assert_uint_eq(count_step(&j, find(&j, flow[i]), JOIN_S6), 1);
        ck_assert_uint_eq(first_record(&j, find(&j, flow[i]), JOIN_S6),
                          first_record(&j, 0, JOIN_S6));
        ck_assert_uint_eq(first_record(&j, find(&j, flow[i]), JOIN_R3),
                          first_record(&j, 0, JOIN_R3));
        /* It was fetched before its buffers were there. */
        ck_assert_uint_lt(first_record(&j, find(&j, flow[i]), JOIN_R6),
                          first_record(&j, find(&j, flow[i]), JOIN_R4));
    }
    ck_assert_uint_eq(join_of_record(j.join, first_record(&j, 0, JOIN_S6), &more), 0);
    ck_assert(more);
    ck_assert_uint_eq(join_of_record(j.join, first_record(&j, 2, JOIN_R4), &more), 2);
    ck_assert(!more);
    ck_assert_uint_eq(j.totals->calls, j.totals->calls_joined);
    end(&s, &j);
}
END_TEST

/* A message over many system calls has them all, and its neighbours have none of them but
 * the shared one. */
START_TEST(one_message_needs_many_calls)
{
    struct story s;
    struct joined j;
    uint64_t big, small;

    start(&s);
    story_connect(&s, 77);
    big = story_submit(&s, 99900); /* 100000 on the wire */
    small = story_submit(&s, 400); /* 500 */
    story_wake_sender(&s);
    story_write(&s, big, 99900);
    story_write(&s, small, 400);
    for (int i = 0; i < 4; i++) {
        story_send(&s, 30000); /* the last has 10000 of the big one, and the small one */
    }
    for (int i = 0; i < 7; i++) {
        story_read_event(&s);
        story_read(&s, 16384); /* the seventh begins at 98304 */
        if (i == 6) {
            story_receive(&s, 1, 99900);
            story_receive(&s, 2, 400);
        }
        story_sleep_center(&s, 1);
    }
    finish(&s, &j);
    check_steps(&j, find(&j, big), ALL_STEPS);
    check_steps(&j, find(&j, small), ALL_STEPS);
    ck_assert_uint_eq(count_step(&j, find(&j, big), JOIN_S6), 4);
    ck_assert_uint_eq(count_step(&j, find(&j, small), JOIN_S6), 1);
    ck_assert_uint_eq(count_step(&j, find(&j, big), JOIN_R6), 7);
    ck_assert_uint_eq(count_step(&j, find(&j, small), JOIN_R6), 1);
    /* The read event under which its first byte came. */
    ck_assert_uint_lt(first_record(&j, find(&j, big), JOIN_R3),
                      first_record(&j, find(&j, small), JOIN_R3));
    end(&s, &j);
}
END_TEST

/* A call that moved nothing, and one for control frames, belong to no message. */
START_TEST(calls_without_a_message_are_counted_only)
{
    struct story s;
    struct joined j;
    bool more;

    start(&s);
    story_connect(&s, 77);
    s.wire.written = 300; /* a handshake */
    story_send(&s, UINT64_MAX);
    story_read_event(&s);
    story_read(&s, 65536);
    s.wire.consumed = 300;
    story_read(&s, 65536); /* nothing there */
    story_messages(&s, 1, 50);
    finish(&s, &j);
    ck_assert_uint_eq(join_count(j.join), 1);
    check_steps(&j, 0, ALL_STEPS);
    ck_assert_uint_eq(count_step(&j, 0, JOIN_S6), 1);
    ck_assert_uint_eq(j.totals->calls - j.totals->calls_joined, 3);
    for (size_t i = 0; i < trace_reader_count(j.reader); i++) {
        const struct trace_record *r = trace_reader_record(j.reader, i);

        if (r->kind == TP_S6_STACK_SEND && r->a0 == 0) {
            ck_assert_uint_eq(join_of_record(j.join, i, &more), 1); /* none */
        }
    }
    end(&s, &j);
}
END_TEST

/* Both directions of a socket have the same offsets and do not mix. */
START_TEST(directions_do_not_mix)
{
    struct story s;
    struct joined j;
    uint64_t flow = 2ULL << 48 | 1;
    struct os *os;

    start(&s);
    story_connect(&s, 77);
    story_messages(&s, 1, 500);
    os = story_on(&s, 1, STORY_APP, 100);
    TRACE(os, S1_SEND_MESSAGE, .a0 = 2, .a1 = 64, .val = 500, .flow = flow);
    os = story_on(&s, 1, STORY_WORKER, 100);
    TRACE(os, S4_WRITE_MESSAGE, .obj = s.conn[1], .a0 = 1, .val = 600, .a1 = 0,
          .flow = flow);
    TRACE(os, S6_STACK_SEND, .obj = s.conn[1], .a0 = 0, .val = 600, .a1 = 600);
    os = story_on(&s, 0, STORY_WORKER, 100);
    TRACE(os, R6_READ_BULK, .obj = s.conn[0], .a0 = 0, .val = 600, .a1 = 4096);
    TRACE(os, R7_DISPATCH, .obj = s.conn[0], .a0 = 1, .val = 600, .a1 = 0);
    finish(&s, &j);
    ck_assert_uint_eq(join_count(j.join), 2);
    check_steps(&j, 0, ALL_STEPS);
    check_steps(&j, find(&j, flow), "S1 S4 S6 R6 R7");
    ck_assert_uint_eq(count_step(&j, 0, JOIN_S6), 1);
    ck_assert_uint_eq(count_step(&j, 0, JOIN_R6), 1);
    ck_assert_int_eq(join_message(j.join, 1)->from_node, 2);
    ck_assert_int_eq(join_message(j.join, 1)->to_node, 1);
    end(&s, &j);
}
END_TEST

/* ---- reconnect ---- */

static void fault(struct story *s)
{
    for (int i = 0; i < 2; i++) {
        struct os *os = story_on(s, i, STORY_WORKER, 1000);

        TRACE(os, CONN_FAULT, .obj = s->conn[i], .val = -104);
    }
}

/* As story_connect, but the accepter notices first. */
static void connect_accepter_first(struct story *s, uint64_t link)
{
    struct os *os = story_on(s, 1, STORY_WORKER, 1000);

    TRACE(os, CONN_SOCKET, .obj = s->conn[1], .val = 9, .a0 = link, .a1 = 0);
    os = story_on(s, 0, STORY_WORKER, 1000);
    TRACE(os, CONN_SOCKET, .obj = s->conn[0], .val = 7, .a0 = link, .a1 = 1);
    s->wire = (struct story_wire){0};
}

/* Sends the message to the end of what is written, and has it received with that seq. */
static void carry(struct story *s, uint64_t flow, uint32_t bytes, uint64_t seq)
{
    story_write(s, flow, bytes);
    story_send(s, UINT64_MAX);
    story_read_event(s);
    story_read(s, 65536);
    story_receive(s, seq, bytes);
    story_dispatch(s, seq);
}

/* A message that was cut off by a fault and sent again on the next socket is one message;
 * equal offsets of the two sockets are told apart, be the link of the second new or the
 * same again. */
START_TEST(replay_after_reconnect_is_one_message)
{
    uint64_t lost, next;
    struct story s;
    struct joined j;

    start(&s);
    story_connect(&s, 77);
    lost = story_submit(&s, 1000);
    story_wake_sender(&s);
    story_write(&s, lost, 1000);
    story_send(&s, 600); /* and no more */
    story_read_event(&s);
    story_read(&s, 65536);
    fault(&s);
    if (_i == 2) {
        connect_accepter_first(&s, 77);
    } else {
        story_connect(&s, _i ? 77 : 78);
    }
    next = story_submit(&s, 1000);
    s.wire.seq = 0;
    carry(&s, lost, 1000, 1);
    carry(&s, next, 1000, 2);
    finish(&s, &j);
    ck_assert_uint_eq(join_count(j.join), 2);
    check_steps(&j, find(&j, lost), ALL_STEPS);
    check_steps(&j, find(&j, next), ALL_STEPS);
    ck_assert_uint_eq(join_message(j.join, find(&j, lost))->writes, 2);
    ck_assert_uint_eq(join_message(j.join, find(&j, next))->writes, 1);
    ck_assert_uint_eq(count_step(&j, find(&j, lost), JOIN_S4), 2);
    ck_assert_uint_eq(count_step(&j, find(&j, lost), JOIN_S6), 2);
    ck_assert_uint_eq(count_step(&j, find(&j, lost), JOIN_R6), 2);
    ck_assert_uint_eq(count_step(&j, find(&j, lost), JOIN_R7), 1);
    ck_assert_uint_eq(count_step(&j, find(&j, next), JOIN_S6), 1);
    ck_assert_uint_eq(count_step(&j, find(&j, next), JOIN_R6), 1);
    ck_assert_uint_eq(j.totals->replayed, 1);
    ck_assert_uint_eq(j.totals->complete, 2);
    ck_assert_uint_eq(j.totals->sockets, 2);
    ck_assert_uint_eq(j.totals->sockets_paired, 2);
    end(&s, &j);
}
END_TEST

/* A new session counts its messages from 1 again: a dispatch belongs to the last message
 * that came with that number. */
START_TEST(dispatch_is_of_the_last_with_that_seq)
{
    struct story s;
    struct joined j;
    uint64_t flow[2];

    start(&s);
    for (int i = 0; i < 2; i++) {
        story_connect(&s, 77 + (uint64_t)i);
        s.wire.seq = 0;
        flow[i] = story_submit(&s, 100);
        carry(&s, flow[i], 100, 1);
        fault(&s);
    }
    finish(&s, &j);
    for (int i = 0; i < 2; i++) {
        size_t m = find(&j, flow[i]);

        ck_assert_uint_eq(count_step(&j, m, JOIN_BEGIN), 1);
        ck_assert_uint_eq(count_step(&j, m, JOIN_END), 1);
        ck_assert_uint_gt(first_record(&j, m, JOIN_BEGIN), first_record(&j, m, JOIN_R7));
    }
    ck_assert_uint_lt(first_record(&j, find(&j, flow[0]), JOIN_END),
                      first_record(&j, find(&j, flow[1]), JOIN_S1));
    end(&s, &j);
}
END_TEST

/* The accepter may be recorded first, and an accepted socket may move to another
 * connection, as after a race; both are the other end. */
START_TEST(accepted_socket_changes_hands)
{
    struct os *os;
    struct story s;
    struct joined j;
    uint32_t anonymous;

    start(&s);
    os = story_on(&s, 1, STORY_WORKER, 1000);
    anonymous = trace_object(os, TRACE_OBJECT_CONN, 0, "accepted");
    TRACE(os, CONN_SOCKET, .obj = anonymous, .val = 9, .a0 = 77, .a1 = 0);
    os = story_on(&s, 0, STORY_WORKER, 1000);
    TRACE(os, CONN_SOCKET, .obj = s.conn[0], .val = 7, .a0 = 77, .a1 = 1);
    os = story_on(&s, 1, STORY_WORKER, 1000);
    TRACE(os, CONN_SOCKET, .obj = s.conn[1], .val = 9, .a0 = 77, .a1 = 0);
    story_messages(&s, 2, 64);
    finish(&s, &j);
    ck_assert_uint_eq(join_count(j.join), 2);
    check_steps(&j, 0, ALL_STEPS);
    check_steps(&j, 1, ALL_STEPS);
    ck_assert_uint_eq(j.totals->sockets, 1);
    end(&s, &j);
}
END_TEST

/* ---- half of a conversation ---- */

/* The receiver is not in the trace, or is but its socket is not known to be the same. */
START_TEST(missing_receiver_leaves_the_sending_half)
{
    struct story s;
    struct joined j;

    start(&s);
    if (_i == 1) { /* nothing links the two ends */
        story_messages(&s, 2, 100);
    } else {
        story_connect(&s, 77);
        for (int i = 0; i < 2; i++) {
            uint64_t flow = story_submit(&s, 100);

            story_wake_sender(&s);
            story_write(&s, flow, 100);
            story_send(&s, UINT64_MAX);
        }
    }
    finish(&s, &j);
    ck_assert_uint_eq(j.totals->sent_only, 2);
    ck_assert_uint_eq(j.totals->complete, 0);
    ck_assert_uint_eq(j.totals->received_only, _i == 1 ? 2 : 0);
    check_steps(&j, find(&j, 1ULL << 48 | 2), "S1 S2 S3 S4 S5 S6");
    ck_assert_int_eq(join_message(j.join, 0)->to_node, 0);
    end(&s, &j);
}
END_TEST

/* The sender is not in the trace: what came in gets an id of the receiver's. */
START_TEST(missing_sender_leaves_the_receiving_half)
{
    struct story s;
    struct joined j;
    struct os *os;
    char id[32];

    start(&s);
    os = story_on(&s, 1, STORY_WORKER, 1000);
    TRACE(os, CONN_SOCKET, .obj = s.conn[1], .val = 9, .a0 = 77, .a1 = 0);
    for (uint64_t i = 1; i <= 2; i++) {
        s.wire.sent += 150;
        story_read_event(&s);
        story_read(&s, 65536);
        story_receive(&s, i, 50);
        story_dispatch(&s, i);
    }
    finish(&s, &j);
    ck_assert_uint_eq(join_count(j.join), 2);
    ck_assert_uint_eq(j.totals->received_only, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct join_message *m = join_message(j.join, i);

        check_steps(&j, i, "R3 R4 R5 R6 R7");
        ck_assert_uint_eq(count_step(&j, i, JOIN_END), 1);
        ck_assert(m->received && !m->sent);
        ck_assert_uint_eq(m->seq, i + 1);
        ck_assert_uint_eq(m->type, 41);
        ck_assert_uint_eq(m->frame, 150);
        snprintf(id, sizeof(id), "from:2:%zu", i + 1);
        ck_assert_str_eq(join_id_text(m->id, (char[32]){0}, 32), id);
        ck_assert_uint_eq(join_parse_id(j.join, id), i);
    }
    end(&s, &j);
}
END_TEST

/* A message that waits in out_q has what it took so far. */
START_TEST(unsent_message_ends_at_the_queue)
{
    struct story s;
    struct joined j;

    start(&s);
    story_connect(&s, 77);
    story_submit(&s, 100);
    finish(&s, &j);
    check_steps(&j, 0, "S1 S2 S3");
    ck_assert_uint_eq(j.totals->unsent, 1);
    end(&s, &j);
}
END_TEST

/* A message to oneself goes from S2 to the dispatch queue. */
START_TEST(local_delivery_has_no_wire)
{
    uint64_t flow = 1ULL << 48 | 1, event;
    struct story s;
    struct joined j;
    struct os *os;

    start(&s);
    os = story_on(&s, 0, STORY_APP, 100);
    TRACE(os, S1_SEND_MESSAGE, .a0 = 2, .a1 = 127, .val = 30, .flow = flow);
    TRACE(os, S2_SUBMIT_MESSAGE, .obj = s.conn[0], .flow = flow);
    TRACE(os, LOCAL_DELIVERY, .obj = s.conn[0], .val = 30, .flow = flow);
    TRACE(os, DISPATCH_ENQUEUE, .obj = s.conn[0], .val = 127, .flow = flow);
    os = story_on(&s, 0, STORY_DISPATCH, 500);
    event = TRACE(os, DISPATCH_BEGIN, .obj = s.conn[0], .flow = flow);
    TRACE(os, DISPATCH_END, .obj = s.conn[0], .flow = flow, .cause = event);
    finish(&s, &j);
    check_steps(&j, 0, "S1 S2");
    ck_assert(join_message(j.join, 0)->local);
    ck_assert_int_eq(join_message(j.join, 0)->to_node, 1);
    ck_assert_uint_eq(count_step(&j, 0, JOIN_LOCAL), 1);
    ck_assert_uint_eq(count_step(&j, 0, JOIN_ENQUEUE), 1);
    ck_assert_uint_eq(count_step(&j, 0, JOIN_BEGIN), 1);
    ck_assert_uint_eq(count_step(&j, 0, JOIN_END), 1);
    ck_assert_uint_eq(j.totals->local, 1);
    ck_assert_uint_eq(j.totals->unsent, 0);
    end(&s, &j);
}
END_TEST

/* Without records there are no messages, and nothing goes wrong. */
START_TEST(empty_trace_has_no_messages)
{
    struct story s;
    struct joined j;

    start(&s);
    finish(&s, &j);
    ck_assert_uint_eq(join_count(j.join), 0);
    ck_assert_uint_eq(join_find(j.join, 1), 0);
    ck_assert_uint_eq(join_nth_sent(j.join, 1, 0), 0);
    ck_assert_uint_eq(join_parse_id(j.join, "0"), 0);
    join_free(NULL);
    end(&s, &j);
}
END_TEST

/* ---- words ---- */

/* The text of the steps is cut like snprintf's. */
START_TEST(steps_text_is_cut_like_snprintf)
{
    struct story s;
    struct joined j;
    char text[8] = "........";

    start(&s);
    story_connect(&s, 77);
    story_messages(&s, 1, 10);
    finish(&s, &j);
    ck_assert_uint_eq(join_steps_text(j.join, 0, NULL, 0), strlen(ALL_STEPS));
    ck_assert_uint_eq(join_steps_text(j.join, 0, text, sizeof(text)), strlen(ALL_STEPS));
    ck_assert_str_eq(text, "S1 S2 S");
    ck_assert_uint_eq(join_steps_text(j.join, 0, text, 1), strlen(ALL_STEPS));
    ck_assert_str_eq(text, "");
    end(&s, &j);
}
END_TEST

/* A message is named by its index, or by its node and number; anything else by nothing. */
START_TEST(messages_are_found_by_name)
{
    static const struct {
        const char *text;
        size_t found;
    } cases[] = {
        {"0", 0},
        {"1", 1},
        {"2", 2},
        {"1:1", 0},
        {"1:2", 1},
        {"1:3", 2},
        {"1:0", 2},
        {"2:1", 2},
        {"", 2},
        {":", 2},
        {"1:", 2},
        {":1", 2},
        {"-1", 2},
        {"1:1x", 2},
        {"1:-1", 2},
        {" 1", 2},
        {"from:", 2},
        {"from:1:1", 2},
        {"1:281474976710657", 2},
        {"18446744073709551616", 2},
        {"65537:1", 2},
        {"99999999999999999999:1", 2},
        {"1:1:1", 2},
    };
    struct story s;
    struct joined j;

    start(&s);
    story_connect(&s, 77);
    story_messages(&s, 2, 10);
    finish(&s, &j);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_msg(join_parse_id(j.join, cases[i].text) == cases[i].found, "\"%s\"",
                      cases[i].text);
    }
    ck_assert_uint_eq(join_nth_sent(j.join, 1, 0), 0);
    ck_assert_uint_eq(join_nth_sent(j.join, 1, 1), 1);
    ck_assert_uint_eq(join_nth_sent(j.join, 1, 2), 2);
    ck_assert_uint_eq(join_nth_sent(j.join, 2, 0), 2);
    ck_assert_str_eq(join_step_name(JOIN_R7), "R7");
    end(&s, &j);
}
END_TEST

/* ---- for real ---- */

#define REAL_MESSAGES 60

static void test_node_traced(struct test_node *n, uint8_t number, struct trace *trace)
{
    test_node_init(n, number, NULL);
    n->os->trace = trace;
}

/* Two messengers over loopback, messages of all sizes in both directions: every one has
 * all its steps. */
START_TEST(real_run_is_joined_whole)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 20000, 300000};
    const struct trace_opts opts = {.title = "a real run"};
    char path[] = "/tmp/join.XXXXXX";
    struct test_node client, server;
    struct connection *conn;
    struct trace *trace;
    const char *why;
    struct joined j;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(trace_open(path, &opts, &trace, &why), 0);
    test_node_traced(&server, 2, trace);
    test_node_policy(&server, "stateless_server");
    test_node_bind(&server, "v2:127.0.0.1:0");
    test_node_start(&server);
    test_node_traced(&client, 1, trace);
    test_node_start(&client);
    conn = test_node_dial(&client, &server);
    for (int i = 0; i < REAL_MESSAGES; i++) {
        test_node_send(&client, conn, sizes[i % 6], (uint64_t)i);
    }
    test_node_wait(&server, &server.messages, REAL_MESSAGES);
    for (int i = 0; i < REAL_MESSAGES; i++) {
        test_node_send(&server, server.accepted, sizes[i % 6], (uint64_t)i);
    }
    test_node_wait(&client, &client.messages, REAL_MESSAGES);
    conn_unref(conn);
    test_node_fini(&client);
    test_node_fini(&server);
    ck_assert_int_eq(trace_close(trace), 0);

    join_file(&j, path);
    ck_assert_uint_eq(trace_reader_info(j.reader)->damaged, 0);
    ck_assert_uint_eq(j.totals->messages, 2 * REAL_MESSAGES);
    ck_assert_uint_eq(j.totals->complete, 2 * REAL_MESSAGES);
    ck_assert_uint_eq(j.totals->dispatches_unmatched, 0);
    ck_assert_uint_eq(j.totals->sockets, j.totals->sockets_paired);
    for (size_t i = 0; i < join_count(j.join); i++) {
        const struct join_message *m = join_message(j.join, i);

        check_steps(&j, i, ALL_STEPS);
        ck_assert_int_eq(m->to_node, 3 - m->from_node);
        ck_assert_uint_eq(m->bytes, sizes[(m->seq - 1) % 6]);
        ck_assert_uint_gt(m->frame, m->bytes);
        ck_assert_uint_lt(first_record(&j, i, JOIN_S1), first_record(&j, i, JOIN_R7));
    }
    join_free(j.join);
    trace_reader_close(j.reader);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("join");
    TCase *tc = tcase_create("join");

    tcase_add_test(tc, each_message_has_its_own_steps);
    tcase_add_test(tc, one_call_serves_many_messages);
    tcase_add_test(tc, one_message_needs_many_calls);
    tcase_add_test(tc, calls_without_a_message_are_counted_only);
    tcase_add_test(tc, directions_do_not_mix);
    tcase_add_loop_test(tc, replay_after_reconnect_is_one_message, 0, 3);
    tcase_add_test(tc, dispatch_is_of_the_last_with_that_seq);
    tcase_add_test(tc, accepted_socket_changes_hands);
    tcase_add_loop_test(tc, missing_receiver_leaves_the_sending_half, 0, 2);
    tcase_add_test(tc, missing_sender_leaves_the_receiving_half);
    tcase_add_test(tc, unsent_message_ends_at_the_queue);
    tcase_add_test(tc, local_delivery_has_no_wire);
    tcase_add_test(tc, empty_trace_has_no_messages);
    tcase_add_test(tc, steps_text_is_cut_like_snprintf);
    tcase_add_test(tc, messages_are_found_by_name);
    tcase_add_test(tc, real_run_is_joined_whole);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
