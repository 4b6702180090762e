/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perftest.c: starts the two ends, waits, reads the table they print.
 */
#include "scenarios/bench/perftest.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/program.h"
#include "scenarios/bench/bench.h"

#define TICK_NS (2 * NSEC_PER_MSEC) /* between two looks at the children */
#define TEXT_BYTES 16384            /* of what one printed; a table has 2000 */
/* They time the processor's counter at their start, and on a busy machine that can fail:
 * then all they measure is infinite, or 0. */
#define TRIES 4
#define MIB (1024.0 * 1024.0)
#define SMALL 4096 /* bytes: up to here the message rate has more digits than the MiB/s */

struct child {
    pid_t pid;  /* 0: none, or reaped */
    int fd;     /* owned: a file without a name, what it printed; -1: none */
    int status; /* once it is reaped */
};

/* A run of one program. */
struct pair {
    struct os *os; /* borrowed */
    const struct perftest *opts;
    const char *name;
    char path[4200];
    int port;
    uint64_t until;
    struct child server, client;
};

/* ---- what they print --------------------------------------------------------------- */

/* The line under the one that begins with "#bytes"; NULL: there is none. */
static const char *figures_of(const char *text)
{
    const char *at = strstr(text, "#bytes");

    at = at == NULL ? NULL : strchr(at, '\n');
    return at == NULL ? NULL : at + 1;
}

bool perftest_read_latency(const char *text, double *ret_ns)
{
    const char *line = figures_of(text);
    double least; /* microseconds */

    if (line == NULL || sscanf(line, "%*u %*u %lf", &least) != 1 || !isfinite(least) ||
        least <= 0) {
        return false;
    }
    *ret_ns = least * 1e3;
    return true;
}

bool perftest_read_bandwidth(const char *text, double *ret_rate)
{
    const char *line = figures_of(text);
    double bytes, average, messages, rate; /* "MB" are MiB; millions of messages */

    if (line == NULL ||
        sscanf(line, "%lf %*u %*f %lf %lf", &bytes, &average, &messages) != 3) {
        return false;
    }
    rate = bytes <= SMALL ? bytes * messages * 1e6 : average * MIB;
    if (!isfinite(rate) || rate <= 0) {
        return false;
    }
    *ret_rate = rate;
    return true;
}

/* All it printed, as a string. */
static void text_of(const struct child *child, char *text)
{
    ssize_t n = child->fd < 0 ? 0 : pread(child->fd, text, TEXT_BYTES - 1, 0);

    text[MAX(n, 0)] = '\0';
}

/* The last line with a word in it is the complaint. */
static void last_words(const struct child *child, char *words, size_t size)
{
    char text[TEXT_BYTES], *line, *rest;

    text_of(child, text);
    words[0] = '\0';
    for (line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, " \t*");
        if (strpbrk(line, "abcdefghijklmnopqrstuvwxyz") != NULL) {
            snprintf(words, size, "%.150s", line);
        }
    }
    for (char *p = words; *p != '\0'; p++) {
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    }
}

/* ---- children ---------------------------------------------------------------------- */

/* In the child: only calls that are safe after a fork. Never returns. */
static void become(const char *path, char **arguments, int out, pid_t parent)
{
    int in = open("/dev/null", O_RDONLY);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && in >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 &&
        dup2(out, 2) == 2) {
        execv(path, arguments);
    }
    _exit(126);
}

/* `host` NULL: the server. 0 or a negative errno. */
static int child_start(const struct pair *pair, const char *host, struct child *ret)
{
    const struct perftest *p = pair->opts;
    char ib_port[16], gid[16], bytes[16], count[24], port[16];
    const char *arguments[20] = {pair->name, "-F", "-d",  p->device, "-i",  ib_port, "-x",
                                 gid,        "-s", bytes, "-n",      count, "-p",    port};
    pid_t parent = getpid(), pid;
    int n = 14;

    snprintf(ib_port, sizeof(ib_port), "%u", p->port_num);
    snprintf(gid, sizeof(gid), "%u", p->gid_index);
    snprintf(bytes, sizeof(bytes), "%u", p->bytes);
    snprintf(count, sizeof(count), "%llu",
             (unsigned long long)MAX(p->count, (uint64_t)PERFTEST_COUNT_MIN));
    snprintf(port, sizeof(port), "%d", pair->port);
    if (p->events) {
        arguments[n++] = "-e";
    }
    arguments[n] = host;
    ret->fd = memfd_create(pair->name, MFD_CLOEXEC);
    if (ret->fd < 0) {
        return -errno;
    }
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        become(pair->path, (char **)arguments, ret->fd, parent);
    }
    if (pid < 0) {
        return -errno;
    }
    ret->pid = pid;
    return 0;
}

/* False: it still runs. */
static bool child_ended(struct child *child)
{
    if (child->pid > 0 && waitpid(child->pid, &child->status, WNOHANG) == child->pid) {
        child->pid = 0;
    }
    return child->pid == 0;
}

static void child_fini(struct child *child)
{
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) {
        }
        child->pid = 0;
    }
    if (child->fd >= 0) {
        close(child->fd);
        child->fd = -1;
    }
}

/* ---- the server's port ------------------------------------------------------------- */

/* One that nobody has now. Negative errno. */
static int free_port(struct os *os)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_storage addr;
    int fd = os_socket(os, AF_INET), rc;

    if (fd < 0) {
        return fd;
    }
    rc = os_bind(os, fd, (struct sockaddr *)&in, sizeof(in));
    rc = rc < 0 ? rc : os_local_addr(os, fd, &addr);
    os_close(os, fd);
    return rc < 0 ? rc : ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

/* To connect and see would be the server's one connection, so the kernel is asked. */
static bool listens(const char *table, int port)
{
    FILE *file = fopen(table, "re");
    char line[512];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        unsigned local, state;

        found = sscanf(line, "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state) == 2 &&
                local == (unsigned)port && state == 0x0a;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* ---- a run ------------------------------------------------------------------------- */

static int explain(const struct pair *pair, const struct child *child, const char *what,
                   char *why, size_t size)
{
    char words[200];

    last_words(child, words, sizeof(words));
    snprintf(why, size, "%s %s%s%s", pair->name, what, words[0] != '\0' ? ": " : "", words);
    return -EIO;
}

/* Waits until the server listens. */
static int await_server(struct pair *pair, char *why, size_t size)
{
    while (!listens("/proc/net/tcp", pair->port) &&
           !listens("/proc/net/tcp6", pair->port)) {
        if (child_ended(&pair->server)) {
            return explain(pair, &pair->server, "did not start", why, size);
        }
        if (os_monotonic_ns(pair->os) >= pair->until) {
            return explain(pair, &pair->server, "does not listen", why, size);
        }
        os_sleep_ns(pair->os, TICK_NS);
    }
    return 0;
}

/* Waits for the ends of both. The server may have gone wrong while the client waits. */
static int await_end(struct pair *pair, char *why, size_t size)
{
    struct child *client = &pair->client, *server = &pair->server;
    bool is_client = false, is_server = false;

    while (!is_client || !is_server) {
        is_client = child_ended(client);
        is_server = child_ended(server);
        if (is_client && client->status != 0) {
            return explain(pair, client, "failed", why, size);
        }
        if (is_server && server->status != 0) {
            return explain(pair, server, "failed", why, size);
        }
        if (os_monotonic_ns(pair->os) >= pair->until) {
            explain(pair, client, "took too long", why, size);
            return -ETIMEDOUT;
        }
        os_sleep_ns(pair->os, TICK_NS);
    }
    return 0;
}

static int run_pair(struct pair *pair, char *text, char *why, size_t size)
{
    int rc = child_start(pair, NULL, &pair->server);

    if (rc < 0) {
        snprintf(why, size, "%s: %s", pair->name, strerror(-rc));
        return rc;
    }
    rc = await_server(pair, why, size);
    if (rc < 0) {
        return rc;
    }
    rc = child_start(pair, "127.0.0.1", &pair->client);
    if (rc < 0) {
        snprintf(why, size, "%s: %s", pair->name, strerror(-rc));
        return rc;
    }
    rc = await_end(pair, why, size);
    text_of(&pair->client, text);
    return rc;
}

static int measure_once(struct pair *pair, bool (*read_fn)(const char *, double *),
                        double *ret, char *why, size_t size)
{
    char text[TEXT_BYTES];
    int rc;

    pair->server = pair->client = (struct child){.fd = -1};
    pair->port = free_port(pair->os);
    if (pair->port < 0) {
        snprintf(why, size, "no TCP port: %s", strerror(-pair->port));
        return pair->port;
    }
    rc = run_pair(pair, text, why, size);
    if (rc == 0 && !read_fn(text, ret)) {
        snprintf(why, size, "%s could not tell the time: no figure above 0 in what it says",
                 pair->name);
        rc = -EAGAIN;
    }
    child_fini(&pair->client);
    child_fini(&pair->server);
    return rc;
}

static int measure(struct os *os, const char *name, const struct perftest *opts,
                   bool (*read_fn)(const char *, double *), double *ret, char *why,
                   size_t size)
{
    struct pair pair = {.os = os,
                        .opts = opts,
                        .name = name,
                        .until = os_monotonic_ns(os) + BENCH_LIMIT_NS};
    int rc;

    if (!program_find(name, pair.path, sizeof(pair.path))) {
        snprintf(why, size, "no program '%s': install perftest", name);
        return -ENOENT;
    }
    for (int i = 0; i < TRIES; i++) {
        rc = measure_once(&pair, read_fn, ret, why, size);
        if (rc != -EAGAIN) {
            break;
        }
    }
    return rc;
}

int perftest_latency(struct os *os, const struct perftest *p, double *ret_ns, char *why,
                     size_t size)
{
    return measure(os, "ib_send_lat", p, perftest_read_latency, ret_ns, why, size);
}

int perftest_bandwidth(struct os *os, const struct perftest *p, double *ret_rate, char *why,
                       size_t size)
{
    return measure(os, "ib_send_bw", p, perftest_read_bandwidth, ret_rate, why, size);
}
