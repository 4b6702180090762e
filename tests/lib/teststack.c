/* SPDX-License-Identifier: Apache-2.0 */
/* teststack.c: the table of transports. */
#include "tests/lib/teststack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "stacks/rdma/rdma_stack.h"
#include "stacks/tcp/tcp_stack.h"
#include "tests/lib/testos.h"

static const struct test_stack stacks[] = {
#define X(name_, world, constructor, pressure)                                             \
    {.name = name_,                                                                        \
     .os_new = world##_new,                                                                \
     .os_free = world##_free,                                                              \
     .stack_new = constructor,                                                             \
     .back_pressure = pressure},
    TEST_STACKS(X)
#undef X
};

/* Small, so that pools and queues run out: 512 KiB of receives in all. */
#define RDMA_SMALL                                                                         \
    "buffer_size=8192,send_buffers=128,receive_queue_len=32,receive_buffers=512"

static int rdma_stack_from_environment(struct os *os, struct network_stack **ret)
{
    const char *device = getenv("MSGRLAB_TEST_DEVICE"), *more = getenv("MSGRLAB_TEST_RDMA");
    struct rdma_opts opts;
    struct verbs *verbs;
    char why[500] = "";
    int err;

    rdma_opts_init(&opts);
    CHECK(rdma_opts_parse(&opts, RDMA_SMALL, &(const char *){NULL}) == 0);
    CHECK(more == NULL || rdma_opts_parse(&opts, more, &(const char *){NULL}) == 0);
    CHECK(device == NULL || rdma_opts_set(&opts, "device_name", device) == 0);
    err = verbs_rdmacore_new(os, &verbs);
    if (err == 0) {
        err = rdma_stack_new(os, verbs, &opts, ret, why, sizeof(why));
    }
    if (err < 0) {
        fprintf(stderr, "rdma: %s\n", why);
    }
    return err;
}

static const struct test_stack rdma_row = {.name = "rdma on linux",
                                           .os_new = test_os_new,
                                           .os_free = test_os_free,
                                           .stack_new = rdma_stack_from_environment,
                                           .back_pressure = false};

const struct test_stack *test_stack_of(int run)
{
    const struct test_stack *row = &stacks[run / DRIVER_COUNT];
    const char *stack = getenv("MSGRLAB_TEST_STACK");

    CHECK(run >= 0 && run < TEST_STACK_RUNS);
    if (stack != NULL && row->os_new == test_os_new) {
        CHECK(strcmp(stack, "rdma") == 0 || strcmp(stack, "tcp") == 0);
        return strcmp(stack, "rdma") == 0 ? &rdma_row : row;
    }
    return row;
}

enum event_driver_kind test_driver_of(int run)
{
    return (enum event_driver_kind)(run % DRIVER_COUNT);
}

struct entity_addr test_entity_addr(uint16_t port, uint32_t nonce)
{
    struct sockaddr_storage loopback = test_loopback(AF_INET);
    struct entity_addr addr =
        entity_addr_from_sockaddr(test_sockaddr(&loopback), ADDR_MSGR2, nonce);

    entity_addr_set_port(&addr, port);
    return addr;
}
