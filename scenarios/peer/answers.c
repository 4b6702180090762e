/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers.c: what a monitor answers to the messages of a client. Each that a client of
 * Ceph 16.2 sends is answered, or refused as that protocol refuses it; where it has no way
 * to, and for everything else, the session ends and a line says why. A subscription gets
 * the map of the first epoch, after which none comes; one to a log, or to the map of a file
 * system, waits as it does with a real monitor that has neither.
 */
#include "scenarios/peer/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/peer/empty_maps.h"

/* One message on its way to its answer. */
struct question {
    struct server *s;
    const struct message *msg;
    struct wire_reader front;
    FILE *line;
};

/* What comes from a client is shown with nothing that could move a cursor. */
static void print_safely(FILE *line, const char *text)
{
    for (; *text != '\0'; text++) {
        fputc(*text >= 0x20 && *text < 0x7f ? *text : '?', line);
    }
}

/* Sends `answer` (taken over; NULL is fine) back where the question came from. */
static void send_answer(struct question *q, struct message *answer, const char *name)
{
    int err = -ENOMEM;

    if (answer != NULL) {
        answer->header.priority = PRIO_HIGH;
        answer->header.tid = q->msg->header.tid;
        err = messenger_send(q->msg->conn, answer);
    }
    if (err < 0) {
        message_unref(answer);
        fprintf(q->line, " -> no %s: %s", name, strerror(-err));
    } else {
        fprintf(q->line, " -> %s", name);
    }
}

/* As send_answer, with what was written as its front, in that encoding version. */
static void send_front(struct question *q, uint16_t type, const struct wire_writer *front,
                       uint16_t version, uint16_t compat, const char *name)
{
    struct message *answer = peer_message(type, front);

    if (answer != NULL) {
        answer->header.version = version;
        answer->header.compat_version = compat;
    }
    send_answer(q, answer, name);
}

static bool unreadable(struct question *q)
{
    fprintf(q->line, " (unreadable)");
    return false;
}

/* ---- maps ---- */

static void send_monmap(struct question *q)
{
    uint8_t bytes[MONMAP_ENCODE_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    mon_map_encode(&w, &q->s->map);
    send_front(q, MSG_MON_MAP, &w, 1, 1, "mon_map");
}

static void send_osdmap(struct question *q)
{
    uint8_t bytes[OSDMAP_ENCODE_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    osd_map_encode(&w, &q->s->osdmap);
    send_front(q, MSG_OSD_MAP, &w, OSD_MAP_VERSION, OSD_MAP_COMPAT, "osd_map");
}

static void send_empty(struct question *q, uint16_t type,
                       void (*encode)(struct wire_writer *w, uint32_t epoch),
                       const char *name)
{
    uint8_t bytes[EMPTY_MAP_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    encode(&w, MAP_EPOCH);
    send_front(q, type, &w, 1, 1, name);
}

static void send_mgrmap(struct question *q)
{
    send_empty(q, MSG_MGR_MAP, mgr_map_encode, "mgr_map");
}

static void send_fsmap(struct question *q)
{
    send_empty(q, MSG_FS_MAP, fs_map_encode, "fs_map");
}

static void send_fsmap_user(struct question *q)
{
    send_empty(q, MSG_FS_MAP_USER, fs_map_user_encode, "fs_map.user");
}

static void send_config(struct question *q)
{
    uint8_t bytes[8];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    config_encode_empty(&w);
    send_front(q, MSG_CONFIG, &w, 1, 1, "config");
}

/* What may be subscribed to. A client says the first epoch it lacks. */
static const struct cluster_map {
    const char *name;
    uint64_t last; /* epoch to send; what begins later has nothing to send */
    void (*send)(struct question *q); /* NULL: a real monitor has nothing to say, either */
} maps[] = {
    {"config", UINT64_MAX, send_config},
    {"monmap", MAP_EPOCH, send_monmap},
    {"osdmap", MAP_EPOCH, send_osdmap},
    {"mgrmap", MAP_EPOCH, send_mgrmap},
    {"fsmap", MAP_EPOCH, send_fsmap},
    {"fsmap.user", MAP_EPOCH, send_fsmap_user},
    {"mdsmap", 0, NULL}, /* of a file system: there is none */
};

/* Messages of the cluster log, by level. */
static bool is_log(const char *name)
{
    static const char *const levels[] = {"log-debug", "log-info", "log-sec", "log-warn",
                                         "log-error"};

    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        if (strcmp(name, levels[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const struct cluster_map *find_map(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        if (strcmp(maps[i].name, name) == 0) {
            return &maps[i];
        }
    }
    return NULL;
}

static bool answer_get_map(struct question *q)
{
    send_monmap(q);
    return true;
}

static bool answer_subscription(struct question *q, const struct mon_subscription *f)
{
    const struct cluster_map *map = find_map(f->what);

    if (map == NULL && !is_log(f->what)) {
        fprintf(q->line, " -> no such map as %s", f->what);
        return false;
    }
    if (map == NULL || map->send == NULL || f->start > map->last) {
        fprintf(q->line, " -> nothing of %s from %" PRIu64 " on", f->what, f->start);
        return true;
    }
    map->send(q);
    return true;
}

static bool answer_subscribe(struct question *q)
{
    struct mon_subscribe f;
    bool all = true;

    if (mon_subscribe_decode(&q->front, &f) < 0) {
        return unreadable(q);
    }
    for (uint32_t i = 0; i < f.n; i++) {
        fprintf(q->line, " %s", f.items[i].what);
    }
    for (uint32_t i = 0; i < f.n; i++) {
        all = answer_subscription(q, &f.items[i]) && all;
    }
    return all;
}

static bool answer_get_version(struct question *q)
{
    struct mon_get_version f;
    struct mon_get_version_reply reply;
    uint8_t bytes[32];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    if (mon_get_version_decode(&q->front, &f) < 0) {
        return unreadable(q);
    }
    fprintf(q->line, " %s", f.what);
    reply = (struct mon_get_version_reply){.handle = f.handle};
    if (find_map(f.what) != NULL) {
        reply.newest = reply.oldest = MAP_EPOCH;
    } /* else 0: there is no epoch of such a map */
    mon_get_version_reply_encode(&w, &reply);
    send_front(q, MSG_MON_GET_VERSION_REPLY, &w, MON_GET_VERSION_REPLY_VERSION,
               MON_GET_VERSION_REPLY_VERSION, "mon_get_version_reply");
    return true;
}

/* ---- how much there is, and pools ---- */

static bool answer_statfs(struct question *q)
{
    struct mon_statfs f;
    uint8_t bytes[64];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    if (mon_statfs_decode(&q->front, &f) < 0) {
        return unreadable(q);
    }
    mon_statfs_reply_encode_empty(&w, q->s->map.fsid, MAP_EPOCH);
    send_front(q, MSG_STATFS_REPLY, &w, 1, 1, "statfs_reply, nothing is stored");
    return true;
}

static bool answer_get_pool_stats(struct question *q)
{
    struct mon_get_pool_stats f;
    uint8_t bytes[64];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    if (mon_get_pool_stats_decode(&q->front, &f) < 0) {
        return unreadable(q);
    }
    fprintf(q->line, " of %" PRIu32 " pools", f.pools_n);
    mon_get_pool_stats_reply_encode_empty(&w, q->s->map.fsid, MAP_EPOCH);
    send_front(q, MSG_GETPOOLSTATS_REPLY, &w, MON_GET_POOL_STATS_REPLY_VERSION, 1,
               "getpoolstatsreply, no pool");
    return true;
}

/* Nothing here can be changed. */
static bool answer_pool_op(struct question *q)
{
    struct mon_pool_op f;
    struct mon_pool_op_reply reply = {.fsid = q->s->map.fsid,
                                      .version = MAP_EPOCH,
                                      .result = -EOPNOTSUPP,
                                      .epoch = MAP_EPOCH};
    uint8_t bytes[64];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    const char *op;

    if (mon_pool_op_decode(&q->front, &f) < 0) {
        return unreadable(q);
    }
    op = mon_pool_op_name(f.op);
    fprintf(q->line, " %s %" PRIu32 " %s", op != NULL ? op : "(unknown)", f.pool, f.name);
    mon_pool_op_reply_encode(&w, &reply);
    send_front(q, MSG_POOLOP_REPLY, &w, 1, 1, "poolop_reply EOPNOTSUPP");
    return true;
}

/* ---- commands ---- */

/* A command and what it printed. */
struct command_run {
    struct command_output out;
    char name[COMMAND_NAME];
    char *text; /* owned; NULL: no memory */
    size_t len;
};

/* Exactly one JSON object is a command. */
static void run_words(struct question *q, const struct ceph_text *words, uint32_t n,
                      struct command_run *run)
{
    *run = (struct command_run){.name = "(none)"};
    run->out.file = open_memstream(&run->text, &run->len);
    if (run->out.file == NULL) {
        return;
    }
    if (n == 1) {
        serve_command(q->s, &words[0], &run->out, run->name);
    } else {
        run->out.result = -EINVAL;
        run->out.status = "one command at a time";
    }
    fclose(run->out.file);
    fprintf(q->line, " \"");
    print_safely(q->line, run->name);
    fprintf(q->line, "\"");
}

/* Sends `front` with the output as its data. Frees the run. */
static void send_run(struct question *q, uint16_t type, const struct wire_writer *front,
                     struct command_run *run, const char *type_name)
{
    struct message *answer = run->text != NULL ? peer_message(type, front) : NULL;
    char name[64];

    if (answer != NULL && buffer_copy(&answer->data, run->text, run->len) < 0) {
        message_unref(answer);
        answer = NULL;
    }
    snprintf(name, sizeof(name), "%s %d, %zu bytes", type_name, run->out.result, run->len);
    send_answer(q, answer, name);
    free(run->text);
}

static bool answer_mon_command(struct question *q)
{
    struct command_run run;
    struct mon_command_ack ack = {0};
    struct mon_command f;
    struct wire_writer w;
    size_t cap = 512;
    uint8_t *bytes;

    if (mon_command_decode(&q->front, &f) < 0) {
        return unreadable(q);
    }
    run_words(q, f.words, f.n, &run);
    ack.result = run.out.result;
    ack.status = (struct ceph_text){run.out.status, strlen(run.out.status)};
    ack.n = f.n;
    for (uint32_t i = 0; i < f.n; i++) { /* the command comes back */
        ack.words[i] = f.words[i];
        cap += f.words[i].len + 4;
    }
    bytes = malloc(cap);
    w = wire_writer(bytes, bytes != NULL ? cap : 0);
    mon_command_ack_encode(&w, &ack);
    send_run(q, MSG_MON_COMMAND_ACK, &w, &run, "mon_command_ack");
    free(bytes);
    return true;
}

static bool answer_command(struct question *q)
{
    struct command_run run;
    struct daemon_command_reply reply;
    struct daemon_command f;
    uint8_t bytes[512];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    if (command_decode(&q->front, &f) < 0) {
        return unreadable(q);
    }
    run_words(q, f.words, f.n, &run);
    reply = (struct daemon_command_reply){
        .result = run.out.result, .status = {run.out.status, strlen(run.out.status)}};
    command_reply_encode(&w, &reply);
    send_run(q, MSG_COMMAND_REPLY, &w, &run, "command_reply");
    return true;
}

/* ---- the rest ---- */

static bool answer_ping(struct question *q)
{
    char text[256];
    struct ceph_text health = {.text = text};
    uint8_t bytes[sizeof(text) + 4];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    health.len = (size_t)snprintf(text, sizeof(text),
                                  "{\"health\":{\"status\":\"HEALTH_WARN\"},"
                                  "\"mon_status\":{\"name\":\"" MON_NAME "\",\"rank\":0,"
                                  "\"fsid\":\"%s\",\"note\":\"" NOTE "\"}}",
                                  q->s->fsid);
    CHECK(health.len < sizeof(text));
    mon_ping_encode(&w, &health);
    send_front(q, MSG_PING, &w, 1, 1, "ping");
    return true;
}

/* msgr2 has it in the handshake; there are no tickets to renew. */
static bool answer_auth(struct question *q)
{
    uint8_t bytes[128];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));

    auth_reply_encode_refused(&w, -EOPNOTSUPP, "there is no authentication but AUTH_NONE");
    send_front(q, MSG_AUTH_REPLY, &w, 1, 1, "auth_reply EOPNOTSUPP");
    return true;
}

static const struct {
    uint16_t type;
    const char *name;
    bool (*answer)(struct question *q);
} answers[] = {
    {MSG_MON_GET_MAP, "mon_get_map", answer_get_map},
    {MSG_MON_SUBSCRIBE, "mon_subscribe", answer_subscribe},
    {MSG_MON_GET_VERSION, "mon_get_version", answer_get_version},
    {MSG_MON_COMMAND, "mon_command", answer_mon_command},
    {MSG_COMMAND, "command", answer_command},
    {MSG_STATFS, "statfs", answer_statfs},
    {MSG_GETPOOLSTATS, "getpoolstats", answer_get_pool_stats},
    {MSG_POOLOP, "poolop", answer_pool_op},
    {MSG_PING, "ping", answer_ping},
    {MSG_AUTH, "auth", answer_auth},
};

bool serve_answer(struct server *s, const struct message *msg, FILE *line)
{
    struct question q = {
        .s = s, .msg = msg, .front = peer_reader(&msg->front), .line = line};

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (answers[i].type == msg->header.type) {
            fprintf(line, "%s", answers[i].name);
            return answers[i].answer(&q);
        }
    }
    fprintf(line, "message of type %u, which no client of a monitor sends",
            msg->header.type);
    return false;
}
