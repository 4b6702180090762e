/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fates.c: nodes stand still, die, live again, move and heal, in every order of up to
 * four steps. Each script must end well, by itself, in the time it has: what cannot be done
 * is an error at its line, and nothing waits for somebody who stands still for ever.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/run/run.h"
#include "tests/lib/testlib.h"

#define STEPS_MAX 4

static const char *const steps[] = {
    "a:pause()",   "b:pause()",  "b:resume()", "b:pause '20ms'", "b:kill()",
    "b:restart()", "b:rebind()", "heal()",     "net.cut(a, b)",  "c:send {}",
};

/* The n-th sequence of so many steps; each of them may be an error. */
static void write_script(FILE *file, uint64_t n, int length)
{
    fprintf(file, "local a, b = node 'a', node 'b'\n"
                  "local c = a:connect(b, { policy = 'lossless_peer' })\n"
                  "try_wait(function() return c:is_connected() end)\n");
    for (int i = 0; i < length; i++) {
        fprintf(file, "pcall(function() %s end)\n", steps[n % ARRAY_SIZE(steps)]);
        n /= ARRAY_SIZE(steps);
    }
}

static uint64_t sequences(int length)
{
    uint64_t n = 1;

    while (length-- > 0) {
        n *= ARRAY_SIZE(steps);
    }
    return n;
}

static void run_sequence(const char *path, uint64_t n, int length, const char *stack)
{
    char *err_text;
    size_t err_bytes;
    FILE *script = fopen(path, "w"), *out = tmpfile();
    FILE *err = open_memstream(&err_text, &err_bytes);
    struct run_opts opts = {.script = path,
                            .timeout_ns = 120 * NSEC_PER_SEC,
                            .bare = true,
                            .out = out,
                            .err = err,
                            .world = {.on = "sim", .stack = stack, .title = "test"}};
    struct run_outcome outcome;
    int code;

    write_script(script, n, length);
    fclose(script);
    code = run_scenario(&opts, &outcome);
    fclose(err);
    fclose(out);
    if (code != EXIT_OK) {
        script = open_memstream(&err_text, &err_bytes);
        write_script(script, n, length);
        fclose(script);
    }
    ck_assert_msg(code == EXIT_OK, "%s: exit %d:\n%s", stack, code, err_text);
    run_outcome_fini(&outcome);
    free(err_text);
}

static void run_slice(const char *stack, int length, uint64_t slice, uint64_t slices)
{
    char path[] = "/tmp/test_fates-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    for (uint64_t n = slice; n < sequences(length); n += slices) {
        run_sequence(path, n, length, stack);
    }
    unlink(path);
}

START_TEST(up_to_three_steps)
{
    const char *stack = _i % 2 == 0 ? "tcp" : "rdma";

    run_slice(stack, 1, 0, 1);
    run_slice(stack, 2, 0, 1);
    run_slice(stack, 3, (uint64_t)_i / 2, 4);
}
END_TEST

START_TEST(four_steps)
{
    run_slice("tcp", STEPS_MAX, (uint64_t)_i, 16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fates");
    TCase *tc = tcase_create("fates");

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, up_to_three_steps, 0, 8);
    tcase_add_loop_test(tc, four_steps, 0, 16);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
