/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_outcome.c: gives a failure its name. Two runs that failed for the same reason have
 * the same name, whatever the seed; so it has no times, counts, ports or addresses in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lab/node.h"
#include "scenarios/lab/toll.h"
#include "scenarios/run/run_impl.h"

static const struct expectation *first_failed(const struct run *run)
{
    const struct expectation *e = run->expectations.first;

    while (e != NULL && e->state != EXPECT_FAILED) {
        e = e->next;
    }
    return e;
}

/* What is wrong beside expectations: "leak" and "corruption" have no line in the script. */
static void sign_failure(const struct run *run, char *out, size_t size)
{
    const struct expectation *e = first_failed(run);

    if (e != NULL) {
        snprintf(out, size, "expectation %s %s", e->where, e->text);
    } else if (run->leak[0] != '\0') {
        snprintf(out, size, "leak %s",
                 strncmp(run->leak, "node ", 5) == 0    ? "connections"
                 : strncmp(run->leak, "chunks", 6) == 0 ? "chunks"
                                                        : "descriptors");
    } else if (lab_unexplained(run->lab) != NULL) {
        snprintf(out, size, "unsent without a fault");
    } else {
        snprintf(out, size, "safety corruption");
    }
}

/* A world that stopped, or one that went on and did not get where it should. */
static void sign_liveness(const struct run *run, const char *stopped, char *out,
                          size_t size)
{
    const struct expectation *e = expect_not_converged(&run->expectations);

    if (stopped[0] == '\0' && e != NULL) {
        snprintf(out, size, "liveness expectation %s %s", e->where, e->text);
    } else {
        snprintf(out, size, "liveness %s", stopped);
    }
}

static void sign(const struct run *run, int code, const char *stopped, char *out,
                 size_t size)
{
    switch (code) {
    case EXIT_OK:
        break;
    case EXIT_LIVENESS:
        sign_liveness(run, stopped, out, size);
        break;
    case EXIT_SAFETY:
        snprintf(out, size, "safety %s",
                 stopped[0] != '\0' ? stopped : run->lab->fault_signature);
        break;
    case EXIT_TIMEOUT:
        snprintf(out, size, "timeout %s",
                 run->stopped == RUN_REAL_TIMED_OUT ? "real" : "of the run");
        break;
    case EXIT_SCRIPT:
        snprintf(out, size, "script %s", run->error);
        break;
    case EXIT_EXPECTATION:
        sign_failure(run, out, size);
        break;
    case EXIT_INTERRUPTED:
        snprintf(out, size, "interrupted");
        break;
    case EXIT_FILE:
        snprintf(out, size, "file");
        break;
    default:
        snprintf(out, size, "cannot %s", run->error);
    }
}

/* One line of printable text, so that it can stand in a file of lines. */
static void make_line(char *text)
{
    size_t len;

    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f) {
            *p = '?';
        }
    }
    len = strlen(text);
    while (len > 0 && text[len - 1] == ' ') {
        text[--len] = '\0';
    }
}

void run_sign(struct run *run, int code, const char *stopped)
{
    struct run_outcome *outcome = run->outcome;
    char whole[1000] = "";

    outcome->code = code;
    outcome->skipped = run->skipped;
    sign(run, code, stopped, whole, sizeof(whole));
    make_line(whole);
    memcpy(outcome->signature, whole, sizeof(outcome->signature) - 1);
    for (int i = 0; run->lab != NULL && i < run->lab->n_nodes; i++) {
        outcome->messages += run->lab->nodes[i]->received + run->lab->nodes[i]->foreign;
    }
    for (uint32_t i = 0; run->lab != NULL && i < run->lab->n_ledgers; i++) {
        outcome->unsent += run->lab->ledgers[i]->unsent;
    }
}

void run_outcome_fini(struct run_outcome *outcome)
{
    free(outcome->decisions);
    free(outcome->report);
    outcome->decisions = outcome->report = NULL;
}
