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
#ifndef MSGRLAB_SIM_DECIDE_DECISIONS_H
#define MSGRLAB_SIM_DECIDE_DECISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/map.h"
#include "sim/decide/fault_list.h"

// clang-format off
/* X(ID, name, what is chosen). New ones go to the end. */
#define SIM_SITES(X)                                                                     \
    X(PREEMPT,    "preempt",    "who runs on after an os call; 0: the caller")           \
    X(RUN,        "run",        "who runs when the caller waits; 0: ready for longest")  \
    X(WAKE,       "wake",       "whom a signal or unlock wakes; 0: waits for longest")   \
    X(SHORT_RECV, "short_recv", "how many bytes a read gives; 0: all there are")         \
    X(SHORT_SEND, "short_send", "how many bytes a write takes; 0: all that fit")         \
    X(JITTER,     "jitter",     "ns added to the latency of a packet; 0: none")           \
    X(SWARM,      "swarm",      "a knob of this seed (profile.h); 0: the plain world")   \
    FAULT_OS_SITES(X) /* one of each fault of an os: fault_list.h */                     \
    X(TIE,        "t04_tie",    "which timer of an instant comes next; 0: armed first")  \
    X(HANDOFF,    "handoff",    "1: an unlock gives the mutex to whom it wakes")         \
    X(SPURIOUS,   "spurious",   "us after which a condition wakes by itself; 0: never")  \
    X(EVENT_ORDER,"t01_order",  "which ready descriptor comes next; 0: ready for longest")\
    X(EVENT_BATCH,"t01_batch",  "how many events a wait reports; 0: all there are")      \
    X(EVENT_DELAY,"t01_delay",  "us until a ready descriptor is reported; 0: now")       \
    X(EVENT_AGAIN,"t01_again",  "1: an edge that was reported is looked at once more")   \
    X(STARVE,     "t05_starve", "ns for which the thread does not run; 0: it may")       \
    X(STAND_BACK, "t05_back",   "points for which it runs only if no other can; 0: none")\
    X(RDMA_FLUSH, "v11_flush",  "2 us steps until CQEs of a flush are seen; 0: at once") \
    X(RDMA_FLUSH_ORDER, "v11_order", "1: flushed sends are seen before flushed receives") \
    X(RDMA_LOSS,  "v27_loss",   "percent: from 100 less the rate on the packet is lost") \
    X(RDMA_DAMAGE,"v26_damage", "the same for a packet whose bits are wrong")            \
    X(RDMA_TWICE, "v27_twice",  "the same for a packet that comes twice") \
    FAULT_PACKET_SITES(X) /* one of each fault of packets: fault_list.h */ \
    FAULT_VERBS_SITES(X) /* and of each of the RDMA device */
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

/* Instead of hashes: the choices at some sites one after the other, for explore.h. */
struct sim_sequence {
    bool covers[SIM_SITE_COUNT];
    uint32_t depth; /* choices behind this many are 0 */
    uint32_t set,
        met; /* the first `set` are given; so many came (those of one value, no) */
    uint16_t *value, *choices; /* owned; of the first `depth` */
    uint16_t *site;
};

struct sim_decisions {
    uint64_t seed;
    bool defaults; /* replay: 0 wherever there is no override */
    bool logging;
    /* Of 1024 choices at this site, so many are drawn from 0 .. n-1; the others are 0. */
    uint16_t rate[SIM_SITE_COUNT];
    struct sim_sequence *sequence;       /* borrowed; NULL: none */
    struct map overrides;                /* H(site, actor, occurrence) -> value */
    uint32_t overridden[SIM_SITE_COUNT]; /* how many of them a site has */
    struct map actors; /* hash of a name -> how many have it; and -> its index */
    char (*names)[SIM_ACTOR_NAME]; /* owned: the actors that are in the log */
    uint32_t n_names;
    struct sim_decision *log; /* owned */
    size_t n_log;
    uint64_t made; /* choices so far */
    /* Called for each choice that is logged, as it is made: for who must know them even if
     * the process dies. NULL: nobody. */
    void (*on_log)(void *arg, const struct sim_decisions *d, const struct sim_decision *it);
    void *arg; /* of on_log */
};

void sim_decisions_init(struct sim_decisions *d, uint64_t seed);
void sim_decisions_fini(struct sim_decisions *d);

/* Gives the actor its name (cut to fit; white space becomes '_'). The n-th actor of a name
 * is called "name.n". */
void sim_actor_init(struct sim_decisions *d, struct sim_actor *actor, const char *name);

/* Whether a choice at the site could be anything but 0. If not, it may be left out. */
static inline bool sim_may_choose(const struct sim_decisions *d, enum sim_site site)
{
    return d->rate[site] != 0 || d->overrides.used != 0 || d->sequence != NULL;
}
/* A choice of 0 .. n-1 at the site's rate; n > 0. */
uint64_t sim_pick(struct sim_decisions *d, enum sim_site site, struct sim_actor *actor,
                  uint64_t n);
/* The same, when the caller has its own way to choose: `proposed` instead of the hash. */
uint64_t sim_decide(struct sim_decisions *d, enum sim_site site, struct sim_actor *actor,
                    uint64_t n, uint64_t proposed);

/* A hash of the actor's own, for whoever has another way to choose than sim_pick and hands
 * what came out to sim_decide. `what` tells different ones apart. */
uint64_t sim_hash(const struct sim_decisions *d, const struct sim_actor *actor,
                  uint64_t what);
/* The same for the choice that comes next at the site. */
uint64_t sim_hash_of_choice(const struct sim_decisions *d, enum sim_site site,
                            const struct sim_actor *actor);
/* Yes at `rate` of 1024, by a decision of 0 or 1. */
bool sim_chance(struct sim_decisions *d, enum sim_site site, struct sim_actor *actor,
                uint16_t rate);

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

/* The hash under all this: mixes a word into a state. splitmix64's finaliser over
 * state + word * odd: each bit of both reaches every bit. */
static inline uint64_t sim_mix(uint64_t state, uint64_t word)
{
    uint64_t z = state + word * 0x9e3779b97f4a7c15ULL + 0x632be59bd9b4e019ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}
/* The same for each byte of a text. */
static inline uint64_t sim_mix_text(uint64_t state, const char *text)
{
    for (; *text != '\0'; text++) {
        state = sim_mix(state, (uint8_t)*text);
    }
    return state;
}

#endif
