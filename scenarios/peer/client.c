/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c: client.admin of a real monitor: `peer monmap` and `peer ping`.
 */
#include "scenarios/peer/peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/base/interrupt.h"
#include "scenarios/base/words.h"
#include "scenarios/peer/mon_messages.h"
#include "scenarios/peer/monmap_text.h"
#include "scenarios/peer/node.h"
#include "scenarios/peer/reasons.h"

/* How soon a signal is noticed while we wait. */
#define WAIT_SLICE_NS (50 * NSEC_PER_MSEC)
/* A round trip on one machine ends within this; asking the clock costs less than sleeping,
 * and does not show in the result. */
#define SPIN_NS NSEC_PER_MSEC
#define SPIN_SLEEP_NS (50 * NSEC_PER_USEC)

struct client {
    struct peer peer;
    struct connection *conn; /* one reference; NULL before dialling */
    struct os_mutex *lock;   /* owned; guards the rest */
    struct os_cond *cond;    /* owned */
    bool connected, refused, reset;
    uint16_t wanted;       /* type of the message that is waited for */
    struct message *reply; /* owned; NULL until it is there */
    uint64_t reply_ns;     /* when it came */
};

/* ---- on ms_dispatch ---- */

static void set_flag(struct client *c, bool *flag)
{
    os_lock(c->peer.os, c->lock);
    *flag = true;
    os_cond_broadcast(c->peer.os, c->cond);
    os_unlock(c->peer.os, c->lock);
}

static void on_connect(void *arg, struct connection *conn)
{
    struct client *c = arg;

    (void)conn;
    set_flag(c, &c->connected);
}

static bool on_reset(void *arg, struct connection *conn)
{
    struct client *c = arg;

    (void)conn;
    set_flag(c, &c->reset);
    return true;
}

static bool on_refused(void *arg, struct connection *conn)
{
    struct client *c = arg;

    (void)conn;
    set_flag(c, &c->refused);
    return true;
}

/* A monitor also sends what nobody asked for; that is dropped. */
static bool take_reply(void *arg, struct message *msg)
{
    struct client *c = arg;
    uint64_t now = os_monotonic_ns(c->peer.os);
    bool take;

    os_lock(c->peer.os, c->lock);
    take = c->reply == NULL && msg->header.type == c->wanted;
    if (take) {
        c->reply = msg;
        c->reply_ns = now;
        os_cond_broadcast(c->peer.os, c->cond);
    }
    os_unlock(c->peer.os, c->lock);
    return take;
}

/* ---- life ---- */

static int close_client(struct client *c, int code)
{
    struct os *os = c->peer.os;

    peer_stop(&c->peer); /* nothing calls back any more */
    message_unref(c->reply);
    conn_unref(c->conn);
    os_cond_free(os, c->cond);
    os_mutex_free(os, c->lock);
    return peer_close(&c->peer, code);
}

static int start_dialling(struct client *c)
{
    struct messenger *m = c->peer.messenger;
    const struct dispatcher dispatcher = {.arg = c,
                                          .dispatch = take_reply,
                                          .on_connect = on_connect,
                                          .on_reset = on_reset,
                                          .on_refused = on_refused};
    int err;

    messenger_set_policy(m, 0, policy_find("lossy_client"));
    messenger_add_dispatcher(m, &dispatcher);
    err = messenger_start(m);
    return err < 0 ? err
                   : messenger_connect_to(m, ENTITY_MON, &c->peer.opts->addrs, &c->conn);
}

/* EXIT_OK, or an exit code; then the error was printed and nothing is left over. */
static int open_client(struct client *c, const struct peer_opts *opts)
{
    struct messenger_opts mopts = {.entity_type = ENTITY_CLIENT,
                                   .entity_id = "admin",
                                   .entity_num = -1,
                                   .ready_timeout_ns = opts->timeout_ns};
    int code, err = -ENOMEM;

    *c = (struct client){0};
    code = peer_open(&c->peer, opts, &mopts);
    if (code != EXIT_OK) {
        return code;
    }
    c->lock = os_mutex_new(c->peer.os, "peer client");
    c->cond = os_cond_new(c->peer.os, "peer client");
    if (c->lock != NULL && c->cond != NULL) {
        err = start_dialling(c);
    }
    if (err < 0) {
        code = peer_error(opts, EXIT_CANNOT, "cannot dial %s: %s", opts->address,
                          strerror(-err));
        return close_client(c, code);
    }
    return EXIT_OK;
}

/* ---- waiting ---- */

/* Why it did not work, and how far it came. */
static char *describe_failure(struct client *c, const char *otherwise)
{
    const char *why = conn_why(c->conn);
    struct conn_seen seen;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }
    conn_seen(c->conn, &seen);
    fprintf(out, "%s", why[0] != '\0' ? why : otherwise);
    reasons_print_progress(out, &seen, why);
    fclose(out);
    return text;
}

static int explain_lost(struct client *c)
{
    const struct peer_opts *opts = c->peer.opts;
    const char *why = conn_why(c->conn);
    char *text = describe_failure(c, "no reason known");

    if (strstr(why, "msgr1") != NULL) {
        peer_error(opts, EXIT_CANNOT,
                   "%s: %s; use the monitor's v2 port, 3300 if nobody changed it",
                   opts->address, why);
    } else {
        peer_error(opts, EXIT_CANNOT, "%s: the connection was lost %s: %s%s", opts->address,
                   c->connected ? "in the session" : "before there was a session",
                   text != NULL ? text : why,
                   peer_too_long(&c->peer) > 0 ? PEER_TOO_LONG : "");
    }
    free(text);
    return EXIT_CANNOT;
}

/* Between the stacks nothing tells one end what the other is: an RDMA monitor waits for a
 * record of the side channel, or gives up; a TCP monitor takes ours for a bad banner. So
 * that is likely only as long as nothing came. */
static const char *stack_hint(struct client *c)
{
    struct conn_seen seen;

    if (peer_too_long(&c->peer) > 0) {
        return PEER_TOO_LONG;
    }
    conn_seen(c->conn, &seen);
    if (seen.progress > CONN_TRANSPORT || seen.first_n > 0) {
        return "";
    }
    if (c->peer.opts->stack == STACK_RDMA) {
        return "; is its ms_type async+rdma?";
    }
    return seen.progress == CONN_TRANSPORT
               ? "; if its ms_type is async+rdma, use --stack rdma"
               : "";
}

static int explain_timeout(struct client *c, const char *what)
{
    const struct peer_opts *opts = c->peer.opts;
    uint64_t strays = conn_stray_keepalive_acks(c->conn);
    char limit[32], *text;

    words_duration_text(opts->timeout_ns, limit, sizeof(limit));
    if (c->connected && strays > 0) {
        return peer_error(opts, EXIT_TIMEOUT,
                          "%s: the session is up, but no %s came within %s; %" PRIu64
                          " KEEPALIVE2_ACK came that answer no KEEPALIVE2 of ours",
                          opts->address, what, limit, strays);
    }
    if (c->connected) {
        return peer_error(opts, EXIT_TIMEOUT,
                          "%s: the session is up, but no %s came within %s", opts->address,
                          what, limit);
    }
    text = describe_failure(c, "nothing answers, or it stopped halfway");
    peer_error(opts, EXIT_TIMEOUT, "%s: no session within %s: %s%s", opts->address, limit,
               text != NULL ? text : conn_why(c->conn), stack_hint(c));
    free(text);
    return EXIT_TIMEOUT;
}

/* The messenger dials again, for the port may change hands; whoever asked for this one port
 * wants to know now. */
static bool is_stranger(struct client *c)
{
    static const char reason[] = "no msgr2 banner"; /* frames.c: banner_decode_prefix */

    return !c->connected && strncmp(conn_why(c->conn), reason, sizeof(reason) - 1) == 0;
}

/* Under the lock. EXIT_OK: go on waiting. */
static int check_alive(struct client *c, uint64_t until, const char *what)
{
    const struct peer_opts *opts = c->peer.opts;

    if (c->refused) {
        return peer_error(opts, EXIT_CANNOT, "%s: connection refused: nobody listens there",
                          opts->address);
    }
    if (c->reset || is_stranger(c)) {
        return explain_lost(c);
    }
    if (interrupt_came()) {
        return peer_error(opts, EXIT_INTERRUPTED, "interrupted");
    }
    return os_monotonic_ns(c->peer.os) >= until ? explain_timeout(c, what) : EXIT_OK;
}

static bool has_session(const struct client *c)
{
    return c->connected;
}

static bool has_reply(const struct client *c)
{
    return c->reply != NULL;
}

/* EXIT_OK, or an exit code whose reason was printed. */
static int wait_until(struct client *c, bool (*is_done)(const struct client *),
                      const char *what)
{
    struct os *os = c->peer.os;
    uint64_t until = os_monotonic_ns(os) + c->peer.opts->timeout_ns;
    int code = EXIT_OK;

    os_lock(os, c->lock);
    while (!is_done(c)) {
        code = check_alive(c, until, what);
        if (code != EXIT_OK) {
            break;
        }
        os_cond_wait(os, c->cond, c->lock, WAIT_SLICE_NS);
    }
    os_unlock(os, c->lock);
    return code;
}

/* Sends `msg` (taken over) and waits for a message of type `wanted`, which is the caller's.
 */
static int ask(struct client *c, struct message *msg, uint16_t wanted, const char *what,
               struct message **ret)
{
    int code, err = msg == NULL ? -ENOMEM : 0;

    os_lock(c->peer.os, c->lock);
    c->wanted = wanted;
    os_unlock(c->peer.os, c->lock);
    if (err == 0) {
        err = messenger_send(c->conn, msg);
    }
    if (err == -ENOTCONN) {
        message_unref(msg);
        return wait_until(c, has_reply, what); /* says why */
    }
    if (err < 0) {
        message_unref(msg);
        return peer_error(c->peer.opts, EXIT_CANNOT, "cannot send: %s", strerror(-err));
    }
    code = wait_until(c, has_reply, what);
    if (code == EXIT_OK) {
        os_lock(c->peer.os, c->lock);
        *ret = c->reply;
        c->reply = NULL;
        os_unlock(c->peer.os, c->lock);
    }
    return code;
}

/* ---- monmap ---- */

static int print_monmap(const struct peer_opts *opts, const struct message *msg)
{
    struct wire_reader r = peer_reader(&msg->front);
    struct monmap map;
    char why[MONMAP_WHY];

    if (mon_map_decode(&r, &map, why) < 0) {
        return peer_error(opts, EXIT_CANNOT, "%s sent a MON_MAP that cannot be read: %s",
                          opts->address, why);
    }
    (opts->json ? monmap_print_json : monmap_print)(stdout, &map);
    return EXIT_OK;
}

int peer_monmap(const struct peer_opts *opts)
{
    struct client c;
    struct message *reply = NULL;
    int code = open_client(&c, opts);

    if (code != EXIT_OK) {
        return code;
    }
    code = ask(&c, message_new(MSG_MON_GET_MAP), MSG_MON_MAP, "MON_MAP", &reply);
    if (code == EXIT_OK) {
        code = print_monmap(opts, reply);
    }
    message_unref(reply);
    return close_client(&c, code);
}

/* ---- ping ---- */

struct round_trips {
    uint64_t *ns; /* owned */
    uint32_t n;
};

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The answer to a KEEPALIVE2 that was sent at `asked` (wall clock) or later, and not the
 * one that had come last: stamps of ours grow, and only they count. */
static bool keepalive_came(struct client *c, uint64_t asked, uint64_t last)
{
    uint64_t stamp = conn_last_keepalive_ack_ns(c->conn);

    return stamp != last && stamp >= asked;
}

/* There is no callback for an answer. Spinning gives the time that an event would, for as
 * long as a quick peer needs. */
static int time_keepalive(struct client *c, uint64_t *ret_ns)
{
    struct os *os = c->peer.os;
    uint64_t last = conn_last_keepalive_ack_ns(c->conn), began = os_monotonic_ns(os), now;
    uint64_t until = began + c->peer.opts->timeout_ns;
    uint64_t asked = MAX(last, os_realtime_ns(os)); /* the clock may have gone back */
    int code;

    conn_send_keepalive(c->conn);
    while (!keepalive_came(c, asked, last)) {
        now = os_monotonic_ns(os);
        if (now - began < SPIN_NS) {
            continue;
        }
        os_lock(os, c->lock);
        code = check_alive(c, until, "KEEPALIVE2_ACK");
        os_unlock(os, c->lock);
        if (code != EXIT_OK) {
            return code;
        }
        os_sleep_ns(os, SPIN_SLEEP_NS);
    }
    *ret_ns = os_monotonic_ns(os) - began;
    return EXIT_OK;
}

static int time_get_version(struct client *c, uint64_t handle, uint64_t *ret_ns,
                            struct mon_get_version_reply *ret)
{
    const struct mon_get_version f = {.handle = handle, .what = "osdmap"};
    uint8_t bytes[64];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    uint64_t began = os_monotonic_ns(c->peer.os);
    struct message *msg, *reply = NULL;
    struct wire_reader r;
    int code;

    mon_get_version_encode(&w, &f);
    msg = peer_message(MSG_MON_GET_VERSION, &w);
    if (msg != NULL) {
        msg->header.tid = handle;
    }
    code = ask(c, msg, MSG_MON_GET_VERSION_REPLY, "MON_GET_VERSION_REPLY", &reply);
    if (code != EXIT_OK) {
        return code;
    }
    r = peer_reader(&reply->front);
    if (mon_get_version_reply_decode(&r, ret) < 0 || ret->handle != handle) {
        code = peer_error(c->peer.opts, EXIT_CANNOT,
                          "%s answered MON_GET_VERSION with something else",
                          c->peer.opts->address);
    }
    *ret_ns = c->reply_ns - began;
    message_unref(reply);
    return code;
}

static void print_trips(struct round_trips *t, const char *name, bool json)
{
    char least[32], middle[32], most[32];

    qsort(t->ns, t->n, sizeof(t->ns[0]), compare_ns);
    if (json) {
        printf("\"%s\":{\"count\":%" PRIu32 ",\"min_ns\":%" PRIu64 ",\"p50_ns\":%" PRIu64
               ",\"max_ns\":%" PRIu64 "}",
               name, t->n, t->ns[0], t->ns[t->n / 2], t->ns[t->n - 1]);
        return;
    }
    printf("%-16s %" PRIu32 " round trips: min %s, p50 %s, max %s\n", name, t->n,
           words_duration_text(t->ns[0], least, sizeof(least)),
           words_duration_text(t->ns[t->n / 2], middle, sizeof(middle)),
           words_duration_text(t->ns[t->n - 1], most, sizeof(most)));
}

static int run_pings(struct client *c, struct round_trips *keepalives,
                     struct round_trips *versions, struct mon_get_version_reply *last)
{
    uint32_t count = c->peer.opts->count;
    int code = wait_until(c, has_session, "session");

    while (code == EXIT_OK && keepalives->n < count) {
        code = time_keepalive(c, &keepalives->ns[keepalives->n]);
        keepalives->n += code == EXIT_OK;
    }
    while (code == EXIT_OK && versions->n < count) {
        code = time_get_version(c, versions->n + 1, &versions->ns[versions->n], last);
        versions->n += code == EXIT_OK;
    }
    return code;
}

static void print_pings(const struct peer_opts *opts, struct round_trips *keepalives,
                        struct round_trips *versions,
                        const struct mon_get_version_reply *last)
{
    if (opts->json && versions->n > 0) {
        printf("{");
        print_trips(keepalives, "keepalive2", true);
        printf(",");
        print_trips(versions, "mon_get_version", true);
        printf(",\"osdmap\":{\"newest\":%" PRIu64 ",\"oldest\":%" PRIu64 "}}\n",
               last->newest, last->oldest);
        return;
    }
    if (opts->json) {
        return; /* half an object helps nobody */
    }
    if (keepalives->n > 0) {
        print_trips(keepalives, "keepalive2", false);
    }
    if (versions->n > 0) {
        print_trips(versions, "mon_get_version", false);
        printf("%-16s newest %" PRIu64 ", oldest %" PRIu64 "\n", "osdmap", last->newest,
               last->oldest);
    }
}

int peer_ping(const struct peer_opts *opts)
{
    struct client c;
    struct round_trips keepalives = {.ns = calloc(opts->count, sizeof(uint64_t))};
    struct round_trips versions = {.ns = calloc(opts->count, sizeof(uint64_t))};
    struct mon_get_version_reply last = {0};
    int code = EXIT_CANNOT;

    if (keepalives.ns == NULL || versions.ns == NULL) {
        peer_error(opts, EXIT_CANNOT, "out of memory");
        goto done;
    }
    code = open_client(&c, opts);
    if (code == EXIT_OK) {
        code = close_client(&c, run_pings(&c, &keepalives, &versions, &last));
        print_pings(opts, &keepalives, &versions, &last);
    }
done:
    free(keepalives.ns);
    free(versions.ns);
    return code;
}
