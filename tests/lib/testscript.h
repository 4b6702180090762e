/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testscript.h: runs a scenario whose text is in the test, in the simulated world, and
 * keeps what it printed.
 */
#ifndef MSGRLAB_TESTS_LIB_TESTSCRIPT_H
#define MSGRLAB_TESTS_LIB_TESTSCRIPT_H

#include "scenarios/run/run.h"

struct testscript {
    struct run_outcome outcome;
    char *said; /* owned: standard output and error */
};

/* Runs it as a file named "x.lua". `opts`: what is not the default: stack, sets, seed. */
void testscript_run(const char *text, const struct run_opts *opts, struct testscript *ret);
void testscript_fini(struct testscript *t);

#endif
