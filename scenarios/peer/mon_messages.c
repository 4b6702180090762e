/* SPDX-License-Identifier: Apache-2.0 */
/* mon_messages.c: payloads of the monitor protocol. */
#include "scenarios/peer/mon_messages.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

#define PAXOS_NO_SESSION 0xffff /* session_mon -1: nobody forwarded it */

/* ---- subscriptions and configuration ---- */

void mon_subscribe_encode(struct wire_writer *w, const struct mon_subscribe *f)
{
    CHECK(f->n <= MON_SUBSCRIBE_MAX);
    wire_put_u32(w, f->n);
    for (uint32_t i = 0; i < f->n; i++) {
        ceph_put_text(w, f->items[i].what);
        wire_put_u64(w, f->items[i].start);
        wire_put_u8(w, f->items[i].flags);
    }
    ceph_put_text(w, f->hostname);
}

int mon_subscribe_decode(struct wire_reader *r, struct mon_subscribe *ret)
{
    *ret = (struct mon_subscribe){.n = wire_get_u32(r)};
    if (ret->n > MON_SUBSCRIBE_MAX) {
        return -EBADMSG;
    }
    for (uint32_t i = 0; i < ret->n; i++) {
        ceph_get_text(r, ret->items[i].what, sizeof(ret->items[i].what));
        ret->items[i].start = wire_get_u64(r);
        ret->items[i].flags = wire_get_u8(r);
    }
    if (!r->failed && wire_left(r) > 0) {
        ceph_get_text(r, ret->hostname, sizeof(ret->hostname));
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
    ceph_put_text(w, f->what);
}

int mon_get_version_decode(struct wire_reader *r, struct mon_get_version *ret)
{
    ret->handle = wire_get_u64(r);
    ceph_get_text(r, ret->what, sizeof(ret->what));
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

static void get_fsid(struct wire_reader *r, uint8_t fsid[CEPH_FSID_BYTES])
{
    const uint8_t *p = wire_get_bytes(r, CEPH_FSID_BYTES);

    if (p != NULL) {
        memcpy(fsid, p, CEPH_FSID_BYTES);
    }
}

static void put_words(struct wire_writer *w, const struct ceph_text *words, uint32_t n)
{
    CHECK(n <= MON_COMMAND_MAX);
    wire_put_u32(w, n);
    for (uint32_t i = 0; i < n; i++) {
        wire_put_blob(w, words[i].text, words[i].len);
    }
}

static uint32_t get_words(struct wire_reader *r, struct ceph_text *words)
{
    uint32_t n = wire_get_u32(r);

    if (n > MON_COMMAND_MAX) {
        r->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        words[i] = ceph_get_long_text(r);
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
    *ret = (struct mon_command){.version = get_paxos_header(r)};
    get_fsid(r, ret->fsid);
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
    ret->status = ceph_get_long_text(r);
    ret->n = get_words(r, ret->words);
    return r->failed ? -EBADMSG : 0;
}

/* ---- COMMAND ---- */

void command_encode(struct wire_writer *w, const struct daemon_command *f)
{
    wire_put_bytes(w, f->fsid, sizeof(f->fsid));
    put_words(w, f->words, f->n);
}

int command_decode(struct wire_reader *r, struct daemon_command *ret)
{
    *ret = (struct daemon_command){0};
    get_fsid(r, ret->fsid);
    ret->n = get_words(r, ret->words);
    return r->failed ? -EBADMSG : 0;
}

void command_reply_encode(struct wire_writer *w, const struct daemon_command_reply *f)
{
    wire_put_u32(w, (uint32_t)f->result);
    wire_put_blob(w, f->status.text, f->status.len);
}

/* ---- how much there is ---- */

int mon_statfs_decode(struct wire_reader *r, struct mon_statfs *ret)
{
    *ret = (struct mon_statfs){0};
    get_paxos_header(r);
    get_fsid(r, ret->fsid);
    if (!r->failed && wire_left(r) > 0) { /* from version 2 on */
        ret->of_pool = wire_get_u8(r) != 0;
    }
    if (ret->of_pool) {
        ret->pool = (int64_t)wire_get_u64(r);
    }
    return r->failed ? -EBADMSG : 0;
}

void mon_statfs_reply_encode_empty(struct wire_writer *w,
                                   const uint8_t fsid[CEPH_FSID_BYTES], uint64_t version)
{
    wire_put_bytes(w, fsid, CEPH_FSID_BYTES);
    wire_put_u64(w, version);
    for (int i = 0; i < 4; i++) { /* KiB, of them used, available; objects */
        wire_put_u64(w, 0);
    }
}

int mon_get_pool_stats_decode(struct wire_reader *r, struct mon_get_pool_stats *ret)
{
    *ret = (struct mon_get_pool_stats){0};
    get_paxos_header(r);
    get_fsid(r, ret->fsid);
    ret->pools_n = wire_get_u32(r);
    for (uint32_t i = 0; i < ret->pools_n && !r->failed; i++) {
        ceph_skip_text(r);
    }
    return r->failed ? -EBADMSG : 0;
}

void mon_get_pool_stats_reply_encode_empty(struct wire_writer *w,
                                           const uint8_t fsid[CEPH_FSID_BYTES],
                                           uint64_t version)
{
    put_paxos_header(w, version);
    wire_put_bytes(w, fsid, CEPH_FSID_BYTES);
    wire_put_u32(w, 0); /* pools */
    wire_put_u8(w, 1);  /* what is used is known by pool */
}

/* ---- POOLOP ---- */

/* As much of a name as there is room for, each byte printable. */
static void get_name_for_people(struct wire_reader *r, char *buf, size_t size)
{
    struct ceph_text text = ceph_get_long_text(r);
    size_t n = MIN(text.len, size - 1);

    for (size_t i = 0; i < n; i++) {
        buf[i] = text.text[i] >= 0x20 && text.text[i] < 0x7f ? text.text[i] : '?';
    }
    buf[n] = '\0';
}

int mon_pool_op_decode(struct wire_reader *r, struct mon_pool_op *ret)
{
    *ret = (struct mon_pool_op){0};
    get_paxos_header(r);
    get_fsid(r, ret->fsid);
    ret->pool = wire_get_u32(r);
    ret->op = wire_get_u32(r);
    wire_get_u64(r); /* owner, of old */
    wire_get_u64(r); /* snapshot */
    get_name_for_people(r, ret->name, sizeof(ret->name));
    return r->failed ? -EBADMSG : 0; /* a rule may follow */
}

void mon_pool_op_reply_encode(struct wire_writer *w, const struct mon_pool_op_reply *f)
{
    put_paxos_header(w, f->version);
    wire_put_bytes(w, f->fsid, CEPH_FSID_BYTES);
    wire_put_u32(w, (uint32_t)f->result);
    wire_put_u32(w, f->epoch);
    wire_put_u8(w, 0); /* no data */
}

const char *mon_pool_op_name(uint32_t op)
{
    static const struct {
        uint32_t op;
        const char *name;
    } names[] = {
        {0x01, "create pool"},
        {0x02, "delete pool"},
        {0x11, "create snapshot"},
        {0x12, "delete snapshot"},
        {0x21, "create unmanaged snapshot"},
        {0x22, "delete unmanaged snapshot"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].op == op) {
            return names[i].name;
        }
    }
    return NULL;
}

/* ---- AUTH ---- */

void auth_reply_encode_refused(struct wire_writer *w, int32_t result, const char *why)
{
    wire_put_u32(w, 0); /* protocol: none was agreed upon */
    wire_put_u32(w, (uint32_t)result);
    wire_put_u64(w, 0); /* global id: not given */
    wire_put_u32(w, 0); /* ticket */
    ceph_put_text(w, why);
}

/* ---- PING ---- */

void mon_ping_encode(struct wire_writer *w, const struct ceph_text *health)
{
    wire_put_blob(w, health->text, health->len);
}

int mon_ping_decode(struct wire_reader *r, struct ceph_text *ret)
{
    *ret = ceph_get_long_text(r);
    return r->failed ? -EBADMSG : 0;
}
