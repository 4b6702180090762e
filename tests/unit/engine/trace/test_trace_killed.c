/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trace_killed.c: a process that records is killed; its trace has everything that was
 * written. Threads say in shared memory what they have written, so nobody waits for a
 * clock.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "viz/trace/trace_reader.h"

#define THREADS 4

struct shared {
    uint64_t written[THREADS]; /* by each thread of the child */
    uint64_t enough;
    int tell; /* write end of a pipe: a byte from each thread that has enough */
};

struct killed_worker {
    struct os *os;
    struct shared *shared;
    int number;
};

static void record_until_killed(void *arg)
{
    struct killed_worker *w = arg;

    for (uint64_t i = 1;; i++) {
        char name[32];

        snprintf(name, sizeof(name), "%d/%llu", w->number, (unsigned long long)i);
        TRACE(w->os, EXT_RUN, .a0 = i, .a1 = i < 500 ? trace_string(w->os, name) : 0);
        __atomic_store_n(&w->shared->written[w->number], i, __ATOMIC_RELEASE);
        if (i == w->shared->enough && write(w->shared->tell, "x", 1) != 1) {
            abort();
        }
        if (i == 100000) {
            for (;;) {
                pause(); /* the parent is slow */
            }
        }
    }
}

static void run_child(const char *path, struct shared *shared)
{
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct killed_worker workers[THREADS];
    struct os *os = os_linux_new(1, "child");
    struct os_thread *thread;
    const char *why;

    CHECK(trace_open(path, &opts, &os->trace, &why) == 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct killed_worker){os, shared, i};
        CHECK(os_thread_start(os, "worker", record_until_killed, &workers[i], &thread) ==
              0);
    }
    for (;;) {
        pause();
    }
}

/* A child records in four threads and is killed when each has written `enough`. */
static void run_and_kill(const char *path, struct shared *shared)
{
    int fds[2], got = 0;
    char byte[THREADS];
    pid_t pid;

    ck_assert_int_eq(pipe(fds), 0);
    memset(shared->written, 0, sizeof(shared->written));
    shared->tell = fds[1];
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        run_child(path, shared);
    }
    close(fds[1]);
    while (got < THREADS) {
        ssize_t n = read(fds[0], byte, sizeof(byte));

        ck_assert_int_gt(n, 0);
        got += (int)n;
    }
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    close(fds[0]);
}

static const char *string_of(const struct trace_reader *reader, size_t i)
{
    return trace_reader_string(reader, (uint32_t)trace_reader_record(reader, i)->a1);
}

static void check_killed(const struct trace_reader *reader, const struct shared *shared)
{
    uint64_t next[256] = {0};
    bool whole = true;
    int threads = 0;

    for (size_t i = 0; i < trace_reader_count(reader); i++) {
        const struct trace_record *r = trace_reader_record(reader, i);

        whole = whole && r->a0 == ++next[r->thread];
        if (r->a0 < 500) { /* its name was written before it */
            whole = whole && strcmp(string_of(reader, i), "?") != 0;
        }
    }
    ck_assert(whole);
    /* Threads get their numbers in the order of their first records. */
    for (size_t i = 0; i < trace_reader_count(reader); i++) {
        if (trace_reader_record(reader, i)->a0 == 1) {
            uint64_t written = shared->written[atoi(string_of(reader, i))];

            ck_assert_uint_ge(next[trace_reader_record(reader, i)->thread], written);
            ck_assert_uint_le(next[trace_reader_record(reader, i)->thread], written + 1);
            threads++;
        }
    }
    ck_assert_int_eq(threads, THREADS);
}

/* What a thread had written before SIGKILL is in the file, and at most one record more. */
START_TEST(killed_process_loses_nothing)
{
    static const uint64_t enough[] = {1, 2, 499, 1022, 1023, 1024, 5000, 20000};
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char path[] = "/tmp/trace.XXXXXX", why[256];
    struct trace_reader *reader;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(shared != MAP_FAILED);
    for (size_t i = 0; i < ARRAY_SIZE(enough); i++) {
        shared->enough = enough[i];
        run_and_kill(path, shared);
        ck_assert_int_eq(trace_reader_open(path, &reader, why, sizeof(why)), 0);
        ck_assert(!trace_reader_info(reader)->clean);
        ck_assert(!trace_reader_info(reader)->live);
        ck_assert_uint_eq(trace_reader_info(reader)->lost, 0);
        ck_assert_uint_eq(trace_reader_info(reader)->damaged, 0);
        check_killed(reader, shared);
        trace_reader_close(reader);
    }
    munmap(shared, sizeof(*shared));
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace_killed");
    TCase *tc = tcase_create("trace_killed");

    tcase_add_test(tc, killed_process_loses_nothing);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
