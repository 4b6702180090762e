/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h: programs of others that this machine has, or has not. Any thread, as long as
 * nobody changes the environment.
 */
#ifndef MSGRLAB_SCENARIOS_BASE_PROGRAM_H
#define MSGRLAB_SCENARIOS_BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* Its path, in $PATH and the places where daemons are. False: it is not there. */
bool program_find(const char *name, char *ret, size_t size);

#endif
