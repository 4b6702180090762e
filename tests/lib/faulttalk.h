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

struct fault_talk_opts {
    struct os *a, *b;
    enum event_driver_kind driver;
    int messages;         /* each way, of an attempt; at most 99 */
    int attempts;         /* at most, of starting each node and of dialling */
    uint64_t patience_ns; /* of an attempt */
};

struct fault_talk_result {
    bool delivered;      /* the last attempt brought all of it, there and back */
    bool sound;          /* whatever arrived was a prefix, in order, once, unharmed */
    int failed_starts;   /* messengers that said an error instead of starting */
    int failed_dials;    /* connections that could not even be made */
    int lost;            /* attempts that ended early */
    int timed_out;       /* attempts that nothing came of */
    uint64_t elapsed_ns; /* of os a */
};

/* Runs on a thread of its world; everything it made is gone when it returns. */
void fault_talk(const struct fault_talk_opts *opts, struct fault_talk_result *ret);

#endif
