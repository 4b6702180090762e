/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.c: a monitor that real `ceph` clients believe in: `peer serve`.
 *
 * It is alone in its cluster, knows nothing and keeps nothing: it answers MON_GET_MAP,
 * MON_SUBSCRIBE (config, monmap), MON_GET_VERSION, PING and a handful of MON_COMMANDs. That
 * is what librados needs to connect; subscriptions to other maps stay unanswered, which a
 * client takes for "nothing new".
 *
 * Messages are answered on ms_dispatch, which is also the only thread that prints while the
 * server runs.
 */
#include "scenarios/peer/peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/exit_codes.h"

#ifndef MSGRLAB_VERSION
#define MSGRLAB_VERSION "unknown"
#endif

#define MON_NAME "msgrlab"
#define MON_RELEASE 16    /* pacific: what our features and encodings are those of */
#define MON_FEATURES 0xff /* what such a monitor requires of monitors */
#define ELECTION_CLASSIC 1
#define FIRST_GLOBAL_ID 4097 /* as a new cluster's monitor */
#define SLICE_NS (20 * NSEC_PER_MSEC)
/* A client that asked for the map comes back with a second connection at once. */
#define ONCE_LINGER_NS (NSEC_PER_SEC / 2)
#define NOTE "this is msgrlab, a laboratory, not a cluster"

struct server {
    struct peer peer;
    struct monmap map; /* does not change while it serves */
    char fsid[FSID_TEXT];

    struct os_mutex *lock; /* owned; guards the rest, which ms_dispatch writes */
    uint32_t open;
    uint64_t sessions, messages, last_close_ns, too_long;
};

/* What a command wrote, and the one-line status that comes with it. */
struct output {
    FILE *file;
    bool json;
    int result;
    const char *status;
};

/* ---- commands ---- */

static void run_mon_dump(struct server *s, struct output *out)
{
    (out->json ? monmap_print_json : monmap_print)(out->file, &s->map);
    out->status = "dumped monmap epoch 1";
}

static void run_status(struct server *s, struct output *out)
{
    if (out->json) {
        fprintf(
            out->file,
            "{\"fsid\":\"%s\",\"health\":{\"status\":\"HEALTH_WARN\",\"checks\":"
            "{\"MSGRLAB\":{\"severity\":\"HEALTH_WARN\",\"summary\":{\"message\":\"" NOTE
            "\",\"count\":1},\"muted\":false}},\"mutes\":[]},\"quorum\":[0],"
            "\"quorum_names\":[\"" MON_NAME "\"],"
            "\"monmap\":{\"epoch\":1,\"num_mons\":1}}\n",
            s->fsid);
        return;
    }
    fprintf(out->file,
            "  cluster:\n"
            "    id:     %s\n"
            "    health: HEALTH_WARN\n"
            "            " NOTE "\n"
            " \n"
            "  services:\n"
            "    mon: 1 daemons, quorum " MON_NAME "\n"
            "    mgr: no daemons active\n"
            "    osd: 0 osds: 0 up, 0 in\n"
            " \n",
            s->fsid);
}

static void run_health(struct server *s, struct output *out)
{
    (void)s;
    fprintf(out->file,
            out->json ? "{\"status\":\"HEALTH_WARN\"}\n" : "HEALTH_WARN " NOTE "\n");
}

static void run_version(struct server *s, struct output *out)
{
    static const char version[] =
        "msgrlab version " MSGRLAB_VERSION ", speaking as Ceph 16.2";

    (void)s;
    fprintf(out->file, out->json ? "{\"version\":\"%s\"}\n" : "%s\n", version);
}

static void run_fsid(struct server *s, struct output *out)
{
    fprintf(out->file, out->json ? "{\"fsid\":\"%s\"}\n" : "%s\n", s->fsid);
}

static const struct command {
    const char *prefix, *summary;
    void (*run)(struct server *s, struct output *out);
} commands[] = {
    {"mon dump", "dump formatted monmap", run_mon_dump},
    {"status", "show cluster status", run_status},
    {"health", "show cluster health", run_health},
    {"version", "show mon daemon version", run_version},
    {"fsid", "show cluster FSID/UUID", run_fsid},
};

/* What the client's command line is checked against. */
static void describe_commands(struct output *out)
{
    fprintf(out->file, "{");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        fprintf(out->file, "%s\"cmd%03zu\":{\"sig\":[", i > 0 ? "," : "", i);
        for (const char *at = commands[i].prefix; *at != '\0';) {
            size_t len = strcspn(at, " ");

            fprintf(out->file, "%s\"%.*s\"", at > commands[i].prefix ? "," : "", (int)len,
                    at);
            at += len + strspn(at + len, " ");
        }
        fprintf(out->file,
                "],\"help\":\"%s\",\"module\":\"mon\",\"perm\":\"r\",\"flags\":0}",
                commands[i].summary);
    }
    fprintf(out->file, "}\n");
}

static void run_command(struct server *s, const char *prefix, struct output *out)
{
    if (strcmp(prefix, "get_command_descriptions") == 0) {
        describe_commands(out);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].prefix, prefix) == 0) {
            commands[i].run(s, out);
            return;
        }
    }
    out->result = -EINVAL;
    out->status =
        "msgrlab peer serve does not know this command; it knows: mon dump, status, "
        "health, version, fsid";
}

/* ---- answering; on ms_dispatch ---- */

/* What comes from a client is shown with nothing that could move a cursor. */
static void print_safely(const char *text)
{
    for (; *text != '\0'; text++) {
        putchar(*text >= 0x20 && *text < 0x7f ? *text : '?');
    }
}

/* Sessions are counted from 1, as people do. */
static size_t session_number(struct connection *conn)
{
    return (size_t)(uintptr_t)conn_private(conn);
}

static void begin_line(struct server *s, const struct message *msg)
{
    os_lock(s->peer.os, s->lock);
    s->messages++;
    os_unlock(s->peer.os, s->lock);
    printf("session %zu: ", session_number(msg->conn));
}

/* Sends `answer` (taken over; NULL is fine) back where `msg` came from. */
static void send_answer(const struct message *msg, struct message *answer, const char *name)
{
    int err = -ENOMEM;

    if (answer != NULL) {
        answer->header.priority = PRIO_HIGH;
        answer->header.tid = msg->header.tid;
        err = messenger_send(msg->conn, answer);
    }
    if (err < 0) {
        message_unref(answer);
        printf(" -> no %s: %s", name, strerror(-err));
    } else {
        printf(" -> %s", name);
    }
}

static void send_map(struct server *s, const struct message *msg)
{
    uint8_t bytes[MONMAP_ENCODE_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    mon_map_encode(&w, &s->map);
    send_answer(msg, peer_message(MSG_MON_MAP, &w), "mon_map");
}

static void answer_get_map(struct server *s, const struct message *msg)
{
    printf("mon_get_map");
    send_map(s, msg);
}

static void answer_subscribe(struct server *s, const struct message *msg)
{
    struct wire_reader r = peer_reader(&msg->front);
    uint8_t bytes[8];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    struct mon_subscribe f;

    printf("mon_subscribe");
    if (mon_subscribe_decode(&r, &f) < 0) {
        printf(" (unreadable)");
        return;
    }
    for (uint32_t i = 0; i < f.n; i++) {
        printf(" %s", f.items[i].what);
    }
    for (uint32_t i = 0; i < f.n; i++) {
        if (strcmp(f.items[i].what, "config") == 0 && w.at == w.start) {
            config_encode_empty(&w);
            send_answer(msg, peer_message(MSG_CONFIG, &w), "config");
        } else if (strcmp(f.items[i].what, "monmap") == 0 &&
                   f.items[i].start <= s->map.epoch) {
            send_map(s, msg);
        }
    }
}

static void answer_get_version(struct server *s, const struct message *msg)
{
    struct wire_reader r = peer_reader(&msg->front);
    struct mon_get_version f;
    struct mon_get_version_reply reply;
    struct message *answer;
    uint8_t bytes[32];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    printf("mon_get_version");
    if (mon_get_version_decode(&r, &f) < 0) {
        printf(" (unreadable)");
        return;
    }
    printf(" %s", f.what);
    /* Every map is in its first epoch. */
    reply = (struct mon_get_version_reply){
        .handle = f.handle, .newest = s->map.epoch, .oldest = s->map.epoch};
    mon_get_version_reply_encode(&w, &reply);
    answer = peer_message(MSG_MON_GET_VERSION_REPLY, &w);
    if (answer != NULL) {
        answer->header.version = MON_GET_VERSION_REPLY_VERSION;
        answer->header.compat_version = MON_GET_VERSION_REPLY_VERSION;
    }
    send_answer(msg, answer, "mon_get_version_reply");
}

static void answer_ping(struct server *s, const struct message *msg)
{
    char text[256];
    struct mon_text health = {.text = text};
    uint8_t bytes[sizeof(text) + 4];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    printf("ping");
    health.len = (size_t)snprintf(text, sizeof(text),
                                  "{\"health\":{\"status\":\"HEALTH_WARN\"},"
                                  "\"mon_status\":{\"name\":\"" MON_NAME "\",\"rank\":0,"
                                  "\"fsid\":\"%s\",\"note\":\"" NOTE "\"}}",
                                  s->fsid);
    CHECK(health.len < sizeof(text));
    mon_ping_encode(&w, &health);
    send_answer(msg, peer_message(MSG_PING, &w), "ping");
}

/* MON_COMMAND_ACK with the command's output as its data. NULL if no memory. */
static struct message *make_ack(const struct mon_command *f, const struct output *out,
                                const char *text, size_t len)
{
    struct mon_command_ack ack = {
        .result = out->result, .status = {out->status, strlen(out->status)}, .n = f->n};
    size_t cap = 256 + ack.status.len;
    struct message *answer = NULL;
    struct wire_writer w;
    uint8_t *bytes;

    for (uint32_t i = 0; i < f->n; i++) {
        ack.words[i] = f->words[i];
        cap += f->words[i].len + 4;
    }
    bytes = malloc(cap);
    if (bytes == NULL) {
        return NULL;
    }
    w = wire_writer(bytes, cap);
    mon_command_ack_encode(&w, &ack);
    answer = peer_message(MSG_MON_COMMAND_ACK, &w);
    free(bytes);
    if (answer != NULL && buffer_copy(&answer->data, text, len) < 0) {
        message_unref(answer);
        return NULL;
    }
    return answer;
}

static void answer_command(struct server *s, const struct message *msg)
{
    struct wire_reader r = peer_reader(&msg->front);
    struct output out = {.status = ""};
    struct mon_command f;
    char prefix[256], format[32], *text = NULL, name[64];
    size_t len = 0;

    printf("mon_command");
    if (mon_command_decode(&r, &f) < 0 || f.n != 1) {
        printf(" (unreadable)");
        return;
    }
    if (mon_command_field(&f.words[0], "prefix", prefix, sizeof(prefix)) < 0) {
        snprintf(prefix, sizeof(prefix), "%s", "(no prefix)");
    }
    out.json = mon_command_field(&f.words[0], "format", format, sizeof(format)) == 0 &&
               strncmp(format, "json", 4) == 0;
    out.file = open_memstream(&text, &len);
    if (out.file != NULL) {
        run_command(s, prefix, &out);
        fclose(out.file);
    }
    printf(" \"");
    print_safely(prefix);
    printf("\"");
    snprintf(name, sizeof(name), "mon_command_ack %d, %zu bytes", out.result, len);
    send_answer(msg, text != NULL ? make_ack(&f, &out, text, len) : NULL, name);
    free(text);
}

static const struct {
    uint16_t type;
    void (*answer)(struct server *s, const struct message *msg);
} answers[] = {
    {MSG_MON_GET_MAP, answer_get_map},         {MSG_MON_SUBSCRIBE, answer_subscribe},
    {MSG_MON_GET_VERSION, answer_get_version}, {MSG_PING, answer_ping},
    {MSG_MON_COMMAND, answer_command},
};

static bool answer_message(void *arg, struct message *msg)
{
    struct server *s = arg;
    size_t i = 0;

    begin_line(s, msg);
    while (i < ARRAY_SIZE(answers) && answers[i].type != msg->header.type) {
        i++;
    }
    if (i < ARRAY_SIZE(answers)) {
        answers[i].answer(s, msg);
    } else {
        printf("message of type %u, ignored", msg->header.type);
    }
    printf("\n");
    message_unref(msg);
    return true;
}

/* ---- sessions; on ms_dispatch ---- */

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

static bool close_session(void *arg, struct connection *conn)
{
    struct server *s = arg;
    const char *why = conn_why(conn);
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
    return true;
}

/* ---- life ---- */

static void make_monmap(struct server *s, const struct entity_addrvec *addrs)
{
    uint64_t now = os_realtime_ns(s->peer.os);
    struct ceph_time stamp = {.sec = (uint32_t)(now / NSEC_PER_SEC),
                              .nsec = (uint32_t)(now % NSEC_PER_SEC)};

    s->map = (struct monmap){.epoch = 1,
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
}

static int start_listening(struct server *s)
{
    struct messenger *m = s->peer.messenger;
    const struct peer_opts *opts = s->peer.opts;
    const struct dispatcher dispatcher = {.arg = s,
                                          .dispatch = answer_message,
                                          .on_accept = open_session,
                                          .on_reset = close_session};
    struct entity_addrvec bound;
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
    messenger_addrs(m, &bound);
    make_monmap(s, &bound);
    printf("listening on %s\n", entity_addrvec_text(&bound, text));
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
    bool over = peer_is_interrupted() || (opts->for_ns > 0 && now - began >= opts->for_ns);

    os_lock(s->peer.os, s->lock);
    over = over || (opts->once && s->sessions > 0 && s->open == 0 &&
                    now - s->last_close_ns >= ONCE_LINGER_NS);
    os_unlock(s->peer.os, s->lock);
    return over;
}

static void serve_until_over(struct server *s)
{
    uint64_t began = os_monotonic_ns(s->peer.os);

    while (!is_over(s, began)) {
        os_sleep_ns(s->peer.os, SLICE_NS);
    }
    peer_stop(&s->peer);
    printf("served %" PRIu64 " sessions, %" PRIu64 " messages\n", s->sessions, s->messages);
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
