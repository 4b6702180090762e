/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_host.c: the Lua host: what a script cannot reach, what it cannot do for ever,
 * and what it is told when it is wrong. Nothing here makes a node.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/keyed.h"
#include "scenarios/lua/args.h"
#include "scenarios/lua/host.h"
#include "scenarios/lab/world.h"
#include "sim/world/world.h"
#include "tests/lib/testlib.h"

static char *printed;
static size_t printed_len;

/* Runs a script; its output is in `printed`, which the next run frees. */
static bool run(struct lua_host *host, const char *script)
{
    bool ok;

    free(printed);
    host->opts.out = open_memstream(&printed, &printed_len);
    ck_assert_ptr_nonnull(host->opts.out);
    ok = lua_host_load(host, script, strlen(script), "some/script.lua") &&
         lua_host_call(host, 0, 0);
    fclose(host->opts.out);
    return ok;
}

static struct lua_host *new_host(void)
{
    struct lua_host_opts opts = {
        .instructions_max = 10000000, .memory_max = 32 << 20, .seed = 42};
    struct lua_host *host = lua_host_new(&opts);

    ck_assert_ptr_nonnull(host);
    return host;
}

static void expect_output(const char *script, const char *output)
{
    struct lua_host *host = new_host();

    ck_assert_msg(run(host, script), "%s: %s", script, host->error);
    ck_assert_str_eq(printed, output);
    lua_host_free(host);
}

/* The error has that text in it. */
static void expect_error(const char *script, const char *text)
{
    struct lua_host *host = new_host();

    ck_assert_msg(!run(host, script), "%s: no error", script);
    ck_assert_msg(strstr(host->error, text) != NULL, "%s: '%s' is not in: %s", script, text,
                  host->error);
    lua_host_free(host);
}

/* What leads out of the sandbox is not there. */
START_TEST(test_nothing_leads_out)
{
    static const char *const gone[] = {
        "io",       "os",   "debug",          "package",     "require",  "dofile",
        "loadfile", "warn", "collectgarbage", "string.dump", "coroutine"};
    char script[100];

    for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
        snprintf(script, sizeof(script), "print(%s)", gone[i]);
        expect_output(script, "nil\n");
    }
}
END_TEST

/* Bytecode is not loaded, neither from a string nor as the script itself. */
START_TEST(test_bytecode_is_refused)
{
    expect_output("print(load('\\27Lua'))",
                  "nil\tattempt to load a binary chunk (mode is 't')\n");
    expect_output("print(load('return 6 * 7')())", "42\n");
    expect_error("\33Lua", "attempt to load a binary chunk");
}
END_TEST

/* pairs goes through numbers, then strings, each in order; next does the same. */
START_TEST(test_pairs_is_sorted)
{
    expect_output("local t = { b = 1, a = 2, [10] = 3, [9] = 4, ['1'] = 5, [2.5] = 6,"
                  "            [math.mininteger] = 7, [2^63] = 8, [math.maxinteger] = 9 }\n"
                  "local s = {}\n"
                  "for k, v in pairs(t) do s[#s + 1] = v end\n"
                  "print(table.concat(s, ' '))\n"
                  "local k, v = next(t)\n"
                  "while k do io = v; k, v = next(t, k) end print(io)",
                  "7 6 4 3 9 8 5 2 1\n1\n");
    expect_output("for k in pairs { 3, 2, 1, x = 1 } do print(k) end", "1\n2\n3\nx\n");
    expect_output("local t = { a = 1, b = 2, c = 3 }\n"
                  "for k in pairs(t) do t.b = nil; print(k) end",
                  "a\nc\n");
    expect_output("print(next {})", "nil\n");
    expect_output(
        "local t = setmetatable({}, { __pairs = function() return next, { z = 1 } "
        "end })\nfor k in pairs(t) do print(k) end",
        "z\n");
}
END_TEST

/* A table with keys that have no order is an error that says so. */
START_TEST(test_pairs_refuses_other_keys)
{
    expect_error("for k in pairs { [{}] = 1 } do end",
                 "some/script.lua:1: a table with a table as key has no order");
    expect_error("for k in pairs { [true] = 1 } do end", "boolean");
    expect_error("next({ [print] = 1 })", "function");
}
END_TEST

/* No address is ever shown. */
START_TEST(test_no_addresses)
{
    expect_output("print({}, print, function() end)", "table\tfunction\tfunction\n");
    expect_output("print(tostring {} == tostring {})", "true\n");
    expect_output("print(string.format('%s %d', {}, 3))", "table 3\n");
    expect_output("print(setmetatable({}, { __name = 'thing' }))", "thing\n");
    expect_output("print(setmetatable({}, { __tostring = function() return 'me' end }))",
                  "me\n");
    expect_error("string.format('%10p', {})", "'%p' shows an address");
    expect_error("string.format('%', 1)", "invalid conversion '%' to 'format'");
    expect_error("print(string.format('%s\\0%p', 'a', 'b'))", "'%p' shows an address");
    expect_output("print(string.format('%d%%\\0%%p', 3) == '3%\\0%p')", "true\n");
}
END_TEST

/* Random numbers depend on the seed alone, fill their interval, and cannot be reseeded. */
START_TEST(test_random_is_keyed)
{
    const char *script = "local s = {} for i = 1, 5 do s[i] = math.random(100) end\n"
                         "print(table.concat(s, ' '), math.random() < 1)";
    struct lua_host *host = new_host();
    char *first;

    ck_assert(run(host, script));
    first = strdup(printed);
    lua_host_free(host);
    expect_output(script, first);
    host = new_host();
    host->opts.seed = 43;
    ck_assert(run(host, script));
    ck_assert_str_ne(printed, first);
    lua_host_free(host);
    free(first);
    expect_output("local seen = {} for i = 1, 1000 do seen[math.random(3, 5)] = true end\n"
                  "for k in pairs(seen) do print(k) end",
                  "3\n4\n5\n");
    expect_output("for i = 1, 100 do math.random(math.mininteger, math.maxinteger) end "
                  "print(math.random(7, 7))",
                  "7\n");
    expect_error("math.random(2, 1)", "interval is empty");
    expect_error("math.randomseed(1)", "comes from --seed");
}
END_TEST

/* table.sort is stable, and calls the comparator in the same order every time. */
START_TEST(test_sort_is_stable)
{
    expect_output("local t = {} for i = 1, 300 do t[i] = { k = i % 3, i = i } end\n"
                  "table.sort(t, function(a, b) return a.k < b.k end)\n"
                  "for i = 2, 300 do assert(t[i-1].k < t[i].k or t[i-1].i < t[i].i) end\n"
                  "print(t[1].i, t[101].i, t[300].i)",
                  "3\t1\t299\n");
    expect_output("local t = { 'b', 'a', 'c' } table.sort(t) print(table.concat(t))",
                  "abc\n");
    expect_output("table.sort({}) table.sort({ 1 }) print 'ok'", "ok\n");
    expect_error("table.sort({ 1, 'x' })", "attempt to compare");
}
END_TEST

/* The collector's timing cannot be watched. */
START_TEST(test_no_finalizers)
{
    expect_error("setmetatable({}, { __gc = function() end })", "'__gc' is not allowed");
    expect_error("setmetatable({}, { __mode = 'k' })", "'__mode' is not allowed");
    expect_error("setmetatable(setmetatable({}, { __metatable = 1 }), {})", "protected");
}
END_TEST

/* An endless loop ends, whatever the script wraps around it. */
START_TEST(test_instruction_limit)
{
    static const char *const loops[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return xpcall(f, f) end while true do f() end",
        "while true do xpcall(error, function() while true do end end) end",
        "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end })\n"
        "while true do pcall(function() return t[1] end) end",
        "local t <close> = setmetatable({}, { __close = function() while true do end end "
        "})\n"
        "while true do end",
        "repeat until not load('while true do end')()"};

    for (size_t i = 0; i < ARRAY_SIZE(loops); i++) {
        struct lua_host *host = new_host();

        ck_assert(!run(host, loops[i]));
        ck_assert_msg(host->stop == LUA_HOST_INSTRUCTION_LIMIT, "%s: %s", loops[i],
                      host->error);
        lua_host_free(host);
    }
    expect_error("while true do end", "more than 10000000 instructions");
}
END_TEST

/* Loops inside functions of C are bounded as well. */
START_TEST(test_loops_in_c_are_bounded)
{
    expect_error("table.move({}, 1, 1 << 60, 2)", "more than 10000000 elements");
    expect_error(
        "table.insert(setmetatable({}, { __len = function() return 0 end }), 1, 1)",
        "a table with a __len of its own cannot be shifted");
    expect_error("table.remove(setmetatable({}, { __len = function() return 0 end }), 1)",
                 "a table with a __len of its own cannot be shifted");
    expect_error("table.concat(setmetatable({}, { __index = tostring, __name = '' }), '', "
                 "1, math.maxinteger)",
                 "more than 10000000 elements");
    expect_error("table.concat(setmetatable({}, { __index = tostring, __name = '', __len = "
                 "function() return 1 << 60 end }))",
                 "more than 10000000 elements");
    expect_error("table.unpack({}, -1 << 60, 1 << 60)", "more than 10000000 elements");
    expect_output("local t = setmetatable({}, { __len = function() return 2 end,"
                  "    __index = function(t, i) return 'x' .. i end })\n"
                  "print(table.concat(t, ' '), table.unpack(t))\n"
                  "print(table.concat({ 1, 2, 3 }, '-', 2), table.unpack({ 1, 2, 3 }, 3),"
                  "    table.concat({ 1, 2 }, ' ', 3), table.unpack({}))",
                  "x1 x2\tx1\tx2\n2-3\t3\t\n");
    expect_error("table.sort(setmetatable({}, { __len = function() return 1 << 60 end }))",
                 "more than 10000000 elements");
    expect_output("print(#string.rep('', 1 << 60))", "0\n");
    expect_output("local t = { 1, 2 } table.insert(t, 3) print(table.concat(t), "
                  "table.unpack(t))",
                  "123\t1\t2\t3\n");
}
END_TEST

/* What functions of C visit counts as instructions. */
START_TEST(test_work_in_c_counts)
{
    static const char *const loops[] = {
        "local t = {} for i = 1, 10000 do t[i] = i end\nfor i = 1, 10000 do next(t) end",
        "local t = {} for i = 1, 10000 do t[i] = i end\nfor i = 1, 10000 do pairs(t) end",
        "local t = {} for i = 1, 10000 do t[i] = i end\n"
        "for i = 1, 10000 do table.sort(t) end",
        "local t = {} for i = 1, 10000 do t[i] = '' end\n"
        "for i = 1, 10000 do table.concat(t) end",
        "local t = {} for i = 1, 10000 do t[i] = i end\n"
        "for i = 1, 10000 do table.move(t, 1, #t, 1) end",
        "local t = {} for i = 1, 10000 do t[i] = i end\n"
        "for i = 1, 10000 do table.insert(t, 1, i) end"};

    for (size_t i = 0; i < ARRAY_SIZE(loops); i++) {
        expect_error(loops[i], "more than 10000000 instructions");
    }
}
END_TEST

static void recurse_for_ever(void *arg)
{
    static const char *const deep[] = {
        "local function f() return (string.gsub('aaa', 'a', f)) end f()",
        "local function f() table.sort({ 3, 2, 1 }, f) return true end f()",
        "local m = {} m.__tostring = function(x) return string.format('%s', x) end\n"
        "tostring(setmetatable({}, m))",
        "local m = {} m.__index = function(t, k) return table.concat(t, '', 1, 1) end\n"
        "print(setmetatable({}, m)[1])",
        "local m = {} m.__tostring = function(x) print(x) end\n"
        "print(setmetatable({}, m))",
        "local m = {} m.__pairs = function(x) return pairs(x) end\n"
        "pairs(setmetatable({}, m))",
        "local function f() return f() + 1 end f()",
        "load(string.rep('(', 300) .. '1' .. string.rep(')', 300))()"};

    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(deep); i++) {
        struct lua_host *host = new_host();

        host->opts.instructions_max = 100000000;
        ck_assert_msg(!run(host, deep[i]), "%s: no error", deep[i]);
        ck_assert_int_eq(host->stop, LUA_HOST_RUNNING);
        lua_host_free(host);
    }
    expect_output("local function f() return pcall(f) end print((f()))\n"
                  "local function g() return xpcall(g, g) end print((g()))",
                  "true\ntrue\n");
}

/* Whatever calls itself for ever, through functions of C that have much on their stack, is
 * an error and not the end of the stack: also of a virtual thread's. */
START_TEST(test_deep_recursion)
{
    const struct sim_world_opts opts = {.seed = 1, .stack_bytes = WORLD_STACK_BYTES};
    struct sim_world *world = sim_world_new(&opts);

    recurse_for_ever(NULL);
    ck_assert_int_eq(sim_world_run(world, recurse_for_ever, NULL), SIM_OK);
    sim_world_free(world);
}
END_TEST

/* A memory bomb hits the limit; what was used before is given back. */
START_TEST(test_memory_limit)
{
    struct lua_host *host = new_host();

    ck_assert(!run(host, "local s = 'x' while true do s = s .. s end"));
    ck_assert_ptr_nonnull(strstr(host->error, "memory limit"));
    ck_assert_uint_le(host->memory_peak, 32 << 20);
    ck_assert(run(host, "print(pcall(string.rep, 'x', 1 << 30))"));
    lua_host_free(host);
    expect_error("local t = {} for i = 1, 1e9 do t[i] = i end", "memory limit");
}
END_TEST

static bool stop_at_once(void *arg)
{
    (void)arg;
    return true;
}

/* Whoever runs the script can stop it. */
START_TEST(test_stopping)
{
    struct lua_host *host = new_host();

    host->opts.is_stopped = stop_at_once;
    ck_assert(!run(host, "while true do pcall(function() while true do end end) end"));
    ck_assert_int_eq(host->stop, LUA_HOST_STOPPED);
    lua_host_free(host);
}
END_TEST

/* An error names file and line, and the lines of the script that led there. */
START_TEST(test_errors_have_a_place)
{
    expect_error("\n\nlocal x = = 1", "some/script.lua:3: unexpected symbol near '='");
    expect_error("local function f() error('boom') end\nlocal x = f()\n",
                 "some/script.lua:1: boom\n  at some/script.lua:1 in 'f'\n"
                 "  at some/script.lua:2");
    expect_error("\nerror({})",
                 "some/script.lua:2: error with a table instead of a message");
    expect_error("\nerror()", "some/script.lua:2: error with a nil instead of a message");
    expect_error("\nstring.format('%d', 'x')",
                 "some/script.lua:2: bad argument #2 to 'format'");
    expect_error("\ntable.concat({ {} })", "some/script.lua:2: invalid value");
    expect_error("local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) "
                 "return t[k] end\nreturn t.x",
                 "some/script.lua:1: C stack overflow");
}
END_TEST

/* A long path is shown whole, though Lua itself cuts it. */
START_TEST(test_long_names)
{
    struct lua_host *host = new_host();
    char name[200];

    memset(name, 'd', sizeof(name));
    memcpy(name + sizeof(name) - 7, "/x.lua", 7);
    ck_assert(lua_host_load(host, "\nerror 'x'", 10, name));
    ck_assert(!lua_host_call(host, 0, 0));
    ck_assert_int_eq(strncmp(host->error, name, strlen(name)), 0);
    ck_assert_int_eq(strncmp(host->error + strlen(name), ":2: x", 5), 0);
    lua_host_free(host);
}
END_TEST

/* A first line for the shell is not part of the script, but counts as a line. */
START_TEST(test_first_line_for_the_shell)
{
    expect_output("#!/usr/bin/env x\nprint 'here'", "here\n");
    expect_error("#!x\nerror 'x'", "some/script.lua:2: x");
    expect_output("\xef\xbb\xbfprint 'here'", "here\n");
    expect_error("\xef\xbb\xbf#!x\r\nerror 'x'\r\n", "some/script.lua:2: x");
    expect_error("\xef\xbbprint 'here'", "some/script.lua:1: ");
    expect_output("#", "");
}
END_TEST

static const char *const keys[] = {"workers", "driver"};

static int take_options(lua_State *L)
{
    args_table(L, 1, "thing", keys, ARRAY_SIZE(keys), 1);
    lua_pushinteger(L, args_integer(L, 1, "thing", "workers", 3, 1, 24));
    lua_pushinteger(L, (lua_Integer)args_duration(L, 1, "thing", "driver", 7));
    return 2;
}

static bool with_options(struct lua_host *host, const char *script)
{
    lua_pushcfunction(host->L, take_options);
    lua_setglobal(host->L, "thing");
    return run(host, script);
}

/* Tables of options: unknown keys and wrong values are errors that say what is right. */
START_TEST(test_options)
{
    static const struct {
        const char *script, *error;
    } wrong[] = {
        {"thing { worker = 1 }",
         "some/script.lua:1: thing: there is no option 'worker'; did you mean 'workers'? "
         "valid: workers, driver"},
        {"thing { 'a', 'b' }", "the value at [2] has no name"},
        {"thing { workers = 0 }", "workers is a whole number from 1 to 24"},
        {"thing { workers = 1.5 }", "workers is a whole number"},
        {"thing { workers = '3' }", "workers is a whole number"},
        {"thing { driver = '5 weeks' }", "a time is like"},
        {"thing 'x'", "options are a table"},
        {"thing { [{}] = 1 }", "the value at [table] has no name"},
        {"thing(setmetatable({}, { __index = { workers = 2 } }))",
         "some/script.lua:1: thing: options are a plain table; this one has a metatable"},
        {"thing(setmetatable({ workers = 2 }, {}))", "options are a plain table"},
    };
    struct lua_host *host = new_host();

    ck_assert(with_options(host, "print(thing {})\nprint(thing())\n"
                                 "print(thing { 'a', workers = 4, driver = '1.5ms' })\n"
                                 "print(thing { driver = 2 })"));
    ck_assert_str_eq(printed, "3\t7\n3\t7\n4\t1500000\n3\t2000000000\n");
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        ck_assert(!with_options(host, wrong[i].script));
        ck_assert_msg(strstr(host->error, wrong[i].error) != NULL, "%s", host->error);
    }
    lua_host_free(host);
}
END_TEST

/* Payload patterns: a byte that is not in its place is seen, and where. */
START_TEST(test_patterns_name_their_origin)
{
    uint8_t buf[1003], other[1003];

    keyed_fill(5, 0, buf, sizeof(buf));
    for (size_t len = 0; len <= sizeof(buf); len += 59) {
        ck_assert_uint_eq(keyed_mismatch(5, 0, buf, len), len);
    }
    ck_assert_uint_lt(keyed_mismatch(6, 0, buf, sizeof(buf)), 8);
    ck_assert_uint_lt(keyed_mismatch(5, 1, buf, sizeof(buf)), 8);
    for (size_t at = 0; at < sizeof(buf); at += 101) {
        memcpy(other, buf, sizeof(buf));
        other[at] ^= 1;
        ck_assert_uint_eq(keyed_mismatch(5, 0, other, sizeof(other)), at);
    }
    memmove(buf, buf + 8, sizeof(buf) - 8);
    ck_assert_uint_lt(keyed_mismatch(5, 0, buf, sizeof(buf) - 8), 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lua_host");
    TCase *sandbox = tcase_create("sandbox"), *limits = tcase_create("limits"),
          *errors = tcase_create("errors");
    int status;

    tcase_add_test(sandbox, test_nothing_leads_out);
    tcase_add_test(sandbox, test_bytecode_is_refused);
    tcase_add_test(sandbox, test_pairs_is_sorted);
    tcase_add_test(sandbox, test_pairs_refuses_other_keys);
    tcase_add_test(sandbox, test_no_addresses);
    tcase_add_test(sandbox, test_random_is_keyed);
    tcase_add_test(sandbox, test_sort_is_stable);
    tcase_add_test(sandbox, test_no_finalizers);
    tcase_add_test(limits, test_instruction_limit);
    tcase_add_test(limits, test_loops_in_c_are_bounded);
    tcase_add_test(limits, test_work_in_c_counts);
    tcase_add_test(limits, test_deep_recursion);
    tcase_add_test(limits, test_memory_limit);
    tcase_add_test(limits, test_stopping);
    tcase_add_test(errors, test_errors_have_a_place);
    tcase_add_test(errors, test_long_names);
    tcase_add_test(errors, test_first_line_for_the_shell);
    tcase_add_test(errors, test_options);
    tcase_add_test(errors, test_patterns_name_their_origin);
    suite_add_tcase(suite, sandbox);
    suite_add_tcase(suite, limits);
    suite_add_tcase(suite, errors);
    status = testlib_run(suite);
    free(printed);
    return status;
}
