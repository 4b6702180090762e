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
#include "sim/sched/world_opts.h"

struct sim_world;

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
/* Bytes of the peer that have come to the connection at that descriptor, read or not;
 * UINT64_MAX: it is none. */
uint64_t sim_node_arrived(struct os *os, int fd);
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
