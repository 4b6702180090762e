/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkers.h: invariants of the engine, looked at after every record of a run.
 *
 *     engine --TRACE--> recorder --on_record--> checkers --violate--> end of the run
 *
 * They know only what is recorded (engine/trace_points.h), keep a small model of it and
 * compare: what a center may do in which order, that it does not spin or sleep over work,
 * that timers are not starved, who owns a descriptor, which callbacks a connection may get,
 * sequence numbers, and that what was taken is given back. Each rule has a name, which is
 * the first word of the signature of its violation:
 *
 *   center      callback_order, owner_thread, external_order, lost_wakeup, timer_starved,
 *               busy_loop, stale_event, worker_hog
 *   descriptor  fd_two_owners, fd_wrong_owner, bad_fd
 *   connection  states, callback_grammar, callback_after_mark_down, old_seq,
 *               ack_beyond_sent, message_conservation, lost_at_end, alive_in_silence
 *   throttle    throttle_books
 *   at the end  leak
 *
 * A signature is the rule, what exactly, and the node: "callback_grammar twice a". It has
 * no number that depends on the schedule.
 *
 * What happens across threads is judged by the order of records, and that is the order of
 * events only where one thread runs at a time: the checkers are for the simulated world.
 * One thread at a time; they make no os call.
 */
#ifndef MSGRLAB_SIM_CHECK_CHECKERS_H
#define MSGRLAB_SIM_CHECK_CHECKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/trace_format.h"

struct checkers;

struct checkers_opts {
    /* An invariant does not hold: `signature` as above, `text` says what was seen and what
     * was expected. Called for the first violation only. */
    void (*violate)(void *arg, const char *signature, const char *text);
    /* The time that passes for all; nodes' clocks may be coarse or jump. NULL: what the
     * records say. */
    uint64_t (*now)(void *arg);
    /* Bytes that have come from the peer to a connection of the node, by the network: at
     * its queue pair, or, if that is 0, at its descriptor. UINT64_MAX: nobody knows. NULL:
     * as many as were read. */
    uint64_t (*arrived)(void *arg, uint8_t node, int fd, uint32_t qp_num);
    void *arg;
};

/* NULL: no memory. */
struct checkers *checkers_new(const struct checkers_opts *opts);
void checkers_free(struct checkers *c); /* NULL is fine */

/* A trace_record_fn of engine/trace.h; `arg` is the struct checkers. */
void checkers_record(void *arg, const struct trace_record *record,
                     const struct trace_name *name);
/* How long the peers of the node's sessions may be silent. 0, as at first: for ever. */
void checkers_set_idle(struct checkers *c, uint8_t node, uint64_t timeout_ns);
/* The node died: nothing is expected of it any more, nor of what is recorded under its
 * number until its next life makes new objects. */
void checkers_node_died(struct checkers *c, uint8_t node);
/* Everything was shut down: nothing may be left. */
void checkers_finish(struct checkers *c);
/* Records looked at. */
uint64_t checkers_seen(const struct checkers *c);

#endif
