/* SPDX-License-Identifier: Apache-2.0 */
/*
 * senders.h: threads of the application that send, each as fast as it may.
 *
 * The thread of the scenario only.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_SENDERS_H
#define MSGRLAB_SCENARIOS_LAB_SENDERS_H

#include <stdbool.h>
#include <stdint.h>

struct lab;
struct lab_ledger;
struct lab_node;
struct lab_spec;

/* Starts a thread of the application on the ledger's node that sends n messages. Literals
 * must stay. */
int lab_sender_start(struct lab_ledger *ledger, const struct lab_spec *spec, uint64_t n);
/* Joins them, those of dead nodes or the others; they stop at once when lab->stop_senders
 * is set. */
void lab_senders_join(struct lab *lab, bool dead);
/* Under the lock: the node died, and its senders with it. */
void lab_senders_died(struct lab *lab, const struct lab_node *node);
/* Senders that have not finished; errors of those that have: 0 or the first errno. */
int lab_senders_running(struct lab *lab, int *ret_error);

#endif
