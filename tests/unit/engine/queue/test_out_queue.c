/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_out_queue.c: out_q gives the highest priority first, keeps the order within one, has
 * bounds, and puts what is replayed before everything.
 */
#include <errno.h>

#include "engine/message.h"
#include "engine/queue/out_queue.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"

static void push(struct out_queue *q, uint16_t priority, size_t bytes, uint64_t tid)
{
    ck_assert_int_eq(out_queue_push(q, testlib_message(priority, bytes, tid)), 0);
}

/* The tid of the next message; 0 if there is none. */
static uint64_t pop(struct out_queue *q)
{
    struct message *msg = out_queue_pop(q);
    uint64_t tid = msg ? msg->header.tid : 0;

    message_unref(msg);
    return tid;
}

/* The highest priority goes first, also beyond 255; equal ones in the order of pushing. */
START_TEST(highest_priority_first_then_fifo)
{
    struct out_queue q;

    out_queue_init(&q, 100, 1000);
    ck_assert(out_queue_is_empty(&q));
    push(&q, PRIO_LOW, 1, 1);
    push(&q, PRIO_HIGHEST, 1, 2);
    push(&q, PRIO_DEFAULT, 1, 3);
    push(&q, 65535, 1, 4);
    push(&q, PRIO_DEFAULT, 1, 5);
    push(&q, 0, 1, 6);
    push(&q, PRIO_HIGHEST, 1, 7);
    ck_assert(!out_queue_is_empty(&q));
    ck_assert_uint_eq(q.messages, 7);
    ck_assert_uint_eq(q.bytes, 7);
    for (size_t i = 0; i < 7; i++) {
        static const uint64_t order[] = {4, 2, 7, 3, 5, 1, 6};

        ck_assert_uint_eq(pop(&q), order[i]);
    }
    ck_assert_uint_eq(pop(&q), 0);
    ck_assert_uint_eq(q.bytes, 0);
    out_queue_fini(&q);
}
END_TEST

/* At the bound in messages a push says -EAGAIN and the caller keeps its message. */
START_TEST(messages_are_bounded)
{
    struct out_queue q;
    struct message *msg = testlib_message(1, 0, 3);

    out_queue_init(&q, 2, 1000);
    push(&q, 1, 0, 1);
    push(&q, 2, 0, 2);
    ck_assert_int_eq(out_queue_push(&q, msg), -EAGAIN);
    ck_assert_uint_eq(q.messages, 2);
    ck_assert_uint_eq(pop(&q), 2);
    ck_assert_int_eq(out_queue_push(&q, msg), 0);
    out_queue_fini(&q);
}
END_TEST

/* The same for bytes; but a single message always passes when the queue is empty. */
START_TEST(bytes_are_bounded_but_for_a_lone_message)
{
    struct out_queue q;
    struct message *msg = testlib_message(1, 1, 9);

    out_queue_init(&q, 100, 10);
    push(&q, 1, 6, 1);
    push(&q, 1, 4, 2);
    ck_assert_int_eq(out_queue_push(&q, msg), -EAGAIN);
    ck_assert_uint_eq(out_queue_clear(&q), 2);
    push(&q, 1, 11, 3);
    ck_assert_int_eq(out_queue_push(&q, msg), -EAGAIN);
    ck_assert_uint_eq(pop(&q), 3);
    ck_assert_int_eq(out_queue_push(&q, msg), 0);
    out_queue_fini(&q);
}
END_TEST

/* Replayed messages come before all others, of any priority, and in spite of the bounds. */
START_TEST(replay_goes_before_everything)
{
    struct out_queue q;

    out_queue_init(&q, 2, 2);
    push(&q, 65535, 1, 5);
    for (uint64_t tid = 3; tid >= 1; tid--) { /* the youngest first */
        out_queue_push_front(&q, testlib_message(PRIO_LOW, 1, tid));
    }
    ck_assert_uint_eq(q.messages, 4);
    for (uint64_t tid = 1; tid <= 3; tid++) {
        ck_assert_uint_eq(pop(&q), tid);
    }
    push(&q, 65535, 1, 6);
    out_queue_push_front(&q, testlib_message(0, 0, 4));
    ck_assert_uint_eq(pop(&q), 4);
    ck_assert_uint_eq(pop(&q), 5);
    ck_assert_uint_eq(pop(&q), 6);
    ck_assert_uint_eq(pop(&q), 0);
    out_queue_fini(&q);
}
END_TEST

/* Clear and fini drop every reference they hold, and no other. */
START_TEST(clear_drops_what_is_queued)
{
    struct out_queue q;
    struct message *kept = testlib_message(7, 5, 1);

    out_queue_init(&q, 100, 100);
    ck_assert_uint_eq(out_queue_clear(&q), 0);
    ck_assert_int_eq(out_queue_push(&q, message_ref(kept)), 0);
    push(&q, 8, 5, 2);
    out_queue_push_front(&q, testlib_message(8, 5, 3));
    ck_assert_uint_eq(out_queue_clear(&q), 3);
    ck_assert_uint_eq(q.messages, 0);
    ck_assert_uint_eq(q.bytes, 0);
    ck_assert_uint_eq(message_bytes(kept), 5);
    ck_assert_int_eq(out_queue_push(&q, kept), 0);
    out_queue_fini(&q);
    out_queue_fini(&q); /* a zeroed one is fine */
}
END_TEST

/* Distinct priorities beyond the built-in places: all are kept apart, and the places of
 * empty levels are used again. */
START_TEST(any_number_of_priorities)
{
    struct out_queue q;

    out_queue_init(&q, 100000, 100000);
    for (uint32_t i = 0; i < 3000; i++) {
        push(&q, (uint16_t)(i * 7919 % 65536), 0, 1 + i * 7919 % 65536);
    }
    for (uint64_t last = 65537, i = 0; i < 3000; i++) {
        uint64_t tid = pop(&q);

        ck_assert_uint_gt(tid, 0);
        ck_assert_uint_lt(tid, last);
        last = tid;
        ck_assert_uint_le(q.messages, q.n_levels + 1);
    }
    ck_assert_uint_le(q.n_levels, OUT_QUEUE_SCAN_MAX + 1);
    out_queue_fini(&q);

    out_queue_init(&q, 10, 10);
    for (uint32_t i = 0; i < 65536; i += 13) { /* one at a time needs no more places */
        push(&q, (uint16_t)i, 0, i + 1);
        ck_assert_uint_eq(pop(&q), i + 1);
    }
    ck_assert_uint_eq(q.cap_levels, OUT_QUEUE_PRIORITIES);
    out_queue_fini(&q);
}
END_TEST

/* ---- against a model: an array that is searched from end to end ---- */

#define MODEL_MAX 400

struct model {
    struct {
        uint64_t tid;
        int priority; /* 65536: replayed */
        size_t bytes;
    } items[MODEL_MAX];
    size_t n;
    uint64_t bytes;
};

static void model_insert(struct model *m, size_t at, int priority, size_t bytes,
                         uint64_t tid)
{
    for (size_t i = m->n; i > at; i--) {
        m->items[i] = m->items[i - 1];
    }
    m->items[at].tid = tid;
    m->items[at].priority = priority;
    m->items[at].bytes = bytes;
    m->n++;
    m->bytes += bytes;
}

static uint64_t model_pop(struct model *m)
{
    size_t best = 0;
    uint64_t tid;

    if (m->n == 0) {
        return 0;
    }
    for (size_t i = 1; i < m->n; i++) {
        if (m->items[i].priority > m->items[best].priority) {
            best = i;
        }
    }
    tid = m->items[best].tid;
    m->bytes -= m->items[best].bytes;
    m->n--;
    for (size_t i = best; i < m->n; i++) {
        m->items[i] = m->items[i + 1];
    }
    return tid;
}

static void push_both(struct out_queue *q, struct model *m, struct test_random *random,
                      uint64_t tid)
{
    uint16_t spread = testlib_random_below(random, 20) == 0 ? 200 : 12;
    uint16_t priority = (uint16_t)testlib_random_below(random, spread);
    size_t bytes = (size_t)testlib_random_below(random, 30);
    struct message *msg = testlib_message(priority, bytes, tid);
    bool full = m->n >= q->messages_max || (m->n > 0 && m->bytes + bytes > q->bytes_max);

    if (m->n < MODEL_MAX && testlib_random_below(random, 12) == 0) {
        out_queue_push_front(q, msg);
        model_insert(m, 0, 65536, bytes, tid);
    } else if (full) {
        ck_assert_int_eq(out_queue_push(q, msg), -EAGAIN);
        message_unref(msg);
    } else {
        ck_assert_int_eq(out_queue_push(q, msg), 0);
        model_insert(m, m->n, priority, bytes, tid);
    }
}

/* Whatever the mix of calls, the queue does what the obvious implementation does. */
START_TEST(behaves_as_the_model)
{
    struct test_random random = {.state = (uint64_t)_i + 1};
    struct out_queue q;
    struct model m = {.n = 0};

    out_queue_init(&q, 300, 3000);
    for (uint64_t tid = 1; tid < 4000; tid++) {
        /* Phases in which the queue fills and empties. */
        if (testlib_random_below(&random, 100) < (tid / 500 % 2 == 0 ? 60u : 40u)) {
            push_both(&q, &m, &random, tid);
        } else {
            ck_assert_uint_eq(pop(&q), model_pop(&m));
        }
        ck_assert_uint_eq(q.messages, m.n);
        ck_assert_uint_eq(q.bytes, m.bytes);
        ck_assert_int_eq(out_queue_is_empty(&q), m.n == 0);
    }
    while (m.n > 0) {
        ck_assert_uint_eq(pop(&q), model_pop(&m));
    }
    ck_assert_uint_eq(pop(&q), 0);
    out_queue_fini(&q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("out_queue");
    TCase *tc = tcase_create("out_queue");

    tcase_add_test(tc, highest_priority_first_then_fifo);
    tcase_add_test(tc, messages_are_bounded);
    tcase_add_test(tc, bytes_are_bounded_but_for_a_lone_message);
    tcase_add_test(tc, replay_goes_before_everything);
    tcase_add_test(tc, clear_drops_what_is_queued);
    tcase_add_test(tc, any_number_of_priorities);
    tcase_add_loop_test(tc, behaves_as_the_model, 0, 8);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
