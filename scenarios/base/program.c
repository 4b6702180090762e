/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/base/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool program_find(const char *name, char *ret, size_t size)
{
    const char *env = getenv("PATH");
    char dirs[4096], *dir, *rest;

    snprintf(dirs, sizeof(dirs), "%s:/usr/sbin:/usr/local/sbin:/sbin", env ? env : "");
    for (dir = strtok_r(dirs, ":", &rest); dir != NULL; dir = strtok_r(NULL, ":", &rest)) {
        snprintf(ret, size, "%s/%s", dir, name);
        if (access(ret, X_OK) == 0) {
            return true;
        }
    }
    return false;
}
