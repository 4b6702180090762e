/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reasons.h: why there is no session, in words for people, from what the engine has
 * seen of the peer; and how many such lines a flood of callers may cause.
 *
 * Pure functions: no fd but the stream they are given, no clock; any thread.
 */
#ifndef MSGRLAB_SCENARIOS_PEER_REASONS_H
#define MSGRLAB_SCENARIOS_PEER_REASONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/messenger.h"

/* What an accepting side prints of a caller it has no session with, without a newline: who,
 * why, its first bytes if it is a stranger, and, if it asked for an address, which one and
 * which are `ours`. */
void reasons_print_refused(FILE *out, const struct conn_seen *seen, const char *why,
                           const struct entity_addrvec *ours);

/* What a dialling side prints behind `why`: how far it came, and what to make of that. */
void reasons_print_progress(FILE *out, const struct conn_seen *seen, const char *why);

/* ---- floods ---- */

#define REFUSED_LINES_PER_SECOND 10

struct refusals {
    uint64_t second_ns; /* when the present second began */
    uint32_t lines;     /* in it */
    uint64_t hidden;    /* callers without a line of their own so far ... */
    uint64_t reported;  /* ... of whom so many were reported as a number */
};

/* One more caller: true: it gets a line; false: it is hidden. */
bool refusals_take(struct refusals *r, uint64_t now_ns);
/* How many to report as a number now: hidden ones, and `untold` ones that were never heard
 * of (all of them so far), once their second is over, or `at_once`. They count as reported
 * then. */
uint64_t refusals_report(struct refusals *r, uint64_t untold, uint64_t now_ns,
                         bool at_once);

#endif
