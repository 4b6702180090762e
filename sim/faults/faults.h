/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.h: which faults happen, where and when. It decides and counts; the injector
 * (fault_os.h) and the simulated world carry out.
 *
 * Two ways lead to a fault: a rule, which says the case ("the 3rd MESSAGE from a to b"),
 * and the rate of its decision site, which a profile sets (decisions.h). A rule fires when
 * all it says holds; each call or frame within its scope and window is an occurrence,
 * counted from 1. The first rule that fires wins.
 *
 * One struct sim_faults serves all nodes of a run. Any thread may call; it never blocks,
 * makes no os call, and allocates only to add a rule or to name an actor.
 */
#ifndef MSGRLAB_SIM_FAULTS_FAULTS_H
#define MSGRLAB_SIM_FAULTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/decide/decisions.h"
#include "sim/decide/fault_list.h"
#include "sim/faults/state_watch.h"

enum fault_id {
#define X(id, name, group, site, consequences, what) FAULT_##id,
    FAULTS(X)
#undef X
        FAULT_COUNT,
};

struct fault_info {
    const char *name; /* "s06_short_recv" */
    char group;       /* 'S' */
    const char *site; /* "os.recv" */
    int consequences; /* of enum fault_consequence */
    const char *what;
    int decision; /* of enum sim_site; -1: not one of the injector's */
};

const struct fault_info *fault_info(enum fault_id id);
/* Upper and lower case are the same. -1 for an unknown name. */
int fault_by_name(const char *name);
/* "conn_loss" -> FC_CONN_LOSS; 0 for an unknown name. Names in the order of their bits. */
int fault_consequence_by_name(const char *name);
extern const char *const fault_consequence_names[6];

/* Which side of a frame's transport a rule means. */
enum fault_side { FAULT_WRITE, FAULT_READ };

/* Whether a rule may put it at a frame. */
bool fault_is_for_frames(enum fault_id id, enum fault_side side);

#define FAULT_NAME 32
#define FAULT_FOR_EVER UINT64_MAX
#define FAULT_TAG_ANY 255

struct fault_rule {
    enum fault_id id;
    /* Scope; "" is any. A peer is known by its address, so it is a node of the same run. */
    char node[FAULT_NAME], peer[FAULT_NAME], thread[FAULT_NAME];
    /* Trigger. */
    uint64_t at_ns; /* not before this monotonic time of the real (or virtual) world */
    uint64_t duration_ns; /* not longer than this after at_ns; 0: no end */
    uint32_t nth;         /* from the nth occurrence on; 0: the first */
    uint32_t count;       /* fires so often at most; 0: no end */
    uint16_t probability; /* of 1024; 0: certain */
    uint8_t frame;        /* tag of frames.h, FAULT_TAG_ANY; 0: calls, not frames */
    enum fault_side side; /* of a frame */
    uint8_t point;        /* t05_pause: only there, as the catalogue numbers; 0: anywhere */
    uint8_t state;        /* while a connection of the place's node is in it; 0: always */
    /* Parameters; 0: as the catalogue says in brackets. */
    int64_t value;
    int err; /* positive errno; 0: drawn from the catalogue's */
    uint64_t time_ns;
};

/* Who and what a question is about. */
struct fault_place {
    const char *node, *peer, *thread; /* "" when not known */
    struct sim_actor *actor;          /* whose occurrence it is, at the decision site */
    uint64_t now_ns;
    uint8_t frame; /* tag; 0: the call */
    enum fault_side side;
    uint8_t point;  /* t05_pause */
    uint64_t open;  /* r03_fds: descriptors the node has */
    uint8_t number; /* of the node, in the trace */
};

/* What to do about it. */
struct fault_shot {
    uint64_t value, time_ns; /* 0: as the catalogue says */
    int err;                 /* positive errno; 0: none was said */
    uint64_t draw;           /* 1 .. n, for whatever was not said; 1 for a rule */
    bool is_drawn;           /* by the rate of the site */
};

struct sim_faults;

/* Decisions at `decisions`' sites (borrowed); NULL: of its own, from the seed, as on Linux,
 * where threads make runs differ anyway. NULL: no memory. */
struct sim_faults *sim_faults_new(struct sim_decisions *decisions, uint64_t seed);
void sim_faults_free(struct sim_faults *f); /* no injector left; NULL is fine */

/* The rule's number, from 1, for sim_faults_remove; -EINVAL, -ENOMEM. Copied. */
int sim_faults_add(struct sim_faults *f, const struct fault_rule *rule);
void sim_faults_remove(struct sim_faults *f, int number);
/* How often a rule fired. */
uint64_t sim_faults_rule_fired(struct sim_faults *f, int number);
/* Of 1024 occurrences, so many are drawn. Only for faults with a decision site. */
void sim_faults_set_rate(struct sim_faults *f, enum fault_id id, uint16_t rate);
/* The end of all faults: rules and rates rest, what is held back is let go at the next
 * wait. `false`: they go on. */
void sim_faults_stop(struct sim_faults *f, bool stop);
bool sim_faults_are_stopped(const struct sim_faults *f);

/* What a script tolerates; a profile draws only from these. FC_DELAY at first. */
void sim_faults_accept(struct sim_faults *f, int consequences);
int sim_faults_accepted(const struct sim_faults *f);
/* Whether the run has virtual RDMA devices, so that their faults (group V) may be drawn. */
void sim_faults_set_verbs(struct sim_faults *f, bool has);
bool sim_faults_has_verbs(const struct sim_faults *f);

struct fault_counts {
    uint64_t armed; /* rules added, and 1 for a rate */
    uint64_t asked; /* occurrences that met a rule or a rate */
    uint64_t fired;
};
void sim_faults_counts(struct sim_faults *f, enum fault_id id, struct fault_counts *ret);
/* For what is carried out elsewhere: links, nodes. */
void sim_faults_fired(struct sim_faults *f, enum fault_id id);
/* The same, on the way from one node to another. */
void sim_faults_fired_between(struct sim_faults *f, enum fault_id id, const char *from,
                              const char *to);
/* Called for each fault that fires at a place, with the names of the node and of the other
 * end of the connection ("" if that is not known), on whatever thread it happens and with
 * any lock held: it must only note it. Simulated world; NULL: nobody. */
void sim_faults_set_watcher(struct sim_faults *f,
                            void (*on_fired)(void *arg, enum fault_id id, const char *node,
                                             const char *peer),
                            void *arg);

/* ---- for the injector ---- */

/* Whether anybody wants to know about this fault: cheap, to be asked first. */
bool sim_faults_wants(const struct sim_faults *f, enum fault_id id);
/* Whether any fault of the network's packets is armed. */
bool sim_faults_wants_packets(const struct sim_faults *f);
/* Whether a rule about frames exists at all. */
bool sim_faults_wants_frames(const struct sim_faults *f, enum fault_side side);
/* Asks rules and rate. `n`: what may be drawn is 1 .. n (ret->draw). Frame rules are asked
 * only about frames, and the others only about calls. */
bool sim_faults_ask(struct sim_faults *f, enum fault_id id, const struct fault_place *place,
                    uint64_t n, struct fault_shot *ret);
/* Asks all frame rules; *ret_id says which fault. */
bool sim_faults_ask_frame(struct sim_faults *f, const struct fault_place *place,
                          enum fault_id *ret_id, struct fault_shot *ret);

/* For rules with a state; the world lets it see all records. */
struct state_watch *sim_faults_states(struct sim_faults *f);

struct sockaddr;
/* Whose address that is, so that peers have names. "" for nobody's. */
void sim_faults_set_address(struct sim_faults *f, const struct sockaddr *addr,
                            const char *node);
void sim_faults_address(struct sim_faults *f, const struct sockaddr *addr,
                        char ret_node[FAULT_NAME]);

/* Makes it a new actor of that name: "name", "name.2", ... */
void sim_faults_name_actor(struct sim_faults *f, struct sim_actor *actor, const char *name);

#endif
