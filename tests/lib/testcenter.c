/* SPDX-License-Identifier: Apache-2.0 */
/* testcenter.c: one center under the hand of a test. */
#include "tests/lib/testcenter.h"

#include <string.h>

#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

static struct os *os;
static struct event_center center;
static int fds_before;
static char story[64];

void test_center_setup(void)
{
    fds_before = testlib_open_fds();
    os = test_os_new();
}

void test_center_teardown(void)
{
    event_center_fini(&center);
    test_os_free(os);
    ck_assert_int_eq(testlib_open_fds(), fds_before);
}

void test_center_open(int driver)
{
    ck_assert_int_eq(event_center_init(&center, os, 0, (enum event_driver_kind)driver), 0);
    ck_assert(!event_center_in_thread(&center));
    ck_assert_int_eq(event_center_set_owner(&center), 0);
    ck_assert(event_center_in_thread(&center));
}

struct os *test_center_os(void)
{
    return os;
}

struct event_center *test_center(void)
{
    return &center;
}

/* ---- the story ---- */

void test_tell(char letter)
{
    size_t n = strlen(story);

    if (letter != 0) {
        ck_assert_uint_lt(n, sizeof(story) - 1);
        story[n] = letter;
    }
}

const char *test_story(void)
{
    return story;
}

const char *test_pass(void)
{
    memset(story, 0, sizeof(story));
    event_center_process(&center, 0);
    return story;
}

/* ---- callbacks ---- */

static void on_file(void *arg, int fd, int mask)
{
    struct watcher *w = arg;

    ck_assert_int_eq(fd, w->fd);
    w->calls++;
    w->last_mask = mask;
    test_tell(w->letter);
    if (w->also != NULL) {
        w->also(w);
    }
}

int watcher_try(struct watcher *w, int fd, int mask)
{
    const struct file_callback cb = {.fn = on_file, .arg = w};

    w->fd = fd;
    return event_center_create_file_event(&center, fd, mask, &cb);
}

void watcher_watch(struct watcher *w, int fd, int mask)
{
    ck_assert_int_eq(watcher_try(w, fd, mask), 0);
}

void watcher_unwatch(const struct watcher *w, int mask)
{
    event_center_delete_file_event(&center, w->fd, mask);
}

static void on_external(void *arg)
{
    struct teller *t = arg;

    t->calls++;
    test_tell(t->letter);
    if (t->also != NULL) {
        t->also(t);
    }
}

static void on_timer(void *arg, uint64_t id)
{
    struct teller *t = arg;

    ck_assert_uint_ne(id, 0);
    ck_assert(!time_event_is_armed(&t->timer));
    on_external(arg);
}

void teller_init(struct teller *t, char letter)
{
    *t = (struct teller){.letter = letter};
    external_event_init(&t->ev, "teller", on_external, t);
    time_event_init(&t->timer, on_timer, t);
}

bool teller_post(struct teller *t)
{
    return event_center_post(&center, &t->ev);
}

void teller_arm(struct teller *t, uint64_t delay_ns)
{
    ck_assert_int_eq(event_center_create_time_event(&center, &t->timer, delay_ns), 0);
    ck_assert(time_event_is_armed(&t->timer));
}

/* ---- descriptors ---- */

void test_pipe(int ret_fds[2])
{
    ck_assert_int_eq(os_pipe(os, ret_fds), 0);
}

void test_ready_pipe(int ret_fds[2])
{
    test_pipe(ret_fds);
    test_put_byte(ret_fds[1]);
}

void test_ready_socket_pair(int ret_fds[2])
{
    test_socket_pair(os, ret_fds);
    test_send_all(os, ret_fds[1], "x", 1);
    test_wait_fd(os, ret_fds[0], POLLIN);
}

void test_put_byte(int fd)
{
    ck_assert_int_eq(os_write(os, fd, "x", 1), 1);
}

void test_close_both(const int fds[2])
{
    os_close(os, fds[0]);
    os_close(os, fds[1]);
}
