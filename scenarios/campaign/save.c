/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/campaign/save.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/run/record.h"
#include "sim/campaign/process.h"

/* ---- the sink --------------------------------------------------------------------- */

struct decision_sink *decision_sink_new(void)
{
    return process_share(DECISION_SINK_BYTES);
}

void decision_sink_free(struct decision_sink *sink)
{
    process_unshare(sink, DECISION_SINK_BYTES);
}

/* Counted as written only when it is whole. */
void decision_sink_add(void *arg, const struct sim_decisions *d,
                       const struct sim_decision *it)
{
    struct decision_sink *sink = arg;
    size_t len = sink->len, room = DECISION_SINK_BYTES - sizeof(*sink) - len;
    int n =
        snprintf(sink->text + len, room, "%s %s %" PRIu32 " %" PRIu64 "\n",
                 sim_site_name(it->site), d->names[it->actor], it->occurrence, it->value);

    if (sink->full || n < 0 || (size_t)n >= room) {
        sink->full = true;
        return;
    }
    sink->len = len + (size_t)n;
}

/* ---- the run, once more ------------------------------------------------------------ */

struct saving {
    struct run_opts opts;
    struct decision_sink *sink;
    struct report_saved *saved;
};

static int run_again(void *arg, struct process *self)
{
    struct run_outcome outcome;
    struct retold told;

    run_scenario(arg, &outcome);
    memset(&told, 0, sizeof(told));
    told.hash = outcome.hash;
    told.script = outcome.script;
    told.code = outcome.code;
    told.hashed = outcome.hashed;
    memcpy(told.signature, outcome.signature, sizeof(told.signature));
    process_send(self, &told, sizeof(told));
    return 0;
}

/* The end of a process that did not tell. */
static void retell(const struct process_end *end, bool killed, struct campaign_result *ret)
{
    ret->end = killed ? CAMPAIGN_HUNG : CAMPAIGN_CRASHED;
    if (killed) {
        snprintf(ret->signature, sizeof(ret->signature), "timeout real");
    } else {
        process_sign_end(end, ret->signature, sizeof(ret->signature));
    }
}

int campaign_run_apart(struct os *os, const struct run_opts *opts, uint64_t real_max_ns,
                       struct retold *ret_told, struct campaign_result *ret)
{
    struct run_opts quiet = *opts;
    struct process process;
    struct process_end end;
    uint64_t began = os_monotonic_ns(os);
    bool killed = false;
    int rc;

    quiet.quiet = quiet.bare = true;
    rc = process_start(os, run_again, &quiet, &process);
    if (rc < 0) {
        return rc;
    }
    while ((rc = process_receive(&process, ret_told, sizeof(*ret_told))) == 0) {
        struct pollfd fd = {.fd = process.fd, .events = POLLIN};

        os_poll(os, &fd, 1, 50 * (int64_t)NSEC_PER_MSEC);
        if (!killed && os_monotonic_ns(os) - began > real_max_ns) {
            killed = true;
            process_kill(&process);
        }
    }
    process_reap(&process, &end);
    *ret = (struct campaign_result){.end = CAMPAIGN_FAILED};
    if (rc < 0) {
        memset(ret_told, 0, sizeof(*ret_told));
        retell(&end, killed, ret);
        return 0;
    }
    ret->end = ret_told->code == EXIT_OK ? CAMPAIGN_PASSED : CAMPAIGN_FAILED;
    ret->code = ret_told->code;
    ret->hashed = ret_told->hashed;
    ret->hash[0] = ret_told->hash.high;
    ret->hash[1] = ret_told->hash.low;
    snprintf(ret->signature, sizeof(ret->signature), "%s", ret_told->signature);
    return 0;
}

/* ---- the record ------------------------------------------------------------------- */

/* mkdir -p. */
static int make_dir(const char *dir)
{
    char path[512];

    snprintf(path, sizeof(path), "%s", dir);
    for (char *p = path + 1;; p++) {
        char c = *p;

        if (c == '/' || c == '\0') {
            *p = '\0';
            if (mkdir(path, 0777) < 0 && errno != EEXIST) {
                return -errno;
            }
            *p = c;
        }
        if (c == '\0') {
            return 0;
        }
    }
}

/* "hello-safety-1a2b3c4d.rec": the same failure has the same name. */
static void name_file(const char *dir, const char *script, const char *signature, char *ret,
                      size_t size)
{
    const char *base = strrchr(script, '/');
    struct trace_hash hash;

    base = base != NULL ? base + 1 : script;
    trace_hash_init(&hash);
    trace_hash_add(&hash, signature, strlen(signature));
    snprintf(ret, size, "%s/%.*s-%.*s-%08" PRIx64 ".rec", dir,
             (int)MIN(strcspn(base, "."), (size_t)100), base,
             (int)MIN(strcspn(signature, " "), (size_t)20), signature,
             hash.low & 0xffffffff);
}

static void write_down(const struct saving *s, const char *dir, const struct retold *told,
                       const struct campaign_result *now)
{
    struct run_outcome outcome = {.code = report_code(now),
                                  .hash = told->hash,
                                  .hashed = told->hashed,
                                  .script = told->script};
    struct report_saved *saved = s->saved;
    struct record record;
    int rc = make_dir(dir);

    if (rc < 0) {
        snprintf(saved->error, sizeof(saved->error), "cannot make %s: %s", dir,
                 strerror(-rc));
        return;
    }
    outcome.decisions = s->sink->full ? NULL : s->sink->text;
    record_of_run(&s->opts, &outcome, &record);
    record.outcome = now->signature;
    name_file(dir, s->opts.script, now->signature[0] != '\0' ? now->signature : "ok",
              saved->path, sizeof(saved->path));
    if (record_write(saved->path, &record, saved->error, sizeof(saved->error)) < 0) {
        saved->path[0] = '\0';
        return;
    }
    saved->logged = record.log;
    saved->decisions = record.n_decisions;
}

static bool is_same(const struct campaign_result *a, const struct campaign_result *b)
{
    return a->end == b->end && strcmp(a->signature, b->signature) == 0 &&
           (!a->hashed || !b->hashed || memcmp(a->hash, b->hash, sizeof(a->hash)) == 0);
}

void campaign_save(struct os *os, const struct run_opts *run, const char *dir,
                   const struct campaign_result *failure, uint64_t real_max_ns,
                   struct report_saved *ret)
{
    struct saving s = {.opts = *run, .sink = decision_sink_new(), .saved = ret};
    struct campaign_result now;
    struct retold told;
    int rc = s.sink != NULL ? 0 : -ENOMEM;

    snprintf(ret->signature, sizeof(ret->signature), "%s", failure->signature);
    ret->seed = failure->seed;
    ret->error[0] = ret->path[0] = ret->other[0] = '\0';
    s.opts.world.seed = failure->seed;
    s.opts.log = true;
    if (rc == 0) {
        s.opts.world.on_decision = decision_sink_add;
        s.opts.world.decision_arg = s.sink;
        rc = campaign_run_apart(os, &s.opts, real_max_ns, &told, &now);
    }
    if (rc < 0) {
        snprintf(ret->error, sizeof(ret->error), "cannot run it again: %s", strerror(-rc));
    } else {
        ret->repeats = is_same(failure, &now);
        memcpy(ret->other, now.signature, sizeof(ret->other));
        write_down(&s, dir, &told, &now);
    }
    decision_sink_free(s.sink);
}
