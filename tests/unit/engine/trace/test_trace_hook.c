/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trace_hook.c: who looks on while it is recorded sees what the file has: every record
 * and name, names first, with a file and without; and the hash that is summed up on the way
 * is that of the file.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "sim/decide/trace_hash.h"
#include "tests/lib/story.h"
#include "tests/lib/testlib.h"
#include "viz/trace/trace_reader.h"

#define SEEN_MAX 4096

/* What a hook was told. */
struct seen {
    struct trace_hasher hasher;
    struct trace_record records[SEEN_MAX];
    size_t n_records, n_strings, n_objects, n_threads;
    uint32_t last_object;
    char last_text[256];
    bool both; /* a record and a name at once, or neither */
};

static void on_record(void *arg, const struct trace_record *record,
                      const struct trace_name *name)
{
    struct seen *seen = arg;

    seen->both = seen->both || (record != NULL) == (name != NULL);
    trace_hasher_record(&seen->hasher, record, name);
    if (record != NULL) {
        ck_assert_uint_lt(seen->n_records, SEEN_MAX);
        /* An object is told before the first record about it, and so is the thread. */
        ck_assert_uint_le(record->obj, seen->last_object);
        ck_assert_uint_gt(seen->n_threads, 0);
        seen->records[seen->n_records++] = *record;
        return;
    }
    snprintf(seen->last_text, sizeof(seen->last_text), "%s", name->text);
    seen->n_strings += name->what == TRACE_NAME_STRING;
    seen->n_threads += name->what == TRACE_NAME_THREAD;
    if (name->what == TRACE_NAME_OBJECT) {
        ck_assert_uint_eq(name->id, seen->last_object + 1);
        seen->last_object = name->id;
        seen->n_objects++;
    }
}

/* A conversation of two nodes, told once more and in the same way each time. */
static void tell(struct story *s, int messages)
{
    story_objects(s);
    story_connect(s, 77);
    for (int i = 0; i < messages; i++) {
        struct os *os = story_on(s, i % 2, i % STORY_THREADS, 100);
        uint32_t text = trace_string(os, i % 3 ? "again" : "first");

        TRACE(os, S3_QUEUE, .obj = s->conn[i % 2], .val = i, .a0 = (uint64_t)i * 31,
              .flow = (uint64_t)(i % 2 + 1) << 48 | (uint64_t)(i + 1), .aux = text);
    }
}

/* Puts the hook in the place of the file that story_open made. */
static void open_with(struct story *s, struct seen *seen, bool file, struct trace_opts opts)
{
    const char *why = "";

    memset(seen, 0, sizeof(*seen));
    trace_hasher_init(&seen->hasher);
    story_open(s, &(const struct trace_opts){0});
    ck_assert_int_eq(trace_close(s->trace), 0);
    opts.on_record = on_record;
    opts.arg = seen;
    ck_assert_msg(trace_open(file ? s->path : NULL, &opts, &s->trace, &why) == 0, "%s",
                  why);
    for (int i = 0; i < 2; i++) {
        s->nodes[i].os.trace = s->trace;
    }
}

static struct trace_hash finish(struct story *s, struct seen *seen)
{
    struct trace_hash hash;

    ck_assert_int_eq(trace_close(s->trace), 0);
    trace_hasher_result(&seen->hasher, &hash);
    trace_hasher_fini(&seen->hasher);
    ck_assert(!seen->both);
    return hash;
}

static struct trace_hash hash_of_file(const char *path)
{
    struct trace_hash hash;
    const char *why = "";

    ck_assert_msg(trace_hash_file(path, &hash, &why) == 0, "%s", why);
    return hash;
}

/* The hook sees what a reader finds in the file afterwards, and sums up the same hash. */
START_TEST(hook_sees_what_the_file_has)
{
    static struct seen seen;
    struct trace_reader *reader = NULL;
    struct trace_hash hook, file;
    struct story s;
    char why[200];

    open_with(&s, &seen, true, (struct trace_opts){0});
    tell(&s, 3000);
    hook = finish(&s, &seen);
    file = hash_of_file(s.path);
    ck_assert(trace_hash_equal(&hook, &file));
    ck_assert_uint_eq(hook.records, file.records);
    ck_assert_int_eq(trace_reader_open(s.path, &reader, why, sizeof(why)), 0);
    ck_assert_uint_eq(trace_reader_count(reader), seen.n_records);
    ck_assert_uint_eq(seen.n_records, 3002);
    ck_assert_uint_eq(seen.n_strings, 2);
    ck_assert_uint_eq(seen.n_objects, 4);
    ck_assert_uint_eq(seen.n_threads, 2 * STORY_THREADS);
    for (size_t i = 0; i < seen.n_records; i++) {
        /* One thread of control, so the order of recording is that of time. */
        ck_assert_mem_eq(&seen.records[i], trace_reader_record(reader, i),
                         sizeof(struct trace_record));
    }
    trace_reader_close(reader);
    unlink(s.path);
}
END_TEST

/* Without a file nothing else changes: the same records, ids and hash. */
START_TEST(no_file_is_needed)
{
    static struct seen with, without;
    struct trace_hash a, b;
    struct story s;
    int fds;

    open_with(&s, &with, true, (struct trace_opts){0});
    tell(&s, 2500);
    a = finish(&s, &with);
    unlink(s.path);
    fds = testlib_open_fds();
    open_with(&s, &without, false, (struct trace_opts){0});
    unlink(s.path);
    ck_assert_int_eq(testlib_open_fds(), fds);
    tell(&s, 2500);
    ck_assert_uint_eq(trace_lost(s.trace), 0);
    b = finish(&s, &without);
    ck_assert(trace_hash_equal(&a, &b));
    ck_assert_uint_eq(with.n_records, without.n_records);
    for (size_t i = 0; i < with.n_records; i++) {
        ck_assert_mem_eq(&with.records[i], &without.records[i],
                         offsetof(struct trace_record, crc));
        ck_assert_uint_eq(without.records[i].crc, 0);
    }
    ck_assert(access(s.path, F_OK) != 0); /* nothing was created again */
}
END_TEST

/* When the file is full the hook still sees everything, with ids that go on. */
START_TEST(a_full_file_hides_nothing_from_the_hook)
{
    static struct seen seen;
    struct trace_reader *reader = NULL;
    const size_t bytes = TRACE_HEADER_BYTES + 8 * TRACE_BLOCK_BYTES;
    struct story s;
    uint64_t last = 0;
    char why[200];

    open_with(&s, &seen, true, (struct trace_opts){.bytes_max = bytes});
    tell(&s, 6);
    for (int i = 0; i < 3000; i++) {
        struct os *os = story_on(&s, 0, 0, 10);
        uint64_t id = TRACE(os, S3_QUEUE, .val = i);

        ck_assert_uint_gt(id, last);
        last = id;
    }
    ck_assert_uint_gt(trace_lost(s.trace), 0);
    finish(&s, &seen);
    ck_assert_uint_eq(seen.n_records, 3008);
    ck_assert_int_eq(trace_reader_open(s.path, &reader, why, sizeof(why)), 0);
    ck_assert_uint_lt(trace_reader_count(reader), 3008);
    ck_assert_uint_eq(trace_reader_info(reader)->damaged, 0);
    trace_reader_close(reader);
    unlink(s.path);
}
END_TEST

/* Any bit of any field, and any letter of a name, changes the hash; the order between
 * threads does not, as the file does not have it. */
START_TEST(hash_covers_every_field)
{
    const struct trace_record first = {
        .ts = 5, .kind = TP_S3_QUEUE, .node = 1, .thread = 1};
    struct trace_hash plain, other;
    struct trace_hasher hasher;

    trace_hasher_init(&hasher);
    trace_hasher_record(&hasher, &first, NULL);
    trace_hasher_result(&hasher, &plain);
    trace_hasher_fini(&hasher);
    for (size_t bit = 0; bit < 8 * offsetof(struct trace_record, crc); bit++) {
        struct trace_record r = first;

        ((uint8_t *)&r)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        trace_hasher_init(&hasher);
        trace_hasher_record(&hasher, &r, NULL);
        trace_hasher_result(&hasher, &other);
        trace_hasher_fini(&hasher);
        ck_assert_msg(!trace_hash_equal(&plain, &other), "bit %zu", bit);
    }
    for (int i = 0; i < 2; i++) {
        struct trace_record r = first;

        trace_hasher_init(&hasher);
        r.thread = i == 0 ? 1 : 2;
        trace_hasher_record(&hasher, &r, NULL);
        r.thread = i == 0 ? 2 : 1;
        trace_hasher_record(&hasher, &r, NULL);
        trace_hasher_result(&hasher, i == 0 ? &plain : &other);
        trace_hasher_fini(&hasher);
    }
    ck_assert(trace_hash_equal(&plain, &other));
}
END_TEST

START_TEST(hash_as_text_and_back)
{
    const struct trace_hash hash = {.high = 0x00112233aabbccddULL, .low = 7};
    static const char *const bad[] = {"", "00", "00112233AABBCCDD0000000000000007",
                                      "00112233aabbccdd000000000000000g",
                                      "00112233aabbccdd00000000000000071"};
    struct trace_hash back = {0};
    char text[TRACE_HASH_TEXT];

    ck_assert_str_eq(trace_hash_text(&hash, text), "00112233aabbccdd0000000000000007");
    ck_assert(trace_hash_parse(text, &back));
    ck_assert(trace_hash_equal(&hash, &back));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_msg(!trace_hash_parse(bad[i], &back), "%s", bad[i]);
    }
}
END_TEST

/* A damaged file has no hash, and says so. */
START_TEST(a_damaged_file_has_no_hash)
{
    static const struct {
        long at;
        uint32_t value;
    } damages[] = {
        {TRACE_HEADER_BYTES + offsetof(struct trace_block_header, used), 70000},
    };
    static struct seen seen;
    struct trace_hash hash;
    struct story s;
    const char *why = "";

    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        FILE *file;

        open_with(&s, &seen, true, (struct trace_opts){0});
        tell(&s, 100);
        finish(&s, &seen);
        file = fopen(s.path, "r+b");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(fseek(file, damages[i].at, SEEK_SET), 0);
        ck_assert_uint_eq(fwrite(&damages[i].value, 4, 1, file), 1);
        ck_assert_int_eq(fclose(file), 0);
        ck_assert_int_eq(trace_hash_file(s.path, &hash, &why), -EINVAL);
        ck_assert_str_eq(why, "the trace is damaged");
        unlink(s.path);
    }
    ck_assert_int_eq(trace_hash_file("/nowhere/at/all", &hash, &why), -ENOENT);
}
END_TEST

/* On Linux threads call the hook side by side: it is told everything once. */
struct counter {
    atomic_uint_fast64_t records, names;
};

static void count(void *arg, const struct trace_record *record,
                  const struct trace_name *name)
{
    struct counter *counter = arg;

    atomic_fetch_add(record != NULL ? &counter->records : &counter->names, 1);
    (void)name;
}

static void record_many(void *arg)
{
    struct os *os = arg;

    for (int i = 0; i < 2000; i++) {
        TRACE(os, S3_QUEUE, .val = i, .aux = trace_string(os, i % 2 ? "odd" : "even"));
    }
}

START_TEST(threads_tell_everything_once)
{
    struct counter counter = {0};
    const struct trace_opts opts = {.on_record = count, .arg = &counter};
    struct os *os = os_linux_new(3, "node");
    struct os_thread *threads[4];
    const char *why = "";

    ck_assert_int_eq(trace_open(NULL, &opts, &os->trace, &why), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(os_thread_start(os, "recorder", record_many, os, &threads[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        os_thread_join(threads[i]);
    }
    ck_assert_int_eq(trace_close(os->trace), 0);
    ck_assert_uint_eq(counter.records, 8000);
    ck_assert_uint_eq(counter.names, 4 + 2); /* threads and strings */
    os_linux_free(os);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace_hook");
    TCase *tc = tcase_create("hook");

    tcase_add_test(tc, hook_sees_what_the_file_has);
    tcase_add_test(tc, no_file_is_needed);
    tcase_add_test(tc, a_full_file_hides_nothing_from_the_hook);
    tcase_add_test(tc, hash_covers_every_field);
    tcase_add_test(tc, hash_as_text_and_back);
    tcase_add_test(tc, a_damaged_file_has_no_hash);
    tcase_add_test(tc, threads_tell_everything_once);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
