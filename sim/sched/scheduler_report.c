/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler_report.c: a verdict in words: each thread, its wait and its last calls. */
#include <ctype.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "engine/util.h"
#include "sim/sched/scheduler.h"

static const char *const call_names[] = {
#define X(name) #name,
    SIM_CALLS(X)
#undef X
};

static const char *const verdict_names[] = {
    "ok", "deadlock", "livelock", "zero-time loop", "time limit", "safety"};

static const char *const verdict_texts[] = {
    "",
    "nothing can go on any more",
    "threads stay busy and none of them waits",
    "so many calls at one instant: a loop in which no time passes",
    "virtual time ran out",
    "something happened that must never happen",
};

const char *sched_call_name(enum sim_call call)
{
    return call_names[call];
}

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
    if (sched_is_stopped(t)) {
        fputs(t->group->dead ? " (dead)" : " (paused)", out);
    }
    print_recent(out, t);
    fputc('\n', out);
}

char *sched_report_text(struct scheduler *s, enum sim_verdict verdict, const char *text)
{
    char *report = NULL;
    size_t bytes;
    FILE *out = open_memstream(&report, &bytes);

    if (out == NULL) {
        return NULL;
    }
    fprintf(out, "%s at %" PRIu64 ".%09" PRIu64 " s: %s\n", verdict_names[verdict],
            (uint64_t)(s->now / NSEC_PER_SEC), (uint64_t)(s->now % NSEC_PER_SEC),
            text != NULL ? text : verdict_texts[verdict]);
    if (!s->running) {
        print_thread(out, &s->host);
    }
    list_for_each(&s->all, it)
    {
        print_thread(out, container_of(it, struct sim_thread, all));
    }
    return fclose(out) == 0 ? report : NULL;
}

/* ---- signatures ------------------------------------------------------------------- */

#define WORDS_MAX 64
#define WORD_BYTES 64

/* Words, sorted, each once. */
struct words {
    char word[WORDS_MAX][WORD_BYTES];
    int n;
};

static void add_word(struct words *w, const char *word)
{
    int at = 0;

    while (at < w->n && strcmp(w->word[at], word) < 0) {
        at++;
    }
    if (w->n == WORDS_MAX || (at < w->n && strcmp(w->word[at], word) == 0)) {
        return;
    }
    memmove(w->word[at + 1], w->word[at], (size_t)(w->n - at) * WORD_BYTES);
    snprintf(w->word[at], WORD_BYTES, "%s", word);
    w->n++;
}

/* "mutex:Messenger::lock"; the end of a thread is "thread:a/one". */
static void add_wait(struct words *w, const struct sim_thread *t)
{
    const struct sim_queue *q = t->queue;
    bool joins = q->owner != NULL && q == &q->owner->ended;
    char word[WORD_BYTES];

    snprintf(word, sizeof(word), "%.20s:%.40s", joins ? "thread" : q->kind, q->name);
    for (char *c = word; *c != '\0'; c++) {
        *c = isgraph((unsigned char)*c) ? *c : '_';
    }
    add_word(w, word);
}

/* Those who wait for each other in a circle with the current thread; else whoever waits. */
static void add_waits(struct words *w, struct scheduler *s)
{
    const struct sim_thread *t = s->current;

    do {
        t = t->queue != NULL ? t->queue->owner : NULL;
    } while (t != NULL && t != s->current);
    if (t != NULL) {
        do {
            add_wait(w, t);
            t = t->queue->owner;
        } while (t != s->current);
        return;
    }
    list_for_each(&s->all, it)
    {
        const struct sim_thread *waits = container_of(it, struct sim_thread, all);

        if (!waits->done && waits->queue != NULL) {
            add_wait(w, waits);
        }
    }
}

/* The thread that does not rest, and what it calls. */
static void add_busy(struct words *w, const struct sim_thread *t)
{
    uint64_t n = MIN(t->points, (uint64_t)SIM_RECENT);

    for (uint64_t i = t->points - n; i < t->points; i++) {
        add_word(w, call_names[t->recent[i % SIM_RECENT]]);
    }
}

void sched_sign(struct scheduler *s, enum sim_verdict verdict)
{
    static const char *const class_words[] = {"ok",        "deadlock",   "livelock",
                                              "zero_time", "time_limit", "safety"};
    char *at = s->signature, *end = at + sizeof(s->signature);
    struct words words = {.n = 0};

    at += snprintf(at, sizeof(s->signature), "%s", class_words[verdict]);
    if (verdict == SIM_DEADLOCK) {
        add_waits(&words, s);
    } else if (verdict == SIM_LIVELOCK || verdict == SIM_ZERO_TIME) {
        at += snprintf(at, (size_t)(end - at), " %s", s->current->actor.name);
        add_busy(&words, s->current);
    }
    for (int i = 0; i < words.n && strlen(words.word[i]) + 2 < (size_t)(end - at); i++) {
        at += snprintf(at, (size_t)(end - at), " %s", words.word[i]);
    }
}
