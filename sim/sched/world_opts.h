/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world_opts.h: what a virtual world can be told to be like, how its runs can end, and what
 * it counts. Plain data: the scheduler, the nodes and the network read it, world.h takes
 * it.
 */
#ifndef MSGRLAB_SIM_SCHED_WORLD_OPTS_H
#define MSGRLAB_SIM_SCHED_WORLD_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    SIM_SAFETY,     /* sched_violate: something happened that must never happen */
};

/* "deadlock"... */
const char *sim_verdict_name(enum sim_verdict verdict);

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
    uint64_t points;           /* os calls that were scheduling points */
    uint64_t switches;         /* from one thread to another */
    uint64_t timers;           /* that ran: deliveries, time-outs */
    uint64_t threads;          /* started */
    uint64_t schedule;         /* hash of the sequence of (thread, time) */
    uint64_t starved_until_ns; /* the latest time until when a thread had to stand still */
};

#endif
