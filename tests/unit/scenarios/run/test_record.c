/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_record.c: a run can be called many times in a process and says how it ended; its
 * record is read back as it was written and gives the very same run again; every damage to
 * a record is found, and its line is said.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/run/record.h"
#include "scenarios/cli/run_cli.h"
#include "scenarios/run/run_defaults.h"
#include "tests/lib/testlib.h"

#ifdef __SANITIZE_THREAD__ /* ten times slower */
#define SEEDS 20
#elif defined(__SANITIZE_ADDRESS__)
#define SEEDS 50
#else
#define SEEDS 200
#endif

/* ---- runs ---- */

static struct run_opts sim_opts(const char *script, uint64_t seed)
{
    struct run_opts opts;

    run_defaults(&opts);
    opts.script = script;
    opts.world.stack = STACK_TCP;
    opts.world.title = "test";
    opts.world.seed = seed;
    opts.quiet = true;
    return opts;
}

/* A script in a file of its own; the path is good until the next call. */
static const char *script_of(const char *text)
{
    static char path[64];
    FILE *file;
    int fd;

    strcpy(path, "/tmp/script.XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    file = fdopen(fd, "w");
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static void assert_same(const struct run_outcome *a, const struct run_outcome *b,
                        const char *script, uint64_t seed)
{
    ck_assert_msg(trace_hash_equal(&a->hash, &b->hash) && a->schedule == b->schedule &&
                      a->points == b->points && a->virtual_ns == b->virtual_ns &&
                      a->messages == b->messages && a->code == b->code &&
                      strcmp(a->signature, b->signature) == 0,
                  "%s, seed %llu: another run", script, (unsigned long long)seed);
}

static const char *const replayed[] = {"scenarios/hello.lua", "scenarios/partition.lua",
                                       "scenarios/priorities.lua",
                                       "tests/interop/sim/close_storm.lua"};

/* All that is not "nothing special" is in the log: it gives the run again, without the
 * seed's choices; whatever the schedule, and with all that a profile does. */
START_TEST(a_log_gives_the_run_again)
{
    const char *script = replayed[_i];

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct run_opts opts = sim_opts(script, seed);
        struct run_outcome first, again;

        opts.world.schedule = seed % 3 == 0 ? "pct" : seed % 3 == 1 ? "random" : NULL;
        opts.world.profile = seed % 3 == 2 ? "chaos" : NULL;
        opts.log = true;
        run_scenario(&opts, &first);
        ck_assert(first.hashed && !first.poisoned);
        ck_assert_ptr_nonnull(first.decisions);
        opts.world.decisions = first.decisions;
        run_scenario(&opts, &again);
        assert_same(&first, &again, script, seed);
        ck_assert_str_eq(first.decisions, again.decisions);
        run_outcome_fini(&first);
        run_outcome_fini(&again);
    }
}
END_TEST

/* A run leaves nothing behind that another one would notice: descriptors, memory (the
 * sanitizer looks), state. */
START_TEST(runs_do_not_know_of_each_other)
{
    struct run_opts hello = sim_opts("scenarios/hello.lua", 5);
    struct run_outcome first, between, again;
    int fds;

    run_scenario(&hello, &first);
    fds = testlib_open_fds();
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct run_opts other = sim_opts("scenarios/partition.lua", seed);

        ck_assert_int_eq(run_scenario(&other, &between), EXIT_OK);
        run_outcome_fini(&between);
    }
    run_scenario(&hello, &again);
    ck_assert_int_eq(testlib_open_fds(), fds);
    assert_same(&first, &again, hello.script, 5);
    ck_assert_uint_eq(first.messages, 10);
    run_outcome_fini(&first);
    run_outcome_fini(&again);
}
END_TEST

/* The trace as a file, in no file, or no trace: the run is the same. */
START_TEST(recording_does_not_change_a_run)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct run_opts opts = sim_opts("scenarios/partition.lua", seed);
        struct run_outcome with, without;

        run_scenario(&opts, &with);
        opts.world.no_trace = true;
        run_scenario(&opts, &without);
        ck_assert(with.hashed && !without.hashed);
        ck_assert_uint_gt(with.records, 0);
        without.hash = with.hash;
        assert_same(&with, &without, opts.script, seed);
        run_outcome_fini(&with);
        run_outcome_fini(&without);
    }
}
END_TEST

/* What a script prints and what is said about it goes where the caller wants it. */
START_TEST(output_goes_where_it_is_wanted)
{
    const char *path = script_of("print('hello'); expect.that(1 == 2, 'one is two')");
    struct run_opts opts = sim_opts(path, 1);
    struct run_outcome outcome;
    char *out = NULL, *err = NULL;
    size_t out_len, err_len;

    opts.quiet = false;
    opts.out = open_memstream(&out, &out_len);
    opts.err = open_memstream(&err, &err_len);
    ck_assert_int_eq(run_scenario(&opts, &outcome), EXIT_EXPECTATION);
    fclose(opts.out);
    fclose(opts.err);
    ck_assert_ptr_nonnull(strstr(out, "hello\n"));
    ck_assert_ptr_nonnull(strstr(out, "result        FAILED\n"));
    ck_assert_ptr_nonnull(strstr(err, "one is two"));
    free(out);
    free(err);
    run_outcome_fini(&outcome);
    unlink(path);
}
END_TEST

/* A failure has a name that begins with its class and does not depend on the seed. */
static const struct {
    const char *script, *class_;
    int code;
} failures[] = {
    {"expect.that(1 == 2, 'one is two')", "expectation ", EXIT_EXPECTATION},
    {"local a, b = node 'a', node 'b'\nlocal c = a:connect(b)\n"
     "expect.delivered(b, 3):within('1s')\nc:send { front = 10 }",
     "expectation ", EXIT_EXPECTATION},
    {"x = nil + 1", "script ", EXIT_SCRIPT},
    {"syntax error here", "script ", EXIT_SCRIPT},
    {"while true do end", "script ", EXIT_SCRIPT},
    {"sleep '90s'", "timeout ", EXIT_TIMEOUT},
    {"node 'a':connect('v2:10.9.9.9:1/0', { type = 'mon' }) skip 'no'", "", EXIT_OK},
};

START_TEST(a_failure_has_a_name)
{
    const char *path = script_of(failures[_i].script);
    struct run_outcome outcome[3];

    for (uint64_t seed = 0; seed < 3; seed++) {
        struct run_opts opts = sim_opts(path, seed);

        opts.instructions_max = 200000;
        ck_assert_int_eq(run_scenario(&opts, &outcome[seed]), failures[_i].code);
        ck_assert_int_eq(outcome[seed].code, failures[_i].code);
        ck_assert_msg(strncmp(outcome[seed].signature, failures[_i].class_,
                              strlen(failures[_i].class_)) == 0,
                      "%s", outcome[seed].signature);
        ck_assert_int_eq(outcome[seed].signature[0] == '\0', failures[_i].code == EXIT_OK);
        ck_assert_str_eq(outcome[seed].signature, outcome[0].signature);
        ck_assert(!outcome[seed].poisoned);
    }
    for (int i = 0; i < 3; i++) {
        run_outcome_fini(&outcome[i]);
    }
    unlink(path);
}
END_TEST

/* Decisions that cannot be are an error, not a run. */
START_TEST(bad_decisions_are_refused)
{
    struct run_opts opts = sim_opts("scenarios/hello.lua", 1);
    struct run_outcome outcome;

    opts.world.decisions = "preempt main 1 1\nno such thing\n";
    ck_assert_int_eq(run_scenario(&opts, &outcome), EXIT_FILE);
    ck_assert_str_eq(outcome.signature, "file");
    run_outcome_fini(&outcome);
    opts = sim_opts("scenarios/nothing.lua", 1);
    ck_assert_int_eq(run_scenario(&opts, &outcome), EXIT_FILE);
    run_outcome_fini(&outcome);
}
END_TEST

/* ---- records ---- */

static struct record parse_good(const char *text)
{
    struct record record;
    char why[300] = "";

    ck_assert_msg(record_parse("x.rec", text, strlen(text), &record, why, sizeof(why)) == 0,
                  "%s", why);
    return record;
}

/* What a run is remembered by is read back, field by field, and can be written again. */
START_TEST(a_record_is_read_as_it_was_written)
{
    struct run_opts opts = sim_opts("dir with space/a script.lua", UINT64_MAX), back = {0};
    struct run_outcome outcome = {.code = EXIT_EXPECTATION,
                                  .signature = "expectation x.lua:3 one is two",
                                  .hashed = true,
                                  .hash = {.high = 1, .low = 2},
                                  .script = {.high = 3, .low = 4}};
    char decisions[] =
        "preempt a/msgr-worker-0 17 2\njitter a>b.1 3 18446744073709551615\n";
    struct record made, read;
    char *text, *again, why[300];

    opts.world.schedule = "pct";
    opts.world.profile = "lite";
    opts.world.driver = DRIVER_SELECT;
    opts.timeout_ns = 1234567890123ULL;
    opts.instructions_max = 77;
    opts.sets[opts.n_sets++] = (struct setting){.key = "n", .value = "5"};
    opts.sets[opts.n_sets++] = (struct setting){.key = "text", .value = "a = b, c"};
    opts.sets[opts.n_sets++] = (struct setting){.key = "empty", .value = ""};
    outcome.decisions = decisions;
    record_of_run(&opts, &outcome, &made);
    text = record_format(&made);
    ck_assert_ptr_nonnull(text);
    read = parse_good(text);
    again = record_format(&read);
    ck_assert_str_eq(text, again);
    ck_assert_int_eq(record_to_opts(&read, &back, why, sizeof(why)), 0);
    ck_assert_str_eq(back.script, opts.script);
    ck_assert_uint_eq(back.world.seed, UINT64_MAX);
    ck_assert_str_eq(back.world.schedule, "pct");
    ck_assert_str_eq(back.world.profile, "lite");
    ck_assert_int_eq(back.world.driver, DRIVER_SELECT);
    ck_assert_str_eq(back.world.decisions, decisions);
    ck_assert_uint_eq(back.timeout_ns, opts.timeout_ns);
    ck_assert_uint_eq(back.instructions_max, 77);
    ck_assert_int_eq(back.n_sets, 3);
    ck_assert_str_eq(back.sets[1].value, "a = b, c");
    ck_assert_str_eq(back.sets[2].value, "");
    ck_assert_int_eq(read.code, EXIT_EXPECTATION);
    ck_assert_str_eq(read.outcome, outcome.signature);
    ck_assert_uint_eq(read.n_decisions, 2);
    ck_assert(read.hashed && trace_hash_equal(&read.hash, &outcome.hash));
    ck_assert(trace_hash_equal(&read.script_hash, &outcome.script));
    free(text);
    free(again);
    record_fini(&read);
}
END_TEST

/* The file appears whole, replaces a record, and never anything else. */
START_TEST(a_record_file_is_written_safely)
{
    struct run_opts opts = sim_opts("scenarios/hello.lua", 3);
    struct run_outcome outcome = {0};
    struct record made, read;
    char dir[] = "/tmp/record.XXXXXX", path[64], why[300];
    FILE *file;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.rec", dir);
    record_of_run(&opts, &outcome, &made);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(record_write(path, &made, why, sizeof(why)), 0);
        ck_assert_int_eq(record_read(path, &read, why, sizeof(why)), 0);
        ck_assert_uint_eq(read.seed, 3);
        ck_assert(!read.log);
        record_fini(&read);
    }
    file = fopen(path, "w");
    ck_assert_int_ge(fputs("a letter\n", file), 0);
    fclose(file);
    ck_assert_int_eq(record_write(path, &made, why, sizeof(why)), -EEXIST);
    ck_assert_ptr_nonnull(strstr(why, "is no record"));
    ck_assert_int_lt(record_read(path, &read, why, sizeof(why)), 0);
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing temporary is left */
    ck_assert_int_eq(record_write(path, &made, why, sizeof(why)), -ENOENT);
    ck_assert_int_eq(record_read(path, &read, why, sizeof(why)), -ENOENT);
    ck_assert_int_eq(record_read("/tmp", &read, why, sizeof(why)), -EISDIR);
    opts.script = "a\nb.lua";
    record_of_run(&opts, &outcome, &made);
    ck_assert_ptr_null(record_format(&made));
}
END_TEST

#define HEADER                                                                             \
    "msgrlab decisions 1\nscript x.lua\nseed 7\non sim\nstack tcp\ndriver epoll\n"         \
    "timeout 60s\ncode 0\noutcome ok\n"

/* Each with where it is wrong and what is said. */
static const struct {
    const char *text, *says;
} damages[] = {
    {"", "x.rec:1: this is no record"},
    {"hello\n", "x.rec:1: this is no record"},
    {"msgrlab decisions 2\n",
     "x.rec:1: a record of version 2; this program knows version 1"},
    {"msgrlab decisions x\n", "x.rec:1: this is no record"},
    {"msgrlab decisions 1", "x.rec:1: this is no record"},
    {"msgrlab decisions 1\n", "x.rec:2: the file ends within the header"},
    {HEADER, "x.rec:10: the file ends within the header"},
    {HEADER "\nend 0\n", "x.rec:10: the header has no 'log'"},
    {"msgrlab decisions 1\n\nend 0\n", "x.rec:2: the header has no 'script'"},
    {HEADER "log half\n\nend 0\n", "x.rec:10: log is full or none, not 'half'"},
    {HEADER "seed 8\nlog none\n\nend 0\n", "x.rec:10: seed is there twice"},
    {HEADER "colour red\n", "x.rec:10: there is no key 'colour' in a header"},
    {HEADER "log\n", "x.rec:10: a line of the header is: key value"},
    {HEADER "set x\n", "x.rec:10: set is KEY=VALUE"},
    {HEADER "set =x\n", "x.rec:10: set is KEY=VALUE"},
    {HEADER "trace_hash 12\n", "x.rec:10: trace_hash is 32 hexadecimal digits"},
    {HEADER "instructions -1\n", "x.rec:10: instructions is a number"},
    {"msgrlab decisions 1\nseed 1e3\n", "x.rec:2: seed is a number, not '1e3'"},
    {"msgrlab decisions 1\ntimeout 0\n", "x.rec:2: timeout is a time"},
    {"msgrlab decisions 1\ncode 256\n", "x.rec:2: code is an exit code"},
    {"msgrlab decisions 1\nscript \n", "x.rec:2: script is a path"},
    {HEADER "log full\n\n", "x.rec:12: the file is cut"},
    {HEADER "log full\n\npreempt main 1 1\n", "x.rec:13: the file is cut"},
    {HEADER "log full\n\npreempt main 1 1\nend 1", "x.rec:13: the file is cut"},
    {HEADER "log full\n\npreempt main 1 1\nend 2\n",
     "x.rec:13: 1 decisions are there, and 2"},
    {HEADER "log full\n\nend x\n", "x.rec:12: end is followed by"},
    {HEADER "log full\n\nend 0\nmore\n", "x.rec:12: something follows the end"},
    {HEADER "log full\n\nend 0\nend 0\n", "x.rec:12: something follows the end"},
    {HEADER "log full\n\n# a note\npreempt main one 1\nend 1\n",
     "x.rec:13: occurrence and value are numbers"},
    {HEADER "log full\n\npreempt main 1\nend 1\n", "x.rec:12: a decision is: site actor"},
    {HEADER "log full\n\nsneeze main 1 1\nend 1\n", "x.rec:12: no such site"},
    {HEADER "log none\n\npreempt main 1 1\nend 1\n", "x.rec:13: decisions, and a header"},
    {"msgrlab decisions 1\nscript \001.lua\n", "x.rec:2: a byte 0x01 is no text"},
    {"msgrlab decisions 1\r", "x.rec:1: a byte 0x0d is no text"},
    {"msgrlab decisions 1\r\r\n", "x.rec:1: a byte 0x0d is no text"},
};

START_TEST(a_damaged_record_is_refused_with_its_line)
{
    struct record record;
    char why[300] = "";

    ck_assert_int_eq(record_parse("x.rec", damages[_i].text, strlen(damages[_i].text),
                                  &record, why, sizeof(why)),
                     -EINVAL);
    ck_assert_msg(strncmp(why, damages[_i].says, strlen(damages[_i].says)) == 0,
                  "says '%s' instead of '%s'", why, damages[_i].says);
}
END_TEST

/* A whole record that is cut anywhere is refused; so is one with a byte of zero. */
START_TEST(a_cut_record_is_refused_everywhere)
{
    const char text[] = HEADER "set a=b\nlog full\n\npreempt main 1 1\nwake b 2 1\nend 2\n";
    size_t len = sizeof(text) - 1;
    struct record record = parse_good(text);
    char why[300], copy[sizeof(text)];

    record_fini(&record);
    for (size_t cut = 0; cut < len; cut++) {
        ck_assert_msg(record_parse("x", text, cut, &record, why, sizeof(why)) == -EINVAL,
                      "cut at %zu", cut);
        memcpy(copy, text, len);
        copy[cut] = '\0';
        ck_assert_msg(record_parse("x", copy, len, &record, why, sizeof(why)) == -EINVAL,
                      "a zero at %zu", cut);
    }
}
END_TEST

/* A record that went through an editor of Windows: a mark at its beginning, other ends of
 * lines. */
START_TEST(what_editors_do_to_a_record_does_no_harm)
{
    static const char text[] =
        "\xef\xbb\xbf" HEADER "log full\n\npreempt a/app-0 3 2\nend 1\n";
    char windows[2 * sizeof(text)], why[300] = "";
    struct record record;
    size_t n = 0;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n') {
            windows[n++] = '\r';
        }
        windows[n++] = *p;
    }
    ck_assert_msg(record_parse("x", windows, n, &record, why, sizeof(why)) == 0, "%s", why);
    ck_assert_uint_eq(record.n_decisions, 1);
    ck_assert_str_eq(record.decisions, "preempt a/app-0 3 2\n");
    record_fini(&record);
}
END_TEST

/* Worlds, stacks, drivers and schedules that this program does not have. */
START_TEST(what_cannot_be_repeated_is_said)
{
    static const char *const changes[][2] = {{"on linux", "on sim"},
                                             {"stack quic", "stack tcp"},
                                             {"driver kqueue", "driver epoll"},
                                             {"schedule lifo\non sim", "on sim"}};

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        const char text[] = HEADER "log none\n\nend 0\n", *at = strstr(text, changes[i][1]);
        struct run_opts opts = {0};
        struct record record;
        char changed[600], why[300] = "";

        snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
                 changes[i][0], at + strlen(changes[i][1]));
        record = parse_good(changed);
        ck_assert_int_eq(record_to_opts(&record, &opts, why, sizeof(why)), -EINVAL);
        ck_assert_ptr_nonnull(strstr(why, "cannot repeat it"));
        record_fini(&record);
    }
}
END_TEST

/* The line that repeats a run, as a shell reads it. */
START_TEST(the_command_that_repeats_a_run)
{
    struct run_opts opts = sim_opts("my scripts/x.lua", 7);
    char *line;

    opts.world.schedule = "pct";
    opts.sets[opts.n_sets++] = (struct setting){.key = "say", .value = "it's"};
    opts.timeout_ns = NSEC_PER_SEC;
    line = record_again(&opts);
    ck_assert_str_eq(line, "msgrlab run 'my scripts/x.lua' --seed 7 --schedule pct "
                           "--set 'say=it'\\''s' --timeout 1000000000ns");
    free(line);
}
END_TEST

START_TEST(seeds_of_a_range)
{
    static const char *const bad[] = {"",     "..",      "1..",  "..5",
                                      "5..1", "1..2..3", "a..b", "-1..5"};
    uint64_t first = 0, last = 0;

    ck_assert(run_cli_seeds("1..200", &first, &last));
    ck_assert(first == 1 && last == 200);
    ck_assert(run_cli_seeds("18446744073709551615", &first, &last));
    ck_assert(first == UINT64_MAX && last == UINT64_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_msg(!run_cli_seeds(bad[i], &first, &last), "%s", bad[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *runs = tcase_create("runs"), *records = tcase_create("records");

    tcase_set_timeout(runs, 120);
    tcase_add_loop_test(runs, a_log_gives_the_run_again, 0, ARRAY_SIZE(replayed));
    tcase_add_test(runs, runs_do_not_know_of_each_other);
    tcase_add_test(runs, recording_does_not_change_a_run);
    tcase_add_test(runs, output_goes_where_it_is_wanted);
    tcase_add_loop_test(runs, a_failure_has_a_name, 0, ARRAY_SIZE(failures));
    tcase_add_test(runs, bad_decisions_are_refused);
    suite_add_tcase(suite, runs);
    tcase_add_test(records, a_record_is_read_as_it_was_written);
    tcase_add_test(records, a_record_file_is_written_safely);
    tcase_add_loop_test(records, a_damaged_record_is_refused_with_its_line, 0,
                        ARRAY_SIZE(damages));
    tcase_add_test(records, a_cut_record_is_refused_everywhere);
    tcase_add_test(records, what_editors_do_to_a_record_does_no_harm);
    tcase_add_test(records, what_cannot_be_repeated_is_said);
    tcase_add_test(records, the_command_that_repeats_a_run);
    tcase_add_test(records, seeds_of_a_range);
    suite_add_tcase(suite, records);
    return testlib_run(suite);
}
