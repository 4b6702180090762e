/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/lab/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/util.h"
#include "scenarios/lab/fair.h"
#include "sim/check/checkers.h"
#include "sim/rdma/rdma.h"

#define WAIT_SLICE_NS (50 * NSEC_PER_MSEC) /* how late Ctrl-C may be noticed */

const char *const lab_event_names[LAB_EVENTS] = {"connect", "accept", "reset",
                                                 "remote_reset", "refused"};

const char *const lab_counter_names[LAB_COUNTERS] = {
#define X(name, expression) #name,
    LAB_MESSENGER_COUNTERS(X)
#undef X
#define X(name) #name,
        WORKER_COUNTERS(X)
#undef X
};

static void on_violation(void *arg, const char *signature, const char *text)
{
    struct lab *lab = arg;

    sim_world_violate(lab->world->sim, signature, "%s", text);
}

static uint64_t world_time(void *arg)
{
    struct lab *lab = arg;

    return sim_world_now(lab->world->sim);
}

/* What the network has brought. */
static uint64_t bytes_arrived(void *arg, uint8_t node, int fd, uint32_t qp_num)
{
    const struct lab *lab = arg;
    struct os *os = node >= 1 && node <= lab->n_nodes ? lab->nodes[node - 1]->os : NULL;

    if (os == NULL) {
        return UINT64_MAX;
    }
    return strcmp(lab->world->stack, "rdma") == 0 ? rdma_arrived(os, qp_num)
                                                  : sim_node_arrived(os, fd);
}

/* The checkers look at every record of a simulated run. */
static int watch_invariants(struct lab *lab)
{
    const struct checkers_opts opts = {
        .violate = on_violation, .now = world_time, .arrived = bytes_arrived, .arg = lab};

    if (lab->world->sim == NULL || lab->world->trace == NULL) {
        return 0;
    }
    lab->checkers = checkers_new(&opts);
    if (lab->checkers == NULL) {
        return -ENOMEM;
    }
    world_observe(lab->world, checkers_record, lab->checkers);
    return 0;
}

int lab_new(struct world *world, struct lab **ret)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    if (lab == NULL) {
        return -ENOMEM;
    }
    lab->world = world;
    lab->inbox_tail = &lab->inbox;
    lab->lock = os_mutex_new(world->os, "lab");
    lab->changed = os_cond_new(world->os, "lab.changed");
    if (lab->lock == NULL || lab->changed == NULL || watch_invariants(lab) < 0) {
        lab_free(lab);
        return -ENOMEM;
    }
    *ret = lab;
    return 0;
}

uint64_t lab_now(struct lab *lab)
{
    return os_monotonic_ns(lab->world->os);
}

void lab_changed(struct lab *lab)
{
    lab->changes++;
    os_cond_broadcast(lab->world->os, lab->changed);
}

void lab_wait_change(struct lab *lab, uint64_t until_ns)
{
    uint64_t now = lab_now(lab);

    if (now < until_ns) {
        os_cond_wait(lab->world->os, lab->changed, lab->lock,
                     (int64_t)MIN(until_ns - now, WAIT_SLICE_NS));
    }
}

bool lab_is_stopped(struct lab *lab)
{
    return lab->stop_senders || (lab->is_stopped != NULL && lab->is_stopped(lab->stop_arg));
}

/* ---- life of a node ---------------------------------------------------------------- */

struct lab_node *lab_node_find(struct lab *lab, const char *name)
{
    for (int i = 0; i < lab->n_nodes; i++) {
        if (strcmp(lab->nodes[i]->opts.name, name) == 0) {
            return lab->nodes[i];
        }
    }
    return NULL;
}

struct lab_node *lab_node_new(struct lab *lab, const struct lab_node_opts *opts, char *why,
                              size_t size)
{
    struct lab_node *node;

    if (lab->n_nodes == WORLD_NODES_MAX) {
        snprintf(why, size, "a run has at most %d nodes", WORLD_NODES_MAX);
        return NULL;
    }
    node = calloc(1, sizeof(*node));
    if (node == NULL) {
        snprintf(why, size, "out of memory");
        return NULL;
    }
    node->lab = lab;
    node->number = (uint8_t)(lab->n_nodes + 1);
    node->opts = *opts;
    lab_lock(lab);
    lab->nodes[lab->n_nodes++] = node;
    lab_unlock(lab);
    return node;
}

/* Where it is to listen: where it did in its former life, or as the scenario says. */
static int choose_address(const struct lab_node *node, struct entity_addrvec *ret,
                          const char **ret_text, const char **ret_why)
{
    *ret_text = node->opts.address[0] != '\0' ? node->opts.address : "127.0.0.1:0";
    *ret_why = "";
    if (node->lives > 0 && node->addrs.n > 0) {
        *ret = node->addrs;
        return 0;
    }
    return entity_addrvec_parse(*ret_text, ADDR_MSGR2, 0, ret, ret_why);
}

static int bind_node(struct lab_node *node, char *why, size_t size)
{
    struct entity_addrvec addrs = {.n = 1};
    const char *text, *reason;
    int rc;

    if (choose_address(node, &addrs, &text, &reason) < 0) {
        snprintf(why, size, "'%s' is no address: %s", text, reason);
        return -EINVAL;
    }
    rc = messenger_bind(node->messenger, &addrs);
    if (rc < 0) {
        snprintf(why, size, "node %s cannot listen on %s: %s", node->opts.name, text,
                 strerror(-rc));
        return rc;
    }
    node->bound = true;
    return 0;
}

static int make_messenger(struct lab_node *node)
{
    struct world *world = node->lab->world;
    struct messenger_opts opts = node->opts.messenger;
    int rc;

    node->os = world_os_new(world, node->number, node->opts.name);
    if (node->os == NULL) {
        return -ENOMEM;
    }
    rc = world_stack_new(world, node->os, node->opts.rdma, &node->stack);
    if (rc < 0) {
        return rc;
    }
    opts.os = node->os;
    opts.stack = node->stack;
    opts.entity_id = node->opts.name;
    opts.driver = world->driver;
    if (node->opts.driver != NULL) {
        opts.driver = (enum event_driver_kind)event_driver_by_name(node->opts.driver);
    }
    return messenger_new(&opts, &node->messenger);
}

static void configure_messenger(struct lab_node *node)
{
    struct dispatcher dispatcher = lab_dispatcher(node);

    lab_policy_configure(node);
    messenger_add_dispatcher(node->messenger, &dispatcher);
}

static void free_messenger(struct lab_node *node);

static int start_messenger(struct lab_node *node, char *why, size_t size)
{
    int rc = make_messenger(node);

    if (rc < 0) {
        const char *reason = node->lab->world->stack_why;

        snprintf(why, size, "node %s cannot be made: %s", node->opts.name,
                 reason[0] != '\0' ? reason : strerror(-rc));
        return rc;
    }
    configure_messenger(node);
    if (node->opts.serve) {
        rc = bind_node(node, why, size);
        if (rc < 0) {
            return rc;
        }
    }
    rc = messenger_start(node->messenger);
    if (rc < 0) {
        snprintf(why, size, "node %s cannot start: %s", node->opts.name, strerror(-rc));
        messenger_shutdown(node->messenger);
    }
    return rc;
}

/* Who listens at every ip is dialled at the one of this machine; it learns its own from the
 * first who calls, as Ceph's do. */
static void make_dialable(struct entity_addr *addr)
{
    struct entity_addr here;
    const char *why;
    int rc;

    if (entity_addr_is_ip_any(addr)) {
        rc = entity_addr_parse(addr->sa.sa_family == AF_INET6 ? "v2:[::1]:0"
                                                              : "v2:127.0.0.1:0",
                               ADDR_MSGR2, 0, &here, &why);
        CHECK(rc == 0);
        entity_addr_set_ip(addr, &here);
    }
}

static void publish_addrs(struct lab_node *node)
{
    struct entity_addrvec addrs;

    messenger_addrs(node->messenger, &addrs);
    for (uint32_t i = 0; i < addrs.n; i++) {
        make_dialable(&addrs.v[i]);
    }
    lab_lock(node->lab);
    node->addrs = addrs;
    lab_unlock(node->lab);
}

/* Sessions of the node whose peers say nothing end by its idle time-out. */
static void expect_silence_to_end(const struct lab_node *node)
{
    uint64_t idle_ns = node->opts.messenger.idle_timeout_ns;

    if (node->lab->checkers != NULL) {
        checkers_set_idle(node->lab->checkers, node->number,
                          idle_ns != 0 ? idle_ns : CONNECT_IDLE_TIMEOUT_NS);
    }
}

int lab_node_start(struct lab_node *node, char *why, size_t size)
{
    int rc;

    if (node->started) {
        return 0;
    }
    expect_silence_to_end(node);
    rc = start_messenger(node, why, size);
    if (rc < 0) {
        free_messenger(node);
        return rc;
    }
    node->started = true;
    publish_addrs(node);
    return 0;
}

/* Of the node's connections that there were before: the messenger has marked them down,
 * without telling anybody. */
static void drop_connections(struct lab_node *node, uint32_t n)
{
    struct lab *lab = node->lab;

    for (uint32_t i = 0; i < n; i++) {
        struct connection *conn = NULL;
        struct lab_conn *c;

        lab_lock(lab);
        c = lab->conns[i];
        if (c->node == node && !c->closed) {
            conn = lab_conn_over(c, c->conn != NULL ? conn_why(c->conn) : "");
            lab_conn_end(c, LAB_END_REBOUND);
        }
        lab_unlock(lab);
        conn_unref(conn);
    }
}

int lab_node_rebind(struct lab_node *node)
{
    uint32_t n;
    int rc;

    if (lab_node_stands_still(node)) {
        return -EBUSY;
    }
    lab_lock(node->lab);
    n = node->lab->n_conns;
    lab_unlock(node->lab);
    rc = messenger_rebind(node->messenger);
    if (rc == 0) {
        drop_connections(node, n);
    }
    lab_fair_excuse(node->lab, node, NULL);
    publish_addrs(node);
    return rc;
}

/* ---- looking at it ----------------------------------------------------------------- */

void lab_node_counters(const struct lab_node *node, uint64_t ret[LAB_COUNTERS])
{
    struct messenger_stats m;
    struct worker_pool *pool;

    memcpy(ret, node->counters, sizeof(node->counters));
    if (!node->started || node->messenger == NULL) {
        return;
    }
    messenger_stats(node->messenger, &m);
#define X(name, expression) ret[LAB_COUNTER_##name] = expression;
    LAB_MESSENGER_COUNTERS(X)
#undef X
    pool = messenger_workers(node->messenger);
#define X(name) ret[LAB_COUNTER_##name] = 0;
    WORKER_COUNTERS(X)
#undef X
    for (uint32_t i = 0; i < worker_pool_size(pool); i++) {
        struct worker *worker = worker_pool_at(pool, i);

#define X(name)                                                                            \
    ret[LAB_COUNTER_##name] +=                                                             \
        atomic_load_explicit(&worker->counters.name, memory_order_relaxed);
        WORKER_COUNTERS(X)
#undef X
    }
}

/* ---- the end ----------------------------------------------------------------------- */

bool lab_drain(struct lab *lab, uint64_t timeout_ns)
{
    uint64_t until = lab_now(lab) + timeout_ns;

    for (int i = 0; i < lab->n_nodes; i++) {
        struct lab_node *node = lab->nodes[i];
        uint64_t now = lab_now(lab);

        if (node->started && !lab_node_is_paused(node) &&
            !messenger_drain(node->messenger, now < until ? until - now : 0)) {
            return false;
        }
    }
    return true;
}

static void drop_references(struct lab *lab)
{
    struct lab_inbox *item;

    while ((item = lab_inbox_pop(lab)) != NULL) {
        lab_inbox_free(item);
    }
    for (uint32_t i = 0; i < lab->n_conns; i++) {
        struct lab_conn *conn = lab->conns[i];
        struct connection *gone;

        lab_lock(lab);
        gone = lab_conn_over(conn, "the run is over");
        lab_unlock(lab);
        conn_unref(gone);
    }
}

static void free_messenger(struct lab_node *node)
{
    if (node->started) {
        uint64_t *c = node->counters;

        lab_node_counters(node, c);
        node->leaked = node->leaked || c[LAB_COUNTER_connections] != 0 ||
                       c[LAB_COUNTER_accepting] != 0 || c[LAB_COUNTER_dispatch_depth] != 0;
    }
    messenger_free(node->messenger);
    node->messenger = NULL;
    world_stack_free(node->lab->world, node->stack);
    node->stack = NULL;
    world_os_free(node->lab->world, node->os);
    node->os = NULL;
}

/* The story is over: nothing is counted, and nobody waits, any more. */
static void close_books(struct lab *lab)
{
    lab_lock(lab);
    lab->closing = true;
    lab_changed(lab);
    lab_unlock(lab);
    lab->stop_senders = true;
}

void lab_shutdown(struct lab *lab)
{
    close_books(lab);
    lab_heal(lab);
    for (int i = 0; i < lab->n_nodes; i++) {
        lab_node_let_go(lab->nodes[i]);
    }
    lab_senders_join(lab, false);
    for (int i = 0; i < lab->n_nodes; i++) {
        if (lab->nodes[i]->started && lab->nodes[i]->messenger != NULL) {
            messenger_shutdown(lab->nodes[i]->messenger);
        }
    }
    drop_references(lab);
    lab_bury_all(lab);
    for (int i = 0; i < lab->n_nodes; i++) {
        free_messenger(lab->nodes[i]);
    }
    if (lab->checkers != NULL) {
        checkers_finish(lab->checkers);
    }
}

static void free_ledger(struct lab_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->n; i++) {
        if (ledger->entries[i].owned) {
            free((void *)(uintptr_t)ledger->entries[i].literal);
        }
    }
    free(ledger->entries);
    free(ledger->orders);
    free(ledger);
}

void lab_free(struct lab *lab)
{
    if (lab == NULL) {
        return;
    }
    for (int i = 0; i < lab->n_nodes; i++) {
        CHECK(lab->nodes[i]->messenger == NULL);
        CHECK(lab->nodes[i]->graves == NULL);
        free(lab->nodes[i]->pause);
        free(lab->nodes[i]->log);
        free(lab->nodes[i]);
    }
    for (uint32_t i = 0; i < lab->n_ledgers; i++) {
        free_ledger(lab->ledgers[i]);
    }
    free(lab->ledgers);
    for (uint32_t i = 0; i < lab->n_conns; i++) {
        free(lab->conns[i]);
    }
    free(lab->conns);
    os_cond_free(lab->world->os, lab->changed);
    os_mutex_free(lab->world->os, lab->lock);
    checkers_free(lab->checkers);
    lab_fair_fini(lab);
    free(lab);
}
