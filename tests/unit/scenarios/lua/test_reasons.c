/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reasons.c: whatever ends a connection, or keeps it from coming up, c:why() says it
 * in a sentence of its own, at both ends, and a run that fails for it lists it.
 */
#include <string.h>

#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testscript.h"

#define FIN "the peer closed the connection"
#define RST "the peer reset the connection"
#define TIMED_OUT "the peer's machine does not answer (ETIMEDOUT)"

#define IDLE "nothing came from the peer for 10 s (idle_timeout)"
#define SIDE "the side channel ended without a FIN"

/* Nodes a and b, then the story, then what their last connections say. */
static const char before[] =
    "fault.accept { 'conn_loss', 'refused', 'no_resource', 'node_loss', 'corrupt' }\n"
    "a = node { 'a', workers = 1, backoff = { initial = '100ms', max = '100ms' },\n"
    "           idle_timeout = set.idle, ready_timeout = '5s' }\n"
    "b = node { 'b', workers = 1, policy = set.policy, message_bytes = set.bytes }\n"
    "function last() return b:connections()[#b:connections()] end\n"
    "function up()\n"
    "  c = a:connect(b)\n"
    "  wait(function() return c:is_connected() and #b:connections() > 0 end)\n"
    "end\n"
    "function over()\n"
    "  wait(function() return not c:is_connected() and not last():is_connected() end, "
    "'2000s')\n"
    "end\n"
    "function fails()\n" /* to come up */
    "  c = c or a:connect(b)\n"
    "  wait(function() return c:why() ~= '' end)\n"
    "end\n"
    "function started() a:start() b:start() end\n"
    "function send(bytes) c:send { data = bytes } over() end\n"
    /* The script has no field for each of these: set.value and set.errno. */
    "function inject(id, node, peer)\n"
    "  return fault.inject { id = id, node = node, peer = peer, value = set.value,\n"
    "                        errno = set.errno, nth = set.nth, time = set.time }\n"
    "end\n";

static const char behind[] =
    "\nprint('a: [' .. c:why() .. ']')\n"
    "print('b: [' .. (last() and last():why() or 'none') .. ']')\n";

struct ending {
    enum stack_kind stack;
    const char *text;
    const char *a, *b; /* what they say; NULL: whatever */
    const char *sets;  /* "key=value key=value": set.key */
};

#define TCP(...)                                                                           \
    {                                                                                      \
        STACK_TCP, __VA_ARGS__                                                             \
    }
#define RDMA(...)                                                                          \
    {                                                                                      \
        STACK_RDMA, __VA_ARGS__                                                            \
    }
#define NONE "none" /* never accepted */

static const struct ending stories[] = {
    /* nothing to say */
    TCP("up()", "", "", ""),
    RDMA("up()", "", "", ""),

    /* one side ends it */
    TCP("up() c:close() over()", "closed by the script", FIN, ""),
    RDMA("up() c:close() over()", "closed by the script", FIN, ""),
    TCP("up() last():close() over()", FIN, "closed by the script", ""),
    TCP("up() b:rebind() over()", FIN, "this side listens at another address now (rebind)",
        ""),
    TCP("up() b:kill() over()", FIN, "its node died", ""),
    RDMA("up() b:kill() over()", SIDE, "its node died", ""),
    RDMA("up() b:kill { how = 'power_loss' } send(1)",
         "RETRY_EXC_ERR: the peer's device does not answer", "its node died", ""),
    TCP("up() over()", IDLE, FIN, "idle=10s"),
    RDMA("up() over()", IDLE, FIN, "idle=10s"),
    TCP("up() send(5000)", FIN, "message too long", "bytes=1000"),
    /* the peer lives again under the same address, and comes back */
    TCP("up() first = last() a:kill { how = 'power_loss' } a:restart { nonce = 'same' }\n"
        "up() wait(function() return not first:is_connected() end)\n"
        "last = function() return first end",
        "", "replaced by a new connection of the same peer",
        "policy=stateless_registered_server"),

    /* the network, of a session */
    TCP("up() net.reset(a, b) over()", RST, RST, ""),
    RDMA("up() net.reset(a, b) over()", "the side channel was reset",
         "the side channel was reset", ""),
    TCP("up() net.reset(a, b, { kind = 'timed_out' }) over()", TIMED_OUT, TIMED_OUT, ""),
    RDMA("up() net.reset(a, b, { kind = 'timed_out' }) over()",
         "the side channel timed out: the peer's machine does not answer",
         "the side channel timed out: the peer's machine does not answer", ""),
    TCP("up() net.corrupt(a, b, { kind = 'bit' }) send(100000)", FIN,
        "preamble crc mismatch", ""),
    RDMA("up() inject('v26_payload', b, a) send(3000)", FIN,
         "segment 3 (data) crc mismatch", "nth=1"),
    TCP("up() net.address(b, { family = 'v4', up = false, reset = true }) over()", NULL,
        "this machine dropped the connection (ECONNABORTED)", ""),
    TCP("up() inject('s06_fin', b) send(3)", FIN, FIN, "nth=1"),
    TCP("up() inject('s06_reset', b) send(3)", FIN, RST, "nth=1"),
    TCP("up() inject('s06_timed_out', b) send(3)", FIN, TIMED_OUT, "nth=1"),
    TCP("up() inject('s07_epipe', a) send(3)", FIN, FIN, "nth=1"),
    TCP("up() inject('s07_reset', a) send(3)", RST, FIN, "nth=1"),
    TCP("up() inject('s07_enobufs', a) send(3)", "no buffers for the socket (ENOBUFS)", FIN,
        "nth=1"),

    /* dials */
    TCP("c = a:connect('v2:127.0.0.1:1/0', { type = 'mon' }) fails()", "connection refused",
        NONE, ""),
    RDMA("c = a:connect('v2:127.0.0.1:1/0', { type = 'mon' }) fails()",
         "connection refused", NONE, ""),
    TCP("started() b:pause() fails()", "handshake took too long", NONE, ""),
    RDMA("started() b:pause() fails()", "handshake took too long", NONE, ""),
    TCP("started() net.corrupt(b, a, { kind = 'bit' }) fails()",
        "no msgr2 banner: the peer speaks an unknown protocol", NONE, ""),
    TCP("started() net.filter(a, b, { kind = 'net_unreachable' }) fails()",
        "no route leads to the peer's network (ENETUNREACH)", NONE, ""),
    TCP("started() net.filter(a, b, { kind = 'host_unreachable' }) fails()",
        "the peer's machine cannot be reached (EHOSTUNREACH)", NONE, ""),
    TCP("started() net.filter(a, b, { kind = 'proto_unreachable' }) fails()",
        "the peer's machine does not speak TCP (ENOPROTOOPT)", NONE, ""),
    TCP("started() net.filter(a, b, { kind = 'accept_reset' }) fails()", RST, NULL, ""),
    TCP("started() inject('s03_ports', a) fails()", "no local port is free (EADDRNOTAVAIL)",
        NONE, ""),
    TCP("started() inject('s01_socket', a) fails()",
        "too many open files in this process (EMFILE)", NONE, "errno=EMFILE"),
    RDMA("started() inject('s01_socket', a) fails()",
         "too many open files in this process (EMFILE)", NONE, "errno=EMFILE"),
    TCP("started() inject('s01_socket', a) fails()",
        "too many open files on this machine (ENFILE)", NONE, "errno=ENFILE"),
    TCP("started() inject('s01_socket', a) fails()", "no memory for the socket (ENOMEM)",
        NONE, "errno=ENOMEM"),
    TCP("started() inject('s01_socket', a) fails()",
        "this machine does not speak IP of that version (EAFNOSUPPORT)", NONE,
        "errno=EAFNOSUPPORT"),
    TCP("started() inject('s04_connect_later', a) fails()", TIMED_OUT, NONE,
        "errno=ETIMEDOUT"),
    RDMA("started() inject('s04_connect_later', a) fails()", TIMED_OUT, NONE,
         "errno=ETIMEDOUT"),
    TCP("started() inject('t01_epoll_ctl', a) fails()", "cannot watch the socket", NONE,
        "errno=ENOSPC nth=1"),

/* the RDMA device, in a session: completions by their number in ibv_wc_status */
#define SENDS(number, text)                                                                \
    RDMA("up() inject('v10_send', a, b) send(3)", text, NULL, "value=" number " nth=1")
#define RECEIVES(number, text)                                                             \
    RDMA("up() inject('v10_recv', b, a) send(3)", NULL, text, "value=" number " nth=1")
    SENDS("1", "LOC_LEN_ERR: a message is longer than its buffer"),
    SENDS("2", "LOC_QP_OP_ERR: the queue pair cannot do what was posted, or a message was "
               "too long"),
    SENDS("4", "LOC_PROT_ERR: a buffer is not registered memory any more"),
    SENDS("7", "BAD_RESP_ERR: the peer's device answered out of order"),
    SENDS("9", "REM_INV_REQ_ERR: the peer's device does not take such a message"),
    SENDS("10", "REM_ACCESS_ERR: the peer's device refused access to its memory"),
    SENDS("11", "REM_OP_ERR: the peer's queue pair failed"),
    SENDS("12", "RETRY_EXC_ERR: the peer's device does not answer"),
    SENDS("13", "RNR_RETRY_EXC_ERR: the peer has no receive buffer, for too long"),
    SENDS("16", "REM_ABORT_ERR: the peer's device gave up"),
    SENDS("19", "FATAL_ERR: the device failed"),
    SENDS("20", "RESP_TIMEOUT_ERR: the peer's device answers too late"),
    SENDS("21", "GENERAL_ERR: the device failed in another way"),
    RECEIVES("1", "LOC_LEN_ERR: a message is longer than its buffer"),
    RECEIVES("4", "LOC_PROT_ERR: a buffer is not registered memory any more"),
    RECEIVES("19", "FATAL_ERR: the device failed"),
/* ... and events: what is flushed for one does not hide it */
#define EVENT(number, text)                                                                \
    RDMA("up() inject('v15_qp', a, b) send(3)", text, SIDE, "value=" number " nth=1")
    EVENT("1", "QP_FATAL: the queue pair failed"),
    EVENT("2", "QP_REQ_ERR: the peer's request is not valid for the queue pair"),
    EVENT("3", "QP_ACCESS_ERR: the peer may not do what it asked for"),
    RDMA("up() inject('v15_srq', b) send(3)", NULL,
         "SRQ_ERR: the shared receive queue failed", "nth=1"),
    RDMA("up() inject('v17_cq', a) send(3)", "CQ_ERR: a completion queue overran", NULL,
         "nth=1"),
    RDMA("up() inject('v18_fails', a) send(3)", "poll_cq failed", NULL, "nth=1"),
    RDMA("up() inject('v24_device', a) send(3)", "DEVICE_FATAL: the RDMA device failed",
         NULL, "nth=1"),
    RDMA("up() inject('v23_gid', a) send(3)",
         "GID_CHANGE: the GID of the connection is gone", NULL, "value=1 nth=1"),
    RDMA("up() inject('v07_post_send', a, b) send(3)", "ibv_post_send failed", NULL,
         "errno=EINVAL nth=1"),

    /* the RDMA device, of a dial */
    RDMA("started() inject('v03_qp', a) fails()",
         "no memory for one more queue pair (ENOMEM)", NONE, "errno=ENOMEM"),
    RDMA("started() inject('v03_qp', a) fails()",
         "the RDMA device has no queue pair left (ENOSPC)", NONE, "errno=ENOSPC"),
    RDMA("started() inject('v06_to_init', a) fails()",
         "the RDMA device refuses one more queue pair (EINVAL)", NONE, "errno=EINVAL"),
    RDMA("started() inject('v06_to_rtr', a) fails()",
         "the queue pair cannot reach the peer", NONE, ""),
    RDMA("started() inject('v06_to_rtr', b) fails()",
         "the peer left during the handshake: does it speak RDMA?", NONE, ""),
    RDMA("up() inject('v22_port', a) c:send { data = 3 } sleep '50ms'\n"
         "c = a:connect(b, { anon = true }) fails()",
         "PORT_ERR: the port of the RDMA device is down", NULL, "time=10s nth=1"),
    RDMA("up() inject('v24_device', a) send(3) c = a:connect(b) fails()",
         "DEVICE_FATAL: the RDMA device failed", NULL, "nth=1"),
};

/* Cuts `text` into words. */
static void take_sets(char *text, struct run_opts *opts)
{
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');

        *value++ = '\0';
        opts->sets[opts->n_sets++] = (struct setting){.key = word, .value = value};
    }
}

START_TEST(both_ends_say_why)
{
    const struct ending *story = &stories[_i];
    struct run_opts opts = {.world = {.stack = story->stack}};
    struct testscript t;
    char text[4000], want[300], sets[100];

    snprintf(sets, sizeof(sets), "%s", story->sets);
    take_sets(sets, &opts);
    snprintf(text, sizeof(text), "%s%s%s", before, story->text, behind);
    testscript_run(text, &opts, &t);
    for (int i = 0; i < 2; i++) {
        const char *why = i == 0 ? story->a : story->b;

        if (why != NULL) {
            snprintf(want, sizeof(want), "%c: [%s]\n", "ab"[i], why);
            ck_assert_msg(strstr(t.said, want) != NULL, "%s: %s: wanted %s%s",
                          stack_kind_names[story->stack], story->text, want, t.said);
        }
    }
    ck_assert_msg(t.outcome.code == EXIT_OK, "%s\n%s", story->text, t.said);
    testscript_fini(&t);
}
END_TEST

/* A run that fails says of each connection that is not up who dials whom, how often it did,
 * in which state it is and why. NULL in `says`: no list. */
static const struct {
    const char *text, *says;
} failures[] = {
    {"local c = node 'a':connect('v2:127.0.0.1:1/0', { type = 'mon' })\n"
     "wait(function() return c:is_connected() end)",
     "x.lua:2: expected: the condition of wait comes true\n"
     "    observed: not within 10 s\n"
     "not connected:\n"
     "    a to v2:127.0.0.1:1/0, 6 dials, will dial again: connection refused\n"},
    {"local a, b = node 'a', node 'b'\n"
     "a:start() b:start() b:pause()\n"
     "local c = a:connect(b)\n"
     "wait(function() return c:is_connected() end, '5s')",
     "    a to b, 1 dial, BANNER_CONNECTING: no answer yet\n"},
    /* connections of which the same is to be said share a line */
    {"local a, b = node 'a', node 'b'\n"
     "a:start() b:start() b:pause()\n"
     "for _ = 1, 5 do a:connect(b, { anon = true }) end\n"
     "wait(expect.delivered(b, 5))",
     "    a to b, 5 of them, 1 dial, will dial again: handshake took too long\n"},
    /* sends by address have no object of the script */
    {"local a, b = node 'a', node 'b'\n"
     "a:start() b:start() b:kill()\n"
     "a:send(b, { data = 3 })\n"
     "wait(expect.delivered(b, 1))",
     "will dial again: connection refused\n"},
    /* the end that knows names itself, and who was at the other */
    {"fault.accept { 'conn_loss' }\n"
     "local a, b = node { 'a', type = 'mon' }, node 'b'\n"
     "local c = a:connect(b)\n"
     "c:send { data = 3 }\n"
     "wait(expect.delivered(b, 1))\n"
     "net.corrupt(a, b, { kind = 'bit' })\n"
     "c:send { data = 30000 }\n"
     "wait(function() return not c:is_connected() end)\n"
     "expect.that(c:is_connected(), 'it is up')",
     "    a to b, over: the peer closed the connection\n"
     "    b from a, over: preamble crc mismatch\n"},
    /* a listener that cannot accept */
    {"fault.accept { 'no_resource' }\n"
     "local a, b = node 'a', node 'b'\n"
     "b:start()\n"
     "fault.inject { id = 's01_accept', node = b, errno = 'EMFILE' }\n"
     "local c = a:connect(b)\n"
     "wait(function() return c:is_connected() end)",
     "    b could not accept, "},
    /* a caller whose handshake is refused knows only that: the other end tells */
    {"fault.accept { 'conn_loss' }\n"
     "local a, b = node 'a', node 'b'\n"
     "a:start() b:start()\n"
     "net.link(a, b, { corrupt = 1 })\n"
     "local c = a:connect(b)\n"
     "wait(function() return c:is_connected() end)",
     "accepted connections before they were sessions; the last: "},
    /* what the script closed, and what is up, is no news */
    {"local a, b = node 'a', node 'b'\n"
     "local c = a:connect(b)\n"
     "wait(function() return c:is_connected() end)\n"
     "expect.that(false, 'something else')",
     NULL},
    {"local a, b = node 'a', node 'b'\n"
     "local c = a:connect(b)\n"
     "wait(function() return c:is_connected() end)\n"
     "c:close()\n"
     "wait(expect.event(b, 'reset', 1))\n"
     "expect.that(false, 'something else')",
     NULL},
};

START_TEST(failed_run_lists_what_is_not_up)
{
    const struct run_opts opts = {0};
    struct testscript t;
    const char *says = failures[_i].says;

    testscript_run(failures[_i].text, &opts, &t);
    ck_assert_int_ne(t.outcome.code, EXIT_OK);
    ck_assert_msg(says != NULL ? strstr(t.said, says) != NULL
                               : strstr(t.said, "not connected") == NULL,
                  "%s\nwanted: %s\n%s", failures[_i].text, says, t.said);
    testscript_fini(&t);
}
END_TEST

/* An address at which one can listen: whoever dials the node finds it. One that nobody can
 * dial is an error at its line, and not dialled for ever. */
static const struct {
    const char *text, *says;
} addresses[] = {
    {"local a, b = node 'a', node { 'b', addr = '0.0.0.0:0' }\n"
     "a:connect(b):send { data = 3 }\n"
     "expect.delivered(b, 1)",
     NULL},
    {"local a, b = node 'a', node { 'b', addr = '[::]:0' }\n"
     "a:connect(b):send { data = 3 }\n"
     "expect.delivered(b, 1)",
     NULL},
    {"node 'a':connect('v2:0.0.0.0:0/0', { type = 'mon' })",
     "x.lua:1: connect: nobody can be called at 'v2:0.0.0.0:0/0': it has no port"},
    {"node 'a':connect('v2:127.0.0.1:0/0', { type = 'mon' })", "it has no port"},
    {"node 'a':connect('v2:0.0.0.0:3300/0', { type = 'mon' })", "call one only"},
    {"node 'a':connect('v2:[::]:3300/0', { type = 'mon' })", "call one only"},
    {"node 'a':connect('v1:127.0.0.1:6789/0', { type = 'mon' })",
     "none of it is a v2 address"},
};

START_TEST(addresses_that_can_be_dialled)
{
    const struct run_opts opts = {0};
    struct testscript t;
    const char *says = addresses[_i].says;

    testscript_run(addresses[_i].text, &opts, &t);
    ck_assert_msg(t.outcome.code == (says == NULL ? EXIT_OK : EXIT_SCRIPT) &&
                      (says == NULL || strstr(t.said, says) != NULL),
                  "%s\n%s", addresses[_i].text, t.said);
    testscript_fini(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reasons");
    TCase *tc = tcase_create("reasons");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, both_ends_say_why, 0, (int)ARRAY_SIZE(stories));
    tcase_add_loop_test(tc, failed_run_lists_what_is_not_up, 0, (int)ARRAY_SIZE(failures));
    tcase_add_loop_test(tc, addresses_that_can_be_dialled, 0, (int)ARRAY_SIZE(addresses));
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
