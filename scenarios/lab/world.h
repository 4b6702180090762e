/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h: where a scenario runs: on Linux, or in the simulated world. Gives each node its
 * operating system and its network stack, and owns the trace they record into.
 *
 * Main thread only, except the fields, which do not change after world_open. In the
 * simulated world the main thread is the virtual one that world_run starts.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_WORLD_H
#define MSGRLAB_SCENARIOS_LAB_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/event_driver.h"
#include "engine/os.h"
#include "engine/trace.h"
#include "scenarios/lab/kinds.h"
#include "sim/campaign/profile.h"
#include "sim/decide/trace_hash.h"
#include "sim/world/world.h"

struct network_stack;
struct pcapng;
struct rdma_personality;
struct sim_faults;

#define WORLD_NODES_MAX 250
#define WORLD_OBSERVERS_MAX 8
#define WORLD_STACK_BYTES                                                                  \
    (1u << 20) /* of a virtual thread: Lua runs on one, as deep as it
                                      * lets scripts go (test_host.c) */

/* Why there is no world. */
enum world_error {
    WORLD_OK,
    WORLD_CANNOT, /* this machine has not what it needs: a device, memory */
    WORLD_OPTION, /* an option asks for what there is not */
    WORLD_FILE,   /* its trace, packets or decisions cannot be written, or read */
};

/* Somebody who sees every record as it is made (engine/trace.h says how). */
struct world_observer {
    trace_record_fn fn;
    void *arg;
};

struct world_opts {
    enum world_kind on;
    const char *schedule; /* sim: one of world_schedules; NULL: random */
    enum stack_kind stack;
    /* rdma: its name; NULL: the first that is usable. sim: what it is like, "hca" or "rxe";
     * NULL: "hca". */
    const char *device;
    const char *rdma; /* rdma: options, "name=value,name=value"; NULL: the defaults */
    enum event_driver_kind driver;
    uint64_t seed;
    const char *trace_path; /* NULL: a file without a name, if somebody will read it */
    bool no_trace;
    bool steps;        /* sim: the run itself reads the trace; on Linux it always may */
    const char *title; /* of the trace */

    /* The simulated world only. */
    const char *profile;   /* of its chaos, by name; NULL: "none" */
    const char *decisions; /* to replay: these lines, and no other choice; NULL: the seed */
    bool log;              /* keep the decisions */
    /* Borrowed: shared by runs that come after each other (sim/world/world.h); NULL: its
     * own. */
    struct sim_stacks *stacks;
    uint64_t time_max_ns;  /* by its clock; 0: its own default */
    const char *pcap_path; /* its packets are written there; NULL: nowhere */
    uint64_t stop_after;   /* stop the run after so many records; 0: do not */
    uint64_t stop_id;      /* or after the record of this event id */
    /* Who looks on; NULL: nobody. Decisions are told if they are logged. */
    struct world_observer observer;
    void (*on_decision)(void *arg, const struct sim_decisions *d,
                        const struct sim_decision *it);
    void *decision_arg;
};

struct world {
    enum world_kind kind;
    enum stack_kind stack;
    const char *device, *rdma;                  /* borrowed from the options */
    const struct rdma_personality *personality; /* sim: of all devices */
    char stack_why[500]; /* why the last world_stack_new failed; "": errno says it */
    enum event_driver_kind driver;
    uint64_t seed;
    struct sim_world *sim;       /* owned; NULL: on Linux */
    struct sim_world_opts shape; /* sim: what it is made of */
    struct os *os;               /* owned: the scenario's own clock, threads and locks */
    struct sim_faults *faults;   /* owned: of all nodes; without rules it does nothing */
    enum sim_profile profile;
    struct trace *trace; /* owned; NULL: nothing is recorded */
    struct world_observer observers[WORLD_OBSERVERS_MAX];
    int n_observers;
    uint64_t n_records; /* sim: recorded so far */
    uint64_t stop_after, stop_id, stopped_id;
    struct trace_hasher hasher; /* sim: of everything recorded */
    struct pcapng *pcap;        /* owned; sim: NULL: its packets are not kept */
    char trace_path[512];       /* opens the trace file as long as the world is there */
    int trace_fd;               /* owned; of a file without a name, else -1 */
    bool trace_kept;            /* the user asked for the file */
    int leaked_fds;             /* sim: open when their node was freed */
    uint64_t leaked_chunks;     /* rdma: of registered memory, when their stack was freed */
};

/* For world_opts.stacks; sim_stacks_free frees it. NULL: no memory, which does no harm. */
struct sim_stacks *world_stacks_new(void);

/* WORLD_OK; or why it is not there, with a sentence in `why`. `ret` must stay where it
 * is. */
enum world_error world_open(const struct world_opts *opts, struct world *ret, char *why,
                            size_t size);
/* Before nodes are made, and in the simulated world only: there, one thread runs at a time.
 * An observer must not make os calls. Without a trace it sees nothing. */
void world_observe(struct world *w, trace_record_fn fn, void *arg);
/* Runs fn(arg) in the world until it returns: on Linux that is a call. SIM_OK. When the
 * simulated world stood still or ran in circles, or an invariant was violated (SIM_SAFETY),
 * fn did not return, its threads are stuck in the middle, and nothing of the run may be
 * called any more. */
enum sim_verdict world_run(struct world *w, void (*fn)(void *arg), void *arg);
/* After such an end: who waits for what, and a name for it that is always the same
 * (borrowed). "" otherwise. */
const char *world_report(const struct world *w);
const char *world_signature(const struct world *w);
/* Virtual schedules by name, as enum sim_strategy has them; -1: there is none. */
extern const char *const world_schedules[4];
int world_schedule_by_name(const char *name);
/* What the script puts up with (fault_list.h), beside what it did before: the profile draws
 * from that, too. */
void world_accept(struct world *w, int consequences);
/* Closes the trace; no node is left. 0 or a negative errno of the trace. The file can still
 * be read (trace_path) until world_close. */
int world_close_trace(struct world *w);
/* Closes the capture of the packets; *ret_n: how many are in it. 0 or a negative errno. */
int world_close_pcap(struct world *w, uint64_t *ret_n);
void world_close(struct world *w); /* a zeroed one is fine */

/* A node's own operating system, recording into the world's trace. NULL: no memory. */
struct os *world_os_new(struct world *w, uint8_t number, const char *name);
void world_os_free(struct world *w, struct os *os); /* NULL is fine */
/* `rdma`: options beside the world's own. 0 or a negative errno. */
int world_stack_new(struct world *w, struct os *os, const char *rdma,
                    struct network_stack **ret);
/* Counts what it has lost. NULL is fine. */
void world_stack_free(struct world *w, struct network_stack *stack);

#endif
