/* SPDX-License-Identifier: Apache-2.0 */
/* world.c: puts scheduler, decisions, network and nodes together. */
#include "sim/world/world.h"

#include <stdarg.h>

#include "engine/util.h"
#include "sim/net/socket.h"
#include "sim/node/file.h"
#include "sim/world/net_control.h"
#include "sim/world/world_impl.h"

/* ---- options ---------------------------------------------------------------------- */

#define DEFAULT(field, value) ((field) = (field) != 0 ? (field) : (value))

static void apply_defaults(struct sim_world_opts *o)
{
    DEFAULT(o->pct_depth, 3);
    DEFAULT(o->pct_steps, 10000);
    DEFAULT(o->empty_poll_ns, 200);
    DEFAULT(o->time_max_ns, 24 * 3600 * NSEC_PER_SEC);
    DEFAULT(o->busy_max, 100000000);
    DEFAULT(o->instant_max, 1000000);
    DEFAULT(o->resend_ns, 200 * NSEC_PER_MSEC);
    DEFAULT(o->resend_max_ns, 5 * NSEC_PER_SEC);
    DEFAULT(o->give_up_ns, 924600 * NSEC_PER_MSEC); /* Linux: tcp_retries2 */
    DEFAULT(o->fds_max, 1024);
    DEFAULT(o->sndbuf, 131072);
    DEFAULT(o->rcvbuf, 131072);
    DEFAULT(o->pipe_bytes, 65536);
    if (o->strategy != SIM_FIFO) {
        DEFAULT(o->preempt_rate, 64);
        DEFAULT(o->run_rate, SIM_RATE_ALWAYS);
        DEFAULT(o->wake_rate, SIM_RATE_ALWAYS);
    } else {
        o->preempt_rate = o->run_rate = o->wake_rate = 0;
    }
}

static void set_rates(struct sim_decisions *d, const struct sim_world_opts *o)
{
    d->rate[SIM_SITE_PREEMPT] = o->preempt_rate;
    d->rate[SIM_SITE_RUN] = o->run_rate;
    d->rate[SIM_SITE_WAKE] = o->wake_rate;
    d->rate[SIM_SITE_SHORT_RECV] = o->short_io_rate;
    d->rate[SIM_SITE_SHORT_SEND] = o->short_io_rate;
    d->rate[SIM_SITE_TIE] = o->tie_rate;
    d->rate[SIM_SITE_HANDOFF] = o->handoff_rate;
    d->rate[SIM_SITE_SPURIOUS] = o->spurious_rate;
    d->rate[SIM_SITE_EVENT_ORDER] = o->event_order_rate;
    d->rate[SIM_SITE_EVENT_BATCH] = o->event_batch_rate;
    d->rate[SIM_SITE_EVENT_DELAY] = o->event_delay_rate;
    d->rate[SIM_SITE_EVENT_AGAIN] = o->event_again_rate;
    d->rate[SIM_SITE_JITTER] = SIM_RATE_ALWAYS;
    d->defaults = o->defaults;
    d->logging = o->log;
}

/* ---- stacks to share --------------------------------------------------------------- */

struct sim_stacks *sim_stacks_new(size_t stack_bytes)
{
    struct sim_stacks *stacks = calloc(1, sizeof(*stacks));

    if (stacks != NULL) {
        coro_pool_init(&stacks->pool, stack_bytes);
    }
    return stacks;
}

void sim_stacks_free(struct sim_stacks *stacks)
{
    if (stacks != NULL) {
        coro_pool_fini(&stacks->pool);
        free(stacks);
    }
}

/* ---- the world -------------------------------------------------------------------- */

struct sim_world *sim_world_new(const struct sim_world_opts *opts)
{
    struct sim_world *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        return NULL;
    }
    w->opts = *opts;
    apply_defaults(&w->opts);
    sim_decisions_init(&w->decisions, opts->seed);
    set_rates(&w->decisions, &w->opts);
    net_init(&w->net);
    sched_init(&w->sched, &w->opts, &w->decisions);
    w->env.opts = &w->opts;
    w->env.sched = &w->sched;
    w->env.decisions = &w->decisions;
    w->env.net = &w->net;
    w->env.locks = &w->locks;
    list_init(&w->env.nodes);
    return w;
}

static void node_free_memory(struct sim_node *n)
{
    struct list *node;

    CHECK(n->open_n == 0);
    sim_node_free_locks(n);
    while ((node = list_pop_front(&n->handles)) != NULL) {
        struct sim_handle *h = container_of(node, struct sim_handle, of_node);

        list_unlink(&h->of_thread);
        free(h);
    }
    list_unlink(&n->of_env);
    free(n);
}

/* Files first: closing them still looks at threads that wait for them. Then the threads,
 * which look at what they wait for. */
void sim_world_free(struct sim_world *w)
{
    if (w == NULL) {
        return;
    }
    CHECK(w->sched.current == &w->sched.host);
    list_for_each(&w->env.nodes, it)
    {
        struct sim_node *n = container_of(it, struct sim_node, of_env);

        sim_node_close_all(n);
        sched_group_fini(&n->threads);
    }
    sched_fini(&w->sched);
    list_for_each_safe(&w->env.nodes, it)
    {
        node_free_memory(container_of(it, struct sim_node, of_env));
    }
    net_fini(&w->net);
    lock_order_fini(&w->locks);
    if (w->env.rdma_free != NULL) {
        w->env.rdma_free(w->env.rdma);
    }
    sim_decisions_fini(&w->decisions);
    free(w);
}

enum sim_verdict sim_world_run(struct sim_world *w, void (*fn)(void *arg), void *arg)
{
    struct sim_thread *t = sched_spawn(&w->sched, NULL, "main", fn, arg);

    CHECK(t != NULL);
    if (sched_run(&w->sched) == SIM_OK) {
        sched_join(&w->sched, t);
    }
    return w->sched.verdict;
}

const char *sim_world_report(const struct sim_world *w)
{
    return w->sched.report != NULL ? w->sched.report : "";
}

const char *sim_world_signature(const struct sim_world *w)
{
    return w->sched.signature;
}

void sim_world_violate(struct sim_world *w, const char *signature, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    sched_vviolate(&w->sched, signature, fmt, args);
    va_end(args);
}

uint64_t sim_world_now(const struct sim_world *w)
{
    return w->sched.now;
}

struct sim_decisions *sim_world_decisions(struct sim_world *w)
{
    return &w->decisions;
}

void sim_world_stats(const struct sim_world *w, struct sim_world_stats *ret)
{
    *ret = w->sched.stats;
}

/* ---- nodes ------------------------------------------------------------------------ */

static uint8_t free_number(struct sim_world *w)
{
    uint8_t highest = 0;

    list_for_each(&w->env.nodes, it)
    {
        highest = MAX(highest, container_of(it, struct sim_node, of_env)->base.node);
    }
    return (uint8_t)(highest + 1);
}

struct os *sim_world_node(struct sim_world *w, uint8_t number, const char *name)
{
    struct sim_node *n = calloc(1, sizeof(*n));

    if (n == NULL) {
        return NULL;
    }
    n->base.ops = &sim_os_ops;
    n->base.io = &sim_os_io_ops;
    n->base.node = number != 0 ? number : free_number(w);
    CHECK(n->base.node != 0);
    snprintf(n->base.name, sizeof(n->base.name), "%s", name);
    n->env = &w->env;
    sched_group_init(&w->sched, &n->threads);
    sim_node_boot(n);
    list_init(&n->of_env);
    list_init(&n->handles);
    list_init(&n->mutexes);
    list_init(&n->conds);
    list_push_back(&w->env.nodes, &n->of_env);
    return &n->base;
}

void sim_node_free(struct os *os)
{
    struct sim_node *n;

    if (os == NULL) {
        return;
    }
    n = to_node(os);
    CHECK(n->live_threads == 0);
    CHECK(list_is_empty(&n->mutexes));
    CHECK(list_is_empty(&n->conds));
    sim_node_close_all(n);
    sched_group_fini(&n->threads);
    node_free_memory(n);
}

int sim_node_open_fds(struct os *os)
{
    return to_node(os)->open_n;
}

uint64_t sim_node_arrived(struct os *os, int fd)
{
    struct sim_file *f = sim_file_get(to_node(os), fd);
    const struct sim_socket *s = f != NULL && sim_file_is_socket(f)
                                     ? container_of(f, struct sim_socket, file)
                                     : NULL;

    return s != NULL && s->stream != NULL ? s->stream->acked : UINT64_MAX;
}

bool sim_is_node(const struct os *os)
{
    return os->ops == &sim_os_ops;
}

struct sim_world *sim_node_world(struct os *os)
{
    return container_of(to_node(os)->env, struct sim_world, env);
}

void sim_world_set_tap(struct sim_world *w, sim_tap_fn fn, void *arg)
{
    w->env.tap = fn;
    w->env.tap_arg = arg;
}
