/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_ask.c: the injector's questions: who asks, whether a fault happens to it, what was
 * said or drawn; and the two that any call may ask, pauses and steps of clocks.
 */
#include <errno.h>
#include <string.h>

#include "sim/faults/fault_os_impl.h"

#define COARSE_NS (4 * NSEC_PER_MSEC)
#define SUSPEND_NS (60 * NSEC_PER_SEC)
#define REALTIME_STEP_S (-3600)
#define PAUSE_NS NSEC_PER_MSEC

/* ---- asking ----------------------------------------------------------------------- */

/* The calling thread, by the name it has on its node. NULL: no memory. */
static struct fault_thread *thread_of(struct fault_os *fo)
{
    const char *name = os_thread_self(fo->inner)->name;
    struct fault_thread **threads, *t = NULL;
    char actor[2 * FAULT_NAME];

    spin_take(&fo->lock);
    for (size_t i = 0; i < fo->n_threads && t == NULL; i++) {
        t = strcmp(fo->threads[i]->name, name) == 0 ? fo->threads[i] : NULL;
    }
    if (t == NULL) {
        t = calloc(1, sizeof(*t));
        threads = realloc(fo->threads, (fo->n_threads + 1) * sizeof(struct fault_thread *));
        CHECK(t != NULL && threads != NULL); /* as the rest of the simulator */
        fo->threads = threads;
        threads[fo->n_threads++] = t;
        snprintf(t->name, sizeof(t->name), "%s", name);
        snprintf(actor, sizeof(actor), "%s/%s:os", fo->base.name, name);
        sim_faults_name_actor(fo->f, &t->actor, actor);
    }
    spin_drop(&fo->lock);
    return t;
}

void fault_place_of(struct fault_os *fo, struct fault_fd *e, struct fault_place *ret)
{
    struct fault_thread *t = thread_of(fo);

    if (e != NULL && e->peer[0] == '\0' && e->remote.ss_family != 0) {
        sim_faults_address(fo->f, (const struct sockaddr *)&e->remote, e->peer);
    }
    *ret = (struct fault_place){
        .node = fo->base.name,
        .peer = e != NULL ? e->peer : "",
        .thread = t->name,
        .actor = e != NULL ? &e->actor : &t->actor,
        .now_ns = os_monotonic_ns(fo->inner),
        .number = fo->base.node,
        .open = (uint64_t)atomic_load(&fo->open_n),
    };
}

bool fault_ask(struct fault_os *fo, enum fault_id id, struct fault_fd *e, uint64_t n,
               struct fault_shot *ret)
{
    struct fault_place place;

    if (!sim_faults_wants(fo->f, id)) {
        return false;
    }
    fault_place_of(fo, e, &place);
    return sim_faults_ask(fo->f, id, &place, n, ret);
}

int fault_errno(const struct fault_shot *shot, const int *errnos, size_t n)
{
    return shot->err != 0 ? -shot->err : -errnos[(shot->draw - 1) % n];
}

int fault_ask_errno(struct fault_os *fo, enum fault_id id, struct fault_fd *e,
                    const int *errnos, size_t n)
{
    struct fault_shot shot;

    return fault_ask(fo, id, e, n, &shot) ? fault_errno(&shot, errnos, n) : 0;
}

/* A rule's time, or the catalogue's; a drawn one is eighths of it. */
uint64_t fault_time(const struct fault_shot *shot, uint64_t catalogue_ns)
{
    if (shot->time_ns != 0) {
        return shot->time_ns;
    }
    return shot->is_drawn ? MAX(1u, catalogue_ns / 8 * shot->draw) : catalogue_ns;
}

/* Whether to pause. When not, nothing was done that another run could notice: a replay asks
 * where the run did not. */
bool fault_wants_pause(struct fault_os *fo, struct fault_fd *e, enum fault_point point,
                       uint64_t *ret_ns)
{
    struct fault_place place;
    struct fault_shot shot;

    if (!sim_faults_wants(fo->f, FAULT_T05_PAUSE)) {
        return false;
    }
    fault_place_of(fo, e, &place);
    place.point = (uint8_t)point;
    if (!sim_faults_ask(fo->f, FAULT_T05_PAUSE, &place, FAULT_TIME_DRAWS, &shot)) {
        return false;
    }
    *ret_ns = fault_time(&shot, PAUSE_NS);
    return true;
}

void fault_pause(struct fault_os *fo, struct fault_fd *e, enum fault_point point)
{
    uint64_t ns;

    if (fault_wants_pause(fo, e, point, &ns)) {
        os_sleep_ns(fo->inner, ns);
    }
}

/* ---- clocks ----------------------------------------------------------------------- */

void fault_clocks(struct fault_os *fo)
{
    struct fault_shot shot;

    if (fault_ask(fo, FAULT_T06_COARSE, NULL, FAULT_TIME_DRAWS, &shot)) {
        atomic_store(&fo->coarse_ns, fault_time(&shot, COARSE_NS));
    }
    if (fault_ask(fo, FAULT_T06_REALTIME, NULL, 2, &shot)) {
        int64_t s = shot.value != 0 ? (int64_t)shot.value : REALTIME_STEP_S;

        atomic_fetch_add(&fo->realtime_off_ns,
                         (shot.draw == 2 ? -s : s) * (int64_t)NSEC_PER_SEC);
    }
    if (fault_ask(fo, FAULT_T06_SUSPEND, NULL, FAULT_TIME_DRAWS, &shot)) {
        atomic_fetch_add(&fo->suspended_ns, fault_time(&shot, SUSPEND_NS));
    }
}
