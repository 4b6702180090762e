/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_epoll.c: the edge-triggered driver. Every registration and every change of one
 * carries OS_EDGE: a mask without it would silently become level-triggered (Ceph PR 26926).
 */
#include <errno.h>

#include "engine/event_driver.h"
#include "engine/util.h"

struct driver_epoll {
    struct event_driver base;
    int epfd; /* owned */
    struct os_epoll_event raw[256];
};

static struct driver_epoll *to_epoll(struct event_driver *d)
{
    return container_of(d, struct driver_epoll, base);
}

static int epoll_add(struct event_driver *d, int fd, int mask, uint64_t cookie)
{
    return os_epoll_ctl(d->os, to_epoll(d)->epfd, OS_EPOLL_ADD, fd, mask | OS_EDGE, cookie);
}

static int epoll_mod(struct event_driver *d, int fd, int mask, uint64_t cookie)
{
    return os_epoll_ctl(d->os, to_epoll(d)->epfd, OS_EPOLL_MOD, fd, mask | OS_EDGE, cookie);
}

static void epoll_del(struct event_driver *d, int fd)
{
    int err = os_epoll_ctl(d->os, to_epoll(d)->epfd, OS_EPOLL_DEL, fd, 0, 0);

    /* ENOENT and EBADF: the fd was closed before, and epoll forgot it by itself. */
    CHECK(err == 0 || err == -ENOENT || err == -EBADF);
}

static int epoll_wait_fired(struct event_driver *d, struct fired_event *fired, int n,
                            int64_t timeout_ns)
{
    struct driver_epoll *e = to_epoll(d);
    int got =
        os_epoll_wait(d->os, e->epfd, e->raw, MIN(n, (int)ARRAY_SIZE(e->raw)), timeout_ns);

    for (int i = 0; i < got; i++) {
        fired[i] = (struct fired_event){.cookie = e->raw[i].cookie, .mask = e->raw[i].mask};
    }
    return got;
}

static void epoll_free(struct event_driver *d)
{
    os_close(d->os, to_epoll(d)->epfd);
    free(to_epoll(d));
}

static const struct event_driver_ops epoll_ops = {
    .name = "epoll",
    .edge = true,
    .add = epoll_add,
    .mod = epoll_mod,
    .del = epoll_del,
    .wait = epoll_wait_fired,
    .free = epoll_free,
};

int driver_epoll_new(struct os *os, struct event_driver **ret)
{
    struct driver_epoll *e = calloc(1, sizeof(*e));
    int fd;

    if (e == NULL) {
        return -ENOMEM;
    }
    fd = os_epoll_create(os);
    if (fd < 0) {
        free(e);
        return fd;
    }
    e->base = (struct event_driver){.ops = &epoll_ops, .os = os};
    e->epfd = fd;
    *ret = &e->base;
    return 0;
}
