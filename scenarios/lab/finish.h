/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish.h: the end of a lab.
 *
 * The thread of the scenario only.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_FINISH_H
#define MSGRLAB_SCENARIOS_LAB_FINISH_H

#include "scenarios/lab/lab.h"

/* Everything accepted so far was handed to the stacks; false after that time. */
bool lab_drain(struct lab *lab, uint64_t timeout_ns);
/* Ends everything: senders, messengers, threads; frames still under way are lost. Fills
 * node->counters. Twice is fine. */
void lab_shutdown(struct lab *lab);
void lab_free(struct lab *lab); /* shut down first; NULL is fine */

#endif
