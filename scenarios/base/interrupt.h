/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt.h: Ctrl-C and SIGTERM as a question that long work asks now and then, so that
 * it can end in order and say what it found. The second Ctrl-C ends the process at once.
 * The second SIGTERM does not: timeout(1) sends two of them, and who means it has SIGKILL.
 *
 * Signals belong to the whole process: watching begins and ends on the main thread, one
 * watch at a time. Processes that are forked meanwhile go on watching.
 */
#ifndef MSGRLAB_SCENARIOS_BASE_INTERRUPT_H
#define MSGRLAB_SCENARIOS_BASE_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

struct interrupt {
    struct sigaction before[2]; /* of SIGINT and SIGTERM */
};

/* From now on they are noted; what came earlier is forgotten. */
void interrupt_watch(struct interrupt *ret);
/* Puts back what there was before. */
void interrupt_unwatch(const struct interrupt *interrupt);

/* One of them has come since interrupt_watch. Any thread. */
bool interrupt_came(void);

#endif
