/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.c: rules, rates, counters.
 *
 * One lock guards all of it, and nothing is done under it that could wait: in the simulated
 * world it is never contended, and taking it is no scheduling point.
 */
#include "sim/faults/faults.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/spin.h"
#include "engine/util.h"

struct rule {
    struct fault_rule is;
    bool removed;
    uint32_t seen; /* occurrences in scope and window */
    uint64_t fired;
};

/* An address and whose it is. */
struct known_address {
    uint8_t key[18]; /* port and address; zero: a free place */
    char node[FAULT_NAME];
};

#define FDS_FEW 16 /* r03_fds: what the catalogue says */

struct sim_faults {
    struct spin lock;
    struct sim_decisions *decisions; /* borrowed, or &own */
    struct sim_decisions own;
    struct rule *rules; /* owned; removed ones stay, so that numbers do */
    int n_rules, cap_rules;
    struct known_address *addresses; /* owned */
    size_t n_addresses;
    int accepted;
    bool has_verbs;
    atomic_bool stopped;
    atomic_uint wanted[FAULT_COUNT]; /* rules about calls, and 1 for a rate */
    atomic_uint frame_rules[2];      /* by side */
    atomic_uint packets_wanted;      /* of `wanted`, those of packets */
    struct fault_counts counts[FAULT_COUNT];
    struct state_watch states;
    void (*on_fired)(void *arg, enum fault_id id, const char *node, const char *peer);
    void *on_fired_arg;
};

/* ---- the catalogue ---------------------------------------------------------------- */

static const struct fault_info catalogue[FAULT_COUNT] = {
#define ROW(id, name, group, site, consequences, what, decision)                           \
    [FAULT_##id] = {name, group, site, consequences, what, decision},
#define X(id, name, group, site, consequences, what)                                       \
    ROW(id, name, group, site, consequences, what, SIM_SITE_##id)
    FAULT_OS_ROWS(FAULT_ROW_, X) FAULT_PACKET_ROWS(FAULT_ROW_, X)
        FAULT_VERBS_ROWS(FAULT_ROW_, X)
#undef X
#define X(id, name, group, site, consequences, what)                                       \
    ROW(id, name, group, site, consequences, what, -1)
            FAULT_LINK_ROWS(FAULT_ROW_, X) FAULT_WORLD_ROWS(FAULT_ROW_, X)
#undef X
};

const char *const fault_consequence_names[6] = {"delay",     "conn_loss", "refused",
                                                "node_loss", "corrupt",   "no_resource"};

const struct fault_info *fault_info(enum fault_id id)
{
    CHECK(id >= 0 && id < FAULT_COUNT);
    return &catalogue[id];
}

int fault_by_name(const char *name)
{
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (strcasecmp(name, catalogue[i].name) == 0) {
            return i;
        }
    }
    return -1;
}

int fault_consequence_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(fault_consequence_names); i++) {
        if (strcmp(name, fault_consequence_names[i]) == 0) {
            return 1 << i;
        }
    }
    return 0;
}

/* ---- life ------------------------------------------------------------------------- */

struct sim_faults *sim_faults_new(struct sim_decisions *decisions, uint64_t seed)
{
    struct sim_faults *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return NULL;
    }
    spin_init(&f->lock);
    sim_decisions_init(&f->own, seed);
    f->decisions = decisions != NULL ? decisions : &f->own;
    f->accepted = FC_DELAY;
    return f;
}

void sim_faults_free(struct sim_faults *f)
{
    if (f == NULL) {
        return;
    }
    free(f->addresses);
    free(f->rules);
    sim_decisions_fini(&f->own);
    free(f);
}

/* ---- rules and rates -------------------------------------------------------------- */

bool fault_is_for_frames(enum fault_id id, enum fault_side side)
{
    switch (id) {
    case FAULT_T05_PAUSE:
        return true;
    case FAULT_S06_EAGAIN:
    case FAULT_S06_FIN:
    case FAULT_S06_RESET:
    case FAULT_S06_TIMED_OUT:
        return side == FAULT_READ;
    case FAULT_S07_EAGAIN:
    case FAULT_S07_EPIPE:
    case FAULT_S07_RESET:
    case FAULT_S07_VANISH:
    case FAULT_S07_ENOBUFS:
        return side == FAULT_WRITE;
    default:
        return false;
    }
}

static bool is_sound(const struct fault_rule *r)
{
    if (r->id < 0 || r->id >= FAULT_COUNT || r->probability > SIM_RATE_ALWAYS) {
        return false;
    }
    return catalogue[r->id].decision >= 0 && r->state < STATE_WATCH_STATES &&
           (r->frame == 0 || fault_is_for_frames(r->id, r->side));
}

static int append_rule(struct sim_faults *f, const struct fault_rule *r)
{
    CHECK(catalogue[r->id].decision >= 0);
    if (f->n_rules == f->cap_rules) {
        int cap = MAX(8, f->cap_rules * 2);
        struct rule *rules = realloc(f->rules, (size_t)cap * sizeof(*rules));

        if (rules == NULL) {
            return -ENOMEM;
        }
        f->rules = rules;
        f->cap_rules = cap;
    }
    f->rules[f->n_rules++] = (struct rule){.is = *r};
    f->counts[r->id].armed++;
    return f->n_rules;
}

static bool is_of_packets(enum fault_id id)
{
    return strcmp(catalogue[id].site, "world.packet") == 0;
}

/* The counter that says whether such a rule is about. */
static atomic_uint *wanted_by(struct sim_faults *f, const struct fault_rule *r)
{
    return r->frame != 0 ? &f->frame_rules[r->side] : &f->wanted[r->id];
}

int sim_faults_add(struct sim_faults *f, const struct fault_rule *rule)
{
    int number;

    if (!is_sound(rule)) {
        return -EINVAL;
    }
    spin_take(&f->lock);
    number = append_rule(f, rule);
    spin_drop(&f->lock);
    if (number > 0) {
        atomic_fetch_add(wanted_by(f, rule), 1);
        atomic_fetch_add(&f->packets_wanted, is_of_packets(rule->id));
    }
    return number;
}

void sim_faults_remove(struct sim_faults *f, int number)
{
    struct rule *r;

    spin_take(&f->lock);
    CHECK(number >= 1 && number <= f->n_rules);
    r = &f->rules[number - 1];
    if (!r->removed) {
        r->removed = true;
        atomic_fetch_sub(wanted_by(f, &r->is), 1);
        atomic_fetch_sub(&f->packets_wanted, is_of_packets(r->is.id));
    }
    spin_drop(&f->lock);
}

uint64_t sim_faults_rule_fired(struct sim_faults *f, int number)
{
    uint64_t fired;

    spin_take(&f->lock);
    CHECK(number >= 1 && number <= f->n_rules);
    fired = f->rules[number - 1].fired;
    spin_drop(&f->lock);
    return fired;
}

void sim_faults_set_rate(struct sim_faults *f, enum fault_id id, uint16_t rate)
{
    uint16_t *now;

    CHECK(catalogue[id].decision >= 0 && rate <= SIM_RATE_ALWAYS);
    spin_take(&f->lock);
    now = &f->decisions->rate[catalogue[id].decision];
    if (rate != 0 && *now == 0) {
        atomic_fetch_add(&f->wanted[id], 1);
        atomic_fetch_add(&f->packets_wanted, is_of_packets(id));
        f->counts[id].armed++;
    } else if (rate == 0 && *now != 0) {
        atomic_fetch_sub(&f->wanted[id], 1);
        atomic_fetch_sub(&f->packets_wanted, is_of_packets(id));
    }
    *now = rate;
    spin_drop(&f->lock);
}

void sim_faults_stop(struct sim_faults *f, bool stop)
{
    atomic_store(&f->stopped, stop);
}

bool sim_faults_are_stopped(const struct sim_faults *f)
{
    return atomic_load(&f->stopped);
}

void sim_faults_accept(struct sim_faults *f, int consequences)
{
    CHECK(consequences >> ARRAY_SIZE(fault_consequence_names) == 0);
    f->accepted |= consequences;
}

int sim_faults_accepted(const struct sim_faults *f)
{
    return f->accepted;
}

void sim_faults_set_verbs(struct sim_faults *f, bool has)
{
    f->has_verbs = has;
}

struct state_watch *sim_faults_states(struct sim_faults *f)
{
    return &f->states;
}

bool sim_faults_has_verbs(const struct sim_faults *f)
{
    return f->has_verbs;
}

void sim_faults_counts(struct sim_faults *f, enum fault_id id, struct fault_counts *ret)
{
    spin_take(&f->lock);
    *ret = f->counts[id];
    spin_drop(&f->lock);
}

void sim_faults_fired(struct sim_faults *f, enum fault_id id)
{
    CHECK(id < FAULT_COUNT);
    spin_take(&f->lock);
    f->counts[id].fired++;
    spin_drop(&f->lock);
}

static void tell_watcher(struct sim_faults *f, enum fault_id id, const char *node,
                         const char *peer)
{
    if (f->on_fired != NULL) {
        f->on_fired(f->on_fired_arg, id, node, peer);
    }
}

void sim_faults_fired_between(struct sim_faults *f, enum fault_id id, const char *from,
                              const char *to)
{
    sim_faults_fired(f, id);
    tell_watcher(f, id, from, to);
}

void sim_faults_set_watcher(struct sim_faults *f,
                            void (*on_fired)(void *arg, enum fault_id id, const char *node,
                                             const char *peer),
                            void *arg)
{
    f->on_fired = on_fired;
    f->on_fired_arg = arg;
}

/* ---- asking ----------------------------------------------------------------------- */

/* In the simulated world every place is asked, wanted or not: so an occurrence of a site is
 * the same one in a run and in its replay, in which decisions may be at any site. */
bool sim_faults_wants(const struct sim_faults *f, enum fault_id id)
{
    return !atomic_load_explicit(&f->stopped, memory_order_relaxed) &&
           (atomic_load_explicit(&f->wanted[id], memory_order_relaxed) != 0 ||
            f->decisions != &f->own);
}

bool sim_faults_wants_packets(const struct sim_faults *f)
{
    return !atomic_load_explicit(&f->stopped, memory_order_relaxed) &&
           atomic_load_explicit(&f->packets_wanted, memory_order_relaxed) != 0;
}

bool sim_faults_wants_frames(const struct sim_faults *f, enum fault_side side)
{
    return !atomic_load_explicit(&f->stopped, memory_order_relaxed) &&
           atomic_load_explicit(&f->frame_rules[side], memory_order_relaxed) != 0;
}

static bool in_scope(const char *scope, const char *name)
{
    return scope[0] == '\0' || strcmp(scope, name) == 0;
}

static bool in_window(const struct fault_rule *r, uint64_t now_ns)
{
    return now_ns >= r->at_ns &&
           (r->duration_ns == 0 || now_ns - r->at_ns < r->duration_ns);
}

static bool is_about(const struct sim_faults *f, const struct fault_rule *r,
                     const struct fault_place *place)
{
    if (r->state != 0 && !state_watch_is_in(&f->states, place->number, r->state)) {
        return false;
    }
    if (r->point != 0 && r->point != place->point) {
        return false;
    }
    if (r->id == FAULT_R03_FDS &&
        place->open < (r->value > 0 ? (uint64_t)r->value : FDS_FEW)) {
        return false;
    }
    if (place->frame == 0) {
        return r->frame == 0;
    }
    return (r->frame == place->frame || r->frame == FAULT_TAG_ANY) &&
           r->side == place->side;
}

/* A rule's own chance, which is a decision, too: 0 or 1. */
static bool has_luck(struct sim_faults *f, const struct fault_rule *r,
                     const struct fault_place *place)
{
    int site = catalogue[r->id].decision;

    return r->probability == 0 ||
           sim_chance(f->decisions, (enum sim_site)site, place->actor, r->probability);
}

/* Counts the occurrence, and says whether it is one of those the rule is after. */
static bool rule_matches(struct sim_faults *f, struct rule *rule,
                         const struct fault_place *place)
{
    const struct fault_rule *r = &rule->is;

    if (rule->removed || !is_about(f, r, place) || !in_window(r, place->now_ns) ||
        !in_scope(r->node, place->node) || !in_scope(r->peer, place->peer) ||
        !in_scope(r->thread, place->thread)) {
        return false;
    }
    f->counts[r->id].asked++;
    rule->seen++;
    return rule->seen >= r->nth && (r->count == 0 || rule->fired < r->count);
}

/* The first rule that fires, of `id` or (FAULT_COUNT) of any. It is an occurrence for the
 * others all the same. */
static const struct fault_rule *ask_rules(struct sim_faults *f, enum fault_id id,
                                          const struct fault_place *place)
{
    struct rule *first = NULL;

    for (int i = 0; i < f->n_rules; i++) {
        struct rule *rule = &f->rules[i];

        if ((id == FAULT_COUNT || rule->is.id == id) && rule_matches(f, rule, place) &&
            first == NULL && has_luck(f, &rule->is, place)) {
            first = rule;
        }
    }
    if (first == NULL) {
        return NULL;
    }
    first->fired++;
    return &first->is;
}

static void shot_of_rule(const struct fault_rule *r, struct fault_shot *ret)
{
    *ret = (struct fault_shot){
        .value = (uint64_t)r->value, .time_ns = r->time_ns, .err = r->err, .draw = 1};
}

bool sim_faults_ask(struct sim_faults *f, enum fault_id id, const struct fault_place *place,
                    uint64_t n, struct fault_shot *ret)
{
    struct sim_decisions *d = f->decisions;
    int site = catalogue[id].decision;
    const struct fault_rule *rule;
    uint64_t draw = 0;

    CHECK(site >= 0 && n > 0 && place->frame == 0);
    if (!sim_faults_wants(f, id)) {
        return false;
    }
    if (id != FAULT_R03_FDS && d->overridden[site] == 0 &&
        atomic_load_explicit(&f->wanted[id], memory_order_relaxed) == 0) {
        place->actor->seen[site]++; /* as below, where nothing comes of it */
        return false;
    }
    spin_take(&f->lock);
    rule = ask_rules(f, id, place);
    if (rule == NULL && (id != FAULT_R03_FDS || place->open >= FDS_FEW)) {
        f->counts[id].asked += d->rate[site] != 0;
        draw = sim_pick(d, (enum sim_site)site, place->actor, n + 1);
    }
    f->counts[id].fired += rule != NULL || draw != 0;
    if (rule != NULL) {
        shot_of_rule(rule, ret);
    } else {
        *ret = (struct fault_shot){.draw = draw, .is_drawn = true};
    }
    spin_drop(&f->lock);
    if (rule != NULL || draw != 0) {
        tell_watcher(f, id, place->node, place->peer);
    }
    return rule != NULL || draw != 0;
}

bool sim_faults_ask_frame(struct sim_faults *f, const struct fault_place *place,
                          enum fault_id *ret_id, struct fault_shot *ret)
{
    const struct fault_rule *rule;

    CHECK(place->frame != 0);
    if (!sim_faults_wants_frames(f, place->side)) {
        return false;
    }
    spin_take(&f->lock);
    rule = ask_rules(f, FAULT_COUNT, place);
    if (rule != NULL) {
        *ret_id = rule->id;
        f->counts[rule->id].fired++;
        shot_of_rule(rule, ret);
    }
    spin_drop(&f->lock);
    if (rule != NULL) {
        tell_watcher(f, *ret_id, place->node, place->peer);
    }
    return rule != NULL;
}

/* ---- addresses and actors --------------------------------------------------------- */

static void address_key(const struct sockaddr *addr, uint8_t key[18])
{
    memset(key, 0, 18);
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;

        memcpy(key, &in->sin_port, 2);
        memcpy(key + 2, &in->sin_addr, 4);
    } else if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;

        memcpy(key, &in6->sin6_port, 2);
        memcpy(key + 2, &in6->sin6_addr, 16);
    }
}

static struct known_address *find_address(struct sim_faults *f, const uint8_t key[18])
{
    for (size_t i = 0; i < f->n_addresses; i++) {
        if (memcmp(f->addresses[i].key, key, 18) == 0) {
            return &f->addresses[i];
        }
    }
    return NULL;
}

/* A free place; NULL: no memory, and the address stays unknown. */
static struct known_address *place_for_address(struct sim_faults *f)
{
    struct known_address *place = find_address(f, (const uint8_t[18]){0});

    if (place == NULL) {
        struct known_address *all =
            realloc(f->addresses, (f->n_addresses + 1) * sizeof(*f->addresses));

        if (all != NULL) {
            f->addresses = all;
            place = &all[f->n_addresses++];
        }
    }
    return place;
}

void sim_faults_set_address(struct sim_faults *f, const struct sockaddr *addr,
                            const char *node)
{
    struct known_address *place;
    uint8_t key[18];

    address_key(addr, key);
    if (key[0] == 0 && key[1] == 0) { /* no port: it is nobody's */
        return;
    }
    spin_take(&f->lock);
    place = find_address(f, key);
    if (node[0] == '\0') {
        if (place != NULL) {
            *place = (struct known_address){0};
        }
    } else {
        place = place != NULL ? place : place_for_address(f);
        if (place != NULL) {
            memcpy(place->key, key, sizeof(key));
            snprintf(place->node, sizeof(place->node), "%s", node);
        }
    }
    spin_drop(&f->lock);
}

void sim_faults_address(struct sim_faults *f, const struct sockaddr *addr,
                        char ret_node[FAULT_NAME])
{
    const struct known_address *place;
    uint8_t key[18];

    address_key(addr, key);
    spin_take(&f->lock);
    place = find_address(f, key);
    snprintf(ret_node, FAULT_NAME, "%s", place != NULL ? place->node : "");
    spin_drop(&f->lock);
}

void sim_faults_name_actor(struct sim_faults *f, struct sim_actor *actor, const char *name)
{
    spin_take(&f->lock);
    sim_actor_init(f->decisions, actor, name);
    spin_drop(&f->lock);
}
