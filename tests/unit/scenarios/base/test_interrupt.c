/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_interrupt.c: Ctrl-C and SIGTERM are noted, what there was before comes back, and who
 * means what with a second one.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenarios/base/interrupt.h"
#include "tests/lib/testlib.h"

static int deaf_to(int number)
{
    struct sigaction now;

    sigaction(number, NULL, &now);
    return now.sa_handler == SIG_IGN;
}

START_TEST(it_is_noted_and_what_was_before_comes_back)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    struct interrupt interrupt;

    signal(numbers[_i], SIG_IGN);
    for (int round = 0; round < 2; round++) {
        interrupt_watch(&interrupt);
        ck_assert(!interrupt_came()); /* also of what came in the round before */
        raise(numbers[_i]);
        ck_assert(interrupt_came());
        interrupt_unwatch(&interrupt);
        ck_assert(deaf_to(numbers[_i]));
    }
}
END_TEST

/* How a process ends that gets the signal twice before it asks. */
static int twice(int number)
{
    struct interrupt interrupt;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        signal(number, SIG_DFL);
        interrupt_watch(&interrupt);
        raise(number);
        raise(number);
        _exit(interrupt_came() ? 42 : 43);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

START_TEST(the_second_ctrl_c_ends_the_process)
{
    int status = twice(SIGINT);

    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}
END_TEST

/* timeout(1) sends it to the program, and then to its group, which the program is in. */
START_TEST(the_second_sigterm_is_the_first_one_again)
{
    int status = twice(SIGTERM);

    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("interrupt");
    TCase *tc = tcase_create("interrupt");

    suite_add_tcase(suite, tc);
    tcase_add_loop_test(tc, it_is_noted_and_what_was_before_comes_back, 0, 2);
    tcase_add_test(tc, the_second_ctrl_c_ends_the_process);
    tcase_add_test(tc, the_second_sigterm_is_the_first_one_again);
    return testlib_run(suite);
}
