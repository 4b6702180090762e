/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams.h: standard input, output and error, at the two ends of the program. What a
 * command prints is a result like any file: when it could not be written, the program says
 * so and does not claim success.
 *
 * The main thread only.
 */
#ifndef MSGRLAB_SCENARIOS_CLI_STREAMS_H
#define MSGRLAB_SCENARIOS_CLI_STREAMS_H

/* Before anything else is opened: a standard descriptor that is closed must not become that
 * of some file; and a file that may not grow any more (ulimit -f) is an error of a write,
 * not the end of the process. */
void streams_begin(void);
/* When a command is done, with its exit code: all of standard output is written out.
 * Returns the code, or EXIT_FILE in place of EXIT_OK if not all could be written, which is
 * then said on standard error. */
int streams_end(int code);

#endif
