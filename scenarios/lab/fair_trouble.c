/* SPDX-License-Identifier: Apache-2.0 */
/* fair_trouble.c: what befell whom, and when. The judging is in fair.c. */
#include <errno.h>
#include <stdlib.h>

#include "engine/util.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/node.h"
#include "sim/faults/faults.h"
#include "sim/world/world.h"

static void note(uint64_t *last, uint64_t when)
{
    *last = MAX(*last, when);
}

static void note_both(struct lab *lab, const struct lab_node *a, const struct lab_node *b,
                      uint64_t when)
{
    if (lab->fair == NULL || a == NULL) {
        return;
    }
    if (b == NULL) {
        note(&lab->fair->node[a->number], when);
    } else {
        note(&lab->fair->pair[a->number][b->number], when);
        note(&lab->fair->pair[b->number][a->number], when);
    }
}

void lab_fair_trouble(struct lab *lab, const struct lab_node *a, const struct lab_node *b)
{
    if (lab->fair != NULL) {
        note_both(lab, a, b, sim_world_now(lab->world->sim));
    }
}

void lab_fair_excuse(struct lab *lab, const struct lab_node *a, const struct lab_node *b)
{
    note_both(lab, a, b, UINT64_MAX);
}

static void note_loss(struct lab_fair *fair, const struct lab_node *a,
                      const struct lab_node *b, uint64_t now)
{
    if (b == NULL) {
        note(&fair->node_loss[a->number], now);
    } else {
        note(&fair->pair_loss[a->number][b->number], now);
        note(&fair->pair_loss[b->number][a->number], now);
    }
}

/* A fault of the run, on any virtual thread, maybe with locks held. */
static void on_fired(void *arg, enum fault_id id, const char *node, const char *peer)
{
    struct lab *lab = arg;
    struct lab_node *at = lab_node_find(lab, node);
    struct lab_node *with = peer[0] != '\0' ? lab_node_find(lab, peer) : NULL;

    with = with == at ? NULL : with;
    lab_fair_trouble(lab, at, with);
    if (at != NULL && fault_info(id)->consequences != FC_DELAY) {
        note_loss(lab->fair, at, with, sim_world_now(lab->world->sim));
    }
}

int lab_fair_init(struct lab *lab)
{
    if (lab->world->sim == NULL) {
        return 0;
    }
    lab->fair = calloc(1, sizeof(*lab->fair));
    if (lab->fair == NULL) {
        return -ENOMEM;
    }
    sim_faults_set_watcher(lab->world->faults, on_fired, lab);
    return 0;
}

void lab_fair_fini(struct lab *lab)
{
    if (lab->fair != NULL) {
        sim_faults_set_watcher(lab->world->faults, NULL, NULL);
    }
    free(lab->fair);
    lab->fair = NULL;
}
