/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_center.c: what an event center may do, and who owns which descriptor.
 *
 *   pass:  WAIT_ENTER  WAIT_EXIT  FILE_EVENT...  TIME_EVENT...  EXT_RUN...
 */
#include <inttypes.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/util.h"
#include "sim/check/checkers_impl.h"

/* ---- the order of a pass, and its thread ------------------------------------------- */

static const char *const phase_names[] = {"between two passes", "in the driver's wait",
                                          "at file events", "at time events",
                                          "at external events"};

/* A callback of that phase begins. */
static void enter_phase(struct checkers *c, const struct check_object *o,
                        const struct trace_record *r, enum check_phase phase)
{
    struct check_center *center = o->center;

    CHECK(phase >= PHASE_FILES);
    if (center->owner != r->thread) {
        check_fail(c, o->node, "owner_thread",
                   "%s runs a callback on thread %u, and is "
                   "owned by thread %d",
                   o->name, r->thread, center->owner);
    } else if (center->phase < PHASE_FILES || center->phase > phase) {
        check_fail(c, o->node, "callback_order",
                   "%s runs a callback of '%s' while it is %s: file, time and external "
                   "events come in this order, once a pass",
                   o->name, phase_names[phase], phase_names[center->phase]);
    }
    center->phase = phase;
}

/* ---- spinning ---------------------------------------------------------------------- */

static struct check_center *center_of_thread(struct checkers *c,
                                             const struct trace_record *r)
{
    const uint32_t *centers = c->nodes[r->node].centers;
    struct check_object *o;

    if (centers == NULL || centers[r->thread] == 0) {
        return NULL;
    }
    o = check_object(c, centers[r->thread], TRACE_OBJECT_CENTER);
    return o != NULL ? o->center : NULL;
}

void check_center_progress(struct checkers *c, const struct trace_record *r)
{
    struct check_center *center = center_of_thread(c, r);

    if (center != NULL) {
        center->progress = true;
    }
}

/* Others of the same center wait meanwhile. */
void check_center_read(struct checkers *c, const struct trace_record *r)
{
    struct check_center *center = center_of_thread(c, r);

    if (center == NULL || r->val <= 0) {
        return;
    }
    center->event_bytes += (uint64_t)r->val;
    if (center->event_bytes > READ_BYTES_PER_EVENT) {
        check_fail(c, r->node, "worker_hog",
                   "one event has read %" PRIu64 " bytes, and the others of its center "
                   "wait; at most %u are its share",
                   center->event_bytes, READ_BYTES_PER_EVENT);
    }
}

void check_center_vain(struct checkers *c, const struct trace_record *r, const char *what)
{
    struct check_center *center = center_of_thread(c, r);

    if (center != NULL) {
        center->idle_what = what;
    }
}

/* A pass is over: did it get anywhere, or at least sleep? */
static void judge_pass(struct checkers *c, const struct check_object *o, uint64_t now)
{
    struct check_center *center = o->center;
    bool slept = center->timeout_ns > 0 && center->slept_ns * 2 >= center->timeout_ns;

    CHECK(o->class_ == TRACE_OBJECT_CENTER);
    if (center->progress || slept) {
        center->idle_passes = 0;
    } else {
        center->idle_since_ns = center->idle_passes == 0 ? now : center->idle_since_ns;
        center->idle_passes++;
    }
    if (now - center->idle_since_ns > CHECK_IDLE_PASSES * (uint64_t)CHECK_IDLE_PASS_NS) {
        center->idle_passes = 0; /* slow, for a loop */
    }
    if (center->idle_passes > CHECK_IDLE_PASSES) {
        check_fail(c, o->node, "busy_loop",
                   "%s went through %" PRIu32 " passes in %" PRIu64
                   " ns without sleeping or getting on; each ends with %s",
                   o->name, center->idle_passes, now - center->idle_since_ns,
                   center->idle_what != NULL ? center->idle_what : "nothing at all");
    }
    center->progress = false;
}

/* ---- timers ------------------------------------------------------------------------ */

static struct check_timer *find_timer(struct check_center *center, uint64_t id)
{
    for (uint32_t i = 0; i < center->n_timers; i++) {
        if (center->timers[i].id == id) {
            return &center->timers[i];
        }
    }
    return NULL;
}

static void add_timer(struct check_center *center, const struct trace_record *r)
{
    if (center->n_timers == center->cap_timers) {
        uint32_t cap = center->cap_timers == 0 ? 8 : center->cap_timers * 2;
        struct check_timer *grown = realloc(center->timers, cap * sizeof(*grown));

        CHECK(grown != NULL); /* as many as the center itself has */
        center->timers = grown;
        center->cap_timers = cap;
    }
    center->timers[center->n_timers++] =
        (struct check_timer){.id = r->a0, .deadline_ns = r->ts + r->a1};
}

static void remove_timer(struct checkers *c, const struct check_object *o, uint64_t id)
{
    struct check_timer *t = find_timer(o->center, id);

    if (t == NULL) {
        check_fail(c, o->node, "callback_order",
                   "%s runs or deletes timer %" PRIu64 ", which is not armed", o->name, id);
        return;
    }
    CHECK(o->center->n_timers > 0);
    *t = o->center->timers[--o->center->n_timers];
}

/* The driver's wait is over: whatever is due now runs in this pass or in the next. */
static void look_at_due_timers(struct checkers *c, const struct check_object *o,
                               uint64_t now)
{
    CHECK(o->class_ == TRACE_OBJECT_CENTER);
    for (uint32_t i = 0; i < o->center->n_timers; i++) {
        struct check_timer *t = &o->center->timers[i];

        if (t->deadline_ns <= now && ++t->passes > CHECK_TIMER_PASSES) {
            check_fail(c, o->node, "timer_starved",
                       "a timer of %s has been due for %" PRIu64 " ns and %" PRIu32
                       " passes; it runs in the pass that finds it due, or the next",
                       o->name, now - t->deadline_ns, t->passes);
        }
    }
}

/* ---- external events ---------------------------------------------------------------- */

static bool is_asleep(const struct check_center *center)
{
    return center->phase == PHASE_WAITING && center->timeout_ns > 0;
}

static void look_for_lost_wakeup(struct checkers *c, const struct check_object *o)
{
    const struct check_center *center = o->center;

    if (is_asleep(center) && center->queued > 0 && center->wakeups == 0) {
        check_fail(c, o->node, "lost_wakeup",
                   "%s sleeps for up to %" PRIu64 " ns over %" PRIu64
                   " external events, and nothing is in its notify pipe to wake it",
                   o->name, center->timeout_ns, center->queued);
    }
}

static void note_post(struct checkers *c, const struct check_object *o,
                      const struct trace_record *r)
{
    struct check_center *center = o->center;

    CHECK(o->class_ == TRACE_OBJECT_CENTER);
    center->queued++;
    if (r->thread != center->owner) {
        center->progress = true; /* somebody else keeps it busy */
    }
    if (r->val == 0) { /* else the record of the wake-up follows at once */
        look_for_lost_wakeup(c, o);
    }
}

static void take_external(struct checkers *c, const struct check_object *o)
{
    CHECK(o->class_ == TRACE_OBJECT_CENTER);
    if (o->center->queued == 0) {
        check_fail(c, o->node, "external_order",
                   "%s runs or cancels an external event, and none is queued", o->name);
        return;
    }
    o->center->queued--;
}

static void run_external(struct checkers *c, const struct check_object *o,
                         const struct trace_record *r)
{
    enter_phase(c, o, r, PHASE_EXTERNALS);
    if (r->a0 <= o->center->last_ran) {
        check_fail(c, o->node, "external_order",
                   "%s runs external event %" PRIu64 " after %" PRIu64
                   "; they run as they were posted",
                   o->name, r->a0, o->center->last_ran);
    }
    o->center->last_ran = r->a0;
    o->center->idle_what = "an external event";
    take_external(c, o);
}

/* ---- descriptors ------------------------------------------------------------------- */

/* NULL: a number that cannot be one. */
static struct check_fd *fd_slot(struct checkers *c, uint8_t node, int fd)
{
    struct check_node *n = &c->nodes[node];

    if (fd < 0) {
        return NULL;
    }
    if ((uint32_t)fd >= n->n_fds) {
        uint32_t more = MAX(64u, MAX(n->n_fds * 2, (uint32_t)fd + 1));
        struct check_fd *grown = realloc(n->fds, more * sizeof(*grown));

        CHECK(grown != NULL); /* as many as the node has descriptors */
        memset(grown + n->n_fds, 0, (more - n->n_fds) * sizeof(*grown));
        n->fds = grown;
        n->n_fds = more;
    }
    return &n->fds[fd];
}

static const char *object_name(const struct checkers *c, uint32_t id)
{
    return id < c->n_objects ? c->objects[id].name : "?";
}

void check_fd_is_new(struct checkers *c, uint8_t node, int fd, const char *owner)
{
    const struct check_fd *slot = fd_slot(c, node, fd);

    if (slot != NULL && slot->center != 0) {
        check_fail(c, node, "fd_two_owners",
                   "%s gets the new descriptor %d, which %s still watches for its former "
                   "owner",
                   owner, fd, object_name(c, slot->center));
    }
}

static void note_registration(struct checkers *c, const struct check_object *o,
                              const struct trace_record *r)
{
    int fd = (int)(uint32_t)r->a0;
    struct check_fd *slot = fd_slot(c, o->node, fd);

    if (slot == NULL) {
        check_fail(c, o->node, "bad_fd", "%s watches descriptor %d", o->name, fd);
        return;
    }
    if (slot->center != 0 && slot->center != r->obj) {
        check_fail(c, o->node, "fd_two_owners",
                   "%s watches descriptor %d, and so does %s: one of them has a number "
                   "that was given out again",
                   o->name, fd, object_name(c, slot->center));
    }
    *slot = (struct check_fd){.center = r->val != 0 ? r->obj : 0,
                              .generation = (uint32_t)(r->a0 >> 32),
                              .mask = r->val};
}

static void run_file(struct checkers *c, const struct check_object *o,
                     const struct trace_record *r)
{
    int fd = (int)(uint32_t)r->a0;
    const struct check_fd *slot = fd_slot(c, o->node, fd);

    enter_phase(c, o, r, PHASE_FILES);
    o->center->idle_what = "a file event";
    if (slot == NULL || slot->center != r->obj ||
        slot->generation != (uint32_t)(r->a0 >> 32) || (r->val & ~slot->mask) != 0) {
        check_fail(c, o->node, "stale_event",
                   "%s delivers an event of descriptor %d, which it does not watch for "
                   "that any more",
                   o->name, fd);
    }
}

void check_fds_finish(struct checkers *c, uint8_t node)
{
    for (uint32_t fd = 0; fd < c->nodes[node].n_fds; fd++) {
        if (c->nodes[node].fds[fd].center != 0) {
            check_fail(c, node, "leak watched_fd", "%s still watches descriptor %u",
                       object_name(c, c->nodes[node].fds[fd].center), fd);
        }
    }
}

/* ---- records ----------------------------------------------------------------------- */

static void remember_owner(struct checkers *c, const struct trace_record *r)
{
    struct check_node *n = &c->nodes[r->node];

    if (n->centers == NULL) {
        n->centers = calloc(CHECK_NODES, sizeof(*n->centers));
        CHECK(n->centers != NULL);
    }
    n->centers[r->thread] = r->obj;
}

static void begin_wait(struct checkers *c, const struct check_object *o,
                       const struct trace_record *r)
{
    struct check_center *center = o->center;

    CHECK(o->class_ == TRACE_OBJECT_CENTER);
    if (center->owner < 0) {
        center->owner = r->thread;
        remember_owner(c, r);
    } else {
        judge_pass(c, o, check_now(c, r));
    }
    if (center->phase == PHASE_WAITING || center->owner != r->thread) {
        check_fail(c, o->node, "owner_thread", "%s waits on thread %u, and is owned by %d",
                   o->name, r->thread, center->owner);
    }
    center->phase = PHASE_WAITING;
    center->timeout_ns = r->a0;
    center->asleep_ns = check_now(c, r);
    center->idle_what = NULL;
    check_silence_pass_ends(c, center, r);
    look_for_lost_wakeup(c, o);
}

static void end_wait(struct checkers *c, const struct check_object *o,
                     const struct trace_record *r)
{
    struct check_center *center = o->center;

    CHECK(o->class_ == TRACE_OBJECT_CENTER);
    center->phase = PHASE_FILES;
    center->slept_ns = check_now(c, r) - center->asleep_ns;
    look_at_due_timers(c, o, r->ts);
    check_silence_pass_begins(c, center, r);
}

/* The loop has ended, or never ran: the thread that cleans up owns the center now.
 * Nobody may be in it. */
static void adopt(struct checkers *c, const struct check_object *o,
                  const struct trace_record *r)
{
    if (o->center->phase == PHASE_WAITING) {
        check_fail(c, o->node, "owner_thread",
                   "%s is adopted by thread %u while thread %d waits in it", o->name,
                   r->thread, o->center->owner);
    }
    o->center->owner = r->thread;
    o->center->phase = PHASE_OUTSIDE;
}

static void run_timer(struct checkers *c, const struct check_object *o,
                      const struct trace_record *r)
{
    enter_phase(c, o, r, PHASE_TIMES);
    o->center->idle_what = "a time event";
    remove_timer(c, o, r->a0);
}

void check_center_record(struct checkers *c, const struct trace_record *r)
{
    struct check_object *o = check_object(c, r->obj, TRACE_OBJECT_CENTER);

    if (o == NULL) {
        return;
    }
    if (r->kind == TP_FILE_EVENT || r->kind == TP_EXT_RUN || r->kind == TP_TIME_EVENT) {
        o->center->event_bytes = 0;
    }
    switch (r->kind) {
    case TP_WAIT_ENTER:
        begin_wait(c, o, r);
        break;
    case TP_WAIT_EXIT:
        end_wait(c, o, r);
        break;
    case TP_CENTER_ADOPT:
        adopt(c, o, r);
        break;
    case TP_FILE_ADD:
    case TP_FILE_DEL:
        note_registration(c, o, r);
        break;
    case TP_FILE_EVENT:
        run_file(c, o, r);
        break;
    case TP_EXT_POST:
        note_post(c, o, r);
        break;
    case TP_EXT_RUN:
        run_external(c, o, r);
        break;
    case TP_EXT_CANCEL:
        take_external(c, o);
        break;
    case TP_WAKEUP:
        o->center->wakeups++;
        break;
    case TP_WAKE_DRAIN:
        o->center->wakeups -= MIN(o->center->wakeups, (uint64_t)MAX(r->val, 0));
        o->center->progress = o->center->progress || r->val > 0;
        break;
    case TP_TIME_ADD:
        add_timer(o->center, r);
        break;
    case TP_TIME_DEL:
        remove_timer(c, o, r->a0);
        break;
    case TP_TIME_EVENT:
        run_timer(c, o, r);
        break;
    default: /* stale and skipped events are caught by the center itself */
        break;
    }
}

void check_center_finish(struct checkers *c, const struct check_object *o)
{
    if (o->center->n_timers > 0) {
        check_fail(c, o->node, "leak timer", "%s ended with %" PRIu32 " timers armed",
                   o->name, o->center->n_timers);
    }
    if (o->center->queued > 0) {
        check_fail(c, o->node, "leak external_event",
                   "%s ended with %" PRIu64 " external events queued", o->name,
                   o->center->queued);
    }
}
