/* SPDX-License-Identifier: Apache-2.0 */
/* event_driver.c: the drivers by number and by name. */
#include "engine/event_driver.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

static const struct {
    const char *name;
    int (*new)(struct os *os, struct event_driver **ret);
} drivers[] = {
    [DRIVER_EPOLL] = {"epoll", driver_epoll_new},
    [DRIVER_POLL] = {"poll", driver_poll_new},
    [DRIVER_SELECT] = {"select", driver_select_new},
};

int event_driver_new(struct os *os, enum event_driver_kind kind, struct event_driver **ret)
{
    return (unsigned)kind < DRIVER_COUNT ? drivers[kind].new(os, ret) : -EINVAL;
}

const char *event_driver_name(enum event_driver_kind kind)
{
    return (unsigned)kind < DRIVER_COUNT ? drivers[kind].name : NULL;
}

int event_driver_by_name(const char *name)
{
    for (int i = 0; i < DRIVER_COUNT; i++) {
        if (strcmp(name, drivers[i].name) == 0) {
            return i;
        }
    }
    return -1;
}
