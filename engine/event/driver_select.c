/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_select.c: the level-triggered driver over select(2), for systems that have nothing
 * else and for tests. Descriptors from FD_SETSIZE on are refused with -EMFILE.
 */
#include <errno.h>

#include "engine/event_driver.h"
#include "engine/util.h"

struct driver_select {
    struct event_driver base;
    fd_set readable, writable; /* what is watched */
    uint64_t cookies[FD_SETSIZE];
    int nfds;  /* highest watched fd + 1 */
    int first; /* where the last wait stopped */
};

static struct driver_select *to_select(struct event_driver *d)
{
    return container_of(d, struct driver_select, base);
}

static int select_mod(struct event_driver *d, int fd, int mask, uint64_t cookie)
{
    struct driver_select *s = to_select(d);

    FD_CLR(fd, &s->readable);
    FD_CLR(fd, &s->writable);
    if (mask & OS_READABLE) {
        FD_SET(fd, &s->readable);
    }
    if (mask & OS_WRITABLE) {
        FD_SET(fd, &s->writable);
    }
    s->cookies[fd] = cookie;
    return 0;
}

static int select_add(struct event_driver *d, int fd, int mask, uint64_t cookie)
{
    struct driver_select *s = to_select(d);

    if (fd < 0) {
        return -EBADF;
    }
    if (fd >= FD_SETSIZE) {
        return -EMFILE;
    }
    s->nfds = MAX(s->nfds, fd + 1);
    return select_mod(d, fd, mask, cookie);
}

static void select_del(struct event_driver *d, int fd)
{
    struct driver_select *s = to_select(d);

    select_mod(d, fd, 0, 0);
    while (s->nfds > 0 && !FD_ISSET(s->nfds - 1, &s->readable) &&
           !FD_ISSET(s->nfds - 1, &s->writable)) {
        s->nfds--;
    }
}

static int select_wait(struct event_driver *d, struct fired_event *fired, int n,
                       int64_t timeout_ns)
{
    struct driver_select *s = to_select(d);
    fd_set readable = s->readable, writable = s->writable;
    int ready = os_select(d->os, s->nfds, &readable, &writable, timeout_ns);
    int got = 0, fd = s->first < s->nfds ? s->first : 0;

    for (int seen = 0; seen < s->nfds && ready > 0 && got < n; seen++) {
        int mask = (FD_ISSET(fd, &readable) ? OS_READABLE : 0) |
                   (FD_ISSET(fd, &writable) ? OS_WRITABLE : 0);

        if (mask != 0) {
            fired[got++] = (struct fired_event){.cookie = s->cookies[fd], .mask = mask};
        }
        fd = fd + 1 < s->nfds ? fd + 1 : 0;
    }
    s->first = fd;
    return ready < 0 ? ready : got;
}

static void select_free(struct event_driver *d)
{
    free(to_select(d));
}

static const struct event_driver_ops select_ops = {
    .name = "select",
    .edge = false,
    .add = select_add,
    .mod = select_mod,
    .del = select_del,
    .wait = select_wait,
    .free = select_free,
};

int driver_select_new(struct os *os, struct event_driver **ret)
{
    struct driver_select *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return -ENOMEM;
    }
    s->base = (struct event_driver){.ops = &select_ops, .os = os};
    FD_ZERO(&s->readable);
    FD_ZERO(&s->writable);
    *ret = &s->base;
    return 0;
}
