/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_text.c: all records, one line each, as text, JSON Lines or CSV. It is the twin in
 * text of every picture, and what one greps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/util.h"
#include "viz/views/view.h"

/* What is selected. Built once, asked for each record. */
struct filter {
    bool *of_message; /* by record; NULL: any message */
    const char *kind; /* NULL: any */
    const char *conn;
    uint32_t conn_id; /* of a numeric conn; 0: none */
    uint64_t left;    /* lines */
};

static int filter_init(const struct view_input *in, struct filter *f)
{
    const struct show_opts *o = in->opts;
    struct join_event *events;
    size_t n;

    *f = (struct filter){
        .kind = o->kind, .conn = o->conn, .left = o->limit ? o->limit : UINT64_MAX};
    if (o->conn != NULL && o->conn[0] >= '0' && o->conn[0] <= '9') {
        f->conn_id = (uint32_t)strtoul(o->conn, NULL, 10);
    }
    if (in->message == join_count(in->join)) {
        return 0;
    }
    n = join_events(in->join, in->message, NULL, 0);
    events = malloc((n + 1) * sizeof(*events));
    f->of_message = calloc(trace_reader_count(in->reader) + 1, sizeof(bool));
    if (events == NULL || f->of_message == NULL) {
        free(events);
        return -ENOMEM;
    }
    join_events(in->join, in->message, events, n);
    for (size_t i = 0; i < n; i++) {
        f->of_message[events[i].record] = true;
    }
    free(events);
    return 0;
}

static bool filter_takes(const struct view_input *in, const struct filter *f, size_t i)
{
    const struct trace_record *r = trace_reader_record(in->reader, i);
    const struct point *point = point_of(r->kind);
    const struct trace_object *object;

    if (f->of_message != NULL && !f->of_message[i]) {
        return false;
    }
    if (f->kind != NULL && strcasecmp(f->kind, point->name) != 0 &&
        strcasecmp(f->kind, point->id) != 0 && strcasecmp(f->kind, point->step) != 0) {
        return false;
    }
    if (f->conn == NULL) {
        return true;
    }
    object = trace_reader_object(in->reader, r->obj);
    return (f->conn_id != 0 && f->conn_id == r->obj) ||
           (object != NULL && strcmp(object->name, f->conn) == 0);
}

/* "1:5", "1:5+" when it serves others too, "" for none. */
static const char *message_text(const struct view_input *in, size_t i, char *buf,
                                size_t size)
{
    bool more;
    size_t m = join_of_record(in->join, i, &more);

    buf[0] = '\0';
    if (m < join_count(in->join)) {
        join_id_text(join_message(in->join, m)->id, buf, size);
        if (more) {
            snprintf(buf + strlen(buf), size - strlen(buf), "+");
        }
    }
    return buf;
}

static void put_line(const struct view_input *in, size_t i, FILE *out)
{
    const struct trace_record *r = trace_reader_record(in->reader, i);
    const struct point *point = point_of(r->kind);
    uint64_t ns = r->ts - trace_reader_info(in->reader)->first_ns;
    char thread[48], message[40], fields[600];

    record_text(in->reader, r, fields, sizeof(fields));
    message_text(in, i, message, sizeof(message));
    fprintf(out, "%8llu.%03u us  %-20s %-15s %-2s  %-17s %s%s%s\n",
            (unsigned long long)(ns / NSEC_PER_USEC), (unsigned)(ns % NSEC_PER_USEC),
            thread_text(in->reader, r->node, r->thread, thread, sizeof(thread)),
            layer_name(point->layer), point->step, point->name, fields,
            message[0] ? "  msg " : "", message);
}

/* Calls `put` for every selected record; returns how many. */
static int for_each(const struct view_input *in, FILE *out,
                    void (*put)(const struct view_input *, size_t, FILE *),
                    uint64_t *ret_shown)
{
    struct filter f;
    size_t n = trace_reader_count(in->reader);
    int rc = filter_init(in, &f);

    *ret_shown = 0;
    for (size_t i = 0; i < n && rc == 0 && f.left > 0; i++) {
        if (filter_takes(in, &f, i)) {
            put(in, i, out);
            f.left--;
            ++*ret_shown;
            rc = ferror(out) ? -EIO : 0;
        }
    }
    free(f.of_message);
    return rc;
}

int view_text(const struct view_input *in, FILE *out)
{
    uint64_t shown;
    char *caption;
    int rc = for_each(in, out, put_line, &shown);

    if (rc < 0) {
        return rc;
    }
    caption = view_caption(in, "text", shown);
    if (caption == NULL) {
        return -ENOMEM;
    }
    fprintf(out, "--\n%s", caption);
    free(caption);
    return ferror(out) ? -EIO : 0;
}

/* ---- JSON Lines and CSV ----------------------------------------------------------- */

/* The columns both have. */
struct row {
    char id[40], cause[40], message[40], thread[48], fields[600];
    const char *object;
    char object_spare[16];
};

static void id_text(uint64_t id, char *buf, size_t size)
{
    if (id == 0) {
        buf[0] = '\0';
        return;
    }
    snprintf(buf, size, "%u.%u.%llu", (unsigned)(id >> 56), (unsigned)(id >> 48 & 255),
             (unsigned long long)(id & ((1ULL << 48) - 1)));
}

static void fill_row(const struct view_input *in, size_t i, struct row *row)
{
    const struct trace_record *r = trace_reader_record(in->reader, i);

    id_text(trace_reader_id(in->reader, r), row->id, sizeof(row->id));
    id_text(r->cause, row->cause, sizeof(row->cause));
    message_text(in, i, row->message, sizeof(row->message));
    thread_text(in->reader, r->node, r->thread, row->thread, sizeof(row->thread));
    record_text(in->reader, r, row->fields, sizeof(row->fields));
    row->object = r->obj == 0 ? ""
                              : object_text(in->reader, r->obj, row->object_spare,
                                            sizeof(row->object_spare));
}

static void put_json_string(const char *name, const char *text, FILE *out)
{
    fprintf(out, ",\"%s\":\"", name);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            fputc('\\', out);
        }
        if (*p == '<' || *p == '>' || *p == '&') {
            fprintf(out, "\\u%04x", *p); /* safe inside a page as well */
        } else {
            fputc(*p, out);
        }
    }
    fputc('"', out);
}

static void put_json(const struct view_input *in, size_t i, FILE *out)
{
    const struct trace_record *r = trace_reader_record(in->reader, i);
    const struct point *point = point_of(r->kind);
    struct row row;

    fill_row(in, i, &row);
    fprintf(out, "{\"ts\":%llu,\"id\":\"%s\"", (unsigned long long)r->ts, row.id);
    put_json_string("cause", row.cause, out);
    put_json_string("thread", row.thread, out);
    put_json_string("layer", layer_name(point->layer), out);
    put_json_string("step", point->step, out);
    put_json_string("kind", point->id, out);
    put_json_string("name", point->name, out);
    put_json_string("object", row.object, out);
    fprintf(out, ",\"val\":%d,\"a0\":%llu,\"a1\":%llu,\"aux\":%u", r->val,
            (unsigned long long)r->a0, (unsigned long long)r->a1, r->aux);
    put_json_string("message", row.message, out);
    put_json_string("text", row.fields, out);
    fprintf(out, "}\n");
}

int view_text_json(const struct view_input *in, FILE *out)
{
    uint64_t shown;

    return for_each(in, out, put_json, &shown);
}

static void put_csv_string(const char *text, FILE *out)
{
    fputs(",\"", out);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"') {
            fputc('"', out);
        }
        fputc(*p, out);
    }
    fputc('"', out);
}

static void put_csv(const struct view_input *in, size_t i, FILE *out)
{
    const struct trace_record *r = trace_reader_record(in->reader, i);
    const struct point *point = point_of(r->kind);
    struct row row;

    fill_row(in, i, &row);
    fprintf(out, "%llu,%s,%s", (unsigned long long)r->ts, row.id, row.cause);
    put_csv_string(row.thread, out);
    fprintf(out, ",%s,%s,%s,%s", layer_name(point->layer), point->step, point->id,
            point->name);
    put_csv_string(row.object, out);
    fprintf(out, ",%d,%llu,%llu,%u,%s", r->val, (unsigned long long)r->a0,
            (unsigned long long)r->a1, r->aux, row.message);
    put_csv_string(row.fields, out);
    fputc('\n', out);
}

int view_text_csv(const struct view_input *in, FILE *out)
{
    uint64_t shown;

    fprintf(out,
            "ts,id,cause,thread,layer,step,kind,name,object,val,a0,a1,aux,message,text\n");
    return for_each(in, out, put_csv, &shown);
}
