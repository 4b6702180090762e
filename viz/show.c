/* SPDX-License-Identifier: Apache-2.0 */
#include "viz/show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/util.h"
#include "viz/draw/output.h"
#include "viz/draw/render.h"
#include "viz/views/view.h"

struct view {
    const char *name, *purpose;
    view_fn text, dot, json, csv; /* NULL: not in that form */
};

static const struct view views[] = {
    {"text", "all records, a line each", view_text, NULL, view_text_json, view_text_csv},
    {"iopath", "the way messages took through the layers, and the event centers",
     view_iopath, view_iopath_dot, NULL, NULL},
    {"eventcenter", "file, time and external events and the notify pipe, by worker",
     view_center, view_center_dot, NULL, NULL},
    {"message", "one message, step by step, and where all messages spend their time",
     view_message, view_message_dot, NULL, NULL},
    {"states", "both state machines of a connection, with what was observed", view_states,
     view_states_dot, NULL, NULL},
};

static const char *const picture_formats[] = {"svg", "pdf", "png", "dot"};

/* What writes the view in that format; NULL if it has no such form. */
static view_fn writer_of(const struct view *view, const char *format)
{
    if (strcmp(format, "txt") == 0) {
        return view->text;
    }
    if (strcmp(format, "json") == 0 || strcmp(format, "jsonl") == 0) {
        return view->json;
    }
    if (strcmp(format, "csv") == 0) {
        return view->csv;
    }
    for (size_t i = 0; i < ARRAY_SIZE(picture_formats); i++) {
        if (strcmp(format, picture_formats[i]) == 0) {
            return view->dot;
        }
    }
    return NULL;
}

static void put_formats(const struct view *view, FILE *out)
{
    fprintf(out, ".txt%s%s%s", view->dot ? " .svg .pdf .png .dot" : "",
            view->json ? " .json" : "", view->csv ? " .csv" : "");
}

void show_views(FILE *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
        fprintf(out, "  %-12s %s\n  %-12s   ", views[i].name, views[i].purpose, "");
        put_formats(&views[i], out);
        fputc('\n', out);
    }
}

static const struct view *find_view(const char *name, FILE *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
        if (strcmp(views[i].name, name) == 0) {
            return &views[i];
        }
    }
    fprintf(err, "there is no view \"%s\"; the views are:\n", name);
    show_views(err);
    return NULL;
}

/* The format asked for: by name, by the output's extension, or text. */
static const char *format_of(const struct show_opts *opts)
{
    const char *slash, *dot;

    if (opts->format != NULL) {
        return opts->format[0] == '.' ? opts->format + 1 : opts->format;
    }
    if (opts->output == NULL) {
        return "txt";
    }
    slash = strrchr(opts->output, '/');
    dot = strrchr(slash ? slash : opts->output, '.');
    return dot != NULL ? dot + 1 : "";
}

static view_fn find_writer(const struct view *view, const struct show_opts *opts, FILE *err)
{
    const char *format = format_of(opts);
    view_fn write = writer_of(view, format);

    if (write != NULL) {
        return write;
    }
    if (format[0] == '\0') {
        fprintf(err, "%s: the extension chooses the format; view %s can be written as ",
                opts->output, view->name);
    } else {
        fprintf(err, "view %s cannot be written as .%s; it can be written as ", view->name,
                format);
    }
    put_formats(view, err);
    fputc('\n', err);
    return NULL;
}

static int select_message(struct view_input *in, FILE *err)
{
    const struct show_opts *opts = in->opts;

    in->message = join_count(in->join);
    if (opts->message == NULL) {
        return 0;
    }
    in->message = join_parse_id(in->join, opts->message);
    if (in->message == join_count(in->join)) {
        fprintf(
            err,
            "%s: no message \"%s\"; it has %zu, numbered from 0, and each is also known "
            "as NODE:N (from:NODE:N if its sender is not in the trace)\n",
            opts->trace, opts->message, join_count(in->join));
        return -ENOENT;
    }
    return 0;
}

static bool needs_child(const char *format)
{
    return strcmp(format, "svg") == 0 || strcmp(format, "pdf") == 0 ||
           strcmp(format, "png") == 0;
}

/* Writes the DOT to memory, and the picture from it. */
static int write_picture(const struct view_input *in, view_fn write, FILE *out, char *why,
                         size_t size)
{
    char *text = NULL;
    size_t len = 0;
    FILE *dot = open_memstream(&text, &len);
    int rc = dot == NULL ? -ENOMEM : write(in, dot);

    if (dot != NULL && fclose(dot) != 0 && rc == 0) {
        rc = -ENOMEM;
    }
    if (rc < 0) {
        snprintf(why, size, "%s", strerror(-rc));
    } else {
        rc = render_dot(text, len, format_of(in->opts), out, why, size);
    }
    free(text);
    return rc;
}

static int write_output(const struct view_input *in, view_fn write, FILE *err)
{
    const char *path = in->opts->output;
    struct output output;
    char why[256] = "";
    int rc = output_open(&output, path);

    if (rc == 0) {
        rc = needs_child(format_of(in->opts))
                 ? write_picture(in, write, output.file, why, sizeof(why))
                 : write(in, output.file);
        rc = output_close(&output, rc);
    }
    if (rc < 0) {
        fprintf(err, "%s: %s\n", path ? path : "standard output",
                why[0] ? why : strerror(-rc));
    }
    return rc;
}

static int show_reader(const struct show_opts *opts, const struct trace_reader *reader,
                       view_fn write, FILE *err)
{
    struct view_input in = {.reader = reader, .opts = opts};
    struct join *join = NULL;
    int rc = trace_join(reader, &join);

    if (rc < 0) {
        fprintf(err, "%s: %s\n", opts->trace, strerror(-rc));
        return rc;
    }
    in.join = join;
    rc = select_message(&in, err);
    rc = rc ? rc : write_output(&in, write, err);
    join_free(join);
    return rc;
}

/* Writing over the trace itself would destroy it. */
static int refuse_same_file(const struct show_opts *opts, FILE *err)
{
    struct stat a, b;

    if (opts->output == NULL || stat(opts->trace, &a) < 0 || stat(opts->output, &b) < 0 ||
        a.st_dev != b.st_dev || a.st_ino != b.st_ino) {
        return 0;
    }
    fprintf(err, "%s: this is the trace; choose another output\n", opts->output);
    return -EINVAL;
}

int show_run(const struct show_opts *opts, FILE *err)
{
    const struct view *view = find_view(opts->view ? opts->view : "text", err);
    view_fn write = view != NULL ? find_writer(view, opts, err) : NULL;
    struct trace_reader *reader;
    char why[256];
    int rc;

    if (write == NULL) {
        return -EINVAL;
    }
    rc = refuse_same_file(opts, err);
    if (rc < 0) {
        return rc;
    }
    rc = trace_reader_open(opts->trace, &reader, why, sizeof(why));
    if (rc < 0) {
        fprintf(err, "%s: %s\n", opts->trace, why);
        return rc;
    }
    rc = show_reader(opts, reader, write, err);
    trace_reader_close(reader);
    return rc;
}
