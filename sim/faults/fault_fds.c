/* SPDX-License-Identifier: Apache-2.0 */
/* fault_fds.c: the injector's table of descriptors: what is held, owed and broken. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "sim/faults/fault_os_impl.h"

/* ---- the table -------------------------------------------------------------------- */

struct fault_fd *fault_fd_get(struct fault_os *fo, int fd)
{
    struct fault_fd *e;

    spin_take(&fo->lock);
    e = fd >= 0 && fd < fo->n_fds ? fo->fds[fd] : NULL;
    spin_drop(&fo->lock);
    return e;
}

/* Room for this number. */
static bool make_room(struct fault_os *fo, int fd)
{
    int n = fo->n_fds;
    struct fault_fd **fds;

    CHECK(fd >= 0);
    if (fd < n) {
        return true;
    }
    n = MAX(64, MAX(n * 2, fd + 1));
    fds = realloc(fo->fds, (size_t)n * sizeof(struct fault_fd *));
    if (fds == NULL) {
        return false;
    }
    memset(fds + fo->n_fds, 0, (size_t)(n - fo->n_fds) * sizeof(struct fault_fd *));
    fo->fds = fds;
    fo->n_fds = n;
    return true;
}

void fault_fd_name(struct fault_os *fo, struct fault_fd *e, const char *word,
                   const struct sockaddr *remote)
{
    char name[2 * FAULT_NAME + 16];

    if (remote != NULL) {
        memset(&e->remote, 0, sizeof(e->remote));
        memcpy(&e->remote, remote,
               remote->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                            : sizeof(struct sockaddr_in6));
        sim_faults_address(fo->f, remote, e->peer);
    }
    snprintf(name, sizeof(name), "%s%s%s", fo->base.name, word, e->peer);
    sim_faults_name_actor(fo->f, &e->actor, name);
}

struct fault_fd *fault_fd_new(struct fault_os *fo, int fd, enum fault_fd_kind kind,
                              const char *word, const struct sockaddr *remote)
{
    struct fault_fd *e = calloc(1, sizeof(*e));

    if (e == NULL) {
        return NULL;
    }
    e->fd = fd;
    e->kind = kind;
    e->epfd = -1;
    frame_watch_init(&e->in, &e->out);
    frame_watch_init(&e->out, &e->in);
    fault_fd_name(fo, e, word, remote);
    spin_take(&fo->lock);
    if (!make_room(fo, fd)) {
        spin_drop(&fo->lock);
        free(e);
        return NULL;
    }
    CHECK(fo->fds[fd] == NULL);
    fo->fds[fd] = e;
    spin_drop(&fo->lock);
    atomic_fetch_add(&fo->open_n, 1);
    return e;
}

static void set_published(struct fault_os *fo, struct fault_fd *e, const char *node)
{
    struct sockaddr_storage local;

    if (os_local_addr(fo->inner, e->fd, &local) == 0) {
        sim_faults_set_address(fo->f, (const struct sockaddr *)&local, node);
        e->has_address = node[0] != '\0';
    }
}

void fault_fd_publish(struct fault_os *fo, struct fault_fd *e)
{
    set_published(fo, e, fo->base.name);
}

void fault_fd_drop(struct fault_os *fo, struct fault_fd *e)
{
    if (e->has_address) {
        set_published(fo, e, "");
    }
    spin_take(&fo->lock);
    CHECK(fo->fds[e->fd] == e);
    fo->fds[e->fd] = NULL;
    if (e->kind == FAULT_FD_EPOLL) { /* the kernel forgets what was registered there */
        for (int i = 0; i < fo->n_fds; i++) {
            if (fo->fds[i] != NULL && fo->fds[i]->epfd == e->fd) {
                fo->fds[i]->epfd = -1;
            }
        }
    }
    spin_drop(&fo->lock);
    atomic_fetch_sub(&fo->open_n, 1);
    if (e->busy) {
        atomic_fetch_sub(&fo->n_busy, 1);
    }
    free(e);
}

/* ---- what the poller must know ---------------------------------------------------- */

void fault_fd_busy(struct fault_os *fo, struct fault_fd *e)
{
    if (!e->busy) {
        e->busy = true;
        atomic_fetch_add(&fo->n_busy, 1);
    }
}

int fault_fd_mask(const struct fault_fd *e, int mask)
{
    return mask & ~((e->hold_until[DIR_READ] != 0 ? OS_READABLE : 0) |
                    (e->hold_until[DIR_WRITE] != 0 ? OS_WRITABLE : 0));
}

/* Tells the poller below what is wanted now. It looks again: what is ready is an edge. */
static void tell_epoll(struct fault_os *fo, struct fault_fd *e)
{
    if (e->epfd >= 0) {
        CHECK(os_epoll_ctl(fo->inner, e->epfd, OS_EPOLL_MOD, e->fd,
                           fault_fd_mask(e, e->mask), e->cookie) == 0);
    }
}

void fault_fd_hold(struct fault_os *fo, struct fault_fd *e, int dir, uint64_t until_ns)
{
    CHECK(until_ns != 0);
    e->hold_until[dir] = MAX(e->hold_until[dir], until_ns);
    fault_fd_busy(fo, e);
    tell_epoll(fo, e);
}

bool fault_fd_is_held(struct fault_os *fo, struct fault_fd *e, int dir)
{
    return e->hold_until[dir] != 0 && !sim_faults_are_stopped(fo->f) &&
           e->hold_until[dir] > os_monotonic_ns(fo->inner);
}

void fault_fd_rearm(struct fault_os *fo, struct fault_fd *e)
{
    e->rearm = true;
    fault_fd_busy(fo, e);
}

/* ---- ends ------------------------------------------------------------------------- */

void fault_fd_kill(struct fault_os *fo, struct fault_fd *e, int error)
{
    CHECK(error > 0);
    e->state = FAULT_DEAD;
    e->error = error;
    e->is_connecting = false;
    e->n_stash = 0;
    e->hold_until[DIR_READ] = e->hold_until[DIR_WRITE] = 0;
    e->extra = OS_READABLE | OS_WRITABLE;
    fault_fd_busy(fo, e);
    os_set_option(fo->inner, e->fd, OS_SO_LINGER0, 1); /* the peer learns it at close */
}

/* What it waits for besides holds: when it ends; UINT64_MAX: it does not. Below, a connect
 * that is to fail was never begun: once faults are stopped only its end can come. */
static uint64_t reset_due(const struct fault_fd *e, bool stopped)
{
    if (e->state != FAULT_VANISHING && e->state != FAULT_AWAITING) {
        return UINT64_MAX;
    }
    return stopped && e->state == FAULT_AWAITING ? 0 : e->reset_at;
}

void fault_fd_catch_up(struct fault_os *fo, struct fault_fd *e, uint64_t now_ns)
{
    bool stopped = sim_faults_are_stopped(fo->f), changed = e->rearm;

    if (reset_due(e, stopped) <= now_ns) {
        fault_fd_kill(fo, e, e->error != 0 ? e->error : ECONNRESET);
    }
    for (int dir = DIR_READ; dir <= DIR_WRITE; dir++) {
        if (e->hold_until[dir] != 0 && (stopped || e->hold_until[dir] <= now_ns)) {
            e->hold_until[dir] = 0;
            changed = true;
        }
    }
    e->rearm = false;
    if (e->n_stash > 0 && e->hold_until[DIR_READ] == 0 && e->state != FAULT_DEAD) {
        e->extra |= OS_READABLE;
    }
    if (changed && e->state != FAULT_DEAD) {
        tell_epoll(fo, e);
    }
}

uint64_t fault_fd_due(const struct fault_os *fo, const struct fault_fd *e)
{
    bool stopped = sim_faults_are_stopped(fo->f);
    uint64_t due = reset_due(e, stopped);

    if (e->rearm || e->extra != 0) {
        return 0;
    }
    for (int dir = DIR_READ; dir <= DIR_WRITE; dir++) {
        if (e->hold_until[dir] != 0) {
            due = MIN(due, stopped ? 0 : e->hold_until[dir]);
        }
    }
    return due;
}
