/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h: what the checkers remember of what was recorded: a model of each center,
 * connection and throttle, and of each node's descriptors. Used by sim/check/ only.
 */
#ifndef MSGRLAB_SIM_CHECK_MODEL_H
#define MSGRLAB_SIM_CHECK_MODEL_H

#include "sim/check/checkers.h"

#define CHECK_OBJECT_NAME 40
#define CHECK_NODES 256

/* Passes in a row in which a center neither slept nor got on: more are a busy loop. Real
 * ones (a timer 0.9 ms away and a wait of 0 ms) make hundreds, and none takes long. */
#define CHECK_IDLE_PASSES 32
#define CHECK_IDLE_PASS_NS 20000 /* on average; a slower one is woken by somebody */
/* Passes for which a timer may be due without being run, or a session be up that should be
 * over. */
#define CHECK_TIMER_PASSES 2

struct check_timer {
    uint64_t id, deadline_ns;
    uint32_t passes; /* that began when it was due already */
};

enum check_phase {
    PHASE_OUTSIDE, /* between two passes */
    PHASE_WAITING,
    PHASE_FILES,
    PHASE_TIMES,
    PHASE_EXTERNALS,
};

/* Connections that heard of their peers in this pass. */
struct check_heard {
    uint32_t *conns; /* owned: objects */
    uint32_t n, cap;
};

struct check_center {
    enum check_phase phase;
    int owner;                    /* thread; -1: not known yet */
    uint64_t timeout_ns;          /* of the wait it is in, or was in last */
    uint64_t asleep_ns, slept_ns; /* since when; for how long it was last */
    bool progress;                /* in this pass, or given from outside */
    uint64_t event_bytes;         /* that the callback which runs has read */
    uint32_t idle_passes;         /* without sleep and progress, so far */
    uint64_t idle_since_ns;
    const char *idle_what;      /* the last thing that happened in vain */
    uint64_t queued;            /* external events */
    uint64_t last_ran;          /* ordinal of the last external event that ran */
    uint64_t wakeups;           /* written to the pipe, and not drained */
    struct check_timer *timers; /* owned */
    uint32_t n_timers, cap_timers;
    struct check_heard heard;
    uint64_t silence_due_ns; /* no session of it should end of silence before */
};

/* A socket of the RDMA stack: positions in what the peer sends. */
struct check_stream {
    uint64_t came, due, read; /* due: what had come at the last read event */
};

/* Since when nothing has come from the peer. */
struct check_silence {
    uint32_t center;   /* object */
    uint32_t qp_num;   /* over RDMA */
    uint64_t read;     /* bytes, from this socket */
    bool heard;        /* in this pass */
    uint64_t since_ns; /* by the node's clock */
    uint32_t passes;   /* that began when the session should have been over */
};

struct check_conn {
    bool accepted, loopback, told_up, told_reset;
    bool down;                     /* marked down */
    uint8_t late[CHECK_NODES / 8]; /* threads that called back once after that */
    int fd;                        /* -1: none */
    uint64_t sock, proto;          /* states */
    uint64_t in_seq, out_seq;      /* last seen */
    uint64_t queued, written, unsent;
    bool stopped;
    struct check_stream stream;
    struct check_silence silence;
};

struct check_throttle {
    uint64_t held;
};

struct check_object {
    uint8_t class_; /* enum trace_object_class; 0: never defined */
    uint8_t node;
    bool dead; /* of a node that died, or freed */
    char name[CHECK_OBJECT_NAME];
    union {
        void *any; /* owned; NULL: not seen in a record yet */
        struct check_center *center;
        struct check_conn *conn;
        struct check_throttle *throttle;
    };
};

/* What a descriptor of a node is registered for. */
struct check_fd {
    uint32_t center;     /* object; 0: not registered */
    uint32_t generation; /* of the registration */
    int mask;
};

struct check_node {
    char name[24];
    uint64_t idle_ns;     /* checkers_set_idle; 0: never */
    struct check_fd *fds; /* owned; by number */
    uint32_t n_fds;
    uint32_t *centers; /* owned: 256, which one a thread owns; 0: none */
};

struct checkers {
    struct checkers_opts opts;
    struct check_object *objects; /* owned; by id */
    uint32_t n_objects;
    struct check_node nodes[CHECK_NODES];
    uint64_t seen;
    bool violated;
};

#endif
