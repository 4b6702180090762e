/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_hashes.c: msgrlab hashes SCRIPT --seeds A..B: what each seed gives, one line a seed,
 * to be compared between builds, machines, and ways to run it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/cli/commands.h"
#include "scenarios/cli/run_cli.h"
#include "scenarios/cli/streams.h"
#include "scenarios/run/run_defaults.h"

struct hashes {
    struct run_opts opts;
    uint64_t first, last;
    bool reuse, replay;
    bool poisoned; /* a run left stuck threads in this process */
};

/* What one run comes to; crosses from one process to another. */
struct line {
    struct trace_hash hash;
    uint64_t schedule;
    int code;
    bool differs; /* the replay from the run */
    char signature[RUN_SIGNATURE_BYTES];
};

static void fill_line(const struct run_outcome *outcome, struct line *ret)
{
    ret->hash = outcome->hash;
    ret->schedule = outcome->schedule;
    ret->code = outcome->code;
    memcpy(ret->signature, outcome->signature, sizeof(ret->signature));
}

static bool is_same(const struct line *line, const struct run_outcome *outcome)
{
    return trace_hash_equal(&line->hash, &outcome->hash) &&
           line->schedule == outcome->schedule && line->code == outcome->code &&
           strcmp(line->signature, outcome->signature) == 0;
}

static void run_seed(struct hashes *h, uint64_t seed, struct line *ret)
{
    struct run_opts opts = h->opts;
    struct run_outcome outcome, again;

    *ret = (struct line){0};
    opts.world.seed = seed;
    opts.quiet = true;
    opts.log = h->replay;
    run_scenario(&opts, &outcome);
    fill_line(&outcome, ret);
    h->poisoned = h->poisoned || outcome.poisoned;
    if (h->replay && outcome.decisions != NULL) {
        opts.log = false;
        opts.world.decisions = outcome.decisions;
        run_scenario(&opts, &again);
        ret->differs = !is_same(ret, &again);
        h->poisoned = h->poisoned || again.poisoned;
        run_outcome_fini(&again);
    }
    run_outcome_fini(&outcome);
}

/* In a child. EXIT_OK, EXIT_CANNOT, EXIT_CRASH. */
static int run_apart(struct hashes *h, uint64_t seed, struct line *ret)
{
    int pipes[2], status = 0;
    ssize_t n = -1;
    pid_t child;

    fflush(NULL);
    if (pipe(pipes) < 0) {
        return EXIT_CANNOT;
    }
    child = fork();
    if (child == 0) {
        run_seed(h, seed, ret);
        n = write(pipes[1], ret, sizeof(*ret));
        _exit(n == (ssize_t)sizeof(*ret) ? EXIT_OK : EXIT_CRASH);
    }
    close(pipes[1]);
    if (child > 0) {
        while ((n = read(pipes[0], ret, sizeof(*ret))) < 0 && errno == EINTR) {
        }
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(pipes[0]);
    if (child < 0) {
        return EXIT_CANNOT;
    }
    return n == (ssize_t)sizeof(*ret) && WIFEXITED(status) ? EXIT_OK : EXIT_CRASH;
}

static void print_line(uint64_t seed, const struct line *line)
{
    char hash[TRACE_HASH_TEXT];

    printf("%" PRIu64 " %s %016" PRIx64 " %" PRIu64 " %d %s%s\n", seed,
           trace_hash_text(&line->hash, hash), line->schedule, line->hash.records,
           line->code, line->signature[0] != '\0' ? line->signature : "ok",
           line->differs ? " REPLAY DIFFERS" : "");
}

/* The exit code. */
static int print_hashes(struct hashes *h)
{
    int worst = EXIT_OK;

    for (uint64_t seed = h->first;; seed++) {
        struct line line = {0};
        int code = EXIT_OK;

        if (h->reuse) {
            run_seed(h, seed, &line);
        } else {
            code = run_apart(h, seed, &line);
        }
        if (code == EXIT_CANNOT || line.code == EXIT_FILE ||
            line.code == EXIT_INTERRUPTED) {
            fprintf(stderr, "msgrlab hashes: seed %" PRIu64 ": %s\n", seed,
                    code == EXIT_CANNOT ? strerror(errno) : line.signature);
            return code != EXIT_OK ? code : line.code;
        }
        if (code == EXIT_CRASH) {
            line = (struct line){.code = EXIT_CRASH, .signature = "crash"};
            worst = EXIT_CRASH;
        } else if (line.differs && worst == EXIT_OK) {
            worst = EXIT_NONDETERMINISM;
        }
        print_line(seed, &line);
        if (seed == h->last) {
            return worst;
        }
    }
}

enum { OPT_SEEDS = RUN_CLI_END, OPT_REUSE, OPT_REPLAY };

static int take_option(void *state, int option, char *value)
{
    struct hashes *h = state;

    switch (option) {
    case OPT_SEEDS:
        return run_cli_seeds(value, &h->first, &h->last)
                   ? EXIT_OK
                   : cli_usage_error("hashes", "--seeds wants A..B, not '%s'", value);
    case OPT_REUSE:
        h->reuse = true;
        return EXIT_OK;
    case OPT_REPLAY:
        h->replay = true;
        return EXIT_OK;
    default:
        return run_cli_take("hashes", option, value, &h->opts);
    }
}

static int run_hashes(int argc, char **argv)
{
    struct hashes h = {.first = 1};
    int code;

    run_defaults(&h.opts);
    code = cli_options(&command_hashes, argc, argv, &h);
    if (code != CLI_GO_ON) {
        return code;
    }
    code = run_cli_one_script("hashes", argc, argv);
    if (code != EXIT_OK) {
        return code;
    }
    if (h.last == 0) {
        return cli_usage_error("hashes", "which seeds? --seeds 1..200");
    }
    h.opts.script = argv[optind];
    code = run_cli_script("hashes", &h.opts);
    code = code == EXIT_OK ? print_hashes(&h) : code;
    if (h.poisoned) {
        code = streams_end(code);
        fflush(NULL);
        _exit(code);
    }
    return code;
}

static const struct cli_option options[] = {
    {"seeds", 0, "A..B", OPT_SEEDS, "from A to B"},
    {"reuse", 0, NULL, OPT_REUSE,
     "all runs in one process; without it each gets a process of its own"},
    {"replay", 0, NULL, OPT_REPLAY,
     "repeats each run from its own log of decisions, and says when that was another run"},
    {0},
};

const struct cli_command command_hashes = {
    .name = "hashes",
    .summary = "what each of many seeds gives, to compare builds and machines",
    .usage = "SCRIPT --seeds A..B [OPTION...]",
    .about =
        "Runs the scenario in the simulated world once for each seed, and prints a line "
        "each:\n"
        "\n"
        "    seed, trace hash, hash of who ran when, records, exit code, name of the "
        "failure\n"
        "\n"
        "The same script and options give the same lines on every machine, with every\n"
        "compiler.",
    .options = {options, run_cli_options},
    .take = take_option,
    .exits = {{EXIT_OK, "every run came to an end, whatever it was"},
              {EXIT_SCRIPT, "the script says it is about what there is not"},
              {EXIT_CANNOT, "no process for a run"},
              {EXIT_FILE, "the script cannot be read, or what is printed not be written"},
              {EXIT_CRASH, "a run crashed"},
              {EXIT_NONDETERMINISM, "a replay was another run (--replay)"},
              {EXIT_INTERRUPTED, "stopped by Ctrl-C"}},
    .run = run_hashes,
};
