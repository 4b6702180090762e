/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames_payload.c: what stands in segment 0 of each frame, one encode/decode pair each.
 *
 * Every decoder fills a local struct, looks at the reader once at the end, and only then
 * touches *ret. Bytes behind the fields it knows are left alone, as Ceph leaves them, so
 * that newer peers may append.
 */
#include "engine/proto/frames.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

/* u32 count and that many u32. */
static void put_vec32(struct wire_writer *w, const uint32_t *values, uint32_t n)
{
    CHECK(n <= FRAME_VEC_MAX);
    wire_put_u32(w, n);
    for (uint32_t i = 0; i < n; i++)
        wire_put_u32(w, values[i]);
}

static void get_vec32(struct wire_reader *r, uint32_t values[FRAME_VEC_MAX],
                      uint32_t *ret_n)
{
    uint32_t n = wire_get_u32(r);

    if (n > FRAME_VEC_MAX) {
        r->failed = true;
        n = 0;
    }
    for (uint32_t i = 0; i < n; i++)
        values[i] = wire_get_u32(r);
    *ret_n = n;
}

/* ---- hello and authentication ---- */

void frame_hello_encode(struct wire_writer *w, const struct frame_hello *f)
{
    wire_put_u8(w, f->entity_type);
    entity_addr_encode(w, &f->peer_addr);
}

int frame_hello_decode(struct wire_reader *r, struct frame_hello *ret)
{
    struct frame_hello f = {0};

    f.entity_type = wire_get_u8(r);
    entity_addr_decode(r, &f.peer_addr);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_auth_request_encode(struct wire_writer *w, const struct frame_auth_request *f)
{
    wire_put_u32(w, f->method);
    put_vec32(w, f->modes, f->modes_n);
    wire_put_blob(w, f->payload, f->payload_len);
}

int frame_auth_request_decode(struct wire_reader *r, struct frame_auth_request *ret)
{
    struct frame_auth_request f = {0};

    f.method = wire_get_u32(r);
    get_vec32(r, f.modes, &f.modes_n);
    f.payload = wire_get_blob(r, &f.payload_len);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_auth_bad_method_encode(struct wire_writer *w,
                                  const struct frame_auth_bad_method *f)
{
    wire_put_u32(w, f->method);
    wire_put_u32(w, (uint32_t)f->result);
    put_vec32(w, f->methods, f->methods_n);
    put_vec32(w, f->modes, f->modes_n);
}

int frame_auth_bad_method_decode(struct wire_reader *r, struct frame_auth_bad_method *ret)
{
    struct frame_auth_bad_method f = {0};

    f.method = wire_get_u32(r);
    f.result = (int32_t)wire_get_u32(r);
    get_vec32(r, f.methods, &f.methods_n);
    get_vec32(r, f.modes, &f.modes_n);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_auth_more_encode(struct wire_writer *w, const struct frame_auth_more *f)
{
    wire_put_blob(w, f->payload, f->payload_len);
}

int frame_auth_more_decode(struct wire_reader *r, struct frame_auth_more *ret)
{
    struct frame_auth_more f = {0};

    f.payload = wire_get_blob(r, &f.payload_len);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_auth_done_encode(struct wire_writer *w, const struct frame_auth_done *f)
{
    wire_put_u64(w, f->global_id);
    wire_put_u32(w, f->mode);
    wire_put_blob(w, f->payload, f->payload_len);
}

int frame_auth_done_decode(struct wire_reader *r, struct frame_auth_done *ret)
{
    struct frame_auth_done f = {0};

    f.global_id = wire_get_u64(r);
    f.mode = wire_get_u32(r);
    f.payload = wire_get_blob(r, &f.payload_len);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

/* The one payload without a length of its own: 32 bytes, no more is looked at. */
void frame_auth_signature_encode(struct wire_writer *w,
                                 const struct frame_auth_signature *f)
{
    wire_put_bytes(w, f->bytes, sizeof(f->bytes));
}

int frame_auth_signature_decode(struct wire_reader *r, struct frame_auth_signature *ret)
{
    const uint8_t *bytes = wire_get_bytes(r, sizeof(ret->bytes));

    if (!bytes)
        return -EBADMSG;
    memcpy(ret->bytes, bytes, sizeof(ret->bytes));
    return 0;
}

void auth_none_request_encode(struct wire_writer *w, const struct auth_none_request *f)
{
    size_t len = strnlen(f->id, sizeof(f->id));

    CHECK(len < sizeof(f->id));
    wire_put_u8(w, f->mode);
    wire_put_u32(w, f->entity_type);
    wire_put_blob(w, f->id, len);
    wire_put_u64(w, f->global_id);
}

/* An id with a NUL inside would not survive as a C string: also a bad frame. */
int auth_none_request_decode(struct wire_reader *r, struct auth_none_request *ret)
{
    struct auth_none_request f = {0};
    const uint8_t *id;
    size_t len;

    f.mode = wire_get_u8(r);
    f.entity_type = wire_get_u32(r);
    id = wire_get_blob(r, &len);
    if (len >= sizeof(f.id) || (len > 0 && memchr(id, '\0', len)))
        r->failed = true;
    else if (len > 0)
        memcpy(f.id, id, len);
    f.global_id = wire_get_u64(r);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

/* ---- sessions ---- */

void frame_client_ident_encode(struct wire_writer *w, const struct frame_client_ident *f)
{
    entity_addrvec_encode(w, &f->addrs);
    entity_addr_encode(w, &f->target);
    wire_put_u64(w, (uint64_t)f->gid);
    wire_put_u64(w, f->global_seq);
    wire_put_u64(w, f->supported);
    wire_put_u64(w, f->required);
    wire_put_u64(w, f->flags);
    wire_put_u64(w, f->cookie);
}

int frame_client_ident_decode(struct wire_reader *r, struct frame_client_ident *ret)
{
    struct frame_client_ident f = {0};

    entity_addrvec_decode(r, &f.addrs);
    entity_addr_decode(r, &f.target);
    f.gid = (int64_t)wire_get_u64(r);
    f.global_seq = wire_get_u64(r);
    f.supported = wire_get_u64(r);
    f.required = wire_get_u64(r);
    f.flags = wire_get_u64(r);
    f.cookie = wire_get_u64(r);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_server_ident_encode(struct wire_writer *w, const struct frame_server_ident *f)
{
    entity_addrvec_encode(w, &f->addrs);
    wire_put_u64(w, (uint64_t)f->gid);
    wire_put_u64(w, f->global_seq);
    wire_put_u64(w, f->supported);
    wire_put_u64(w, f->required);
    wire_put_u64(w, f->flags);
    wire_put_u64(w, f->cookie);
}

int frame_server_ident_decode(struct wire_reader *r, struct frame_server_ident *ret)
{
    struct frame_server_ident f = {0};

    entity_addrvec_decode(r, &f.addrs);
    f.gid = (int64_t)wire_get_u64(r);
    f.global_seq = wire_get_u64(r);
    f.supported = wire_get_u64(r);
    f.required = wire_get_u64(r);
    f.flags = wire_get_u64(r);
    f.cookie = wire_get_u64(r);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_session_reconnect_encode(struct wire_writer *w,
                                    const struct frame_session_reconnect *f)
{
    entity_addrvec_encode(w, &f->addrs);
    wire_put_u64(w, f->client_cookie);
    wire_put_u64(w, f->server_cookie);
    wire_put_u64(w, f->global_seq);
    wire_put_u64(w, f->connect_seq);
    wire_put_u64(w, f->in_seq);
}

int frame_session_reconnect_decode(struct wire_reader *r,
                                   struct frame_session_reconnect *ret)
{
    struct frame_session_reconnect f = {0};

    entity_addrvec_decode(r, &f.addrs);
    f.client_cookie = wire_get_u64(r);
    f.server_cookie = wire_get_u64(r);
    f.global_seq = wire_get_u64(r);
    f.connect_seq = wire_get_u64(r);
    f.in_seq = wire_get_u64(r);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_session_reset_encode(struct wire_writer *w, const struct frame_session_reset *f)
{
    wire_put_u8(w, f->full);
}

int frame_session_reset_decode(struct wire_reader *r, struct frame_session_reset *ret)
{
    struct frame_session_reset f = {.full = wire_get_u8(r) != 0};

    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_u64_encode(struct wire_writer *w, const struct frame_u64 *f)
{
    wire_put_u64(w, f->value);
}

int frame_u64_decode(struct wire_reader *r, struct frame_u64 *ret)
{
    struct frame_u64 f = {.value = wire_get_u64(r)};

    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_keepalive_encode(struct wire_writer *w, const struct frame_keepalive *f)
{
    wire_put_u32(w, f->sec);
    wire_put_u32(w, f->nsec);
}

int frame_keepalive_decode(struct wire_reader *r, struct frame_keepalive *ret)
{
    struct frame_keepalive f;

    f.sec = wire_get_u32(r);
    f.nsec = wire_get_u32(r);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

/* ---- compression ---- */

void frame_compression_request_encode(struct wire_writer *w,
                                      const struct frame_compression_request *f)
{
    wire_put_u8(w, f->want);
    put_vec32(w, f->methods, f->methods_n);
}

int frame_compression_request_decode(struct wire_reader *r,
                                     struct frame_compression_request *ret)
{
    struct frame_compression_request f = {.want = wire_get_u8(r) != 0};

    get_vec32(r, f.methods, &f.methods_n);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

void frame_compression_done_encode(struct wire_writer *w,
                                   const struct frame_compression_done *f)
{
    wire_put_u8(w, f->compress);
    wire_put_u32(w, f->method);
}

int frame_compression_done_decode(struct wire_reader *r, struct frame_compression_done *ret)
{
    struct frame_compression_done f = {.compress = wire_get_u8(r) != 0};

    f.method = wire_get_u32(r);
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}

/* ---- messages ---- */

void frame_message_header_encode(struct wire_writer *w,
                                 const struct frame_message_header *f)
{
    wire_put_u64(w, f->seq);
    wire_put_u64(w, f->tid);
    wire_put_u16(w, f->type);
    wire_put_u16(w, f->priority);
    wire_put_u16(w, f->version);
    wire_put_u32(w, f->data_pre_padding_len);
    wire_put_u16(w, f->data_off);
    wire_put_u64(w, f->ack_seq);
    wire_put_u8(w, f->flags);
    wire_put_u16(w, f->compat_version);
    wire_put_u16(w, 0); /* reserved */
}

int frame_message_header_decode(struct wire_reader *r, struct frame_message_header *ret)
{
    struct frame_message_header f;

    f.seq = wire_get_u64(r);
    f.tid = wire_get_u64(r);
    f.type = wire_get_u16(r);
    f.priority = wire_get_u16(r);
    f.version = wire_get_u16(r);
    f.data_pre_padding_len = wire_get_u32(r);
    f.data_off = wire_get_u16(r);
    f.ack_seq = wire_get_u64(r);
    f.flags = wire_get_u8(r);
    f.compat_version = wire_get_u16(r);
    wire_get_u16(r); /* reserved */
    if (r->failed)
        return -EBADMSG;
    *ret = f;
    return 0;
}
