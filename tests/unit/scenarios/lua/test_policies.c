/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_policies.c: a node's policy is said once, by the node or by a connection, before or
 * after it runs, and is what the session has; what contradicts it is an error at its line.
 */
#include <string.h>

#include "engine/policy.h"
#include "engine/util.h"
#include "tests/lib/testlib.h"
#include "tests/lib/testscript.h"

/* NULL: nothing is said. */
static const char *const policies[] = {NULL,
                                       "lossy_client",
                                       "lossless_client",
                                       "lossless_peer",
                                       "lossless_peer_reuse",
                                       "stateless_server",
                                       "stateless_registered_server",
                                       "stateful_server"};
/* What the script does between making the nodes and connecting them. */
static const char *const before[] = {"nothing", "link", "start", "addr"};

#define N_POLICIES ((int)ARRAY_SIZE(policies))

static const char script[] =
    "local a = node { 'a', policy = set.a }\n"
    "local b = node { 'b', policy = set.b }\n"
    "if set.before == 'link' then net.link(a, b, { latency = '1ms' }) end\n"
    "if set.before == 'start' then b:start() a:start() end\n"
    "if set.before == 'addr' then b:addr() end\n"
    "local c = a:connect(b, { policy = set.c })\n" /* line 6 */
    "wait(function() return c:is_connected() and #b:connections() == 1 end)\n"
    "print('policies: ' .. c:policy() .. ', ' .. b:connections()[1]:policy())\n";

/* The rules, told once more. */
static const char *expect_dialler(const char *node, const char *connection)
{
    const char *policy = connection != NULL ? connection : node;

    if ((node != NULL && connection != NULL && strcmp(node, connection) != 0) ||
        (policy != NULL && policy_find(policy)->server)) {
        return NULL;
    }
    return policy != NULL ? policy : "lossy_client";
}

static const char *expect_acceptor(const char *node, const char *dialler)
{
    if (node != NULL) {
        return node;
    }
    return strcmp(dialler, "lossy_client") == 0      ? "stateless_server"
           : strcmp(dialler, "lossless_client") == 0 ? "stateful_server"
                                                     : dialler;
}

static void say(struct run_opts *opts, const char *key, const char *value)
{
    if (value != NULL) {
        opts->sets[opts->n_sets++] = (struct setting){.key = key, .value = value};
    }
}

static void check(const char *a, const char *c, const char *b, const char *first)
{
    const char *dialler = expect_dialler(a, c);
    struct run_opts opts = {0};
    struct testscript t;
    char want[100];

    say(&opts, "a", a);
    say(&opts, "b", b);
    say(&opts, "c", c);
    say(&opts, "before", first);
    testscript_run(script, &opts, &t);
    snprintf(want, sizeof(want), "x.lua:6: ");
    if (dialler != NULL) {
        snprintf(want, sizeof(want), "policies: %s, %s\n", dialler,
                 expect_acceptor(b, dialler));
    }
    ck_assert_msg(t.outcome.code == (dialler != NULL ? EXIT_OK : EXIT_SCRIPT) &&
                      strstr(t.said, want) != NULL,
                  "node a %s, connection %s, node b %s, before: %s: wanted %s\n%s", a, c, b,
                  first, want, t.said);
    testscript_fini(&t);
}

/* _i: what is before it * policies + that of node a. */
START_TEST(what_is_said_counts)
{
    for (int c = 0; c < N_POLICIES; c++) {
        for (int b = 0; b < N_POLICIES; b++) {
            check(policies[_i % N_POLICIES], policies[c], policies[b],
                  before[_i / N_POLICIES]);
        }
    }
}
END_TEST

/* Several connections, types and ways to say it: "" goes well, else what is said of which
 * line. */
static const struct {
    const char *text, *says;
} stories[] = {
    /* Once more the same is no contradiction; whoever says another is told of the first. */
    {"local a, b = node 'a', node 'b'\n"
     "a:connect(b, { policy = 'lossless_peer' })\n"
     "a:connect(b, { policy = 'lossless_peer', anon = true })",
     ""},
    {"local a, b, c = node 'a', node 'b', node 'c'\n"
     "a:connect(b, { policy = 'lossy_client' })\n"
     "a:connect(c, { policy = 'lossless_peer' })",
     "x.lua:3: node a treats these peers as lossy_client already"},
    {"local a, b, c = node 'a', node 'b', node 'c'\n"
     "a:connect(b)\n"
     "a:connect(c, { policy = 'lossless_peer' })",
     "x.lua:3: node a treats these peers (of type osd) as lossy_client since"},
    {"local a, b, c = node 'a', node 'b', node 'c'\n"
     "a:connect(b)\n"
     "a:connect(c, { policy = 'lossy_client' })",
     ""},
    /* Each type of peer has its own, and one for all others. */
    {"local a, b, c = node 'a', node 'b', node { 'c', type = 'mon' }\n"
     "a:connect(b, { policy = 'lossy_client' })\n"
     "a:connect(c, { policy = 'lossless_client' })",
     ""},
    {"local a = node { 'a', policy = 'stateless_server', policies = { mon = 'lossy_client' "
     "} }\n"
     "local m = node { 'm', type = 'mon' }\n"
     "a:connect(m)",
     ""},
    {"local a = node { 'a', policy = 'stateless_server', policies = { mon = 'lossy_client' "
     "} }\n"
     "local b = node 'b'\n"
     "a:connect(b)",
     "x.lua:3: connect: node a treats peers of type osd as stateless_server, as"},
    {"local a = node { 'a', policies = { mon = 'lossless_client' } }\n"
     "local m = node { 'm', type = 'mon' }\n"
     "a:connect(m, { policy = 'lossy_client' })",
     "x.lua:3: node a treats these peers as lossless_client already"},
    /* Nobody said what b is: then it cannot be two things. */
    {"local a, b, c = node 'a', node 'b', node 'c'\n"
     "a:connect(b)\n"
     "c:connect(b, { policy = 'lossless_peer' })",
     "x.lua:3: connect: node b treats peers of type osd as stateless_server since"},
    {"local a, b, c = node 'a', node { 'b', policy = 'stateless_server' }, node 'c'\n"
     "a:connect(b)\n"
     "c:connect(b, { policy = 'lossless_peer' })",
     ""},
    {"local a, b, c = node 'a', node 'b', node { 'c', type = 'mon' }\n"
     "a:connect(b)\n"
     "c:connect(b, { policy = 'lossless_peer' })",
     ""},
    /* Who was dialled as a server does not dial; a chain of diallers is none of that. */
    {"local a, b = node 'a', node 'b'\n"
     "a:connect(b)\n"
     "b:connect(a)",
     "x.lua:3: connect: node b treats peers of type osd as stateless_server, as"},
    {"local a, b, c = node 'a', node 'b', node 'c'\n"
     "a:connect(b)\n"
     "c:connect(a)",
     ""},
    {"local a, b = node { 'a', policy = 'lossless_peer' }, node { 'b', policy = "
     "'lossless_peer' }\n"
     "a:connect(b, { policy = 'lossless_peer' })\n"
     "b:connect(a)",
     ""},
    /* Sends by address follow the same rules. */
    {"local a, b = node { 'a', policy = 'lossless_peer' }, node 'b'\n"
     "net.link(a, b, { latency = '1ms' })\n"
     "a:send(b, { front = 'x' })\n"
     "wait(expect.delivered(b, 1))\n"
     "expect.that(b:connections()[1]:policy() == 'lossless_peer', 'the counterpart')",
     ""},
    {"local a, b = node { 'a', policy = 'stateful_server' }, node 'b'\n"
     "a:send(b, { front = 'x' })",
     "x.lua:2: connect: node a treats peers of type osd as stateful_server, as"},
    /* Somebody outside the run. */
    {"local a = node { 'a', policy = 'lossless_client' }\n"
     "local c = a:connect('v2:127.0.0.1:1/0', { type = 'mon' })\n"
     "expect.that(c:policy() == 'lossless_client', 'what the node said')",
     ""},
    {"local a = node { 'a', policy = 'lossless_client' }\n"
     "a:connect('v2:127.0.0.1:1/0', { type = 'mon', policy = 'lossy_client' })",
     "x.lua:2: node a treats these peers as lossless_client already"},
    /* The limits of a node hold for a policy that came late, too. */
    {"local a, b = node 'a', node { 'b', throttle = { messages = 1 } }\n"
     "net.link(a, b, { latency = '1ms' })\n"
     "local c = a:connect(b, { policy = 'lossless_peer' })\n"
     "c:send_many(50, { front = 100 })\n"
     "expect.delivered(b, 50):in_order()",
     ""},
    /* Another life has the same. */
    {"local a, b = node 'a', node 'b'\n"
     "b:start()\n"
     "a:connect(b, { policy = 'lossless_peer' })\n"
     "b:kill()\n"
     "b:restart()\n"
     "local c = a:connect(b, { policy = 'lossless_peer' })\n"
     "wait(function() return c:is_connected() end)\n"
     "expect.that(#b:connections() > 0, 'accepted')\n"
     "for _, d in ipairs(b:connections()) do\n"
     "  expect.that(d:policy() == nil or d:policy() == 'lossless_peer', 'as before')\n"
     "end",
     ""},
};

START_TEST(stories_of_several)
{
    const struct run_opts opts = {0};
    struct testscript t;

    testscript_run(stories[_i].text, &opts, &t);
    if (stories[_i].says[0] == '\0') {
        ck_assert_msg(t.outcome.code == EXIT_OK, "%s\n%s", stories[_i].text, t.said);
    } else {
        ck_assert_msg(t.outcome.code == EXIT_SCRIPT &&
                          strstr(t.said, stories[_i].says) != NULL,
                      "%s\n%s", stories[_i].text, t.said);
    }
    testscript_fini(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policies");
    TCase *tc = tcase_create("policies");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, what_is_said_counts, 0, N_POLICIES * (int)ARRAY_SIZE(before));
    tcase_add_loop_test(tc, stories_of_several, 0, (int)ARRAY_SIZE(stories));
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
