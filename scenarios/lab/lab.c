/* SPDX-License-Identifier: Apache-2.0 */
/* lab.c: what all files of a lab stand on: its lock, its time, its changes, its
 * promises. */
#include "scenarios/lab/lab.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lab/node.h"
#include "sim/check/checkers.h"
#include "sim/rdma/rdma.h"

#define WAIT_SLICE_NS (50 * NSEC_PER_MSEC) /* how late Ctrl-C may be noticed */

static void on_violation(void *arg, const char *signature, const char *text)
{
    struct lab *lab = arg;

    sim_world_violate(lab->world->sim, signature, "%s", text);
}

static uint64_t world_time(void *arg)
{
    struct lab *lab = arg;

    return sim_world_now(lab->world->sim);
}

/* What the network has brought. */
static uint64_t bytes_arrived(void *arg, uint8_t node, int fd, uint32_t qp_num)
{
    const struct lab *lab = arg;
    struct os *os = node >= 1 && node <= lab->n_nodes ? lab->nodes[node - 1]->os : NULL;

    if (os == NULL) {
        return UINT64_MAX;
    }
    return lab->world->stack == STACK_RDMA ? rdma_arrived(os, qp_num)
                                           : sim_node_arrived(os, fd);
}

/* The checkers look at every record of a simulated run. */
static int watch_invariants(struct lab *lab)
{
    const struct checkers_opts opts = {
        .violate = on_violation, .now = world_time, .arrived = bytes_arrived, .arg = lab};

    if (lab->world->sim == NULL || lab->world->trace == NULL) {
        return 0;
    }
    lab->checkers = checkers_new(&opts);
    if (lab->checkers == NULL) {
        return -ENOMEM;
    }
    world_observe(lab->world, checkers_record, lab->checkers);
    return 0;
}

int lab_new(struct world *world, struct lab **ret)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    if (lab == NULL) {
        return -ENOMEM;
    }
    lab->world = world;
    lab->inbox_tail = &lab->inbox;
    lab->lock = os_mutex_new(world->os, "lab");
    lab->changed = os_cond_new(world->os, "lab.changed");
    if (lab->lock == NULL || lab->changed == NULL || watch_invariants(lab) < 0) {
        os_cond_free(world->os, lab->changed);
        os_mutex_free(world->os, lab->lock);
        free(lab);
        return -ENOMEM;
    }
    *ret = lab;
    return 0;
}

uint64_t lab_now(struct lab *lab)
{
    return os_monotonic_ns(lab->world->os);
}

void lab_changed(struct lab *lab)
{
    lab->changes++;
    os_cond_broadcast(lab->world->os, lab->changed);
}

void lab_wait_change(struct lab *lab, uint64_t until_ns)
{
    uint64_t now = lab_now(lab);

    if (now < until_ns) {
        os_cond_wait(lab->world->os, lab->changed, lab->lock,
                     (int64_t)MIN(until_ns - now, WAIT_SLICE_NS));
    }
}

bool lab_is_stopped(struct lab *lab)
{
    return lab->stop_senders || (lab->is_stopped != NULL && lab->is_stopped(lab->stop_arg));
}

struct lab_node *lab_node_find(struct lab *lab, const char *name)
{
    for (int i = 0; i < lab->n_nodes; i++) {
        if (strcmp(lab->nodes[i]->opts.name, name) == 0) {
            return lab->nodes[i];
        }
    }
    return NULL;
}

void lab_violate(struct lab *lab, const struct lab_node *node, const char *rule,
                 const char *fmt, ...)
{
    va_list args;

    if (lab->fault[0] != '\0') {
        return;
    }
    va_start(args, fmt);
    vsnprintf(lab->fault, sizeof(lab->fault), fmt, args);
    va_end(args);
    snprintf(lab->fault_signature, sizeof(lab->fault_signature), "%s %s", rule,
             node->opts.name);
    if (lab->world->sim != NULL) {
        sim_world_violate(lab->world->sim, lab->fault_signature, "%s", lab->fault);
    }
}
