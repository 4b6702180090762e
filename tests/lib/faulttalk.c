/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/faulttalk.h"

#include <errno.h>
#include <string.h>

#include "engine/messenger.h"
#include "engine/util.h"
#include "stacks/tcp/tcp_stack.h"
#include "tests/lib/testlib.h"

#define ATTEMPT 100 /* tid = attempt * ATTEMPT + index */
#define ATTEMPTS_MAX 32

struct talker {
    struct os *os;
    struct network_stack *stack;
    struct messenger *m;
    struct os_mutex *lock;
    struct os_cond *cond;
    bool echoes;
    /* Under lock. */
    int received[ATTEMPTS_MAX]; /* of each attempt */
    bool sound;
    int resets;
};

struct talk {
    const struct fault_talk_opts *opts;
    struct fault_talk_result *ret;
    struct talker a, b;
};

static size_t length_of(int index)
{
    return index % 3 == 0 ? 30000 : (size_t)index * 213;
}

/* ---- receiving ---------------------------------------------------------------------- */

static bool is_right(const struct talker *t, const struct message *msg)
{
    uint64_t tid = msg->header.tid;
    int attempt = (int)(tid / ATTEMPT), index = (int)(tid % ATTEMPT);

    if (attempt >= ATTEMPTS_MAX || t->received[attempt] + 1 != index ||
        msg->front.len != length_of(index)) {
        return false;
    }
    for (size_t i = 0; i < msg->front.len; i++) {
        if (msg->front.data[i] != testlib_pattern(tid, i)) {
            return false;
        }
    }
    return true;
}

static bool on_message(void *arg, struct message *msg)
{
    struct talker *t = arg;
    bool right;

    os_lock(t->os, t->lock);
    right = is_right(t, msg);
    t->sound = t->sound && right;
    if (right) {
        t->received[msg->header.tid / ATTEMPT]++;
    }
    os_cond_broadcast(t->os, t->cond);
    os_unlock(t->os, t->lock);
    if (!t->echoes || messenger_send(msg->conn, msg) < 0) {
        message_unref(msg); /* the connection is gone, or this is the echo */
    }
    return true;
}

static bool on_reset(void *arg, struct connection *conn)
{
    struct talker *t = arg;

    os_lock(t->os, t->lock);
    t->resets++;
    os_cond_broadcast(t->os, t->cond);
    os_unlock(t->os, t->lock);
    return true;
}

/* ---- starting ----------------------------------------------------------------------- */

static void talker_fini(struct talker *t)
{
    if (t->m != NULL) {
        messenger_shutdown(t->m);
        messenger_free(t->m);
        t->m = NULL;
    }
    if (t->stack != NULL) {
        network_stack_free(t->stack);
        t->stack = NULL;
    }
}

static const struct policy *policy_of(const struct talk *talk, const struct talker *t)
{
    if (talk->opts->lossless) {
        return policy_find(t->echoes ? "stateful_server" : "lossless_client");
    }
    return policy_find(t->echoes ? "stateless_server" : "lossy_client");
}

/* A connection that is there before the messenger runs, with a message that waits. */
static void dial_nobody(struct talker *t)
{
    struct connection *conn = NULL;
    struct message *msg = message_new(MSG_PING);
    struct entity_addrvec addrs;
    const char *why;

    ck_assert_int_eq(entity_addrvec_parse("v2:127.0.0.1:1/0", ADDR_MSGR2, 0, &addrs, &why),
                     0);
    if (messenger_connect_anon(t->m, ENTITY_OSD, &addrs, &conn) < 0 || msg == NULL ||
        messenger_send(conn, msg) < 0) {
        message_unref(msg);
    }
    conn_unref(conn);
}

/* One try. */
static int try_start(struct talk *talk, struct talker *t)
{
    struct messenger_opts opts = {.os = t->os,
                                  .entity_type = ENTITY_OSD,
                                  .entity_num = t->os->node,
                                  .driver = talk->opts->driver,
                                  .workers = 2};
    const struct dispatcher dispatcher = {
        .arg = t, .dispatch = on_message, .on_reset = on_reset};
    struct entity_addrvec addrs;
    const char *why;
    int err = talk->opts->make_stack != NULL ? talk->opts->make_stack(t->os, &t->stack)
                                             : tcp_stack_new(t->os, &t->stack);

    if (err < 0) {
        return err;
    }
    opts.stack = t->stack;
    err = messenger_new(&opts, &t->m);
    if (err < 0) {
        return err;
    }
    messenger_set_policy(t->m, 0, policy_of(talk, t));
    messenger_add_dispatcher(t->m, &dispatcher);
    if (t->echoes) {
        ck_assert_int_eq(entity_addrvec_parse("127.0.0.1:0", ADDR_MSGR2, 0, &addrs, &why),
                         0);
        err = messenger_bind(t->m, &addrs);
    } else if (talk->opts->whole) {
        dial_nobody(t);
    }
    return err < 0 ? err : messenger_start(t->m);
}

static bool start(struct talk *talk, struct talker *t)
{
    for (int i = 0; i < talk->opts->attempts; i++) {
        if (try_start(talk, t) == 0) {
            return true;
        }
        talk->ret->failed_starts++;
        talker_fini(t);
    }
    return false;
}

/* Before and after the story; these are not what is tested. */
static void talker_init(struct talker *t, struct os *os, bool echoes)
{
    *t = (struct talker){.os = os, .echoes = echoes, .sound = true};
    while (t->lock == NULL) { /* the fault is over after a few */
        t->lock = os_mutex_new(os, "talker");
    }
    while (t->cond == NULL) {
        t->cond = os_cond_new(os, "talker");
    }
}

static void talker_free(struct talker *t)
{
    os_cond_free(t->os, t->cond);
    os_mutex_free(t->os, t->lock);
}

/* ---- the conversation --------------------------------------------------------------- */

/* As testlib_message, but allocations may fail, too, where that is the test. */
static struct message *make_message(uint64_t tid, size_t bytes)
{
    struct message *msg = message_new(MSG_PING);

    if (msg == NULL || buffer_alloc(&msg->front, bytes) < 0) {
        message_unref(msg);
        return NULL;
    }
    msg->header.tid = tid;
    for (size_t i = 0; i < bytes; i++) {
        msg->front.data[i] = testlib_pattern(tid, i);
    }
    return msg;
}

/* So that keepalives, too, find a session, and go out together with messages. */
static void await_session(struct talk *talk, struct connection *conn)
{
    struct os *os = talk->a.os;
    uint64_t until = os_monotonic_ns(os) + talk->opts->patience_ns;

    while (!conn_is_connected(conn) && !conn_is_closed(conn) &&
           os_monotonic_ns(os) < until) {
        os_sleep_ns(os, NSEC_PER_MSEC);
    }
}

static int send_all(struct talk *talk, struct connection *conn, int attempt)
{
    int err = 0;

    if (talk->opts->whole) {
        await_session(talk, conn);
        conn_send_keepalive(conn);
    }
    for (int i = 1; i <= talk->opts->messages && err == 0; i++) {
        struct message *msg =
            make_message((uint64_t)attempt * ATTEMPT + (uint64_t)i, length_of(i));

        err = msg != NULL ? messenger_send(conn, msg) : -ENOMEM;
        if (err < 0) {
            message_unref(msg);
        }
        if (talk->opts->whole) {
            conn_send_keepalive(conn);
        }
    }
    return err;
}

/* Until all came back, the connection is lost, or patience is at an end. */
static void await(struct talk *talk, int attempt)
{
    struct talker *a = &talk->a;
    uint64_t until = os_monotonic_ns(a->os) + talk->opts->patience_ns, now;

    os_lock(a->os, a->lock);
    while (a->received[attempt] < talk->opts->messages && a->resets == 0 &&
           (now = os_monotonic_ns(a->os)) < until) {
        os_cond_wait(a->os, a->cond, a->lock, (int64_t)(until - now));
    }
    talk->ret->delivered = a->received[attempt] == talk->opts->messages;
    talk->ret->lost += !talk->ret->delivered && a->resets > 0;
    talk->ret->timed_out += !talk->ret->delivered && a->resets == 0;
    a->resets = 0;
    os_unlock(a->os, a->lock);
}

/* Dials, until all came back; attempts count from `first`. */
static void converse(struct talk *talk, int first)
{
    struct entity_addrvec addrs;

    messenger_addrs(talk->b.m, &addrs);
    talk->ret->delivered = false;
    for (int i = first; i < first + talk->opts->attempts && !talk->ret->delivered; i++) {
        struct connection *conn;

        if (messenger_connect_anon(talk->a.m, ENTITY_OSD, &addrs, &conn) < 0) {
            talk->ret->failed_dials++;
            continue;
        }
        if (send_all(talk, conn, i) < 0) {
            talk->ret->lost++;
        } else {
            await(talk, i);
        }
        messenger_mark_down(conn);
        conn_unref(conn);
    }
}

/* False: it never could. One that cannot changes nothing. */
static bool rebind(struct talk *talk)
{
    struct entity_addrvec before, after;
    bool done = false;

    for (int i = 0; i < talk->opts->attempts && !done; i++) {
        messenger_addrs(talk->b.m, &before);
        done = messenger_rebind(talk->b.m) == 0;
        messenger_addrs(talk->b.m, &after);
        ck_assert_int_eq(entity_addrvec_equal(&before, &after), !done);
        talk->ret->failed_rebinds += !done;
    }
    return done;
}

/* Everything that waited went, or was given up. */
static void drain(struct talk *talk, struct talker *t)
{
    messenger_mark_down_all(t->m);
    talk->ret->stuck = talk->ret->stuck || !messenger_drain(t->m, talk->opts->patience_ns);
}

static void live(struct talk *talk)
{
    converse(talk, 0);
    if (talk->opts->whole && talk->ret->delivered) {
        talk->ret->delivered = false;
        if (rebind(talk)) {
            converse(talk, talk->opts->attempts);
        }
    }
    drain(talk, &talk->a);
    drain(talk, &talk->b);
}

void fault_talk(const struct fault_talk_opts *opts, struct fault_talk_result *ret)
{
    struct talk talk = {.opts = opts, .ret = ret};
    uint64_t began = os_monotonic_ns(opts->a);

    ck_assert_int_le(2 * opts->attempts, ATTEMPTS_MAX);
    *ret = (struct fault_talk_result){0};
    talker_init(&talk.a, opts->a, false);
    talker_init(&talk.b, opts->b, true);
    if (start(&talk, &talk.b) && start(&talk, &talk.a)) {
        live(&talk);
    }
    talker_fini(&talk.a);
    talker_fini(&talk.b);
    ret->sound = talk.a.sound && talk.b.sound;
    ret->elapsed_ns = os_monotonic_ns(opts->a) - began;
    talker_free(&talk.a);
    talker_free(&talk.b);
}
