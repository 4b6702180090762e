/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/run/run_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/base/trace_guard.h"
#include "scenarios/lab/world.h"

#define CRASH_STACK_BYTES 65536

/* ---- crashes --------------------------------------------------------------------- */

/* What the handler may touch. */
static struct crash {
    const char *say, *path, *part, *record; /* NULL: nothing */
    const struct sigaction *before;         /* by number in crash_signals */
} crash;

static const int crash_signals[RUN_CRASH_SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL,
                                                     SIGABRT};

/* Only what POSIX lets a signal handler do. */
static bool write_all(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n <= 0) {
            return false;
        }
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static void leave_record(void)
{
    struct crash last = crash;
    int fd;

    crash.say = crash.path = NULL;
    if (last.say != NULL) {
        write_all(STDERR_FILENO, last.say);
    }
    if (last.path == NULL) {
        return;
    }
    fd = open(last.part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || !write_all(fd, last.record) || close(fd) < 0 ||
        rename(last.part, last.path) < 0) {
        write_all(STDERR_FILENO, "msgrlab: its record could not be written\n");
        unlink(last.part);
    }
}

/* Runs on its own stack: the crash may be that of a virtual thread whose stack is full.
 * Whoever handled the signal before (a sanitizer, the kernel) gets it next: the instruction
 * that failed fails again, and what somebody sent is sent again. */
static void on_crash(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (signal_number == SIGBUS && info->si_code > 0 && trace_guard_rescue(info->si_addr)) {
        return;
    }
    leave_record();
    for (int i = 0; i < RUN_CRASH_SIGNALS; i++) {
        if (crash_signals[i] == signal_number) {
            sigaction(signal_number, &crash.before[i], NULL);
        }
    }
    if (info->si_code <= 0) {
        raise(signal_number);
    }
}

/* Of the sanitizers, where there is one: what they find is no signal. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* "again", "path", "path.part", "record", one behind the other. */
static char *join_texts(const char *again, const char *path, const char *record)
{
    static const char format[] = "msgrlab: the run crashed. again: %s\n%c%s%c%s.part%c%s";
    int len = snprintf(NULL, 0, format, again, 0, path, 0, path, 0, record);
    char *text = malloc((size_t)len + 1);

    if (text != NULL) {
        snprintf(text, (size_t)len + 1, format, again, 0, path, 0, path, 0, record);
    }
    return text;
}

int run_guard_crash(struct run_guard *guard, const char *again, const char *path,
                    const char *record)
{
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags = SA_ONSTACK | SA_SIGINFO};
    stack_t stack = {.ss_size = CRASH_STACK_BYTES};

    guard->say = join_texts(again, path != NULL ? path : "", record != NULL ? record : "");
    guard->stack = malloc(CRASH_STACK_BYTES);
    if (guard->say == NULL || guard->stack == NULL) {
        free(guard->say);
        free(guard->stack);
        guard->say = guard->stack = NULL;
        return -ENOMEM;
    }
    crash.say = guard->say;
    if (path != NULL && record != NULL) {
        crash.path = guard->say + strlen(guard->say) + 1;
        crash.part = crash.path + strlen(crash.path) + 1;
        crash.record = crash.part + strlen(crash.part) + 1;
    }
    crash.before = guard->crash_before;
    stack.ss_sp = guard->stack;
    sigaltstack(&stack, &guard->stack_before);
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < RUN_CRASH_SIGNALS; i++) {
        sigaction(crash_signals[i], &action, &guard->crash_before[i]);
    }
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(leave_record);
    }
    return 0;
}

static void forget_crash(struct run_guard *guard)
{
    if (guard->say == NULL) {
        return;
    }
    for (int i = 0; i < RUN_CRASH_SIGNALS; i++) {
        sigaction(crash_signals[i], &guard->crash_before[i], NULL);
    }
    sigaltstack(&guard->stack_before, NULL);
    crash = (struct crash){0};
    free(guard->say);
    free(guard->stack);
}

/* ---- the watchdog ---------------------------------------------------------------- */

static void watch(void *arg)
{
    struct run_guard *guard = arg;
    struct os *os = guard->os;
    bool spoken = false;

    os_lock(os, guard->lock);
    while (!guard->done) {
        uint64_t now = os_monotonic_ns(os);
        uint64_t until = spoken ? guard->hard_ns : MIN(guard->soft_ns, guard->hard_ns);

        if (now >= guard->hard_ns) {
            guard->on_hard(guard->arg);
            _exit(EXIT_TIMEOUT);
        }
        if (now >= until) {
            spoken = true;
            guard->on_soft(guard->arg);
        } else {
            os_cond_wait(os, guard->wake, guard->lock,
                         (int64_t)MIN(until - now, (uint64_t)INT64_MAX));
        }
    }
    os_unlock(os, guard->lock);
}

static void free_watchdog(struct run_guard *guard)
{
    if (guard->os == NULL) {
        return;
    }
    os_cond_free(guard->os, guard->wake);
    os_mutex_free(guard->os, guard->lock);
    os_linux_free(guard->os);
    guard->os = NULL;
}

static uint64_t later(uint64_t now, uint64_t ns)
{
    return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}

int run_guard_start(struct run_guard *guard)
{
    uint64_t now;
    int rc = -ENOMEM;

    guard->os = os_linux_new(WORLD_NODES_MAX + 2, "watchdog");
    if (guard->os == NULL) {
        return -ENOMEM;
    }
    now = os_monotonic_ns(guard->os);
    guard->soft_ns = later(now, guard->soft_ns);
    guard->hard_ns = later(now, guard->hard_ns);
    guard->lock = os_mutex_new(guard->os, "watchdog");
    guard->wake = os_cond_new(guard->os, "watchdog.wake");
    if (guard->lock != NULL && guard->wake != NULL) {
        rc = os_thread_start(guard->os, "watchdog", watch, guard, &guard->thread);
    }
    if (rc < 0) {
        free_watchdog(guard);
        return rc;
    }
    interrupt_watch(&guard->interrupt);
    return 0;
}

void run_guard_stop(struct run_guard *guard)
{
    os_lock(guard->os, guard->lock);
    guard->done = true;
    os_cond_broadcast(guard->os, guard->wake);
    os_unlock(guard->os, guard->lock);
    os_thread_join(guard->thread);
    free_watchdog(guard);
    forget_crash(guard);
    interrupt_unwatch(&guard->interrupt);
}

/* ---- what is open ---------------------------------------------------------------- */

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

struct run_census run_census(void)
{
    return (struct run_census){count_entries("/proc/self/fd"),
                               count_entries("/proc/self/task")};
}
