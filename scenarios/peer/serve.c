/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.c: a monitor that real `ceph` clients believe in: `peer serve`.
 *
 * It is alone in its cluster, knows nothing and keeps nothing: its maps are those of a
 * cluster in which nobody is. Every session, message and refused caller gives a line; of a
 * flood of callers the first of each second, and the number of the others.
 *
 * Messages are answered on ms_dispatch. The main thread prints, too: each line is one call
 * of stdio, so that none breaks another.
 */
#include "scenarios/peer/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/base/interrupt.h"

#define MON_RELEASE 16    /* pacific: what our features and encodings are those of */
#define MON_FEATURES 0xff /* what such a monitor requires of monitors */
#define ELECTION_CLASSIC 1
#define FIRST_GLOBAL_ID 4097 /* as a new cluster's monitor */
#define SLICE_NS (20 * NSEC_PER_MSEC)
/* A client that asked for the map comes back with a second connection at once. */
#define ONCE_LINGER_NS (NSEC_PER_SEC / 2)

/* ---- lines ---- */

/* A line that is written piece by piece and printed whole. Without memory, to stdout. */
struct line {
    FILE *file;
    char *text;
    size_t len;
};

static void begin_line(struct line *line)
{
    *line = (struct line){0};
    line->file = open_memstream(&line->text, &line->len);
    if (line->file == NULL) {
        line->file = stdout;
    }
}

static void end_line(struct line *line)
{
    fprintf(line->file, "\n");
    if (line->file != stdout) {
        fclose(line->file);
        fputs(line->text != NULL ? line->text : "\n", stdout);
        free(line->text);
    }
}

/* ---- sessions; on ms_dispatch ---- */

/* Sessions are counted from 1, as people do. */
static size_t session_number(struct connection *conn)
{
    return (size_t)(uintptr_t)conn_private(conn);
}

static const char *type_name(int type)
{
    switch (type) {
    case ENTITY_MON:
        return "mon";
    case ENTITY_MDS:
        return "mds";
    case ENTITY_OSD:
        return "osd";
    case ENTITY_CLIENT:
        return "client";
    case ENTITY_MGR:
        return "mgr";
    default:
        return "peer of unknown type";
    }
}

static void open_session(void *arg, struct connection *conn)
{
    struct server *s = arg;
    struct entity_addrvec addrs;
    char text[ENTITY_ADDRVEC_TEXT];

    os_lock(s->peer.os, s->lock);
    s->open++;
    conn_set_private(conn, (void *)(uintptr_t)++s->sessions);
    os_unlock(s->peer.os, s->lock);
    conn_peer_addrs(conn, &addrs);
    printf("session %zu: opened by %s %s, global_id %" PRIu64 ", features 0x%" PRIx64 "\n",
           session_number(conn), type_name(conn_peer_type(conn)),
           entity_addrvec_text(&addrs, text), conn_global_id(conn),
           conn_peer_features(conn));
}

static void close_session(struct server *s, struct connection *conn, const char *why)
{
    uint64_t now = os_monotonic_ns(s->peer.os), too_long = peer_too_long(&s->peer);
    bool is_new;

    os_lock(s->peer.os, s->lock);
    s->open--;
    s->last_close_ns = now;
    is_new = too_long > s->too_long;
    s->too_long = too_long;
    os_unlock(s->peer.os, s->lock);
    printf("session %zu: closed%s%s%s\n", session_number(conn), why[0] != '\0' ? ": " : "",
           why, is_new ? PEER_TOO_LONG : "");
}

static bool note_reset(void *arg, struct connection *conn)
{
    close_session(arg, conn, conn_why(conn));
    return true;
}

static bool take_message(void *arg, struct message *msg)
{
    struct server *s = arg;
    struct line line;
    bool answered;

    os_lock(s->peer.os, s->lock);
    s->messages++;
    os_unlock(s->peer.os, s->lock);
    begin_line(&line);
    fprintf(line.file, "session %zu: ", session_number(msg->conn));
    answered = serve_answer(s, msg, line.file);
    end_line(&line);
    if (!answered) {
        /* To keep silent would let the client wait for ever. */
        messenger_mark_down(msg->conn);
        close_session(s, msg->conn, "that cannot be answered");
    }
    message_unref(msg);
    return true;
}

/* ---- callers without a session ---- */

/* On ms_dispatch. */
static void note_refused(void *arg, struct connection *conn)
{
    struct server *s = arg;
    uint64_t now = os_monotonic_ns(s->peer.os);
    struct conn_seen seen;
    struct line line;
    bool take;

    os_lock(s->peer.os, s->lock);
    take = refusals_take(&s->refusals, now);
    os_unlock(s->peer.os, s->lock);
    if (!take) {
        return;
    }
    conn_seen(conn, &seen);
    begin_line(&line);
    fprintf(line.file, "refused ");
    reasons_print_refused(line.file, &seen, conn_why(conn), &s->bound);
    end_line(&line);
}

/* Those without a line of their own. Main thread. */
static void report_refusals(struct server *s, bool at_once)
{
    uint64_t now = os_monotonic_ns(s->peer.os), n;
    struct messenger_stats stats;

    messenger_stats(s->peer.messenger, &stats);
    os_lock(s->peer.os, s->lock);
    n = refusals_report(&s->refusals, stats.accept_failures_untold, now, at_once);
    os_unlock(s->peer.os, s->lock);
    if (n > 0) {
        printf("refused %" PRIu64 " more, after %d lines in one second\n", n,
               REFUSED_LINES_PER_SECOND);
    }
}

/* ---- life ---- */

static void make_maps(struct server *s, const struct entity_addrvec *addrs)
{
    uint64_t now = os_realtime_ns(s->peer.os);
    struct ceph_time stamp = {.sec = (uint32_t)(now / NSEC_PER_SEC),
                              .nsec = (uint32_t)(now % NSEC_PER_SEC)};

    s->map = (struct monmap){.epoch = MAP_EPOCH,
                             .last_changed = stamp,
                             .created = stamp,
                             .persistent_features = MON_FEATURES,
                             .mons_n = 1,
                             .mons = {{.name = MON_NAME, .addrs = *addrs}},
                             .min_mon_release = MON_RELEASE,
                             .election_strategy = ELECTION_CLASSIC};
    for (int i = 0; i < CEPH_FSID_BYTES; i++) {
        s->map.fsid[i] = (uint8_t)os_random64(s->peer.os);
    }
    s->map.fsid[6] = (s->map.fsid[6] & 0x0f) | 0x40; /* a random UUID says so */
    s->map.fsid[8] = (s->map.fsid[8] & 0x3f) | 0x80;
    fsid_text(s->map.fsid, s->fsid);
    s->osdmap = (struct new_osdmap){
        .fsid = s->map.fsid, .epoch = MAP_EPOCH, .created = s->map.created};
}

static int start_listening(struct server *s)
{
    struct messenger *m = s->peer.messenger;
    const struct peer_opts *opts = s->peer.opts;
    const struct dispatcher dispatcher = {.arg = s,
                                          .dispatch = take_message,
                                          .on_accept = open_session,
                                          .on_reset = note_reset,
                                          .on_accept_failed = note_refused};
    char text[ENTITY_ADDRVEC_TEXT];
    int err;

    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever reads along sees each line at once */
    messenger_set_policy(m, 0, policy_find("stateless_server"));
    messenger_add_dispatcher(m, &dispatcher);
    err = messenger_bind(m, &opts->addrs);
    if (err < 0) {
        return peer_error(opts, EXIT_CANNOT, "cannot listen on %s: %s", opts->address,
                          strerror(-err));
    }
    messenger_addrs(m, &s->bound);
    make_maps(s, &s->bound);
    printf("listening on %s\n", entity_addrvec_text(&s->bound, text));
    err = messenger_start(m);
    if (err < 0) {
        return peer_error(opts, EXIT_CANNOT, "cannot start: %s", strerror(-err));
    }
    return EXIT_OK;
}

static bool is_over(struct server *s, uint64_t began)
{
    const struct peer_opts *opts = s->peer.opts;
    uint64_t now = os_monotonic_ns(s->peer.os);
    bool over = interrupt_came() || (opts->for_ns > 0 && now - began >= opts->for_ns);

    os_lock(s->peer.os, s->lock);
    over = over || (opts->once && s->sessions > 0 && s->open == 0 &&
                    now - s->last_close_ns >= ONCE_LINGER_NS);
    os_unlock(s->peer.os, s->lock);
    return over;
}

static void serve_until_over(struct server *s)
{
    uint64_t began = os_monotonic_ns(s->peer.os);
    struct messenger_stats stats;

    while (!is_over(s, began)) {
        os_sleep_ns(s->peer.os, SLICE_NS);
        report_refusals(s, false);
    }
    peer_stop(&s->peer);
    report_refusals(s, true);
    messenger_stats(s->peer.messenger, &stats);
    printf("served %" PRIu64 " sessions, %" PRIu64 " messages", s->sessions, s->messages);
    if (stats.accept_failures > 0) {
        printf(", refused %" PRIu64 " callers", stats.accept_failures);
    }
    printf("\n");
}

/* The map tells clients where to come back to, so the address must be one they can dial. */
static int check_address(const struct peer_opts *opts)
{
    for (uint32_t i = 0; i < opts->addrs.n; i++) {
        if (opts->addrs.v[i].type != ADDR_MSGR2) {
            return peer_error(opts, EXIT_USAGE, "%s: only v2 addresses can be served",
                              opts->address);
        }
        if (entity_addr_is_ip_any(&opts->addrs.v[i])) {
            return peer_error(opts, EXIT_USAGE,
                              "%s: clients get the address in the monitor map and dial it: "
                              "give a real IP, such as 127.0.0.1",
                              opts->address);
        }
    }
    return EXIT_OK;
}

int peer_serve(const struct peer_opts *opts)
{
    struct messenger_opts mopts = {.entity_type = ENTITY_MON,
                                   .entity_id = MON_NAME,
                                   .entity_num = 0,
                                   .nonce = opts->addrs.v[0].nonce,
                                   .ready_timeout_ns = opts->timeout_ns,
                                   .first_global_id = FIRST_GLOBAL_ID};
    struct server *s;
    int code = check_address(opts);

    if (code != EXIT_OK) {
        return code;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return peer_error(opts, EXIT_CANNOT, "out of memory");
    }
    code = peer_open(&s->peer, opts, &mopts);
    if (code == EXIT_OK) {
        s->lock = os_mutex_new(s->peer.os, "peer serve");
        code = s->lock != NULL ? start_listening(s)
                               : peer_error(opts, EXIT_CANNOT, "out of memory");
        if (code == EXIT_OK) {
            serve_until_over(s);
        }
        peer_stop(&s->peer);
        os_mutex_free(s->peer.os, s->lock);
        code = peer_close(&s->peer, code);
    }
    free(s);
    return code;
}
