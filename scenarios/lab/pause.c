/* SPDX-License-Identifier: Apache-2.0 */
/* pause.c: nodes that stand still. */
#include "scenarios/lab/pause.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/limits.h"
#include "engine/util.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/node.h"
#include "sim/world/net_control.h"
#include "sim/world/world.h"

#define PAUSE_WAIT_NS (5 * NSEC_PER_SEC)

/* Holds the workers of a node. Lives as long as the node: a worker may still be on its way
 * out of the callback when the node goes on. */
struct lab_pause {
    struct lab *lab;
    bool on;
    uint32_t held; /* workers standing still; under the lab's lock */
    uint32_t n;
    struct external_event events[WORKERS_MAX];
};

static void hold_worker(void *arg)
{
    struct lab_pause *pause = arg;
    struct lab *lab = pause->lab;

    lab_lock(lab);
    pause->held++;
    lab_changed(lab);
    while (pause->on) {
        os_cond_wait(lab->world->os, lab->changed, lab->lock, -1);
    }
    pause->held--;
    lab_changed(lab);
    lab_unlock(lab);
}

static int make_pause(struct lab_node *node)
{
    struct lab_pause *pause = calloc(1, sizeof(*pause));

    if (pause == NULL) {
        return -ENOMEM;
    }
    pause->lab = node->lab;
    pause->n = worker_pool_size(messenger_workers(node->messenger));
    for (uint32_t i = 0; i < pause->n; i++) {
        external_event_init(&pause->events[i], "pause", hold_worker, pause);
    }
    node->pause = pause;
    return 0;
}

/* Until as many workers stand still as should, or it takes too long. */
static int wait_for_held(struct lab_pause *pause, uint32_t want)
{
    struct lab *lab = pause->lab;
    uint64_t until = lab_now(lab) + PAUSE_WAIT_NS;

    while (pause->held != want) {
        if (lab_now(lab) >= until) {
            return -ETIMEDOUT;
        }
        lab_wait_change(lab, until);
    }
    return 0;
}

int lab_node_pause(struct lab_node *node, bool on)
{
    struct lab *lab = node->lab;
    struct worker_pool *pool;
    int rc = 0;

    CHECK(node->started);
    lab_fair_trouble(lab, node, NULL);
    if (node->pause == NULL && on) {
        rc = make_pause(node);
    }
    if (rc < 0 || node->pause == NULL || node->pause->on == on) {
        return rc;
    }
    lab_lock(lab);
    node->pause->on = on;
    lab->healed_ns = on ? 0 : lab->healed_ns; /* whoever heals has to end it */
    lab_changed(lab);
    lab_unlock(lab);
    pool = messenger_workers(node->messenger);
    for (uint32_t i = 0; on && i < node->pause->n; i++) {
        event_center_post(&worker_pool_at(pool, i)->center, &node->pause->events[i]);
    }
    lab_lock(lab);
    rc = wait_for_held(node->pause, on ? node->pause->n : 0);
    lab_unlock(lab);
    return rc;
}

bool lab_node_is_paused(const struct lab_node *node)
{
    return node->pause != NULL && node->pause->on;
}

bool lab_node_stands_still(const struct lab_node *node)
{
    return lab_node_is_paused(node) || lab_now(node->lab) < node->frozen_until_ns;
}

int lab_node_freeze(struct lab_node *node, uint64_t ns)
{
    struct lab *lab = node->lab;

    if (lab->world->sim == NULL) {
        return -EOPNOTSUPP;
    }
    if (!node->started || node->messenger == NULL) {
        return -ESRCH;
    }
    lab_lock(lab); /* so that none of its threads holds it */
    lab_disturb(lab);
    node->frozen_until_ns = lab_now(lab) + ns;
    sim_node_pause(node->os, ns);
    lab_fair_excuse(lab, node, NULL);
    lab_unlock(lab);
    return 0;
}

void lab_pause_end(struct lab *lab, struct lab_pause *pause)
{
    lab_lock(lab);
    if (pause != NULL) {
        pause->on = false;
    }
    lab_changed(lab);
    lab_unlock(lab);
}
