/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fate.c: what befalls nodes: they die, live again, are laid to rest; and the end of all
 * that, after which everything must come right again.
 *
 *     alive --kill--> its life goes into a grave --restart--> a new life, same name and
 *                     (os, stack, messenger,                  address
 *                      what others hold of it)
 *     at the end: graves are opened in an afterlife, so that the messenger frees all it had
 */
#include "scenarios/lab/fate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/util.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/disturb.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/inbox.h"
#include "scenarios/lab/keep.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/pause.h"
#include "scenarios/lab/senders.h"
#include "sim/check/checkers.h"
#include "sim/faults/faults.h"
#include "sim/world/net_control.h"
#include "sim/world/world.h"

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
    /* Messages that wait for the script belong to the life in which they came. */
    grave->inbox = lab_inbox_take(lab, node);
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
            lab_pause_end(lab, g->pause);
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
