/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rdma_faults.c: every fault of the virtual RDMA device happens, and the engine
 * notices it: scenarios/rdma/errors.lua shows each error status and each async event; each
 * fault at each of its first occurrences leaves a stack that starts or says why not, that
 * reconnects, and that leaves nothing behind.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/trace.h"
#include "engine/util.h"
#include "scenarios/run/run.h"
#include "sim/rdma/rdma.h"
#include "stacks/rdma/rdma_stack.h"
#include "tests/lib/testlib.h"

/* ---- what the scenario shows ---- */

static const char *const statuses[] = {
    "LOC_LEN_ERR",   "LOC_QP_OP_ERR",   "LOC_PROT_ERR",      "WR_FLUSH_ERR",
    "BAD_RESP_ERR",  "REM_INV_REQ_ERR", "REM_ACCESS_ERR",    "REM_OP_ERR",
    "RETRY_EXC_ERR", "FATAL_ERR",       "RNR_RETRY_EXC_ERR", "REM_ABORT_ERR",
    "GENERAL_ERR",   "RESP_TIMEOUT_ERR"};
static const char *const events[] = {"CQ_ERR",
                                     "QP_FATAL",
                                     "QP_REQ_ERR",
                                     "QP_ACCESS_ERR",
                                     "COMM_EST",
                                     "SQ_DRAINED",
                                     "PATH_MIG",
                                     "PATH_MIG_ERR",
                                     "DEVICE_FATAL",
                                     "PORT_ACTIVE",
                                     "PORT_ERR",
                                     "LID_CHANGE",
                                     "PKEY_CHANGE",
                                     "SM_CHANGE",
                                     "SRQ_ERR",
                                     "SRQ_LIMIT_REACHED",
                                     "GID_CHANGE",
                                     "QP_LAST_WQE_REACHED",
                                     "CLIENT_REREGISTER",
                                     "unknown event"};

#define IDS_MAX 65536

/* Which strings of the trace are which, and how often the stack recorded them. */
struct shown {
    signed char status[IDS_MAX], event[IDS_MAX]; /* index + 1; 0: another string */
    int n_status[ARRAY_SIZE(statuses)], n_event[ARRAY_SIZE(events)];
};

static signed char index_of(const char *const *list, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], text) == 0) {
            return (signed char)(i + 1);
        }
    }
    return 0;
}

static void see(void *arg, const struct trace_record *record, const struct trace_name *name)
{
    struct shown *s = arg;

    if (name != NULL && name->what == TRACE_NAME_STRING) {
        ck_assert_uint_lt(name->id, IDS_MAX);
        s->status[name->id] = index_of(statuses, ARRAY_SIZE(statuses), name->text);
        s->event[name->id] = index_of(events, ARRAY_SIZE(events), name->text);
    } else if (record != NULL && record->kind == TP_CQE_ERROR) {
        int i = s->status[record->a1 % IDS_MAX];

        ck_assert_int_gt(i, 0); /* no error that RC SEND and RECV do not have */
        s->n_status[i - 1]++;
    } else if (record != NULL && record->kind == TP_ASYNC_EVENT) {
        int i = s->event[record->a0 % IDS_MAX];

        ck_assert_int_gt(i, 0);
        s->n_event[i - 1]++;
    }
}

/* The last runs have rxe: it never says LAST_WQE_REACHED, so nobody waits for that, and a
 * queue pair may be gone before anybody asks for its other events. */
START_TEST(scenario_shows_all)
{
    bool is_rxe = _i >= 6;
    struct shown *shown = calloc(1, sizeof(*shown));
    struct run_opts opts = {.script = "scenarios/rdma/errors.lua",
                            .timeout_ns = 60 * NSEC_PER_SEC,
                            .quiet = true,
                            .world = {.on = WORLD_SIM,
                                      .stack = STACK_RDMA,
                                      .device = is_rxe ? "rxe" : "hca",
                                      .title = "test",
                                      .seed = (uint64_t)_i,
                                      .driver = (enum event_driver_kind)(_i % 3),
                                      .observer = {see, shown}}};
    struct run_outcome outcome;

    ck_assert_msg(run_scenario(&opts, &outcome) == EXIT_OK, "seed %d: %s", _i,
                  outcome.signature);
    ck_assert(!outcome.skipped);
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        ck_assert_msg(shown->n_status[i] > 0, "%s never came", statuses[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        ck_assert_msg(shown->n_event[i] > 0 || is_rxe, "%s never came", events[i]);
    }
    for (int id = 0; id < FAULT_COUNT; id++) {
        const struct fault_info *info = fault_info((enum fault_id)id);

        ck_assert_msg(info->group != 'V' || outcome.fired[id] > 0 ||
                          (is_rxe && id == FAULT_V16_LAST_WQE),
                      "%s never happened", info->name);
    }
    run_outcome_fini(&outcome);
    free(shown);
}
END_TEST

/* ---- each occurrence alone ---- */

static const char story[] =
    "fault.accept { 'conn_loss', 'refused', 'no_resource', 'corrupt' }\n"
    "local a = node { 'a', workers = 1, policy = 'lossy_client',\n"
    "                 backoff = { initial = '5ms', max = '20ms' } }\n"
    "local b = node { 'b', workers = 1, echo = true }\n"
    "a:start() b:start()\n"
    "local f = fault.inject { id = '%s', node = '%s', nth = %d }\n"
    "for i = 1, 3 do\n"
    "    local c = a:connect(b, { anon = true })\n"
    "    pcall(c.send_many, c, 5, { type = 'ping', data = 40000 })\n"
    "    sleep('50ms')\n"
    "    c:close()\n"
    "end\n"
    "f:stop()\n"
    "sleep('2s')\n"
    "if %s then\n"
    "    local c = a:connect(b, { anon = true })\n"
    "    c:send_many(5, { type = 'ping', data = 40000 })\n"
    "    expect.delivered(b, 5):from(c):in_order():exactly_once()\n"
    "end\n";

#define OCCURRENCES 12

/* Faults that happen when a stack is made: see start_fails_cleanly. */
static const enum fault_id of_start[] = {
    FAULT_V01_LIST,  FAULT_V01_OPEN,     FAULT_V02_QUERY,  FAULT_V02_LIMITS,
    FAULT_V03_START, FAULT_V04_MORE_CQE, FAULT_V31_REG_MR,
};

static bool is_of_start(enum fault_id id)
{
    for (size_t i = 0; i < ARRAY_SIZE(of_start); i++) {
        if (of_start[i] == id) {
            return true;
        }
    }
    return false;
}

/* Writes the script, runs it with `opts`, and gives what came out. */
static struct run_outcome run_text(const char *text, struct run_opts *opts)
{
    char path[] = "/tmp/msgrlab-test-XXXXXX";
    struct run_outcome outcome;
    size_t n = strlen(text);
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
    close(fd);
    opts->script = path;
    run_scenario(opts, &outcome);
    unlink(path);
    return outcome;
}

/* How often it fired. */
static uint32_t tell(enum fault_id id, const char *node, int nth)
{
    const struct fault_info *info = fault_info(id);
    bool recovers = (info->consequences & FC_NODE_LOSS) == 0;
    char text[2000];
    struct run_opts opts = {.timeout_ns = 60 * NSEC_PER_SEC,
                            .quiet = true,
                            .world = {.on = WORLD_SIM,
                                      .stack = STACK_RDMA,
                                      .rdma = nth % 2 == 0 ? NULL : "polling_us=0",
                                      .title = "test",
                                      .seed = (uint64_t)nth}};
    struct run_outcome outcome;
    uint32_t fired;

    snprintf(text, sizeof(text), story, info->name, node, nth, recovers ? "true" : "false");
    outcome = run_text(text, &opts);
    ck_assert_msg(outcome.code == EXIT_OK, "%s at %s, occurrence %d: %s", info->name, node,
                  nth, outcome.signature);
    fired = outcome.fired[id];
    run_outcome_fini(&outcome);
    return fired;
}

START_TEST(each_occurrence_alone)
{
    enum fault_id id = (enum fault_id)_i;
    uint32_t all = 0;

    if (fault_info(id)->group != 'V' || is_of_start(id)) {
        return;
    }
    for (int nth = 1; nth <= OCCURRENCES; nth++) {
        all += tell(id, "a", nth) + tell(id, "b", nth);
    }
    ck_assert_msg(all > 0 || id == FAULT_V05_REG_MR, "%s never fired",
                  fault_info(id)->name);
}
END_TEST

/* ---- the stack's own precautions ---- */

/* With one receive, the refusal of one is the end of all completions: the stack must try
 * again by itself. */
START_TEST(refused_receives_are_posted_later)
{
    static const char *const options[] = {
        "receive_queue_len=1", "receive_queue_len=1,polling_us=0",
        "receive_queue_len=1,support_srq=false",
        "receive_queue_len=1,support_srq=false,polling_us=0"};
    uint32_t all = 0;

    for (int nth = 1; nth <= 2 * OCCURRENCES; nth++) {
        char text[1000];
        struct run_opts opts = {.timeout_ns = 60 * NSEC_PER_SEC,
                                .quiet = true,
                                .world = {.on = WORLD_SIM,
                                          .stack = STACK_RDMA,
                                          .rdma = options[_i],
                                          .title = "test",
                                          .seed = (uint64_t)nth}};
        struct run_outcome outcome;

        snprintf(text, sizeof(text),
                 "fault.accept { 'conn_loss', 'refused', 'no_resource' }\n"
                 "local a = node { 'a', workers = 1, policy = 'lossless_peer' }\n"
                 "local b = node { 'b', workers = 1, policy = 'lossless_peer' }\n"
                 "a:start() b:start()\n"
                 "fault.inject { id = 'v08_post_recv', node = 'b', nth = %d, count = 3 }\n"
                 "local c = a:connect(b)\n"
                 "c:send_many(20, { type = 'ping', data = 3000 })\n"
                 "wait(expect.delivered(b, 20):from(c):in_order():exactly_once()"
                 ":within('5s'))\n",
                 nth);
        outcome = run_text(text, &opts);
        ck_assert_msg(outcome.code == EXIT_OK, "%s, occurrence %d: %s", options[_i], nth,
                      outcome.signature);
        all += outcome.fired[FAULT_V08_POST_RECV];
        run_outcome_fini(&outcome);
    }
    ck_assert_uint_gt(all, OCCURRENCES);
}
END_TEST

/* A queue pair that failed gives back what was posted to it, once: nothing is posted to it
 * again, or a device that flushes as fast as we post would keep us busy for ever. */
START_TEST(a_failed_queue_pair_gets_no_receives)
{
    struct run_opts opts = {.timeout_ns = 60 * NSEC_PER_SEC,
                            .quiet = true,
                            .world = {.on = WORLD_SIM,
                                      .stack = STACK_RDMA,
                                      .rdma = "support_srq=false,receive_queue_len=16",
                                      .title = "test",
                                      .seed = (uint64_t)_i}};
    struct run_outcome outcome;

    outcome = run_text(
        "fault.accept { 'conn_loss', 'refused' }\n"
        "local a = node { 'a', workers = 1, policy = 'lossy_client' }\n"
        "local b = node { 'b', workers = 1 }\n"
        "a:start() b:start()\n"
        "local c = a:connect(b)\n"
        "c:send { data = 64 }\n"
        "wait(expect.delivered(b, 1):within('1s'))\n"
        "local f = fault.inject { id = 'v10_send', node = 'a', nth = 1, count = 1 }\n"
        "c:send { data = 64 }\n"
        "wait(function() return f:fired() == 1 and\n"
        "    stats(a, 'rdma').rx_total_wc_errors >= 16 end)\n"
        "sleep '100ms'\n"
        "assert(stats(a, 'rdma').rx_total_wc_errors == 16)\n",
        &opts);
    ck_assert_msg(outcome.code == EXIT_OK, "%s", outcome.signature);
    run_outcome_fini(&outcome);
}
END_TEST

/* Who cannot say its record hears that the peer has left, and dials again. */
START_TEST(a_peer_that_leaves_is_noticed_while_a_record_is_said)
{
    struct run_opts opts = {
        .timeout_ns = 60 * NSEC_PER_SEC,
        .quiet = true,
        .world = {
            .on = WORLD_SIM, .stack = STACK_RDMA, .title = "test", .seed = (uint64_t)_i}};
    struct run_outcome outcome;

    outcome =
        run_text("fault.accept { 'conn_loss', 'refused' }\n"
                 "local a = node { 'a', workers = 1, policy = 'lossy_client',\n"
                 "    backoff = { initial = '5ms', max = '20ms' } }\n"
                 "local b = node { 'b', workers = 1 }\n"
                 "a:start() b:start()\n"
                 "local shut = fault.inject { id = 's07_eagain', node = 'a', nth = 1,\n"
                 "    count = 1, time = '8s' }\n"
                 "local c = a:connect(b)\n"
                 "wait(function() return shut:fired() == 1 end)\n"
                 "sleep '1ms'\n"
                 "b:kill() b:restart()\n"
                 "c:send { data = 64 }\n"
                 "wait(expect.delivered(b, 1):within('1s'))\n",
                 &opts);
    ck_assert_msg(outcome.code == EXIT_OK, "%s", outcome.signature);
    ck_assert_uint_eq(outcome.fired[FAULT_S07_EAGAIN], 1);
    run_outcome_fini(&outcome);
}
END_TEST

/* An address that moves in the table while the port has no link is found again. */
START_TEST(an_address_moves_while_the_port_is_down)
{
    static const char text[] =
        "fault.accept { 'conn_loss', 'refused', 'no_resource' }\n"
        "local a = node { 'a', workers = 1, policy = 'lossless_peer' }\n"
        "local b = node { 'b', workers = 1, policy = 'lossless_peer' }\n"
        "local c = a:connect(b)\n"
        "local port = fault.inject { id = 'v22_port', node = 'b', nth = 1, count = 1,\n"
        "                            time = '100ms' }\n"
        "local gid = fault.inject { id = 'v23_gid', node = 'b', nth = 1, count = 1,\n"
        "                           value = 1, time = '10ms' }\n"
        "c:send_many(20, { type = 'ping', data = 3000 })\n"
        "wait(expect.delivered(b, 20):from(c):in_order():exactly_once():within('60s'))\n"
        "expect.that(port:fired() == 1 and gid:fired() == 1, 'both happened')\n";
    struct run_opts opts = {.timeout_ns = 120 * NSEC_PER_SEC,
                            .quiet = true,
                            .world = {.on = WORLD_SIM,
                                      .stack = STACK_RDMA,
                                      .rdma = "linger_ms=1,timeout=10",
                                      .title = "test",
                                      .seed = (uint64_t)_i}};
    struct run_outcome outcome = run_text(text, &opts);

    ck_assert_msg(outcome.code == EXIT_OK, "seed %d: %s", _i, outcome.signature);
    run_outcome_fini(&outcome);
}
END_TEST

/* Completions that are late are seen before their queue pair goes: LAST_WQE_REACHED says
 * that they are there. Receives whose completions nobody saw would be lost to the SRQ. */
START_TEST(late_completions_are_not_lost)
{
    char text[1000];
    struct run_opts opts = {.timeout_ns = 60 * NSEC_PER_SEC,
                            .quiet = true,
                            .world = {.on = WORLD_SIM,
                                      .stack = STACK_RDMA,
                                      .rdma = "receive_queue_len=2,receive_buffers=3,"
                                              "linger_ms=1,polling_us=0",
                                      .title = "test",
                                      .seed = 1}};
    struct run_outcome outcome;

    snprintf(
        text, sizeof(text),
        "fault.accept { 'conn_loss', 'refused' }\n"
        "local a = node { 'a', workers = 1, policy = 'lossless_peer' }\n"
        "local b = node { 'b', workers = 1, policy = 'lossless_peer' }\n"
        "a:start() b:start()\n"
        "fault.inject { id = 'v18_late', node = 'b', nth = 1, count = 1, time = '50ms' }\n"
        "local c = a:connect(b)\n"
        "sleep('%dus') c:close() sleep('100ms')\n"
        "c = a:connect(b)\n"
        "c:send_many(5, { type = 'ping', data = 3000 })\n"
        "wait(expect.delivered(b, 5):from(c):in_order():exactly_once():within('5s'))\n",
        250 + 10 * _i);
    outcome = run_text(text, &opts);
    ck_assert_msg(outcome.code == EXIT_OK, "closed after %d us: %s", 250 + 10 * _i,
                  outcome.signature);
    run_outcome_fini(&outcome);
}
END_TEST

/* ---- starting ---- */

struct start {
    struct os *os;
    struct sim_faults *faults;
    int err;
    char why[200];
};

static void start_stack(void *arg)
{
    struct start *s = arg;
    struct network_stack *stack;
    struct verbs *verbs;

    CHECK(rdma_verbs_new(s->os, &rdma_hca, &verbs) == 0);
    rdma_faults_set(verbs, s->faults);
    s->err = rdma_stack_new(s->os, verbs, NULL, &stack, s->why, sizeof(s->why));
    if (s->err == 0) {
        network_stack_free(stack);
    }
}

/* A stack made while the fault happens the nth time. True: it did. */
static bool start_once(const struct fault_rule *rule)
{
    const struct sim_world_opts opts = {.seed = 1};
    struct sim_world *world = sim_world_new(&opts);
    struct start s = {.os = sim_world_node(world, 1, "a")};
    const char *name = fault_info(rule->id)->name;
    int number;
    bool fired;

    s.faults = sim_faults_new(sim_world_decisions(world), 1);
    number = sim_faults_add(s.faults, rule);
    ck_assert_int_eq(sim_world_run(world, start_stack, &s), SIM_OK);
    fired = sim_faults_rule_fired(s.faults, number) != 0;
    ck_assert_msg((s.err < 0) == (s.why[0] != '\0'), "%s, occurrence %u: %d, \"%s\"", name,
                  rule->nth, s.err, s.why);
    ck_assert_msg(fired || s.err == 0, "%s, occurrence %u: %s", name, rule->nth, s.why);
    if (fault_info(rule->id)->consequences == FC_DELAY) {
        ck_assert_int_eq(s.err, 0);
    } else if (fired && (rule->id == FAULT_V01_OPEN || rule->id == FAULT_V03_START)) {
        ck_assert_int_lt(s.err, 0);
    }
    ck_assert_int_eq(sim_node_open_fds(s.os), 0);
    sim_world_free(world);
    sim_faults_free(s.faults);
    return fired;
}

/* Whatever fails first, the stack says so, or does without; and nothing is left of it. */
START_TEST(start_fails_cleanly)
{
    struct fault_rule rule = {.id = of_start[_i / 4], .count = 1, .nth = 1};

    rule.value = rule.id == FAULT_V02_LIMITS ? _i % 4 + 1 : 0;
    rule.err = rule.id == FAULT_V01_OPEN ? EACCES : 0;
    while (rule.nth <= 300 && start_once(&rule)) {
        rule.nth++;
    }
    ck_assert_msg(rule.nth > 1, "%s never fired", fault_info(rule.id)->name);
    if (rule.id == FAULT_V03_START) {
        ck_assert_uint_gt(rule.nth, 9); /* PD, channels, CQs, two pools, SRQ, a receive */
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_rdma_faults");
    TCase *tc = tcase_create("engine");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, scenario_shows_all, 0, 8);
    tcase_add_loop_test(tc, each_occurrence_alone, 0, FAULT_COUNT);
    tcase_add_loop_test(tc, refused_receives_are_posted_later, 0, 4);
    tcase_add_loop_test(tc, a_failed_queue_pair_gets_no_receives, 0, 5);
    tcase_add_loop_test(tc, a_peer_that_leaves_is_noticed_while_a_record_is_said, 0, 5);
    tcase_add_loop_test(tc, an_address_moves_while_the_port_is_down, 0, 4);
    tcase_add_loop_test(tc, late_completions_are_not_lost, 0, 10);
    tcase_add_loop_test(tc, start_fails_cleanly, 0, 4 * (int)ARRAY_SIZE(of_start));
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
