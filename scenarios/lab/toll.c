/* SPDX-License-Identifier: Apache-2.0 */
/* toll.c: what a session may have lost to a fault, and what not. */
#include "scenarios/lab/toll.h"

#include "engine/util.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/node.h"
#include "sim/faults/faults.h"

/* Whether anything in this run may end a transport: something that only takes time does
 * not. */
static bool may_end_sessions(struct lab *lab)
{
    return lab->acted_ns != 0 || lab_has_met(lab, FC_ALL & ~FC_DELAY);
}

/* Under the lock: a session that was dialled before that time. Who accepts one learns of it
 * later. */
static bool is_older(const struct lab *lab, const struct lab_conn *c, uint64_t ns)
{
    bool older = c->made_ns < ns;

    for (uint32_t i = 0; i < lab->n_conns && !older && c->accepted; i++) {
        const struct lab_conn *other = lab->conns[i];

        older = !other->accepted && other->node == c->peer && other->peer == c->node &&
                other->made_ns < ns;
    }
    return older;
}

/* Under the lock, in a run that may end sessions: this one ended, not by its own side, and
 * it is so old that a fault may be why. What begins after the end of all faults is whole.
 */
static bool was_taken(const struct lab *lab, const struct lab_conn *c)
{
    uint64_t last = MAX(lab->healed_ns, lab->acted_ns);

    return c->closed && c->end == LAB_END_NOT &&
           (lab->healed_ns == 0 || is_older(lab, c, last));
}

static bool is_lossy(const struct lab_ledger *ledger)
{
    int type = ledger->to != NULL ? (int)ledger->to->opts.messenger.entity_type : 0;

    return lab_node_policy(ledger->from, type)->lossy;
}

static uint64_t missing(const struct lab_ledger *ledger)
{
    return ledger->n - ledger->failed - (ledger->delivered - ledger->duplicates);
}

/* Under the lock: one end of a session may never learn that it is over. True if more
 * sessions of these two nodes ended at the other end than at this one. */
static bool is_half_open(const struct lab *lab, const struct lab_conn *c)
{
    int there = 0, here = 0;

    for (uint32_t i = 0; i < lab->n_conns && c->peer != NULL; i++) {
        const struct lab_conn *other = lab->conns[i];

        there += other->node == c->peer && other->peer == c->node && was_taken(lab, other);
        here += other->node == c->node && other->peer == c->peer && other->closed;
    }
    return !c->closed && there > here;
}

/* Under the lock: messages by address use whatever session there is. */
static bool has_reset(const struct lab_ledger *ledger)
{
    return ledger->from->events[LAB_RESET] > 0 ||
           (ledger->to != NULL && ledger->to->events[LAB_RESET] > 0);
}

static uint64_t lost_of(const struct lab *lab, const struct lab_ledger *ledger)
{
    bool over = ledger->conn != NULL ? was_taken(lab, ledger->conn) : has_reset(ledger);

    return over && is_lossy(ledger) ? missing(ledger) : 0;
}

static uint64_t unsent_of(const struct lab *lab, const struct lab_ledger *ledger)
{
    bool over = ledger->conn == NULL || was_taken(lab, ledger->conn);

    return over ? ledger->unsent : ledger->kept;
}

void lab_toll(struct lab *lab, const struct lab_node *to, const struct lab_node *from,
              const struct lab_ledger *only, struct lab_toll *ret)
{
    struct lab_toll toll = {0};
    uint64_t all = 0, open = 0;

    if (!may_end_sessions(lab)) {
        *ret = toll;
        return;
    }
    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_ledgers; i++) {
        const struct lab_ledger *ledger = lab->ledgers[i];
        uint64_t lost = lost_of(lab, ledger), unsent = unsent_of(lab, ledger);

        all += lost + unsent;
        if ((to != NULL && ledger->to != to) || (from != NULL && ledger->from != from) ||
            (only != NULL && ledger != only)) {
            continue;
        }
        if (missing(ledger) > lost && (ledger->conn == NULL || !is_lossy(ledger) ||
                                       !is_half_open(lab, ledger->conn))) {
            open += missing(ledger) - lost;
        }
        /* By address any number of sessions is used: which of them lost what is not known
         * before all is over, so it counts only there. */
        toll.lost += ledger->conn != NULL ? lost : 0;
        toll.unsent += unsent;
    }
    lab_unlock(lab);
    toll.settled = open == 0 && all > 0;
    *ret = toll;
}

bool lab_took(struct lab *lab, const struct lab_ledger *ledger,
              const struct lab_entry *entry)
{
    bool may = may_end_sessions(lab), took;

    lab_lock(lab);
    took = may && (entry->failed ? unsent_of(lab, ledger) > 0
                                 : entry->received == 0 && lost_of(lab, ledger) > 0);
    lab_unlock(lab);
    return took;
}

/* Time-outs that the script set end sessions by themselves. */
static bool has_time_out(const struct lab_node *node)
{
    return node != NULL && (node->opts.messenger.idle_timeout_ns != 0 ||
                            node->opts.messenger.ready_timeout_ns != 0);
}

const struct lab_ledger *lab_unexplained(struct lab *lab)
{
    const struct lab_ledger *found = NULL;

    if (lab->ended || may_end_sessions(lab)) {
        return NULL;
    }
    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_ledgers && found == NULL; i++) {
        const struct lab_ledger *ledger = lab->ledgers[i];

        if (ledger->unsent > 0 && ledger->to != NULL && !has_time_out(ledger->from) &&
            !has_time_out(ledger->to)) {
            found = ledger;
        }
    }
    lab_unlock(lab);
    return found;
}
