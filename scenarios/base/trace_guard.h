/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_guard.h: the program's answer to SIGBUS: a store into a trace file that somebody
 * else has cut meanwhile (": > x.trace"). The recorder goes on without the file and says
 * so when it is closed (engine/trace.h, trace_rescue); any other SIGBUS goes to whoever
 * had the signal before.
 *
 * Main thread, except trace_guard_rescue.
 */
#ifndef MSGRLAB_SCENARIOS_BASE_TRACE_GUARD_H
#define MSGRLAB_SCENARIOS_BASE_TRACE_GUARD_H

#include <stdbool.h>

struct trace;

/* From the first call on the process handles SIGBUS. More than TRACE_GUARDS_MAX traces at a
 * time are not watched over. */
#define TRACE_GUARDS_MAX 16
void trace_guard_add(struct trace *trace);
/* Before the trace is closed, or at once behind it. NULL, and one that is not watched over,
 * is fine. */
void trace_guard_remove(struct trace *trace);
/* For other handlers of SIGBUS, before they think of a crash: true, it was no crash, and
 * the handler is to return. */
bool trace_guard_rescue(const void *address);

#endif
