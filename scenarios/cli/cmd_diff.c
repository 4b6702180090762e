/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_diff.c: msgrlab diff TRACE TRACE: where two recordings begin to differ.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"
#include "viz/join/join.h"
#include "viz/trace/points.h"
#include "viz/trace/trace_reader.h"

#define CONTEXT_BEFORE 10
#define CONTEXT_AFTER 3 /* of each trace, behind the first difference */
#define LINE_BYTES 760
#define STEPS_BYTES 64
#define STEPS_SHOWN 20 /* messages that differ */

struct side {
    const char *path;
    struct trace_reader *reader; /* owned */
    size_t n;
};

/* ---- one record against one ------------------------------------------------------ */

static uint64_t time_of(const struct side *side, const struct trace_record *r)
{
    return r->ts - trace_reader_info(side->reader)->first_ns;
}

static const char *thread_name(const struct side *side, const struct trace_record *r,
                               char *buf, size_t size)
{
    return thread_text(side->reader, r->node, r->thread, buf, size);
}

static const char *object_name(const struct side *side, const struct trace_record *r,
                               char *buf, size_t size)
{
    return object_text(side->reader, r->obj, buf, size);
}

/* The format's names of strings are in the text, the numbers in the fields: both count. */
static bool is_same(const struct side *a, const struct side *b,
                    const struct trace_record *x, const struct trace_record *y)
{
    char left[LINE_BYTES], right[LINE_BYTES];

    if (time_of(a, x) != time_of(b, y) || x->flow != y->flow || x->cause != y->cause ||
        x->seq != y->seq || x->kind != y->kind || x->node != y->node ||
        x->thread != y->thread || x->obj != y->obj || x->val != y->val || x->a0 != y->a0 ||
        x->a1 != y->a1 || x->aux != y->aux) {
        return false;
    }
    if (strcmp(thread_name(a, x, left, sizeof(left)),
               thread_name(b, y, right, sizeof(right))) != 0) {
        return false;
    }
    record_text(a->reader, x, left, sizeof(left));
    record_text(b->reader, y, right, sizeof(right));
    return strcmp(left, right) == 0;
}

static void put_record(const struct side *side, const char *mark, size_t i)
{
    const struct trace_record *r = trace_reader_record(side->reader, i);
    const struct point *point = point_of(r->kind);
    char thread[48], fields[LINE_BYTES];
    uint64_t ns = time_of(side, r);

    record_text(side->reader, r, fields, sizeof(fields));
    printf("%s %7zu %8llu.%03u us  %-20s %-15s %-2s  %-17s %s\n", mark, i + 1,
           (unsigned long long)(ns / NSEC_PER_USEC), (unsigned)(ns % NSEC_PER_USEC),
           thread_name(side, r, thread, sizeof(thread)), layer_name(point->layer),
           point->step, point->name, fields);
}

static void put_numbers(const char *what, uint64_t left, uint64_t right)
{
    if (left != right) {
        printf("    %-8s %-24llu %llu\n", what, (unsigned long long)left,
               (unsigned long long)right);
    }
}

static void put_texts(const char *what, const char *left, const char *right)
{
    if (strcmp(left, right) != 0) {
        printf("    %-8s %-24s %s\n", what, left, right);
    }
}

/* Side by side, only what differs. */
static void put_fields(const struct side *a, const struct side *b, size_t i)
{
    const struct trace_record *x = trace_reader_record(a->reader, i);
    const struct trace_record *y = trace_reader_record(b->reader, i);
    char left[LINE_BYTES], right[LINE_BYTES];

    printf("\nwhat differs:\n");
    put_numbers("time ns", time_of(a, x), time_of(b, y));
    put_numbers("node", x->node, y->node);
    put_texts("thread", thread_name(a, x, left, sizeof(left)),
              thread_name(b, y, right, sizeof(right)));
    put_texts("event", point_of(x->kind)->name, point_of(y->kind)->name);
    put_texts("object", object_name(a, x, left, sizeof(left)),
              object_name(b, y, right, sizeof(right)));
    put_numbers("object#", x->obj, y->obj);
    put_numbers("seq", x->seq, y->seq);
    put_numbers("message", x->flow, y->flow);
    put_numbers("cause", x->cause, y->cause);
    if (x->val != y->val) {
        printf("    %-8s %-24d %d\n", "value", x->val, y->val);
    }
    put_numbers("a0", x->a0, y->a0);
    put_numbers("a1", x->a1, y->a1);
    put_numbers("aux", x->aux, y->aux);
    record_text(a->reader, x, left, sizeof(left));
    record_text(b->reader, y, right, sizeof(right));
    put_texts("fields", left, right);
}

/* ---- the first difference -------------------------------------------------------- */

static void put_side(const struct side *side, const char *mark, size_t from)
{
    if (from >= side->n) {
        printf("%s         ends here, after %zu records\n", mark, side->n);
    }
    for (size_t i = from; i < side->n && i <= from + CONTEXT_AFTER; i++) {
        put_record(side, mark, i);
    }
}

static void put_difference(const struct side *a, const struct side *b, size_t at)
{
    printf("--- %s: %zu records\n+++ %s: %zu records\n"
           "the first difference is at record %zu; before it:\n\n",
           a->path, a->n, b->path, b->n, at + 1);
    for (size_t i = at > CONTEXT_BEFORE ? at - CONTEXT_BEFORE : 0; i < at; i++) {
        put_record(a, " ", i);
    }
    printf("\n");
    put_side(a, "-", at);
    put_side(b, "+", at);
    if (at < a->n && at < b->n) {
        put_fields(a, b, at);
    }
}

static int diff_records(const struct side *a, const struct side *b)
{
    size_t most = MIN(a->n, b->n), at = 0;

    while (at < most && is_same(a, b, trace_reader_record(a->reader, at),
                                trace_reader_record(b->reader, at))) {
        at++;
    }
    if (at == a->n && at == b->n) {
        printf("the same %zu records\n", at);
        return EXIT_OK;
    }
    put_difference(a, b, at);
    return EXIT_EXPECTATION;
}

/* ---- steps ----------------------------------------------------------------------- */

/* The steps of message i of `join`; "not there" for join_count. */
static const char *steps_text(const struct join *join, size_t i, char *buf)
{
    if (i == join_count(join)) {
        snprintf(buf, STEPS_BYTES, "not there");
    } else {
        join_steps_text(join, i, buf, STEPS_BYTES);
    }
    return buf;
}

/* How many messages of `a` are otherwise in `b`. Those that only b has are found with the
 * sides changed (`only_missing`), and shown with them changed back. */
static size_t diff_joins(const struct join *a, const struct join *b, bool only_missing,
                         size_t shown)
{
    size_t n = 0;

    for (size_t i = 0; i < join_count(a); i++) {
        uint64_t id = join_message(a, i)->id;
        size_t k = join_find(b, id);
        char left[STEPS_BYTES], right[STEPS_BYTES], name[32];

        steps_text(a, i, left);
        steps_text(b, k, right);
        if (only_missing ? k != join_count(b) : strcmp(left, right) == 0) {
            continue;
        }
        if (++n + shown <= STEPS_SHOWN) {
            printf("message %s\n  - %s\n  + %s\n", join_id_text(id, name, sizeof(name)),
                   only_missing ? right : left, only_missing ? left : right);
        }
    }
    return n;
}

static int diff_steps(const struct side *a, const struct side *b)
{
    struct join *left = NULL, *right = NULL;
    size_t n = 0;
    int code = EXIT_FILE;

    if (trace_join(a->reader, &left) < 0 || trace_join(b->reader, &right) < 0) {
        fprintf(stderr, "msgrlab diff: not enough memory\n");
    } else {
        n = diff_joins(left, right, false, 0);
        n += diff_joins(right, left, true, n);
        code = n == 0 ? EXIT_OK : EXIT_EXPECTATION;
    }
    if (code == EXIT_OK) {
        printf("the same steps: %zu messages\n", join_count(left));
    } else if (code == EXIT_EXPECTATION) {
        printf("--\n- %s: %zu messages\n+ %s: %zu messages\n%zu differ%s\n", a->path,
               join_count(left), b->path, join_count(right), n,
               n > STEPS_SHOWN ? "; only the first of them are shown" : "");
    }
    join_free(left);
    join_free(right);
    return code;
}

/* ---- the command ----------------------------------------------------------------- */

static bool open_side(const char *path, struct side *ret)
{
    const struct trace_info *info;
    char why[300];

    *ret = (struct side){.path = path};
    if (trace_reader_open(path, &ret->reader, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab diff: %s: %s\n", path, why);
        return false;
    }
    ret->n = trace_reader_count(ret->reader);
    info = trace_reader_info(ret->reader);
    if (info->damaged > 0 || info->lost > 0) {
        fprintf(stderr, "note: %s: %llu records are damaged, %llu lost\n", path,
                (unsigned long long)info->damaged, (unsigned long long)info->lost);
    }
    return true;
}

/* There is but one: --steps. */
static int take_option(void *state, int option, char *value)
{
    (void)option;
    (void)value;
    *(bool *)state = true;
    return EXIT_OK;
}

static int run_diff(int argc, char **argv)
{
    struct side a = {0}, b = {0};
    bool steps = false;
    int code = cli_options(&command_diff, argc, argv, &steps);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (argc - optind != 2) {
        return cli_usage_error("diff", "two traces, not %d", argc - optind);
    }
    code = EXIT_FILE;
    if (open_side(argv[optind], &a) && open_side(argv[optind + 1], &b)) {
        code = steps ? diff_steps(&a, &b) : diff_records(&a, &b);
    }
    trace_reader_close(a.reader);
    trace_reader_close(b.reader);
    return code;
}

static const struct cli_option options[] = {
    {"steps", 0, NULL, 0,
     "compare only which of the steps S1 to R7 each message took: times, threads and "
     "everything else may differ, as between Linux and the simulated world"},
    {0},
};

const struct cli_command command_diff = {
    .name = "diff",
    .summary = "where two recordings begin to differ",
    .usage = "TRACE TRACE [OPTION...]",
    .about = "Compares two recordings record by record, in the order of time, and shows "
             "the first\n"
             "place where they differ: the 10 records before it, what each trace has "
             "there, and in\n"
             "which fields that differs. Wall clock and title are not compared.",
    .options = {options},
    .take = take_option,
    .exits = {{EXIT_OK, "the same"},
              {EXIT_EXPECTATION, "different"},
              {EXIT_FILE, "a trace cannot be read, or what is printed not be written"}},
    .run = run_diff,
};
