/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decisions.h: every choice the virtual world makes, keyed, logged and replayable.
 *
 * A choice is a number 0 .. n-1, and 0 always means "nothing special". It is a pure
 * function
 *
 *     value = H(seed, site, actor, occurrence)
 *
 * of where the choice is (site), who is concerned (actor, by name) and how often that actor
 * came by that site. There is no stream of random numbers: taking one choice away moves no
 * other. Choices other than 0 can be logged, one line of text each:
 *
 *     site actor occurrence value         preempt a/msgr-worker-0 17 2
 *
 * and such lines can be loaded as overrides, which win over everything. With `defaults`
 * set, all choices without an override are 0: that is a replay.
 *
 * Integers only. No pointer, address or host state enters a choice.
 */
#ifndef MSGRLAB_SIM_DECISIONS_H
#define MSGRLAB_SIM_DECISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// clang-format off
/* X(ID, name, what is chosen). New ones go to the end. */
#define SIM_SITES(X)                                                                     \
    X(PREEMPT,    "preempt",    "who runs on after an os call; 0: the caller")           \
    X(RUN,        "run",        "who runs when the caller waits; 0: ready for longest")  \
    X(WAKE,       "wake",       "whom a signal or unlock wakes; 0: waits for longest")   \
    X(SHORT_RECV, "short_recv", "how many bytes a read gives; 0: all there are")         \
    X(SHORT_SEND, "short_send", "how many bytes a write takes; 0: all that fit")         \
    X(JITTER,     "jitter",     "ns added to the latency of a packet; 0: none")
// clang-format on

enum sim_site {
#define X(id, name, what) SIM_SITE_##id,
    SIM_SITES(X)
#undef X
        SIM_SITE_COUNT,
};

#define SIM_RATE_ALWAYS 1024
#define SIM_ACTOR_NAME 48

/* Whoever a choice concerns: a thread, an end of a connection. */
struct sim_actor {
    uint64_t key;                  /* hash of the name */
    char name[SIM_ACTOR_NAME];     /* without white space */
    uint32_t seen[SIM_SITE_COUNT]; /* occurrences so far */
};

struct sim_decision {
    enum sim_site site;
    uint32_t actor; /* index in sim_decisions.names */
    uint32_t occurrence;
    uint64_t value;
};

struct key_value {
    uint64_t key, value; /* key 0: an empty slot */
};

/* Open addressing, at most half full. */
struct key_table {
    struct key_value *slots; /* owned; `size` of them, a power of two */
    uint32_t size, used;
};

struct sim_decisions {
    uint64_t seed;
    bool defaults; /* replay: 0 wherever there is no override */
    bool logging;
    /* Of 1024 choices at this site, so many are drawn from 0 .. n-1; the others are 0. */
    uint16_t rate[SIM_SITE_COUNT];
    struct key_table overrides; /* H(site, actor, occurrence) -> value */
    struct key_table actors;    /* hash of a name -> how many have it; and -> its index */
    char (*names)[SIM_ACTOR_NAME]; /* owned: the actors that are in the log */
    uint32_t n_names;
    struct sim_decision *log; /* owned */
    size_t n_log, cap_log;
    uint64_t made; /* choices so far */
};

void sim_decisions_init(struct sim_decisions *d, uint64_t seed);
void sim_decisions_fini(struct sim_decisions *d);

/* Gives the actor its name (cut to fit; white space becomes '_'). The n-th actor of a name
 * is called "name.n". */
void sim_actor_init(struct sim_decisions *d, struct sim_actor *actor, const char *name);

/* A choice of 0 .. n-1 at the site's rate; n > 0. */
uint64_t sim_pick(struct sim_decisions *d, enum sim_site site, struct sim_actor *actor,
                  uint64_t n);
/* The same, when the caller has its own way to choose: `proposed` instead of the hash. */
uint64_t sim_decide(struct sim_decisions *d, enum sim_site site, struct sim_actor *actor,
                    uint64_t n, uint64_t proposed);

/* "preempt"; -1 for an unknown name. */
const char *sim_site_name(enum sim_site site);
int sim_site_by_name(const char *name);

/* Sets one override. 0 or -ENOMEM. */
int sim_decisions_override(struct sim_decisions *d, enum sim_site site, const char *actor,
                           uint32_t occurrence, uint64_t value);
/* Reads overrides from lines of text; blank lines and # comments are fine. 0; -EINVAL with
 * the line and what is wrong in `why`; -ENOMEM. */
int sim_decisions_load(struct sim_decisions *d, const char *text, char *why, size_t size);
/* The log as text, malloc'ed; the caller frees it. NULL: no memory. */
char *sim_decisions_text(const struct sim_decisions *d);

/* The hash under all this: mixes a word into a state. */
uint64_t sim_mix(uint64_t state, uint64_t word);

#endif
