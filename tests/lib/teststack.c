/* SPDX-License-Identifier: Apache-2.0 */
/* teststack.c: the table of transports. */
#include "tests/lib/teststack.h"

#include "engine/util.h"
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

const struct test_stack *test_stack_of(int run)
{
    CHECK(run >= 0 && run < TEST_STACK_RUNS);
    return &stacks[run / DRIVER_COUNT];
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
