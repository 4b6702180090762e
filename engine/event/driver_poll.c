/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_poll.c: the level-triggered driver over poll(2). A dense array of pollfds and, by
 * fd, where each one is; removing moves the last one into the gap, so waiting costs what is
 * watched and nothing else.
 */
#include <errno.h>
#include <string.h>

#include "engine/event_driver.h"
#include "engine/util.h"

struct driver_poll {
    struct event_driver base;
    struct pollfd *fds; /* owned, `n` used of `cap` */
    uint64_t *cookies;  /* owned, beside fds */
    int n, cap;
    int *slots; /* owned, indexed by fd: 1 + place in fds, 0 = not watched */
    int n_slots;
    int first; /* where the last wait stopped, so that nobody starves behind a full batch */
};

static struct driver_poll *to_poll(struct event_driver *d)
{
    return container_of(d, struct driver_poll, base);
}

static short poll_bits(int mask)
{
    return (short)((mask & OS_READABLE ? POLLIN : 0) | (mask & OS_WRITABLE ? POLLOUT : 0));
}

static int grow_slots(struct driver_poll *p, int fd)
{
    int n = MAX(64, p->n_slots);
    int *slots;

    while (n <= fd) {
        n *= 2;
    }
    slots = realloc(p->slots, (size_t)n * sizeof(*slots));
    if (slots == NULL) {
        return -ENOMEM;
    }
    memset(slots + p->n_slots, 0, (size_t)(n - p->n_slots) * sizeof(*slots));
    p->slots = slots;
    p->n_slots = n;
    return 0;
}

static int grow_pollfds(struct driver_poll *p)
{
    int cap = MAX(64, p->cap * 2);
    struct pollfd *fds = realloc(p->fds, (size_t)cap * sizeof(*fds));
    uint64_t *cookies;

    if (fds == NULL) {
        return -ENOMEM;
    }
    p->fds = fds;
    cookies = realloc(p->cookies, (size_t)cap * sizeof(*cookies));
    if (cookies == NULL) {
        return -ENOMEM;
    }
    p->cookies = cookies;
    p->cap = cap;
    return 0;
}

static int poll_add(struct event_driver *d, int fd, int mask, uint64_t cookie)
{
    struct driver_poll *p = to_poll(d);

    if (fd < 0) {
        return -EBADF;
    }
    if (fd >= p->n_slots && grow_slots(p, fd) < 0) {
        return -ENOMEM;
    }
    if (p->n == p->cap && grow_pollfds(p) < 0) {
        return -ENOMEM;
    }
    CHECK(p->slots[fd] == 0);
    p->fds[p->n] = (struct pollfd){.fd = fd, .events = poll_bits(mask)};
    p->cookies[p->n] = cookie;
    p->slots[fd] = ++p->n;
    return 0;
}

static int poll_mod(struct event_driver *d, int fd, int mask, uint64_t cookie)
{
    struct driver_poll *p = to_poll(d);

    CHECK(fd < p->n_slots && p->slots[fd] != 0);
    p->fds[p->slots[fd] - 1].events = poll_bits(mask);
    p->cookies[p->slots[fd] - 1] = cookie;
    return 0;
}

static void poll_del(struct event_driver *d, int fd)
{
    struct driver_poll *p = to_poll(d);
    int slot, last = p->n - 1;

    CHECK(fd < p->n_slots && p->slots[fd] != 0);
    slot = p->slots[fd] - 1;
    p->fds[slot] = p->fds[last];
    p->cookies[slot] = p->cookies[last];
    p->slots[p->fds[slot].fd] = slot + 1;
    p->slots[fd] = 0;
    p->n--;
}

static int poll_wait(struct event_driver *d, struct fired_event *fired, int n,
                     int64_t timeout_ns)
{
    struct driver_poll *p = to_poll(d);
    int ready = os_poll(d->os, p->fds, p->n, timeout_ns);
    int got = 0, i = p->first < p->n ? p->first : 0;

    for (int seen = 0; seen < p->n && ready > 0 && got < n; seen++) {
        short bits = p->fds[i].revents;

        if (bits != 0) {
            ready--;
            fired[got].cookie = p->cookies[i];
            fired[got].mask =
                (bits & POLLIN ? OS_READABLE : 0) | (bits & POLLOUT ? OS_WRITABLE : 0) |
                (bits & (POLLERR | POLLHUP | POLLNVAL) ? OS_READABLE | OS_WRITABLE : 0);
            got++;
        }
        i = i + 1 < p->n ? i + 1 : 0;
    }
    p->first = i;
    return ready < 0 ? ready : got;
}

static void poll_free(struct event_driver *d)
{
    struct driver_poll *p = to_poll(d);

    free(p->fds);
    free(p->cookies);
    free(p->slots);
    free(p);
}

static const struct event_driver_ops poll_ops = {
    .name = "poll",
    .edge = false,
    .add = poll_add,
    .mod = poll_mod,
    .del = poll_del,
    .wait = poll_wait,
    .free = poll_free,
};

int driver_poll_new(struct os *os, struct event_driver **ret)
{
    struct driver_poll *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return -ENOMEM;
    }
    p->base = (struct event_driver){.ops = &poll_ops, .os = os};
    *ret = &p->base;
    return 0;
}
