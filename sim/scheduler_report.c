/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler_report.c: a verdict in words: each thread, its wait and its last calls. */
#include <inttypes.h>

#include "engine/util.h"
#include "sim/scheduler.h"

static const char *const call_names[] = {
#define X(name) #name,
    SIM_CALLS(X)
#undef X
};

static const char *const verdict_names[] = {"ok", "deadlock", "livelock", "zero-time loop",
                                            "time limit"};

static const char *const verdict_texts[] = {
    "",
    "nothing can go on any more",
    "threads stay busy and none of them waits",
    "so many calls at one instant: a loop in which no time passes",
    "virtual time ran out",
};

const char *sim_verdict_name(enum sim_verdict verdict)
{
    return verdict_names[verdict];
}

/* The last points of a thread, oldest first. */
static void print_recent(FILE *out, const struct sim_thread *t)
{
    uint64_t n = MIN(t->points, (uint64_t)SIM_RECENT);

    fputs(n > 0 ? "; last calls:" : "", out);
    for (uint64_t i = t->points - n; i < t->points; i++) {
        fprintf(out, " %s", call_names[t->recent[i % SIM_RECENT]]);
    }
}

static void print_wait(FILE *out, const struct sim_thread *t)
{
    const struct sim_queue *q = t->queue;

    fprintf(out, "waits for %s \"%s\"", q->kind, q->name);
    if (q->owner != NULL && q != &q->owner->ended) {
        fprintf(out, " held by %s", q->owner == t ? "itself" : q->owner->actor.name);
    }
    for (int i = 0; i < t->n_wait_fds; i++) {
        fprintf(out, "%s%d", i == 0 ? " of fd " : ", ", t->wait_fds[i].fd);
    }
    if (sim_timer_is_armed(&t->timer)) {
        fprintf(out, " for another %" PRIu64 " ns", t->timer.at - t->sched->now);
    }
}

static void print_thread(FILE *out, const struct sim_thread *t)
{
    if (t->done) {
        return;
    }
    fprintf(out, "  %-24s ", t->actor.name);
    if (t->queue != NULL) {
        print_wait(out, t);
    } else {
        fputs(t == t->sched->current ? "runs" : "is ready to run", out);
    }
    print_recent(out, t);
    fputc('\n', out);
}

char *sched_report_text(struct scheduler *s, enum sim_verdict verdict)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (out == NULL) {
        return NULL;
    }
    fprintf(out, "%s at %" PRIu64 ".%09" PRIu64 " s: %s\n", verdict_names[verdict],
            (uint64_t)(s->now / NSEC_PER_SEC), (uint64_t)(s->now % NSEC_PER_SEC),
            verdict_texts[verdict]);
    if (!s->running) {
        print_thread(out, &s->host);
    }
    list_for_each(&s->all, it)
    {
        print_thread(out, container_of(it, struct sim_thread, all));
    }
    return fclose(out) == 0 ? text : NULL;
}
