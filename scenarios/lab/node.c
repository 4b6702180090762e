/* SPDX-License-Identifier: Apache-2.0 */
/* node.c: a node from its options to a messenger that runs, and its counters. */
#include "scenarios/lab/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/util.h"
#include "scenarios/lab/conns.h"
#include "scenarios/lab/fair.h"
#include "scenarios/lab/pause.h"
#include "scenarios/lab/receive.h"
#include "sim/check/checkers.h"

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

/* ---- starting ---------------------------------------------------------------------- */

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
    if (!node->opts.driver_said) {
        opts.driver = world->driver;
    }
    return messenger_new(&opts, &node->messenger);
}

static void configure_messenger(struct lab_node *node)
{
    struct dispatcher dispatcher = lab_dispatcher(node);

    lab_policy_configure(node);
    messenger_add_dispatcher(node->messenger, &dispatcher);
}

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
        lab_node_free_messenger(node);
        return rc;
    }
    node->started = true;
    publish_addrs(node);
    return 0;
}

/* ---- elsewhere --------------------------------------------------------------------- */

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

/* ---- looking at it, and the end ----------------------------------------------------- */

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

void lab_node_free_messenger(struct lab_node *node)
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
