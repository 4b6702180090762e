/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trace_cut.c: somebody else cuts the file that is being recorded, or writes over it
 * (": > x.trace"). The recorder goes on, whoever looks on misses nothing, and the end says
 * what happened; the file stays as the other one left it. A reader has its own copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "scenarios/base/trace_guard.h"
#include "scenarios/run/run.h"
#include "tests/lib/testlib.h"
#include "viz/trace/trace_reader.h"

#define MANY 40000 /* records: more than 2 MiB of them, so that the file grows in between */
#define THREADS 4

static char path[] = "/tmp/test_trace_cut-XXXXXX";

static void make_file(void)
{
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

/* What a shell does with ": > x.trace" and its like. */
static void overwrite(off_t keep, const char *text)
{
    int fd = open(path, O_WRONLY);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, keep), 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static off_t file_size(void)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_size;
}

/* What an onlooker saw: a digest of all records and names. */
struct onlooker {
    uint64_t records, names, digest;
};

static void look_on(void *arg, const struct trace_record *record,
                    const struct trace_name *name)
{
    struct onlooker *o = arg;

    if (record != NULL) {
        o->records++;
        o->digest = o->digest * 31 + record->a0 + record->a1;
    } else {
        o->names++;
        o->digest = o->digest * 31 + name->id + strlen(name->text);
    }
}

/* Records with many names, with a cut in the middle (keep < 0: none). What closing says. */
static int record_and_cut(enum trace_mode mode, off_t keep, const char *text,
                          struct onlooker *o)
{
    struct trace_opts opts = {
        .mode = mode, .bytes_max = 16 << 20, .on_record = look_on, .arg = o};
    struct os *os = os_linux_new(1, "a");
    struct trace *trace;
    const char *why;
    int rc;

    *o = (struct onlooker){0};
    ck_assert_int_eq(trace_open(path, &opts, &trace, &why), 0);
    trace_guard_add(trace);
    os->trace = trace;
    for (uint64_t i = 0; i < MANY; i++) {
        char name[32];

        if (i == MANY / 2 && keep >= 0) {
            overwrite(keep, text);
        }
        snprintf(name, sizeof(name), "name %llu", (unsigned long long)i / 10);
        TRACE(os, EXT_RUN, .a0 = i, .a1 = trace_string(os, name));
        if (i % 7 == 0) { /* one that was there before */
            TRACE(os, EXT_RUN, .a0 = i,
                  .a1 = trace_string(os, i % 2 == 0 ? "even" : "odd"));
        }
    }
    rc = trace_close(trace);
    trace_guard_remove(trace);
    os_linux_free(os);
    return rc;
}

static const struct {
    off_t keep;
    const char *text;
} cuts[] = {{0, ""},
            {0, "something else\n"},
            {100, ""},
            {TRACE_HEADER_BYTES, ""},
            {TRACE_HEADER_BYTES + TRACE_BLOCK_BYTES + 5000, ""},
            {1 << 20, ""},
            {1 << 20, "overwritten"}};

/* Wherever it is cut, in either mode: all is seen, the end says why, and the file is what
 * the other one made of it. */
START_TEST(a_cut_file_is_no_crash)
{
    enum trace_mode mode = _i % 2 == 0 ? TRACE_STREAM : TRACE_RING;
    off_t keep = cuts[_i / 2].keep;
    const char *text = cuts[_i / 2].text;
    struct onlooker whole, cut;

    make_file();
    ck_assert_int_eq(record_and_cut(mode, -1, "", &whole), 0);
    ck_assert_uint_gt(whole.records, MANY);
    ck_assert_int_eq(record_and_cut(mode, keep, text, &cut), -ESTALE);
    ck_assert_uint_eq(cut.records, whole.records);
    ck_assert_uint_eq(cut.names, whole.names);
    ck_assert_uint_eq(cut.digest, whole.digest);
    ck_assert_int_eq(file_size(), MAX(keep, (off_t)strlen(text)));
    ck_assert_ptr_nonnull(strstr(trace_error_text(-ESTALE), "cut the file"));
    remove_file();
}
END_TEST

/* Nothing was stored behind the cut, so nothing failed, and all the same it is said. */
START_TEST(a_cut_at_the_end_is_noticed)
{
    struct trace_opts opts = {.mode = TRACE_STREAM};
    struct os *os = os_linux_new(1, "a");
    struct trace *trace;
    const char *why;

    make_file();
    ck_assert_int_eq(trace_open(path, &opts, &trace, &why), 0);
    trace_guard_add(trace);
    os->trace = trace;
    TRACE(os, EXT_RUN, .a0 = 1);
    ck_assert_int_eq(trace_error(trace), 0);
    overwrite(0, "");
    ck_assert_int_eq(trace_error(trace), -ESTALE);
    ck_assert_int_eq(trace_close(trace), -ESTALE);
    trace_guard_remove(trace);
    ck_assert_int_eq(file_size(), 0);
    os_linux_free(os);
    remove_file();
}
END_TEST

struct recording {
    struct os *os;
    _Atomic uint64_t records;
    _Atomic bool done;
};

static void record_until_done(void *arg)
{
    struct recording *r = arg;

    while (!r->done) {
        TRACE(r->os, EXT_RUN, .a0 = r->records++, .a1 = trace_string(r->os, "thread"));
    }
}

/* Threads record while it is cut again and again. */
START_TEST(threads_go_on)
{
    struct trace_opts opts = {.mode = TRACE_RING, .bytes_max = 16 << 20};
    struct recording r = {.os = os_linux_new(1, "a")};
    struct os_thread *threads[THREADS];
    struct trace *trace;
    const char *why;
    uint64_t seen = 0;

    make_file();
    ck_assert_int_eq(trace_open(path, &opts, &trace, &why), 0);
    trace_guard_add(trace);
    r.os->trace = trace;
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(os_thread_start(r.os, "t", record_until_done, &r, &threads[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        while (r.records < seen + 5000) {
            os_sleep_ns(r.os, NSEC_PER_MSEC); /* others have the processor */
        }
        seen = r.records;
        overwrite(i % 2 == 0 ? 100000 : 0, "");
    }
    r.done = true;
    for (int i = 0; i < THREADS; i++) {
        os_thread_join(threads[i]);
    }
    ck_assert_int_eq(trace_close(trace), -ESTALE);
    trace_guard_remove(trace);
    os_linux_free(r.os);
    remove_file();
}
END_TEST

/* Any other SIGBUS is what it was. */
START_TEST(other_bus_errors_are_not_hidden)
{
    struct onlooker o;

    signal(SIGBUS, SIG_DFL); /* a sanitizer would have it */
    make_file();
    record_and_cut(TRACE_STREAM, 0, "", &o); /* installs the handler */
    remove_file();
    raise(SIGBUS);
}
END_TEST

/* A reader does not look into the file any more once it has opened it. */
START_TEST(readers_have_a_copy)
{
    struct trace_reader *reader;
    struct onlooker o;
    char why[200];

    make_file();
    ck_assert_int_eq(record_and_cut(TRACE_STREAM, -1, "", &o), 0);
    ck_assert_int_gt(file_size(), 2 << 20);
    ck_assert_int_eq(trace_reader_open(path, &reader, why, sizeof(why)), 0);
    overwrite(0, "");
    ck_assert_uint_eq(trace_reader_count(reader), o.records);
    for (size_t i = 0; i < o.records; i++) {
        const struct trace_record *record = trace_reader_record(reader, i);

        ck_assert_uint_gt(record->a1, 0);
        ck_assert_str_ne(trace_reader_string(reader, (uint32_t)record->a1), "?");
    }
    trace_reader_close(reader);
    ck_assert_int_lt(trace_reader_open(path, &reader, why, sizeof(why)), 0);
    ck_assert_str_eq(why, "the file is empty");
    remove_file();
}
END_TEST

/* ---- the program ------------------------------------------------------------------- */

static const char script[] = "local a, b = node 'a', node 'b'\n"
                             "local c = a:connect(b)\n"
                             "c:send_many(300, { data = 10 })\n"
                             "expect.delivered(b, 300)\n";

static int run_with_trace(enum world_kind on, const char *trace,
                          struct world_observer observer, char **ret_err,
                          struct run_outcome *ret)
{
    char file[] = "/tmp/test_trace_cut.lua-XXXXXX";
    int fd = mkstemp(file), code;
    size_t bytes;
    FILE *err = open_memstream(ret_err, &bytes);
    struct run_opts opts = {.script = file,
                            .timeout_ns = 60 * NSEC_PER_SEC,
                            .out = err,
                            .err = err,
                            .world = {.on = on,
                                      .stack = STACK_TCP,
                                      .title = "test",
                                      .trace_path = trace,
                                      .observer = observer}};

    ck_assert_int_eq(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    code = run_scenario(&opts, ret);
    fclose(err);
    unlink(file);
    return code;
}

/* Cuts the file at the n-th record. */
static void cut_at(void *arg, const struct trace_record *record,
                   const struct trace_name *name)
{
    int *n = arg;

    (void)name;
    if (record != NULL && --*n == 0) {
        overwrite(0, "");
    }
}

static void expect_cut(int code, const char *text)
{
    ck_assert_msg(code == EXIT_FILE, "exit code %d: %s", code, text);
    ck_assert_msg(strstr(text, "somebody else cut the file") != NULL, "%s", text);
}

/* The simulated world does what it would have done; only the exit code and the words are
 * others. */
START_TEST(simulated_runs_go_on)
{
    static const int cuts_at[] = {1, 100, 1023, 3000, 5700};
    struct run_outcome whole, cut;
    int n = cuts_at[_i], code;
    char *text;

    ck_assert_int_eq(
        run_with_trace(WORLD_SIM, NULL, (struct world_observer){0}, &text, &whole),
        EXIT_OK);
    free(text);
    make_file();
    code =
        run_with_trace(WORLD_SIM, path, (struct world_observer){cut_at, &n}, &text, &cut);
    expect_cut(code, text);
    ck_assert_mem_eq(&whole.hash, &cut.hash, sizeof(whole.hash));
    free(text);
    run_outcome_fini(&whole);
    run_outcome_fini(&cut);
    remove_file();
}
END_TEST

/* Cuts the file whenever there is something in it. */
static void cut_for_ever(void *arg)
{
    struct recording *r = arg;

    while (!r->done) {
        struct stat st;

        if (stat(path, &st) == 0 && st.st_size > 0) {
            r->records += truncate(path, 0) == 0;
        }
        os_sleep_ns(r->os, 20 * NSEC_PER_USEC);
    }
}

/* With real threads somebody else comes at any time; or too late, and then once more. */
START_TEST(real_runs_go_on)
{
    struct recording r = {.os = os_linux_new(2, "cutter")};
    struct run_outcome outcome;
    struct os_thread *cutter;
    char *text = NULL;
    int code;

    make_file();
    ck_assert_int_eq(os_thread_start(r.os, "cutter", cut_for_ever, &r, &cutter), 0);
    do {
        free(text);
        code =
            run_with_trace(WORLD_LINUX, path, (struct world_observer){0}, &text, &outcome);
        run_outcome_fini(&outcome);
    } while (code == EXIT_OK);
    expect_cut(code, text);
    r.done = true;
    os_thread_join(cutter);
    free(text);
    os_linux_free(r.os);
    remove_file();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace_cut");
    TCase *tc = tcase_create("trace_cut");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_cut_file_is_no_crash, 0, 2 * (int)ARRAY_SIZE(cuts));
    tcase_add_test(tc, a_cut_at_the_end_is_noticed);
    tcase_add_test(tc, threads_go_on);
    tcase_add_test_raise_signal(tc, other_bus_errors_are_not_hidden, SIGBUS);
    tcase_add_test(tc, readers_have_a_copy);
    tcase_add_loop_test(tc, simulated_runs_go_on, 0, 5);
    tcase_add_test(tc, real_runs_go_on);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
