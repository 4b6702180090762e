/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h: what `msgrlab COMMAND` can be. Each command has a file of its own, gets its
 * arguments with argv[0] = its name, prints to stdout and stderr, and returns an exit code
 * of exit_codes.h.
 */
#ifndef MSGRLAB_SCENARIOS_CLI_COMMANDS_H
#define MSGRLAB_SCENARIOS_CLI_COMMANDS_H

// clang-format off
/* X(name, summary) in the order of --help. */
#define COMMANDS(X)                                                                      \
    X(run,    "run a scenario and check what it expects")                                \
    X(replay, "repeat a recorded run, and say whether it was the same")                  \
    X(diff,   "where two recordings begin to differ")                                    \
    X(hashes, "what each of many seeds gives, to compare builds and machines")           \
    X(campaign, "many seeds on all processors; failures are kept")                       \
    X(shrink, "the few decisions that a recorded failure needs")                            \
    X(faults, "what can go wrong, and what of it ever did")                              \
    X(show,   "draw or print what a trace recorded")                                     \
    X(peer,   "speak to a real Ceph daemon, or be spoken to")                            \
    X(bench,  "figures of this machine, with the raw system beside them")                \
    X(softroce, "run any command where there are two soft-RoCE devices")                  \
    X(doctor, "what works here, and what to do about the rest")                          \
    X(version, "the version, and what was built into it")
// clang-format on

#define X(name, summary) int cmd_##name(int argc, char **argv);
COMMANDS(X)
#undef X

#endif
