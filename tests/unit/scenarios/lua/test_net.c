/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net.c: what `net` says of wrong arguments: where, what, and what would be right.
 * What its functions do is told by scenarios/network.lua, which runs here for some seeds.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/run/run.h"
#include "tests/lib/testlib.h"

static char path[] = "/tmp/test_lua_net-XXXXXX";
static char *err_text;
static size_t err_bytes;

static int run_file(const char *file, enum world_kind on, uint64_t seed)
{
    FILE *out = tmpfile(), *err = open_memstream(&err_text, &err_bytes);
    struct run_opts opts = {
        .script = file,
        .timeout_ns = 120 * NSEC_PER_SEC,
        .out = out,
        .err = err,
        .world = {.on = on, .stack = STACK_TCP, .title = "test", .seed = seed}};
    struct run_outcome outcome;
    int code = run_scenario(&opts, &outcome);

    run_outcome_fini(&outcome);
    fclose(out);
    fclose(err);
    return code;
}

static int run_text(const char *script, enum world_kind on)
{
    char copy[sizeof(path)];
    FILE *file;
    int fd, code;

    memcpy(copy, path, sizeof(path));
    fd = mkstemp(copy);
    ck_assert_int_ge(fd, 0);
    file = fdopen(fd, "w");
    fprintf(file, "local a, b, c = node 'a', node 'b', node 'c'\n%s\n", script);
    fclose(file);
    code = run_file(copy, on, 1);
    unlink(copy);
    return code;
}

static const struct {
    const char *script, *says;
} mistakes[] = {
    {"net.lnk(a, b)", "there is no function 'lnk'; did you mean 'link'?"},
    {"net.link(a, a, {})", "net.link: a node and itself; two nodes are needed"},
    {"net.link(a, b, { latncy = 1 })", "did you mean 'latency'?"},
    {"net.link(a, b, { latency = 'soon' })", "a time is like"},
    {"net.link(a, b, { loss = 2 })", "loss is a fraction from 0 to 1"},
    {"net.link(a, b, { loss_burst = 0.5 })", "loss must be more than 0, too"},
    {"net.link(a, b, { queue = 1000 })", "a queue needs a rate"},
    {"net.link(a, b, { jitter_shape = 'round' })", "valid: uniform, exponential, tail"},
    {"net.cut(a)", "bad argument #2"},
    {"net.partition({ a, b })", "at least two groups"},
    {"net.partition({ a, b }, { b })", "node b is named twice"},
    {"net.partition({ a }, {})", "a list of nodes, like { a, b }"},
    {"net.clog(a, b, { port = 70000 })", "port"},
    {"net.blackhole(a, b, { kind = 'rest' })", "did you mean 'reset'?"},
    {"net.blackhole(a, b, { kind = 'accept_reset' })", "there is no kind"},
    {"net.corrupt(a, b, { kind = 'none' })", "there is no kind"},
    {"net.corrupt(a, b, { nth = 0 })", "nth"},
    {"net.address(a, { up = false })", "family is \"v4\" or \"v6\""},
    {"b:start() net.address(a, { family = 'v4', host = 2 })",
     "net.address: host 2: Address already"},
    {"net.pmtu_hole(a, b, -1)", "bytes, 0 to"},
    {"net.swizzle({ a, b }, 'x')", "a time is like"},
};

START_TEST(mistakes_are_explained)
{
    ck_assert_int_eq(run_text(mistakes[_i].script, WORLD_SIM), EXIT_SCRIPT);
    ck_assert_msg(strstr(err_text, mistakes[_i].says) != NULL, "%s: %s",
                  mistakes[_i].script, err_text);
    ck_assert_msg(strstr(err_text, ":2:") != NULL, "no place: %s", err_text);
    free(err_text);
}
END_TEST

/* What only the simulated network can do is an error on the real one. */
START_TEST(linux_has_no_such_network)
{
    ck_assert_int_eq(run_text("net.cut(a, b)", WORLD_LINUX), EXIT_SCRIPT);
    ck_assert_ptr_nonnull(strstr(err_text, "net"));
    free(err_text);
    ck_assert_int_eq(run_text("fault.inject { id = 'l03_loss', node = a }", WORLD_LINUX),
                     EXIT_SCRIPT);
    ck_assert_msg(strstr(err_text, "simulated") != NULL, "%s", err_text);
    free(err_text);
}
END_TEST

START_TEST(the_tour_ends_well)
{
    ck_assert_msg(run_file("scenarios/network.lua", WORLD_SIM, (uint64_t)_i) == EXIT_OK,
                  "%s", err_text);
    free(err_text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lua net");
    TCase *tc = tcase_create("net");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, mistakes_are_explained, 0, ARRAY_SIZE(mistakes));
    tcase_add_test(tc, linux_has_no_such_network);
    tcase_add_loop_test(tc, the_tour_ends_well, 0, 10);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
