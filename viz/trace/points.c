/* SPDX-License-Identifier: Apache-2.0 */
#include "viz/trace/points.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "engine/states.h"
#include "engine/util.h"
#include "viz/trace/trace_reader.h"

/* ---- the list as a table ---------------------------------------------------------- */

static const struct point points[] = {{"NONE", "none", "", "", LAYER_COUNT, CLASS_STATE},
#define X(id, name, layer, step, cls, fmt)                                                 \
    {#id, name, step, fmt, LAYER_##layer, CLASS_##cls},
                                      TRACE_POINTS(X)
#undef X
};

const struct point *point_of(uint16_t kind)
{
    static const struct point unknown = {
        "UNKNOWN",   "unknown",  "", "{obj:obj} val={val:d} a0={a0:x} a1={a1:x}",
        LAYER_COUNT, CLASS_STATE};

    return kind < TP_COUNT ? &points[kind] : &unknown;
}

uint16_t point_find(const char *name)
{
    for (uint16_t i = 1; i < TP_COUNT; i++) {
        if (strcasecmp(name, points[i].name) == 0 || strcasecmp(name, points[i].id) == 0) {
            return i;
        }
    }
    return TP_NONE;
}

const char *layer_name(uint8_t layer)
{
    static const char *const names[] = {
        [LAYER_MESSENGER] = "Messenger", [LAYER_CONNECTION] = "AsyncConnection",
        [LAYER_CENTER] = "EventCenter",  [LAYER_STACK] = "NetworkStack",
        [LAYER_RDMA] = "RDMAStack",      [LAYER_VERBS] = "Verbs",
    };

    return layer < LAYER_COUNT ? names[layer] : "?";
}

char class_letter(uint8_t class_)
{
    return class_ < CLASS_COUNT ? "AEFTPS!"[class_] : '?';
}

const char *class_colour(uint8_t class_)
{
    static const char *const colours[] = {
        [CLASS_APP] = "#4D4D4D",   [CLASS_EXT] = "#E69F00", [CLASS_FILE] = "#0072B2",
        [CLASS_TIMER] = "#999999", [CLASS_IO] = "#009E73",  [CLASS_STATE] = "#CC79A7",
        [CLASS_ERROR] = "#000000",
    };

    return class_ < CLASS_COUNT ? colours[class_] : "#000000";
}

const char *sock_state_name(uint64_t state)
{
    static const char *const names[] = {
#define X(id, name, next) name,
        SOCK_STATES(X)
#undef X
    };

    return state < ARRAY_SIZE(names) ? names[state] : NULL;
}

const char *proto_state_name(uint64_t state)
{
    static const char *const names[] = {
#define X(id, name, next) name,
        PROTO_STATES(X)
#undef X
    };

    return state < ARRAY_SIZE(names) ? names[state] : NULL;
}

/* ---- numbers ---------------------------------------------------------------------- */

char *duration_text(char *buf, size_t size, uint64_t ns)
{
    if (ns < NSEC_PER_USEC) {
        snprintf(buf, size, "%u ns", (unsigned)ns);
    } else if (ns < NSEC_PER_MSEC) {
        snprintf(buf, size, "%.2f us", (double)ns / NSEC_PER_USEC);
    } else if (ns < NSEC_PER_SEC) {
        snprintf(buf, size, "%.2f ms", (double)ns / NSEC_PER_MSEC);
    } else {
        snprintf(buf, size, "%.2f s", (double)ns / NSEC_PER_SEC);
    }
    return buf;
}

char *bytes_text(char *buf, size_t size, uint64_t bytes)
{
    if (bytes < 10240) {
        snprintf(buf, size, "%u B", (unsigned)bytes);
    } else if (bytes < 10 << 20) {
        snprintf(buf, size, "%.1f KiB", (double)bytes / 1024);
    } else if (bytes < 10ULL << 30) {
        snprintf(buf, size, "%.1f MiB", (double)bytes / (1 << 20));
    } else {
        snprintf(buf, size, "%.1f GiB", (double)bytes / (1 << 30));
    }
    return buf;
}

/* ---- fields ----------------------------------------------------------------------- */

static const char *tag_name(uint64_t tag)
{
    static const char *const names[] = {
        "?",
        "HELLO",
        "AUTH_REQUEST",
        "AUTH_BAD_METHOD",
        "AUTH_REPLY_MORE",
        "AUTH_REQUEST_MORE",
        "AUTH_DONE",
        "AUTH_SIGNATURE",
        "CLIENT_IDENT",
        "SERVER_IDENT",
        "IDENT_MISSING_FEATURES",
        "SESSION_RECONNECT",
        "SESSION_RESET",
        "SESSION_RETRY",
        "SESSION_RETRY_GLOBAL",
        "SESSION_RECONNECT_OK",
        "WAIT",
        "MESSAGE",
        "KEEPALIVE2",
        "KEEPALIVE2_ACK",
        "ACK",
        "COMPRESSION_REQUEST",
        "COMPRESSION_DONE",
    };

    return tag > 0 && tag < ARRAY_SIZE(names) ? names[tag] : NULL;
}

static const char *dispatch_event_name(uint64_t event)
{
    static const char *const names[] = {"connect",      "accept",  "reset",
                                        "remote_reset", "refused", "accept_failed"};

    return event < ARRAY_SIZE(names) ? names[event] : NULL;
}

const char *object_text(const struct trace_reader *reader, uint32_t id, char *buf,
                        size_t size)
{
    const struct trace_object *object = trace_reader_object(reader, id);

    if (object != NULL) {
        return object->name;
    }
    snprintf(buf, size, id ? "obj#%u" : "-", id);
    return buf;
}

char *thread_text(const struct trace_reader *reader, uint8_t node, uint8_t thread,
                  char *buf, size_t size)
{
    size_t i = trace_reader_thread_of(reader, node, thread);
    const struct trace_thread *t =
        i < trace_reader_threads(reader) ? trace_reader_thread(reader, i) : NULL;
    char node_number[8], thread_number[8];

    snprintf(node_number, sizeof(node_number), "n%u", node);
    snprintf(thread_number, sizeof(thread_number), "t%u", thread);
    snprintf(buf, size, "%s.%s", t && t->node_name[0] ? t->node_name : node_number,
             t && t->name[0] ? t->name : thread_number);
    return buf;
}

/* A number, or the error it stands for. */
static void error_text(char *buf, size_t size, int64_t value)
{
    const char *name = value < 0 && value > -4096 ? strerrorname_np((int)-value) : NULL;

    if (name != NULL) {
        snprintf(buf, size, "-%s", name);
    } else if (value == 0) {
        snprintf(buf, size, "ok");
    } else {
        snprintf(buf, size, "%lld", (long long)value);
    }
}

static void named(char *buf, size_t size, const char *name, uint64_t value)
{
    if (name != NULL) {
        snprintf(buf, size, "%s", name);
    } else {
        snprintf(buf, size, "%llu", (unsigned long long)value);
    }
}

struct field {
    uint64_t raw;  /* as unsigned */
    int64_t value; /* as signed */
};

static struct field field_of(const struct trace_record *record, const char *name,
                             size_t len)
{
    if (len == 2 && memcmp(name, "a0", 2) == 0) {
        return (struct field){record->a0, (int64_t)record->a0};
    }
    if (len == 2 && memcmp(name, "a1", 2) == 0) {
        return (struct field){record->a1, (int64_t)record->a1};
    }
    if (len == 3 && memcmp(name, "obj", 3) == 0) {
        return (struct field){record->obj, record->obj};
    }
    if (len == 3 && memcmp(name, "aux", 3) == 0) {
        return (struct field){record->aux, record->aux};
    }
    return (struct field){(uint32_t)record->val, record->val};
}

static void field_text(const struct trace_reader *reader, const char *type, size_t len,
                       struct field f, char *buf, size_t size)
{
    char type_[8] = "";

    memcpy(type_, type, MIN(len, sizeof(type_) - 1));
    if (strcmp(type_, "d") == 0) {
        if (f.value < 0) {
            error_text(buf, size, f.value);
        } else {
            snprintf(buf, size, "%lld", (long long)f.value);
        }
    } else if (strcmp(type_, "x") == 0) {
        snprintf(buf, size, "%llx", (unsigned long long)f.raw);
    } else if (strcmp(type_, "ns") == 0) {
        if (f.value < 0) {
            snprintf(buf, size, "none");
        } else {
            duration_text(buf, size, f.raw);
        }
    } else if (strcmp(type_, "err") == 0) {
        error_text(buf, size, f.value);
    } else if (strcmp(type_, "obj") == 0) {
        char spare[16];

        snprintf(buf, size, "%s",
                 object_text(reader, (uint32_t)f.raw, spare, sizeof(spare)));
    } else if (strcmp(type_, "str") == 0) {
        snprintf(buf, size, "%s", trace_reader_string(reader, (uint32_t)f.raw));
    } else if (strcmp(type_, "mask") == 0) {
        snprintf(buf, size, "%s%s%s", f.raw & 1 ? "r" : "", f.raw & 2 ? "w" : "",
                 f.raw & 3 ? "" : "-");
    } else if (strcmp(type_, "fd") == 0) {
        snprintf(buf, size, "%d#%u", (int)(uint32_t)f.raw, (unsigned)(f.raw >> 32));
    } else if (strcmp(type_, "tag") == 0) {
        named(buf, size, tag_name(f.raw), f.raw);
    } else if (strcmp(type_, "proto") == 0) {
        named(buf, size, proto_state_name(f.raw), f.raw);
    } else if (strcmp(type_, "sock") == 0) {
        named(buf, size, sock_state_name(f.raw), f.raw);
    } else if (strcmp(type_, "ev") == 0) {
        named(buf, size, dispatch_event_name(f.raw), f.raw);
    } else if (strcmp(type_, "flag") == 0) {
        snprintf(buf, size, "%s", f.raw ? "yes" : "no");
    } else {
        snprintf(buf, size, "%llu", (unsigned long long)f.raw);
    }
}

size_t record_text(const struct trace_reader *reader, const struct trace_record *record,
                   char *buf, size_t size)
{
    const char *p = point_of(record->kind)->format;
    size_t n = 0;

    while (*p != '\0') {
        const char *colon, *end;
        char text[256];

        if (*p != '{' || (colon = strchr(p, ':')) == NULL ||
            (end = strchr(colon, '}')) == NULL) {
            if (n + 1 < size) {
                buf[n] = *p;
            }
            n++;
            p++;
            continue;
        }
        field_text(reader, colon + 1, (size_t)(end - colon - 1),
                   field_of(record, p + 1, (size_t)(colon - p - 1)), text, sizeof(text));
        for (const char *t = text; *t != '\0'; t++, n++) {
            if (n + 1 < size) {
                buf[n] = *t;
            }
        }
        p = end + 1;
    }
    if (size > 0) {
        buf[MIN(n, size - 1)] = '\0';
    }
    return n;
}
