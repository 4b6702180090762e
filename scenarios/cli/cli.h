/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h: what all commands share on the command line: options with errors that help.
 * Numbers, times and "did you mean" are scenarios/base/words.h.
 *
 * Main thread only (getopt_long has static state).
 */
#ifndef MSGRLAB_SCENARIOS_CLI_CLI_H
#define MSGRLAB_SCENARIOS_CLI_CLI_H

#include <getopt.h>

#define CLI_END (-1) /* no more options: arguments start at optind */
#define CLI_BAD (-2) /* the error was printed */

/* Every command ends its table with this and a row of zeros. */
#define CLI_HELP                                                                           \
    {                                                                                      \
        "help", no_argument, NULL, 'h'                                                     \
    }

/* The next option's value, as getopt_long, with "h" and "o:" style letters in `letters`. An
 * unknown option names the valid ones. Arguments and options may be mixed, unless `letters`
 * begin with "+". */
int cli_next(int argc, char **argv, const char *letters, const struct option *options);
/* Call before the first cli_next. */
void cli_start(void);

/* "msgrlab run: " and the message, on stderr, and where help is. Returns EXIT_USAGE. */
int cli_usage_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
