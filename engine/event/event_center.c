/* SPDX-License-Identifier: Apache-2.0 */
/* event_center.c: the loop. The order of a pass is the contract in event_center.h. */
#include "engine/event_center.h"

#include <errno.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/trace.h"
#include "engine/util.h"

static void drain_notify_pipe(void *arg, int fd, int mask);

/* Statistics are read by other threads while the loop runs. Each has one writer at a
 * time. */
static void stat_add(uint64_t *stat, uint64_t n)
{
    __atomic_store_n(stat, __atomic_load_n(stat, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static uint64_t pack_fd(int fd, uint32_t generation)
{
    return (uint64_t)generation << 32 | (uint32_t)fd;
}

static int grow_files(struct event_center *c, int fd)
{
    uint32_t n = MAX(CENTER_INITIAL_FDS, c->n_files);
    struct file_slot *files;

    while (n <= (uint32_t)fd) {
        n *= 2;
    }
    files = realloc(c->files, n * sizeof(*files));
    if (files == NULL) {
        return -ENOMEM;
    }
    memset(files + c->n_files, 0, (n - c->n_files) * sizeof(*files));
    c->files = files;
    c->n_files = n;
    return 0;
}

/* ---- life ---- */

int event_center_init(struct event_center *c, struct os *os, uint32_t id,
                      enum event_driver_kind driver)
{
    int fds[2] = {-1, -1};
    char name[64];
    int err;

    memset(c, 0, sizeof(*c));
    c->os = os;
    c->id = id;
    c->notify_read_fd = c->notify_write_fd = -1;
    list_init(&c->external);
    err = event_driver_new(os, driver, &c->driver);
    if (err < 0) {
        goto fail;
    }
    err = os_pipe(os, fds);
    if (err < 0) {
        goto fail;
    }
    c->notify_read_fd = fds[0];
    c->notify_write_fd = fds[1];
    c->external_lock = os_mutex_new(os, "EventCenter::external_lock");
    c->submitted = os_cond_new(os, "EventCenter::submitted");
    c->fired = calloc(CENTER_EVENTS_PER_WAIT, sizeof(*c->fired));
    if (c->external_lock == NULL || c->submitted == NULL || c->fired == NULL ||
        grow_files(c, 0) < 0) {
        err = -ENOMEM;
        goto fail;
    }
    snprintf(name, sizeof(name), "%.16s.center-%u (%s)", os->name, id,
             event_driver_name(driver));
    c->trace_id = trace_object(os, TRACE_OBJECT_CENTER, 0, name);
    return 0;
fail:
    event_center_fini(c);
    return err;
}

void event_center_fini(struct event_center *c)
{
    if (c->os == NULL) {
        return;
    }
    CHECK(list_is_empty(&c->external));
    CHECK(heap_first(&c->timers) == NULL);
    if (c->driver != NULL) {
        c->driver->ops->free(c->driver);
    }
    if (c->notify_read_fd >= 0) {
        os_close(c->os, c->notify_read_fd);
        os_close(c->os, c->notify_write_fd);
    }
    os_cond_free(c->os, c->submitted);
    os_mutex_free(c->os, c->external_lock);
    free(c->files);
    free(c->fired);
    heap_fini(&c->timers);
    memset(c, 0, sizeof(*c));
}

int event_center_set_owner(struct event_center *c)
{
    const struct file_callback drain = {.fn = drain_notify_pipe, .arg = c};

    CHECK(atomic_load(&c->owner) == NULL);
    atomic_store(&c->owner, os_thread_self(c->os));
    return event_center_create_file_event(c, c->notify_read_fd, OS_READABLE, &drain);
}

void event_center_adopt(struct event_center *c)
{
    /* If that is a handle that several threads share, they are all taken for the owner:
     * harmless, as the caller is the only one who still has the center. */
    atomic_store(&c->owner, os_thread_self(c->os));
    TRACE(c->os, CENTER_ADOPT, .obj = c->trace_id);
}

bool event_center_in_thread(const struct event_center *c)
{
    return atomic_load_explicit(&c->owner, memory_order_relaxed) == os_thread_self(c->os);
}

/* ---- file events ---- */

int event_center_create_file_event(struct event_center *c, int fd, int mask,
                                   const struct file_callback *cb)
{
    struct file_slot *slot;
    uint64_t cookie;
    int err = 0;

    CHECK(event_center_in_thread(c));
    CHECK(fd >= 0);
    CHECK((mask & ~(OS_READABLE | OS_WRITABLE)) == 0 && mask != 0);
    if ((uint32_t)fd >= c->n_files && grow_files(c, fd) < 0) {
        return -ENOMEM;
    }
    slot = &c->files[fd];
    if (slot->mask == 0) {
        cookie = pack_fd(fd, slot->generation + 1);
        err = c->driver->ops->add(c->driver, fd, mask, cookie);
    } else {
        cookie = pack_fd(fd, slot->generation);
        if ((slot->mask | mask) != slot->mask) {
            err = c->driver->ops->mod(c->driver, fd, slot->mask | mask, cookie);
        }
    }
    if (err < 0) {
        return err;
    }
    slot->generation = (uint32_t)(cookie >> 32);
    slot->mask |= mask;
    if (mask & OS_READABLE) {
        slot->read = *cb;
    }
    if (mask & OS_WRITABLE) {
        slot->write = *cb;
    }
    TRACE(c->os, FILE_ADD, .obj = c->trace_id, .a0 = cookie, .val = slot->mask);
    return 0;
}

void event_center_delete_file_event(struct event_center *c, int fd, int mask)
{
    struct file_slot *slot;

    CHECK(event_center_in_thread(c));
    if (fd < 0 || (uint32_t)fd >= c->n_files) {
        return;
    }
    slot = &c->files[fd];
    if ((slot->mask & mask) == 0) {
        return;
    }
    slot->mask &= ~mask;
    if (slot->mask == 0) {
        c->driver->ops->del(c->driver, fd);
    } else {
        /* Cannot fail: the fd is watched, and a subset of what was accepted is asked
         * for. */
        CHECK(c->driver->ops->mod(c->driver, fd, slot->mask,
                                  pack_fd(fd, slot->generation)) == 0);
    }
    if (mask & OS_READABLE) {
        slot->read = (struct file_callback){0};
    }
    if (mask & OS_WRITABLE) {
        slot->write = (struct file_callback){0};
    }
    TRACE(c->os, FILE_DEL, .obj = c->trace_id, .a0 = pack_fd(fd, slot->generation),
          .val = slot->mask);
}

static void drain_notify_pipe(void *arg, int fd, int mask)
{
    struct event_center *c = arg;
    char buf[256];
    int bytes = 0;
    ssize_t n;

    (void)mask;
    while ((n = os_read(c->os, fd, buf, sizeof(buf))) > 0) {
        bytes += (int)n;
    }
    TRACE(c->os, WAKE_DRAIN, .obj = c->trace_id, .val = bytes,
          .cause = atomic_load(&c->wake_cause));
}

/* Runs the callbacks of one fired fd. The slot is looked at anew before each: the callback
 * before may have deleted, replaced or even closed and reused the fd. */
static int run_file_event(struct event_center *c, const struct fired_event *fired)
{
    int fd = (int)(uint32_t)fired->cookie;
    uint32_t generation = (uint32_t)(fired->cookie >> 32);
    struct file_callback first = {0}, cb;
    uint64_t event, before;
    int ran = 0;

    if (c->files[fd].generation != generation) {
        stat_add(&c->stats.stale, 1);
        TRACE(c->os, FILE_STALE, .obj = c->trace_id, .a0 = fired->cookie,
              .a1 = pack_fd(fd, c->files[fd].generation));
        return 0;
    }
    if ((c->files[fd].mask & fired->mask) == 0) {
        TRACE(c->os, FILE_SKIP, .obj = c->trace_id, .a0 = fired->cookie,
              .val = fired->mask);
        return 0;
    }
    event = TRACE(c->os, FILE_EVENT, .obj = c->trace_id, .a0 = fired->cookie,
                  .val = fired->mask & c->files[fd].mask, .a1 = c->cycle);
    before = TRACE_ON(c->os) ? trace_enter(c->os, event) : 0;
    if (fired->mask & c->files[fd].mask & OS_READABLE) {
        first = c->files[fd].read;
        first.fn(first.arg, fd, fired->mask);
        ran++;
    }
    if (c->files[fd].generation == generation &&
        (fired->mask & c->files[fd].mask & OS_WRITABLE)) {
        cb = c->files[fd].write;
        if (cb.fn != first.fn || cb.arg != first.arg) {
            cb.fn(cb.arg, fd, fired->mask);
            ran++;
        }
    }
    if (TRACE_ON(c->os)) {
        trace_enter(c->os, before);
    }
    stat_add(&c->stats.file_events, (uint64_t)ran);
    return ran;
}

/* ---- time events, by (deadline, id) ---- */

static struct time_event *to_time_event(struct heap_node *node)
{
    return container_of(node, struct time_event, node);
}

static bool time_is_before(const struct heap_node *left, const struct heap_node *right)
{
    const struct time_event *a = container_of(left, struct time_event, node);
    const struct time_event *b = container_of(right, struct time_event, node);

    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
                                            : a->id < b->id;
}

static void disarm_timer(struct event_center *c, struct time_event *t)
{
    heap_remove(&c->timers, &t->node, time_is_before);
    t->id = 0;
}

void time_event_init(struct time_event *t, void (*fn)(void *arg, uint64_t id), void *arg)
{
    *t = (struct time_event){.fn = fn, .arg = arg};
}

/* `now`: when the delay began. */
static int arm_timer(struct event_center *c, struct time_event *t, uint64_t now,
                     uint64_t delay_ns)
{
    CHECK(event_center_in_thread(c));
    CHECK(t->fn != NULL);
    if (time_event_is_armed(t)) {
        event_center_delete_time_event(c, t);
    }
    t->deadline_ns = now + delay_ns;
    t->id = c->next_timer_id + 1;
    if (heap_add(&c->timers, &t->node, time_is_before) < 0) {
        t->id = 0;
        return -ENOMEM;
    }
    c->next_timer_id++;
    TRACE(c->os, TIME_ADD, .obj = c->trace_id, .a0 = t->id, .a1 = delay_ns);
    return 0;
}

int event_center_create_time_event(struct event_center *c, struct time_event *t,
                                   uint64_t delay_ns)
{
    return arm_timer(c, t, os_monotonic_ns(c->os), delay_ns);
}

int event_center_create_time_event_at(struct event_center *c, struct time_event *t,
                                      uint64_t deadline_ns)
{
    uint64_t now = os_monotonic_ns(c->os);

    return arm_timer(c, t, now, deadline_ns > now ? deadline_ns - now : 0);
}

void event_center_delete_time_event(struct event_center *c, struct time_event *t)
{
    CHECK(event_center_in_thread(c));
    if (time_event_is_armed(t)) {
        TRACE(c->os, TIME_DEL, .obj = c->trace_id, .a0 = t->id);
        disarm_timer(c, t);
    }
}

/* Runs the timers that were armed before this pass and are due. One that arms itself again
 * waits for the next pass, whatever its delay. */
static int run_time_events(struct event_center *c)
{
    uint64_t newest = c->next_timer_id, now;
    struct heap_node *first;
    int ran = 0;

    if (heap_first(&c->timers) == NULL) {
        return 0;
    }
    now = os_monotonic_ns(c->os);
    while ((first = heap_first(&c->timers)) != NULL) {
        struct time_event *t = to_time_event(first);
        uint64_t id = t->id, late = now - t->deadline_ns, event, before;

        if (t->deadline_ns > now || id > newest) {
            break;
        }
        disarm_timer(c, t);
        event = TRACE(c->os, TIME_EVENT, .obj = c->trace_id, .a0 = id, .a1 = late);
        before = TRACE_ON(c->os) ? trace_enter(c->os, event) : 0;
        t->fn(t->arg, id);
        if (TRACE_ON(c->os)) {
            trace_enter(c->os, before);
        }
        ran++;
    }
    stat_add(&c->stats.time_events, (uint64_t)ran);
    return ran;
}

/* ---- external events ---- */

void external_event_init(struct external_event *ev, const char *name, void (*fn)(void *arg),
                         void *arg)
{
    *ev = (struct external_event){.fn = fn, .arg = arg, .name = name};
    list_init(&ev->node);
}

/* Counts and records a wake-up that is about to be written. Under the lock. */
static void note_wakeup(struct event_center *c)
{
    stat_add(&c->stats.wakeups, 1);
    atomic_store(&c->wake_cause,
                 TRACE(c->os, WAKEUP, .obj = c->trace_id, .a0 = c->stats.wakeups));
}

static void write_wakeup(struct event_center *c)
{
    ssize_t n = os_write(c->os, c->notify_write_fd, "w", 1);

    /* EAGAIN: the pipe is full of wake-ups nobody has read yet; one more adds nothing. */
    CHECK(n == 1 || n == -EAGAIN);
}

void event_center_wakeup(struct event_center *c)
{
    os_lock(c->os, c->external_lock);
    note_wakeup(c);
    os_unlock(c->os, c->external_lock);
    write_wakeup(c);
}

bool event_center_post(struct event_center *c, struct external_event *ev)
{
    bool wake, posted = false;

    CHECK(ev->fn != NULL);
    wake = !event_center_in_thread(c);
    os_lock(c->os, c->external_lock);
    if (TRACE_ON(c->os) && ev->name_id == 0) {
        ev->name_id = trace_string(c->os, ev->name);
    }
    if (ev->queued) {
        wake = false;
        stat_add(&c->stats.merges, 1);
        TRACE(c->os, EXT_MERGE, .obj = c->trace_id, .a1 = ev->name_id);
    } else {
        uint64_t n = atomic_fetch_add(&c->external_n, 1);

        posted = ev->queued = true;
        wake = wake && n == 0;
        ev->ordinal = ++c->post_ordinal;
        list_push_back(&c->external, &ev->node);
        stat_add(&c->stats.posts, 1);
        ev->cause = TRACE(c->os, EXT_POST, .obj = c->trace_id, .val = wake,
                          .a0 = ev->ordinal, .a1 = ev->name_id, .aux = (uint32_t)(n + 1));
        if (wake) {
            note_wakeup(c);
        }
    }
    os_unlock(c->os, c->external_lock);
    if (wake) {
        write_wakeup(c);
    }
    return posted;
}

bool event_center_cancel(struct event_center *c, struct external_event *ev)
{
    bool was_queued;

    CHECK(event_center_in_thread(c));
    os_lock(c->os, c->external_lock);
    was_queued = ev->queued;
    if (was_queued) {
        list_unlink(&ev->node);
        ev->queued = false;
        if (ev->ordinal > c->batch_ordinal) {
            atomic_fetch_sub(&c->external_n, 1);
        }
        TRACE(c->os, EXT_CANCEL, .obj = c->trace_id, .a0 = ev->ordinal);
    }
    os_unlock(c->os, c->external_lock);
    return was_queued;
}

/* Takes the next event of the batch out, so that posting it again queues it again. A copy:
 * as soon as the lock is free another thread may post the event anew. */
static bool next_external(struct event_center *c, struct list *batch,
                          struct external_event *ret)
{
    struct external_event *ev;
    struct list *node;

    os_lock(c->os, c->external_lock);
    node = list_pop_front(batch);
    if (node != NULL) {
        ev = container_of(node, struct external_event, node);
        ev->queued = false;
        *ret = *ev;
    }
    os_unlock(c->os, c->external_lock);
    return node != NULL;
}

static int run_external_events(struct event_center *c)
{
    struct external_event ev;
    struct list batch;
    int ran = 0;

    if (atomic_load(&c->external_n) == 0) {
        return 0;
    }
    list_init(&batch);
    os_lock(c->os, c->external_lock);
    list_splice_back(&batch, &c->external);
    c->batch_ordinal = c->post_ordinal;
    atomic_store(&c->external_n, 0);
    os_unlock(c->os, c->external_lock);
    while (next_external(c, &batch, &ev)) {
        uint64_t event, before;

        event = TRACE(c->os, EXT_RUN, .obj = c->trace_id, .a0 = ev.ordinal,
                      .a1 = ev.name_id, .cause = ev.cause);
        before = TRACE_ON(c->os) ? trace_enter(c->os, event) : 0;
        ev.fn(ev.arg); /* may free the event */
        if (TRACE_ON(c->os)) {
            trace_enter(c->os, before);
        }
        ran++;
    }
    stat_add(&c->stats.external_events, (uint64_t)ran);
    return ran;
}

struct submission {
    struct external_event ev;
    struct event_center *center;
    void (*fn)(void *arg);
    void *arg;
    bool done; /* under external_lock */
};

static void run_submission(void *arg)
{
    struct submission *s = arg;
    struct event_center *c = s->center;

    s->fn(s->arg);
    os_lock(c->os, c->external_lock);
    s->done = true; /* and s is gone as soon as the lock is free */
    os_cond_broadcast(c->os, c->submitted);
    os_unlock(c->os, c->external_lock);
}

void event_center_submit(struct event_center *c, void (*fn)(void *arg), void *arg)
{
    struct submission s = {.center = c, .fn = fn, .arg = arg};

    if (event_center_in_thread(c)) {
        fn(arg);
        return;
    }
    external_event_init(&s.ev, "submit", run_submission, &s);
    event_center_post(c, &s.ev);
    os_lock(c->os, c->external_lock);
    while (!s.done) {
        os_cond_wait(c->os, c->submitted, c->external_lock, -1);
    }
    os_unlock(c->os, c->external_lock);
}

/* ---- the loop ---- */

static int64_t wait_time(struct event_center *c, int64_t timeout_ns)
{
    int64_t wait = timeout_ns < 0 ? (int64_t)CENTER_WAIT_MAX_NS : timeout_ns;
    struct heap_node *next = heap_first(&c->timers);

    if (atomic_load(&c->external_n) > 0) {
        return 0;
    }
    if (next != NULL) {
        uint64_t now = os_monotonic_ns(c->os), due = to_time_event(next)->deadline_ns;

        wait = due <= now ? 0 : MIN(wait, (int64_t)(due - now));
    }
    return MIN(wait, (int64_t)CENTER_WAIT_MAX_NS);
}

void event_center_stats(const struct event_center *c, struct event_center_stats *ret)
{
#define COPY(field) ret->field = __atomic_load_n(&c->stats.field, __ATOMIC_RELAXED)
    COPY(cycles);
    COPY(waits_empty);
    COPY(file_events);
    COPY(time_events);
    COPY(external_events);
    COPY(posts);
    COPY(merges);
    COPY(wakeups);
    COPY(stale);
#undef COPY
}

int event_center_process(struct event_center *c, int64_t timeout_ns)
{
    int64_t wait = wait_time(c, timeout_ns);
    uint64_t slept = 0, entered;
    int fired, ran = 0;

    CHECK(event_center_in_thread(c));
    c->cycle++;
    stat_add(&c->stats.cycles, 1);
    if (TRACE_ON(c->os)) {
        entered = os_monotonic_ns(c->os);
        trace_enter(c->os, 0);
        TRACE(c->os, WAIT_ENTER, .obj = c->trace_id, .a0 = (uint64_t)wait, .a1 = c->cycle);
        fired = c->driver->ops->wait(c->driver, c->fired, CENTER_EVENTS_PER_WAIT, wait);
        slept = os_monotonic_ns(c->os) - entered;
        TRACE(c->os, WAIT_EXIT, .obj = c->trace_id, .val = fired, .a0 = slept,
              .a1 = c->cycle);
    } else {
        fired = c->driver->ops->wait(c->driver, c->fired, CENTER_EVENTS_PER_WAIT, wait);
    }
    CHECK(fired >= 0);
    for (int i = 0; i < fired; i++) {
        ran += run_file_event(c, &c->fired[i]);
    }
    ran += run_time_events(c);
    ran += run_external_events(c);
    if (ran == 0 && wait > 0) {
        stat_add(&c->stats.waits_empty, 1);
    }
    return ran;
}
