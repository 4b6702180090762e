/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab.h: the nodes of one run and the books about their messages. Knows nothing of Lua.
 *
 *   struct lab ---- nodes (node.h): os + stack + messenger each, numbered from 1
 *             \---- connections (conns.h): an end of a session each
 *             \---- ledgers (books.h): one for each origin of messages: what was sent, what
 *                   arrived, how often, in which order
 *
 * The files of this folder, those above using those below only:
 *
 *     finish                  the end of a lab
 *     expect, unconnected     what is expected; why connections are not up
 *     fate, toll              death and restart, the end of all faults; what faults took
 *     node                    from options to a messenger that runs
 *     receive, senders        what the messenger tells; threads that send
 *     send, fair, policy      one message out; promises of time; how peers are treated
 *     pause, keep             nodes that stand still, and that keep what they get
 *     disturb, fair_trouble   what befell the run, and whom
 *     conns, inbox            connections; messages for handlers
 *     books                   messages
 *     lab, world              what all stand on; on Linux, or simulated
 *
 * Threads: calls are for the thread that runs the scenario, unless they say otherwise;
 * dispatcher callbacks and sender threads keep the books under `lock`. Whatever changes is
 * broadcast on `changed`.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_LAB_H
#define MSGRLAB_SCENARIOS_LAB_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/lab/world.h"

#define LAB_SENDERS_MAX 64 /* threads of the application, of one run */

struct checkers;
struct lab_conn;
struct lab_fair;
struct lab_inbox;
struct lab_ledger;
struct lab_node;
struct lab_sender;

struct lab {
    struct world *world;       /* borrowed */
    struct checkers *checkers; /* owned; NULL: on Linux, and without a trace */
    struct lab_fair *fair;     /* owned; NULL: on Linux */
    struct os_mutex *lock;
    struct os_cond *changed;
    struct lab_node *nodes[WORLD_NODES_MAX + 1]; /* owned */
    int n_nodes;
    struct lab_ledger **ledgers; /* owned array of owned ledgers; number 1 is [0] */
    uint32_t n_ledgers, cap_ledgers;
    struct lab_conn **conns; /* owned array of owned connections */
    uint32_t n_conns, cap_conns;
    struct lab_inbox *inbox, **inbox_tail;
    struct lab_sender *senders[LAB_SENDERS_MAX];
    int n_senders;
    uint64_t n_messages;
    uint64_t changes; /* how often something changed */
    bool closing;     /* the story is over: nothing is counted any more */
    /* The first promise that was broken, whatever the script expects: a wrong byte, a
     * message twice, out of order or behind a gap. In words, and as a signature
     * (sim/check/checkers.h). */
    char fault[300], fault_signature[120];
    /* The scenario's thread stops waiting when this says so (time limit, Ctrl-C). */
    bool (*is_stopped)(void *arg);
    void *stop_arg;
    _Atomic bool stop_senders;
    bool disturbed;     /* the scenario did something that others would call a fault */
    uint64_t acted_ns;  /* when it last did so; 0: never */
    bool ended;         /* it ended a session itself: close, rebind, kill */
    uint64_t healed_ns; /* when all faults ended; 0: not yet, or there are others since */
};

/* 0 or -ENOMEM. The end is in finish.h. */
int lab_new(struct world *world, struct lab **ret);

static inline void lab_lock(struct lab *lab)
{
    os_lock(lab->world->os, lab->lock);
}
static inline void lab_unlock(struct lab *lab)
{
    os_unlock(lab->world->os, lab->lock);
}
uint64_t lab_now(struct lab *lab);
/* With the lock held: tells whoever waits. */
void lab_changed(struct lab *lab);
/* With the lock held: waits for a change, at most until that time; or shorter. */
void lab_wait_change(struct lab *lab, uint64_t until_ns);
/* Nobody should wait any more: the end of the story, a time limit, Ctrl-C. Any thread. */
bool lab_is_stopped(struct lab *lab);

/* NULL: there is none of that name. */
struct lab_node *lab_node_find(struct lab *lab, const char *name);
/* Under the lock: a promise is broken. Ends a simulated run; on Linux it is remembered. The
 * first one wins. `rule` is the signature without the node. */
void lab_violate(struct lab *lab, const struct lab_node *node, const char *rule,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
