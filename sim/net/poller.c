/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poller.c: epoll, poll and select.
 *
 *     file --notify--> item --> epoll.ready --> epoll_wait: looks again at the file, tells;
 *                                               level-triggered items stay in the list
 *
 * As on Linux, an edge is what the file says with notify, and what is found at ADD and MOD.
 *
 * What a kernel may do although it seldom does, is a decision: in which order events come,
 * how many at once, how late, an edge twice, and waits that end early.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "engine/base/select.h"
#include "engine/util.h"
#include "sim/net/os_slots.h"

#define DELAY_US_MAX 100 /* by which readiness may be seen late */
#define ORDER_MAX 64     /* of so many the next event is chosen */

#define BAD (POLLERR | POLLHUP) /* always reported */

struct epoll {
    struct sim_file file;
    struct list items; /* of epoll_item.of_epoll; owned */
    struct list ready; /* of epoll_item.of_ready, first come first */
    struct sim_queue queue;
};

struct epoll_item {
    struct sim_watch watch;
    struct epoll *epoll;
    int mask;
    uint64_t cookie;
    struct list of_epoll, of_ready;
    struct sim_timer held; /* while it is ready and nobody is to know yet */
    bool was_held;         /* since it was last reported */
};

/* ---- epoll ------------------------------------------------------------------------ */

static int poll_bits(int mask)
{
    return (mask & OS_READABLE ? POLLIN : 0) | (mask & OS_WRITABLE ? POLLOUT : 0) | BAD;
}

static int os_mask(int bits)
{
    return (bits & POLLIN ? OS_READABLE : 0) | (bits & POLLOUT ? OS_WRITABLE : 0) |
           (bits & BAD ? OS_READABLE | OS_WRITABLE : 0);
}

static void item_fired(struct sim_watch *watch, int bits)
{
    struct epoll_item *item = container_of(watch, struct epoll_item, watch);
    struct epoll *ep = item->epoll;

    if ((bits & poll_bits(item->mask)) == 0 || sim_timer_is_armed(&item->held)) {
        return;
    }
    if (!list_is_linked(&item->of_ready)) {
        list_push_back(&ep->ready, &item->of_ready);
    }
    sched_wake_one(sched_of_file(&ep->file), &ep->queue);
    sim_file_notify(&ep->file, POLLIN);
}

/* What was held back may be seen. */
static void end_hold(void *arg)
{
    struct epoll_item *item = arg;

    item_fired(&item->watch, POLLIN | POLLOUT | BAD);
}

static void item_free(struct epoll_item *item)
{
    sim_timer_cancel(&sched_of_file(&item->epoll->file)->timers, &item->held);
    list_unlink(&item->watch.of_file);
    list_unlink(&item->of_epoll);
    list_unlink(&item->of_ready);
    free(item);
}

static int epoll_ready(struct sim_file *f)
{
    return list_is_empty(&container_of(f, struct epoll, file)->ready) ? 0 : POLLIN;
}

static ssize_t epoll_read(struct sim_file *f, void *buf, size_t len)
{
    return -EINVAL;
}

static ssize_t epoll_write(struct sim_file *f, const struct iovec *iov, int n)
{
    return -EINVAL;
}

static void epoll_close(struct sim_file *f)
{
    struct epoll *ep = container_of(f, struct epoll, file);

    /* A thread that a verdict stopped inside epoll_wait never returns there. */
    CHECK(list_is_empty(&ep->queue.waiting) || sched_of_file(f)->verdict != SIM_OK);
    sched_wake_all(&ep->queue);
    list_for_each_safe(&ep->items, it)
    {
        item_free(container_of(it, struct epoll_item, of_epoll));
    }
    free(ep);
}

static const struct sim_file_ops epoll_ops = {
    .ready = epoll_ready, .read = epoll_read, .write = epoll_write, .close = epoll_close};

static struct epoll *to_epoll(struct sim_file *f)
{
    return f != NULL && f->ops == &epoll_ops ? container_of(f, struct epoll, file) : NULL;
}

int sim_epoll_create(struct os *os)
{
    struct epoll *ep;
    int fd;

    sched_point(sched_of_os(os), SIM_CALL_epoll_ctl);
    ep = calloc(1, sizeof(*ep));
    if (ep == NULL) {
        return -ENOMEM;
    }
    list_init(&ep->items);
    list_init(&ep->ready);
    sched_queue_init(&ep->queue, "epoll", "an event");
    fd = sim_file_install(to_node(os), &ep->file, &epoll_ops);
    if (fd < 0) {
        free(ep);
    }
    return fd;
}

static struct epoll_item *find_item(struct epoll *ep, struct sim_file *f)
{
    list_for_each(&f->watches, it)
    {
        struct sim_watch *watch = container_of(it, struct sim_watch, of_file);

        if (watch->fn == item_fired &&
            container_of(watch, struct epoll_item, watch)->epoll == ep) {
            return container_of(watch, struct epoll_item, watch);
        }
    }
    return NULL;
}

static struct epoll_item *add_item(struct epoll *ep, struct sim_file *f)
{
    struct epoll_item *item = calloc(1, sizeof(*item));

    if (item == NULL) {
        return NULL;
    }
    item->epoll = ep;
    item->watch.file = f;
    item->watch.fn = item_fired;
    sim_timer_init(&item->held, end_hold, item);
    list_init(&item->watch.of_file);
    list_init(&item->of_epoll);
    list_init(&item->of_ready);
    list_push_back(&f->watches, &item->watch.of_file);
    list_push_back(&ep->items, &item->of_epoll);
    return item;
}

/* ADD and MOD. What is ready already is an edge, too. */
static int set_item(struct epoll *ep, struct epoll_item *item, struct sim_file *f, int mask,
                    uint64_t cookie)
{
    item = item != NULL ? item : add_item(ep, f);
    if (item == NULL) {
        return -ENOMEM;
    }
    item->mask = mask;
    item->cookie = cookie;
    item_fired(&item->watch, f->ops->ready(f));
    return 0;
}

/* A descriptor registered for edges is now for levels, or the other way round: a mask that
 * somebody forgot half of. */
static void report_mixed_mode(const struct sim_file *f)
{
    char words[100];

    if (sim_is_strict(f->node)) {
        snprintf(words, sizeof(words), "mixed_trigger_mode %.31s", f->node->base.name);
        sched_violate(f->node->env->sched, words,
                      "%s changes the trigger mode of fd %d from edge to level or back",
                      sched_of_file(f)->current->actor.name, f->fd);
    }
}

int sim_epoll_ctl(struct os *os, int epfd, enum os_epoll_op op, int fd, int mask,
                  uint64_t cookie)
{
    struct sim_file *f, *ep_file;
    struct epoll_item *item;
    struct epoll *ep;

    sched_point(sched_of_os(os), SIM_CALL_epoll_ctl);
    f = sim_file_get(to_node(os), fd);
    ep_file = sim_file_get(to_node(os), epfd);
    ep = to_epoll(ep_file);
    if (f == NULL || ep_file == NULL) {
        return sim_file_bad(to_node(os), SIM_CALL_epoll_ctl, f == NULL ? fd : epfd, -EBADF);
    }
    if (ep == NULL || f == ep_file) {
        return sim_file_bad(to_node(os), SIM_CALL_epoll_ctl, epfd, -EINVAL);
    }
    item = find_item(ep, f);
    if (op != OS_EPOLL_ADD && item == NULL) {
        return -ENOENT;
    }
    if (op == OS_EPOLL_ADD && item != NULL) {
        return -EEXIST;
    }
    if (op == OS_EPOLL_DEL) {
        item_free(item);
        return 0;
    }
    if (item != NULL && ((item->mask ^ mask) & OS_EDGE) != 0) {
        report_mixed_mode(f);
    }
    return set_item(ep, item, f, mask, cookie);
}

/* A choice of the current thread. */
static uint64_t pick(struct scheduler *s, enum sim_site site, uint64_t n)
{
    return n > 1 && sim_may_choose(s->decisions, site)
               ? sim_pick(s->decisions, site, &s->current->actor, n)
               : 0;
}

/* The one to look at next, unlinked; NULL: there is none. */
static struct epoll_item *take_ready_item(struct scheduler *s, struct epoll *ep)
{
    struct list *node = ep->ready.next;
    uint64_t n = 0;

    if (list_is_empty(&ep->ready)) {
        return NULL;
    }
    if (sim_may_choose(s->decisions, SIM_SITE_EVENT_ORDER)) {
        list_for_each(&ep->ready, it)
        {
            n += n < ORDER_MAX;
        }
        for (n = pick(s, SIM_SITE_EVENT_ORDER, n); n > 0; n--) {
            node = node->next;
        }
    }
    list_unlink(node);
    return container_of(node, struct epoll_item, of_ready);
}

/* It is ready, but seen only later. */
static bool hold_back(struct scheduler *s, struct epoll_item *item)
{
    uint64_t us = item->was_held ? 0 : pick(s, SIM_SITE_EVENT_DELAY, DELAY_US_MAX + 1);

    CHECK(!sim_timer_is_armed(&item->held));
    item->was_held = us > 0;
    if (us > 0) {
        sim_timer_arm(&s->timers, &item->held, s->now + us * NSEC_PER_USEC);
    }
    return us > 0;
}

/* Reports what is ready, at most n. Each item is looked at once. */
static int collect(struct scheduler *s, struct epoll *ep, struct os_epoll_event *events,
                   int n)
{
    struct epoll_item *item;
    struct list looked;
    int got = 0;

    list_init(&looked);
    while (got < n && (item = take_ready_item(s, ep)) != NULL) {
        struct sim_file *f = item->watch.file;
        int bits = f != NULL ? f->ops->ready(f) & poll_bits(item->mask) : 0;

        if (f == NULL) { /* closed: epoll forgets it */
            item_free(item);
        } else if (bits != 0 && !hold_back(s, item)) {
            events[got++] =
                (struct os_epoll_event){.cookie = item->cookie, .mask = os_mask(bits)};
            if ((item->mask & OS_EDGE) == 0 || pick(s, SIM_SITE_EVENT_AGAIN, 2)) {
                list_push_back(&looked, &item->of_ready);
            }
        }
    }
    list_splice_back(&ep->ready, &looked);
    return got;
}

/* At most so many of n events are told; n or more: all of them. */
static int cut_batch(struct scheduler *s, int n)
{
    int cut = n > 1 ? (int)pick(s, SIM_SITE_EVENT_BATCH, (uint64_t)n) : 0;

    return cut > 0 ? cut : INT_MAX;
}

static size_t ready_items(const struct epoll *ep)
{
    size_t n = 0;

    list_for_each(&ep->ready, it)
    {
        n++;
    }
    return n;
}

int sim_epoll_wait(struct os *os, int epfd, struct os_epoll_event *events, int n,
                   int64_t timeout_ns)
{
    const struct pollfd self = {.fd = epfd};
    struct scheduler *s = sched_of_os(os);
    struct sim_file *f;
    uint64_t deadline;
    int got;

    sched_point(s, SIM_CALL_epoll_wait);
    f = sim_file_get(to_node(os), epfd);
    if (to_epoll(f) == NULL || n <= 0) {
        return sim_file_bad(to_node(os), SIM_CALL_epoll_wait, epfd,
                            f == NULL ? -EBADF : -EINVAL);
    }
    if (sim_may_choose(s->decisions, SIM_SITE_EVENT_BATCH)) {
        int cut = cut_batch(s, (int)ready_items(to_epoll(f)));

        n = MIN(n, cut);
    }
    deadline = sched_deadline(s, timeout_ns);
    while ((got = collect(s, to_epoll(f), events, n)) == 0 && deadline > s->now) {
        CHECK(s->current->n_wait_fds == 0);
        s->current->wait_fds = &self;
        s->current->n_wait_fds = 1;
        sched_block(s, &to_epoll(f)->queue, deadline);
        s->current->n_wait_fds = 0;
    }
    if (got == 0 && timeout_ns == 0) {
        sched_idle(s);
    }
    return got;
}

/* ---- poll and select --------------------------------------------------------------- */

struct poll_watch {
    struct sim_watch watch;
    short events;
    struct sim_queue *queue; /* of the one thread that waits */
};

static void poll_fired(struct sim_watch *watch, int bits)
{
    struct poll_watch *p = container_of(watch, struct poll_watch, watch);

    if (bits & (p->events | BAD)) {
        sched_wake_all(p->queue);
    }
}

bool sim_file_is_waited_for(const struct sim_file *f)
{
    list_for_each(&f->watches, it)
    {
        if (container_of(it, struct sim_watch, of_file)->fn == poll_fired) {
            return true;
        }
    }
    return f->ops == &epoll_ops &&
           !list_is_empty(&container_of(f, struct epoll, file)->queue.waiting);
}

/* Fills revents; how many are not 0. */
static int look(struct sim_node *n, struct pollfd *fds, int n_fds)
{
    int got = 0;

    for (int i = 0; i < n_fds; i++) {
        struct sim_file *f = sim_file_get(n, fds[i].fd);
        int bits = f != NULL ? f->ops->ready(f) & (fds[i].events | BAD) : POLLNVAL;

        if (bits == POLLNVAL && fds[i].fd >= 0) {
            sim_file_bad(n, SIM_CALL_poll, fds[i].fd, -EBADF);
        }
        fds[i].revents = fds[i].fd < 0 ? 0 : (short)bits;
        got += fds[i].revents != 0;
    }
    return got;
}

/* Room for the watches of one wait; kept with the thread. */
static struct poll_watch *poll_watches(struct sim_thread *t, int n)
{
    size_t bytes = (size_t)MAX(n, 1) * sizeof(struct poll_watch);

    if (bytes > t->polls_bytes) {
        free(t->polls);
        t->polls = malloc(bytes);
        t->polls_bytes = t->polls != NULL ? bytes : 0;
    }
    return t->polls;
}

/* Waits for an edge of any of the fds, or the deadline. 0 or -ENOMEM. */
static int wait_for_any(struct sim_node *n, const struct pollfd *fds, int n_fds,
                        uint64_t deadline)
{
    struct scheduler *s = n->env->sched;
    struct sim_thread *me = s->current;
    struct poll_watch *watches = poll_watches(me, n_fds);
    struct sim_queue queue;

    if (watches == NULL) {
        return -ENOMEM;
    }
    sched_queue_init(&queue, "poll", "an event");
    for (int i = 0; i < n_fds; i++) {
        struct sim_file *f = sim_file_get(n, fds[i].fd);

        watches[i] = (struct poll_watch){.watch = {.file = f, .fn = poll_fired},
                                         .events = fds[i].events,
                                         .queue = &queue};
        list_init(&watches[i].watch.of_file);
        if (f != NULL) {
            list_push_back(&f->watches, &watches[i].watch.of_file);
        }
    }
    CHECK(me->n_wait_fds == 0);
    me->wait_fds = fds;
    me->n_wait_fds = n_fds;
    sched_block(s, &queue, deadline);
    me->n_wait_fds = 0;
    for (int i = 0; i < n_fds; i++) {
        list_unlink(&watches[i].watch.of_file);
    }
    return 0;
}

/* Of the `got` that are ready only `keep` are told, from the `first` of them on. */
static int tell_some(struct pollfd *fds, int n_fds, int got, int first, int keep)
{
    int i = 0;

    CHECK(first < got);
    CHECK(keep <= got);
    for (int k = 0; k < n_fds; k++) {
        if (fds[k].revents != 0 && (i++ - first + got) % got >= keep) {
            fds[k].revents = 0;
        }
    }
    return keep;
}

/* What is ready may be seen late, and not all of it at once. */
static int distort(struct sim_node *n, struct pollfd *fds, int n_fds, int got)
{
    struct scheduler *s = n->env->sched;
    uint64_t us = pick(s, SIM_SITE_EVENT_DELAY, DELAY_US_MAX + 1);
    struct sim_queue late;
    int first, keep;

    if (us > 0) {
        sched_queue_init(&late, "poll", "an event that comes late");
        sched_block(s, &late, s->now + us * NSEC_PER_USEC);
        got = look(n, fds, n_fds);
    }
    if (got <= 1) {
        return got;
    }
    first = (int)pick(s, SIM_SITE_EVENT_ORDER, (uint64_t)got);
    keep = cut_batch(s, got);
    return tell_some(fds, n_fds, got, first, MIN(got, keep));
}

static int poll_until(struct sim_node *n, struct pollfd *fds, int n_fds, int64_t timeout_ns)
{
    struct scheduler *s = n->env->sched;
    uint64_t deadline = sched_deadline(s, timeout_ns);
    int got, err = 0;

    while ((got = look(n, fds, n_fds)) == 0 && deadline > s->now && err == 0) {
        err = wait_for_any(n, fds, n_fds, deadline);
    }
    if (got > 0) {
        got = distort(n, fds, n_fds, got);
    }
    if (got == 0 && timeout_ns == 0) {
        sched_idle(s);
    }
    return err < 0 ? err : got;
}

int sim_poll(struct os *os, struct pollfd *fds, int n, int64_t timeout_ns)
{
    sched_point(sched_of_os(os), SIM_CALL_poll);
    return n < 0 ? -EINVAL : poll_until(to_node(os), fds, n, timeout_ns);
}

int sim_select(struct os *os, int nfds, fd_set *readable, fd_set *writable,
               int64_t timeout_ns)
{
    struct pollfd fds[FD_SETSIZE];
    int n, got;

    sched_point(sched_of_os(os), SIM_CALL_select);
    n = select_to_poll(nfds, readable, writable, fds);
    for (int i = 0; i < n; i++) {
        if (sim_file_get(to_node(os), fds[i].fd) == NULL) {
            return sim_file_bad(to_node(os), SIM_CALL_select, fds[i].fd, -EBADF);
        }
    }
    got = nfds < 0 ? -EINVAL : poll_until(to_node(os), fds, n, timeout_ns);
    return got < 0 ? got : select_from_poll(fds, n, readable, writable);
}
