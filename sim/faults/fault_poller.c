/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_poller.c: readiness through the injector: epoll, poll and select.
 *
 *     catch up with what is due --> wait below --> bend what came --> nothing left? again
 *
 * Events of all three are looked at as those of epoll. With poll and select the cookie is
 * the place in the caller's array.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "engine/base/select.h"
#include "sim/faults/fault_os_impl.h"

#define LATE_NS (100 * NSEC_PER_USEC)
#define WAIT_LATE_NS NSEC_PER_MSEC
/* Who waits with something held looks so often whether faults were stopped. */
#define LOOK_NS (50 * NSEC_PER_MSEC)

/* One wait. */
struct round {
    struct fault_os *fo;
    int epfd;                 /* -1: poll or select */
    const struct pollfd *fds; /* of poll: what the caller asked for */
    int n_fds;
    struct os_epoll_event *events;
    int n, cap;
};

/* ---- registering ------------------------------------------------------------------- */

int fault_epoll_ctl(struct os *os, int epfd, enum os_epoll_op op, int fd, int mask,
                    uint64_t cookie)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    int err =
        op == OS_EPOLL_ADD ? FAULT_ERRNO(fo, FAULT_T01_EPOLL_CTL, e, ENOSPC, ENOMEM) : 0;

    if (err < 0) {
        return err;
    }
    err = os_epoll_ctl(fo->inner, epfd, op, fd, e != NULL ? fault_fd_mask(e, mask) : mask,
                       cookie);
    if (err == 0 && e != NULL) {
        spin_take(&fo->lock);
        e->epfd = op == OS_EPOLL_DEL ? -1 : epfd;
        e->mask = mask;
        e->cookie = cookie;
        spin_drop(&fo->lock);
    }
    return err;
}

/* ---- entries of a round ------------------------------------------------------------ */

/* The next descriptor of this round from *at on; NULL: no more. Of an epoll, those that are
 * registered there, and `busy` ones only if that is asked. */
static struct fault_fd *next_entry(const struct round *r, int *at, bool busy)
{
    struct fault_os *fo = r->fo;
    struct fault_fd *e = NULL;

    if (r->epfd < 0) {
        while (*at < r->n_fds && e == NULL) {
            e = fault_fd_get(fo, r->fds[(*at)++].fd);
            e = e != NULL && busy && !e->busy ? NULL : e;
        }
        return e;
    }
    spin_take(&fo->lock);
    while (*at < fo->n_fds && e == NULL) {
        e = fo->fds[(*at)++];
        e = e != NULL && e->epfd == r->epfd && (!busy || e->busy) ? e : NULL;
    }
    spin_drop(&fo->lock);
    return e;
}

static struct fault_fd *entry_of(const struct round *r, const struct os_epoll_event *event)
{
    struct fault_fd *e;
    int at = 0;

    if (r->epfd < 0) {
        return fault_fd_get(r->fo, r->fds[event->cookie].fd);
    }
    while ((e = next_entry(r, &at, false)) != NULL && e->cookie != event->cookie) {
    }
    return e;
}

/* What the caller wants to know about the entry that next_entry gave, with its *at. */
static int wanted(const struct round *r, const struct fault_fd *e, int at)
{
    int events;

    CHECK(r->epfd >= 0 || at > 0);
    if (r->epfd >= 0) {
        return e->mask & (OS_READABLE | OS_WRITABLE);
    }
    events = r->fds[at - 1].events;
    return (events & POLLIN ? OS_READABLE : 0) | (events & POLLOUT ? OS_WRITABLE : 0);
}

/* One event more, or more of one. */
static void add_event(struct round *r, const struct fault_fd *e, int at, int mask)
{
    uint64_t cookie = r->epfd >= 0 ? e->cookie : (uint64_t)(at - 1);

    CHECK(r->epfd >= 0 || at > 0);
    for (int i = 0; i < r->n; i++) {
        if (r->events[i].cookie == cookie) {
            r->events[i].mask |= mask;
            return;
        }
    }
    if (mask != 0 && r->n < r->cap) {
        r->events[r->n++] = (struct os_epoll_event){.cookie = cookie, .mask = mask};
    }
}

/* ---- what is due ------------------------------------------------------------------- */

/* Ready by what the injector did, as a level. */
static int level_of(const struct fault_fd *e)
{
    if (e->state == FAULT_DEAD) {
        return OS_READABLE | OS_WRITABLE;
    }
    return e->is_eof || (e->n_stash > 0 && e->hold_until[DIR_READ] == 0) ? OS_READABLE : 0;
}

static void rest(struct fault_os *fo, struct fault_fd *e)
{
    if (e->busy && fault_fd_due(fo, e) == UINT64_MAX && e->hold_until[DIR_READ] == 0 &&
        e->hold_until[DIR_WRITE] == 0 && e->state != FAULT_DEAD && !e->is_eof &&
        e->n_stash == 0) {
        e->busy = false;
        atomic_fetch_sub(&fo->n_busy, 1);
    }
}

/* The caller's whole wait may last till the result; 0: something is there already. */
static uint64_t catch_up(struct round *r, uint64_t now_ns)
{
    uint64_t due = UINT64_MAX;
    struct fault_fd *e;
    int at = 0;

    while ((e = next_entry(r, &at, true)) != NULL) {
        bool level = r->epfd < 0 || (e->mask & OS_EDGE) == 0;

        fault_fd_catch_up(r->fo, e, now_ns);
        rest(r->fo, e);
        if (e->busy) {
            bool ready = e->extra != 0 || (level && (level_of(e) & wanted(r, e, at)) != 0);

            due = MIN(due, ready ? now_ns : MIN(fault_fd_due(r->fo, e), now_ns + LOOK_NS));
        }
    }
    return due;
}

/* Adds what the injector owes. */
static void add_owed(struct round *r)
{
    struct fault_fd *e;
    int at = 0;

    while ((e = next_entry(r, &at, true)) != NULL) {
        bool level = r->epfd < 0 || (e->mask & OS_EDGE) == 0;
        int mask = e->extra | (level ? level_of(e) : 0);

        if (e->state != FAULT_DEAD) {
            mask &= wanted(r, e, at);
        }
        if (mask == 0) {
            e->extra = 0; /* nobody wants to know any more */
        } else if (r->n < r->cap) {
            add_event(r, e, at, mask);
            e->extra = 0;
        }
    }
}

/* ---- bending what came ------------------------------------------------------------- */

/* t01_spurious: one that may well not be ready. */
static void add_spurious(struct round *r)
{
    struct fault_shot shot;
    struct fault_fd *e, *first = NULL;
    int at = 0, first_at = 0;
    uint64_t pick;

    if (!fault_ask(r->fo, FAULT_T01_SPURIOUS, NULL, FAULT_TIME_DRAWS, &shot)) {
        return;
    }
    pick = shot.value != 0 ? shot.value : shot.draw;
    for (uint64_t i = 0; (e = next_entry(r, &at, false)) != NULL; i++) {
        if (first == NULL || i + 1 == pick) {
            first = e;
            first_at = at;
        }
    }
    if (first != NULL) {
        add_event(r, first, first_at, wanted(r, first, first_at));
    }
}

/* Whether the event is withheld for a while. */
static bool is_late(struct round *r, struct fault_fd *e, int mask)
{
    struct fault_shot shot;
    bool is_pipe = e->kind == FAULT_FD_PIPE;
    uint64_t until;

    if (!fault_ask(r->fo, FAULT_T01_LATE, e, FAULT_TIME_DRAWS, &shot) &&
        !(is_pipe && fault_ask(r->fo, FAULT_T02_WAKE_LATE, e, FAULT_TIME_DRAWS, &shot))) {
        return false;
    }
    until = os_monotonic_ns(r->fo->inner) + fault_time(&shot, LATE_NS);
    for (int dir = DIR_READ; dir <= DIR_WRITE; dir++) {
        if (mask & (dir == DIR_READ ? OS_READABLE : OS_WRITABLE)) {
            fault_fd_hold(r->fo, e, dir, until);
        }
    }
    return true;
}

/* What becomes of one event: the mask that is told; 0: nothing. */
static int bend_event(struct round *r, struct fault_fd *e, int mask)
{
    struct fault_shot shot;

    if (e->state == FAULT_DEAD) {
        return mask;
    }
    mask = fault_fd_mask(e, mask);
    if (mask == 0 || is_late(r, e, mask)) {
        return 0;
    }
    if (fault_ask(r->fo, FAULT_T01_TWICE, e, 1, &shot)) {
        e->extra |= mask;
        fault_fd_busy(r->fo, e);
    }
    return mask;
}

static void bend_events(struct round *r)
{
    int kept = 0;

    for (int i = 0; i < r->n; i++) {
        struct fault_fd *e = entry_of(r, &r->events[i]);
        int mask = e != NULL ? bend_event(r, e, r->events[i].mask) : r->events[i].mask;

        if (mask != 0) {
            r->events[kept] = r->events[i];
            r->events[kept++].mask = mask;
        }
    }
    r->n = kept;
}

/* t01_reorder */
static void rotate(struct round *r)
{
    struct fault_shot shot;
    uint64_t by;

    if (r->n < 2 || !fault_ask(r->fo, FAULT_T01_REORDER, NULL, FAULT_TIME_DRAWS, &shot)) {
        return;
    }
    by = (shot.value != 0 ? shot.value : shot.draw) % (uint64_t)r->n;
    for (; by > 0; by--) {
        struct os_epoll_event first = r->events[0];

        memmove(r->events, r->events + 1, sizeof(first) * (size_t)(r->n - 1));
        r->events[r->n - 1] = first;
    }
}

/* t01_one: the others come again, because they are owed or because levels stay. */
static void truncate_events(struct round *r)
{
    struct fault_shot shot;
    int most;

    if (r->n < 2 || !fault_ask(r->fo, FAULT_T01_ONE, NULL, 1, &shot)) {
        return;
    }
    most = (int)MIN((uint64_t)r->n, shot.value != 0 ? shot.value : 1);
    CHECK(most > 0);
    for (int i = most; i < r->n && r->epfd >= 0; i++) {
        struct fault_fd *e = entry_of(r, &r->events[i]);

        if (e == NULL) {
            return; /* one that is not ours to tell again */
        }
        e->extra |= r->events[i].mask;
        fault_fd_busy(r->fo, e);
    }
    r->n = most;
}

static void bend(struct round *r)
{
    add_owed(r);
    add_spurious(r);
    if (r->n > 0) {
        bend_events(r);
        rotate(r);
        truncate_events(r);
    }
}

/* ---- waiting ----------------------------------------------------------------------- */

/* Whether a wait may be left to the os below. */
static bool is_plain(const struct fault_os *fo)
{
    static const enum fault_id ids[] = {FAULT_T01_SPURIOUS, FAULT_T01_LATE,
                                        FAULT_T01_TWICE,    FAULT_T01_REORDER,
                                        FAULT_T01_ONE,      FAULT_T02_WAKE_LATE};

    if (atomic_load(&fo->n_busy) != 0) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        if (sim_faults_wants(fo->f, ids[i])) {
            return false;
        }
    }
    return true;
}

static uint64_t deadline_of(uint64_t now_ns, int64_t timeout_ns)
{
    return timeout_ns < 0 || (uint64_t)timeout_ns > UINT64_MAX - now_ns
               ? UINT64_MAX
               : now_ns + (uint64_t)timeout_ns;
}

/* The timeout of a wait that is to end by then; -1: for ever. */
static int64_t timeout_till(uint64_t now_ns, uint64_t deadline)
{
    return deadline == UINT64_MAX ? -1
           : deadline <= now_ns   ? 0
                                  : (int64_t)MIN(deadline - now_ns, (uint64_t)INT64_MAX);
}

/* After a wait: late, or slow to go on. */
static void linger(struct fault_os *fo)
{
    struct fault_shot shot;

    if (fault_ask(fo, FAULT_T03_LATE, NULL, FAULT_TIME_DRAWS, &shot)) {
        os_sleep_ns(fo->inner, fault_time(&shot, WAIT_LATE_NS));
    }
    fault_pause(fo, NULL, POINT_WAITED);
}

/* os.h: no wait is cut short. */
static void check_patience(struct fault_os *fo, uint64_t from_ns, int64_t timeout_ns)
{
    CHECK(timeout_ns < 0 || os_monotonic_ns(fo->inner) - from_ns >= (uint64_t)timeout_ns);
}

static int wait_epoll(struct fault_os *fo, int epfd, struct os_epoll_event *events, int n,
                      int64_t timeout_ns)
{
    uint64_t now = os_monotonic_ns(fo->inner), deadline = deadline_of(now, timeout_ns);

    for (;;) {
        struct round r = {.fo = fo, .epfd = epfd, .events = events, .cap = n};
        int64_t timeout = timeout_till(now, MIN(deadline, catch_up(&r, now)));

        r.n = os_epoll_wait(fo->inner, epfd, events, n, timeout);
        if (r.n < 0) {
            return r.n;
        }
        if (r.n == 0) {
            check_patience(fo, now, timeout);
        }
        bend(&r);
        now = os_monotonic_ns(fo->inner);
        if (r.n > 0 || now >= deadline) {
            return r.n;
        }
    }
}

int fault_epoll_wait(struct os *os, int epfd, struct os_epoll_event *events, int n,
                     int64_t timeout_ns)
{
    struct fault_os *fo = to_fault_os(os);
    int got;

    fault_clocks(fo);
    got = is_plain(fo) ? os_epoll_wait(fo->inner, epfd, events, n, timeout_ns)
                       : wait_epoll(fo, epfd, events, n, timeout_ns);
    if (timeout_ns != 0) {
        linger(fo);
    }
    return got;
}

/* ---- poll and select --------------------------------------------------------------- */

static int os_mask_of(const struct pollfd *p)
{
    return (p->revents & POLLIN ? OS_READABLE : 0) |
           (p->revents & POLLOUT ? OS_WRITABLE : 0) |
           (p->revents & (POLLERR | POLLHUP | POLLNVAL) ? OS_READABLE | OS_WRITABLE : 0);
}

/* What the poll below is asked for: nothing that is held. */
static void ask_below(const struct round *r, struct pollfd *below)
{
    for (int i = 0; i < r->n_fds; i++) {
        struct fault_fd *e = fault_fd_get(r->fo, r->fds[i].fd);
        int mask = (r->fds[i].events & POLLIN ? OS_READABLE : 0) |
                   (r->fds[i].events & POLLOUT ? OS_WRITABLE : 0);

        below[i] = r->fds[i];
        below[i].revents = 0;
        if (e != NULL && fault_fd_mask(e, mask) != mask) {
            mask = fault_fd_mask(e, mask);
            below[i].events = (short)((mask & OS_READABLE ? POLLIN : 0) |
                                      (mask & OS_WRITABLE ? POLLOUT : 0));
            below[i].fd = mask == 0 ? -1 : below[i].fd;
        }
    }
}

/* What the caller is told: the words of the poll below where it had any. */
static int answer(const struct round *r, const struct pollfd *below, struct pollfd *fds)
{
    for (int i = 0; i < r->n_fds; i++) {
        fds[i].revents = 0;
    }
    for (int i = 0; i < r->n; i++) {
        int at = (int)r->events[i].cookie, mask = r->events[i].mask;

        CHECK(at < r->n_fds);
        fds[at].revents =
            (short)(below[at].revents | (mask & OS_READABLE ? POLLIN & fds[at].events : 0) |
                    (mask & OS_WRITABLE ? POLLOUT & fds[at].events : 0));
        if (fds[at].revents == 0) {
            fds[at].revents = POLLHUP | POLLERR; /* dead, and nothing was asked */
        }
    }
    return r->n;
}

static int wait_poll(struct fault_os *fo, struct pollfd *fds, struct pollfd *below,
                     struct os_epoll_event *events, int n, int64_t timeout_ns)
{
    uint64_t now = os_monotonic_ns(fo->inner), deadline = deadline_of(now, timeout_ns);

    for (;;) {
        struct round r = {
            .fo = fo, .epfd = -1, .fds = fds, .n_fds = n, .events = events, .cap = n};
        int64_t timeout = timeout_till(now, MIN(deadline, catch_up(&r, now)));
        int got;

        ask_below(&r, below);
        got = os_poll(fo->inner, below, n, timeout);
        if (got < 0) {
            return got;
        }
        if (got == 0) {
            check_patience(fo, now, timeout);
        }
        for (int i = 0; i < n; i++) {
            if (below[i].revents != 0) {
                events[r.n++] = (struct os_epoll_event){.cookie = (uint64_t)i,
                                                        .mask = os_mask_of(&below[i])};
            }
        }
        bend(&r);
        now = os_monotonic_ns(fo->inner);
        if (r.n > 0 || now >= deadline) {
            return answer(&r, below, fds);
        }
    }
}

/* -ENOMEM if there is no room for the injector's own list. */
static int careful_poll(struct fault_os *fo, struct pollfd *fds, int n, int64_t timeout_ns)
{
    size_t room = (size_t)MAX(n, 1);
    struct os_epoll_event *events = malloc(room * sizeof(*events));
    struct pollfd *below = malloc(room * sizeof(*below));
    int got = events == NULL || below == NULL
                  ? -ENOMEM
                  : wait_poll(fo, fds, below, events, n, timeout_ns);

    free(events);
    free(below);
    return got;
}

int fault_poll(struct os *os, struct pollfd *fds, int n, int64_t timeout_ns)
{
    struct fault_os *fo = to_fault_os(os);
    int got;

    fault_clocks(fo);
    got = n < 0 || is_plain(fo) ? os_poll(fo->inner, fds, n, timeout_ns)
                                : careful_poll(fo, fds, n, timeout_ns);
    if (timeout_ns != 0) {
        linger(fo);
    }
    return got;
}

static int careful_select(struct fault_os *fo, int nfds, fd_set *readable, fd_set *writable,
                          int64_t timeout_ns)
{
    struct pollfd fds[FD_SETSIZE];
    int n = select_to_poll(nfds, readable, writable, fds);
    int got = careful_poll(fo, fds, n, timeout_ns);

    return got < 0 ? got : select_from_poll(fds, n, readable, writable);
}

int fault_select(struct os *os, int nfds, fd_set *readable, fd_set *writable,
                 int64_t timeout_ns)
{
    struct fault_os *fo = to_fault_os(os);
    int got;

    fault_clocks(fo);
    got = nfds < 0 || is_plain(fo)
              ? os_select(fo->inner, nfds, readable, writable, timeout_ns)
              : careful_select(fo, nfds, readable, writable, timeout_ns);
    if (timeout_ns != 0) {
        linger(fo);
    }
    return got;
}
