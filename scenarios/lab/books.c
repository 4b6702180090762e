/* SPDX-License-Identifier: Apache-2.0 */
/* books.c: what was sent to whom, and what has arrived of it. */
#include "scenarios/lab/books.h"

#include <errno.h>
#include <stdlib.h>

#include "scenarios/lab/node.h"

bool lab_make_room(void **array, uint32_t *cap, uint32_t n, size_t element)
{
    uint32_t more = *cap == 0 ? 16 : *cap * 2;
    void *grown;

    if (n < *cap) {
        return true;
    }
    grown = realloc(*array, more * element);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *cap = more;
    return true;
}

struct lab_ledger *lab_ledger_new(struct lab *lab, struct lab_node *from,
                                  struct lab_node *to)
{
    struct lab_ledger *ledger = NULL;

    if (lab->n_ledgers < LAB_LEDGERS_MAX &&
        lab_make_room((void **)&lab->ledgers, &lab->cap_ledgers, lab->n_ledgers,
                      sizeof(*lab->ledgers))) {
        ledger = calloc(1, sizeof(*ledger));
    }
    if (ledger != NULL) {
        ledger->from = from;
        ledger->to = to;
        lab->ledgers[lab->n_ledgers++] = ledger;
        ledger->number = lab->n_ledgers;
    }
    return ledger;
}

struct lab_ledger *lab_ledger_find(struct lab *lab, uint32_t number)
{
    return number >= 1 && number <= lab->n_ledgers ? lab->ledgers[number - 1] : NULL;
}

struct lab_entry *lab_entry_find(struct lab_ledger *ledger, uint32_t index)
{
    return index >= 1 && index <= ledger->n ? &ledger->entries[index - 1] : NULL;
}

int lab_entry_new(struct lab_ledger *ledger, const struct lab_entry *entry)
{
    struct lab *lab = ledger->from->lab;

    if (lab->n_messages >= LAB_MESSAGES_MAX) {
        return -ENOSPC;
    }
    if (!lab_make_room((void **)&ledger->entries, &ledger->cap, ledger->n,
                       sizeof(*ledger->entries))) {
        return -ENOMEM;
    }
    lab->n_messages++;
    ledger->entries[ledger->n++] = *entry;
    return 0;
}

struct lab_ledger *lab_pair_ledger(struct lab_node *node, struct lab_node *peer)
{
    struct lab *lab = node->lab;
    struct lab_ledger *found = NULL;

    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_ledgers && found == NULL; i++) {
        struct lab_ledger *ledger = lab->ledgers[i];

        if (ledger->conn == NULL && ledger->from == node && ledger->to == peer) {
            found = ledger;
        }
    }
    if (found == NULL) {
        found = lab_ledger_new(lab, node, peer);
    }
    lab_unlock(lab);
    return found;
}

void lab_sums(struct lab *lab, const struct lab_node *to, const struct lab_node *from,
              const struct lab_ledger *only, struct lab_sums *ret)
{
    struct lab_sums sums = {0};

    lab_lock(lab);
    for (uint32_t i = 0; i < lab->n_ledgers; i++) {
        const struct lab_ledger *ledger = lab->ledgers[i];

        if ((to != NULL && ledger->to != to) || (from != NULL && ledger->from != from) ||
            (only != NULL && ledger != only)) {
            continue;
        }
        sums.sent += ledger->n - ledger->failed;
        sums.failed += ledger->failed;
        sums.unsent += ledger->unsent;
        sums.delivered += ledger->delivered;
        sums.duplicates += ledger->duplicates;
        sums.inversions += ledger->inversions;
        sums.corrupt += ledger->corrupt;
    }
    lab_unlock(lab);
    *ret = sums;
}

static void free_ledger(struct lab_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->n; i++) {
        if (ledger->entries[i].owned) {
            free((void *)(uintptr_t)ledger->entries[i].literal);
        }
    }
    free(ledger->entries);
    free(ledger->orders);
    free(ledger);
}

void lab_books_free(struct lab *lab)
{
    for (uint32_t i = 0; i < lab->n_ledgers; i++) {
        free_ledger(lab->ledgers[i]);
    }
    free(lab->ledgers);
}
