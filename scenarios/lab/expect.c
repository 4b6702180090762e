/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/lab/expect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/toll.h"
#include "viz/join/join.h"

const char *const expect_ops[EXPECT_OPS] = {"==", "~=", "<", "<=", ">", ">="};

void expect_init(struct expect_list *list)
{
    list->first = NULL;
    list->tail = &list->first;
    list->n = 0;
}

void expect_fini(struct expect_list *list)
{
    while (list->first != NULL) {
        struct expectation *e = list->first;

        list->first = e->next;
        free(e);
    }
    expect_init(list);
}

struct expectation *expect_new(struct expect_list *list, enum expect_kind kind)
{
    struct expectation *e;

    if (list->n == EXPECTATIONS_MAX) {
        return NULL;
    }
    e = calloc(1, sizeof(*e));
    if (e != NULL) {
        e->kind = kind;
        e->within_ns = EXPECT_WITHIN_NS;
        *list->tail = e;
        list->tail = &e->next;
        list->n++;
    }
    return e;
}

uint32_t expect_count(const struct expect_list *list, enum expect_state state)
{
    uint32_t n = 0;

    for (const struct expectation *e = list->first; e != NULL; e = e->next) {
        n += e->state == state;
    }
    return n;
}

uint32_t expect_excused(const struct expect_list *list)
{
    uint32_t n = 0;

    for (const struct expectation *e = list->first; e != NULL; e = e->next) {
        n += e->state == EXPECT_MET && e->excused;
    }
    return n;
}

const struct expectation *expect_not_converged(const struct expect_list *list)
{
    const struct expectation *e = list->first;

    while (e != NULL && !e->not_converged) {
        e = e->next;
    }
    return e;
}

/* ---- what faults took --------------------------------------------------------------- */

/* Adds to what was observed what faults took, if anything. */
static void tell_toll(struct expectation *e, const struct lab_toll *toll)
{
    size_t len = strlen(e->observed);

    if (toll->lost > 0) {
        snprintf(e->observed + len, sizeof(e->observed) - len,
                 ", %" PRIu64 " gone with a session that a fault ended", toll->lost);
        len = strlen(e->observed);
    }
    if (toll->unsent > 0) {
        snprintf(e->observed + len, sizeof(e->observed) - len,
                 ", %" PRIu64 " not sent as it was over", toll->unsent);
    }
}

/* `there` of `n` messages: enough, as faults took the others? `last`: nothing more can
 * come, so answers that nobody sent to what was lost are among them. */
static bool is_excused(struct expectation *e, uint64_t there, const struct lab_toll *toll,
                       bool last)
{
    uint64_t taken = toll->lost + toll->unsent;

    e->excused =
        !e->strict && there < e->n && (there + taken >= e->n || (last && toll->settled));
    return e->excused;
}

/* ---- deliveries -------------------------------------------------------------------- */

/* How many messages of `from` arrived behind one of lower priority. */
static uint64_t count_priority_inversions(const struct expectation *e, struct lab *lab)
{
    uint64_t inversions = 0;
    uint32_t lowest = UINT32_MAX;

    lab_lock(lab);
    for (uint64_t i = 0; i < e->node->n_log; i++) {
        struct lab_ledger *ledger = lab_ledger_find(lab, (uint32_t)(e->node->log[i] >> 32));
        struct lab_entry *entry = lab_entry_find(ledger, (uint32_t)e->node->log[i]);

        if ((e->from != NULL && ledger != e->from) ||
            (e->from_node != NULL && ledger->from != e->from_node)) {
            continue;
        }
        inversions += entry->priority > lowest;
        lowest = MIN(lowest, entry->priority);
    }
    lab_unlock(lab);
    return inversions;
}

static void judge_delivered(struct expectation *e, struct lab *lab, bool last)
{
    struct lab_sums sums;
    struct lab_toll toll;
    uint64_t inversions = 0;
    int len;

    lab_toll(lab, e->node, e->from_node, e->from, &toll);
    lab_sums(lab, e->node, e->from_node, e->from, &sums);
    len =
        snprintf(e->observed, sizeof(e->observed), "%" PRIu64 " delivered", sums.delivered);
    if (e->exactly_once || sums.duplicates > 0) {
        len += snprintf(e->observed + len, sizeof(e->observed) - (size_t)len,
                        ", %" PRIu64 " more than once", sums.duplicates);
    }
    if (e->in_order) {
        len += snprintf(e->observed + len, sizeof(e->observed) - (size_t)len,
                        ", %" PRIu64 " out of order", sums.inversions);
    }
    if (e->by_priority && sums.delivered >= e->n) {
        inversions = count_priority_inversions(e, lab);
        len += snprintf(e->observed + len, sizeof(e->observed) - (size_t)len,
                        ", %" PRIu64 " behind a lower priority", inversions);
    }
    if (sums.corrupt > 0) {
        snprintf(e->observed + len, sizeof(e->observed) - (size_t)len,
                 ", %" PRIu64 " with wrong bytes", sums.corrupt);
    }
    tell_toll(e, &toll);
    if ((e->exactly_once && sums.duplicates > 0) || (e->in_order && sums.inversions > 0) ||
        inversions > 0 || sums.corrupt > 0 || (!e->at_least && sums.delivered > e->n)) {
        e->state = EXPECT_FAILED;
    } else if (sums.delivered >= e->n || is_excused(e, sums.delivered, &toll, last)) {
        e->state = EXPECT_MET;
    } else if (last) {
        e->state = EXPECT_FAILED;
    }
}

/* ---- events ------------------------------------------------------------------------ */

static void judge_event(struct expectation *e, struct lab *lab, bool last)
{
    uint64_t seen;

    lab_lock(lab);
    seen = e->node->events[e->event];
    lab_unlock(lab);
    snprintf(e->observed, sizeof(e->observed), "%" PRIu64, seen);
    if (seen == e->n || (seen > e->n && e->at_least)) {
        e->state = EXPECT_MET;
    } else if (seen > e->n || last) {
        e->state = EXPECT_FAILED;
    }
}

/* ---- sessions ---------------------------------------------------------------------- */

/* What one side sent on a connection: all of it arrived, or the session is over and what
 * arrived came before what did not (a gap would have ended the run). */
static void judge_session(struct expectation *e, struct lab *lab, bool last)
{
    struct lab_sums sums;
    struct lab_toll toll;
    uint64_t arrived;
    bool over;

    lab_toll(lab, NULL, NULL, e->ledger, &toll);
    lab_sums(lab, NULL, NULL, e->ledger, &sums);
    lab_lock(lab);
    over = e->ledger->conn->closed;
    lab_unlock(lab);
    arrived = sums.delivered - sums.duplicates;
    snprintf(e->observed, sizeof(e->observed),
             "%" PRIu64 " of %" PRIu64 " delivered, %" PRIu64 " more than once, %" PRIu64
             " out of order; the session is %s",
             arrived, sums.sent, sums.duplicates, sums.inversions, over ? "over" : "up");
    tell_toll(e, &toll);
    e->n = sums.sent;
    if (sums.duplicates > 0 || sums.inversions > 0 || sums.corrupt > 0) {
        e->state = EXPECT_FAILED;
    } else if (arrived == sums.sent || (over && e->prefix) ||
               is_excused(e, arrived, &toll, last)) {
        e->state = EXPECT_MET;
    } else if (last) {
        e->state = EXPECT_FAILED;
    }
}

static void judge(struct expectation *e, struct lab *lab, bool last)
{
    if (e->kind == EXPECT_DELIVERED) {
        judge_delivered(e, lab, last);
    } else if (e->kind == EXPECT_EVENT) {
        judge_event(e, lab, last);
    } else if (e->kind == EXPECT_SESSION) {
        judge_session(e, lab, last);
    }
}

static bool is_awaited(const struct expectation *e)
{
    return e->kind == EXPECT_DELIVERED || e->kind == EXPECT_EVENT ||
           e->kind == EXPECT_SESSION;
}

uint64_t expect_until(const struct expectation *e, const struct lab *lab)
{
    bool healed = lab->disturbed && lab->healed_ns != 0;
    uint64_t from = healed ? MAX(e->made_ns, lab->healed_ns) : e->made_ns;
    uint64_t within = e->within_ns;

    if (lab_is_shaped(lab) || (healed && !e->within_set)) {
        within = MAX(within, lab_converge_ns(lab));
    }
    return from + within;
}

bool expect_poll_one(struct expectation *e, struct lab *lab)
{
    if (e->kind == EXPECT_SESSION && e->state == EXPECT_MET) {
        e->state = EXPECT_PENDING; /* more may have been sent since */
    }
    if (e->state != EXPECT_PENDING) {
        return true;
    }
    judge(e, lab, false);
    if (e->state == EXPECT_PENDING && lab_now(lab) >= expect_until(e, lab)) {
        judge(e, lab, true);
        e->not_converged =
            e->state == EXPECT_FAILED && lab->disturbed && lab->healed_ns != 0;
    }
    if (e->state == EXPECT_FAILED) {
        char time[32];
        size_t len = strlen(e->observed);

        snprintf(e->observed + len, sizeof(e->observed) - len, " after %s",
                 words_duration_text(lab_now(lab) - e->made_ns, time, sizeof(time)));
    }
    return e->state != EXPECT_PENDING;
}

uint32_t expect_poll(struct expect_list *list, struct lab *lab, uint64_t *ret_until)
{
    uint32_t pending = 0;
    uint64_t until = UINT64_MAX;

    for (struct expectation *e = list->first; e != NULL; e = e->next) {
        if (is_awaited(e) && !expect_poll_one(e, lab)) {
            pending++;
            until = MIN(until, expect_until(e, lab));
        }
    }
    *ret_until = until;
    return pending;
}

void expect_settle(struct expect_list *list, struct lab *lab)
{
    for (struct expectation *e = list->first; e != NULL; e = e->next) {
        if (is_awaited(e) && e->state == EXPECT_MET && !e->final) {
            judge(e, lab, true);
        }
    }
}

/* ---- counters ---------------------------------------------------------------------- */

static bool compare(uint64_t a, enum expect_op op, uint64_t b)
{
    switch (op) {
    case EXPECT_EQ:
        return a == b;
    case EXPECT_NE:
        return a != b;
    case EXPECT_LT:
        return a < b;
    case EXPECT_LE:
        return a <= b;
    case EXPECT_GT:
        return a > b;
    default:
        return a >= b;
    }
}

static void judge_count(struct expectation *e)
{
    uint64_t counters[LAB_COUNTERS];
    uint64_t value, other;

    lab_node_counters(e->node, counters);
    value = counters[e->counter];
    other = e->against_other ? counters[e->other] : e->n;
    if (e->against_other) {
        snprintf(e->observed, sizeof(e->observed), "%" PRIu64 " and %" PRIu64, value,
                 other);
    } else {
        snprintf(e->observed, sizeof(e->observed), "%" PRIu64, value);
    }
    e->state = compare(value, e->op, other) ? EXPECT_MET : EXPECT_FAILED;
}

/* ---- steps ------------------------------------------------------------------------- */

bool expect_parse_steps(const char *text, uint32_t *ret, char *word, size_t size)
{
    uint32_t steps = 0;

    for (;;) {
        size_t len;
        int step = 0;

        text += strspn(text, " \t\n,");
        len = strcspn(text, " \t\n,");
        snprintf(word, size, "%.*s", (int)len, text);
        if (len == 0) {
            *ret = steps;
            return steps != 0;
        }
        while (step < JOIN_LABELLED &&
               strcmp(join_step_name((enum join_step)step), word) != 0) {
            step++;
        }
        if (step == JOIN_LABELLED) {
            return false;
        }
        steps |= 1u << step;
        text += len;
    }
}

/* One message: true if it took exactly those steps. */
static bool steps_are_right(struct expectation *e, const struct join *join, uint32_t index,
                            uint64_t flow)
{
    size_t i = flow != 0 ? join_find(join, flow) : join_count(join);
    struct join_time times[JOIN_STEPS];
    uint32_t steps = 0;
    size_t len;

    if (i == join_count(join)) {
        snprintf(e->observed, sizeof(e->observed), "message %u is not in the trace", index);
        return false;
    }
    join_times(join, i, times);
    for (int step = 0; step < JOIN_LABELLED; step++) {
        steps |= times[step].count > 0 ? 1u << step : 0;
    }
    snprintf(e->observed, sizeof(e->observed), "message %u: ", index);
    len = strlen(e->observed);
    join_steps_text(join, i, e->observed + len, sizeof(e->observed) - len);
    return steps == e->steps;
}

static void judge_steps(struct expectation *e, struct lab *lab, const struct join *join,
                        const char *why)
{
    uint32_t first = e->index == 0 ? 1 : e->index;
    uint32_t last = e->index == 0 ? e->ledger->n : e->index;

    /* The lab is shut down: nobody else reads or writes the books. */
    if (join == NULL) {
        snprintf(e->observed, sizeof(e->observed), "%s", why);
        return;
    }
    e->state = EXPECT_MET;
    if (first > last) {
        snprintf(e->observed, sizeof(e->observed), "no message was sent");
        e->state = EXPECT_FAILED;
    }
    for (uint32_t i = first; i <= last && e->state == EXPECT_MET; i++) {
        const struct lab_entry *entry = lab_entry_find(e->ledger, i);

        if (entry != NULL && !e->strict && lab_took(lab, e->ledger, entry)) {
            e->excused = true;
        } else if (entry == NULL || entry->failed) {
            snprintf(e->observed, sizeof(e->observed), "message %u was not sent", i);
            e->state = EXPECT_FAILED;
        } else if (!steps_are_right(e, join, i, entry->flow)) {
            e->state = EXPECT_FAILED;
        }
    }
    if (e->state == EXPECT_FAILED && why[0] != '\0') { /* what is missing may be lost */
        snprintf(e->observed, sizeof(e->observed), "%s", why);
        e->state = EXPECT_PENDING;
    }
}

void expect_finish(struct expect_list *list, struct lab *lab, const struct join *join,
                   const char *why)
{
    for (struct expectation *e = list->first; e != NULL; e = e->next) {
        if (e->kind == EXPECT_COUNT) {
            judge_count(e);
        } else if (e->kind == EXPECT_STEPS) {
            judge_steps(e, lab, join, why);
        }
    }
}
