/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/lab/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "scenarios/base/trace_guard.h"
#include "sim/faults/fault_os.h"
#include "sim/world/net_control.h"
#include "sim/net/pcapng.h"
#include "sim/net/tap.h"
#include "sim/rdma/rdma.h"
#include "sim/world/world.h"
#include "stacks/rdma/device.h"
#include "stacks/rdma/rdma_stack.h"
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

/* What the options asked for: not further than to this record. */
static void stop_here(struct world *w, const struct trace_record *record)
{
    uint64_t high = (uint64_t)record->node << 56 | (uint64_t)record->thread << 48;
    bool is_it = (w->stop_id & ~0xffffffffffffULL) == high &&
                 (uint32_t)w->stop_id == record->seq && w->stop_id != 0;

    if (w->stopped_id == 0 && (is_it || w->n_records == w->stop_after)) {
        w->stopped_id = high | record->seq;
        sim_world_violate(w->sim, "stopped", "the run was to stop at this event");
    }
}

static void tell_observers(void *arg, const struct trace_record *record,
                           const struct trace_name *name)
{
    struct world *w = arg;

    for (int i = 0; i < w->n_observers; i++) {
        w->observers[i].fn(w->observers[i].arg, record, name);
    }
    if (record != NULL) {
        w->n_records++;
        if ((w->stop_id | w->stop_after) != 0) {
            stop_here(w, record);
        }
    }
}

void world_observe(struct world *w, trace_record_fn fn, void *arg)
{
    CHECK(w->sim != NULL);
    CHECK(w->n_observers < WORLD_OBSERVERS_MAX);
    w->observers[w->n_observers++] = (struct world_observer){fn, arg};
}

/* In the simulated world most is known from the records as they are made. */
static bool wants_file(const struct world *w, const struct world_opts *opts)
{
    return w->sim == NULL || opts->trace_path != NULL || opts->steps;
}

static enum world_error open_trace(struct world *w, const struct world_opts *opts,
                                   char *why, size_t size)
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
            return WORLD_FILE;
        }
    } else if (wants_file(w, opts)) {
        trace.bytes_max = TEMPORARY_TRACE_BYTES;
        rc = make_nameless_file(w);
        if (rc < 0) {
            snprintf(why, size,
                     "cannot make a temporary file for the trace: %s; set TMPDIR "
                     "or use --no-trace",
                     strerror(-rc));
            return WORLD_FILE;
        }
    }
    if (w->sim != NULL) {
        trace.on_record = tell_observers;
        trace.arg = w;
        world_observe(w, trace_hasher_record, &w->hasher);
        world_observe(w, state_watch_record, sim_faults_states(w->faults));
        if (opts->observer.fn != NULL) {
            world_observe(w, opts->observer.fn, opts->observer.arg);
        }
    }
    rc = trace_open(wants_file(w, opts) ? w->trace_path : NULL, &trace, &w->trace, &reason);
    if (rc < 0) {
        snprintf(why, size, "cannot record to %s: %s (%s)",
                 w->trace_kept ? w->trace_path : "a temporary file", reason, strerror(-rc));
        return WORLD_FILE;
    }
    if (w->trace_kept) { /* others know it by its name */
        trace_guard_add(w->trace);
    }
    return WORLD_OK;
}

static enum world_error open_pcap(struct world *w, const char *path, char *why, size_t size)
{
    int rc = pcapng_open(path, &w->pcap);

    if (rc == -EEXIST) {
        snprintf(why, size,
                 "%s, or %s.part, exists and is no capture: it stays as it is; choose "
                 "another name or remove it",
                 path, path);
    } else if (rc < 0) {
        snprintf(why, size, "cannot write the packets to %s: %s", path, strerror(-rc));
    } else {
        sim_world_set_tap(w->sim, pcapng_frame, w->pcap);
    }
    return rc < 0 ? WORLD_FILE : WORLD_OK;
}

int world_close_pcap(struct world *w, uint64_t *ret_n)
{
    struct pcapng *pcap = w->pcap;

    *ret_n = pcap != NULL ? pcapng_frames(pcap) : 0;
    w->pcap = NULL;
    if (w->sim != NULL) {
        sim_world_set_tap(w->sim, NULL, NULL);
    }
    return pcapng_close(pcap);
}

/* ---- the two worlds ------------------------------------------------------------------ */

const char *const world_schedules[4] = {"fifo", "random", "pct", "starve"};

int world_schedule_by_name(const char *name)
{
    int i = (int)ARRAY_SIZE(world_schedules) - 1;

    while (i >= 0 && strcmp(name, world_schedules[i]) != 0) {
        i--;
    }
    return i;
}

/* What the simulated network is like unless a script says otherwise. */
#define SIM_LATENCY_NS (50 * NSEC_PER_USEC)
#define SIM_JITTER_NS (20 * NSEC_PER_USEC)
#define SIM_LOOPBACK_NS (5 * NSEC_PER_USEC)
#define SIM_CALL_NS 200
#define SIM_SHORT_IO_RATE 32 /* of 1024 reads and writes */

struct sim_stacks *world_stacks_new(void)
{
    return sim_stacks_new(WORLD_STACK_BYTES);
}

/* The knobs of the profile. They say what the world is made of, so they are drawn before
 * there is one, and from the world's own decisions once more, for its log. 0; -EINVAL with
 * what is wrong with the decisions in `why`; -ENOMEM. */
static int draw_profile(struct world *w, const struct world_opts *opts,
                        struct sim_world_opts *sim, char *why, size_t size)
{
    struct sim_decisions scratch;
    int rc = 0;

    sim_decisions_init(&scratch, opts->seed);
    scratch.defaults = sim->defaults;
    if (opts->decisions != NULL) {
        rc = sim_decisions_load(&scratch, opts->decisions, why, size);
    }
    if (rc == 0) {
        profile_shape(w->profile, &scratch, opts->schedule != NULL, sim);
    }
    sim_decisions_fini(&scratch);
    return rc;
}

/* WORLD_OK; or why not, with a sentence in `why`. */
static enum world_error make_sim(struct world *w, const struct world_opts *opts, char *why,
                                 size_t size)
{
    struct sim_world_opts sim = {
        .seed = opts->seed,
        .strategy = SIM_RANDOM,
        .short_io_rate = SIM_SHORT_IO_RATE,
        .call_ns = SIM_CALL_NS,
        .link = {.latency_ns = SIM_LATENCY_NS, .jitter_ns = SIM_JITTER_NS},
        .loopback = {.latency_ns = SIM_LOOPBACK_NS},
        .fds_max = 16384,
        .stack_bytes = WORLD_STACK_BYTES,
        .stacks = opts->stacks,
        .strict = true,
        .defaults = opts->decisions != NULL,
        .log = opts->log,
        .time_max_ns = opts->time_max_ns,
    };
    struct sim_world_opts drawn;
    char line[200] = "out of memory";
    int rc = 0;

    if (opts->schedule != NULL && world_schedule_by_name(opts->schedule) >= 0) {
        sim.strategy = (enum sim_strategy)world_schedule_by_name(opts->schedule);
    }
    drawn = sim;
    rc = draw_profile(w, opts, &drawn, line, sizeof(line));
    w->shape = drawn;
    w->sim = rc == 0 ? sim_world_new(&drawn) : NULL;
    if (w->sim != NULL) {
        sim_world_decisions(w->sim)->on_log = opts->on_decision;
        sim_world_decisions(w->sim)->arg = opts->decision_arg;
    }
    if (w->sim != NULL && opts->decisions != NULL) {
        rc = sim_decisions_load(sim_world_decisions(w->sim), opts->decisions, line,
                                sizeof(line));
    }
    snprintf(why, size, "the decisions to replay: %s", line);
    if (w->sim != NULL && rc == 0) {
        profile_shape(w->profile, sim_world_decisions(w->sim), opts->schedule != NULL,
                      &sim);
        w->os = sim_world_node(w->sim, WORLD_NODES_MAX + 1, "scenario");
    }
    if (rc == 0 && w->os == NULL) {
        snprintf(why, size, "out of memory");
        return WORLD_CANNOT;
    }
    return rc == 0 ? WORLD_OK : WORLD_FILE;
}

static enum world_error make_os(struct world *w, const struct world_opts *opts, char *why,
                                size_t size)
{
    if (w->kind == WORLD_SIM) {
        return make_sim(w, opts, why, size);
    }
    w->os = os_linux_new(WORLD_NODES_MAX + 1, "scenario");
    snprintf(why, size, "out of memory");
    return w->os == NULL ? WORLD_CANNOT : WORLD_OK;
}

void world_accept(struct world *w, int consequences)
{
    int more = consequences & ~sim_faults_accepted(w->faults);

    sim_faults_accept(w->faults, consequences);
    if (w->sim != NULL && more != 0) {
        profile_arm(w->profile, sim_world_decisions(w->sim), w->faults, more);
    }
}

enum sim_verdict world_run(struct world *w, void (*fn)(void *arg), void *arg)
{
    if (w->sim == NULL) {
        fn(arg);
        return SIM_OK;
    }
    return sim_world_run(w->sim, fn, arg);
}

const char *world_report(const struct world *w)
{
    return w->sim != NULL ? sim_world_report(w->sim) : "";
}

const char *world_signature(const struct world *w)
{
    return w->sim != NULL ? sim_world_signature(w->sim) : "";
}

static int rdma_options(const struct world *w, struct rdma_opts *ret)
{
    const char *why;

    rdma_opts_init(ret);
    if (w->sim == NULL && w->device != NULL &&
        rdma_opts_set(ret, "device_name", w->device) < 0) {
        return -EINVAL;
    }
    return w->rdma == NULL ? 0 : rdma_opts_parse(ret, w->rdma, &why);
}

/* A run that needs a device says at once if there is none. */
static enum world_error probe_rdma(struct world *w, char *why, size_t size)
{
    struct rdma_device device = {0};
    struct rdma_opts opts;
    struct verbs *verbs;
    int err = rdma_options(w, &opts);

    if (w->sim != NULL && w->personality == NULL) {
        snprintf(why, size, "there is no virtual device '%s'; valid: hca, rxe", w->device);
        return WORLD_OPTION;
    }
    snprintf(why, size, "the options of the RDMA stack cannot be used: %s",
             w->rdma != NULL ? w->rdma : "");
    if (err == 0 && w->sim != NULL) {
        return WORLD_OK;
    }
    if (err == 0) {
        err = verbs_rdmacore_new(w->os, &verbs);
        snprintf(why, size, "out of memory");
    }
    if (err < 0) {
        return WORLD_CANNOT;
    }
    err = rdma_device_open(&device, verbs, &opts, why, size);
    rdma_device_fini(&device);
    verbs_free(verbs);
    return err < 0 ? WORLD_CANNOT : WORLD_OK;
}

enum world_error world_open(const struct world_opts *opts, struct world *ret, char *why,
                            size_t size)
{
    enum world_error err;

    CHECK(opts->stack == STACK_TCP || opts->stack == STACK_RDMA);
    *ret = (struct world){.kind = opts->on == WORLD_LINUX ? WORLD_LINUX : WORLD_SIM,
                          .stack = opts->stack,
                          .device = opts->device,
                          .personality = opts->device == NULL
                                             ? &rdma_hca
                                             : rdma_personality_by_name(opts->device),
                          .rdma = opts->rdma,
                          .driver = opts->driver,
                          .seed = opts->seed,
                          .profile = (enum sim_profile)profile_by_name(opts->profile),
                          .stop_after = opts->stop_after,
                          .stop_id = opts->stop_id,
                          .trace_fd = -1};
    trace_hasher_init(&ret->hasher);
    err = make_os(ret, opts, why, size);
    if (err == WORLD_OK && opts->stack == STACK_RDMA) {
        err = probe_rdma(ret, why, size);
    }
    if (err == WORLD_OK) {
        ret->faults = sim_faults_new(
            ret->sim != NULL ? sim_world_decisions(ret->sim) : NULL, opts->seed);
        if (ret->faults == NULL) {
            snprintf(why, size, "out of memory");
            err = WORLD_CANNOT;
        }
    }
    if (err == WORLD_OK && ret->sim != NULL) {
        sim_net_set_faults(ret->sim, ret->faults);
        sim_faults_set_verbs(ret->faults, opts->stack == STACK_RDMA);
    }
    if (err == WORLD_OK && ret->sim != NULL) {
        profile_arm(ret->profile, sim_world_decisions(ret->sim), ret->faults,
                    sim_faults_accepted(ret->faults));
    }
    if (err == WORLD_OK && ret->sim != NULL && opts->pcap_path != NULL) {
        err = open_pcap(ret, opts->pcap_path, why, size);
    }
    if (err == WORLD_OK && !opts->no_trace) {
        err = open_trace(ret, opts, why, size);
    }
    if (err != WORLD_OK) {
        world_close(ret);
    }
    return err;
}

int world_close_trace(struct world *w)
{
    struct trace *trace = w->trace;
    int rc;

    w->trace = NULL;
    rc = trace_close(trace); /* may still need the guard */
    trace_guard_remove(trace);
    return rc;
}

void world_close(struct world *w)
{
    uint64_t packets;

    world_close_trace(w);
    world_close_pcap(w, &packets);
    if (w->os != NULL && w->trace_fd >= 0) {
        close(w->trace_fd);
    }
    if (w->os != NULL && w->sim == NULL) {
        os_linux_free(w->os);
    }
    sim_world_free(w->sim); /* and its nodes */
    sim_faults_free(w->faults);
    trace_hasher_fini(&w->hasher);
    w->os = NULL;
    w->sim = NULL;
    w->faults = NULL;
}

struct os *world_os_new(struct world *w, uint8_t number, const char *name)
{
    struct os *os = w->sim != NULL ? sim_world_node(w->sim, number, name)
                                   : os_linux_new(number, name),
              *outer = NULL;

    if (os != NULL) {
        os->trace = w->trace;
        state_watch_forget(sim_faults_states(w->faults), number);
        outer = fault_os_new(os, w->faults);
    }
    if (outer == NULL) {
        w->sim != NULL ? sim_node_free(os) : os_linux_free(os);
    }
    return outer;
}

void world_os_free(struct world *w, struct os *os)
{
    struct os *inner = os != NULL ? fault_os_inner(os) : NULL;

    if (inner == NULL) {
        return;
    }
    fault_os_free(os);
    if (w->sim == NULL) {
        os_linux_free(inner);
    } else {
        w->leaked_fds += sim_node_open_fds(inner);
        sim_node_free(inner);
    }
}

int world_stack_new(struct world *w, struct os *os, const char *rdma,
                    struct network_stack **ret)
{
    struct rdma_opts opts;
    struct verbs *verbs;
    const char *reason;
    int err;

    w->stack_why[0] = '\0';
    if (w->stack == STACK_TCP) {
        return tcp_stack_new(os, ret);
    }
    err = rdma_options(w, &opts);
    if (err == 0 && rdma_opts_parse(&opts, rdma, &reason) < 0) {
        snprintf(w->stack_why, sizeof(w->stack_why), "rdma = \"%s\": %s", rdma, reason);
        err = -EINVAL;
    }
    if (err == 0) {
        err = w->sim != NULL ? rdma_verbs_new(os, w->personality, &verbs)
                             : verbs_rdmacore_new(os, &verbs);
    }
    if (err == 0 && w->sim != NULL) {
        rdma_faults_set(verbs, w->faults);
    }
    return err < 0
               ? err
               : rdma_stack_new(os, verbs, &opts, ret, w->stack_why, sizeof(w->stack_why));
}

void world_stack_free(struct world *w, struct network_stack *stack)
{
    if (stack != NULL && w->stack == STACK_RDMA) {
        w->leaked_chunks += rdma_stack_stop(stack);
    }
    network_stack_free(stack);
}
