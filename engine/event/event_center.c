/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_center.c: the loop and its file events. The order of a pass is the contract in
 * event_center.h; the other kinds of events are in time_events.c and external_events.c.
 */
#include "engine/event/center_impl.h"

#include <errno.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/trace.h"
#include "engine/util.h"

static void drain_notify_pipe(void *arg, int fd, int mask);

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
        center_stat_add(&c->stats.stale, 1);
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
    center_stat_add(&c->stats.file_events, (uint64_t)ran);
    return ran;
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
        uint64_t now = os_monotonic_ns(c->os),
                 due = center_to_time_event(next)->deadline_ns;

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
    center_stat_add(&c->stats.cycles, 1);
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
    ran += center_run_time_events(c);
    ran += center_run_external_events(c);
    if (ran == 0 && wait > 0) {
        center_stat_add(&c->stats.waits_empty, 1);
    }
    return ran;
}
