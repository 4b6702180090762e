/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults_alloc.c: what can be refused is refused (r01_alloc and more): each allocation
 * that the engine and the stacks make in a whole life of two messengers (start, dial, send,
 * keepalives, rebind, mark down, shut down), and each thing they ask the operating system
 * or the RDMA device for, fails, alone and with those after it. Nothing may crash, hang or
 * leak; a call says an error, or a connection is lost; when there is enough again, the
 * conversation succeeds.
 *
 * The build gives this program copies of the engine's archives that call the three
 * functions below (mk/build.mk); the simulator's and the test's own allocations are the
 * usual ones. The world is virtual, so the n-th request is the same each time; on Linux,
 * where allocations fail, too, it is one of those about then.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "engine/network_stack.h"
#include "engine/util.h"
#include "sim/rdma/rdma.h"
#include "sim/world/world.h"
#include "stacks/rdma/rdma_stack.h"
#include "tests/lib/faulttalk.h"
#include "tests/lib/testlib.h"

#define SLICES 16
/* Threads are simulated here, which is nothing for the thread sanitizer, and slow with it:
 * there one request of so many fails. */
#ifdef __SANITIZE_THREAD__
#define STRIDE (7 * SLICES)
#elif defined(__SANITIZE_ADDRESS__) /* some times slower: every third */
#define STRIDE (3 * SLICES)
#else
#define STRIDE SLICES
#endif

void *failing_malloc(size_t bytes);
void *failing_calloc(size_t n, size_t bytes);
void *failing_realloc(void *old, size_t bytes);
void *failing_aligned_alloc(size_t alignment, size_t bytes);

static struct {
    _Atomic uint64_t made; /* requests so far */
    uint64_t from, n_fail; /* those from `from` on fail, so many; 0: none */
    _Atomic uint64_t failed;
    _Atomic(const char *) last; /* that failed */
} requests;

static void fail_from(uint64_t from, uint64_t n_fail)
{
    requests.made = requests.failed = 0;
    requests.from = from;
    requests.n_fail = n_fail;
    requests.last = "nothing";
}

static bool fails(const char *what)
{
    uint64_t number = atomic_fetch_add(&requests.made, 1) + 1;

    if (number < requests.from || number >= requests.from + requests.n_fail) {
        return false;
    }
    atomic_fetch_add(&requests.failed, 1);
    requests.last = what;
    return true;
}

/* ---- memory -------------------------------------------------------------------------- */

void *failing_malloc(size_t bytes)
{
    return fails("malloc") ? NULL : malloc(bytes);
}

void *failing_calloc(size_t n, size_t bytes)
{
    return fails("calloc") ? NULL : calloc(n, bytes);
}

void *failing_realloc(void *old, size_t bytes)
{
    return fails("realloc") ? NULL : realloc(old, bytes);
}

void *failing_aligned_alloc(size_t alignment, size_t bytes)
{
    return fails("aligned_alloc") ? NULL : aligned_alloc(alignment, bytes);
}

/* ---- the operating system ------------------------------------------------------------ */

/* The tables of the simulated nodes, which all have the same, and copies with some slots
 * that fail. */
static const struct os_ops *real_ops;
static const struct os_io_ops *real_io;
static struct os_ops failing_ops;
static struct os_io_ops failing_io;

static struct os_mutex *fail_mutex_new(struct os *os, const char *name)
{
    return fails("mutex") ? NULL : real_ops->mutex_new(os, name);
}

static struct os_cond *fail_cond_new(struct os *os, const char *name)
{
    return fails("cond") ? NULL : real_ops->cond_new(os, name);
}

static int fail_thread_start(struct os *os, const char *name, os_thread_fn fn, void *arg,
                             struct os_thread **ret)
{
    return fails("thread") ? -EAGAIN : real_ops->thread_start(os, name, fn, arg, ret);
}

static int fail_epoll_create(struct os *os)
{
    return fails("epoll_create") ? -EMFILE : real_io->epoll_create(os);
}

static int fail_epoll_ctl(struct os *os, int epfd, enum os_epoll_op op, int fd, int mask,
                          uint64_t cookie)
{
    return op == OS_EPOLL_ADD && fails("epoll_ctl")
               ? -ENOSPC
               : real_io->epoll_ctl(os, epfd, op, fd, mask, cookie);
}

static int fail_pipe(struct os *os, int ret_fds[2])
{
    return fails("pipe") ? -EMFILE : real_io->pipe(os, ret_fds);
}

static int fail_pair(struct os *os, int ret_fds[2])
{
    return fails("pair") ? -ENFILE : real_io->pair(os, ret_fds);
}

static int fail_socket(struct os *os, int family)
{
    return fails("socket") ? -EMFILE : real_io->socket(os, family);
}

static int fail_bind(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    return fails("bind") ? -EADDRINUSE : real_io->bind(os, fd, addr, len);
}

static int fail_listen(struct os *os, int fd, int backlog)
{
    return fails("listen") ? -EADDRINUSE : real_io->listen(os, fd, backlog);
}

static int fail_accept(struct os *os, int fd, struct sockaddr_storage *ret_peer)
{
    return fails("accept") ? -EMFILE : real_io->accept(os, fd, ret_peer);
}

static int fail_connect(struct os *os, int fd, const struct sockaddr *addr, socklen_t len)
{
    return fails("connect") ? -EADDRNOTAVAIL : real_io->connect(os, fd, addr, len);
}

static struct os *failing_node(struct sim_world *world, uint8_t number, const char *name)
{
    struct os *os = sim_world_node(world, number, name);

    real_ops = os->ops;
    real_io = os->io;
    failing_ops = *real_ops;
    failing_ops.mutex_new = fail_mutex_new;
    failing_ops.cond_new = fail_cond_new;
    failing_ops.thread_start = fail_thread_start;
    failing_io = *real_io;
    failing_io.epoll_create = fail_epoll_create;
    failing_io.epoll_ctl = fail_epoll_ctl;
    failing_io.pipe = fail_pipe;
    failing_io.pair = fail_pair;
    failing_io.socket = fail_socket;
    failing_io.bind = fail_bind;
    failing_io.listen = fail_listen;
    failing_io.accept = fail_accept;
    failing_io.connect = fail_connect;
    os->ops = &failing_ops;
    os->io = &failing_io;
    return os;
}

/* ---- the RDMA device ----------------------------------------------------------------- */

static const struct verbs_ops *real_verbs;
static struct verbs_ops failing_verbs;

static int fail_open_device(struct verbs *v, const char *name, struct ibv_context **ret)
{
    return fails("open_device") ? -ENOMEM : real_verbs->open_device(v, name, ret);
}

static int fail_alloc_pd(struct verbs *v, struct ibv_context *ctx, struct ibv_pd **ret)
{
    return fails("alloc_pd") ? -ENOMEM : real_verbs->alloc_pd(v, ctx, ret);
}

static int fail_reg_mr(struct verbs *v, struct ibv_pd *pd, void *addr, size_t len,
                       int access, struct ibv_mr **ret)
{
    return fails("reg_mr") ? -ENOMEM : real_verbs->reg_mr(v, pd, addr, len, access, ret);
}

static int fail_create_cq(struct verbs *v, struct ibv_context *ctx, int cqe,
                          void *cq_context, struct ibv_comp_channel *channel,
                          struct ibv_cq **ret)
{
    return fails("create_cq")
               ? -ENOMEM
               : real_verbs->create_cq(v, ctx, cqe, cq_context, channel, ret);
}

static int fail_create_srq(struct verbs *v, struct ibv_pd *pd,
                           struct ibv_srq_init_attr *attr, struct ibv_srq **ret)
{
    return fails("create_srq") ? -ENOMEM : real_verbs->create_srq(v, pd, attr, ret);
}

static int fail_create_qp(struct verbs *v, struct ibv_pd *pd, struct ibv_qp_init_attr *attr,
                          struct ibv_qp **ret)
{
    return fails("create_qp") ? -ENOMEM : real_verbs->create_qp(v, pd, attr, ret);
}

static int fail_modify_qp(struct verbs *v, struct ibv_qp *qp, struct ibv_qp_attr *attr,
                          int mask)
{
    return fails("modify_qp") ? -ENOMEM : real_verbs->modify_qp(v, qp, attr, mask);
}

static int make_rdma(struct os *os, struct network_stack **ret)
{
    struct rdma_opts opts;
    struct verbs *verbs;
    char why[300];

    ck_assert_int_eq(rdma_verbs_new(os, &rdma_hca, &verbs), 0);
    real_verbs = verbs->ops;
    failing_verbs = *real_verbs;
    failing_verbs.open_device = fail_open_device;
    failing_verbs.alloc_pd = fail_alloc_pd;
    failing_verbs.reg_mr = fail_reg_mr;
    failing_verbs.create_cq = fail_create_cq;
    failing_verbs.create_srq = fail_create_srq;
    failing_verbs.create_qp = fail_create_qp;
    failing_verbs.modify_qp = fail_modify_qp;
    verbs->ops = &failing_verbs;
    rdma_opts_init(&opts);
    opts.send_buffers = opts.receive_queue_len = 8;
    opts.buffer_size = 8192;
    return rdma_stack_new(os, verbs, &opts, ret, why, sizeof(why));
}

/* ---- conversations ------------------------------------------------------------------- */

struct story {
    struct fault_talk_opts opts;
    struct fault_talk_result result;
};

static void tell(void *arg)
{
    struct story *s = arg;

    fault_talk(&s->opts, &s->result);
}

static const struct way {
    const char *name;
    int (*make_stack)(struct os *os, struct network_stack **ret);
    enum event_driver_kind driver;
    bool lossless;
} ways[] = {{"tcp, epoll", NULL, DRIVER_EPOLL, false},
            {"tcp, poll", NULL, DRIVER_POLL, true},
            {"tcp, select", NULL, DRIVER_SELECT, false},
            {"tcp, epoll, lossless", NULL, DRIVER_EPOLL, true},
            {"rdma", make_rdma, DRIVER_EPOLL, false},
            {"rdma, lossless", make_rdma, DRIVER_EPOLL, true}};

/* A conversation in which n_fail requests fail from that one on. */
static void converse(uint64_t from, uint64_t n_fail, const struct way *way)
{
    const struct sim_world_opts opts = {.seed = 1,
                                        .call_ns = 50,
                                        .time_max_ns = 3600 * NSEC_PER_SEC,
                                        .loopback = {.latency_ns = 5 * NSEC_PER_USEC}};
    struct sim_world *world = sim_world_new(&opts);
    struct story s = {.opts = {.a = failing_node(world, 1, "a"),
                               .b = failing_node(world, 2, "b"),
                               .make_stack = way->make_stack,
                               .driver = way->driver,
                               .lossless = way->lossless,
                               .whole = true,
                               .messages = 4,
                               .attempts = 12,
                               .patience_ns = 60 * NSEC_PER_SEC}};
    enum sim_verdict verdict;

    fail_from(from, n_fail);
    verdict = sim_world_run(world, tell, &s);
    requests.n_fail = 0;
    ck_assert_msg(verdict == SIM_OK, "%s, request %" PRIu64 " and %" PRIu64 " more, %s: %s",
                  way->name, from, n_fail - 1, requests.last, sim_world_report(world));
    ck_assert_int_eq(sim_node_open_fds(s.opts.a) + sim_node_open_fds(s.opts.b), 0);
    sim_world_free(world);
    ck_assert_msg(s.result.delivered && s.result.sound && s.result.timed_out == 0 &&
                      !s.result.stuck,
                  "%s, request %" PRIu64 " and %" PRIu64
                  " more, %s: %d failed starts, %d dials, %d rebinds, %d lost, %d timed "
                  "out%s",
                  way->name, from, n_fail - 1, requests.last, s.result.failed_starts,
                  s.result.failed_dials, s.result.failed_rebinds, s.result.lost,
                  s.result.timed_out, s.result.stuck ? ", messages wait for ever" : "");
}

static uint64_t count_requests(const struct way *way)
{
    converse(UINT64_MAX, 0, way);
    return requests.made;
}

/* Each alone. In slices, so that one that crashes does not hide the others. */
START_TEST(each_request_alone)
{
    const struct way *way = &ways[(size_t)_i % ARRAY_SIZE(ways)];
    uint64_t n = count_requests(way);

    ck_assert_uint_gt(n, 200);
    for (uint64_t from = 1 + (uint64_t)_i / ARRAY_SIZE(ways); from <= n; from += STRIDE) {
        converse(from, 1, way);
        ck_assert_uint_eq(requests.failed, 1);
    }
}
END_TEST

/* Several in a row: the error path, too, finds nothing. */
START_TEST(some_in_a_row)
{
    const struct way *way = &ways[(size_t)_i % ARRAY_SIZE(ways)];
    uint64_t n = count_requests(way);

    for (uint64_t from = 1 + (uint64_t)_i / ARRAY_SIZE(ways); from <= n; from += STRIDE) {
        converse(from, 2 + from / SLICES % 4, way);
    }
}
END_TEST

/* On Linux, with real threads; its own allocations fail as well. The os is made before and
 * counts at the end what was not given back. */
static uint64_t converse_on_linux(uint64_t from, uint64_t n_fail, bool lossless)
{
    struct fault_talk_opts opts = {.a = os_linux_new(1, "a"),
                                   .b = os_linux_new(2, "b"),
                                   .lossless = lossless,
                                   .whole = true,
                                   .messages = 4,
                                   .attempts = 12,
                                   .patience_ns = 20 * NSEC_PER_SEC};
    struct fault_talk_result r;

    ck_assert(opts.a != NULL && opts.b != NULL);
    fail_from(from, n_fail);
    fault_talk(&opts, &r);
    requests.n_fail = 0;
    os_linux_free(opts.a);
    os_linux_free(opts.b);
    ck_assert_msg(r.delivered && r.sound && r.timed_out == 0 && !r.stuck,
                  "request %" PRIu64 " and %" PRIu64
                  " more, %s: %d failed starts, %d dials, %d rebinds, %d lost, %d timed "
                  "out%s",
                  from, n_fail - 1, requests.last, r.failed_starts, r.failed_dials,
                  r.failed_rebinds, r.lost, r.timed_out,
                  r.stuck ? ", messages wait for ever" : "");
    return requests.made;
}

START_TEST(allocations_on_linux)
{
    uint64_t n = converse_on_linux(UINT64_MAX, 0, _i % 2 == 0);

    ck_assert_uint_gt(n, 100);
    for (uint64_t from = 1 + (uint64_t)_i; from <= n; from += SLICES) {
        converse_on_linux(from, from % 3 == 0 ? 3 : 1, _i % 2 == 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults_alloc");
    TCase *tc = tcase_create("engine");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, each_request_alone, 0, SLICES * (int)ARRAY_SIZE(ways));
    tcase_add_loop_test(tc, some_in_a_row, 0, SLICES * (int)ARRAY_SIZE(ways));
    tcase_add_loop_test(tc, allocations_on_linux, 0, SLICES);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
