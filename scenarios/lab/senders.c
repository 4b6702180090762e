/* SPDX-License-Identifier: Apache-2.0 */
/*
 * senders.c: threads of the application that send, each as fast as it may.
 */
#include "scenarios/lab/senders.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "scenarios/lab/books.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/send.h"

struct lab_sender {
    struct lab_ledger *ledger; /* borrowed */
    struct lab_spec spec;
    uint64_t n;
    struct os_thread *thread; /* owned until joined */
    bool done, dead;          /* under the lab's lock; dead: with its node */
    int error;                /* under the lab's lock */
};

/* All it has to send. A session that ended is for expectations to judge: what was not sent
 * is counted, unless the script wants to be told. */
static int send_all(struct lab_sender *sender)
{
    const struct lab *lab = sender->ledger->from->lab;
    uint64_t sent = 0;
    uint32_t index;
    int rc = 0;

    while (sent < sender->n && rc == 0 && !lab->stop_senders) {
        rc = lab_send(sender->ledger, &sender->spec, &index);
        sent += rc == 0;
    }
    if (rc == -ENOTCONN && !sender->spec.strict) {
        rc = lab_book_unsent(sender->ledger, &sender->spec, sender->n - sent, &index);
    }
    return rc == -ECANCELED ? 0 : rc;
}

static void run_sender(void *arg)
{
    struct lab_sender *sender = arg;
    struct lab *lab = sender->ledger->from->lab;
    int rc = send_all(sender);

    lab_lock(lab);
    sender->done = true;
    sender->error = rc;
    lab_changed(lab);
    lab_unlock(lab);
}

int lab_sender_start(struct lab_ledger *ledger, const struct lab_spec *spec, uint64_t n)
{
    struct lab *lab = ledger->from->lab;
    struct lab_sender *sender;
    char name[16];
    int rc;

    if (lab->n_senders == LAB_SENDERS_MAX) {
        return -ENOSPC;
    }
    sender = calloc(1, sizeof(*sender));
    if (sender == NULL) {
        return -ENOMEM;
    }
    sender->ledger = ledger;
    sender->spec = *spec;
    sender->spec.lane = (uint16_t)(lab->n_senders + 1); /* 0 is the script itself */
    sender->spec.wait = true;
    sender->n = n;
    snprintf(name, sizeof(name), "sender-%d", lab->n_senders);
    rc = os_thread_start(ledger->from->os, name, run_sender, sender, &sender->thread);
    if (rc < 0) {
        free(sender);
        return rc;
    }
    lab->senders[lab->n_senders++] = sender;
    return 0;
}

int lab_senders_running(struct lab *lab, int *ret_error)
{
    int running = 0, error = 0;

    lab_lock(lab);
    for (int i = 0; i < lab->n_senders; i++) {
        running += !lab->senders[i]->done;
        error = error != 0 ? error : lab->senders[i]->error;
    }
    lab_unlock(lab);
    *ret_error = error;
    return running;
}

void lab_senders_join(struct lab *lab, bool dead)
{
    int left = 0;

    for (int i = 0; i < lab->n_senders; i++) {
        if (lab->senders[i]->dead == dead) {
            os_thread_join(lab->senders[i]->thread);
            free(lab->senders[i]);
        } else {
            lab->senders[left++] = lab->senders[i];
        }
    }
    lab->n_senders = left;
}

void lab_senders_died(struct lab *lab, const struct lab_node *node)
{
    for (int i = 0; i < lab->n_senders; i++) {
        if (lab->senders[i]->ledger->from == node) {
            lab->senders[i]->dead = lab->senders[i]->done = true;
        }
    }
}
