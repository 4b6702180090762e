/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h: what all commands share on the command line: options with errors that help,
 * numbers, times, and "did you mean".
 *
 * Main thread only (getopt_long has static state).
 */
#ifndef MSGRLAB_SCENARIOS_CLI_CLI_H
#define MSGRLAB_SCENARIOS_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/util.h"

#define CLI_END (-1) /* no more options: arguments start at optind */
#define CLI_BAD (-2) /* the error was printed */

/* What a time is, for errors. */
#define CLI_DURATION_FORM                                                                  \
    "a time like 90s, 5m or 1h (ns, us, ms, s, m or min, h, d; at most 3650d)"
#define CLI_DURATION_MAX (3650 * 24 * 3600 * NSEC_PER_SEC)

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

/* A decimal or 0x number of at most `max`. False: it is none; nothing was written. */
bool cli_number(const char *text, uint64_t max, uint64_t *ret);
/* "1500us", "20ms", "1.5s", "2m" or "2min", "1h", "3d", or a plain number of seconds; a
 * blank may be before the unit. At most CLI_DURATION_MAX. False: it is none, or longer. */
bool cli_duration(const char *text, uint64_t *ret_ns);
/* Shortest readable form: "250 us", "1.5 s". Returns buf. */
const char *cli_duration_text(uint64_t ns, char *buf, size_t size);

/* The word of the list that was probably meant; NULL if none is close. */
const char *cli_suggest(const char *word, const char *const *words, size_t n);

#endif
