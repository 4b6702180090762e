/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fair.h: whatever one peer does, the messages of the others arrive within a bound.
 *
 * Each message that was sent on a session is looked at when it arrives, when its session
 * ends without the script's doing, and at the end of a run in which all else came true. It
 * is late when more time has passed than the bound since the latest of these: it was sent;
 * its session was ready; something befell this pair of nodes, or one of the two (a fault of
 * the run, a pause, a thread that had to stand still). What happens to other nodes is no
 * excuse: that is the point.
 *
 * The bound follows from what the run is made of: LAB_FAIR_NS, and what its own messages
 * may cost the links, buffers and virtual processors between the two nodes; and the ready
 * time-out of a receiver with narrow budgets, which is how long a silent peer may keep one
 * (engine/limits.h).
 *
 * Not judged: sessions during which a fault may have taken their transport away, which is
 * for their time-outs to find out; pairs of nodes whose network the script changed by hand,
 * nodes that died or moved, receivers whose own handlers are slow or keep what they get. A
 * late message is a promise broken (lab_violate, rule "unfair"). The simulated world only:
 * real processors have other things to do.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_FAIR_H
#define MSGRLAB_SCENARIOS_LAB_FAIR_H

#include "scenarios/lab/lab.h"

#define LAB_FAIR_NS (5 * NSEC_PER_SEC)
/* What was lost is sent again after 5 s at the latest, and so is the answer. */
#define LAB_FAIR_AGAIN_NS (10 * NSEC_PER_SEC)

struct lab_conn;
struct lab_entry;
struct lab_ledger;
struct lab_node;

/* For a new lab: looks on. 0 or -ENOMEM; on Linux it does nothing. */
int lab_fair_init(struct lab *lab);
void lab_fair_fini(struct lab *lab);

/* Something befell the two, now (`b` NULL: all that `a` has to do with). */
void lab_fair_trouble(struct lab *lab, const struct lab_node *a, const struct lab_node *b);
/* ... and may go on for the rest of the run. */
void lab_fair_excuse(struct lab *lab, const struct lab_node *a, const struct lab_node *b);

/* Under the lock: a message arrives for the first time. */
void lab_fair_arrived(struct lab *lab, const struct lab_ledger *ledger,
                      const struct lab_entry *entry);
/* Under the lock: the session ended by itself. */
void lab_fair_reset(struct lab *lab, const struct lab_conn *conn);
/* The end of a run: what has not arrived? */
void lab_fair_finish(struct lab *lab);

/* ---- between fair_trouble.c and fair.c ---- */

#define LAB_FAIR_NUMBERS (WORLD_NODES_MAX + 1)

/* When something befell a node, or two; by their numbers. UINT64_MAX: it may go on. */
struct lab_fair {
    uint64_t node[LAB_FAIR_NUMBERS];
    uint64_t pair[LAB_FAIR_NUMBERS][LAB_FAIR_NUMBERS];
    /* The same, of what may have ended their connections of that time. */
    uint64_t node_loss[LAB_FAIR_NUMBERS];
    uint64_t pair_loss[LAB_FAIR_NUMBERS][LAB_FAIR_NUMBERS];
};

#endif
