/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toll.h: what faults took of the messages of a run.
 *
 * A lossy session that a fault ends takes with it what had not arrived, and what is said
 * after its end is not sent at all. Neither is a failure of the messenger; both are told. A
 * session that ends in a world where nothing can have ended it explains nothing.
 *
 * Reads the lab's books; owns nothing. Any thread; each call takes the lab's lock.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_TOLL_H
#define MSGRLAB_SCENARIOS_LAB_TOLL_H

#include "scenarios/lab/books.h"

struct lab_toll {
    uint64_t lost;   /* accepted by a lossy session, and gone with it */
    uint64_t unsent; /* said when the session was over */
    /* All that was accepted and did not arrive is among `lost`; and faults took something
     * somewhere, so that fewer messages (answers to lost ones) may have been sent at all.
     */
    bool settled;
};
/* Of messages to `to` (NULL: all), as lab_sums. Takes the lock. */
void lab_toll(struct lab *lab, const struct lab_node *to, const struct lab_node *from,
              const struct lab_ledger *only, struct lab_toll *ret);
/* A fault took this message, or it was not sent because a fault had ended the session. */
bool lab_took(struct lab *lab, const struct lab_ledger *ledger,
              const struct lab_entry *entry);
/* A ledger with messages that were not sent because the session had ended, and nothing in
 * this run may have ended it: no fault, not the script, no time-out that it set. NULL:
 * there is none. Takes the lock. */
const struct lab_ledger *lab_unexplained(struct lab *lab);

#endif
