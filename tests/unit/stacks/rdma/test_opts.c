/* SPDX-License-Identifier: Apache-2.0 */
/* test_opts.c: the options of the RDMA stack, by Ceph's names; and its notify object.
 * */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "engine/util.h"
#include "stacks/rdma/rdma_impl.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

/* With and without Ceph's prefix; the last value given counts. */
START_TEST(options_go_by_the_names_of_ceph)
{
    struct rdma_opts o;
    const char *why;
    char text[200];

    rdma_opts_init(&o);
    ck_assert_int_eq(rdma_opts_check(&o, text, sizeof(text)), 0);
    ck_assert_int_eq(rdma_opts_parse(&o,
                                     "ms_async_rdma_buffer_size=8192,send_buffers=7,"
                                     "device_name=rxe1,support_srq=false,gid_idx=2,"
                                     "polling_us=forever,timeout=14",
                                     &why),
                     0);
    ck_assert_uint_eq(o.buffer_size, 8192);
    ck_assert_uint_eq(o.send_buffers, 7);
    ck_assert_str_eq(o.device_name, "rxe1");
    ck_assert(!o.support_srq);
    ck_assert_int_eq(o.gid_idx, 2);
    ck_assert(o.polling_us == RDMA_POLLING_FOR_EVER);
    ck_assert_uint_eq(o.timeout, 14);
    ck_assert_int_eq(rdma_opts_parse(&o, "gid_idx=-1,polling_us=0,support_srq=1", &why), 0);
    ck_assert_int_eq(o.gid_idx, -1);
    ck_assert_uint_eq(o.polling_us, 0);
    ck_assert(o.support_srq);
}
END_TEST

/* What is no option, or no value for it, is said and changes nothing. */
START_TEST(bad_options_are_refused)
{
    static const struct {
        const char *text;
        int err;
    } bad[] = {
        {"colour=blue", -ENOENT},       {"ms_async_rdma_", -EINVAL},
        {"send_buffers", -EINVAL},      {"send_buffers=", -EINVAL},
        {"send_buffers=0", -EINVAL},    {"send_buffers=-1", -EINVAL},
        {"retry_cnt=8", -EINVAL},       {"sl=16", -EINVAL},
        {"support_srq=maybe", -EINVAL}, {"polling_us=1ms", -EINVAL},
        {"gid_idx=-2", -EINVAL},        {"port_num=256", -EINVAL},
        {"timeout=0x20", -EINVAL},      {"buffer_size=8k", -EINVAL},
    };
    struct rdma_opts o, before;
    const char *why = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        memset(&o, 0, sizeof(o));
        rdma_opts_init(&o);
        before = o;
        ck_assert_int_eq(rdma_opts_parse(&o, bad[i].text, &why), bad[i].err);
        ck_assert_ptr_nonnull(why);
        ck_assert_int_eq(memcmp(&o, &before, sizeof(o)), 0);
    }
}
END_TEST

/* More receives posted than may ever be registered: Ceph aborts; here it is an error that
 * names both options. */
START_TEST(contradictions_are_named)
{
    struct rdma_opts o;
    char why[300] = "";

    rdma_opts_init(&o);
    o.receive_buffers = 100;
    o.receive_queue_len = 101;
    ck_assert_int_eq(rdma_opts_check(&o, why, sizeof(why)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "receive_queue_len (101)"));
    ck_assert_ptr_nonnull(strstr(why, "receive_buffers (100)"));
    o.receive_buffers = 0;
    ck_assert_int_eq(rdma_opts_check(&o, why, sizeof(why)), 0);
}
END_TEST

static int readiness(struct os *os, int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLOUT};

    ck_assert_int_ge(os_poll(os, &pfd, 1, 0), 0);
    return pfd.revents;
}

/* Readable and writable are set apart from each other, and as often as one likes. */
START_TEST(notify_is_what_it_is_told_to_be)
{
    struct os *os = test_os_new();
    struct notify n;

    ck_assert_int_eq(notify_init(&n, os), 0);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(readiness(os, n.fd), POLLOUT);
        ck_assert(notify_set_readable(&n));
        ck_assert(!notify_set_readable(&n));
        ck_assert_int_eq(readiness(os, n.fd), POLLIN | POLLOUT);
        notify_set_writable(&n, false);
        notify_set_writable(&n, false);
        ck_assert_int_eq(readiness(os, n.fd), POLLIN);
        notify_clear_readable(&n);
        notify_clear_readable(&n);
        ck_assert_int_eq(readiness(os, n.fd), 0);
        ck_assert(notify_set_readable(&n));
        ck_assert_int_eq(readiness(os, n.fd), POLLIN);
        notify_set_writable(&n, true);
        ck_assert_int_eq(readiness(os, n.fd), POLLIN | POLLOUT);
        notify_clear_readable(&n);
    }
    notify_fini(&n);
    notify_fini(&n);
    test_os_free(os);
}
END_TEST

/* Edge-triggered: becoming readable and becoming writable are edges, each once. */
START_TEST(notify_makes_edges)
{
    struct os *os = test_os_new();
    struct os_epoll_event event;
    struct notify n;
    int epfd = os_epoll_create(os);

    ck_assert_int_eq(notify_init(&n, os), 0);
    notify_set_writable(&n, false);
    ck_assert_int_eq(
        os_epoll_ctl(os, epfd, OS_EPOLL_ADD, n.fd, OS_READABLE | OS_WRITABLE | OS_EDGE, 1),
        0);
    ck_assert_int_eq(os_epoll_wait(os, epfd, &event, 1, 0), 0);
    notify_set_readable(&n);
    ck_assert_int_eq(os_epoll_wait(os, epfd, &event, 1, 0), 1);
    ck_assert_int_eq(event.mask, OS_READABLE);
    notify_set_readable(&n);
    ck_assert_int_eq(os_epoll_wait(os, epfd, &event, 1, 0), 0);
    notify_clear_readable(&n);
    notify_set_writable(&n, true);
    ck_assert_int_eq(os_epoll_wait(os, epfd, &event, 1, 0), 1);
    ck_assert_int_eq(event.mask, OS_WRITABLE);
    notify_fini(&n);
    os_close(os, epfd);
    test_os_free(os);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rdma_opts");
    TCase *tc = tcase_create("options, notify");

    tcase_add_test(tc, options_go_by_the_names_of_ceph);
    tcase_add_test(tc, bad_options_are_refused);
    tcase_add_test(tc, contradictions_are_named);
    tcase_add_test(tc, notify_is_what_it_is_told_to_be);
    tcase_add_test(tc, notify_makes_edges);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
