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
#ifndef MSGRLAB_SIM_WORLD_WORLD_H
#define MSGRLAB_SIM_WORLD_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/os.h"
#include "sim/decide/decisions.h"

struct sim_world;
struct sim_stacks;

enum sim_strategy {
    SIM_FIFO,   /* a thread runs until it waits; the one ready for longest is next */
    SIM_RANDOM, /* sites PREEMPT, RUN and WAKE are drawn at their rates */
    SIM_PCT, /* random priorities, lowered at pct_depth - 1 of the first pct_steps points;
                   as SIM_RANDOM after these, so that nobody starves for ever */
    SIM_STARVE, /* as SIM_RANDOM, and some threads stand still for a while, now and then */
};

enum sim_verdict {
    SIM_OK,
    SIM_DEADLOCK,   /* nothing can ever run again, or threads wait in a circle */
    SIM_LIVELOCK,   /* threads stay busy and never wait */
    SIM_ZERO_TIME,  /* so many calls at one instant: a loop in which no time passes */
    SIM_TIME_LIMIT, /* virtual time ran out */
    SIM_SAFETY,     /* sim_world_violate: something happened that must never happen */
};

/* How jitter is spread between 0 and jitter_ns. */
enum sim_jitter_shape {
    SIM_JITTER_UNIFORM,
    SIM_JITTER_EXP,  /* small mostly: exponential, cut off at about four times its mean */
    SIM_JITTER_TAIL, /* 15 of 16 in the first sixteenth, one in the upper half */
};

/* What the network between two nodes is like, one way. What goes wrong with it: see
 * net_control.h, too. */
struct sim_link {
    uint64_t latency_ns;
    uint64_t jitter_ns;     /* up to so much more, by decision (site JITTER) */
    uint64_t bytes_per_sec; /* 0: no limit */
    enum sim_jitter_shape jitter_shape;
    uint32_t overhead;    /* bytes that each segment costs on top, if there is a rate */
    uint32_t mtu;         /* bytes of a stream that one segment carries; 0: any number */
    uint64_t queue_bytes; /* that wait for the rate; what is more is lost; 0: any number */
    uint64_t slot_ns;     /* things arrive at multiples of it only; 0: at any time */
    uint32_t loss_nth;    /* every so manieth segment is lost; 0: none */
    /* Of 1024 segments, by decision; what is lost arrives when it is sent again. */
    uint16_t loss;
    uint16_t loss_burst; /* of what follows a lost one, the same again included */
    uint16_t corrupt;    /* arrive with wrong bytes */
};

/* Zero means the default in brackets, unless it says otherwise. */
struct sim_world_opts {
    uint64_t seed;
    enum sim_strategy strategy;
    uint32_t pct_depth; /* [3] */
    uint32_t pct_steps; /* points a run is thought to have [10000] */
    /* Site rates of 1024; SIM_FIFO ignores the first three. */
    uint16_t preempt_rate;  /* [64] */
    uint16_t run_rate;      /* [1024] */
    uint16_t wake_rate;     /* [1024] */
    uint16_t short_io_rate; /* short reads and writes; 0: none, here and below */
    uint16_t tie_rate;      /* the order of timers of one instant */
    uint16_t handoff_rate;  /* an unlock gives the mutex to whom it wakes */
    uint16_t spurious_rate; /* conditions wake by themselves */
    /* Of epoll_wait, poll and select. */
    uint16_t event_order_rate; /* which of the ready ones comes next */
    uint16_t event_batch_rate; /* fewer are reported than are ready */
    uint16_t event_delay_rate; /* readiness is seen up to 100 us late */
    uint16_t event_again_rate; /* an edge is looked at twice */
    bool defaults;             /* replay: no choice but the overrides */
    bool log;                  /* keep the choices for sim_world_decisions */
    /* What no correct program does is a violation (SIM_SAFETY), although an os may bear it:
     * calls on descriptors that are not open or of the wrong kind, a second close, the
     * close of one that another thread waits for, a changed trigger mode of an epoll
     * descriptor, a mutex unlocked by who does not hold it, freed or left behind while
     * held, mutexes taken in different orders. Dead nodes may do all that. */
    bool strict;

    uint64_t call_ns;       /* what an os call takes; 0: nothing */
    uint64_t empty_poll_ns; /* what looking for nothing takes on top [200] */
    uint64_t time_max_ns;   /* of the run [24 h] */
    uint64_t busy_max;      /* points without a pause before SIM_LIVELOCK [100 million] */
    uint64_t instant_max;   /* points at one instant before SIM_ZERO_TIME [1 million] */

    struct sim_link link;     /* between any two nodes, until set otherwise; as it is */
    struct sim_link loopback; /* within a node; as it is */
    /* What did not get through is sent again so much later, then after twice the time, and
     * so on; a sender gives up when nothing got through for give_up_ns. */
    uint64_t resend_ns;     /* [200 ms] */
    uint64_t resend_max_ns; /* [5 s] */
    uint64_t give_up_ns;    /* [924.6 s] */
    bool heal_at_once; /* what waits behind a cut arrives when it heals, not at its time */
    bool backlog_refuses; /* RST for who finds the backlog full, as tcp_abort_on_overflow */
    int fds_max;          /* descriptors per node [1024] */
    int sndbuf, rcvbuf;   /* of sockets, bytes [131072] */
    int pipe_bytes;       /* [65536] */
    size_t stack_bytes;   /* of a thread [coro.h] */
    /* Borrowed: where threads get their stacks (and their size) from, so that one world
     * after the other need not map its own. NULL: it does. */
    struct sim_stacks *stacks;
};

struct sim_world_stats {
    uint64_t points;   /* os calls that were scheduling points */
    uint64_t switches; /* from one thread to another */
    uint64_t timers;   /* that ran: deliveries, time-outs */
    uint64_t threads;  /* started */
    uint64_t schedule; /* hash of the sequence of (thread, time) */
};

/* Stacks to share; by worlds on one OS thread that come after each other. `stack_bytes` as
 * above. NULL: no memory. */
struct sim_stacks *sim_stacks_new(size_t stack_bytes);
void sim_stacks_free(struct sim_stacks *stacks); /* its worlds are freed; NULL is fine */

/* Decisions are ready for overrides when this returns. NULL: no memory. */
struct sim_world *sim_world_new(const struct sim_world_opts *opts);
/* Threads that a verdict stopped are abandoned; whatever the world gave out is gone. */
void sim_world_free(struct sim_world *w); /* NULL is fine */

/* A node with its number for traces and addresses (10.0.0.number, fd00::number, and the
 * loopback addresses, which all nodes of a world share); 0: the next free one. The number
 * of a killed node may be given again: a restart at the same address. NULL: no memory. The
 * world owns it. */
struct os *sim_world_node(struct sim_world *w, uint8_t number, const char *name);
/* The node is no longer used: every thread joined, every mutex and condition freed
 * (CHECKed); descriptors left open are closed. sim_world_free does it for the others. */
void sim_node_free(struct os *os);
/* For leak checks. */
int sim_node_open_fds(struct os *os);
bool sim_is_node(const struct os *os);
struct sim_world *sim_node_world(struct os *os);

/* ---- pauses and deaths, also while the world runs; a decorating os is fine, too ---- */

/* The node's threads run no further than their next os call for so long; UINT64_MAX: until
 * sim_node_resume. Connections and timers of the world go on. */
void sim_node_pause(struct os *os, uint64_t ns);
void sim_node_resume(struct os *os);
/* How a node dies. */
enum sim_death {
    SIM_CRASH, /* the process: its kernel closes what was open (FIN, or RST if something was
                  not read), and refuses who comes */
    SIM_POWER_LOSS, /* the machine: nothing is sent, not even answers; once a node has its
                       number again, what arrives for old connections is answered by RST */
};
/* No thread of the node runs further than its next os call (the caller, too, if it is
 * one), and no other node hears of it. The recorder is off for it. Its memory stays, and so
 * do the mutexes it holds: none of them may be another node's. */
void sim_node_kill(struct os *os, enum sim_death how);
/* A killed node's threads run again, to be shut down and freed in the usual way: pipes and
 * locks work, every socket is dead (-ECONNRESET, -EPIPE), new ones are not to be had
 * (-ENETDOWN). Call it when nothing is to happen any more that counts. */
void sim_node_bury(struct os *os);
bool sim_node_is_dead(struct os *os);

/* Runs fn(arg) as thread "main" and whatever it starts, until all have ended or there is a
 * verdict; after a verdict other than SIM_OK only sim_world_free is left to do. */
enum sim_verdict sim_world_run(struct sim_world *w, void (*fn)(void *arg), void *arg);
/* "deadlock"... */
const char *sim_verdict_name(enum sim_verdict verdict);
/* What the verdict means in this run: who waits for what. Borrowed; "" for SIM_OK. */
const char *sim_world_report(const struct sim_world *w);
/* The verdict in a few words that are the same in every run that fails alike: no times, no
 * addresses, names in order. "deadlock condition:news thread:a/one". Borrowed; "" for
 * SIM_OK. */
const char *sim_world_signature(const struct sim_world *w);
/* An invariant does not hold: the run ends with SIM_SAFETY at the next scheduling point
 * (outside sim_world_run it only gets that verdict). The first one wins; a verdict that is
 * there already stays. `signature`: as above, copied; the rest says what happened. From any
 * virtual thread, timer or recorder's hook. */
void sim_world_violate(struct sim_world *w, const char *signature, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

uint64_t sim_world_now(const struct sim_world *w);
struct sim_decisions *sim_world_decisions(struct sim_world *w);
void sim_world_stats(const struct sim_world *w, struct sim_world_stats *ret);

/* ---- the network, also while the world runs; more in net_control.h ---- */

/* One way, from now on. */
void sim_world_set_link(struct sim_world *w, struct os *from, struct os *to,
                        const struct sim_link *link);
/* Nothing passes any more, one way; what was sent is sent again, later and later, until it
 * passes or its sender gives up. A cut in both directions is a partition. */
void sim_world_cut(struct sim_world *w, struct os *from, struct os *to, bool cut);

#endif
