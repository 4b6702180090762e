/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_buffer.c: slices keep their block alive, and a list is a byte queue that copies what
 * is small, shares what is large and never writes into what it shares.
 */
#include <string.h>

#include "engine/buffer.h"
#include "engine/os.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"

static struct buffer make_buffer(uint64_t seed, size_t len)
{
    struct buffer b;

    ck_assert_int_eq(buffer_alloc(&b, len), 0);
    for (size_t i = 0; i < len; i++) {
        b.data[i] = testlib_pattern(seed, i);
    }
    return b;
}

/* The bytes of the list from the front, through iovecs, `step` of them at a time. */
static size_t read_list(struct buffer_list *list, uint8_t *to, int step)
{
    struct iovec iov[16];
    size_t len = 0;
    int n;

    ck_assert_int_le(step, 16);
    while ((n = buffer_list_iov(list, iov, step)) > 0) {
        size_t bytes = 0;

        for (int i = 0; i < n; i++) {
            memcpy(to + len + bytes, iov[i].iov_base, iov[i].iov_len);
            bytes += iov[i].iov_len;
        }
        buffer_list_consume(list, bytes);
        len += bytes;
    }
    return len;
}

/* A buffer has the length asked for, aligned for any use; length 0 has no block. */
START_TEST(alloc_is_aligned_and_sized)
{
    for (size_t len = 0; len < 200; len++) {
        struct buffer b = make_buffer(len, len);

        ck_assert_uint_eq(b.len, len);
        ck_assert_int_eq(b.block == NULL, len == 0);
        ck_assert_uint_eq((uintptr_t)b.data % 16, 0);
        buffer_fini(&b);
        ck_assert_ptr_null(b.block);
        ck_assert_uint_eq(b.len, 0);
    }
}
END_TEST

/* A length that cannot exist is -ENOMEM and leaves the output alone. */
START_TEST(impossible_lengths_are_refused)
{
    struct buffer b = {.len = 17};

    ck_assert_int_lt(buffer_alloc(&b, SIZE_MAX), 0);
    ck_assert_int_lt(buffer_alloc(&b, SIZE_MAX - 8), 0);
    ck_assert_uint_eq(b.len, 17);
}
END_TEST

/* A slice holds its block when the buffer it came from is gone. */
START_TEST(slices_keep_the_block)
{
    struct buffer whole, part, rest, none;

    ck_assert_int_eq(buffer_copy(&whole, "0123456789", 10), 0);
    part = buffer_slice(&whole, 3, 4);
    rest = buffer_slice(&part, 2, 2);
    none = buffer_slice(&whole, 10, 0);
    buffer_fini(&whole);
    buffer_fini(&none);
    ck_assert_mem_eq(part.data, "3456", 4);
    buffer_fini(&part);
    ck_assert_mem_eq(rest.data, "56", 2);
    buffer_fini(&rest);
    buffer_fini(&rest); /* an empty one is fine */
}
END_TEST

/* Small pieces end up side by side: one iovec for all of them. */
START_TEST(small_pieces_share_an_iovec)
{
    struct buffer_list list;
    struct buffer piece = make_buffer(1, BUFFER_COPY_MAX);
    struct iovec iov[4];

    buffer_list_init(&list);
    ck_assert_int_eq(buffer_list_append_copy(&list, "head", 4), 0);
    ck_assert_int_eq(buffer_list_append(&list, &piece), 0);
    ck_assert_int_eq(buffer_list_append_copy(&list, "tail", 4), 0);
    ck_assert_int_eq(buffer_list_iov(&list, iov, 4), 1);
    ck_assert_uint_eq(iov[0].iov_len, BUFFER_COPY_MAX + 8);
    ck_assert_uint_eq(list.bytes, BUFFER_COPY_MAX + 8);
    ck_assert_mem_eq(iov[0].iov_base, "head", 4);
    ck_assert_mem_eq((char *)iov[0].iov_base + 4 + BUFFER_COPY_MAX, "tail", 4);
    buffer_list_fini(&list);
    buffer_fini(&piece);
}
END_TEST

/* Large pieces are not copied, and stay valid when the caller lets go. */
START_TEST(large_pieces_are_shared)
{
    struct buffer_list list;
    struct buffer piece = make_buffer(2, BUFFER_COPY_MAX + 1);
    struct iovec iov[4];
    const uint8_t *data = piece.data;

    buffer_list_init(&list);
    ck_assert_int_eq(buffer_list_append(&list, &piece), 0);
    buffer_fini(&piece);
    ck_assert_int_eq(buffer_list_iov(&list, iov, 4), 1);
    ck_assert_ptr_eq(iov[0].iov_base, data);
    ck_assert_uint_eq(data[BUFFER_COPY_MAX], testlib_pattern(2, BUFFER_COPY_MAX));
    buffer_list_fini(&list);
}
END_TEST

/* What is appended after a shared slice never lands in the block behind it. */
START_TEST(shared_blocks_are_never_written)
{
    struct buffer_list list;
    struct buffer whole = make_buffer(3, 2 * BUFFER_COPY_MAX + 10);
    struct buffer part = buffer_slice(&whole, 0, BUFFER_COPY_MAX + 5);

    buffer_list_init(&list);
    ck_assert_int_eq(buffer_list_append_copy(&list, "x", 1), 0);
    ck_assert_int_eq(buffer_list_append(&list, &part), 0);
    ck_assert_int_eq(buffer_list_append_copy(&list, "yyyyyyyy", 8), 0);
    for (size_t i = 0; i < whole.len; i++) {
        ck_assert_uint_eq(whole.data[i], testlib_pattern(3, i));
    }
    ck_assert_uint_eq(list.bytes, 1 + part.len + 8);
    buffer_list_fini(&list);
    buffer_fini(&part);
    buffer_fini(&whole);
}
END_TEST

/* Never more iovecs than asked for; together with consume they walk through everything. */
START_TEST(iov_fills_at_most_n)
{
    struct buffer_list list;
    struct iovec iov[8];

    buffer_list_init(&list);
    ck_assert_int_eq(buffer_list_iov(&list, iov, 8), 0);
    for (uint64_t i = 0; i < 20; i++) { /* beyond the first capacity of the ring */
        struct buffer b = make_buffer(i, BUFFER_COPY_MAX + 1 + i);

        ck_assert_int_eq(buffer_list_append(&list, &b), 0);
        buffer_fini(&b);
    }
    ck_assert_int_eq(buffer_list_iov(&list, iov, 0), 0);
    for (uint64_t i = 0; i < 20; i++) {
        int n = buffer_list_iov(&list, iov, 3);

        ck_assert_int_eq(n, i < 18 ? 3 : (int)(20 - i));
        ck_assert_uint_eq(iov[0].iov_len, BUFFER_COPY_MAX + 1 + i);
        buffer_list_consume(&list, iov[0].iov_len);
    }
    ck_assert_uint_eq(list.bytes, 0);
    buffer_list_fini(&list);
}
END_TEST

/* Nothing stays behind after fini, and the list can be used again. */
START_TEST(fini_leaves_an_empty_list)
{
    struct buffer_list list;
    uint8_t out[4];

    buffer_list_init(&list);
    ck_assert_int_eq(buffer_list_append_copy(&list, "abcd", 4), 0);
    buffer_list_fini(&list);
    ck_assert_uint_eq(list.bytes, 0);
    ck_assert_int_eq(buffer_list_append_copy(&list, "efgh", 4), 0);
    ck_assert_uint_eq(read_list(&list, out, 1), 4);
    ck_assert_mem_eq(out, "efgh", 4);
    buffer_list_fini(&list);
}
END_TEST

#define MODEL_BYTES (1u << 20)

struct byte_model {
    struct buffer_list list;
    uint8_t *bytes; /* everything ever appended */
    size_t head, tail;
};

static void model_append(struct byte_model *m, struct test_random *random)
{
    static const size_t sizes[] = {1, 40, BUFFER_COPY_MAX, BUFFER_COPY_MAX + 1, 9000};
    size_t top = sizes[testlib_random_below(random, ARRAY_SIZE(sizes))];
    size_t len = (size_t)testlib_random_below(random, top + 1);
    struct buffer b;

    if (len > MODEL_BYTES - m->tail) {
        return;
    }
    b = make_buffer(m->tail, len);
    if (len > 0) {
        memcpy(m->bytes + m->tail, b.data, len);
    }
    if (testlib_random_below(random, 2) == 0) {
        ck_assert_int_eq(buffer_list_append(&m->list, &b), 0);
    } else {
        ck_assert_int_eq(buffer_list_append_copy(&m->list, b.data, len), 0);
    }
    m->tail += len;
    buffer_fini(&b);
}

static void model_consume(struct byte_model *m, struct test_random *random)
{
    struct iovec iov[5];
    int n = buffer_list_iov(&m->list, iov, 5);
    size_t seen = 0;

    for (int i = 0; i < n; i++) {
        ck_assert_uint_gt(iov[i].iov_len, 0);
        ck_assert_mem_eq(iov[i].iov_base, m->bytes + m->head + seen, iov[i].iov_len);
        seen += iov[i].iov_len;
    }
    seen = (size_t)testlib_random_below(random, seen + 1);
    buffer_list_consume(&m->list, seen);
    m->head += seen;
}

/* Whatever the mix of calls, the bytes come out as they went in. */
START_TEST(bytes_come_out_as_they_went_in)
{
    struct test_random random = {.state = (uint64_t)_i};
    struct byte_model m = {0};

    buffer_list_init(&m.list);
    m.bytes = malloc(MODEL_BYTES);
    ck_assert_ptr_nonnull(m.bytes);
    for (int i = 0; i < 1500; i++) {
        if (testlib_random_below(&random, 5) < 3) {
            model_append(&m, &random);
        } else {
            model_consume(&m, &random);
        }
        ck_assert_uint_eq(m.list.bytes, m.tail - m.head);
    }
    while (m.list.bytes > 0) {
        model_consume(&m, &random);
    }
    ck_assert_uint_eq(m.head, m.tail);
    buffer_list_fini(&m.list);
    free(m.bytes);
}
END_TEST

static void slice_and_drop(void *arg)
{
    struct buffer *mine = arg;

    for (size_t i = 0; i < 5000; i++) {
        struct buffer part = buffer_slice(mine, i % mine->len, 1);

        ck_assert_uint_eq(part.data[0], testlib_pattern(9, i % mine->len));
        buffer_fini(&part);
    }
    buffer_fini(mine);
}

/* Two threads may share a block: the last one frees it, whoever that is. */
START_TEST(blocks_are_shared_between_threads)
{
    struct os *os = os_linux_new(1, "test");
    struct buffer mine = make_buffer(9, 100);
    struct buffer theirs = buffer_slice(&mine, 0, mine.len);
    struct os_thread *thread;

    ck_assert_ptr_nonnull(os);
    ck_assert_int_eq(os_thread_start(os, "slicer", slice_and_drop, &theirs, &thread), 0);
    slice_and_drop(&mine);
    os_thread_join(thread);
    ck_assert_ptr_null(theirs.block);
    os_linux_free(os);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buffer");
    TCase *tc = tcase_create("buffer");

    tcase_add_test(tc, alloc_is_aligned_and_sized);
    tcase_add_test(tc, impossible_lengths_are_refused);
    tcase_add_test(tc, slices_keep_the_block);
    tcase_add_test(tc, small_pieces_share_an_iovec);
    tcase_add_test(tc, large_pieces_are_shared);
    tcase_add_test(tc, shared_blocks_are_never_written);
    tcase_add_test(tc, iov_fills_at_most_n);
    tcase_add_test(tc, fini_leaves_an_empty_list);
    tcase_add_loop_test(tc, bytes_come_out_as_they_went_in, 0, 8);
    tcase_add_test(tc, blocks_are_shared_between_threads);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
