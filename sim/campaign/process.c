/* SPDX-License-Identifier: Apache-2.0 */
/* process.c: fork, pipe and the end of a child. */
#include "sim/campaign/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/util.h"

#define TAIL_BYTES 65536 /* of standard error that is looked at */

/* ---- the child -------------------------------------------------------------------- */

static void become_child(struct process *self, int parent_end, pid_t parent)
{
    CHECK(self->fd != parent_end);
    sigset_t deaf;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) { /* it died before the call above */
        _exit(1);
    }
    sigemptyset(&deaf);
    sigaddset(&deaf, SIGINT);
    sigaddset(&deaf, SIGTERM);
    sigprocmask(SIG_BLOCK, &deaf, NULL);
    os_close(self->os, parent_end);
    if (self->errors_fd >= 0) {
        dup2(self->errors_fd, STDERR_FILENO);
    }
}

void process_send(struct process *self, const void *record, size_t size)
{
    const unsigned char *at = record;

    CHECK(size <= PROCESS_RECORD_MAX);
    while (size > 0) {
        ssize_t n = os_write(self->os, self->fd, at, size);

        if (n > 0) {
            at += n;
            size -= (size_t)n;
        } else if (n == -EAGAIN) {
            struct pollfd wait = {.fd = self->fd, .events = POLLOUT};

            os_poll(self->os, &wait, 1, -1);
        } else {
            _exit(1); /* the parent is gone */
        }
    }
}

void process_forget_errors(struct process *self)
{
    /* It is the same open file as standard error, so they share the position. */
    if (self->errors_fd >= 0 && lseek(self->errors_fd, 0, SEEK_END) > 0) {
        CHECK(ftruncate(self->errors_fd, 0) == 0);
        lseek(self->errors_fd, 0, SEEK_SET);
    }
}

/* ---- the parent ------------------------------------------------------------------- */

int process_start(struct os *os, process_fn fn, void *arg, struct process *ret)
{
    pid_t parent = getpid(), pid;
    int ends[2];
    int rc = os_pipe(os, ends);

    if (rc < 0) {
        return rc;
    }
    *ret = (struct process){.os = os, .fd = ends[0]};
    ret->errors_fd = memfd_create("errors", MFD_CLOEXEC);
    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        rc = -errno;
        os_close(os, ends[0]);
        os_close(os, ends[1]);
        if (ret->errors_fd >= 0) {
            close(ret->errors_fd);
        }
        *ret = (struct process){.fd = -1, .errors_fd = -1};
        return rc;
    }
    if (pid == 0) {
        ret->fd = ends[1];
        become_child(ret, ends[0], parent);
        _exit(fn(arg, ret));
    }
    os_close(os, ends[1]);
    ret->pid = pid;
    return 0;
}

int process_receive(struct process *p, void *ret, size_t size)
{
    CHECK(size <= PROCESS_RECORD_MAX);
    while (!p->ended && p->have < size) {
        ssize_t n = os_read(p->os, p->fd, p->part + p->have, size - p->have);

        if (n == -EAGAIN) {
            return 0;
        }
        p->ended = n <= 0;
        p->have += n > 0 ? (size_t)n : 0;
    }
    if (p->have < size) {
        return -EPIPE;
    }
    memcpy(ret, p->part, size);
    p->have = 0;
    return 1;
}

void process_kill(struct process *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
    }
}

/* Copies printable text up to the end of the line. */
static void copy_line(const char *from, char *to, size_t size)
{
    size_t n = 0;

    for (; n + 1 < size && from[n] != '\0' && from[n] != '\n'; n++) {
        to[n] = from[n] >= ' ' && from[n] < 0x7f ? from[n] : '?';
    }
    to[n] = '\0';
}

/* "x.c:12: f: CHECK failed: a == b", "SUMMARY: AddressSanitizer: ... in f": what those who
 * end a process write before they do. It names the failure; numbers of a process do not. */
static void find_words(const char *text, char *ret, size_t size)
{
    static const char *const marks[] = {
        "CHECK failed: ", "SUMMARY: ", "runtime error: ", "Assertion `"};
    const char *at = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(marks) && at == NULL; i++) {
        at = strstr(text, marks[i]);
    }
    ret[0] = '\0';
    if (at == NULL) {
        return;
    }
    while (at > text && at[-1] != '\n') {
        at--;
    }
    copy_line(at, ret, size);
}

static void read_errors(const struct process *p, char *ret, size_t size)
{
    char *text = calloc(1, TAIL_BYTES + 1);
    off_t len = lseek(p->errors_fd, 0, SEEK_END);

    ret[0] = '\0';
    if (text != NULL && len > 0) {
        off_t from = MAX((off_t)0, len - TAIL_BYTES);

        if (pread(p->errors_fd, text, TAIL_BYTES, from) > 0) {
            find_words(text, ret, size);
        }
    }
    free(text);
}

void process_reap(struct process *p, struct process_end *ret)
{
    int status = 0;
    pid_t got;

    *ret = (struct process_end){.code = -1};
    if (p->pid <= 0) {
        return;
    }
    do {
        got = waitpid(p->pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got == p->pid && WIFEXITED(status)) {
        ret->code = WEXITSTATUS(status);
    } else if (got == p->pid && WIFSIGNALED(status)) {
        ret->signal = WTERMSIG(status);
    }
    os_close(p->os, p->fd);
    if (p->errors_fd >= 0) {
        read_errors(p, ret->words, sizeof(ret->words));
        close(p->errors_fd);
    }
    p->pid = 0;
    p->fd = p->errors_fd = -1;
}

void process_sign_end(const struct process_end *end, char *ret, size_t size)
{
    char name[32];

    if (end->signal != 0) {
        process_signal_name(end->signal, name, sizeof(name));
    } else {
        snprintf(name, sizeof(name), "exit %d", end->code);
    }
    snprintf(ret, size, "crash %s%s%s", name, end->words[0] != '\0' ? " " : "", end->words);
}

/* ---- about processes -------------------------------------------------------------- */

void *process_share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory != MAP_FAILED ? memory : NULL;
}

void process_unshare(void *memory, size_t bytes)
{
    if (memory != NULL) {
        munmap(memory, bytes);
    }
}

const char *process_signal_name(int signal, char *buf, size_t size)
{
    const char *name = sigabbrev_np(signal);

    if (name != NULL) {
        snprintf(buf, size, "SIG%s", name);
    } else {
        snprintf(buf, size, "signal %d", signal);
    }
    return buf;
}

uint64_t process_memory(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long all = 0, resident = 0;

    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &all, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t used_by(int who)
{
    struct rusage usage;

    if (getrusage(who, &usage) < 0) {
        return 0;
    }
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NSEC_PER_SEC +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NSEC_PER_USEC;
}

uint64_t process_self_ns(void)
{
    return used_by(RUSAGE_SELF);
}

uint64_t process_children_ns(void)
{
    return used_by(RUSAGE_CHILDREN);
}

unsigned process_cpus(void)
{
    cpu_set_t set;
    int n = 0;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        n = CPU_COUNT(&set);
    }
    return n > 0 ? (unsigned)n : 1;
}
