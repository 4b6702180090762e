/* SPDX-License-Identifier: Apache-2.0 */
/* mon_messages.c: payloads of the monitor protocol. */
#include "scenarios/peer/mon_messages.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

#define MONMAP_VERSION 9
#define MONMAP_COMPAT 6
#define MON_INFO_VERSION 5
#define MON_INFO_COMPAT 1
#define FEATURE_VERSION 1
#define PAXOS_NO_SESSION 0xffff /* session_mon -1: nobody forwarded it */
#define MONMAP_FIRST_WITH_RANKS 6

/* ---- texts ---- */

static void put_text(struct wire_writer *w, const char *text)
{
    wire_put_blob(w, text, strlen(text));
}

/* A string that may be printed later, into a buffer of `size`. */
static void get_text(struct wire_reader *r, char *buf, size_t size)
{
    size_t len;
    const uint8_t *p = wire_get_blob(r, &len);

    buf[0] = '\0';
    if (p == NULL || len >= size) {
        r->failed = true;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            r->failed = true;
            return;
        }
    }
    if (len > 0) {
        memcpy(buf, p, len);
    }
    buf[len] = '\0';
}

static void skip_text(struct wire_reader *r)
{
    size_t len;

    wire_get_blob(r, &len);
}

static struct mon_text get_long_text(struct wire_reader *r)
{
    struct mon_text text;

    text.text = (const char *)wire_get_blob(r, &text.len);
    return text;
}

/* Skips u32 count and that many elements of `size` bytes each. */
static void skip_array(struct wire_reader *r, size_t size)
{
    uint64_t n = wire_get_u32(r);

    if (!r->failed) {
        wire_get_bytes(r, (size_t)(n * size));
    }
}

/* ---- versioned envelopes ---- */

/* u8 version, u8 oldest version whose reader understands it, u32 length. */
static uint8_t *begin_envelope(struct wire_writer *w, uint8_t version, uint8_t compat)
{
    uint8_t *length;

    wire_put_u8(w, version);
    wire_put_u8(w, compat);
    length = w->at;
    wire_put_u32(w, 0);
    return length;
}

static void end_envelope(struct wire_writer *w, uint8_t *length)
{
    if (!w->failed) {
        wire_store_u32(length, (uint32_t)(w->at - length - 4));
    }
}

/* A reader of the body alone; *r stands behind it. Fails when the writer says that a reader
 * of `known` cannot understand it. */
static struct wire_reader get_envelope(struct wire_reader *r, uint8_t known,
                                       uint8_t *ret_version)
{
    uint8_t version = wire_get_u8(r), compat = wire_get_u8(r);
    size_t len;
    const uint8_t *body = wire_get_blob(r, &len);
    struct wire_reader in = body != NULL ? wire_reader(body, len) : *r;

    if (version == 0 || compat > known) {
        in.failed = true;
    }
    *ret_version = version;
    return in;
}

/* ---- the monitor map: pieces ---- */

static void put_time(struct wire_writer *w, const struct ceph_time *t)
{
    wire_put_u32(w, t->sec);
    wire_put_u32(w, t->nsec);
}

static struct ceph_time get_time(struct wire_reader *r)
{
    struct ceph_time t;

    t.sec = wire_get_u32(r);
    t.nsec = wire_get_u32(r);
    return t;
}

static void put_features(struct wire_writer *w, uint64_t features)
{
    uint8_t *length = begin_envelope(w, FEATURE_VERSION, FEATURE_VERSION);

    wire_put_u64(w, features);
    end_envelope(w, length);
}

static uint64_t get_features(struct wire_reader *r)
{
    uint8_t version;
    struct wire_reader in = get_envelope(r, FEATURE_VERSION, &version);
    uint64_t features = wire_get_u64(&in);

    r->failed = r->failed || in.failed;
    return features;
}

static void put_mon_info(struct wire_writer *w, const struct mon_info *mon)
{
    uint8_t *length = begin_envelope(w, MON_INFO_VERSION, MON_INFO_COMPAT);

    put_text(w, mon->name);
    entity_addrvec_encode(w, &mon->addrs);
    wire_put_u16(w, mon->priority);
    wire_put_u16(w, mon->weight);
    wire_put_u32(w, 0); /* an empty crush location */
    end_envelope(w, length);
}

static void get_mon_info(struct wire_reader *r, struct mon_info *ret)
{
    uint8_t version;
    struct wire_reader in = get_envelope(r, MON_INFO_VERSION, &version);

    *ret = (struct mon_info){0};
    get_text(&in, ret->name, sizeof(ret->name));
    if (in.failed || entity_addrvec_decode(&in, &ret->addrs) < 0) {
        r->failed = true;
        return;
    }
    ret->priority = version >= 2 ? wire_get_u16(&in) : 0;
    ret->weight = version >= 4 ? wire_get_u16(&in) : 0;
    r->failed = r->failed || in.failed;
}

/* ---- the monitor map ---- */

/* Ceph keeps this map sorted by name; the ranks say the other order. */
static void put_mons(struct wire_writer *w, const struct monmap *map)
{
    const struct mon_info *last = NULL;

    wire_put_u32(w, map->mons_n);
    for (uint32_t done = 0; done < map->mons_n; done++) {
        const struct mon_info *next = NULL;

        for (uint32_t i = 0; i < map->mons_n; i++) {
            const struct mon_info *mon = &map->mons[i];

            if ((last == NULL || strcmp(mon->name, last->name) > 0) &&
                (next == NULL || strcmp(mon->name, next->name) < 0)) {
                next = mon;
            }
        }
        CHECK(next != NULL); /* names are unique */
        put_text(w, next->name);
        put_mon_info(w, next);
        last = next;
    }
}

void monmap_encode(struct wire_writer *w, const struct monmap *map)
{
    uint8_t *length = begin_envelope(w, MONMAP_VERSION, MONMAP_COMPAT);

    CHECK(map->mons_n <= MONMAP_MONS_MAX && map->disallowed_n <= MONMAP_MONS_MAX);
    wire_put_bytes(w, map->fsid, sizeof(map->fsid));
    wire_put_u32(w, map->epoch);
    put_time(w, &map->last_changed);
    put_time(w, &map->created);
    put_features(w, map->persistent_features);
    put_features(w, map->optional_features);
    put_mons(w, map);
    wire_put_u32(w, map->mons_n);
    for (uint32_t i = 0; i < map->mons_n; i++) {
        put_text(w, map->mons[i].name);
    }
    wire_put_u8(w, map->min_mon_release);
    wire_put_u32(w, 0); /* no removed ranks */
    wire_put_u8(w, map->election_strategy);
    wire_put_u32(w, map->disallowed_n);
    for (uint32_t i = 0; i < map->disallowed_n; i++) {
        put_text(w, map->disallowed[i]);
    }
    wire_put_u8(w, map->stretch_mode);
    put_text(w, map->tiebreaker);
    wire_put_u32(w, 0); /* no monitor is marked down */
    end_envelope(w, length);
}

static void get_mons(struct wire_reader *r, struct monmap *map)
{
    map->mons_n = wire_get_u32(r);
    if (map->mons_n > MONMAP_MONS_MAX) {
        r->failed = true;
    }
    for (uint32_t i = 0; i < map->mons_n && !r->failed; i++) {
        skip_text(r); /* the key is the name again */
        get_mon_info(r, &map->mons[i]);
    }
}

/* Brings the monitors into the order of the ranks that follow. */
static void get_ranks(struct wire_reader *r, struct monmap *map)
{
    uint32_t n = wire_get_u32(r);

    r->failed = r->failed || n != map->mons_n;
    for (uint32_t rank = 0; rank < n && !r->failed; rank++) {
        char name[MON_NAME_BYTES];
        uint32_t at = rank;

        get_text(r, name, sizeof(name));
        for (uint32_t i = 0; i < rank; i++) {
            r->failed = r->failed || strcmp(map->mons[i].name, name) == 0; /* twice */
        }
        while (at < n && strcmp(map->mons[at].name, name) != 0) {
            at++;
        }
        if (r->failed || at == n) {
            r->failed = true;
        } else if (at != rank) {
            struct mon_info mon = map->mons[at];

            map->mons[at] = map->mons[rank];
            map->mons[rank] = mon;
        }
    }
}

static void get_election(struct wire_reader *r, struct monmap *map)
{
    skip_array(r, sizeof(uint32_t)); /* removed ranks */
    map->election_strategy = wire_get_u8(r);
    map->disallowed_n = wire_get_u32(r);
    if (map->disallowed_n > MONMAP_MONS_MAX) {
        r->failed = true;
    }
    for (uint32_t i = 0; i < map->disallowed_n && !r->failed; i++) {
        get_text(r, map->disallowed[i], sizeof(map->disallowed[i]));
    }
}

static void get_body(struct wire_reader *in, struct monmap *map)
{
    const uint8_t *fsid = wire_get_bytes(in, CEPH_FSID_BYTES);

    if (fsid != NULL) {
        memcpy(map->fsid, fsid, CEPH_FSID_BYTES);
    }
    map->epoch = wire_get_u32(in);
    map->last_changed = get_time(in);
    map->created = get_time(in);
    map->persistent_features = get_features(in);
    map->optional_features = get_features(in);
    get_mons(in, map);
    get_ranks(in, map);
    if (map->version >= 7) {
        map->min_mon_release = wire_get_u8(in);
    }
    if (map->version >= 8) {
        get_election(in, map);
    }
    if (map->version >= 9) {
        map->stretch_mode = wire_get_u8(in) != 0;
        get_text(in, map->tiebreaker, sizeof(map->tiebreaker));
    }
}

int monmap_decode(struct wire_reader *r, struct monmap *ret, const char **ret_why)
{
    uint8_t version, compat = wire_left(r) >= 2 ? r->at[1] : 0;
    struct wire_reader in = get_envelope(r, MONMAP_VERSION, &version);

    if (!r->failed && compat > MONMAP_VERSION) {
        *ret_why = "the monmap is in an encoding newer than version 9";
        return -EBADMSG;
    }
    if (!r->failed && version < MONMAP_FIRST_WITH_RANKS) {
        *ret_why = "the monmap is in an encoding older than version 6 (Ceph 14)";
        return -EBADMSG;
    }
    *ret = (struct monmap){.version = version};
    get_body(&in, ret);
    if (in.failed || r->failed) {
        *ret_why = "the monmap is cut, contradicts itself or is beyond our limits";
        return -EBADMSG;
    }
    return 0;
}

void mon_map_encode(struct wire_writer *w, const struct monmap *map)
{
    uint8_t *length = w->at;

    wire_put_u32(w, 0);
    monmap_encode(w, map);
    end_envelope(w, length);
}

int mon_map_decode(struct wire_reader *r, struct monmap *ret, const char **ret_why)
{
    size_t len;
    const uint8_t *blob = wire_get_blob(r, &len);
    struct wire_reader in;

    if (blob == NULL) {
        *ret_why = "the payload is cut";
        return -EBADMSG;
    }
    in = wire_reader(blob, len);
    return monmap_decode(&in, ret, ret_why);
}

/* ---- subscriptions and configuration ---- */

void mon_subscribe_encode(struct wire_writer *w, const struct mon_subscribe *f)
{
    CHECK(f->n <= MON_SUBSCRIBE_MAX);
    wire_put_u32(w, f->n);
    for (uint32_t i = 0; i < f->n; i++) {
        put_text(w, f->items[i].what);
        wire_put_u64(w, f->items[i].start);
        wire_put_u8(w, f->items[i].flags);
    }
    put_text(w, f->hostname);
}

int mon_subscribe_decode(struct wire_reader *r, struct mon_subscribe *ret)
{
    *ret = (struct mon_subscribe){.n = wire_get_u32(r)};
    if (ret->n > MON_SUBSCRIBE_MAX) {
        return -EBADMSG;
    }
    for (uint32_t i = 0; i < ret->n; i++) {
        get_text(r, ret->items[i].what, sizeof(ret->items[i].what));
        ret->items[i].start = wire_get_u64(r);
        ret->items[i].flags = wire_get_u8(r);
    }
    if (!r->failed && wire_left(r) > 0) {
        get_text(r, ret->hostname, sizeof(ret->hostname));
    }
    return r->failed ? -EBADMSG : 0;
}

void config_encode_empty(struct wire_writer *w)
{
    wire_put_u32(w, 0);
}

/* ---- versions ---- */

void mon_get_version_encode(struct wire_writer *w, const struct mon_get_version *f)
{
    wire_put_u64(w, f->handle);
    put_text(w, f->what);
}

int mon_get_version_decode(struct wire_reader *r, struct mon_get_version *ret)
{
    ret->handle = wire_get_u64(r);
    get_text(r, ret->what, sizeof(ret->what));
    return r->failed ? -EBADMSG : 0;
}

void mon_get_version_reply_encode(struct wire_writer *w,
                                  const struct mon_get_version_reply *f)
{
    wire_put_u64(w, f->handle);
    wire_put_u64(w, f->newest);
    wire_put_u64(w, f->oldest);
}

int mon_get_version_reply_decode(struct wire_reader *r, struct mon_get_version_reply *ret)
{
    ret->handle = wire_get_u64(r);
    ret->newest = wire_get_u64(r);
    ret->oldest = wire_get_u64(r);
    return r->failed ? -EBADMSG : 0;
}

/* ---- commands ---- */

static void put_paxos_header(struct wire_writer *w, uint64_t version)
{
    wire_put_u64(w, version);
    wire_put_u16(w, PAXOS_NO_SESSION);
    wire_put_u64(w, 0);
}

static uint64_t get_paxos_header(struct wire_reader *r)
{
    uint64_t version = wire_get_u64(r);

    wire_get_u16(r);
    wire_get_u64(r);
    return version;
}

static void put_words(struct wire_writer *w, const struct mon_text *words, uint32_t n)
{
    CHECK(n <= MON_COMMAND_MAX);
    wire_put_u32(w, n);
    for (uint32_t i = 0; i < n; i++) {
        wire_put_blob(w, words[i].text, words[i].len);
    }
}

static uint32_t get_words(struct wire_reader *r, struct mon_text *words)
{
    uint32_t n = wire_get_u32(r);

    if (n > MON_COMMAND_MAX) {
        r->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        words[i] = get_long_text(r);
    }
    return n;
}

void mon_command_encode(struct wire_writer *w, const struct mon_command *f)
{
    put_paxos_header(w, f->version);
    wire_put_bytes(w, f->fsid, sizeof(f->fsid));
    put_words(w, f->words, f->n);
}

int mon_command_decode(struct wire_reader *r, struct mon_command *ret)
{
    const uint8_t *fsid;

    *ret = (struct mon_command){.version = get_paxos_header(r)};
    fsid = wire_get_bytes(r, CEPH_FSID_BYTES);
    if (fsid != NULL) {
        memcpy(ret->fsid, fsid, CEPH_FSID_BYTES);
    }
    ret->n = get_words(r, ret->words);
    return r->failed ? -EBADMSG : 0;
}

void mon_command_ack_encode(struct wire_writer *w, const struct mon_command_ack *f)
{
    put_paxos_header(w, f->version);
    wire_put_u32(w, (uint32_t)f->result);
    wire_put_blob(w, f->status.text, f->status.len);
    put_words(w, f->words, f->n);
}

int mon_command_ack_decode(struct wire_reader *r, struct mon_command_ack *ret)
{
    *ret = (struct mon_command_ack){.version = get_paxos_header(r)};
    ret->result = (int32_t)wire_get_u32(r);
    ret->status = get_long_text(r);
    ret->n = get_words(r, ret->words);
    return r->failed ? -EBADMSG : 0;
}

/* ---- JSON, as much of it as a command needs ---- */

struct json {
    const char *at, *end;
};

static char json_peek(struct json *j)
{
    while (j->at < j->end && strchr(" \t\r\n", *j->at) != NULL && *j->at != '\0') {
        j->at++;
    }
    return j->at < j->end ? *j->at : '\0';
}

static bool json_take(struct json *j, char c)
{
    if (json_peek(j) != c || j->at == j->end) {
        return false;
    }
    j->at++;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The character behind a backslash. What is not ASCII becomes '?': no name we look for has
 * any. 0: there is no such escape. */
static char json_escape(struct json *j)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = j->at < j->end ? *j->at++ : '\0';
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    int code = 0;

    if (known != NULL) {
        return to[known - from];
    }
    if (c != 'u' || j->end - j->at < 4) {
        return '\0';
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*j->at++);

        if (digit < 0) {
            return '\0';
        }
        code = code << 4 | digit;
    }
    return code > 0 && code < 0x80 ? (char)code : '?';
}

/* A string into `buf` (NULL: skip it). 0, -EBADMSG, -EMSGSIZE. */
static int json_string(struct json *j, char *buf, size_t size)
{
    size_t n = 0;

    if (!json_take(j, '"')) {
        return -EBADMSG;
    }
    while (j->at < j->end && *j->at != '"') {
        char c = *j->at++;

        if (c == '\\') {
            c = json_escape(j);
        }
        if (c == '\0') {
            return -EBADMSG;
        }
        if (buf != NULL && n + 1 >= size) {
            return -EMSGSIZE;
        }
        if (buf != NULL) {
            buf[n++] = c;
        }
    }
    if (j->at == j->end) {
        return -EBADMSG;
    }
    j->at++;
    if (buf != NULL) {
        buf[n] = '\0';
    }
    return 0;
}

/* Any value: up to the comma or brace that ends it on its own level. */
static int json_skip_value(struct json *j)
{
    for (int depth = 0;;) {
        char c = json_peek(j);

        if (j->at == j->end) {
            return -EBADMSG;
        }
        if (depth == 0 && (c == ',' || c == '}')) {
            return 0;
        }
        if (c == '"') {
            int err = json_string(j, NULL, 0);

            if (err < 0) {
                return err;
            }
            continue;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth < 0) {
            return -EBADMSG;
        }
        j->at++;
    }
}

int mon_command_field(const struct mon_text *json, const char *name, char *buf, size_t size)
{
    struct json j = {.at = json->text, .end = json->text + json->len};
    char key[256], value[1024];
    int err;

    if (!json_take(&j, '{')) {
        return -EBADMSG;
    }
    while (json_peek(&j) == '"') {
        err = json_string(&j, key, sizeof(key));
        if (err < 0 || !json_take(&j, ':')) {
            return -EBADMSG;
        }
        if (strcmp(key, name) == 0) {
            if (json_peek(&j) != '"') {
                return -ENOENT;
            }
            err = json_string(&j, value, MIN(size, sizeof(value)));
            if (err == 0) {
                memcpy(buf, value, strlen(value) + 1);
            }
            return err;
        }
        err = json_skip_value(&j);
        if (err < 0) {
            return err;
        }
        if (!json_take(&j, ',')) {
            break;
        }
    }
    return json_take(&j, '}') ? -ENOENT : -EBADMSG;
}

/* ---- PING ---- */

void mon_ping_encode(struct wire_writer *w, const struct mon_text *health)
{
    wire_put_blob(w, health->text, health->len);
}

int mon_ping_decode(struct wire_reader *r, struct mon_text *ret)
{
    *ret = get_long_text(r);
    return r->failed ? -EBADMSG : 0;
}
