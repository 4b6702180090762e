/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/run.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "scenarios/lua_api.h"
#include "viz/join.h"
#include "viz/trace_reader.h"

#define LEAK_WAIT_NS                                                                       \
    (2 * NSEC_PER_SEC) /* threads leave /proc a little after they are joined */

/* ---- stopping ---------------------------------------------------------------------- */

/* The one thing a signal handler may touch. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The second Ctrl-C finds the default action, which ends the process at once. */
static void watch_signals(struct sigaction before[2])
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

    interrupted = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before[0]);
    sigaction(SIGTERM, &action, &before[1]);
}

static void restore_signals(const struct sigaction before[2])
{
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
}

bool run_is_stopped(void *arg)
{
    struct run *run = arg;
    int goes_on = RUN_GOES_ON;

    if (interrupted) {
        atomic_compare_exchange_strong(&run->stopped, &goes_on, RUN_INTERRUPTED);
    } else if (os_monotonic_ns(run->world.os) >= run->deadline_ns) {
        atomic_compare_exchange_strong(&run->stopped, &goes_on, RUN_TIMED_OUT);
    }
    return run->stopped != RUN_GOES_ON;
}

/* ---- the watchdog ------------------------------------------------------------------ */

/* Ends the process when the run is past its limit and nothing it can do itself has helped:
 * a script inside a function of C, or a messenger that does not end. */
struct watchdog {
    struct run *run;
    struct os_mutex *lock;
    struct os_cond *wake;
    struct os_thread *thread;
    bool done;
};

static void bark(struct run *run)
{
    static const char *const what[] = {"in the script", "waiting for expectations",
                                       "shutting the nodes down", "reading the trace",
                                       "ending"};

    fprintf(stderr,
            "msgrlab run: the time limit passed %s, and nothing moves any more.\n"
            "What was recorded so far is in the trace. Giving up.\n",
            what[run->phase]);
    _exit(EXIT_TIMEOUT);
}

static void watch(void *arg)
{
    struct watchdog *dog = arg;
    struct os *os = dog->run->world.os;
    uint64_t until = dog->run->deadline_ns + RUN_GRACE_NS;

    os_lock(os, dog->lock);
    while (!dog->done) {
        uint64_t now = os_monotonic_ns(os);

        if (now >= until) {
            bark(dog->run);
        }
        os_cond_wait(os, dog->wake, dog->lock, (int64_t)(until - now));
    }
    os_unlock(os, dog->lock);
}

static void watchdog_stop(struct watchdog *dog)
{
    struct os *os = dog->run->world.os;

    if (dog->thread != NULL) {
        os_lock(os, dog->lock);
        dog->done = true;
        os_cond_broadcast(os, dog->wake);
        os_unlock(os, dog->lock);
        os_thread_join(dog->thread);
    }
    os_cond_free(os, dog->wake);
    os_mutex_free(os, dog->lock);
}

static int watchdog_start(struct watchdog *dog, struct run *run)
{
    struct os *os = run->world.os;

    dog->run = run;
    dog->lock = os_mutex_new(os, "watchdog");
    dog->wake = os_cond_new(os, "watchdog.wake");
    if (dog->lock == NULL || dog->wake == NULL) {
        return -ENOMEM;
    }
    return os_thread_start(os, "watchdog", watch, dog, &dog->thread);
}

/* ---- leaks ------------------------------------------------------------------------- */

/* Entries of a directory of /proc/self; -1: it cannot be read. */
static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    if (dir == NULL) {
        return -1;
    }
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

struct census {
    int fds, threads;
};

static struct census take_census(void)
{
    return (struct census){count_entries("/proc/self/fd"),
                           count_entries("/proc/self/task")};
}

static void look_for_leaks(struct run *run, const struct census *before)
{
    uint64_t until = os_monotonic_ns(run->world.os) + LEAK_WAIT_NS;
    struct census now = take_census();
    char *out = run->leak;
    size_t room = sizeof(run->leak);

    while ((now.threads > before->threads || now.fds > before->fds) &&
           os_monotonic_ns(run->world.os) < until) {
        os_sleep_ns(run->world.os, NSEC_PER_MSEC);
        now = take_census();
    }
    if (now.fds != before->fds) {
        snprintf(out, room, "%d descriptors are open, %d were before the run", now.fds,
                 before->fds);
    } else if (now.threads != before->threads) {
        snprintf(out, room, "%d threads are there, %d were before the run", now.threads,
                 before->threads);
    }
    for (int i = 0; i < run->lab->n_nodes && out[0] == '\0'; i++) {
        const struct lab_node *node = run->lab->nodes[i];

        if (node->leaked) {
            snprintf(out, room,
                     "node %s still has %llu connections, %llu in handshake, %llu messages "
                     "to dispatch",
                     node->opts.name,
                     (unsigned long long)node->counters[LAB_COUNTER_connections],
                     (unsigned long long)node->counters[LAB_COUNTER_accepting],
                     (unsigned long long)node->counters[LAB_COUNTER_dispatch_depth]);
        }
    }
}

/* ---- the script -------------------------------------------------------------------- */

/* The whole file. 0 or a negative errno; *ret is the caller's. */
static int read_script(const char *path, char **ret, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t len = 0;
    int rc = 0;

    if (file == NULL) {
        return -errno;
    }
    text = malloc(LUA_HOST_SCRIPT_MAX + 1);
    if (text == NULL) {
        rc = -ENOMEM;
    } else {
        len = fread(text, 1, LUA_HOST_SCRIPT_MAX + 1, file);
        rc = ferror(file) ? -EISDIR : len > LUA_HOST_SCRIPT_MAX ? -EFBIG : 0;
    }
    fclose(file);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

/* A call into the script's side; false: no more calls. */
static bool call(struct run *run, int n_args)
{
    if (lua_host_call(run->host, n_args, 0)) {
        return true;
    }
    if (run->skipped || run->gave_up || run->stopped != RUN_GOES_ON) {
        return false;
    }
    run->script_failed = true;
    fprintf(stderr, "%s\n", run->host->error);
    return false;
}

static bool call_function(struct run *run, lua_CFunction function)
{
    lua_pushcfunction(run->host->L, function);
    return call(run, 0);
}

static void run_script(struct run *run, const char *text, size_t len)
{
    run->phase = RUN_SCRIPT;
    if (!call_function(run, lua_api_open)) {
        return;
    }
    if (!lua_host_load(run->host, text, len, run->opts.script)) {
        run->script_failed = true;
        fprintf(stderr, "%s\n", run->host->error);
        return;
    }
    if (!call(run, 0)) {
        return;
    }
    run->phase = RUN_EXPECT;
    if (call_function(run, api_await_expectations)) {
        call_function(run, api_settle);
    }
}

/* ---- the trace --------------------------------------------------------------------- */

static bool wants_steps(const struct run *run)
{
    for (const struct expectation *e = run->expectations.first; e != NULL; e = e->next) {
        if (e->kind == EXPECT_STEPS) {
            return true;
        }
    }
    return false;
}

/* Closes the trace, and judges what is judged from it. */
static void judge(struct run *run)
{
    struct trace_reader *reader = NULL;
    struct join *join = NULL;
    char why[200] = "there is no trace";

    run->phase = RUN_JUDGE;
    if (run->world.trace != NULL) {
        run->trace_lost = trace_lost(run->world.trace);
        run->trace_error = world_close_trace(&run->world);
        if (run->world.trace_kept || wants_steps(run)) {
            if (trace_reader_open(run->world.trace_path, &reader, why, sizeof(why)) == 0) {
                run->trace_records = trace_reader_count(reader);
            }
        }
        if (run->world.sim != NULL) {
            const char *reason;

            run->hashed =
                trace_hash_file(run->world.trace_path, &run->trace_hash, &reason) == 0;
        }
        if (reader != NULL && wants_steps(run) && trace_join(reader, &join) < 0) {
            snprintf(why, sizeof(why), "not enough memory to read the trace");
        }
    }
    expect_finish(&run->expectations, run->lab, join, why);
    join_free(join);
    trace_reader_close(reader);
}

/* ---- the whole --------------------------------------------------------------------- */

static int set_up(struct run *run)
{
    struct lua_host_opts host = {.instructions_max = run->opts.instructions_max,
                                 .seed = run->opts.world.seed,
                                 .out = stdout,
                                 .is_stopped = run_is_stopped,
                                 .arg = run};

    run->started_ns = os_monotonic_ns(run->world.os);
    run->deadline_ns = run->started_ns + run->opts.timeout_ns;
    if (lab_new(&run->world, &run->lab) < 0) {
        return -ENOMEM;
    }
    run->lab->is_stopped = run_is_stopped;
    run->lab->stop_arg = run;
    run->host = lua_host_new(&host);
    if (run->host == NULL) {
        return -ENOMEM;
    }
    run->host->user = run;
    return 0;
}

/* What the virtual or the real main thread does. */
struct in_world {
    struct run *run;
    const char *text; /* borrowed: the script */
    size_t len;
    int code;
};

static void run_in_world(void *arg)
{
    struct in_world *in = arg;
    struct run *run = in->run;
    struct watchdog dog = {.run = run};
    struct sigaction signals[2];
    struct census before;

    in->code = EXIT_CANNOT;
    expect_init(&run->expectations);
    if (set_up(run) < 0 || watchdog_start(&dog, run) < 0) {
        fprintf(stderr, "msgrlab run: no memory, or no thread, to begin with\n");
    } else {
        before = take_census();
        watch_signals(signals);
        run_script(run, in->text, in->len);
        run->phase = RUN_SHUTDOWN;
        run->ended_ns = os_monotonic_ns(run->world.os);
        lab_shutdown(run->lab);
        look_for_leaks(run, &before);
        judge(run);
        run->phase = RUN_DONE;
        restore_signals(signals);
        in->code = run_summary(run);
    }
    watchdog_stop(&dog);
    lua_host_free(run->host);
    expect_fini(&run->expectations);
    lab_free(run->lab);
}

/* The simulated world stopped moving: its threads are stuck in the middle of what they did,
 * so all that can be done is to say who waits for what, and keep the trace. */
static void end_stuck_run(struct run *run, int code, const char *report)
{
    bool kept = run->world.trace_kept;

    fprintf(stderr, "msgrlab run: the run does not go on.\n%s\n", report);
    world_close_trace(&run->world);
    if (kept) {
        fprintf(stderr, "The trace up to here is in %s.\n", run->world.trace_path);
    }
    fprintf(stderr, "again: msgrlab run %s --on sim --seed %llu\n", run->opts.script,
            (unsigned long long)run->world.seed);
    fflush(NULL);
    _exit(code);
}

int run_scenario(const struct run_opts *opts)
{
    struct run run = {.opts = *opts};
    struct in_world in = {.run = &run};
    const char *report = "";
    char why[700], *text = NULL;
    int code, rc = read_script(opts->script, &text, &in.len);

    if (rc < 0) {
        fprintf(stderr, "msgrlab run: cannot read %s: %s\n", opts->script,
                rc == -EFBIG ? "it is longer than 4 MiB" : strerror(-rc));
        return EXIT_FILE;
    }
    code = world_open(&opts->world, &run.world, why, sizeof(why));
    if (code != EXIT_OK) {
        fprintf(stderr, "msgrlab run: %s\n", why);
        free(text);
        return code;
    }
    in.text = text;
    code = world_run(&run.world, run_in_world, &in, &report);
    if (code != EXIT_OK) {
        end_stuck_run(&run, code, report);
    }
    world_close(&run.world);
    free(text);
    return in.code;
}
