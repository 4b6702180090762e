/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/campaign/profile.h"

#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "sim/faults/faults.h"

#define HALF (SIM_RATE_ALWAYS / 2)
#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC

const char *const profile_names[4] = {"none", "schedule", "lite", "chaos"};

int profile_by_name(const char *name)
{
    if (name == NULL) {
        return PROFILE_NONE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(profile_names); i++) {
        if (strcmp(name, profile_names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* ---- knobs ------------------------------------------------------------------------ */

/* Of `rate` in 1024 seeds, one of 0 .. n-1; else 0. */
static uint64_t draw(struct sim_decisions *d, const char *knob, uint16_t rate, uint64_t n)
{
    struct sim_actor actor;

    sim_actor_init(d, &actor, knob);
    d->rate[SIM_SITE_SWARM] = rate;
    return sim_pick(d, SIM_SITE_SWARM, &actor, n);
}

uint64_t profile_pick(struct sim_decisions *d, struct sim_actor *knob, uint64_t n)
{
    d->rate[SIM_SITE_SWARM] = SIM_RATE_ALWAYS;
    return sim_pick(d, SIM_SITE_SWARM, knob, n);
}

/* A value of the list; the first stands for what the options say already. */
static void turn_u64(struct sim_decisions *d, const char *knob, const uint64_t *values,
                     uint64_t n, uint64_t *ret)
{
    uint64_t i = draw(d, knob, HALF, n);

    *ret = i != 0 ? values[i] : *ret;
}

static void turn_rate(struct sim_decisions *d, const char *knob, const uint16_t *values,
                      uint64_t n, uint16_t *ret)
{
    uint64_t i = draw(d, knob, HALF, n);

    *ret = i != 0 ? values[i] : *ret;
}

static void turn_int(struct sim_decisions *d, const char *knob, const int *values,
                     uint64_t n, int *ret)
{
    uint64_t i = draw(d, knob, HALF, n);

    *ret = i != 0 ? values[i] : *ret;
}

#define TURN(turn, knob, field, type, ...)                                                 \
    do {                                                                                   \
        static const type values[] = {0, __VA_ARGS__};                                     \
        turn(d, knob, values, ARRAY_SIZE(values), &(field));                               \
    } while (0)

/* ---- who runs when ---------------------------------------------------------------- */

static void shape_strategy(struct sim_decisions *d, struct sim_world_opts *o)
{
    static const struct {
        enum sim_strategy strategy;
        uint32_t depth;
    } kinds[] = {{SIM_FIFO, 0}, {SIM_RANDOM, 0}, {SIM_RANDOM, 0},
                 {SIM_PCT, 1},  {SIM_PCT, 2},    {SIM_PCT, 3},
                 {SIM_PCT, 4},  {SIM_PCT, 5},    {SIM_STARVE, 0}};
    uint64_t i = draw(d, "strategy", SIM_RATE_ALWAYS, ARRAY_SIZE(kinds));

    o->strategy = kinds[i].strategy;
    o->pct_depth = kinds[i].depth;
}

static void shape_schedule(struct sim_decisions *d, struct sim_world_opts *o)
{
    TURN(turn_rate, "preempt_rate", o->preempt_rate, uint16_t, 8, 32, 256, 700);
    TURN(turn_rate, "tie_rate", o->tie_rate, uint16_t, 64, 512, 1024);
    TURN(turn_rate, "handoff_rate", o->handoff_rate, uint16_t, 64, 512, 1024);
    TURN(turn_rate, "spurious_rate", o->spurious_rate, uint16_t, 8, 64);
    TURN(turn_rate, "event_order_rate", o->event_order_rate, uint16_t, 64, 512, 1024);
    TURN(turn_rate, "event_batch_rate", o->event_batch_rate, uint16_t, 64, 512, 1024);
    TURN(turn_rate, "event_delay_rate", o->event_delay_rate, uint16_t, 8, 64, 256);
    TURN(turn_rate, "event_again_rate", o->event_again_rate, uint16_t, 8, 64, 256);
    TURN(turn_u64, "call_ns", o->call_ns, uint64_t, 50, 1000, 5000);
}

/* ---- links and buffers ------------------------------------------------------------- */

static void shape_io(struct sim_decisions *d, bool chaos, struct sim_world_opts *o)
{
    TURN(turn_u64, "latency", o->link.latency_ns, uint64_t, 1, 5 * US, 200 * US, 1 * MS,
         10 * MS);
    TURN(turn_u64, "jitter", o->link.jitter_ns, uint64_t, 1, 200 * US, 1 * MS, 10 * MS);
    TURN(turn_u64, "rate", o->link.bytes_per_sec, uint64_t, 1000000000, 100000000,
         10000000);
    TURN(turn_rate, "short_io_rate", o->short_io_rate, uint16_t, 128, 512, 1024);
    TURN(turn_int, "sndbuf", o->sndbuf, int, 65536, 8192, 4608);
    TURN(turn_int, "rcvbuf", o->rcvbuf, int, 65536, 8192, 2304);
    TURN(turn_int, "pipe_bytes", o->pipe_bytes, int, 4096);
    if (chaos) {
        TURN(turn_u64, "far_away", o->link.latency_ns, uint64_t, 30 * MS, 100 * MS);
        TURN(turn_u64, "slow_line", o->link.bytes_per_sec, uint64_t, 8000000, 3000000);
    }
}

void profile_shape(enum sim_profile profile, struct sim_decisions *d, bool keep_strategy,
                   struct sim_world_opts *opts)
{
    if (profile == PROFILE_NONE) {
        return;
    }
    if (!keep_strategy) {
        shape_strategy(d, opts);
    }
    shape_schedule(d, opts);
    if (profile >= PROFILE_LITE) {
        shape_io(d, profile == PROFILE_CHAOS, opts);
    }
}

/* ---- faults ----------------------------------------------------------------------- */

/* A delay may happen often; what breaks something must leave time to get over it. */
static uint16_t draw_rate(struct sim_decisions *d, enum sim_profile profile,
                          const struct fault_info *info)
{
    static const uint16_t lite_delays[] = {0, 2, 8, 32}, chaos_delays[] = {0, 8, 32, 128},
                          lite_breaks[] = {0, 1, 2}, chaos_breaks[] = {0, 2, 6, 16};
    bool delays = info->consequences == FC_DELAY, chaos = profile == PROFILE_CHAOS;
    const uint16_t *rates = delays  ? chaos ? chaos_delays : lite_delays
                            : chaos ? chaos_breaks
                                    : lite_breaks;
    uint64_t n = delays || chaos ? 4 : 3;
    char knob[SIM_ACTOR_NAME];

    snprintf(knob, sizeof(knob), "%s", info->name);
    return rates[draw(d, knob, HALF / 2, n)];
}

/* Coarse clocks give records of different nodes times that contradict each other, and
 * expect.steps goes by them: not for the gentle profile. */
static bool is_left_out(enum sim_profile profile, int id)
{
    return profile == PROFILE_LITE && id == FAULT_T06_COARSE;
}

void profile_arm(enum sim_profile profile, struct sim_decisions *d, struct sim_faults *f,
                 int consequences)
{
    int accepted = sim_faults_accepted(f);

    if (profile < PROFILE_LITE) {
        return;
    }
    for (int id = 0; id < FAULT_COUNT; id++) {
        const struct fault_info *info = fault_info((enum fault_id)id);
        uint16_t rate;

        if (info->decision < 0 || (info->consequences & ~accepted) != 0 ||
            (info->consequences & consequences) == 0 || is_left_out(profile, id) ||
            (info->group == 'V' && !sim_faults_has_verbs(f))) {
            continue;
        }
        rate = draw_rate(d, profile, info);
        if (rate != 0) {
            sim_faults_set_rate(f, (enum fault_id)id, rate);
        }
    }
}
