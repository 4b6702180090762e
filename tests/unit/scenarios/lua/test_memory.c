/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lua_memory.c: whatever a script keeps, and whatever its metatables answer, it cannot
 * reach memory that is gone: it gets an error that says what is wrong. Under the address
 * sanitizer each of these scripts once was a report.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/run/run.h"
#include "tests/lib/testlib.h"

static char *out_text, *err_text;

static int run_file(const char *file, enum world_kind on)
{
    size_t out_bytes, err_bytes;
    FILE *out = open_memstream(&out_text, &out_bytes);
    FILE *err = open_memstream(&err_text, &err_bytes);
    struct run_opts opts = {.script = file,
                            .timeout_ns = 60 * NSEC_PER_SEC,
                            .out = out,
                            .err = err,
                            .world = {.on = on, .stack = STACK_TCP, .title = "test"}};
    struct run_outcome outcome;
    int code = run_scenario(&opts, &outcome);

    run_outcome_fini(&outcome);
    fclose(out);
    fclose(err);
    return code;
}

/* Two nodes, a connection, and a table that answers every question. */
static const char prelude[] =
    "local a, b = node 'a', node 'b'\n"
    "local c = a:connect(b)\n"
    "local function answering(f, t) return setmetatable(t or {}, { __index = f }) end\n"
    "local n = 0\n"
    "local function fresh(t, k) n = n + 1\n"
    "    return k == 'data' and string.rep(tostring(n), 100000) or nil end\n";

static int run_text(const char *script, enum world_kind on)
{
    char path[] = "/tmp/test_lua_memory-XXXXXX";
    int fd = mkstemp(path), code;
    FILE *file;

    ck_assert_int_ge(fd, 0);
    file = fdopen(fd, "w");
    fprintf(file, "%s%s\n", prelude, script);
    fclose(file);
    free(out_text);
    free(err_text);
    code = run_file(path, on);
    unlink(path);
    return code;
}

static const enum world_kind worlds[] = {WORLD_SIM, WORLD_LINUX};

/* A message that a handler kept is empty afterwards, however the handler ended. */
static const char *const kept[] = {
    "b:on_message(function(m) kept = m; error 'on purpose' end)\n"
    "c:send { data = 100000 }\n"
    "print(pcall(wait, function() return false end, '1s'))\n",
    "b:on_message(function(m) kept = m end)\n"
    "c:send { data = 100000 } wait(function() return kept end)\n",
    "b:on_message(function(m) kept = m; local x = nil; x() end)\n"
    "c:send { data = 100000 }\n"
    "print(pcall(sleep, '1s'))\n",
    "b:on_message(function(m) kept = kept or m\n"
    "    if m ~= kept then print('second', pcall(kept.data, kept)) end end)\n"
    "c:send_many(2, { data = 100000 }) wait(function() return #b:received() == 2 end)\n"
    "sleep '1ms'\n",
    "b:on_message(function(m) kept = m\n"
    "    local t <close> = setmetatable({}, { __close = function() print(#m:data()) end "
    "})\n"
    "    error 'on purpose' end)\n"
    "c:send { data = 100000 }\n"
    "print(pcall(wait, function() return false end, '1s'))\n",
};

START_TEST(kept_messages_are_empty)
{
    static const char *const uses[] = {"data",     "front", "middle", "index", "type",
                                       "priority", "bytes", "from",   "reply"};
    char script[2000];

    for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
        snprintf(script, sizeof(script), "local kept\n%sprint(kept:%s({}))", kept[_i],
                 uses[i]);
        ck_assert_int_eq(run_text(script, worlds[i % 2]), EXIT_SCRIPT);
        ck_assert_msg(strstr(err_text, "lives as long as its handler runs") != NULL, "%s",
                      err_text);
        ck_assert_msg(_i != 3 || strstr(out_text, "second\tfalse") != NULL, "%s", out_text);
        ck_assert_msg(_i != 4 || strstr(out_text, "100000\n") != NULL, "%s", out_text);
    }
}
END_TEST

/* Options with a metatable are refused wherever options are taken. */
static const char *const metatables[] = {
    "c:send(answering(fresh))",
    "c:try_send(answering(fresh))",
    "c:send_many(3, answering(fresh))",
    "a:send(b, answering(fresh))",
    "a:sender_threads(c, 2, 3, answering(fresh))",
    "c:send(answering(function(t, k) if k == 'type' then n = n + 1\n"
    "    if n == 1 then return 'ping' end end end))",
    "c:send(answering(function(t, k) if k == 'priority' then n = n + 1\n"
    "    if n == 1 then return 'low' end end end))",
    "c:send(setmetatable({ data = 10 }, {}))",
    "b:on_message(function(m) m:reply(answering(fresh)) end) c:send {} sleep '1s'",
    "node(answering(fresh, { 'x' }))",
    "node { 'x', policies = answering(fresh) }",
    "node { 'x', throttle = answering(fresh) }",
    "node { 'x', out_queue = answering(fresh) }",
    "node { 'x', backoff = answering(fresh) }",
    "a:connect(b, answering(fresh))",
    "fault.inject(answering(fresh))",
    "fault.drop(answering(fresh))",
    "fault.reset(answering(fresh))",
    "fault.stall(answering(fresh))",
    "fault.accept(answering(function() return 'conn_loss' end))",
    "swarm.pick('x', answering(function() return 1 end, { 1 }))",
    "net.link(a, b, answering(fresh))",
    "net.bottleneck({ a, b }, answering(fresh))",
    "net.clog(a, b, answering(fresh))",
    "net.blackhole(a, b, answering(fresh))",
    "net.filter(a, b, answering(fresh))",
    "net.reset(a, b, answering(fresh))",
    "net.corrupt(a, b, answering(fresh))",
    "net.windows(a, answering(fresh))",
    "net.address(a, answering(fresh))",
    "b:kill(answering(fresh))",
    "b:kill() b:restart(answering(fresh))",
};

START_TEST(metatables_are_refused)
{
    ck_assert_int_eq(run_text(metatables[_i], WORLD_SIM), EXIT_SCRIPT);
    ck_assert_msg(strstr(err_text, "options are a plain table") != NULL, "%s: %s",
                  metatables[_i], err_text);
}
END_TEST

/* What looks like a small number in 32 bits is still a large one. */
START_TEST(numbers_of_messages_are_whole)
{
    ck_assert_int_eq(run_text("c:send {} c:message((1 << 32) + 1)", worlds[_i]),
                     EXIT_SCRIPT);
    ck_assert_msg(strstr(err_text, "there is no number 4294967297") != NULL, "%s",
                  err_text);
    ck_assert_int_eq(run_text("a:send(b, {}) a:message(b, 1 << 32 | 1)", worlds[_i]),
                     EXIT_SCRIPT);
    ck_assert_msg(strstr(err_text, "there is no number 4294967297") != NULL, "%s",
                  err_text);
}
END_TEST

/* What a script says when it is wrong has no address in it, which differs by the run. */
START_TEST(errors_show_no_address)
{
    ck_assert_int_eq(run_text("local _ = net[{}]", WORLD_LINUX), EXIT_SCRIPT);
    ck_assert_msg(strstr(err_text, "net.table needs the simulated world") != NULL, "%s",
                  err_text);
    ck_assert_int_eq(run_text("c:send { [{}] = 1 }", worlds[_i]), EXIT_SCRIPT);
    ck_assert_msg(strstr(err_text, "0x") == NULL, "%s", err_text);
}
END_TEST

/* What is closed on the way out of the script may still call everything. */
START_TEST(closing_may_call)
{
    static const char script[] =
        "local t <close> = setmetatable({}, { __close = function()\n"
        "    c:send { data = 10 } print(#b:received(), c:why())\n"
        "    print(pcall(wait, function() return #b:received() == 1 end))\n"
        "    c:close() print(tostring(c), tostring(b), c:is_connected()) end })\n"
        "expect.delivered(b, 1)\n";
    char ended[1000];

    ck_assert_int_eq(run_text(script, worlds[_i]), EXIT_OK);
    snprintf(ended, sizeof(ended), "%sskip 'enough'", script);
    ck_assert_int_eq(run_text(ended, worlds[_i]), EXIT_OK);
    snprintf(ended, sizeof(ended), "%serror 'on purpose'", script);
    ck_assert_int_eq(run_text(ended, worlds[_i]), EXIT_SCRIPT);
}
END_TEST

/* A handler may still run when the script's last line is behind it. */
START_TEST(handlers_outlive_the_script)
{
    ck_assert_int_eq(run_text("b:on_message(function(m) kept = kept or m\n"
                              "    m:reply { data = 5 } expect.delivered(a, 2) end)\n"
                              "expect.delivered(b, 2)\n"
                              "c:send_many(2, { data = 100 })",
                              worlds[_i]),
                     EXIT_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lua memory");
    TCase *tc = tcase_create("memory");
    int status;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, kept_messages_are_empty, 0, ARRAY_SIZE(kept));
    tcase_add_loop_test(tc, metatables_are_refused, 0, ARRAY_SIZE(metatables));
    tcase_add_loop_test(tc, numbers_of_messages_are_whole, 0, 2);
    tcase_add_loop_test(tc, errors_show_no_address, 0, 2);
    tcase_add_loop_test(tc, closing_may_call, 0, 2);
    tcase_add_loop_test(tc, handlers_outlive_the_script, 0, 2);
    suite_add_tcase(suite, tc);
    status = testlib_run(suite);
    free(out_text);
    free(err_text);
    return status;
}
