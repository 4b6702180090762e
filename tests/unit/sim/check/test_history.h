/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_history.h: records made by hand, one after the other, of one node "a", and what the
 * checkers say of them. setup and teardown are a checked fixture.
 */
#ifndef MSGRLAB_TESTS_UNIT_SIM_CHECK_TEST_HISTORY_H
#define MSGRLAB_TESTS_UNIT_SIM_CHECK_TEST_HISTORY_H

#include <string.h>

#include "engine/os.h"
#include "engine/trace_points.h"
#include "engine/util.h"
#include "sim/check/checkers.h"
#include "tests/lib/testlib.h"

enum { CENTER = 1, OTHER_CENTER, CONN, LISTENER, THROTTLE };
enum { OWNER = 3, OTHER_OWNER, STRANGER };

static struct checkers *checkers;
static char violation[200];
static uint64_t now;
static int violations;

static inline void on_violation(void *arg, const char *signature, const char *text)
{
    (void)arg;
    violations++;
    snprintf(violation, sizeof(violation), "%s", signature);
    ck_assert_int_gt((int)strlen(text), 10);
}

static inline void define(uint32_t id, enum trace_object_class class_, const char *text)
{
    union {
        struct trace_name name;
        char room[sizeof(struct trace_name) + 32];
    } entry = {.name = {.what = TRACE_NAME_OBJECT, .class_ = class_, .id = id, .node = 1}};

    memcpy(entry.name.text, text, strlen(text) + 1);
    checkers_record(checkers, NULL, &entry.name);
}

static inline void setup(void)
{
    const struct checkers_opts opts = {.violate = on_violation};

    checkers = checkers_new(&opts);
    violation[0] = '\0';
    violations = 0;
    now = NSEC_PER_SEC;
    define(CENTER, TRACE_OBJECT_CENTER, "a.center-0 (epoll)");
    define(OTHER_CENTER, TRACE_OBJECT_CENTER, "a.center-1 (epoll)");
    define(CONN, TRACE_OBJECT_CONN, "a.conn-1");
    define(LISTENER, TRACE_OBJECT_LISTENER, "v2:10.0.0.1:1/1");
    define(THROTTLE, TRACE_OBJECT_THROTTLE, "a.messages");
}

static inline void teardown(void)
{
    checkers_free(checkers);
}

static inline void feed(const struct trace_record *fields)
{
    struct trace_record r = *fields;

    now += 100;
    r.node = 1;
    r.ts = now;
    checkers_record(checkers, &r, NULL);
}

#define FEED(kind_, thread_, obj_, ...)                                                    \
    feed(&(const struct trace_record){                                                     \
        .kind = TP_##kind_, .thread = (thread_), .obj = (obj_), __VA_ARGS__})
#define CENTER_DOES(kind_, ...) FEED(kind_, OWNER, CENTER, __VA_ARGS__)
#define CONN_DOES(kind_, ...) FEED(kind_, OWNER, CONN, __VA_ARGS__)

#define ACCEPTED() ck_assert_str_eq(violation, "")
#define REJECTED(signature_) ck_assert_str_eq(violation, signature_)

static inline void wait_pass(uint64_t timeout, uint64_t slept)
{
    CENTER_DOES(WAIT_ENTER, .a0 = timeout);
    now += slept;
    CENTER_DOES(WAIT_EXIT, .a0 = slept);
}

#define FD(fd, generation) ((uint64_t)(generation) << 32 | (fd))

#endif
