/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trace.c: what the recorder writes, the reader gives back: from several threads and
 * nodes, from a ring, from a full disk. A process that is killed has test_trace_killed.c,
 * files that were cut or damaged have test_trace_damage.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/story.h"
#include "tests/lib/testlib.h"
#include "viz/trace/trace_reader.h"

#define THREADS 4
#define PER_THREAD 3000 /* three blocks each */

/* ---- a trace of a test's own ---- */

struct fixture {
    char path[64];
    struct trace *trace;
    struct os *os;
    struct trace_reader *reader;
    int fds;
};

static void fixture_open(struct fixture *f, const struct trace_opts *opts)
{
    const char *why = "";
    int fd;

    memset(f, 0, sizeof(*f));
    f->fds = testlib_open_fds();
    strcpy(f->path, "/tmp/trace.XXXXXX");
    fd = mkstemp(f->path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_msg(trace_open(f->path, opts, &f->trace, &why) == 0, "%s", why);
    f->os = os_linux_new(3, "node");
    ck_assert_ptr_nonnull(f->os);
    f->os->trace = f->trace;
}

static void fixture_read(struct fixture *f)
{
    char why[256] = "";

    ck_assert_msg(trace_reader_open(f->path, &f->reader, why, sizeof(why)) == 0, "%s", why);
}

/* Stops recording, cleanly, and reads. */
static void fixture_finish(struct fixture *f)
{
    ck_assert_int_eq(trace_close(f->trace), 0);
    f->trace = f->os->trace = NULL;
    fixture_read(f);
    ck_assert(trace_reader_info(f->reader)->clean);
    ck_assert_uint_eq(trace_reader_info(f->reader)->damaged, 0);
}

static void fixture_close(struct fixture *f)
{
    trace_reader_close(f->reader);
    trace_close(f->trace);
    os_linux_free(f->os);
    unlink(f->path);
    ck_assert_int_eq(testlib_open_fds(), f->fds);
}

static const struct trace_record *record(const struct fixture *f, size_t i)
{
    return trace_reader_record(f->reader, i);
}

/* ---- several threads ---- */

struct worker {
    struct os *os;
    uint32_t number;
    uint64_t ids[PER_THREAD];
};

static void record_many(void *arg)
{
    struct worker *w = arg;

    for (uint64_t i = 0; i < PER_THREAD; i++) {
        w->ids[i] =
            TRACE(w->os, S4_WRITE_MESSAGE, .obj = w->number, .val = (int32_t)i, .a0 = i,
                  .a1 = ~i, .aux = (uint32_t)i * 3, .flow = 3ULL << 48 | (i + 1));
    }
}

static void run_workers(struct fixture *f, struct worker *workers, os_thread_fn fn)
{
    struct os_thread *threads[THREADS];

    for (uint32_t i = 0; i < THREADS; i++) {
        char name[16];

        workers[i].os = f->os;
        workers[i].number = i;
        snprintf(name, sizeof(name), "worker-%u", i);
        ck_assert_int_eq(os_thread_start(f->os, name, fn, &workers[i], &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        os_thread_join(threads[i]);
    }
}

static void check_worker(const struct fixture *f, const struct worker *w)
{
    for (uint64_t i = 0; i < PER_THREAD; i++) {
        const struct trace_record *r = trace_reader_find(f->reader, w->ids[i]);

        ck_assert_msg(r != NULL && trace_reader_id(f->reader, r) == w->ids[i] &&
                          w->ids[i] >> 56 == 3 && (w->ids[i] & 0xffffffffffff) == i + 1 &&
                          r->kind == TP_S4_WRITE_MESSAGE && r->obj == w->number &&
                          r->val == (int32_t)i && r->a0 == i && r->a1 == ~i &&
                          r->aux == i * 3 && r->flow == (3ULL << 48 | (i + 1)) &&
                          r->cause == 0,
                      "record %llu of worker %u", (unsigned long long)i, w->number);
    }
}

/* Every field of every record of every thread comes back, all in one order of time. */
START_TEST(threads_round_trip)
{
    static struct worker workers[THREADS];
    struct trace_opts opts = {.title = "round trip", .created_ns = 77};
    const struct trace_info *info;
    bool ordered = true;
    struct fixture f;

    fixture_open(&f, &opts);
    run_workers(&f, workers, record_many);
    ck_assert_uint_eq(trace_lost(f.trace), 0);
    fixture_finish(&f);
    info = trace_reader_info(f.reader);
    ck_assert_uint_eq(info->records, THREADS * PER_THREAD);
    ck_assert_uint_eq(info->lost, 0);
    ck_assert_str_eq(info->title, "round trip");
    ck_assert_str_eq(info->program, "msgrlab " MSGRLAB_VERSION);
    ck_assert_uint_eq(info->created_ns, 77);
    ck_assert(!info->ring && !info->live);
    ck_assert_uint_eq(trace_reader_threads(f.reader), THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        const struct trace_thread *thread = trace_reader_thread(f.reader, i);

        ck_assert_int_eq(strncmp(thread->name, "worker-", 7), 0);
        ck_assert_str_eq(thread->node_name, "node");
        ck_assert_uint_eq(thread->records, PER_THREAD);
        check_worker(&f, &workers[i]);
    }
    for (size_t i = 1; i < trace_reader_count(f.reader); i++) {
        ordered = ordered && record(&f, i - 1)->ts <= record(&f, i)->ts;
    }
    ck_assert(ordered);
    ck_assert_uint_eq(info->first_ns, record(&f, 0)->ts);
    ck_assert_uint_eq(info->last_ns, record(&f, info->records - 1)->ts);
    fixture_close(&f);
}
END_TEST

/* Equal times are ordered by node, thread and sequence. */
START_TEST(equal_times_have_one_order)
{
    char why[256];
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct trace_reader *reader;
    struct story s;

    story_open(&s, &opts);
    for (int i = 0; i < 12; i++) {
        struct os *os = story_on(&s, (i + 1) % 2, i % 3, 0);

        TRACE(os, WAIT_ENTER, .a0 = (uint64_t)i);
    }
    story_close(&s);
    ck_assert_int_eq(trace_reader_open(s.path, &reader, why, sizeof(why)), 0);
    ck_assert_uint_eq(trace_reader_count(reader), 12);
    for (size_t i = 1; i < 12; i++) {
        ck_assert_uint_lt(trace_reader_id(reader, trace_reader_record(reader, i - 1)),
                          trace_reader_id(reader, trace_reader_record(reader, i)));
    }
    trace_reader_close(reader);
    story_remove(&s);
}
END_TEST

/* ---- causes ---- */

/* The event that a thread is inside of is the cause of its records, unless they say
 * another. */
START_TEST(cause_is_what_the_thread_is_inside_of)
{
    struct trace_opts opts = {.mode = TRACE_STREAM};
    uint64_t outer, inner, before, other;
    struct fixture f;

    fixture_open(&f, &opts);
    outer = TRACE(f.os, FILE_EVENT, .a0 = 1);
    ck_assert_uint_ne(outer, 0);
    before = trace_enter(f.os, outer);
    ck_assert_uint_eq(before, 0);
    inner = TRACE(f.os, EXT_RUN, .a0 = 2);
    ck_assert_uint_eq(trace_enter(f.os, inner), outer);
    other = TRACE(f.os, WAKE_DRAIN, .a0 = 3, .cause = 12345);
    TRACE(f.os, WAKE_DRAIN, .a0 = 4);
    ck_assert_uint_eq(trace_enter(f.os, outer), inner);
    TRACE(f.os, WAKE_DRAIN, .a0 = 5);
    ck_assert_uint_eq(trace_enter(f.os, before), outer);
    TRACE(f.os, WAKE_DRAIN, .a0 = 6);
    fixture_finish(&f);
    ck_assert_uint_eq(trace_reader_count(f.reader), 6);
    ck_assert_uint_eq(record(&f, 0)->cause, 0);
    ck_assert_uint_eq(record(&f, 1)->cause, outer);
    ck_assert_uint_eq(record(&f, 2)->cause, 12345);
    ck_assert_uint_eq(record(&f, 3)->cause, inner);
    ck_assert_uint_eq(record(&f, 4)->cause, outer);
    ck_assert_uint_eq(record(&f, 5)->cause, 0);
    ck_assert_ptr_eq(trace_reader_find(f.reader, other), record(&f, 2));
    ck_assert_ptr_null(trace_reader_find(f.reader, 12345));
    ck_assert_ptr_null(trace_reader_find(f.reader, 0));
    ck_assert_ptr_null(trace_reader_find(f.reader, UINT64_MAX));
    fixture_close(&f);
}
END_TEST

static uint64_t count_up(int *n)
{
    return (uint64_t)++ * n;
}

/* Without a trace nothing is recorded and no field is computed. */
START_TEST(off_means_nothing_happens)
{
    struct os *os = os_linux_new(1, "a");
    int evaluated = 0;

    ck_assert_uint_eq(TRACE(os, EXT_RUN, .a0 = count_up(&evaluated)), 0);
    ck_assert_int_eq(evaluated, 0);
    ck_assert_uint_eq(trace_enter(os, 5), 0);
    ck_assert_uint_eq(trace_string(os, "x"), 0);
    ck_assert_uint_eq(trace_object(os, TRACE_OBJECT_CONN, 0, "x"), 0);
    ck_assert_ptr_null(os_thread_self(os)->ring);
    os_linux_free(os);
    ck_assert_int_eq(trace_close(NULL), 0);
}
END_TEST

/* ---- names ---- */

#define STRINGS 5000 /* several blocks of names */

static void intern_all(void *arg)
{
    struct worker *w = arg;

    for (uint32_t i = 0; i < PER_THREAD; i++) {
        char text[40];

        snprintf(text, sizeof(text), "shared string %u", i * 7 % PER_THREAD);
        w->ids[i * 7 % PER_THREAD] = trace_string(w->os, text);
    }
}

/* Equal text has an equal id, whoever asks first; the reader knows every text. */
START_TEST(equal_strings_have_equal_ids)
{
    static struct worker workers[THREADS];
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct fixture f;
    uint32_t ids[STRINGS];
    char text[40];

    fixture_open(&f, &opts);
    run_workers(&f, workers, intern_all);
    for (uint32_t i = 0; i < STRINGS; i++) {
        snprintf(text, sizeof(text), "string %u", i);
        ids[i] = trace_string(f.os, text);
        ck_assert_uint_ne(ids[i], 0);
        ck_assert_uint_eq(trace_string(f.os, text), ids[i]);
    }
    fixture_finish(&f);
    for (uint32_t i = 0; i < STRINGS; i++) {
        snprintf(text, sizeof(text), "string %u", i);
        ck_assert_str_eq(trace_reader_string(f.reader, ids[i]), text);
    }
    for (uint32_t i = 0; i < PER_THREAD; i++) {
        snprintf(text, sizeof(text), "shared string %u", i);
        ck_assert_str_eq(trace_reader_string(f.reader, (uint32_t)workers[0].ids[i]), text);
        ck_assert(workers[1].ids[i] == workers[0].ids[i] &&
                  workers[2].ids[i] == workers[0].ids[i] &&
                  workers[3].ids[i] == workers[0].ids[i]);
    }
    ck_assert_str_eq(trace_reader_string(f.reader, 0), "");
    ck_assert_str_eq(trace_reader_string(f.reader, UINT32_MAX), "?");
    fixture_close(&f);
}
END_TEST

/* An object keeps its class, its parent and its node; equal names are different objects. */
START_TEST(objects_round_trip)
{
    struct trace_opts opts = {.mode = TRACE_STREAM};
    const struct trace_object *object;
    uint32_t center, conn[2];
    struct fixture f;

    fixture_open(&f, &opts);
    center = trace_object(f.os, TRACE_OBJECT_CENTER, 0, "worker-0");
    conn[0] = trace_object(f.os, TRACE_OBJECT_CONN, center, "a>b");
    conn[1] = trace_object(f.os, TRACE_OBJECT_CONN, center, "a>b");
    ck_assert_uint_ne(conn[0], conn[1]);
    fixture_finish(&f);
    for (int i = 0; i < 2; i++) {
        object = trace_reader_object(f.reader, conn[i]);
        ck_assert_ptr_nonnull(object);
        ck_assert_str_eq(object->name, "a>b");
        ck_assert_uint_eq(object->class_, TRACE_OBJECT_CONN);
        ck_assert_uint_eq(object->parent, center);
        ck_assert_uint_eq(object->node, 3);
    }
    ck_assert_uint_eq(trace_reader_object(f.reader, center)->class_, TRACE_OBJECT_CENTER);
    ck_assert_ptr_null(trace_reader_object(f.reader, 0));
    ck_assert_ptr_null(trace_reader_object(f.reader, conn[1] + 1));
    ck_assert_ptr_null(trace_reader_object(f.reader, UINT32_MAX));
    fixture_close(&f);
}
END_TEST

/* Names from outside are cut and made printable; the trace stays whole. */
START_TEST(hostile_names_become_harmless)
{
    static const char *const names[] = {"",
                                        "\"quoted\" \\ 'single'",
                                        "line\nbreak\r\ttab",
                                        "\xc3\xa4\xff\x01\x7f",
                                        "</script><script>",
                                        "%s%n%d",
                                        NULL};
    struct trace_opts opts = {.title = "\"title\"\n\xff"};
    size_t million = 1u << 20;
    char *huge = malloc(million + 1);
    uint32_t ids[ARRAY_SIZE(names)], object;
    struct fixture f;

    memset(huge, 'x', million);
    huge[million] = '\0';
    fixture_open(&f, &opts);
    snprintf(f.os->name, sizeof(f.os->name),
             "n\n\"\xff"
             "0123456789abcdefghijklmn");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        ids[i] = trace_string(f.os, names[i] ? names[i] : huge);
        ck_assert_uint_ne(ids[i], 0);
    }
    object = trace_object(f.os, (enum trace_object_class)99, 77777, huge);
    TRACE(f.os, CONN_NEW, .obj = object);
    fixture_finish(&f);
    ck_assert_str_eq(trace_reader_info(f.reader)->title, "\"title\"??");
    ck_assert_str_eq(trace_reader_string(f.reader, ids[0]), "");
    ck_assert_str_eq(trace_reader_string(f.reader, ids[1]), "\"quoted\" \\ 'single'");
    ck_assert_str_eq(trace_reader_string(f.reader, ids[2]), "line?break??tab");
    ck_assert_str_eq(trace_reader_string(f.reader, ids[3]), "?????");
    ck_assert_str_eq(trace_reader_string(f.reader, ids[5]), "%s%n%d");
    ck_assert_uint_eq(strlen(trace_reader_string(f.reader, ids[6])), 200);
    ck_assert_uint_eq(strlen(trace_reader_object(f.reader, object)->name), 200);
    ck_assert_uint_eq(trace_reader_object(f.reader, object)->parent, 77777);
    ck_assert_str_eq(trace_reader_thread(f.reader, 0)->node_name, "n?\"?0123456789a");
    free(huge);
    fixture_close(&f);
}
END_TEST

/* ---- nodes and threads ---- */

/* Two nodes in one file keep their threads apart. */
START_TEST(two_nodes_share_a_trace)
{
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct fixture f;
    struct os *other;
    uint64_t id;

    fixture_open(&f, &opts);
    other = os_linux_new(200, "other");
    other->trace = f.trace;
    TRACE(f.os, EXT_RUN, .a0 = 1);
    id = TRACE(other, EXT_RUN, .a0 = 2);
    TRACE(f.os, EXT_RUN, .a0 = 3);
    ck_assert_uint_eq(trace_string(other, "same"), trace_string(f.os, "same"));
    other->trace = NULL;
    fixture_finish(&f);
    ck_assert_uint_eq(trace_reader_threads(f.reader), 2);
    ck_assert_uint_eq(trace_reader_thread(f.reader, 0)->node, 3);
    ck_assert_uint_eq(trace_reader_thread(f.reader, 0)->records, 2);
    ck_assert_uint_eq(trace_reader_thread(f.reader, 1)->node, 200);
    ck_assert_str_eq(trace_reader_thread(f.reader, 1)->node_name, "other");
    ck_assert_uint_eq(id >> 56, 200);
    ck_assert_uint_eq(trace_reader_find(f.reader, id)->a0, 2);
    ck_assert_uint_eq(trace_reader_thread_of(f.reader, 200, 1), 1);
    ck_assert_uint_eq(trace_reader_thread_of(f.reader, 9, 9), 2);
    os_linux_free(other);
    fixture_close(&f);
}
END_TEST

static void record_one(void *arg)
{
    TRACE((struct os *)arg, EXT_RUN, .a0 = 1);
}

/* A node has at most 255 threads; the records of more are counted as lost. */
START_TEST(too_many_threads_are_counted)
{
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct fixture f;

    fixture_open(&f, &opts);
    for (int i = 0; i < 260; i++) {
        struct os_thread *thread;

        ck_assert_int_eq(os_thread_start(f.os, "t", record_one, f.os, &thread), 0);
        os_thread_join(thread);
    }
    ck_assert_uint_eq(trace_lost(f.trace), 5);
    fixture_finish(&f);
    ck_assert_uint_eq(trace_reader_info(f.reader)->records, 255);
    ck_assert_uint_eq(trace_reader_info(f.reader)->lost, 5);
    fixture_close(&f);
}
END_TEST

/* ---- little room ---- */

/* A full file keeps the first records, and counts the others; no caller fails. */
START_TEST(full_file_keeps_the_first)
{
    struct trace_opts opts = {.bytes_max = TRACE_HEADER_BYTES + 3 * TRACE_BLOCK_BYTES + 7};
    struct fixture f;
    uint64_t kept = 0;

    fixture_open(&f, &opts);
    ck_assert_uint_ne(trace_string(f.os, "first"), 0);
    for (uint64_t i = 1; i <= 5000; i++) {
        kept += TRACE(f.os, EXT_RUN, .a0 = i) != 0;
    }
    ck_assert_uint_eq(kept, 2 * TRACE_RECORDS_PER_BLOCK);
    ck_assert_uint_eq(trace_lost(f.trace), 5000 - kept);
    for (int i = 0; i < 5000; i++) {
        char text[32];

        snprintf(text, sizeof(text), "string %d", i);
        trace_string(f.os, text);
    }
    ck_assert_uint_eq(trace_string(f.os, "too much"), 0);
    ck_assert_uint_eq(trace_object(f.os, TRACE_OBJECT_CONN, 0, "too much"), 0);
    ck_assert_uint_ne(trace_string(f.os, "first"), 0);
    fixture_finish(&f);
    ck_assert_uint_eq(trace_reader_count(f.reader), kept);
    ck_assert_uint_eq(record(&f, kept - 1)->a0, kept);
    ck_assert_uint_eq(trace_reader_info(f.reader)->lost, 5000 - kept);
    fixture_close(&f);
}
END_TEST

/* The disk is full: records are dropped and counted, trace_close says so, and recording
 * goes on when there is room again. */
START_TEST(full_disk_is_survived)
{
    struct rlimit limit = {TRACE_HEADER_BYTES + 2 * TRACE_BLOCK_BYTES, RLIM_INFINITY};
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct fixture f;
    uint64_t kept = 0, before;

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fixture_open(&f, &opts);
    for (uint64_t i = 1; i <= 5000; i++) {
        kept += TRACE(f.os, EXT_RUN, .a0 = i) != 0;
    }
    ck_assert_uint_eq(kept, 2 * TRACE_RECORDS_PER_BLOCK);
    ck_assert_uint_eq(trace_lost(f.trace), 5000 - kept);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    before = kept;
    for (uint64_t i = 5001; i <= 10000; i++) {
        kept += TRACE(f.os, EXT_RUN, .a0 = i) != 0;
    }
    ck_assert_uint_gt(kept, before);
    ck_assert_int_lt(trace_close(f.trace), 0);
    f.trace = f.os->trace = NULL;
    fixture_read(&f);
    ck_assert_uint_eq(trace_reader_count(f.reader), kept);
    ck_assert_uint_eq(trace_reader_info(f.reader)->lost, 10000 - kept);
    ck_assert_uint_eq(record(&f, kept - 1)->a0, 10000);
    fixture_close(&f);
}
END_TEST

/* ---- rings ---- */

/* A ring keeps the last records of each thread, in a row, and counts the others. */
START_TEST(ring_keeps_the_last_of_each_thread)
{
    struct trace_opts opts = {.mode = TRACE_RING, .bytes_max = 1 << 20};
    uint64_t kept[3] = {0}, last[3] = {0}, total = 100000;
    struct story s;
    struct trace_reader *reader;
    char why[256];

    story_open(&s, &opts);
    for (uint64_t i = 1; i <= 10; i++) { /* a quiet thread */
        TRACE(story_on(&s, 0, 1, 1), EXT_RUN, .a0 = i);
    }
    for (uint64_t i = 1; i <= total; i++) { /* a busy one */
        TRACE(story_on(&s, 0, 0, 1), EXT_RUN, .a0 = i);
    }
    for (uint64_t i = 1; i <= 3000; i++) { /* one that starts when all is taken */
        TRACE(story_on(&s, 0, 2, 1), EXT_RUN, .a0 = i);
    }
    ck_assert_uint_ne(trace_string(&s.nodes[0].os, "there is room for names"), 0);
    story_close(&s);
    ck_assert_int_eq(trace_reader_open(s.path, &reader, why, sizeof(why)), 0);
    for (size_t i = 0; i < trace_reader_count(reader); i++) {
        const struct trace_record *r = trace_reader_record(reader, i);
        int t = r->thread - 1;

        ck_assert(kept[t] == 0 || r->a0 == last[t] + 1);
        last[t] = r->a0;
        kept[t]++;
    }
    ck_assert_uint_eq(kept[0], 10);
    ck_assert_uint_ge(kept[1], 10 * TRACE_RECORDS_PER_BLOCK);
    ck_assert_uint_eq(last[1], total);
    ck_assert_uint_ge(kept[2], 1);
    ck_assert_uint_eq(last[2], 3000);
    ck_assert(trace_reader_info(reader)->ring);
    ck_assert_uint_eq(trace_reader_info(reader)->damaged, 0);
    ck_assert_uint_eq(trace_reader_info(reader)->lost,
                      10 + total + 3000 - trace_reader_count(reader));
    trace_reader_close(reader);
    story_remove(&s);
}
END_TEST

/* Several threads at once in the smallest ring: every record is kept or counted. */
START_TEST(small_ring_with_many_threads)
{
    static struct worker workers[THREADS];
    struct trace_opts opts = {.mode = TRACE_RING,
                              .bytes_max = TRACE_HEADER_BYTES + 2 * TRACE_BLOCK_BYTES};
    struct fixture f;

    fixture_open(&f, &opts);
    run_workers(&f, workers, record_many);
    fixture_finish(&f);
    ck_assert_uint_gt(trace_reader_count(f.reader), 0);
    ck_assert_uint_eq(trace_reader_info(f.reader)->lost + trace_reader_count(f.reader),
                      THREADS * PER_THREAD);
    fixture_close(&f);
}
END_TEST

/* ---- opening ---- */

/* A trace that cannot be written says why, and leaks nothing. */
START_TEST(unwritable_path_is_a_clear_error)
{
    static const struct {
        const char *path;
        int err;
        const char *why;
    } cases[] = {
        {"/nonexistent/trace", -ENOENT, "cannot create the trace file"},
        {"/tmp", -EISDIR, "cannot create the trace file"},
        {"/dev/null", -EINVAL, "the trace must be a regular file"},
        {"/dev/full", -EINVAL, "the trace must be a regular file"},
        {"", -ENOENT, "cannot create the trace file"},
    };
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct trace *trace = NULL;
    int fds = testlib_open_fds();

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *why = "";

        ck_assert_int_eq(trace_open(cases[i].path, &opts, &trace, &why), cases[i].err);
        ck_assert_str_eq(why, cases[i].why);
        ck_assert_ptr_null(trace);
    }
    opts.bytes_max = 1000;
    ck_assert_int_eq(trace_open("/tmp/never", &opts, &trace, &(const char *){""}), -EINVAL);
    ck_assert_int_ne(access("/tmp/never", F_OK), 0);
    ck_assert_int_eq(testlib_open_fds(), fds);
}
END_TEST

/* A file that somebody records into can be read, but not recorded into twice; nor can one
 * that is being read. */
START_TEST(file_in_use_is_protected)
{
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct trace *second = NULL;
    const char *why = "";
    struct fixture f;

    fixture_open(&f, &opts);
    TRACE(f.os, EXT_RUN, .a0 = 1);
    ck_assert_int_eq(trace_open(f.path, &opts, &second, &why), -EBUSY);
    ck_assert_str_eq(why, "the trace file is in use by another program");
    fixture_read(&f);
    ck_assert(trace_reader_info(f.reader)->live);
    ck_assert(!trace_reader_info(f.reader)->clean);
    ck_assert_uint_eq(trace_reader_count(f.reader), 1);
    trace_reader_close(f.reader);
    fixture_finish(&f);
    ck_assert_int_eq(trace_open(f.path, &opts, &second, &why), -EBUSY);
    ck_assert_uint_eq(trace_reader_count(f.reader), 1);
    fixture_close(&f);
}
END_TEST

/* A closed trace is as long as it has to be. */
START_TEST(closed_file_has_no_slack)
{
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct fixture f;
    struct stat st;

    fixture_open(&f, &opts);
    fixture_finish(&f);
    ck_assert_int_eq(stat(f.path, &st), 0);
    ck_assert_int_eq(st.st_size, TRACE_HEADER_BYTES);
    ck_assert_uint_eq(trace_reader_count(f.reader), 0);
    ck_assert_uint_eq(trace_reader_threads(f.reader), 0);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *recording = tcase_create("recording");
    TCase *room = tcase_create("room");

    tcase_add_test(recording, threads_round_trip);
    tcase_add_test(recording, equal_times_have_one_order);
    tcase_add_test(recording, cause_is_what_the_thread_is_inside_of);
    tcase_add_test(recording, off_means_nothing_happens);
    tcase_add_test(recording, equal_strings_have_equal_ids);
    tcase_add_test(recording, objects_round_trip);
    tcase_add_test(recording, hostile_names_become_harmless);
    tcase_add_test(recording, two_nodes_share_a_trace);
    tcase_add_test(recording, too_many_threads_are_counted);
    suite_add_tcase(suite, recording);
    tcase_add_test(room, full_file_keeps_the_first);
    tcase_add_test(room, full_disk_is_survived);
    tcase_add_test(room, ring_keeps_the_last_of_each_thread);
    tcase_add_test(room, small_ring_with_many_threads);
    tcase_add_test(room, unwritable_path_is_a_clear_error);
    tcase_add_test(room, file_in_use_is_protected);
    tcase_add_test(room, closed_file_has_no_slack);
    suite_add_tcase(suite, room);
    return testlib_run(suite);
}
