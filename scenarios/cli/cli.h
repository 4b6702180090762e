/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h: what a command is, how its options are read, and what its --help says. A command
 * is a table: the loop over options and the help come from it, so that they cannot differ.
 * Numbers, times and "did you mean" are scenarios/base/words.h.
 *
 * Main thread only (getopt_long has static state).
 */
#ifndef MSGRLAB_SCENARIOS_CLI_CLI_H
#define MSGRLAB_SCENARIOS_CLI_CLI_H

#include <getopt.h> /* optind */
#include <stdbool.h>
#include <stdio.h>

#include "scenarios/base/exit_codes.h"

#define CLI_GROUPS 3
#define CLI_OPTIONS_MAX 64 /* of a command */
#define CLI_EXITS_MAX 16
#define CLI_GO_ON (-1) /* no exit code */

struct cli_option {
    const char *name;  /* --name */
    char letter;       /* -o means the same; 0: none does */
    const char *value; /* what --help calls its value; NULL: it takes none */
    int id;            /* for `take` */
    const char *help;  /* wrapped when it is printed; NULL: nothing is told of it */
};

/* An exit code that a command may give. */
struct cli_exit {
    int code;
    const char *meaning; /* NULL: the one in exit_codes.h */
};

struct cli_command {
    const char *name, *summary;
    const char *usage; /* what follows the name; one line for each way to call it */
    const char *about; /* lines; without a newline at the end, like `more` */
    const struct cli_option *options[CLI_GROUPS]; /* each ends with a row of zeros */
    bool stops_at_argument; /* options behind the first argument are not the command's */
    /* An option that was found. EXIT_OK, or an exit code, said. The value is borrowed from
     * argv, and may be changed. NULL: there are no options. */
    int (*take)(void *state, int id, char *value);
    const char *more;              /* below the options; NULL: nothing */
    void (*print_more)(FILE *out); /* ... and what is only known when it runs; or NULL */
    const char *exits_of;          /* whose exit codes it passes on; NULL: nobody's */
    struct cli_exit exits[CLI_EXITS_MAX]; /* a row of zeros is the end */
    /* With argv[0] its name. Prints to stdout and stderr; returns an exit code. Calls
     * cli_options first. */
    int (*run)(int argc, char **argv);
};

/* Reads all options, each to command->take. CLI_GO_ON: arguments begin at getopt's optind.
 * Else the exit code: help was printed, or what is wrong; an unknown option names the valid
 * ones. Arguments and options may be mixed. */
int cli_options(const struct cli_command *command, int argc, char **argv, void *state);

/* cli_help.c: what `msgrlab COMMAND --help` prints. Every command may give EXIT_USAGE, and
 * EXIT_FILE for output that nobody takes (streams.h): they need not be in its table. */
void cli_help(const struct cli_command *command, FILE *out);

/* "msgrlab run: " and the message, on stderr, and where help is. Returns EXIT_USAGE. */
int cli_usage_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
