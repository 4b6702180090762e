/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expect.h: what a scenario expects. Some expectations are waited for (deliveries, events),
 * some are judged once everything has ended (counters, steps from the trace), some at once.
 *
 * An expectation that was met can still fail at the end: one message too many, an order
 * that was broken later. Not so when the script itself waited for it: what comes later is
 * another part of the story. The scenario's thread only.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_EXPECT_H
#define MSGRLAB_SCENARIOS_LAB_EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/lab/books.h"
#include "scenarios/lab/node.h"

#define EXPECT_WITHIN_NS (10 * NSEC_PER_SEC)
#define EXPECTATIONS_MAX 100000

struct join;

enum expect_kind {
    EXPECT_THAT,
    EXPECT_DELIVERED,
    EXPECT_EVENT,
    EXPECT_COUNT,
    EXPECT_STEPS,
    EXPECT_SESSION,
    EXPECT_KINDS
};

enum expect_state { EXPECT_PENDING, EXPECT_MET, EXPECT_FAILED };

enum expect_op {
    EXPECT_EQ,
    EXPECT_NE,
    EXPECT_LT,
    EXPECT_LE,
    EXPECT_GT,
    EXPECT_GE,
    EXPECT_OPS
};
extern const char *const expect_ops[EXPECT_OPS]; /* "==", "~=", ... */

struct expectation {
    struct expectation *next; /* owned by the list, in the order they were made */
    enum expect_kind kind;
    enum expect_state state;
    char where[256];             /* "scenarios/x.lua:12" */
    char text[160];              /* what is expected */
    char observed[200];          /* what was seen instead, or until now */
    uint64_t made_ns, within_ns; /* waited for from made to made + within */
    struct lab_node *node;       /* borrowed: where */
    uint64_t n;                  /* messages, events */
    bool within_set;             /* ... by the script */
    bool at_least;               /* or more */
    bool final;                  /* the script waited for it: judged once and for all */
    /* deliveries */
    struct lab_ledger *from;    /* borrowed; NULL: from anybody */
    struct lab_node *from_node; /* borrowed; NULL: from anybody */
    bool in_order, exactly_once, by_priority;
    /* events */
    enum lab_event event;
    /* counters */
    enum lab_counter counter, other;
    bool against_other; /* compare with `other`, else with n */
    enum expect_op op;
    /* sessions */
    bool prefix; /* what is missing was lost with the session */
    /* deliveries, sessions, steps: what faults took (lab_toll) is demanded all the same; or
     * it was not, and something of it is missing. */
    bool strict, excused;
    /* It failed for want of time, after the end of all faults. */
    bool not_converged;
    /* steps, sessions */
    struct lab_ledger *ledger; /* borrowed */
    uint32_t index;            /* 0: every message of the ledger */
    uint32_t steps;            /* bit per enum join_step */
};

struct expect_list {
    struct expectation *first, **tail;
    uint32_t n;
};

void expect_init(struct expect_list *list);
void expect_fini(struct expect_list *list);
/* A zeroed expectation, pending, at the end of the list. NULL: no memory, or too many. */
struct expectation *expect_new(struct expect_list *list, enum expect_kind kind);

/* Until when it is waited for. In a run with faults its time begins when they end, and if
 * the script did not set it, is at least what converging may take (lab_converge_ns); under
 * a profile that makes worlds slow it is so whoever set it. */
uint64_t expect_until(const struct expectation *e, const struct lab *lab);
/* Looks at those that are waited for. How many are still pending; *ret_until: when the
 * first of them has waited long enough. */
uint32_t expect_poll(struct expect_list *list, struct lab *lab, uint64_t *ret_until);
/* The same for one. True: it is pending no more. */
bool expect_poll_one(struct expectation *e, struct lab *lab);
/* Judges deliveries and events once more when nothing moves any more. */
void expect_settle(struct expect_list *list, struct lab *lab);
/* Judges counters and steps, after lab_shutdown. `why`: why the trace cannot be relied on,
 * "" if it can; with NULL for `join` it must say so. Steps that it does not show are then
 * left pending: they cannot be judged. */
void expect_finish(struct expect_list *list, struct lab *lab, const struct join *join,
                   const char *why);
/* How many were met without what faults took. */
uint32_t expect_excused(const struct expect_list *list);
uint32_t expect_count(const struct expect_list *list, enum expect_state state);
/* The first that failed for want of time after the end of all faults; NULL: none. */
const struct expectation *expect_not_converged(const struct expect_list *list);

/* "S1 S2 R7" to bits; false with the wrong word in `word`. */
bool expect_parse_steps(const char *text, uint32_t *ret, char *word, size_t size);

#endif
