/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h: the nodes of a lab: an operating system, a network stack and a messenger each.
 *
 * Calls are for the thread that runs the scenario.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_NODE_H
#define MSGRLAB_SCENARIOS_LAB_NODE_H

#include "engine/messenger.h"
#include "engine/worker.h"
#include "scenarios/lab/lab.h"
#include "scenarios/lab/policy.h"

#define LAB_NAME_BYTES 32

struct lab_grave;
struct lab_kept;
struct lab_pause;

// clang-format off
/* X(name, expression): what a node counts, from `m` (struct messenger_stats). The workers'
 * counters with Ceph's names follow behind these. */
#define LAB_MESSENGER_COUNTERS(X)                                                        \
    X(messages_sent, m.messages_sent) X(messages_received, m.messages_received)          \
    X(connections, m.connections) X(accepting, m.accepting)                              \
    X(dispatch_depth, m.dispatch_depth) X(dispatch_bytes, m.dispatch_bytes)              \
    X(cycles, m.center.cycles) X(waits_empty, m.center.waits_empty)                      \
    X(file_events, m.center.file_events) X(time_events, m.center.time_events)            \
    X(external_events, m.center.external_events) X(posts, m.center.posts)                \
    X(merges, m.center.merges) X(wakeups, m.center.wakeups) X(stale, m.center.stale)
// clang-format on

enum lab_counter {
#define X(name, expression) LAB_COUNTER_##name,
    LAB_MESSENGER_COUNTERS(X)
#undef X
#define X(name) LAB_COUNTER_##name,
        WORKER_COUNTERS(X)
#undef X
            LAB_COUNTERS
};
extern const char *const lab_counter_names[LAB_COUNTERS];

/* What the scenario says about a node; zeroed fields mean the engine's default. */
struct lab_node_opts {
    char name[LAB_NAME_BYTES];
    struct messenger_opts messenger; /* os, stack and entity_id are filled in */
    bool driver_said;                /* ... and the driver, unless it was said */
    char rdma[128];                  /* options of the RDMA stack, beside the run's */
    char address[128];               /* to bind; "" = 127.0.0.1:0 */
    bool serve, fast_dispatch, echo;
    uint64_t handling_ns; /* its handler stands still for so long with each message */
    uint64_t throttle_messages, throttle_bytes;
};

/* Events a dispatcher is told. */
enum lab_event {
    LAB_CONNECT,
    LAB_ACCEPT,
    LAB_RESET,
    LAB_REMOTE_RESET,
    LAB_REFUSED,
    LAB_EVENTS
};
/* "connect", "accept", ... */
extern const char *const lab_event_names[LAB_EVENTS];

struct lab_node {
    struct lab *lab;
    uint8_t number; /* in traces */
    bool started, bound;
    struct lab_node_opts opts;
    struct os *os;               /* owned */
    struct network_stack *stack; /* owned */
    struct messenger *messenger; /* owned; NULL until started */
    int n_policies;
    struct lab_policy policies[LAB_POLICIES_MAX];
    struct lab_pause *pause;  /* owned; NULL: running */
    uint64_t frozen_until_ns; /* all its threads stand still until then; by lab_now */
    struct lab_grave *graves; /* owned: former lives, the last one first */
    struct lab_kept *kept;    /* owned, under the lab's lock: what its application keeps */
    struct lab_node *keeps_from; /* borrowed, likewise: whose messages; NULL: nobody's */
    uint32_t lives;              /* that ended */

    /* Under the lab's lock. */
    bool handler; /* received messages go to the inbox */
    uint64_t events[LAB_EVENTS];
    uint64_t sent, sent_bytes;
    uint64_t received, received_bytes;
    uint64_t foreign; /* messages that are in no book */
    uint64_t echo_dropped;
    uint64_t *log; /* owned: (ledger << 32 | index) in the order of arrival */
    uint64_t n_log, cap_log;

    struct entity_addrvec addrs;     /* what others dial; set when it is bound */
    uint64_t counters[LAB_COUNTERS]; /* after shutdown */
    bool leaked;                     /* ... something of its messenger was left */
};

/* A node that is not started. NULL with a sentence in `why`: too many, no memory. */
struct lab_node *lab_node_new(struct lab *lab, const struct lab_node_opts *opts, char *why,
                              size_t size);
/* Starts it, and binds it if it serves. 0, or a negative errno with `why`. */
int lab_node_start(struct lab_node *node, char *why, size_t size);
/* It listens elsewhere from now on, and its connections are marked down (Ceph does so when
 * it was taken for dead). 0 or a negative errno; then nothing has changed. -EBUSY: it
 * stands still, and its workers would have to help. */
int lab_node_rebind(struct lab_node *node);
/* Its counters now; exact after lab_shutdown. Zeros if it was never started. */
void lab_node_counters(const struct lab_node *node, uint64_t ret[LAB_COUNTERS]);
/* What a start made, given back; its counters stay. The messenger is shut down, or never
 * started. */
void lab_node_free_messenger(struct lab_node *node);
/* It died and was not restarted. */
static inline bool lab_node_is_dead(const struct lab_node *node)
{
    return node->lives > 0 && !node->started;
}

#endif
