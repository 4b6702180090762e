/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h: a virtual world: nodes, threads, a clock and a network, deterministic from a
 * seed.
 *
 *     struct sim_world *world = sim_world_new(&opts);
 *     struct os *a = sim_world_node(world, 1, "a"), *b = sim_world_node(world, 2, "b");
 *     verdict = sim_world_run(world, story, &arg);     // story runs as the first thread
 *     sim_world_free(world);
 *
 * Each node is a struct os (engine/os.h), so whatever runs on Linux runs here unchanged.
 * All threads of all nodes are coroutines on the calling OS thread; each os call is a
 * point where another may go on. Same options, same program: same run, whatever the
 * machine.
 *
 * One OS thread per world; worlds share nothing. The thread that made the world may also
 * make os calls itself, outside sim_world_run: then it is a virtual thread like the others
 * (and a verdict, having nobody to be returned to, is printed and aborts).
 *
 * Reading a clock, a random number, thread_self or an address is no such point and takes no
 * time: recording a trace does these, and it must not change the run.
 */
#ifndef MSGRLAB_SIM_WORLD_H
#define MSGRLAB_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/os.h"
#include "sim/decisions.h"

struct sim_world;

enum sim_strategy {
    SIM_FIFO,   /* a thread runs until it waits; the one ready for longest is next */
    SIM_RANDOM, /* sites PREEMPT, RUN and WAKE are drawn at their rates */
    SIM_PCT,    /* random priorities, lowered at pct_depth - 1 random points */
};

enum sim_verdict {
    SIM_OK,
    SIM_DEADLOCK,   /* nothing can ever run again, or threads wait in a circle */
    SIM_LIVELOCK,   /* threads stay busy and never wait */
    SIM_ZERO_TIME,  /* so many calls at one instant: a loop in which no time passes */
    SIM_TIME_LIMIT, /* virtual time ran out */
};

/* What the network between two nodes is like, one way. */
struct sim_link {
    uint64_t latency_ns;
    uint64_t jitter_ns;     /* up to so much more, by decision (site JITTER) */
    uint64_t bytes_per_sec; /* 0: no limit */
};

/* Zero means the default in brackets, unless it says otherwise. */
struct sim_world_opts {
    uint64_t seed;
    enum sim_strategy strategy;
    uint32_t pct_depth; /* [3] */
    uint32_t pct_steps; /* points a run is thought to have [10000] */
    /* Site rates of 1024. SIM_RANDOM with 0 takes the default; other strategies ignore the
     * first three. */
    uint16_t preempt_rate;  /* [64] */
    uint16_t run_rate;      /* [1024] */
    uint16_t wake_rate;     /* [1024] */
    uint16_t short_io_rate; /* short reads and writes; 0: none */
    bool defaults;          /* replay: no choice but the overrides */
    bool log;               /* keep the choices for sim_world_decisions */

    uint64_t call_ns;       /* what an os call takes; 0: nothing */
    uint64_t empty_poll_ns; /* what looking for nothing takes on top [200] */
    uint64_t time_max_ns;   /* of the run [24 h] */
    uint64_t busy_max;      /* points without a pause before SIM_LIVELOCK [100 million] */
    uint64_t instant_max;   /* points at one instant before SIM_ZERO_TIME [1 million] */

    struct sim_link link;     /* between any two nodes, until set otherwise; as it is */
    struct sim_link loopback; /* within a node; as it is */
    int fds_max;              /* descriptors per node [1024] */
    int sndbuf, rcvbuf;       /* of sockets, bytes [131072] */
    int pipe_bytes;           /* [65536] */
    size_t stack_bytes;       /* of a thread [coro.h] */
};

struct sim_world_stats {
    uint64_t points;   /* os calls that were scheduling points */
    uint64_t switches; /* from one thread to another */
    uint64_t timers;   /* that ran: deliveries, time-outs */
    uint64_t threads;  /* started */
    uint64_t schedule; /* hash of the sequence of (thread, time) */
};

/* Decisions are ready for overrides when this returns. NULL: no memory. */
struct sim_world *sim_world_new(const struct sim_world_opts *opts);
/* Threads that a verdict stopped are abandoned; whatever the world gave out is gone. */
void sim_world_free(struct sim_world *w); /* NULL is fine */

/* A node with its number for traces and addresses (10.0.0.number, fd00::number, and the
 * loopback addresses, which all nodes of a world share); 0: the next free one. NULL: no
 * memory. The world owns it. */
struct os *sim_world_node(struct sim_world *w, uint8_t number, const char *name);
/* The node is no longer used: every thread joined, every mutex and condition freed
 * (CHECKed); descriptors left open are closed. sim_world_free does it for the others. */
void sim_node_free(struct os *os);
/* For leak checks. */
int sim_node_open_fds(struct os *os);
bool sim_is_node(const struct os *os);
struct sim_world *sim_node_world(struct os *os);

/* Runs fn(arg) as thread "main" and whatever it starts, until all have ended or there is a
 * verdict; after a verdict other than SIM_OK only sim_world_free is left to do. */
enum sim_verdict sim_world_run(struct sim_world *w, void (*fn)(void *arg), void *arg);
/* "deadlock"... */
const char *sim_verdict_name(enum sim_verdict verdict);
/* What the verdict means in this run: who waits for what. Borrowed; "" for SIM_OK. */
const char *sim_world_report(const struct sim_world *w);

uint64_t sim_world_now(const struct sim_world *w);
struct sim_decisions *sim_world_decisions(struct sim_world *w);
void sim_world_stats(const struct sim_world *w, struct sim_world_stats *ret);

/* ---- the network, also while the world runs ---- */

/* One way, from now on. */
void sim_world_set_link(struct sim_world *w, struct os *from, struct os *to,
                        const struct sim_link *link);
/* Nothing passes any more, one way; what was sent waits, as if sent again, until it may
 * pass. A cut in both directions is a partition. */
void sim_world_cut(struct sim_world *w, struct os *from, struct os *to, bool cut);

#endif
