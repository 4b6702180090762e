/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disturb.h: what befell a run as a whole, which a network or a machine does and a program
 * cannot help.
 *
 * Any thread.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_DISTURB_H
#define MSGRLAB_SCENARIOS_LAB_DISTURB_H

#include "scenarios/lab/lab.h"

/* With the lock or without: the scenario does to links or nodes what others would call a
 * fault; also after healing, which then has to be done again. */
void lab_disturb(struct lab *lab);
/* Something happened in this run that a network or a machine does and a program cannot help
 * (a fault fired, a link was cut, a node stood still or died). */
bool lab_is_disturbed(struct lab *lab);
/* A fault with one of these consequences (fault_list.h) happened in this run. */
bool lab_has_met(struct lab *lab, int consequences);
/* A profile made the world: it may be slow and narrow beyond what the script thought of. */
bool lab_is_shaped(const struct lab *lab);
/* How long after lab_heal everything may take to come right: from the nodes' time-outs. */
uint64_t lab_converge_ns(const struct lab *lab);

#endif
