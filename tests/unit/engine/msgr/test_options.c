/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_options.c: what an embedding program forgets to say, or says wrongly, is an error
 * code of the call, and nothing is left over. Its process goes on.
 */
#include <errno.h>
#include <string.h>

#include "engine/messenger.h"
#include "engine/trace.h"
#include "stacks/rdma/rdma_stack.h"
#include "stacks/tcp/tcp_stack.h"
#include "tests/lib/testlib.h"

static struct os *os;
static struct messenger_opts good;

static void setup(void)
{
    os = os_linux_new(1, NULL);
    ck_assert_ptr_nonnull(os);
    memset(&good, 0, sizeof(good));
    good.os = os;
    good.entity_type = ENTITY_OSD;
    ck_assert_int_eq(tcp_stack_new(os, &good.stack), 0);
}

static void teardown(void)
{
    network_stack_free(good.stack);
    os_linux_free(os);
}

/* A messenger needs an os, a stack and an entity type, workers within the limit, and a
 * driver that exists. */
START_TEST(messenger_wants_its_options)
{
    struct messenger *m = NULL;
    struct messenger_opts opts[5] = {good, good, good, good, good};

    opts[0].os = NULL;
    opts[1].stack = NULL;
    opts[2].entity_type = (enum entity_type)0;
    opts[3].workers = WORKERS_MAX + 1;
    opts[4].driver = DRIVER_COUNT;
    ck_assert_int_eq(messenger_new(NULL, &m), -EINVAL);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(messenger_new(&opts[i], &m), -EINVAL);
    }
    ck_assert_ptr_null(m);
}
END_TEST

/* Policies, throttlers and dispatchers are refused when they are none, for a type that
 * there is not, and once the messenger has started. */
START_TEST(messenger_is_set_up_before_start)
{
    struct dispatcher dispatcher = {0};
    const struct policy *policy = policy_find("lossless_peer");
    struct messenger *m;

    ck_assert_int_eq(messenger_new(&good, &m), 0);
    ck_assert_int_eq(messenger_set_policy(m, 0, policy_find("lossles_peer")), -EINVAL);
    ck_assert_int_eq(messenger_set_policy(m, -1, policy), -EINVAL);
    ck_assert_int_eq(messenger_set_policy(m, 1 << 20, policy), -EINVAL);
    ck_assert_int_eq(messenger_set_throttlers(m, 1 << 20, 1, 1), -EINVAL);
    ck_assert_int_eq(messenger_add_dispatcher(m, NULL), -EINVAL);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(messenger_add_dispatcher(m, &dispatcher), 0);
    }
    ck_assert_int_eq(messenger_add_dispatcher(m, &dispatcher), -ENOSPC);
    ck_assert_int_eq(messenger_start(m), 0);
    ck_assert_int_eq(messenger_start(m), -EALREADY);
    ck_assert_int_eq(messenger_set_policy(m, 0, policy), -EBUSY);
    ck_assert_int_eq(messenger_set_throttlers(m, 0, 1, 1), -EBUSY);
    /* A type without a policy of its own may get one, once. */
    ck_assert_int_eq(messenger_set_throttlers(m, ENTITY_MON, 1, 1), 0);
    ck_assert_int_eq(messenger_set_policy(m, ENTITY_MON, policy), 0);
    ck_assert_int_eq(messenger_set_policy(m, ENTITY_MON, policy), -EBUSY);
    ck_assert_int_eq(messenger_set_throttlers(m, ENTITY_MON, 1, 1), -EBUSY);
    ck_assert_int_eq(messenger_add_dispatcher(m, &dispatcher), -EBUSY);
    messenger_shutdown(m);
    ck_assert_int_eq(messenger_start(m), -ESHUTDOWN);
    messenger_free(m);
}
END_TEST

/* An address is needed to listen, to dial and to send. */
START_TEST(addresses_are_needed)
{
    struct entity_addrvec none = {0}, many = {.n = ADDRVEC_MAX + 1};
    const struct entity_addrvec *wrong[] = {NULL, &none, &many};
    struct message *msg = message_new(MSG_PING);
    struct connection *conn = NULL;
    struct messenger *m;
    const char *why = NULL;

    ck_assert_int_eq(messenger_new(&good, &m), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(messenger_bind(m, wrong[i]), -EINVAL);
        ck_assert_int_eq(messenger_connect_to(m, ENTITY_OSD, wrong[i], &conn), -EINVAL);
        ck_assert_int_eq(messenger_connect_anon(m, ENTITY_OSD, wrong[i], &conn), -EINVAL);
        ck_assert_int_eq(messenger_send_to(m, msg, ENTITY_OSD, wrong[i]), -EINVAL);
    }
    ck_assert_ptr_null(conn);
    ck_assert_int_eq(entity_addrvec_parse(NULL, ADDR_MSGR2, 0, &none, &why), -EINVAL);
    ck_assert_str_eq(why, "the address is empty");
    message_unref(msg);
    messenger_free(m);
}
END_TEST

/* Stacks, drivers and devices belong to an os; what is not there has no name. */
START_TEST(stacks_want_an_os)
{
    struct network_stack *stack = NULL;
    struct event_driver *driver = NULL;
    struct verbs *verbs = NULL;
    char why[200] = "";

    ck_assert_int_eq(tcp_stack_new(NULL, &stack), -EINVAL);
    ck_assert_int_eq(verbs_rdmacore_new(NULL, &verbs), -EINVAL);
    ck_assert_int_eq(rdma_stack_new(os, NULL, NULL, &stack, why, sizeof(why)), -EINVAL);
    ck_assert_str_eq(why, "an RDMA stack needs an os and verbs");
    ck_assert_int_eq(verbs_rdmacore_new(os, &verbs), 0);
    ck_assert_int_eq(rdma_stack_new(NULL, verbs, NULL, &stack, why, sizeof(why)), -EINVAL);
    ck_assert_ptr_null(stack);
    ck_assert_int_eq(event_driver_new(os, DRIVER_COUNT, &driver), -EINVAL);
    ck_assert_ptr_null(driver);
    ck_assert_ptr_null(event_driver_name(DRIVER_COUNT));
    ck_assert_ptr_null(policy_find(NULL));
}
END_TEST

/* A recorder needs a mode, and somewhere to write to. */
START_TEST(trace_wants_a_path_or_a_hook)
{
    struct trace_opts opts = {.mode = TRACE_STREAM}, no_mode = {.mode = (enum trace_mode)7};
    struct trace *trace = NULL;
    const char *why = NULL;

    ck_assert_int_eq(trace_open(NULL, &opts, &trace, &why), -EINVAL);
    ck_assert_str_eq(why, "a trace needs a mode, and a path or a hook");
    ck_assert_int_eq(trace_open("/dev/null", &no_mode, &trace, &why), -EINVAL);
    ck_assert_int_eq(trace_open("/dev/null", NULL, &trace, &why), -EINVAL);
    ck_assert_ptr_null(trace);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = tcase_create("missing and wrong");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, messenger_wants_its_options);
    tcase_add_test(tcase, messenger_is_set_up_before_start);
    tcase_add_test(tcase, addresses_are_needed);
    tcase_add_test(tcase, stacks_want_an_os);
    tcase_add_test(tcase, trace_wants_a_path_or_a_hook);
    suite_add_tcase(suite, tcase);
    return testlib_run(suite);
}
