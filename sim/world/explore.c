/* SPDX-License-Identifier: Apache-2.0 */
/* explore.c: the odometer. */
#include "sim/world/explore.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

struct odometer {
    const struct explore_opts *opts;
    struct sim_stacks *stacks; /* owned, unless the caller gave them */
    struct sim_sequence sequence;
};

static int odometer_init(struct odometer *o, const struct explore_opts *opts)
{
    uint32_t depth = opts->depth != 0 ? opts->depth : 32;

    CHECK(opts->run != NULL);
    *o = (struct odometer){.opts = opts, .sequence = {.depth = depth}};
    o->sequence.covers[SIM_SITE_PREEMPT] = true;
    o->sequence.covers[SIM_SITE_RUN] = true;
    o->sequence.covers[SIM_SITE_WAKE] = true;
    o->sequence.covers[SIM_SITE_HANDOFF] = true;
    o->sequence.value = calloc(depth, sizeof(uint16_t));
    o->sequence.choices = calloc(depth, sizeof(uint16_t));
    o->sequence.site = calloc(depth, sizeof(uint16_t));
    o->stacks = opts->world.stacks != NULL ? opts->world.stacks
                                           : sim_stacks_new(opts->world.stack_bytes);
    return o->sequence.value == NULL || o->sequence.choices == NULL ||
                   o->sequence.site == NULL || o->stacks == NULL
               ? -ENOMEM
               : 0;
}

static void odometer_fini(struct odometer *o)
{
    free(o->sequence.value);
    free(o->sequence.choices);
    free(o->sequence.site);
    if (o->opts->world.stacks == NULL) {
        sim_stacks_free(o->stacks);
    }
}

static bool is_preemption(const struct sim_sequence *q, uint32_t i)
{
    return q->site[i] == SIM_SITE_PREEMPT && q->value[i] != 0;
}

/* Whether the i-th choice may be another than the first one. */
static bool may_differ(const struct odometer *o, uint32_t i)
{
    const struct sim_sequence *q = &o->sequence;
    uint32_t preemptions = 0;

    if (o->opts->preempt_max == 0 || q->site[i] != SIM_SITE_PREEMPT) {
        return true;
    }
    for (uint32_t k = 0; k < i; k++) {
        preemptions += is_preemption(q, k);
    }
    return preemptions < o->opts->preempt_max;
}

/* To the next way; false: there is none. */
static bool advance(struct odometer *o)
{
    struct sim_sequence *q = &o->sequence;

    CHECK(q->set <= q->depth);
    for (uint32_t i = MIN(q->met, q->depth); i-- > 0;) {
        if (q->value[i] + 1 < q->choices[i] && may_differ(o, i)) {
            q->value[i]++;
            q->set = i + 1;
            return true;
        }
    }
    return false;
}

/* The first failure is kept. 0 or -ENOMEM. */
static int note_failure(struct explore_result *result, struct sim_world *world)
{
    const char *signature = sim_world_signature(world);

    CHECK(result->runs > 0);
    if (result->failures++ > 0) {
        return 0;
    }
    result->first = result->runs;
    snprintf(result->signature, sizeof(result->signature), "%s",
             signature[0] != '\0' ? signature : "failed");
    result->decisions = sim_decisions_text(sim_world_decisions(world));
    return result->decisions != NULL ? 0 : -ENOMEM;
}

static int run_once(struct odometer *o, struct explore_result *result)
{
    struct sim_world_opts opts = o->opts->world;
    struct sim_world *world;
    int failed, err = 0;

    opts.defaults = opts.log = true;
    opts.stacks = o->stacks;
    world = sim_world_new(&opts);
    if (world == NULL) {
        return -ENOMEM;
    }
    o->sequence.met = 0;
    sim_world_decisions(world)->sequence = &o->sequence;
    result->runs++;
    failed = o->opts->run(world, o->opts->arg);
    CHECK(o->sequence.met >= o->sequence.set); /* or the program is not deterministic */
    if (failed != 0 || sim_world_signature(world)[0] != '\0') {
        err = note_failure(result, world);
    }
    sim_world_free(world);
    return err;
}

int sim_explore(const struct explore_opts *opts, struct explore_result *ret)
{
    uint64_t runs_max = opts->runs_max != 0 ? opts->runs_max : 1000000;
    struct explore_result result = {.complete = false};
    struct odometer o;
    int err = odometer_init(&o, opts);
    bool more = true;

    while (err == 0 && more && result.runs < runs_max) {
        err = run_once(&o, &result);
        result.deeper |= o.sequence.met > o.sequence.depth;
        more = (result.failures == 0 || opts->go_on) && advance(&o);
        result.complete = !more && (result.failures == 0 || opts->go_on);
    }
    odometer_fini(&o);
    if (err < 0) {
        explore_result_fini(&result);
        return err;
    }
    *ret = result;
    return 0;
}

void explore_result_fini(struct explore_result *result)
{
    free(result->decisions);
    *result = (struct explore_result){.runs = 0};
}
