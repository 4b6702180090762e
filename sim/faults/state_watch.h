/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_watch.h: in which states a node's connections are, told by the records that each
 * change of state leaves. So a fault can wait for a state: "when b is in AUTH_ACCEPTING".
 *
 * The simulated world only: whoever records is the only one who runs. It never blocks and
 * allocates nothing.
 */
#ifndef MSGRLAB_SIM_FAULTS_STATE_WATCH_H
#define MSGRLAB_SIM_FAULTS_STATE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/states.h"

struct trace_record;
struct trace_name;

/* 0 is no state; then those of the socket, then those of the protocol. */
#define STATE_WATCH_STATES (1 + SOCK_STATE_COUNT + PROTO_STATE_COUNT)

struct state_watch {
    uint16_t in[UINT8_MAX + 1][STATE_WATCH_STATES]; /* connections: by node, state */
};

/* Its name in the trace; NULL where nothing waits: NONE, CLOSED, and the number 0. */
const char *state_watch_name(int state);
/* A trace_record_fn; `arg` is the watch. */
void state_watch_record(void *arg, const struct trace_record *record,
                        const struct trace_name *name);
/* A node of that number begins, or begins anew. */
void state_watch_forget(struct state_watch *w, uint8_t node);
static inline bool state_watch_is_in(const struct state_watch *w, uint8_t node, int state)
{
    return w->in[node][state] != 0;
}

#endif
