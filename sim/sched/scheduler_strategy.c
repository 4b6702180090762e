/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler_strategy.c: who runs next, and who does not run for a while. */
#include "engine/util.h"
#include "sim/sched/scheduler.h"

/* STARVE. Every second thread is a victim. It runs for 2^GAP_MIN .. 2^(GAP_MAX + 1) of its
 * own points; then it stands still for up to 2 s, or stands back for 4,096 points of the
 * run. All three are log-uniform: each power of two is as likely. */
#define GAP_BITS_MIN 4
#define GAP_BITS_MAX 13
#define STARVE_BITS_MIN 10
#define STARVE_BITS_MAX 30
#define STARVE_NS_MAX (2 * NSEC_PER_SEC)
#define BACK_BITS_MAX 11
#define BACK_POINTS_MAX 4096

static uint64_t log_uniform(uint64_t hash, uint32_t bits_min, uint32_t bits_max)
{
    uint64_t bits = bits_min + (hash >> 48) % (bits_max - bits_min + 1);

    return (1ULL << bits) + (hash & ((1ULL << bits) - 1));
}

static uint64_t hash_of(const struct scheduler *s, const struct sim_thread *t,
                        uint64_t what)
{
    return sim_hash(s->decisions, &t->actor, what);
}

void sched_strategy_init(struct scheduler *s, struct sim_thread *t)
{
    uint64_t hash = hash_of(s, t, 0);

    /* The upper bits are random, the lower make it unique. */
    t->priority = 1ULL << 63 | (t->number & 0xffff) | ((hash >> 1) & ~0xffffULL);
    t->starve_at =
        hash % 2 == 0 ? UINT64_MAX : log_uniform(hash_of(s, t, 1), 0, GAP_BITS_MAX);
}

/* ---- choosing --------------------------------------------------------------------- */

/* Where in the ready list the thread of highest priority is. */
static uint64_t highest_priority(struct scheduler *s)
{
    uint64_t best = 0, i = 0, priority = 0;

    list_for_each(&s->ready, it)
    {
        const struct sim_thread *t = container_of(it, struct sim_thread, ready);

        if (t->priority > priority) {
            priority = t->priority;
            best = i;
        }
        i++;
    }
    return best;
}

static bool is_pct(const struct scheduler *s)
{
    return s->opts->strategy == SIM_PCT && s->stats.points <= s->opts->pct_steps;
}

uint64_t sched_choose(struct scheduler *s, enum sim_site site, struct sim_thread *actor)
{
    CHECK(s->n_ready > 0);
    if (is_pct(s)) {
        return sim_decide(s->decisions, site, &actor->actor, s->n_ready,
                          highest_priority(s));
    }
    return sim_pick(s->decisions, site, &actor->actor, s->n_ready);
}

/* At pct_depth - 1 points of the run, chosen beforehand, the running thread falls below all
 * others. */
void sched_pass_change_points(struct scheduler *s)
{
    for (uint32_t i = 1; is_pct(s) && i < s->opts->pct_depth; i++) {
        if (s->stats.points == sim_mix(s->decisions->seed, i) % s->opts->pct_steps) {
            s->current->priority = s->pct_low--;
        }
    }
}

/* ---- starving --------------------------------------------------------------------- */

/* Proposes one of the two, and when to do so next. */
static void propose(struct scheduler *s, struct sim_thread *t, uint64_t *ret_ns,
                    uint64_t *ret_points)
{
    uint64_t hash = hash_of(s, t, t->points);

    if (s->opts->strategy != SIM_STARVE || t->points != t->starve_at) {
        return;
    }
    t->starve_at += log_uniform(sim_mix(hash, 1), GAP_BITS_MIN, GAP_BITS_MAX);
    if (hash % 4 == 0) {
        *ret_points = log_uniform(sim_mix(hash, 2), 0, BACK_BITS_MAX);
    } else {
        *ret_ns = log_uniform(sim_mix(hash, 2), STARVE_BITS_MIN, STARVE_BITS_MAX);
    }
}

/* An occurrence of these sites is a point of the thread, whether anybody asked or not. */
void sched_choose_stop(struct scheduler *s, uint64_t *ret_ns, uint64_t *ret_points)
{
    struct sim_thread *me = s->current;
    uint64_t ns = 0, points = 0;

    propose(s, me, &ns, &points);
    me->actor.seen[SIM_SITE_STARVE] = (uint32_t)me->points;
    me->actor.seen[SIM_SITE_STAND_BACK] = (uint32_t)me->points;
    *ret_ns = sim_decide(s->decisions, SIM_SITE_STARVE, &me->actor, STARVE_NS_MAX + 1, ns);
    *ret_points = sim_decide(s->decisions, SIM_SITE_STAND_BACK, &me->actor,
                             BACK_POINTS_MAX + 1, points);
}
