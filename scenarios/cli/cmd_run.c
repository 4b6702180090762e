/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_run.c: msgrlab run SCRIPT.lua
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/run/record.h"
#include "scenarios/cli/run_cli.h"
#include "scenarios/cli/streams.h"
#include "scenarios/run/run_defaults.h"

/* ---- options --------------------------------------------------------------------- */

static int take_world(const char *value, struct run_opts *opts)
{
    int kind = world_kind_by_name(value);

    if (kind < 0) {
        return cli_usage_error("run", "there is no world '%s'; valid: linux, sim", value);
    }
    opts->world.on = (enum world_kind)kind;
    return EXIT_OK;
}

enum {
    OPT_ON = RUN_CLI_END,
    OPT_SEED,
    OPT_TRACE,
    OPT_NO_TRACE,
    OPT_TITLE,
    OPT_RECORD,
    OPT_PCAP
};

static int take_option(void *state, int option, char *value)
{
    struct run_opts *opts = state;

    switch (option) {
    case OPT_ON:
        return take_world(value, opts);
    case OPT_SEED:
        return words_number(value, UINT64_MAX, &opts->world.seed)
                   ? EXIT_OK
                   : cli_usage_error("run",
                                     "--seed wants a number, not '%s'; many seeds are for "
                                     "msgrlab campaign --seeds A..B",
                                     value);
    case OPT_TRACE:
        opts->world.trace_path = value;
        return EXIT_OK;
    case OPT_NO_TRACE:
        opts->world.no_trace = true;
        return EXIT_OK;
    case OPT_TITLE:
        opts->world.title = value;
        return EXIT_OK;
    case OPT_RECORD:
        opts->record_path = value;
        return EXIT_OK;
    case OPT_PCAP:
        opts->world.pcap_path = value;
        return EXIT_OK;
    default:
        return run_cli_take("run", option, value, opts);
    }
}

/* "msgrlab run x.lua --seed 7", before getopt moves the words about. */
static void write_title(int argc, char **argv, char *title, size_t size)
{
    size_t len = (size_t)snprintf(title, size, "msgrlab");

    for (int i = 0; i < argc && len < size; i++) {
        len += (size_t)snprintf(title + len, size - len, " %s", argv[i]);
    }
}

/* A run that failed is recorded as well: for that it is. */
static int write_record(const struct run_opts *opts, const struct run_outcome *outcome)
{
    struct record record;
    char why[700];

    record_of_run(opts, outcome, &record);
    if (record_write(opts->record_path, &record, why, sizeof(why)) < 0) {
        fprintf(stderr, "msgrlab run: %s\n", why);
        return EXIT_FILE;
    }
    printf("record        %s: %u decisions\n", opts->record_path, record.n_decisions);
    return EXIT_OK;
}

static int run_and_record(struct run_opts *opts)
{
    struct run_outcome outcome;
    int code, written = EXIT_OK;

    if (opts->record_path != NULL && !record_may_replace(opts->record_path)) {
        fprintf(
            stderr,
            "msgrlab run: %s exists and is no record: it stays as it is; choose another "
            "name or remove it\n",
            opts->record_path);
        return EXIT_FILE;
    }
    opts->log = opts->record_path != NULL;
    code = run_scenario(opts, &outcome);
    if (opts->record_path != NULL && code != EXIT_FILE && code != EXIT_CANNOT) {
        written = write_record(opts, &outcome);
    }
    if (outcome.poisoned) { /* its threads' memory is nobody's: no leak checker may ask */
        code = streams_end(code);
        fflush(NULL);
        _exit(code);
    }
    run_outcome_fini(&outcome);
    if (outcome.pcap_error < 0) {
        written = EXIT_FILE;
    }
    return code != EXIT_OK ? code : written;
}

/* What belongs to one world only. */
static int check_world(const struct run_opts *opts)
{
    if (opts->world.stack != STACK_RDMA &&
        (opts->world.device != NULL || opts->world.rdma != NULL)) {
        return cli_usage_error("run", "--device and --rdma are for --stack rdma");
    }
    if (opts->world.on == WORLD_SIM) {
        return EXIT_OK;
    }
    if (opts->record_path != NULL) {
        return cli_usage_error("run", "--record is for --on sim: on Linux nobody can take "
                                      "the same choices again");
    }
    if (opts->world.pcap_path != NULL) {
        return cli_usage_error("run", "--pcap is for --on sim: on Linux the packets are "
                                      "the kernel's, use tcpdump -i any -w FILE");
    }
    if (opts->world.schedule != NULL || opts->world.profile != NULL) {
        return cli_usage_error("run", "--schedule and --profile are for --on sim");
    }
    return EXIT_OK;
}

static int run_run(int argc, char **argv)
{
    struct run_opts opts;
    char title[256];
    int code;

    write_title(argc, argv, title, sizeof(title));
    run_defaults(&opts);
    opts.world.title = title;
    code = cli_options(&command_run, argc, argv, &opts);
    if (code != CLI_GO_ON) {
        return code;
    }
    code = run_cli_one_script("run", argc, argv);
    if (code != EXIT_OK) {
        return code;
    }
    if (opts.world.no_trace && opts.world.trace_path != NULL) {
        return cli_usage_error("run", "--trace and --no-trace exclude each other");
    }
    opts.script = argv[optind];
    code = run_cli_script("run", &opts);
    code = code == EXIT_OK ? check_world(&opts) : code;
    return code == EXIT_OK ? run_and_record(&opts) : code;
}

static const struct cli_option first_options[] = {
    {"on", 0, "WORLD", OPT_ON,
     "sim (default): virtual threads, clock and network, the same run for the same seed; "
     "or linux: this machine's"},
    {"seed", 0, "N", OPT_SEED,
     "of the script's random numbers, and of the simulated world; default 0"},
    {0},
};

static const struct cli_option last_options[] = {
    {"trace", 0, "FILE", OPT_TRACE, "keep what was recorded, for msgrlab show"},
    {"no-trace", 0, NULL, OPT_NO_TRACE, "record nothing (expect.steps is an error then)"},
    {"title", 0, "TEXT", OPT_TITLE, "of the trace; default: this command line"},
    {"record", 0, "FILE", OPT_RECORD,
     "sim: keep every choice of the run, for msgrlab replay; also of a run that fails"},
    {"pcap", 0, "FILE", OPT_PCAP,
     "sim: keep the packets of its network as pcapng, for Wireshark"},
    {0},
};

const struct cli_command command_run = {
    .name = "run",
    .summary = "run a scenario and check what it expects",
    .usage = "SCRIPT [OPTION...]",
    .about = "Runs a scenario: its nodes, their messages, and what it expects of them.\n"
             "\n" RUN_CLI_SCRIPT_HELP,
    .options = {first_options, run_cli_options, last_options},
    .take = take_option,
    .exits = {{EXIT_OK, "everything expected was observed, or the script skipped itself"},
              {EXIT_EXPECTATION,
               "an expectation failed, a message was damaged, or something leaked"},
              {EXIT_SCRIPT, "the script has an error, or went beyond its limits"},
              {EXIT_CANNOT,
               "it cannot run here: address in use, too few descriptors, no such world"},
              {EXIT_FILE, "the script, the trace or what is printed could not be read or "
                          "written"},
              {EXIT_TIMEOUT, "the time limit passed"},
              {EXIT_SAFETY, "an invariant was violated in the simulated world"},
              {EXIT_LIVENESS,
               "the simulated world stood still, or ran in circles: who waits is said"},
              {EXIT_INTERRUPTED, "stopped by Ctrl-C; the summary so far was printed"}},
    .run = run_run,
};
