/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testnode.h: a messenger with its own os and TCP stack, and a dispatcher that counts what
 * it is told, for tests that talk between messengers. Waiting is by condition variable,
 * without a time-out: the time limit of the test is the bound.
 */
#ifndef MSGRLAB_TESTS_LIB_TESTNODE_H
#define MSGRLAB_TESTS_LIB_TESTNODE_H

#include <stdbool.h>

#include "engine/messenger.h"

#define TEST_NODE_LOG 256

struct test_node {
    struct os *os;
    struct network_stack *stack;
    struct messenger *m;
    struct os_mutex *lock;
    struct os_cond *cond;
    bool fast; /* ask for fast dispatch */
    /* Takes the message instead of the counter below; called without the lock. */
    void (*on_message)(struct test_node *n, struct message *msg);
    void *arg; /* for on_message */

    /* Under lock. */
    int connects, accepts, resets, remote_resets, refused, messages;
    uint64_t bytes;
    bool held;                   /* dispatch blocks until test_node_release */
    char log[TEST_NODE_LOG + 1]; /* one letter a callback: C A R r x(refused) m */
    int log_n;
    char thread[16];                    /* that ran the last message callback */
    struct connection *accepted;        /* the last one, with a reference */
    uint16_t priorities[TEST_NODE_LOG]; /* of the first messages */
};

/* A node of entity type osd unless opts say otherwise; opts may be NULL, os and stack are
 * filled in. Not started. */
void test_node_init(struct test_node *n, uint8_t number, const struct messenger_opts *opts);
/* Binds "v2:127.0.0.1:0" or whatever `addrs` says. */
void test_node_bind(struct test_node *n, const char *addrs);
void test_node_start(struct test_node *n);
/* The policy for all peers, by name. Before start. */
void test_node_policy(struct test_node *n, const char *policy);
/* Initialised, bound to a free port, started. A server policy for everybody. */
void test_node_serve(struct test_node *n, uint8_t number);
/* Initialised and started. */
void test_node_client(struct test_node *n, uint8_t number);
/* A connection to the other node; the caller's reference. */
struct connection *test_node_dial(struct test_node *n, struct test_node *to);
/* Sends a PING with that many bytes of pattern (seed tid); retries while out_q is full. */
void test_node_send(struct test_node *n, struct connection *conn, size_t bytes,
                    uint64_t tid);
/* Blocks until the counter (a field of n) is at least that. */
void test_node_wait(struct test_node *n, const int *counter, int at_least);
void test_node_hold(struct test_node *n);
void test_node_release(struct test_node *n);
int test_node_count(struct test_node *n, const int *counter);
/* Shuts down, asserts that nothing is left, frees. */
void test_node_fini(struct test_node *n);

#endif
