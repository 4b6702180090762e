/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "scenarios/exit_codes.h"
#include "sim/world.h"
#include "stacks/tcp/tcp_stack.h"

/* Nobody reads it but the run itself, so it need not be longer than a look back. */
#define TEMPORARY_TRACE_BYTES (512ULL << 20)

/* A file that is gone when the process is, however it ends. */
static int make_nameless_file(struct world *w)
{
    const char *dir = getenv("TMPDIR");
    char path[400];
    int fd;

    snprintf(path, sizeof(path), "%s/msgrlab-XXXXXX",
             dir != NULL && dir[0] != '\0' ? dir : "/tmp");
    fd = mkostemp(path, 02000000 /* O_CLOEXEC */);
    if (fd < 0) {
        return -errno;
    }
    unlink(path);
    w->trace_fd = fd;
    snprintf(w->trace_path, sizeof(w->trace_path), "/proc/self/fd/%d", fd);
    return 0;
}

/* A mistyped --trace must not cost somebody a file: what is there already has to be a
 * trace. */
static bool is_safe_to_replace(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint64_t magic = TRACE_MAGIC;
    size_t got;

    if (file == NULL) {
        return true;
    }
    got = fread(&magic, 1, sizeof(magic), file);
    fclose(file);
    return got == 0 || (got == sizeof(magic) && magic == TRACE_MAGIC);
}

static int open_trace(struct world *w, const struct world_opts *opts, char *why,
                      size_t size)
{
    struct trace_opts trace = {
        .mode = TRACE_STREAM, .title = opts->title, .created_ns = os_realtime_ns(w->os)};
    const char *reason = "";
    int rc;

    if (opts->trace_path != NULL) {
        snprintf(w->trace_path, sizeof(w->trace_path), "%s", opts->trace_path);
        w->trace_kept = true;
        if (!is_safe_to_replace(opts->trace_path)) {
            snprintf(why, size,
                     "%s exists and is no trace: it stays as it is; choose another "
                     "name or remove it",
                     opts->trace_path);
            return EXIT_FILE;
        }
    } else {
        trace.bytes_max = TEMPORARY_TRACE_BYTES;
        rc = make_nameless_file(w);
        if (rc < 0) {
            snprintf(why, size,
                     "cannot make a temporary file for the trace: %s; set TMPDIR "
                     "or use --no-trace",
                     strerror(-rc));
            return EXIT_FILE;
        }
    }
    rc = trace_open(w->trace_path, &trace, &w->trace, &reason);
    if (rc < 0) {
        snprintf(why, size, "cannot record to %s: %s (%s)",
                 w->trace_kept ? w->trace_path : "a temporary file", reason, strerror(-rc));
        return EXIT_FILE;
    }
    return EXIT_OK;
}

/* ---- the two worlds ------------------------------------------------------------------ */

const char *const world_schedules[3] = {"fifo", "random", "pct"};

/* What the simulated network is like unless a script says otherwise. */
#define SIM_LATENCY_NS (50 * NSEC_PER_USEC)
#define SIM_JITTER_NS (20 * NSEC_PER_USEC)
#define SIM_LOOPBACK_NS (5 * NSEC_PER_USEC)
#define SIM_CALL_NS 200
#define SIM_SHORT_IO_RATE 32       /* of 1024 reads and writes */
#define SIM_STACK_BYTES (1u << 20) /* the Lua host runs on one */

static int make_sim(struct world *w, const struct world_opts *opts)
{
    struct sim_world_opts sim = {
        .seed = opts->seed,
        .strategy = SIM_RANDOM,
        .short_io_rate = SIM_SHORT_IO_RATE,
        .call_ns = SIM_CALL_NS,
        .link = {.latency_ns = SIM_LATENCY_NS, .jitter_ns = SIM_JITTER_NS},
        .loopback = {.latency_ns = SIM_LOOPBACK_NS},
        .fds_max = 16384,
        .stack_bytes = SIM_STACK_BYTES,
    };

    for (size_t i = 0; i < ARRAY_SIZE(world_schedules); i++) {
        if (opts->schedule != NULL && strcmp(opts->schedule, world_schedules[i]) == 0) {
            sim.strategy = (enum sim_strategy)i;
        }
    }
    w->sim = sim_world_new(&sim);
    if (w->sim != NULL) {
        w->os = sim_world_node(w->sim, WORLD_NODES_MAX + 1, "scenario");
    }
    return w->os == NULL ? -ENOMEM : 0;
}

static int make_os(struct world *w, const struct world_opts *opts)
{
    if (strcmp(opts->on, "sim") == 0) {
        return make_sim(w, opts);
    }
    w->os = os_linux_new(WORLD_NODES_MAX + 1, "scenario");
    return w->os == NULL ? -ENOMEM : 0;
}

int world_run(struct world *w, void (*fn)(void *arg), void *arg, const char **ret_report)
{
    if (w->sim == NULL) {
        fn(arg);
        return EXIT_OK;
    }
    if (sim_world_run(w->sim, fn, arg) == SIM_OK) {
        return EXIT_OK;
    }
    *ret_report = sim_world_report(w->sim);
    return EXIT_LIVENESS;
}

int world_open(const struct world_opts *opts, struct world *ret, char *why, size_t size)
{
    struct world w = {.name = opts->on,
                      .stack = opts->stack,
                      .driver = opts->driver,
                      .seed = opts->seed,
                      .trace_fd = -1};
    int code = EXIT_OK;

    if (make_os(&w, opts) < 0) {
        world_close(&w);
        snprintf(why, size, "out of memory");
        return EXIT_CANNOT;
    }
    if (!opts->no_trace) {
        code = open_trace(&w, opts, why, size);
    }
    if (code != EXIT_OK) {
        world_close(&w);
        return code;
    }
    *ret = w;
    return EXIT_OK;
}

int world_close_trace(struct world *w)
{
    struct trace *trace = w->trace;

    w->trace = NULL;
    return trace_close(trace);
}

void world_close(struct world *w)
{
    world_close_trace(w);
    if (w->os != NULL && w->trace_fd >= 0) {
        close(w->trace_fd);
    }
    if (w->os != NULL && w->sim == NULL) {
        os_linux_free(w->os);
    }
    sim_world_free(w->sim); /* and its nodes */
    w->os = NULL;
    w->sim = NULL;
}

struct os *world_os_new(struct world *w, uint8_t number, const char *name)
{
    struct os *os =
        w->sim != NULL ? sim_world_node(w->sim, number, name) : os_linux_new(number, name);

    if (os != NULL) {
        os->trace = w->trace;
    }
    return os;
}

void world_os_free(struct world *w, struct os *os)
{
    if (w->sim == NULL) {
        os_linux_free(os);
    } else if (os != NULL) {
        sim_node_free(os);
    }
}

int world_stack_new(struct world *w, struct os *os, struct network_stack **ret)
{
    CHECK(strcmp(w->stack, "tcp") == 0); /* the command line takes nothing else */
    return tcp_stack_new(os, ret);
}
