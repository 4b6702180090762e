/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testlib.c: random numbers, messages, descriptors.
 */
#include "tests/lib/testlib.h"

#include <dirent.h>
#include <stdlib.h>

#include "engine/message.h"

int testlib_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

uint64_t testlib_random(struct test_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

uint64_t testlib_random_below(struct test_random *random, uint64_t n)
{
    return testlib_random(random) % n; /* the bias does not matter to a test */
}

uint8_t testlib_pattern(uint64_t seed, size_t at)
{
    return (uint8_t)((seed * 31 + at * 7 + (at >> 8)) ^ 0x5a);
}

struct message *testlib_message(uint16_t priority, size_t bytes, uint64_t tid)
{
    struct message *msg = message_new(MSG_PING);

    ck_assert_ptr_nonnull(msg);
    msg->header.priority = priority;
    msg->header.tid = tid;
    ck_assert_int_eq(buffer_alloc(&msg->front, bytes), 0);
    for (size_t i = 0; i < bytes; i++) {
        msg->front.data[i] = testlib_pattern(tid, i);
    }
    return msg;
}

int testlib_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n - 3; /* ".", ".." and the directory itself */
}
