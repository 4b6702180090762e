/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.h: the seven steps out and the seven steps in, one row each. Whatever in viz/
 * speaks of steps (the join, the figures, the tables) is made from this list, in this
 * order.
 *
 *   X(id, trace point, title)     the trace point is TP_... of engine/trace_points.h
 */
#ifndef MSGRLAB_VIZ_TRACE_STEPS_H
#define MSGRLAB_VIZ_TRACE_STEPS_H

// clang-format off
#define IO_STEPS(X)                                                                      \
    X(S1, S1_SEND_MESSAGE,   "send_message")                                             \
    X(S2, S2_SUBMIT_MESSAGE, "submit_message")                                           \
    X(S3, S3_QUEUE,          "queue")                                                    \
    X(S4, S4_WRITE_MESSAGE,  "write_message")                                            \
    X(S5, S5_TRY_SEND,       "try_send")                                                 \
    X(S6, S6_STACK_SEND,     "stack_send")                                               \
    X(S7, S7_POST_SEND,      "post_send")                                                \
    X(R1, R1_POLL_CQ,        "poll_cq")                                                  \
    X(R2, R2_NOTIFY,         "notify")                                                   \
    X(R3, R3_READ_EVENT,     "read_event")                                               \
    X(R4, R4_ALLOCATE,       "allocate")                                                 \
    X(R5, R5_READ_UNTIL,     "read_until")                                               \
    X(R6, R6_READ_BULK,      "read_bulk")                                                \
    X(R7, R7_DISPATCH,       "dispatch")
// clang-format on

#endif
