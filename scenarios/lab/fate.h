/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fate.h: what befalls nodes by the script's will, and the end of all that.
 *
 * The thread of the scenario only.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_FATE_H
#define MSGRLAB_SCENARIOS_LAB_FATE_H

#include <stdbool.h>
#include <stddef.h>

struct lab;
struct lab_node;

/* It dies: the process, or (power_loss) the machine. What was not sent is lost, its
 * connections are closed. -EOPNOTSUPP outside the simulated world; -ESRCH: it does not run;
 * -ENOMEM. Not from a handler. */
int lab_node_kill(struct lab_node *node, bool power_loss);
/* A new life at the same address, with the nonce of the former one or another. As
 * lab_node_start; -EINVAL: it is not dead. */
int lab_node_restart(struct lab_node *node, bool same_nonce, char *why, size_t size);
/* Shuts down and frees former lives; for lab_shutdown. */
void lab_bury_all(struct lab *lab);
/* No faults any more: those of rules and profile stop, links are whole, who stands still
 * goes on; who is dead stays dead. Twice is fine. */
void lab_heal(struct lab *lab);

#endif
