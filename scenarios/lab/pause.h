/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause.h: nodes that stand still: their workers, or all their threads.
 *
 * The thread of the scenario only.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_PAUSE_H
#define MSGRLAB_SCENARIOS_LAB_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

struct lab;
struct lab_node;
struct lab_pause;

/* All its workers stand still (true) or go on, between two of their passes: whoever calls
 * into the node does not wait for them. 0 or a negative errno. */
int lab_node_pause(struct lab_node *node, bool on);
bool lab_node_is_paused(const struct lab_node *node);
/* Also frozen: whatever needs its threads would wait for them. */
bool lab_node_stands_still(const struct lab_node *node);
/* All its threads stand still for so long, wherever they are, with locks in their hands.
 * -EOPNOTSUPP outside the simulated world; -ESRCH: it does not run. */
int lab_node_freeze(struct lab_node *node, uint64_t ns);
/* Of a life that ended (NULL: it did not stand still): its workers go on when they run
 * again. */
void lab_pause_end(struct lab *lab, struct lab_pause *pause);

#endif
