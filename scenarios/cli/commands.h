/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h: what `msgrlab COMMAND` can be. Each command has a file of its own, cmd_*.c,
 * with its table (cli.h).
 */
#ifndef MSGRLAB_SCENARIOS_CLI_COMMANDS_H
#define MSGRLAB_SCENARIOS_CLI_COMMANDS_H

#include "scenarios/cli/cli.h"

/* X(name) in the order of --help. */
#define COMMANDS(X)                                                                        \
    X(run)                                                                                 \
    X(replay)                                                                              \
    X(diff)                                                                                \
    X(hashes)                                                                              \
    X(campaign)                                                                            \
    X(shrink)                                                                              \
    X(faults)                                                                              \
    X(show)                                                                                \
    X(peer)                                                                                \
    X(bench)                                                                               \
    X(softroce)                                                                            \
    X(doctor)                                                                              \
    X(version)

#define X(name) extern const struct cli_command command_##name;
COMMANDS(X)
#undef X

#endif
