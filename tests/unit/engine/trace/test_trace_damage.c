/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trace_damage.c: trace files that were cut, damaged, or are none. The reader gives
 * every record that is intact, counts what is not, and never crashes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/story.h"
#include "tests/lib/testlib.h"
#include "viz/trace/trace_reader.h"

#define BLOCKS 5 /* of a small trace */
#define NAMES 8  /* ids of strings, and of objects, that are looked at */

/* A small trace in memory, and what an undamaged read of it says. */
struct image {
    uint8_t *data;
    size_t len;
    size_t records;
    char names[2 * NAMES][204];
};

static const char *name_at(const struct trace_reader *reader, uint32_t i)
{
    const struct trace_object *object = trace_reader_object(reader, i - NAMES);

    return i < NAMES ? trace_reader_string(reader, i) : object ? object->name : "?";
}

static void image_init(struct image *image, const struct trace_opts *opts, int messages)
{
    struct trace_reader *reader;
    struct story s;
    struct stat st;
    char why[256];
    int fd;

    story_open(&s, opts);
    story_objects(&s);
    story_connect(&s, 5);
    story_messages(&s, messages, 500);
    story_close(&s);
    fd = open(s.path, O_RDONLY);
    ck_assert_int_eq(fstat(fd, &st), 0);
    image->len = (size_t)st.st_size;
    image->data = malloc(image->len);
    ck_assert_int_eq(read(fd, image->data, image->len), (ssize_t)image->len);
    close(fd);
    ck_assert_int_eq(trace_reader_open(s.path, &reader, why, sizeof(why)), 0);
    image->records = trace_reader_count(reader);
    for (uint32_t i = 0; i < 2 * NAMES; i++) {
        snprintf(image->names[i], sizeof(image->names[i]), "%s", name_at(reader, i));
    }
    trace_reader_close(reader);
    story_remove(&s);
}

/* Damaged blocks may hide each other's ids, but never answer for another. */
static bool finds_itself(const struct trace_reader *reader, uint64_t id)
{
    const struct trace_record *found = trace_reader_find(reader, id);

    return found == NULL || trace_reader_id(reader, found) == id;
}

static bool is_sound(const struct trace_reader *reader, const struct trace_record *r)
{
    const struct trace_object *object = trace_reader_object(reader, r->obj);

    return finds_itself(reader, r->cause) &&
           finds_itself(reader, trace_reader_id(reader, r)) &&
           trace_reader_thread_of(reader, r->node, r->thread) <
               trace_reader_threads(reader) &&
           strlen(trace_reader_string(reader, (uint32_t)r->a1)) <= 200 &&
           (object == NULL || strlen(object->name) <= 200);
}

/* Asks everything that a reader can be asked, so that a sanitizer sees it. Returns how many
 * records there are. One assertion for all: Check writes to a file for each. */
static size_t read_everything(const struct trace_reader *reader)
{
    size_t n = trace_reader_count(reader);
    bool sound = true;
    uint64_t ts = 0;

    for (size_t i = 0; i < n; i++) {
        const struct trace_record *r = trace_reader_record(reader, i);

        sound = sound && r->ts >= ts && is_sound(reader, r);
        ts = r->ts;
    }
    ck_assert(sound);
    return n;
}

/* How many of its names are not what they were; if one is missing, damage was counted. */
static unsigned changed_names(const struct image *image, const struct trace_reader *reader)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < 2 * NAMES; i++) {
        const char *name = name_at(reader, i);

        if (strcmp(image->names[i], name) != 0) {
            n++;
            ck_assert(strcmp(name, "?") != 0 || trace_reader_info(reader)->damaged > 0);
        }
    }
    return n;
}

/* Opens the bytes: how many records, and in *ret_damaged what was counted; -1: refused. */
static ssize_t try_bytes(const void *data, size_t len, uint64_t *ret_damaged)
{
    struct trace_reader *reader;
    char why[256] = "";
    size_t n;

    if (trace_reader_open_bytes(data, len, &reader, why, sizeof(why)) < 0) {
        ck_assert_str_ne(why, "");
        return -1;
    }
    n = read_everything(reader);
    *ret_damaged = trace_reader_info(reader)->damaged;
    trace_reader_close(reader);
    return (ssize_t)n;
}

static const struct trace_block_header *block_at(const struct image *image, size_t offset)
{
    return (const void *)(image->data + offset);
}

/* How many records are whole in the first `len` bytes. */
static size_t whole_records(const struct image *image, size_t len)
{
    size_t n = 0;

    for (size_t at = TRACE_HEADER_BYTES; at + 64 <= len; at += TRACE_BLOCK_BYTES) {
        const struct trace_block_header *block = block_at(image, at);

        if (block->type == TRACE_BLOCK_RECORDS) {
            n += MIN(block->used, len - at - 64) / sizeof(struct trace_record);
        }
    }
    return n;
}

/* Under TSan, which has nothing to find in one thread, a sample is enough. */
#ifdef __SANITIZE_THREAD__
#define STRIDE 16
#else
#define STRIDE 1
#endif

/* ---- cuts ---- */

/* However much of a file is there, what is whole in it is read. */
START_TEST(cut_file_reads_up_to_the_cut)
{
    struct trace_opts opts = {.title = "cut"};
    struct test_random random = {1};
    struct image image;
    uint64_t damaged;

    image_init(&image, &opts, 3);
    ck_assert_int_eq(try_bytes(image.data, image.len, &damaged), (ssize_t)image.records);
    ck_assert_uint_eq(damaged, 0);
    for (size_t len = 0, step; len < image.len; len += step) {
        ssize_t n = try_bytes(image.data, len, &damaged);

        if (len < TRACE_HEADER_BYTES) {
            ck_assert_int_eq(n, -1);
        } else {
            ck_assert_int_eq(n, (ssize_t)whole_records(&image, len));
        }
        step =
            len % 512 ? STRIDE * 512 - len % 512 : 1 + testlib_random_below(&random, 511);
    }
    free(image.data);
}
END_TEST

/* ---- flips and worse ---- */

static void flip(struct image *image, size_t bit)
{
    image->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* One bit of a block: at most the record, or the names, it hits are lost, and counted. */
static void try_flip(struct image *image, size_t bit, bool in_record, unsigned names)
{
    struct trace_reader *reader;
    char why[256];
    size_t n, found = 0;

    flip(image, bit);
    ck_assert_int_eq(
        trace_reader_open_bytes(image->data, image->len, &reader, why, sizeof(why)), 0);
    flip(image, bit);
    n = read_everything(reader);
    for (size_t i = 0; i < n; i++) {
        const struct trace_record *r = trace_reader_record(reader, i);

        found += trace_reader_find(reader, trace_reader_id(reader, r)) == r;
    }
    ck_assert_msg(found == n, "bit %zu: %zu of %zu found", bit, found, n);
    ck_assert_msg(n == image->records - in_record, "bit %zu: %zu records", bit, n);
    ck_assert(!in_record || trace_reader_info(reader)->damaged > 0);
    ck_assert_msg(changed_names(image, reader) <= names, "bit %zu: %u names", bit,
                  changed_names(image, reader));
    trace_reader_close(reader);
}

/* A flipped bit in a record costs that record, one in a name that name (and the one whose
 * id it takes), and elsewhere in a block it costs nothing. Loop: over the blocks. */
START_TEST(flipped_bit_costs_what_it_hits)
{
    size_t at = TRACE_HEADER_BYTES + (size_t)_i * TRACE_BLOCK_BYTES, first, end;
    struct trace_opts opts = {.title = "flip"};
    const struct trace_block_header *block;
    struct image image;
    bool records;

    image_init(&image, &opts, 2);
    ck_assert_uint_eq(image.len, TRACE_HEADER_BYTES + BLOCKS * TRACE_BLOCK_BYTES);
    block = block_at(&image, at);
    records = block->type == TRACE_BLOCK_RECORDS;
    first = (at + sizeof(*block)) * 8;
    end = first + block->used * 8;
    for (size_t bit = at * 8; bit < first; bit += STRIDE) {
        try_flip(&image, bit, false, 0);
    }
    /* All bits of the first record, some of each of the others. */
    for (size_t bit = first; bit < end; bit += STRIDE * (!records            ? 3
                                                         : bit < first + 512 ? 1
                                                                             : 29)) {
        try_flip(&image, bit, records, 2);
    }
    free(image.data);
}
END_TEST

/* A flipped bit in the file header is refused with a sentence, counted, or harmless. */
START_TEST(flipped_header_is_refused_or_read)
{
    struct trace_opts opts = {.title = "flip"};
    struct image image;

    image_init(&image, &opts, 2);
    for (size_t bit = 0; bit < sizeof(struct trace_file_header) * 8; bit++) {
        uint64_t damaged = 0;
        ssize_t n;

        flip(&image, bit);
        n = try_bytes(image.data, image.len, &damaged);
        flip(&image, bit);
        if (bit >= offsetof(struct trace_file_header, salt) * 8 &&
            bit < (offsetof(struct trace_file_header, salt) + 4) * 8) {
            ck_assert_int_eq(n, 0); /* no record can be believed without it */
            ck_assert_uint_eq(damaged, image.records);
        } else {
            ck_assert_msg(n == -1 || n == (ssize_t)image.records, "bit %zu: %zd", bit, n);
        }
    }
    free(image.data);
}
END_TEST

/* Many errors at once, anywhere: whatever is read is in order and in bounds. */
START_TEST(ruined_file_never_crashes)
{
    struct trace_opts opts = {.title = "ruin"};
    struct test_random random = {(uint64_t)_i + 1};
    struct image image;

    image_init(&image, &opts, 2);
    for (int round = 0; round < 200; round++) {
        uint8_t *copy = malloc(image.len);
        uint64_t damaged;

        memcpy(copy, image.data, image.len);
        for (int i = 0; i < 40; i++) {
            size_t block = testlib_random_below(&random, image.len / TRACE_BLOCK_BYTES);
            size_t at = TRACE_HEADER_BYTES + block * TRACE_BLOCK_BYTES +
                        testlib_random_below(&random, i % 4 ? 2000 : TRACE_BLOCK_BYTES);

            copy[at] = i % 3 ? (uint8_t)testlib_random(&random) : i % 2 ? 0xff : 0;
        }
        ck_assert_int_ge(try_bytes(copy, image.len, &damaged), 0);
        free(copy);
    }
    free(image.data);
}
END_TEST

/* ---- other files ---- */

/* What is not a trace is refused, with the reason. */
START_TEST(foreign_files_are_refused)
{
    static const struct {
        const char *path, *why;
    } cases[] = {
        {"/nonexistent/trace", "No such file or directory"},
        {"/tmp", "not a regular file"},
        {"/dev/null", "not a regular file"},
        {"/proc/self/exe", "this is not a msgrlab trace"},
    };
    struct trace_reader *reader;
    char why[256];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_int_lt(trace_reader_open(cases[i].path, &reader, why, sizeof(why)), 0);
        ck_assert_str_eq(why, cases[i].why);
    }
    ck_assert_int_lt(trace_reader_open_bytes("", 0, &reader, why, sizeof(why)), 0);
    ck_assert_str_eq(why, "the file is empty");
    trace_reader_close(NULL);
}
END_TEST

/* Another major version is refused by its number, other trace points by the program. */
START_TEST(other_versions_are_refused_by_name)
{
    struct trace_opts opts = {.title = "versions"};
    struct trace_reader *reader;
    struct trace_file_header *header;
    struct image image;
    char why[256];

    image_init(&image, &opts, 1);
    header = (struct trace_file_header *)image.data;
    header->major = 9;
    ck_assert_int_eq(
        trace_reader_open_bytes(image.data, image.len, &reader, why, sizeof(why)),
        -EPROTONOSUPPORT);
    ck_assert_ptr_nonnull(strstr(why, "format 9.0, this program reads 1.x"));
    header->major = TRACE_MAJOR;
    header->kinds_hash ^= 1;
    ck_assert_int_eq(
        trace_reader_open_bytes(image.data, image.len, &reader, why, sizeof(why)),
        -EPROTONOSUPPORT);
    ck_assert_ptr_nonnull(strstr(why, "msgrlab " MSGRLAB_VERSION));
    header->kinds = TP_COUNT + 5; /* from a newer program: what is known can be shown */
    ck_assert_int_eq(
        trace_reader_open_bytes(image.data, image.len, &reader, why, sizeof(why)), 0);
    ck_assert_uint_eq(trace_reader_count(reader), image.records);
    trace_reader_close(reader);
    free(image.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace_damage");
    TCase *tc = tcase_create("trace_damage");

    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, cut_file_reads_up_to_the_cut);
    tcase_add_loop_test(tc, flipped_bit_costs_what_it_hits, 0, BLOCKS);
    tcase_add_test(tc, flipped_header_is_refused_or_read);
    tcase_add_loop_test(tc, ruined_file_never_crashes, 0, 4);
    tcase_add_test(tc, foreign_files_are_refused);
    tcase_add_test(tc, other_versions_are_refused_by_name);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
