/* SPDX-License-Identifier: Apache-2.0 */
/* finish.c: the end of a lab. */
#include "scenarios/lab/finish.h"

#include <stdlib.h>

#include "engine/util.h"
#include "scenarios/lab/books.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/fate.h"
#include "scenarios/lab/inbox.h"
#include "scenarios/lab/keep.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/pause.h"
#include "scenarios/lab/senders.h"
#include "sim/check/checkers.h"

bool lab_drain(struct lab *lab, uint64_t timeout_ns)
{
    uint64_t until = lab_now(lab) + timeout_ns;

    for (int i = 0; i < lab->n_nodes; i++) {
        struct lab_node *node = lab->nodes[i];
        uint64_t now = lab_now(lab);

        if (node->started && !lab_node_is_paused(node) &&
            !messenger_drain(node->messenger, now < until ? until - now : 0)) {
            return false;
        }
    }
    return true;
}

static void drop_references(struct lab *lab)
{
    struct lab_inbox *item;

    while ((item = lab_inbox_pop(lab)) != NULL) {
        lab_inbox_free(item);
    }
    for (uint32_t i = 0; i < lab->n_conns; i++) {
        struct lab_conn *conn = lab->conns[i];
        struct connection *gone;

        lab_lock(lab);
        gone = lab_conn_over(conn, "the run is over");
        lab_unlock(lab);
        conn_unref(gone);
    }
}

/* The story is over: nothing is counted, and nobody waits, any more. */
static void close_books(struct lab *lab)
{
    lab_lock(lab);
    lab->closing = true;
    lab_changed(lab);
    lab_unlock(lab);
    lab->stop_senders = true;
}

void lab_shutdown(struct lab *lab)
{
    close_books(lab);
    lab_heal(lab);
    for (int i = 0; i < lab->n_nodes; i++) {
        lab_node_let_go(lab->nodes[i]);
    }
    lab_senders_join(lab, false);
    for (int i = 0; i < lab->n_nodes; i++) {
        if (lab->nodes[i]->started && lab->nodes[i]->messenger != NULL) {
            messenger_shutdown(lab->nodes[i]->messenger);
        }
    }
    drop_references(lab);
    lab_bury_all(lab);
    for (int i = 0; i < lab->n_nodes; i++) {
        lab_node_free_messenger(lab->nodes[i]);
    }
    if (lab->checkers != NULL) {
        checkers_finish(lab->checkers);
    }
}

void lab_free(struct lab *lab)
{
    if (lab == NULL) {
        return;
    }
    for (int i = 0; i < lab->n_nodes; i++) {
        CHECK(lab->nodes[i]->messenger == NULL);
        CHECK(lab->nodes[i]->graves == NULL);
        free(lab->nodes[i]->pause);
        free(lab->nodes[i]->log);
        free(lab->nodes[i]);
    }
    lab_books_free(lab);
    for (uint32_t i = 0; i < lab->n_conns; i++) {
        free(lab->conns[i]);
    }
    free(lab->conns);
    os_cond_free(lab->world->os, lab->changed);
    os_mutex_free(lab->world->os, lab->lock);
    checkers_free(lab->checkers);
    lab_fair_fini(lab);
    free(lab);
}
