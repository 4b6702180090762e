/* SPDX-License-Identifier: Apache-2.0 */
/* test_device.c: which GID is chosen, at first and when the table changes. */
#include <errno.h>
#include <string.h>

#include "stacks/rdma/device.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testos.h"

enum { TABLE = 6 };

static struct verbs verbs;
static struct ibv_context context;
static struct ibv_pd domain;
static struct ibv_gid_entry table[TABLE]; /* zeros: a hole */
static struct rdma_device device;
static struct rdma_opts opts;

static int fake_open(struct verbs *v, const char *name, struct ibv_context **ret)
{
    (void)v;
    (void)name;
    *ret = &context;
    return 0;
}

static int fake_close(struct verbs *v, struct ibv_context *ctx)
{
    (void)v;
    (void)ctx;
    return 0;
}

static int fake_query_device(struct verbs *v, struct ibv_context *ctx,
                             struct ibv_device_attr *ret)
{
    (void)v;
    (void)ctx;
    *ret = (struct ibv_device_attr){.phys_port_cnt = 1};
    return 0;
}

static int fake_query_port(struct verbs *v, struct ibv_context *ctx, uint8_t port,
                           struct ibv_port_attr *ret)
{
    (void)v;
    (void)ctx;
    (void)port;
    *ret = (struct ibv_port_attr){.state = IBV_PORT_ACTIVE, .gid_tbl_len = TABLE};
    return 0;
}

static int fake_query_gid(struct verbs *v, struct ibv_context *ctx, uint8_t port,
                          uint32_t index, struct ibv_gid_entry *ret)
{
    (void)v;
    (void)ctx;
    (void)port;
    if (index >= TABLE || table[index].gid.raw[15] == 0) {
        return -ENODATA;
    }
    *ret = table[index];
    return 0;
}

static int fake_alloc_pd(struct verbs *v, struct ibv_context *ctx, struct ibv_pd **ret)
{
    (void)v;
    (void)ctx;
    *ret = &domain;
    return 0;
}

static int fake_dealloc_pd(struct verbs *v, struct ibv_pd *pd)
{
    (void)v;
    (void)pd;
    return 0;
}

static const struct verbs_ops fake_ops = {.name = "fake",
                                          .open_device = fake_open,
                                          .close_device = fake_close,
                                          .query_device = fake_query_device,
                                          .query_port = fake_query_port,
                                          .query_gid = fake_query_gid,
                                          .alloc_pd = fake_alloc_pd,
                                          .dealloc_pd = fake_dealloc_pd};

static void put(uint32_t index, bool ipv4, uint8_t number)
{
    struct ibv_gid_entry *e = &table[index];

    *e = (struct ibv_gid_entry){.gid_index = index, .gid_type = IBV_GID_TYPE_ROCE_V2};
    e->gid.raw[ipv4 ? 10 : 0] = ipv4 ? 0xff : 0xfe;
    e->gid.raw[ipv4 ? 11 : 1] = ipv4 ? 0xff : 0x80;
    e->gid.raw[15] = number;
}

static void take(uint32_t index)
{
    table[index] = (struct ibv_gid_entry){0};
}

/* A link-local one first, as everywhere, then that of the IPv4 address. */
static void setup(void)
{
    verbs = (struct verbs){.ops = &fake_ops, .os = test_os_new()};
    rdma_opts_init(&opts);
    ck_assert_int_eq(rdma_opts_set(&opts, "device_name", "fake0"), 0);
    memset(table, 0, sizeof(table));
    device = (struct rdma_device){0};
    put(0, false, 1);
    put(2, true, 1);
}

static void teardown(void)
{
    rdma_device_fini(&device);
    test_os_free(verbs.os);
}

static void open_it(void)
{
    char why[200] = "";

    ck_assert_msg(rdma_device_open(&device, &verbs, &opts, why, sizeof(why)) == 0, "%s",
                  why);
}

static uint32_t index_after_change(void)
{
    ck_assert_int_eq(rdma_device_refresh_gid(&device, &opts), 0);
    return rdma_device_gid(&device).gid_index;
}

START_TEST(ipv4_before_link_local)
{
    open_it();
    ck_assert_uint_eq(rdma_device_gid(&device).gid_index, 2);
}
END_TEST

/* While the address is away a worse GID stands in for it. It comes back, maybe at another
 * index, and is ours again: peers with IPv4 cannot be reached from a link-local one. */
START_TEST(address_goes_and_comes_back)
{
    struct ibv_gid_entry first;

    open_it();
    first = rdma_device_gid(&device);
    take(2);
    ck_assert_uint_eq(index_after_change(), 0);
    ck_assert(!rdma_device_has_gid(&device, &first));
    put(4, true, 1);
    ck_assert_uint_eq(index_after_change(), 4);
    ck_assert(!rdma_device_has_gid(&device, &first));
    put(2, true, 1);
    ck_assert(rdma_device_has_gid(&device, &first));
}
END_TEST

/* What we have is not given up for another that is as good. */
START_TEST(equals_do_not_replace_ours)
{
    open_it();
    put(1, true, 2);
    ck_assert_uint_eq(index_after_change(), 2);
    take(1);
    take(2);
    take(0);
    put(3, false, 3);
    ck_assert_uint_eq(index_after_change(), 3);
    put(1, false, 4);
    ck_assert_uint_eq(index_after_change(), 3);
}
END_TEST

START_TEST(none_left)
{
    open_it();
    take(0);
    take(2);
    ck_assert_int_eq(rdma_device_refresh_gid(&device, &opts), -ENODATA);
    put(5, false, 9);
    ck_assert_uint_eq(index_after_change(), 5);
}
END_TEST

/* An index that was asked for is never given up for another. */
START_TEST(asked_for_an_index)
{
    ck_assert_int_eq(rdma_opts_set(&opts, "gid_idx", "0"), 0);
    open_it();
    ck_assert_uint_eq(index_after_change(), 0);
    take(0);
    ck_assert_int_lt(rdma_device_refresh_gid(&device, &opts), 0);
    put(0, false, 7);
    ck_assert_uint_eq(index_after_change(), 0);
    ck_assert_uint_eq(rdma_device_gid(&device).gid.raw[15], 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rdma_device");
    TCase *tc = tcase_create("GIDs");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, ipv4_before_link_local);
    tcase_add_test(tc, address_goes_and_comes_back);
    tcase_add_test(tc, equals_do_not_replace_ours);
    tcase_add_test(tc, none_left);
    tcase_add_test(tc, asked_for_an_index);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
