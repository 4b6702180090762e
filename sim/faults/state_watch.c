/* SPDX-License-Identifier: Apache-2.0 */
/* state_watch.c: each record says what was left and what was entered. */
#include "sim/faults/state_watch.h"

#include <string.h>

#include "engine/trace.h"
#include "engine/util.h"

#define OF_SOCK 1
#define OF_PROTO (OF_SOCK + SOCK_STATE_COUNT)

const char *state_watch_name(int state)
{
    static const char *const names[STATE_WATCH_STATES] = {
#define X(id, name, next) [OF_SOCK + SOCK_##id] = name,
        SOCK_STATES(X)
#undef X
#define X(id, name, next) [OF_PROTO + PROTO_##id] = name,
            PROTO_STATES(X)
#undef X
    };

    CHECK(state >= 0 && state < STATE_WATCH_STATES);
    switch (state) {
    case OF_SOCK + SOCK_NONE:
    case OF_SOCK + SOCK_CLOSED:
    case OF_PROTO + PROTO_NONE:
    case OF_PROTO + PROTO_CLOSED:
        return NULL;
    default:
        return names[state];
    }
}

static void move(uint16_t *in, int from, int to)
{
    /* Nobody told when a connection was made, as which it is NONE. */
    in[from] -= in[from] > 0;
    in[to]++;
}

void state_watch_record(void *arg, const struct trace_record *record,
                        const struct trace_name *name)
{
    struct state_watch *w = arg;

    if (name != NULL) {
        return;
    }
    if (record->kind == TP_SOCK_STATE) {
        move(w->in[record->node], OF_SOCK + (int)record->a0, OF_SOCK + (int)record->a1);
    } else if (record->kind == TP_PROTO_STATE) {
        move(w->in[record->node], OF_PROTO + (int)record->a0, OF_PROTO + (int)record->a1);
    }
}

void state_watch_forget(struct state_watch *w, uint8_t node)
{
    memset(w->in[node], 0, sizeof(w->in[node]));
}
