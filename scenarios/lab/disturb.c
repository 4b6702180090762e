/* SPDX-License-Identifier: Apache-2.0 */
/* disturb.c: what befell a run as a whole. */
#include "scenarios/lab/disturb.h"

#include "engine/limits.h"
#include "engine/util.h"
#include "scenarios/lab/node.h"
#include "sim/faults/faults.h"

/* A packet that was cut off sets out again after a minute at most, and once more for what
 * had to wait for it; and through a narrow window over a long way, a megabyte takes its
 * time. Virtual time costs nothing. */
#define CONVERGE_NETWORK_NS (480 * NSEC_PER_SEC)

void lab_disturb(struct lab *lab)
{
    lab->disturbed = true;
    lab->acted_ns = lab_now(lab);
    lab->healed_ns = 0;
}

bool lab_is_shaped(const struct lab *lab)
{
    return lab->world->sim != NULL && lab->world->profile >= PROFILE_LITE;
}

bool lab_has_met(struct lab *lab, int consequences)
{
    bool met = false;

    for (int id = 0; id < FAULT_COUNT && !met && lab->world->faults != NULL; id++) {
        struct fault_counts counts;

        if ((fault_info((enum fault_id)id)->consequences & consequences) != 0) {
            sim_faults_counts(lab->world->faults, (enum fault_id)id, &counts);
            met = counts.fired > 0;
        }
    }
    return met;
}

bool lab_is_disturbed(struct lab *lab)
{
    return lab->disturbed || lab_is_shaped(lab) || lab_has_met(lab, FC_ALL);
}

uint64_t lab_converge_ns(const struct lab *lab)
{
    uint64_t longest = 0;

    for (int i = 0; i < lab->n_nodes; i++) {
        const struct messenger_opts *m = &lab->nodes[i]->opts.messenger;
        uint64_t ready = m->ready_timeout_ns, backoff = m->backoff_max_ns;

        ready = ready != 0 ? ready : CONNECT_READY_TIMEOUT_NS;
        backoff = backoff != 0 ? backoff : BACKOFF_MAX_NS;
        longest = MAX(longest, ready + backoff);
    }
    /* A handshake that hangs times out, a pause goes by, and the next one succeeds. */
    return 2 * longest + CONVERGE_NETWORK_NS;
}
