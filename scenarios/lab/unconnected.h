/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unconnected.h: why connections are not up, for whoever has to understand a run that
 * failed.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_UNCONNECTED_H
#define MSGRLAB_SCENARIOS_LAB_UNCONNECTED_H

#include <stdbool.h>

struct lab;

/* Lines that say of each connection that is not up who dials whom, in which state it is,
 * how often it dialled and why it failed last; and who could not accept. The caller's;
 * NULL: there are none, or no memory. With `stuck` the world stands still, and nothing is
 * asked that takes a lock. */
char *lab_unconnected(struct lab *lab, bool stuck);
/* On Linux, and no fault of the script's made it so: this process has no descriptor left,
 * and some connection is not up for it. */
bool lab_is_out_of_files(struct lab *lab);

#endif
