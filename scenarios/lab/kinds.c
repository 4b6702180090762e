/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/lab/kinds.h"

#include <string.h>

const char *const world_kind_names[WORLD_KINDS] = {"", "sim", "linux"};
const char *const stack_kind_names[STACK_KINDS] = {"", "tcp", "rdma"};

static int find(const char *name, const char *const *names, int n)
{
    for (int i = 1; i < n; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

int world_kind_by_name(const char *name)
{
    return find(name, world_kind_names, WORLD_KINDS);
}

int stack_kind_by_name(const char *name)
{
    return find(name, stack_kind_names, STACK_KINDS);
}
