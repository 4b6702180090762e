/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_check_silence.c: histories of a session whose peer says nothing, or speaks, or is
 * not listened to: which of them may go on, and for how long.
 */
#include "engine/states.h"
#include "tests/unit/sim/check/test_history.h"

#define IDLE 10000

static uint64_t came;

static uint64_t bytes_arrived(void *arg, uint8_t node, int fd, uint32_t qp_num)
{
    (void)arg;
    ck_assert_uint_eq(node, 1);
    ck_assert_int_eq(fd, 7);
    ck_assert_uint_eq(qp_num, 0);
    return came;
}

/* A session whose peer may be silent for IDLE, and which has just heard of it. */
static void begin_session(void)
{
    const struct checkers_opts opts = {.violate = on_violation, .arrived = bytes_arrived};

    checkers_free(checkers);
    checkers = checkers_new(&opts);
    define(CENTER, TRACE_OBJECT_CENTER, "a.center-0 (epoll)");
    define(CONN, TRACE_OBJECT_CONN, "a.conn-1");
    checkers_set_idle(checkers, 1, IDLE);
    came = 0;
    wait_pass(0, 0);
    CONN_DOES(CONN_NEW, .a0 = CENTER);
    CONN_DOES(CONN_SOCKET, .val = 7);
    CONN_DOES(PROTO_STATE, .a0 = PROTO_NONE, .a1 = PROTO_READY);
    CENTER_DOES(WAIT_ENTER, .a0 = IDLE);
}

/* A pass that begins so much later, in which the connection writes. */
static void write_after(uint64_t ns)
{
    now += ns;
    CENTER_DOES(WAIT_EXIT, .a0 = ns);
    CONN_DOES(FRAME_OUT, .val = 44);
    CONN_DOES(S6_STACK_SEND, .val = 44);
    CENTER_DOES(WAIT_ENTER, .a0 = IDLE);
}

/* Keepalives do not make a session live longer. */
START_TEST(a_session_that_outlives_silence_is_rejected)
{
    begin_session();
    write_after(IDLE / 2);
    write_after(IDLE / 2);
    write_after(1000);
    ACCEPTED();
    write_after(1000);
    REJECTED("alive_in_silence a");
}
END_TEST

START_TEST(a_session_that_ends_of_silence_is_accepted)
{
    begin_session();
    write_after(IDLE / 2);
    write_after(IDLE / 2);
    CONN_DOES(PROTO_STATE, .a0 = PROTO_READY, .a1 = PROTO_CLOSED);
    for (int i = 0; i < 10; i++) {
        write_after(IDLE);
    }
    ACCEPTED();
}
END_TEST

/* A worker that stands still notices nothing, and may go on to read. */
START_TEST(a_session_is_not_over_before_its_center_looks)
{
    begin_session();
    write_after(10 * IDLE);
    ACCEPTED();
}
END_TEST

START_TEST(a_session_whose_peer_speaks_is_accepted)
{
    begin_session();
    for (int i = 0; i < 20; i++) {
        write_after(IDLE / 2);
        came += 44;
        CONN_DOES(R6_READ_BULK, .val = 44);
    }
    ACCEPTED();
}
END_TEST

/* What was read and had not come is not of the peer; and a read of nothing is nothing. */
START_TEST(bytes_from_nowhere_are_no_sign_of_the_peer)
{
    begin_session();
    for (int i = 0; i < 6 && violations == 0; i++) {
        write_after(IDLE / 2);
        CONN_DOES(R6_READ_BULK, .val = _i == 0 ? 44 : 0);
    }
    REJECTED("alive_in_silence a");
}
END_TEST

/* While a message waits for its budgets nobody listens. */
START_TEST(a_session_that_waits_for_a_budget_is_accepted)
{
    begin_session();
    CONN_DOES(PROTO_STATE, .a0 = PROTO_READY, .a1 = PROTO_THROTTLE_BYTES);
    for (int i = 0; i < 10; i++) {
        write_after(IDLE);
    }
    CONN_DOES(PROTO_STATE, .a0 = PROTO_THROTTLE_BYTES, .a1 = PROTO_READY);
    write_after(IDLE / 2);
    ACCEPTED();
    for (int i = 0; i < 4 && violations == 0; i++) {
        write_after(IDLE);
    }
    REJECTED("alive_in_silence a");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("check_silence");
    TCase *tc = tcase_create("check_silence");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_session_that_outlives_silence_is_rejected);
    tcase_add_test(tc, a_session_that_ends_of_silence_is_accepted);
    tcase_add_test(tc, a_session_is_not_over_before_its_center_looks);
    tcase_add_test(tc, a_session_whose_peer_speaks_is_accepted);
    tcase_add_loop_test(tc, bytes_from_nowhere_are_no_sign_of_the_peer, 0, 2);
    tcase_add_test(tc, a_session_that_waits_for_a_budget_is_accepted);
    suite_add_tcase(s, tc);
    return testlib_run(s);
}
