/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fate.c: what befalls nodes: they stand still, die, live again, are laid to rest; and
 * the end of all that, after which everything must come right again.
 *
 *     alive --kill--> its life goes into a grave --restart--> a new life, same name and
 *                     (os, stack, messenger,                  address
 *                      what others hold of it)
 *     at the end: graves are opened in an afterlife, so that the messenger frees all it had
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/util.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/lab.h"
#include "sim/check/checkers.h"
#include "sim/faults/faults.h"
#include "sim/world/net_control.h"
#include "sim/world/world.h"

#define PAUSE_WAIT_NS (5 * NSEC_PER_SEC)
/* A packet that was cut off sets out again after a minute at most, and once more for what
 * had to wait for it; and through a narrow window over a long way, a megabyte takes its
 * time. Virtual time costs nothing. */
#define CONVERGE_NETWORK_NS (480 * NSEC_PER_SEC)

/* Holds the workers of a node. Lives as long as the node: a worker may still be on its way
 * out of the callback when the node goes on. */
struct lab_pause {
    struct lab *lab;
    bool on;
    uint32_t held; /* workers standing still; under the lab's lock */
    uint32_t n;
    struct external_event events[WORKERS_MAX];
};

/* A life that ended. Nothing in it may be called before the afterlife: its threads stopped
 * wherever they were, with locks in their hands. */
struct lab_grave {
    struct lab_grave *next;
    struct os *os;               /* owned */
    struct network_stack *stack; /* owned */
    struct messenger *messenger; /* owned */
    struct lab_pause *pause;     /* owned; NULL: none */
    struct lab_inbox *inbox;     /* owned: messages nobody will handle */
    uint32_t n_conns;
    struct connection *conns[]; /* owned references */
};

/* ---- standing still ---------------------------------------------------------------- */

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

/* ---- death and restart ------------------------------------------------------------- */

/* Takes the connections out of everybody's hands. Under the lock. */
static struct lab_grave *dig(struct lab_node *node)
{
    struct lab *lab = node->lab;
    struct lab_grave *grave =
        calloc(1, sizeof(*grave) + lab->n_conns * sizeof(grave->conns[0]));

    if (grave == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < lab->n_conns; i++) {
        struct lab_conn *conn = lab->conns[i];

        if (conn->node == node && !conn->closed) {
            struct connection *held = lab_conn_over(conn, "its node died");

            if (held != NULL) {
                grave->conns[grave->n_conns++] = held;
            }
            lab_conn_end(conn, LAB_END_KILLED);
        }
    }
    return grave;
}

/* Messages that wait for the script belong to the life in which they came. */
static void take_inbox(struct lab_node *node, struct lab_grave *grave)
{
    struct lab *lab = node->lab;
    struct lab_inbox **at = &lab->inbox;

    while (*at != NULL) {
        struct lab_inbox *item = *at;

        if (item->node == node) {
            *at = item->next;
            item->next = grave->inbox;
            grave->inbox = item;
        } else {
            at = &item->next;
        }
    }
    lab->inbox_tail = at;
}

int lab_node_kill(struct lab_node *node, bool power_loss)
{
    struct lab *lab = node->lab;
    struct lab_grave *grave;

    if (lab->world->sim == NULL) {
        return -EOPNOTSUPP;
    }
    if (!node->started || node->messenger == NULL) {
        return -ESRCH;
    }
    lab_node_let_go(node);
    lab_fair_excuse(lab, node, NULL);
    lab_lock(lab); /* so that none of its threads dies with it */
    grave = dig(node);
    if (grave == NULL) {
        lab_unlock(lab);
        return -ENOMEM;
    }
    take_inbox(node, grave);
    grave->os = node->os;
    grave->stack = node->stack;
    grave->messenger = node->messenger;
    grave->pause = node->pause;
    grave->next = node->graves;
    node->graves = grave;
    node->os = NULL;
    node->stack = NULL;
    node->messenger = NULL;
    node->pause = NULL;
    node->started = node->bound = false;
    node->lives++;
    node->frozen_until_ns = 0;
    lab_disturb(lab);
    sim_node_kill(grave->os, power_loss ? SIM_POWER_LOSS : SIM_CRASH);
    if (lab->checkers != NULL) {
        checkers_node_died(lab->checkers, node->number);
    }
    lab_senders_died(lab, node);
    lab_changed(lab);
    lab_unlock(lab);
    return 0;
}

int lab_node_restart(struct lab_node *node, bool same_nonce, char *why, size_t size)
{
    if (node->graves == NULL || node->started) {
        snprintf(why, size, "node %s is not dead", node->opts.name);
        return -EINVAL;
    }
    node->opts.messenger.nonce =
        same_nonce && node->addrs.n > 0 ? node->addrs.v[0].nonce : 0;
    return lab_node_start(node, why, size);
}

/* The program shuts down as any other, in a world where no socket answers. */
static void bury(struct lab_node *node, struct lab_grave *grave)
{
    while (grave->inbox != NULL) {
        struct lab_inbox *item = grave->inbox;

        grave->inbox = item->next;
        lab_inbox_free(item);
    }
    messenger_shutdown(grave->messenger);
    for (uint32_t i = 0; i < grave->n_conns; i++) {
        conn_unref(grave->conns[i]);
    }
    messenger_free(grave->messenger);
    world_stack_free(node->lab->world, grave->stack);
    world_os_free(node->lab->world, grave->os);
    free(grave->pause);
    free(grave);
}

void lab_bury_all(struct lab *lab)
{
    for (int i = 0; i < lab->n_nodes; i++) {
        for (struct lab_grave *g = lab->nodes[i]->graves; g != NULL; g = g->next) {
            lab_lock(lab);
            if (g->pause != NULL) {
                g->pause->on = false;
            }
            lab_changed(lab);
            lab_unlock(lab);
            sim_node_bury(g->os);
        }
    }
    lab_senders_join(lab, true);
    for (int i = 0; i < lab->n_nodes; i++) {
        while (lab->nodes[i]->graves != NULL) {
            struct lab_grave *grave = lab->nodes[i]->graves;

            lab->nodes[i]->graves = grave->next;
            bury(lab->nodes[i], grave);
        }
    }
}

/* ---- the end of all faults --------------------------------------------------------- */

/* What the simulated world itself does to links and nodes. */
static void heal_world(struct lab *lab)
{
    struct sim_world *sim = lab->world->sim;

    for (int i = 0; i < lab->n_nodes; i++) {
        struct os *from = lab->nodes[i]->os;

        if (from == NULL) {
            continue;
        }
        lab->nodes[i]->frozen_until_ns = 0;
        sim_node_resume(from);
    }
    sim_net_heal(sim);
}

void lab_disturb(struct lab *lab)
{
    lab->disturbed = true;
    lab->acted_ns = lab_now(lab);
    lab->healed_ns = 0;
}

void lab_heal(struct lab *lab)
{
    if (lab->healed_ns != 0) {
        return;
    }
    for (int i = 0; i < lab->n_nodes; i++) {
        lab_node_let_go(lab->nodes[i]);
    }
    lab->disturbed = lab_is_disturbed(lab);
    if (lab->world->faults != NULL) {
        sim_faults_stop(lab->world->faults, true);
    }
    if (lab->world->sim != NULL) {
        heal_world(lab);
    }
    for (int i = 0; i < lab->n_nodes; i++) {
        if (lab->nodes[i]->pause != NULL) {
            lab_node_pause(lab->nodes[i], false);
        }
    }
    lab->healed_ns = lab_now(lab);
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
