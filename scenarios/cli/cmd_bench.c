/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_bench.c: msgrlab bench, its command line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/bench/bench.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"

#define ROUNDS_DEFAULT 7
#define RDMA_ROUNDS_DEFAULT 5
#define COUNT_DEFAULT 5000
#define RDMA_COUNT_DEFAULT 1000

struct line {
    struct bench_opts tcp; /* count 0: not said */
    struct bench_rdma_opts rdma;
    uint64_t rounds;       /* 0: not said */
    const char *only_tcp;  /* an option that was there and means nothing elsewhere, */
    const char *only_rdma; /* or NULL */
};

/* "64,4K,64K,1M". False: it is no such list. */
static bool take_sizes(const char *text, struct bench_rdma_opts *opts)
{
    opts->n_sizes = 0;
    for (;;) {
        size_t digits = strspn(text, "0123456789");
        unsigned long long value = digits <= 9 ? strtoull(text, NULL, 10) : 0;

        text += digits;
        if (*text == 'K' || *text == 'M') {
            value <<= *text++ == 'K' ? 10 : 20;
        }
        if (value == 0 || value > BENCH_BYTES_MAX || opts->n_sizes == BENCH_SIZES_MAX) {
            return false;
        }
        opts->sizes[opts->n_sizes++] = (uint32_t)value;
        if (*text != ',') {
            return *text == '\0';
        }
        text++;
    }
}

enum { OPT_ROUNDS, OPT_COUNT, OPT_BYTES, OPT_DRIVER, OPT_DEVICE, OPT_SIZES };

static int take_driver(const char *value, struct line *line)
{
    int driver = event_driver_by_name(value);

    if (driver < 0) {
        return cli_usage_error(
            "bench", "there is no driver '%s'; valid: epoll, poll, select", value);
    }
    line->tcp.driver = line->rdma.driver = (enum event_driver_kind)driver;
    return EXIT_OK;
}

static int take_bytes(const char *value, struct line *line)
{
    uint64_t bytes;

    line->only_tcp = "--bytes";
    if (!words_number(value, BENCH_BYTES_MAX, &bytes) || bytes == 0) {
        return cli_usage_error("bench", "--bytes wants a number from 1 to %u",
                               BENCH_BYTES_MAX);
    }
    line->tcp.bytes = (uint32_t)bytes;
    return EXIT_OK;
}

static int take_option(void *state, int option, char *value)
{
    struct line *line = state;

    switch (option) {
    case OPT_ROUNDS:
        return words_number(value, BENCH_ROUNDS_MAX, &line->rounds) && line->rounds > 0
                   ? EXIT_OK
                   : cli_usage_error("bench", "--rounds wants a number from 1 to %d",
                                     BENCH_ROUNDS_MAX);
    case OPT_COUNT:
        return words_number(value, 100000000, &line->tcp.count) && line->tcp.count > 0
                   ? EXIT_OK
                   : cli_usage_error("bench", "--count wants a number, not '%s'", value);
    case OPT_BYTES:
        return take_bytes(value, line);
    case OPT_DRIVER:
        return take_driver(value, line);
    case OPT_DEVICE:
        line->only_rdma = "--device";
        line->rdma.device = value;
        return EXIT_OK;
    default:
        line->only_rdma = "--sizes";
        return take_sizes(value, &line->rdma)
                   ? EXIT_OK
                   : cli_usage_error("bench",
                                     "--sizes wants up to %d sizes of at most 1M, as in "
                                     "64,4K",
                                     BENCH_SIZES_MAX);
    }
}

static int run_line(const char *what, struct line *line)
{
    if (strcmp(what, "rdma") == 0 && line->only_tcp == NULL) {
        line->rdma.rounds =
            (uint32_t)(line->rounds > 0 ? line->rounds : RDMA_ROUNDS_DEFAULT);
        line->rdma.count = line->tcp.count > 0 ? line->tcp.count : RDMA_COUNT_DEFAULT;
        return bench_rdma(&line->rdma) == 0 ? EXIT_OK : EXIT_CANNOT;
    }
    if (strcmp(what, "rdma") == 0) {
        return cli_usage_error("bench", "%s is not for rdma; see --sizes", line->only_tcp);
    }
    if (line->only_rdma != NULL) {
        return cli_usage_error("bench", "%s is for: msgrlab bench rdma", line->only_rdma);
    }
    line->rounds = line->rounds > 0 ? line->rounds : ROUNDS_DEFAULT;
    line->tcp.count = line->tcp.count > 0 ? line->tcp.count : COUNT_DEFAULT;
    if (strcmp(what, "sim") == 0) {
        int rc = bench_sim((uint32_t)line->rounds);

        return rc == 0 ? EXIT_OK : rc == -ENOENT ? EXIT_FILE : EXIT_CANNOT;
    }
    return bench_tcp(&line->tcp, (uint32_t)line->rounds) == 0 ? EXIT_OK : EXIT_CANNOT;
}

static int run_bench(int argc, char **argv)
{
    struct line line = {.tcp = {.bytes = 64, .driver = DRIVER_EPOLL},
                        .rdma = {.sizes = {64, 4096, 65536, 1048576},
                                 .n_sizes = 4,
                                 .driver = DRIVER_EPOLL}};
    const char *what = "tcp";
    int code = cli_options(&command_bench, argc, argv, &line);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (optind < argc) {
        what = argv[optind];
    }
    if (argc - optind > 1 || (strcmp(what, "tcp") != 0 && strcmp(what, "rdma") != 0 &&
                              strcmp(what, "sim") != 0)) {
        return cli_usage_error("bench", "what can be measured is: tcp, rdma, sim");
    }
    return run_line(what, &line);
}

static const struct cli_option options[] = {
    {"rounds", 0, "N", OPT_ROUNDS, "how often each row is measured; default 7, for rdma 5"},
    {"count", 0, "N", OPT_COUNT,
     "tcp: round trips a measurement; default 5000; ten times as many messages one way. "
     "rdma: default 1000, and four times as many messages; of more than 4 KiB, fewer; at "
     "least 10"},
    {"bytes", 0, "N", OPT_BYTES, "tcp: of a message; default 64"},
    {"sizes", 0, "LIST", OPT_SIZES, "rdma: of messages; default 64,4K,64K,1M; at most 1M"},
    {"device", 0, "NAME", OPT_DEVICE, "rdma: default: the first with an active port"},
    {"driver", 0, "NAME", OPT_DRIVER,
     "tcp, rdma: epoll (default), poll or select, of the messenger"},
    {0},
};

const struct cli_command command_bench = {
    .name = "bench",
    .summary = "figures of this machine, with the raw system beside them",
    .usage = "[tcp] [OPTION...]\n"
             "rdma [OPTION...]\n"
             "sim [--rounds N]",
    .about =
        "tcp: Measures the messenger over TCP on loopback, both ends in this process, and\n"
        "beside it bare sockets with epoll, in the same rounds. Figures of a machine that\n"
        "does other things at the same time are good for ratios only.\n"
        "\n"
        "rdma: Measures the messenger over RDMA, polling (for 1 ms after the last\n"
        "completion, as Ceph does) and with events only, and over TCP; and, if perftest "
        "is\n"
        "installed, ib_send_lat and ib_send_bw on the same device, both ways. Prints the\n"
        "least round trips, the highest throughputs, and their ratios. make bench-rdma\n"
        "runs it in a virtual machine where there is no device.\n"
        "\n"
        "sim: How many seeds, scheduling points and records the simulated world does in "
        "an\n"
        "hour or a second of processor time.",
    .options = {options},
    .take = take_option,
    .exits = {{EXIT_OK, "measured"},
              {EXIT_CANNOT, "it cannot be measured here"},
              {EXIT_FILE,
               "sim: its scenarios are not here; or what is printed could not be "
               "written"}},
    .run = run_bench,
};
