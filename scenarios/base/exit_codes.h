/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit_codes.h: what the program's exit codes mean. Scripts and CI rely on the numbers:
 * they never change; --help prints this list.
 */
#ifndef MSGRLAB_SCENARIOS_BASE_EXIT_CODES_H
#define MSGRLAB_SCENARIOS_BASE_EXIT_CODES_H

// clang-format off
/* X(ID, number, meaning). 10 to 13 are given out by the simulated world. */
#define EXIT_CODES(X)                                                                    \
    X(OK,             0,   "all went well, or the scenario declared itself skipped")     \
    X(EXPECTATION,    1,   "an expectation of the scenario failed, or something leaked") \
    X(USAGE,          2,   "the command line is wrong")                                  \
    X(SCRIPT,         3,   "the scenario has an error or went beyond a limit")           \
    X(CANNOT,         4,   "that cannot be done here: device, address, missing program") \
    X(FILE,           5,   "a trace or another file could not be read or written")       \
    X(TIMEOUT,        6,   "the time limit of the run passed")                           \
    X(CRASH,          10,  "the program crashed, or a sanitizer found something")         \
    X(SAFETY,         11,  "an invariant was violated")                                     \
    X(LIVENESS,       12,  "stood still, ran in circles, or did not recover from faults") \
    X(NONDETERMINISM, 13,  "the same seed, or the same choices, gave two different runs") \
    X(INTERRUPTED,    130, "stopped by Ctrl-C; what was found so far was printed")
// clang-format on

enum exit_code {
#define X(id, number, meaning) EXIT_##id = number,
    EXIT_CODES(X)
#undef X
};

/* A sentence; NULL: the program never ends with it. */
const char *exit_code_meaning(int code);

#endif
