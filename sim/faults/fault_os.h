/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_os.h: the injector: a struct os in front of another one, virtual or real, whose
 * calls do what sim_faults says.
 *
 *     engine --> fault_os --> sim node | os_linux
 *                   |
 *                   +-- asks sim_faults; watches the frames that pass
 *
 * What it does is what a kernel may do. So it owes, like a kernel, a readiness event for
 * whatever it withheld: held descriptors are taken out of the poller below and put back in
 * time, and short reads and writes are followed by a new edge.
 *
 * It owns no descriptor, thread or lock; those are the inner os's, under the same numbers.
 * Any thread may call what struct os lets any thread call; a descriptor is used by one
 * thread at a time, and closed by the one that uses it.
 *
 * Clocks: rules and delays go by the inner monotonic clock. Recording a trace only reads
 * clocks, and reading one is never an occurrence.
 */
#ifndef MSGRLAB_SIM_FAULTS_FAULT_OS_H
#define MSGRLAB_SIM_FAULTS_FAULT_OS_H

#include "engine/os.h"
#include "sim/faults/faults.h"

/* Both are borrowed and outlive it. Name, number and trace are the inner one's. NULL: no
 * memory. */
struct os *fault_os_new(struct os *inner, struct sim_faults *f);
/* Whatever was made through it is gone, but the inner os is not. NULL is fine. */
void fault_os_free(struct os *os);
/* What it decorates; an os that is no injector's is itself. */
struct os *fault_os_inner(struct os *os);
/* Descriptors open through it. */
int fault_os_open_fds(struct os *os);

#endif
