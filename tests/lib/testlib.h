/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testlib.h: the little that many tests need. Holds no state of its own.
 */
#ifndef MSGRLAB_TESTS_LIB_TESTLIB_H
#define MSGRLAB_TESTS_LIB_TESTLIB_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

struct message;

/* Runs the suite and frees it; the exit status for main. */
int testlib_run(Suite *suite);

/* splitmix64: the same numbers for the same seed, everywhere. Any seed is fine. */
struct test_random {
    uint64_t state;
};
uint64_t testlib_random(struct test_random *random);
/* 0 .. n - 1; n > 0. */
uint64_t testlib_random_below(struct test_random *random, uint64_t n);

/* A PING of that priority with `bytes` bytes of front (testlib_pattern of tid) and tid in
 * its header. Fails the test if there is no memory. */
struct message *testlib_message(uint16_t priority, size_t bytes, uint64_t tid);
/* Byte `at` of the bytes that go with `seed`. */
uint8_t testlib_pattern(uint64_t seed, size_t at);

/* Open descriptors of this process: equal before and after means none leaked. */
int testlib_open_fds(void);

#endif
