/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h: one node of the world: its struct os, its threads' handles, its descriptors, and
 * what it may see of the world. Used by the other files of sim/ only.
 */
#ifndef MSGRLAB_SIM_NODE_NODE_H
#define MSGRLAB_SIM_NODE_NODE_H

#include "engine/os.h"
#include "sim/sched/scheduler.h"

struct lock_order;
struct net;
struct sim_file;
struct sim_slot;

/* The part of a world that its nodes and what is on them may see. One a world. */
struct sim_env {
    const struct sim_world_opts *opts;
    struct scheduler *sched;
    struct sim_decisions *decisions;
    struct net *net;          /* sim/net */
    struct lock_order *locks; /* the order in which mutexes were taken so far */
    struct list nodes;        /* of sim_node.of_env; owned by the world */
    void (*tap)(void *arg, uint8_t from, uint64_t time_ns, const uint8_t *frame,
                size_t len); /* sim/net/tap.h; NULL: nobody looks */
    void *tap_arg;
    void *rdma; /* owned: the RDMA fabric, once there is a device (sim/rdma) */
    void (*rdma_free)(void *rdma);
};

struct sim_node {
    struct os base;
    struct sim_env *env; /* borrowed from the world */
    struct list of_env;
    struct sched_group threads;
    bool dead;                   /* killed: its address is another's, or nobody's */
    struct list handles;         /* of sim_handle.of_node; owned */
    struct list mutexes, conds;  /* owned by whoever made them; for worlds that end early */
    int live_threads, adopted_n; /* started and not joined; adopted so far */
    uint64_t randoms;            /* drawn so far */
    struct sim_file **files;     /* owned array, by fd; NULL: free */
    struct sim_slot *slots;      /* owned array, as long: what became of each number */
    int n_files, lowest_free;    /* size of the array; no number below it is free */
    int open_n;
};

/* What os_thread_self gives: one for each os a thread calls. */
struct sim_handle {
    struct os_thread base;
    struct sim_thread *thread; /* borrowed; dangles once it ended */
    struct list of_thread, of_node;
};

static inline struct sim_node *to_node(struct os *os)
{
    while (os->inner != NULL) { /* what decorates a node may be given for it */
        os = os->inner;
    }
    return container_of(os, struct sim_node, base);
}

static inline struct scheduler *sched_of_os(struct os *os)
{
    return to_node(os)->env->sched;
}

static inline bool sim_is_strict(const struct sim_node *n)
{
    return n->env->opts->strict && !n->dead;
}

extern const struct os_ops sim_os_ops; /* threads.c */

/* sync.c: the slots of struct os_ops about locks. */
struct os_mutex *sim_mutex_new(struct os *os, const char *name);
void sim_mutex_free(struct os_mutex *m);
void sim_mutex_lock(struct os_mutex *m);
void sim_mutex_unlock(struct os_mutex *m);
struct os_cond *sim_cond_new(struct os *os, const char *name);
void sim_cond_free(struct os_cond *c);
int sim_cond_wait(struct os_cond *c, struct os_mutex *m, int64_t timeout_ns);
void sim_cond_signal(struct os_cond *c);
void sim_cond_broadcast(struct os_cond *c);
/* Frees what an ended world left. */
void sim_node_free_locks(struct sim_node *n);

#endif
