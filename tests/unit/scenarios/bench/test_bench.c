/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bench.c: the messenger is measured, what ib_send_lat and ib_send_bw print is
 * understood, and what they complain about is passed on. The programs themselves run in
 * tests/softroce/t_bench.sh.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenarios/bench/bench.h"
#include "scenarios/bench/perftest.h"
#include "tests/lib/testlib.h"

START_TEST(round_trips_and_messages_are_measured_on_one_connection)
{
    const struct bench_opts opts = {
        .bytes = 3000, .count = 30, .fast_dispatch = _i == 1, .driver = DRIVER_EPOLL};
    double least = -1, rate = -1, mean = -1;
    int fds = testlib_open_fds();

    ck_assert_int_eq(bench_messenger_best(&opts, 100, &least, &rate), 0);
    ck_assert(least > 0 && least < (double)BENCH_LIMIT_NS / 30);
    ck_assert(rate > 100 / 60.0);
    ck_assert_int_eq(bench_messenger_round_trip(&opts, &mean), 0);
    ck_assert(mean > 0 && mean < (double)BENCH_LIMIT_NS / 30);
    ck_assert_int_eq(testlib_open_fds(), fds);
}
END_TEST

/* ---- perftest ---------------------------------------------------------------------- */

#define RULE                                                                               \
    "----------------------------------------------------------------------------\n"

static const char latency[] = RULE
    "                    Send Latency Test\n"
    " Mtu             : 1024[B]\n" RULE
    " #bytes #iterations    t_min[usec]    t_max[usec]  t_typical[usec]    t_avg[usec]    "
    "t_stdev[usec]   99% percentile[usec]   99.9% percentile[usec] \n"
    " 64      300          18.94          254.47       20.91    	       24.64       "
    "	"
    "20.59  		206.62  		254.47 \n" RULE;

static const char head[] = RULE
    " #bytes     #iterations    BW peak[MB/sec]    BW average[MB/sec]   MsgRate[Mpps]\n";

START_TEST(the_least_latency_is_read)
{
    char text[sizeof(latency) + 1], *at;
    double ns = 0;

    ck_assert(perftest_read_latency(latency, &ns));
    ck_assert_double_eq_tol(ns, 18940, 0.001);
    /* What they print when they could not time the processor's counter. */
    strcpy(text, latency);
    at = strstr(text, "18.94");
    memcpy(at, "inf  ", 5);
    ck_assert(!perftest_read_latency(text, &ns));
    memcpy(at, "0.00 ", 5);
    ck_assert(!perftest_read_latency(text, &ns));
    *strstr(text, " 64  ") = '\0';
    ck_assert(!perftest_read_latency(text, &ns));
    ck_assert(!perftest_read_latency("Couldn't connect to 127.0.0.1:18515\n", &ns));
    ck_assert(!perftest_read_latency("", &ns));
    ck_assert_double_eq_tol(ns, 18940, 0.001);
}
END_TEST

/* Small messages by their rate, large ones by their MiB: each has more digits there. */
START_TEST(the_bandwidth_is_read)
{
    char text[1000];
    double rate = 0;

    snprintf(text, sizeof(text),
             "%s 64         300              1.50               1.30   "
             "		   0.021251\n",
             head);
    ck_assert(perftest_read_bandwidth(text, &rate));
    ck_assert_double_eq_tol(rate, 64 * 21251.0, 0.1);
    snprintf(text, sizeof(text),
             "%s 1048576    20               43.40              39.17  "
             "		   0.000039\n",
             head);
    ck_assert(perftest_read_bandwidth(text, &rate));
    ck_assert_double_eq_tol(rate, 39.17 * 1048576, 0.1);
    snprintf(text, sizeof(text), "%s 65536 300 -nan -nan -nan\n", head);
    ck_assert(!perftest_read_bandwidth(text, &rate));
    snprintf(text, sizeof(text), "%s 65536 300 0.00 0.00 0.000000\n", head);
    ck_assert(!perftest_read_bandwidth(text, &rate));
    snprintf(text, sizeof(text), "%s 65536 300 46.32\n", head);
    ck_assert(!perftest_read_bandwidth(text, &rate));
    ck_assert_double_eq_tol(rate, 39.17 * 1048576, 0.1);
}
END_TEST

static const struct perftest opts = {.device = "rxe7", .port_num = 1, .bytes = 64};

/* A program of that name, in a directory of its own that is all of PATH. */
struct program {
    char dir[32], path[100];
};

static void program_init(struct program *p, const char *name, const char *text)
{
    FILE *file;

    snprintf(p->dir, sizeof(p->dir), "/tmp/msgrlab-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/%s", p->dir, name);
    file = fopen(p->path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(p->path, 0700), 0);
    ck_assert_int_eq(setenv("PATH", p->dir, 1), 0);
}

static void program_fini(struct program *p)
{
    ck_assert_int_eq(unlink(p->path), 0);
    ck_assert_int_eq(rmdir(p->dir), 0);
}

START_TEST(a_complaint_is_passed_on)
{
    struct os *os = os_linux_new(1, "test");
    struct program program;
    char why[300] = "";
    double value = -1;

    ck_assert_ptr_nonnull(os);
    program_init(&program, "ib_send_bw",
                 "#!/bin/sh\necho ' Unable to find the device' $3 >&2\n"
                 "echo ' ****'\nexit 1\n");
    ck_assert_int_eq(perftest_latency(os, &opts, &value, why, sizeof(why)), -ENOENT);
    ck_assert_str_eq(why, "no program 'ib_send_lat': install perftest");
    ck_assert_int_eq(perftest_bandwidth(os, &opts, &value, why, sizeof(why)), -EIO);
    ck_assert_str_eq(why, "ib_send_bw did not start: Unable to find the device rxe7");
    ck_assert_double_eq(value, -1);
    program_fini(&program);
    os_linux_free(os);
}
END_TEST

/* Whoever it was that interrupted the measurement: what it started goes with it. */
START_TEST(an_interrupted_measurement_leaves_no_child)
{
    struct program program;
    char path[120], line[32] = "";
    int status = 0;
    pid_t child, grandchild;
    FILE *file = NULL;

    program_init(&program, "ib_send_lat",
                 "#!/bin/sh\necho $$ >$0.pid.new && /bin/mv $0.pid.new $0.pid\n"
                 "exec /bin/sleep 50\n");
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct os *os = os_linux_new(1, "test");
        char why[300];
        double value;

        signal(SIGINT, SIG_DFL);
        _exit(os == NULL || perftest_latency(os, &opts, &value, why, sizeof(why)) == 0);
    }
    snprintf(path, sizeof(path), "%s.pid", program.path);
    while (file == NULL) { /* the time limit of the test is that of this loop */
        usleep(2000);
        file = fopen(path, "r");
    }
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
    fclose(file);
    grandchild = (pid_t)strtol(line, NULL, 10);
    ck_assert_int_gt(grandchild, 1);
    ck_assert_int_eq(kill(child, SIGINT), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    ck_assert_int_eq(waitpid(grandchild, &status, 0), grandchild);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(unlink(path), 0);
    program_fini(&program);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bench");
    TCase *tc = tcase_create("messenger, perftest");

    tcase_add_loop_test(tc, round_trips_and_messages_are_measured_on_one_connection, 0, 2);
    tcase_add_test(tc, the_least_latency_is_read);
    tcase_add_test(tc, the_bandwidth_is_read);
    tcase_add_test(tc, a_complaint_is_passed_on);
    tcase_add_test(tc, an_interrupted_measurement_leaves_no_child);
    tcase_set_timeout(tc, 40);
    suite_add_tcase(suite, tc);
    return testlib_run(suite);
}
