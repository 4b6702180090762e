/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faulttalk.h: a short conversation between two messengers that puts up with faults: a
 * dials b, sends a few messages and gets each of them back; when the connection is lost it
 * dials again. Every message says which attempt it belongs to, so that what arrives can be
 * judged: of each connection a prefix, in order, once, with the right bytes.
 */
#ifndef MSGRLAB_TESTS_LIB_FAULTTALK_H
#define MSGRLAB_TESTS_LIB_FAULTTALK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event_driver.h"
#include "engine/os.h"

struct network_stack;

struct fault_talk_opts {
    struct os *a, *b;
    int (*make_stack)(struct os *os, struct network_stack **ret); /* NULL: TCP */
    enum event_driver_kind driver;
    bool lossless; /* sessions with acknowledgements; they end with their transport, too */
    /* A whole life: a dials before it runs, keepalives go between the messages, and when
     * all came back, b rebinds and is found at its new address. */
    bool whole;
    int messages;         /* each way, of an attempt; at most 99 */
    int attempts;         /* at most, of starting each node, of dialling, of rebinding */
    uint64_t patience_ns; /* of an attempt */
};

struct fault_talk_result {
    bool delivered;    /* the last attempt brought all of it, there and back */
    bool sound;        /* whatever arrived was a prefix, in order, once, unharmed */
    int failed_starts; /* messengers that said an error instead of starting */
    int failed_dials;  /* connections that could not even be made */
    int lost;          /* attempts that ended early */
    int timed_out;     /* attempts that nothing came of */
    int failed_rebinds;
    bool stuck;          /* when all connections were marked down, messages still waited */
    uint64_t elapsed_ns; /* of os a */
};

/* Runs on a thread of its world; everything it made is gone when it returns. */
void fault_talk(const struct fault_talk_opts *opts, struct fault_talk_result *ret);

#endif
