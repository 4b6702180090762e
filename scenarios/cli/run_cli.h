/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_cli.h: the options that every command takes that runs scenarios, with errors that
 * help.
 *
 * Main thread only (getopt_long has static state).
 */
#ifndef MSGRLAB_SCENARIOS_CLI_RUN_CLI_H
#define MSGRLAB_SCENARIOS_CLI_RUN_CLI_H

#include "scenarios/cli/cli.h"
#include "scenarios/run/run.h"

/* Values of getopt's options; a command's own begin at RUN_CLI_END. */
enum {
    RUN_CLI_SCHEDULE = 1000,
    RUN_CLI_STACK,
    RUN_CLI_DEVICE,
    RUN_CLI_RDMA,
    RUN_CLI_DRIVER,
    RUN_CLI_SET,
    RUN_CLI_PROFILE,
    RUN_CLI_TIMEOUT,
    RUN_CLI_REAL_TIMEOUT,
    RUN_CLI_REQUIRE,
    RUN_CLI_END,
};

/* For its table of options. */
extern const struct cli_option run_cli_options[];

/* For its help: what SCRIPT can be. */
#define RUN_CLI_SCRIPT_HELP                                                                \
    "SCRIPT is a file, with or without .lua, or the name of a scenario that came with\n"   \
    "the program (without SCRIPT they are listed), or one in a folder of the variable\n"   \
    "MSGRLAB_SCENARIOS (folders, separated by colons), which is looked at before."

/* Takes one of them. EXIT_OK, or another exit code, said. The value is borrowed, and may be
 * cut in two. */
int run_cli_take(const char *command, int option, char *value, struct run_opts *opts);

/* After the options: run_defaults_script (run_defaults.h). EXIT_OK; EXIT_FILE when there is
 * no such script: says which there are; EXIT_SCRIPT when it is about something that there
 * is not. */
int run_cli_script(const char *command, struct run_opts *opts);
/* After the options: there is one argument, which names the script. EXIT_OK; or EXIT_USAGE,
 * said: with a list of the scenarios if there is none. */
int run_cli_one_script(const char *command, int argc, char **argv);
/* "7" or "1..200", both ends included. False: it is none. */
bool run_cli_seeds(const char *text, uint64_t *ret_first, uint64_t *ret_last);
/* Says what is wrong with what is none. Returns EXIT_USAGE. */
int run_cli_bad_seeds(const char *command, const char *text);

#endif
