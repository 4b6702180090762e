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
/* What a sanitizer slows down too much, all of it, is done in part. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PARTS 11
#else
#define PARTS 1
#endif

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

static int run_file(const char *path, enum stack_kind stack, uint64_t seed, char **ret_text)
{
    size_t bytes;
    FILE *text = open_memstream(ret_text, &bytes);
    struct run_opts opts = {
        .script = path,
        .timeout_ns = 120 * NSEC_PER_SEC,
        .bare = true,
        .out = text,
        .err = text,
        .world = {.on = WORLD_SIM, .stack = stack, .title = "test", .seed = seed}};
    struct run_outcome outcome;
    int code = run_scenario(&opts, &outcome);

    fclose(text);
    run_outcome_fini(&outcome);
    return code;
}

static void run_sequence(const char *path, uint64_t n, int length, enum stack_kind stack)
{
    FILE *script = fopen(path, "w");
    char *text;
    int code;

    write_script(script, n, length);
    fclose(script);
    code = run_file(path, stack, 0, &text);
    if (code != EXIT_OK) {
        fputs(text, stderr);
        write_script(stderr, n, length);
    }
    ck_assert_msg(code == EXIT_OK, "%s: exit code %d", stack_kind_names[stack], code);
    free(text);
}

static void run_slice(enum stack_kind stack, int length, uint64_t slice, uint64_t slices)
{
    char path[] = "/tmp/test_fates-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    for (uint64_t n = slice; n < sequences(length);
         n += slices * (length < 3 ? 1 : PARTS)) {
        run_sequence(path, n, length, stack);
    }
    unlink(path);
}

START_TEST(up_to_three_steps)
{
    enum stack_kind stack = _i % 2 == 0 ? STACK_TCP : STACK_RDMA;

    run_slice(stack, 1, 0, 1);
    run_slice(stack, 2, 0, 1);
    run_slice(stack, 3, (uint64_t)_i / 2, 4);
}
END_TEST

START_TEST(four_steps)
{
    run_slice(STACK_TCP, STEPS_MAX, (uint64_t)_i, 16);
}
END_TEST

/* Threads of the application die with their node, wherever they are, and end with it. */
static const char *const deaths[] = {
    "a:kill()", "b:kill() a:kill()", "a:kill() a:restart()",
    "a:kill() a:restart() a:sender_threads(b, 2, 4, { data = 10 })",
    "b:pause() a:kill() a:restart() a:kill()"};

START_TEST(threads_die_with_their_node)
{
    char path[] = "/tmp/test_fates-XXXXXX", *text;
    int fd = mkstemp(path);
    FILE *script = fdopen(fd, "w");

    fprintf(script,
            "local a, b = node 'a', node 'b'\n"
            "local c = a:connect(b)\n"
            "a:sender_threads(b, 3, 200, { front = ('f'):rep(100), data = tostring(c) })\n"
            "pcall(a.sender_threads, a, c, 3, 200, { data = 100 })\n"
            "sleep(world.seed * 1e-6)\n%s\n",
            deaths[_i]);
    fclose(script);
    for (uint64_t seed = 0; seed < 60; seed++) {
        int code = run_file(path, seed % 2 == 0 ? STACK_TCP : STACK_RDMA, seed, &text);

        ck_assert_msg(code == EXIT_OK, "%s, seed %" PRIu64 ": exit code %d: %s", deaths[_i],
                      seed, code, text);
        free(text);
    }
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fates");
    TCase *tc = tcase_create("fates");

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, up_to_three_steps, 0, 8);
    tcase_add_loop_test(tc, four_steps, 0, 16);
    tcase_add_loop_test(tc, threads_die_with_their_node, 0, (int)ARRAY_SIZE(deaths));
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
