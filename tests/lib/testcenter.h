/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testcenter.h: one event center, run pass by pass by the test's own thread, and callbacks
 * that tell what ran, one letter each. Each test of libcheck is a process of its own, so
 * the state here begins anew with each.
 */
#ifndef MSGRLAB_TESTS_LIB_TESTCENTER_H
#define MSGRLAB_TESTS_LIB_TESTCENTER_H

#include "engine/event_center.h"

/* Fixture: an os, and no descriptor leaked in the end. The center is closed if open. */
void test_center_setup(void);
void test_center_teardown(void);
/* The fixture does not know the loop's number, so each test starts with this: the calling
 * thread owns a center with that driver. */
void test_center_open(int driver);

struct os *test_center_os(void);
struct event_center *test_center(void);

/* Adds a letter to the story; the letter 0 keeps silent. */
void test_tell(char letter);
/* What was told since the last pass began. */
const char *test_story(void);
/* Forgets the story and runs one pass that does not wait; the story of that pass. */
const char *test_pass(void);

/* A file callback that tells its letter, and does one thing more. */
struct watcher {
    char letter;
    int fd;
    int calls, last_mask;
    void (*also)(struct watcher *w);
    struct watcher *other;
    struct external_event *post;
};
/* What the center says: 0, or why it cannot watch it. */
int watcher_try(struct watcher *w, int fd, int mask);
void watcher_watch(struct watcher *w, int fd, int mask);
void watcher_unwatch(const struct watcher *w, int mask);

/* A time or external event that tells its letter, and does one thing more. */
struct teller {
    struct external_event ev;
    struct time_event timer;
    char letter;
    int calls;
    void (*also)(struct teller *t);
    struct teller *other;
    int times; /* how often `also` may still act */
};
void teller_init(struct teller *t, char letter);
bool teller_post(struct teller *t);
void teller_arm(struct teller *t, uint64_t delay_ns);

/* A pipe, without or with a byte in it. */
void test_pipe(int ret_fds[2]);
void test_ready_pipe(int ret_fds[2]);
/* A stream with a byte to read at [0]. */
void test_ready_socket_pair(int ret_fds[2]);
void test_put_byte(int fd); /* into a pipe */
void test_close_both(const int fds[2]);

#endif
