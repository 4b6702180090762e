/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script_find.h: which file a scenario's name means, and which scenarios there are.
 *
 * A name is looked for in this order:
 *
 *     1. as a file, as it was given; then with ".lua" behind it
 *     2. in the folders of $MSGRLAB_SCENARIOS, separated by colons
 *     3. among the scenarios that came with the program: those of the source tree it was
 *        built in, or of the place it is installed to
 *
 * In folders "hello" and "hello.lua" are the same, "lite" is found in campaigns/, and
 * "scenarios/hello.lua" is found as well. Any thread; nothing is kept between calls.
 */
#ifndef MSGRLAB_SCENARIOS_RUN_SCRIPT_FIND_H
#define MSGRLAB_SCENARIOS_RUN_SCRIPT_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SCRIPT_FOLDERS "MSGRLAB_SCENARIOS" /* of the environment */
#define SCRIPT_PATH_MAX 1000

/* The file's path in `ret`. False: there is none. A folder is a file, too, if no scenario
 * is called like it: whoever reads it says what is wrong. */
bool script_find(const char *name, char *ret, size_t size);
/* The name that was probably meant, in `ret`. False: none is close. */
bool script_suggest(const char *name, char *ret, size_t size);
/* A line for each scenario of 2. and 3., its name and what it is about. */
void script_list(FILE *out);

#endif
