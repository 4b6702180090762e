/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_checkers.c: histories made by hand. Each good one is accepted, and each bad one,
 * which differs from a good one in one record, is rejected by the rule it breaks.
 */
#include <errno.h>

#include "engine/queue/dispatch_queue.h"
#include "engine/limits.h"
#include "engine/os.h"
#include "engine/states.h"
#include "engine/trace_points.h"
#include "engine/util.h"
#include "tests/unit/sim/check/test_history.h"

/* ---- centers ---- */

/* A whole pass, in order, is fine; so are the next ones. */
START_TEST(a_pass_in_order_is_accepted)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    wait_pass(0, 0);
    CENTER_DOES(TIME_ADD, .a0 = 1, .a1 = 1000);
    FEED(EXT_POST, STRANGER, CENTER, .a0 = 1, .val = 1);
    FEED(WAKEUP, STRANGER, CENTER, .a0 = 1);
    wait_pass(1000000, 2000);
    CENTER_DOES(FILE_EVENT, .a0 = FD(5, 1), .val = 1);
    CENTER_DOES(WAKE_DRAIN, .val = 1);
    CENTER_DOES(TIME_EVENT, .a0 = 1);
    CENTER_DOES(EXT_RUN, .a0 = 1);
    wait_pass(1000000, 1000000);
    CENTER_DOES(FILE_DEL, .a0 = FD(5, 1), .val = 0);
    checkers_finish(checkers);
    ACCEPTED();
}
END_TEST

/* Time events come before external ones. */
START_TEST(a_time_event_behind_an_external_one_is_rejected)
{
    CENTER_DOES(TIME_ADD, .a0 = 1, .a1 = 0);
    FEED(EXT_POST, OWNER, CENTER, .a0 = 1);
    wait_pass(0, 0);
    CENTER_DOES(EXT_RUN, .a0 = 1);
    ACCEPTED();
    CENTER_DOES(TIME_EVENT, .a0 = 1);
    REJECTED("callback_order a");
}
END_TEST

/* Who cleans up behind a loop that has ended owns its center; not while somebody waits. */
START_TEST(a_center_whose_thread_has_ended_is_adopted)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    wait_pass(0, 0);
    FEED(CENTER_ADOPT, STRANGER, CENTER, .a0 = 0);
    FEED(WAIT_ENTER, STRANGER, CENTER, .a0 = 0);
    ACCEPTED();
    FEED(CENTER_ADOPT, OWNER, CENTER, .a0 = 0);
    REJECTED("owner_thread a");
}
END_TEST

/* Callbacks belong to the thread that waits. */
START_TEST(a_callback_on_another_thread_is_rejected)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    wait_pass(0, 0);
    FEED(FILE_EVENT, STRANGER, CENTER, .a0 = FD(5, 1), .val = 1);
    REJECTED("owner_thread a");
}
END_TEST

START_TEST(a_callback_outside_a_pass_is_rejected)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    wait_pass(0, 0);
    CENTER_DOES(WAIT_ENTER, .a0 = 1000);
    CENTER_DOES(FILE_EVENT, .a0 = FD(5, 1), .val = 1);
    REJECTED("callback_order a");
}
END_TEST

START_TEST(external_events_run_as_they_were_posted)
{
    FEED(EXT_POST, OWNER, CENTER, .a0 = 1);
    FEED(EXT_POST, OWNER, CENTER, .a0 = 2);
    wait_pass(0, 0);
    CENTER_DOES(EXT_RUN, .a0 = 2);
    ACCEPTED();
    CENTER_DOES(EXT_RUN, .a0 = 1);
    REJECTED("external_order a");
}
END_TEST

START_TEST(an_event_that_nobody_posted_is_rejected)
{
    wait_pass(0, 0);
    CENTER_DOES(EXT_RUN, .a0 = 1);
    REJECTED("external_order a");
}
END_TEST

/* D1: asleep, something to do, and no byte in the pipe; in both orders. */
START_TEST(a_post_to_a_sleeping_center_wakes_it)
{
    wait_pass(0, 0);
    CENTER_DOES(WAIT_ENTER, .a0 = 1000000);
    FEED(EXT_POST, STRANGER, CENTER, .a0 = 1, .val = 1);
    FEED(WAKEUP, STRANGER, CENTER, .a0 = 1);
    FEED(EXT_POST, STRANGER, CENTER, .a0 = 2, .val = 0); /* the byte is there already */
    ACCEPTED();
}
END_TEST

START_TEST(a_post_without_wakeup_to_a_sleeping_center_is_rejected)
{
    wait_pass(0, 0);
    CENTER_DOES(WAIT_ENTER, .a0 = 1000000);
    FEED(EXT_POST, STRANGER, CENTER, .a0 = 1, .val = 0);
    REJECTED("lost_wakeup a");
}
END_TEST

START_TEST(sleeping_over_a_drained_wakeup_is_rejected)
{
    FEED(EXT_POST, STRANGER, CENTER, .a0 = 1, .val = 1);
    FEED(WAKEUP, STRANGER, CENTER, .a0 = 1);
    wait_pass(0, 0);
    CENTER_DOES(WAKE_DRAIN, .val = 1);
    ACCEPTED();
    CENTER_DOES(WAIT_ENTER, .a0 = 1000000);
    REJECTED("lost_wakeup a");
}
END_TEST

/* A cancelled event is no reason to wake. */
START_TEST(sleeping_after_a_cancel_is_accepted)
{
    FEED(EXT_POST, OWNER, CENTER, .a0 = 1);
    CENTER_DOES(EXT_CANCEL, .a0 = 1);
    CENTER_DOES(WAIT_ENTER, .a0 = 1000000);
    checkers_finish(checkers);
    ACCEPTED();
}
END_TEST

/* D2: a due timer runs in the pass that finds it due, or the next. */
START_TEST(a_timer_that_waits_for_three_passes_is_rejected)
{
    CENTER_DOES(TIME_ADD, .a0 = 1, .a1 = 10);
    for (uint64_t i = 1; i <= 3; i++) {
        ACCEPTED();
        FEED(EXT_POST, STRANGER, CENTER, .a0 = i, .val = 1);
        wait_pass(0, 0);
        CENTER_DOES(EXT_RUN, .a0 = i);
    }
    REJECTED("timer_starved a");
}
END_TEST

START_TEST(a_timer_that_is_not_armed_does_not_run)
{
    wait_pass(0, 0);
    CENTER_DOES(TIME_EVENT, .a0 = 7);
    REJECTED("callback_order a");
}
END_TEST

/* D3: asks to sleep, and does not. */
START_TEST(waits_that_return_at_once_are_a_busy_loop)
{
    for (int i = 0; i < 20; i++) {
        wait_pass(900000, 200);
    }
    ACCEPTED(); /* spurious ends are legal, for a while */
    for (int i = 0; i < 40; i++) {
        wait_pass(900000, 200);
    }
    REJECTED("busy_loop a");
}
END_TEST

/* D4: a file event over and over, and nothing is read. */
START_TEST(file_events_in_vain_are_a_busy_loop)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    for (int i = 0; i < 40; i++) {
        wait_pass(900000, 200);
        CENTER_DOES(FILE_EVENT, .a0 = FD(5, 1), .val = 1);
        CONN_DOES(R6_READ_BULK, .val = 0);
    }
    REJECTED("busy_loop a");
}
END_TEST

/* A connection reads so much that the others of its center wait too long; in two events it
 * may. */
START_TEST(an_event_that_reads_too_much_is_rejected)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    for (int i = 0; i < 2; i++) {
        wait_pass(900000, 200);
        CENTER_DOES(FILE_EVENT, .a0 = FD(5, 1), .val = 1);
        CONN_DOES(R6_READ_BULK, .val = READ_BYTES_PER_EVENT);
    }
    ACCEPTED();
    CONN_DOES(R6_READ_BULK, .val = 1);
    REJECTED("worker_hog a");
}
END_TEST

START_TEST(file_events_that_get_on_are_accepted)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    for (int i = 0; i < 100; i++) {
        wait_pass(900000, 200);
        CENTER_DOES(FILE_EVENT, .a0 = FD(5, 1), .val = 1);
        CONN_DOES(R6_READ_BULK, .val = 10);
    }
    ACCEPTED();
}
END_TEST

/* Others may keep a center busy as they like. */
START_TEST(posts_of_others_are_no_busy_loop)
{
    for (uint64_t i = 1; i <= 100; i++) {
        FEED(EXT_POST, STRANGER, CENTER, .a0 = i, .val = 1);
        wait_pass(0, 0);
        CENTER_DOES(EXT_RUN, .a0 = i);
    }
    ACCEPTED();
}
END_TEST

START_TEST(sleeping_is_no_busy_loop)
{
    for (int i = 0; i < 100; i++) {
        wait_pass(30 * NSEC_PER_SEC, 30 * NSEC_PER_SEC);
    }
    ACCEPTED();
}
END_TEST

/* ---- descriptors ---- */

START_TEST(an_event_of_a_former_life_is_rejected)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    CENTER_DOES(FILE_DEL, .a0 = FD(5, 1), .val = 0);
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 2), .val = 1);
    wait_pass(0, 0);
    CENTER_DOES(FILE_EVENT, .a0 = FD(5, 1), .val = 1);
    REJECTED("stale_event a");
}
END_TEST

START_TEST(an_event_that_nobody_asked_for_is_rejected)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    wait_pass(0, 0);
    CENTER_DOES(FILE_EVENT, .a0 = FD(5, 1), .val = 3);
    REJECTED("stale_event a");
}
END_TEST

/* D15: a number that was given out again is watched for two. */
START_TEST(a_descriptor_in_two_centers_is_rejected)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    FEED(FILE_ADD, OTHER_OWNER, OTHER_CENTER, .a0 = FD(5, 1), .val = 1);
    REJECTED("fd_two_owners a");
}
END_TEST

START_TEST(a_new_descriptor_that_is_watched_already_is_rejected)
{
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    FEED(LISTEN, OWNER, LISTENER, .val = 5);
    REJECTED("fd_two_owners a");
}
END_TEST

START_TEST(accepting_on_what_does_not_listen_is_rejected)
{
    FEED(ACCEPT_ERROR, OWNER, LISTENER, .val = -EMFILE);
    ACCEPTED();
    FEED(ACCEPT_ERROR, OWNER, LISTENER, .val = -EINVAL);
    REJECTED("bad_fd listener a");
}
END_TEST

START_TEST(an_event_of_somebody_elses_descriptor_is_rejected)
{
    CONN_DOES(CONN_SOCKET, .val = 7);
    CONN_DOES(R3_READ_EVENT, .a0 = FD(7, 4));
    ACCEPTED();
    CONN_DOES(R3_READ_EVENT, .a0 = FD(8, 4));
    REJECTED("fd_wrong_owner a");
}
END_TEST

START_TEST(a_connection_without_its_descriptor_is_rejected)
{
    CONN_DOES(CONN_FAULT, .val = -ECONNRESET);
    ACCEPTED();
    CONN_DOES(CONN_FAULT, .val = -EBADF);
    REJECTED("bad_fd connection a");
}
END_TEST

/* ---- connections ---- */

/* The whole life of one. */
START_TEST(a_life_in_order_is_accepted)
{
    CONN_DOES(CONN_NEW, .val = 0);
    CONN_DOES(SOCK_STATE, .a0 = SOCK_NONE, .a1 = SOCK_CONNECTING);
    CONN_DOES(S3_QUEUE, .val = 1);
    CONN_DOES(S3_QUEUE, .val = 1);
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_REFUSED);
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_CONNECT);
    CONN_DOES(S4_WRITE_MESSAGE, .a0 = 1);
    CONN_DOES(ACK_IN, .a0 = 1, .a1 = 1);
    CONN_DOES(R7_DISPATCH, .a0 = 1);
    FEED(DISPATCH_BEGIN, STRANGER, CONN, .a0 = 1);
    CONN_DOES(CONN_STOP, .a0 = 1);
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_RESET);
    FEED(CONN_FREE, STRANGER, CONN, .val = 0);
    checkers_finish(checkers);
    ACCEPTED();
}
END_TEST

START_TEST(connect_is_told_once)
{
    CONN_DOES(CONN_NEW, .val = 0);
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_CONNECT);
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_CONNECT);
    REJECTED("callback_grammar twice a");
}
END_TEST

START_TEST(accept_is_for_the_accepting_side)
{
    CONN_DOES(CONN_NEW, .val = 0);
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_ACCEPT);
    REJECTED("callback_grammar side a");
}
END_TEST

START_TEST(a_message_before_the_session_is_rejected)
{
    CONN_DOES(CONN_NEW, .val = 1);
    FEED(FAST_DISPATCH, OWNER, CONN, .a0 = 1); /* accept takes the longer way */
    ACCEPTED();
    FEED(DISPATCH_BEGIN, STRANGER, CONN, .a0 = 1);
    REJECTED("callback_grammar early a");
}
END_TEST

START_TEST(nothing_is_told_after_a_reset)
{
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_RESET);
    ACCEPTED();
    FEED(FAST_DISPATCH, OWNER, CONN, .a0 = 1);
    REJECTED("callback_grammar after_reset a");
}
END_TEST

START_TEST(refused_is_not_told_of_a_session_that_was_up)
{
    CONN_DOES(CONN_NEW, .val = 0);
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_CONNECT);
    FEED(DISPATCH_EVENT, STRANGER, CONN, .a0 = DISPATCH_REFUSED);
    REJECTED("callback_grammar refused a");
}
END_TEST

/* A thread on its way into a callback may begin it after mark_down returned, and no
 * other. */
START_TEST(one_late_callback_a_thread_is_accepted)
{
    FEED(CONN_DOWN, STRANGER, CONN, .val = 0);
    FEED(FAST_DISPATCH, OWNER, CONN, .a0 = 1);
    FEED(FAST_DISPATCH, OTHER_OWNER, CONN, .a0 = 2);
    ACCEPTED();
    FEED(FAST_DISPATCH, OWNER, CONN, .a0 = 3);
    REJECTED("callback_after_mark_down a");
}
END_TEST

START_TEST(an_old_message_is_rejected)
{
    CONN_DOES(R7_DISPATCH, .a0 = 1);
    CONN_DOES(R7_DISPATCH, .a0 = 3); /* gaps are legal */
    ACCEPTED();
    CONN_DOES(R7_DISPATCH, .a0 = 3);
    REJECTED("old_seq received a");
}
END_TEST

/* Over RDMA: of 300 bytes that came before the read event, 100 have not been read. */
START_TEST(an_end_before_the_last_bytes_is_rejected)
{
    CONN_DOES(CONN_SOCKET, .val = 7);
    CONN_DOES(R2_NOTIFY, .val = 100);
    CONN_DOES(R2_NOTIFY, .val = 200, .a0 = 100);
    CONN_DOES(R3_READ_EVENT, .a0 = 7);
    CONN_DOES(R6_CHUNK_READ, .val = 200);
    CONN_DOES(R6_READ_BULK, .val = 200);
    ACCEPTED();
    CONN_DOES(R6_READ_BULK, .val = -EPIPE);
    REJECTED("lost_at_end a");
}
END_TEST

START_TEST(an_end_after_the_last_bytes_is_accepted)
{
    CONN_DOES(CONN_SOCKET, .val = 7);
    CONN_DOES(R2_NOTIFY, .val = 300);
    CONN_DOES(R3_READ_EVENT, .a0 = 7);
    CONN_DOES(R6_CHUNK_READ, .val = 200);
    CONN_DOES(R6_CHUNK_READ, .val = 100, .a0 = 200);
    CONN_DOES(R2_NOTIFY, .val = 50, .a0 = 300); /* while it reads: the next event's */
    CONN_DOES(R6_READ_BULK, .val = -EPIPE);
    CONN_DOES(R3_READ_EVENT, .a0 = 7);
    CONN_DOES(R6_READ_BULK, .val = -ECONNRESET); /* a failure may lose what came */
    CONN_DOES(SOCKET_CLOSE, .val = 7);
    CONN_DOES(CONN_SOCKET, .val = 8); /* another socket begins anew */
    CONN_DOES(R3_READ_EVENT, .a0 = 8);
    CONN_DOES(R6_READ_BULK, .val = -EPIPE);
    ACCEPTED();
}
END_TEST

/* What was not acknowledged goes out again on another transport only. */
START_TEST(a_message_sent_twice_is_rejected)
{
    CONN_DOES(S4_WRITE_MESSAGE, .a0 = 1);
    CONN_DOES(SOCK_STATE, .a0 = SOCK_NONE, .a1 = SOCK_CONNECTING);
    CONN_DOES(S4_WRITE_MESSAGE, .a0 = 1);
    ACCEPTED();
    CONN_DOES(S4_WRITE_MESSAGE, .a0 = 1);
    REJECTED("old_seq sent a");
}
END_TEST

START_TEST(an_ack_for_what_was_not_sent_is_rejected)
{
    CONN_DOES(ACK_IN, .a0 = 2, .a1 = 1);
    REJECTED("ack_beyond_sent a");
}
END_TEST

START_TEST(a_jump_between_states_is_rejected)
{
    CONN_DOES(PROTO_STATE, .a0 = PROTO_NONE, .a1 = PROTO_START_ACCEPT);
    CONN_DOES(PROTO_STATE, .a0 = PROTO_READY, .a1 = PROTO_CLOSED);
    REJECTED("states a");
}
END_TEST

START_TEST(a_message_that_got_lost_inside_is_rejected)
{
    CONN_DOES(S3_QUEUE, .val = 1);
    CONN_DOES(S3_QUEUE, .val = 1);
    CONN_DOES(S4_WRITE_MESSAGE, .a0 = 1);
    CONN_DOES(CONN_STOP, .a0 = 0);
    REJECTED("message_conservation a");
}
END_TEST

/* ---- books and ends ---- */

START_TEST(a_throttle_gives_back_what_it_got)
{
    FEED(THROTTLE_GET, OWNER, THROTTLE, .val = 5, .a0 = 5);
    FEED(THROTTLE_PUT, OWNER, THROTTLE, .val = 5, .a0 = 0);
    checkers_finish(checkers);
    ACCEPTED();
    FEED(THROTTLE_PUT, OWNER, THROTTLE, .val = 1, .a0 = UINT64_MAX);
    REJECTED("throttle_books negative a");
}
END_TEST

START_TEST(a_throttle_that_miscounts_is_rejected)
{
    FEED(THROTTLE_GET, OWNER, THROTTLE, .val = 5, .a0 = 4);
    REJECTED("throttle_books a");
}
END_TEST

START_TEST(what_is_left_is_a_leak)
{
    static const struct {
        struct trace_record record;
        const char *signature;
    } left[] = {
        {{.kind = TP_THROTTLE_GET, .obj = THROTTLE, .val = 5, .a0 = 5}, "leak throttle a"},
        {{.kind = TP_CONN_NEW, .obj = CONN}, "leak connection a"},
        {{.kind = TP_TIME_ADD, .obj = CENTER, .a0 = 1, .a1 = 1}, "leak timer a"},
        {{.kind = TP_EXT_POST, .obj = CENTER, .a0 = 1}, "leak external_event a"},
        {{.kind = TP_FILE_ADD, .obj = CENTER, .a0 = 5, .val = 1}, "leak watched_fd a"},
    };

    feed(&left[_i].record);
    ACCEPTED();
    checkers_finish(checkers);
    REJECTED(left[_i].signature);
}
END_TEST

/* Of the dead nothing is expected, and their next life begins anew. */
START_TEST(a_dead_node_owes_nothing)
{
    CONN_DOES(CONN_NEW, .val = 0);
    CENTER_DOES(FILE_ADD, .a0 = FD(5, 1), .val = 1);
    FEED(THROTTLE_GET, OWNER, THROTTLE, .val = 5, .a0 = 5);
    checkers_node_died(checkers, 1);
    CONN_DOES(CONN_FAULT, .val = -EBADF);
    checkers_finish(checkers);
    define(OTHER_CENTER, TRACE_OBJECT_CENTER, "a.center-0 (epoll)");
    FEED(FILE_ADD, OTHER_OWNER, OTHER_CENTER, .a0 = FD(5, 1), .val = 1);
    ACCEPTED();
}
END_TEST

/* One run, one violation: what follows from the first is no news. */
START_TEST(the_first_violation_is_the_only_one)
{
    CONN_DOES(ACK_IN, .a0 = 2, .a1 = 1);
    CONN_DOES(ACK_IN, .a0 = 3, .a1 = 1);
    checkers_finish(checkers);
    ck_assert_int_eq(violations, 1);
}
END_TEST

static void add_center_tests(TCase *tc)
{
    tcase_add_test(tc, a_pass_in_order_is_accepted);
    tcase_add_test(tc, a_time_event_behind_an_external_one_is_rejected);
    tcase_add_test(tc, a_callback_on_another_thread_is_rejected);
    tcase_add_test(tc, a_center_whose_thread_has_ended_is_adopted);
    tcase_add_test(tc, a_callback_outside_a_pass_is_rejected);
    tcase_add_test(tc, external_events_run_as_they_were_posted);
    tcase_add_test(tc, an_event_that_nobody_posted_is_rejected);
    tcase_add_test(tc, a_post_to_a_sleeping_center_wakes_it);
    tcase_add_test(tc, a_post_without_wakeup_to_a_sleeping_center_is_rejected);
    tcase_add_test(tc, sleeping_over_a_drained_wakeup_is_rejected);
    tcase_add_test(tc, sleeping_after_a_cancel_is_accepted);
    tcase_add_test(tc, a_timer_that_waits_for_three_passes_is_rejected);
    tcase_add_test(tc, a_timer_that_is_not_armed_does_not_run);
    tcase_add_test(tc, waits_that_return_at_once_are_a_busy_loop);
    tcase_add_test(tc, file_events_in_vain_are_a_busy_loop);
    tcase_add_test(tc, an_event_that_reads_too_much_is_rejected);
    tcase_add_test(tc, file_events_that_get_on_are_accepted);
    tcase_add_test(tc, posts_of_others_are_no_busy_loop);
    tcase_add_test(tc, sleeping_is_no_busy_loop);
}

static void add_fd_tests(TCase *tc)
{
    tcase_add_test(tc, an_event_of_a_former_life_is_rejected);
    tcase_add_test(tc, an_event_that_nobody_asked_for_is_rejected);
    tcase_add_test(tc, a_descriptor_in_two_centers_is_rejected);
    tcase_add_test(tc, a_new_descriptor_that_is_watched_already_is_rejected);
    tcase_add_test(tc, accepting_on_what_does_not_listen_is_rejected);
    tcase_add_test(tc, an_event_of_somebody_elses_descriptor_is_rejected);
    tcase_add_test(tc, a_connection_without_its_descriptor_is_rejected);
}

static void add_conn_tests(TCase *tc)
{
    tcase_add_test(tc, a_life_in_order_is_accepted);
    tcase_add_test(tc, connect_is_told_once);
    tcase_add_test(tc, accept_is_for_the_accepting_side);
    tcase_add_test(tc, a_message_before_the_session_is_rejected);
    tcase_add_test(tc, nothing_is_told_after_a_reset);
    tcase_add_test(tc, refused_is_not_told_of_a_session_that_was_up);
    tcase_add_test(tc, one_late_callback_a_thread_is_accepted);
    tcase_add_test(tc, an_old_message_is_rejected);
    tcase_add_test(tc, a_message_sent_twice_is_rejected);
    tcase_add_test(tc, an_ack_for_what_was_not_sent_is_rejected);
    tcase_add_test(tc, an_end_before_the_last_bytes_is_rejected);
    tcase_add_test(tc, an_end_after_the_last_bytes_is_accepted);
    tcase_add_test(tc, a_jump_between_states_is_rejected);
    tcase_add_test(tc, a_message_that_got_lost_inside_is_rejected);
}

int main(void)
{
    Suite *s = suite_create("checkers");
    TCase *tc = tcase_create("checkers");

    tcase_add_checked_fixture(tc, setup, teardown);
    add_center_tests(tc);
    add_fd_tests(tc);
    add_conn_tests(tc);
    tcase_add_test(tc, a_throttle_gives_back_what_it_got);
    tcase_add_test(tc, a_throttle_that_miscounts_is_rejected);
    tcase_add_loop_test(tc, what_is_left_is_a_leak, 0, 5);
    tcase_add_test(tc, a_dead_node_owes_nothing);
    tcase_add_test(tc, the_first_violation_is_the_only_one);
    suite_add_tcase(s, tc);
    return testlib_run(s);
}
