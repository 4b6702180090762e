/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/cli/run_cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/run/run_defaults.h"
#include "scenarios/run/script_find.h"
#include "stacks/rdma/rdma_stack.h"

/* ---- which script ------------------------------------------------------------------ */

/* `why`: that there is no such script. */
static int complain_missing(const char *command, const char *script, const char *why)
{
    char meant[300];

    fprintf(stderr, "msgrlab %s: %s", command, why);
    if (script_suggest(script, meant, sizeof(meant))) {
        fprintf(stderr, "; did you mean '%s'?", meant);
    }
    fputc('\n', stderr);
    script_list(stderr);
    return EXIT_FILE;
}

static int list_scripts(const char *command)
{
    fprintf(stderr, "msgrlab %s: which script? A file, or the name of one of these:\n",
            command);
    script_list(stderr);
    fprintf(stderr, "Try 'msgrlab %s --help'.\n", command);
    return EXIT_USAGE;
}

int run_cli_one_script(const char *command, int argc, char **argv)
{
    if (argc - optind > 1) {
        return cli_usage_error(command, "one script at a time: '%s' is one too many",
                               argv[optind + 1]);
    }
    return argc - optind == 1 ? EXIT_OK : list_scripts(command);
}

int run_cli_script(const char *command, struct run_opts *opts)
{
    const char *asked = opts->script;
    char why[RUN_DEFAULTS_WHY];
    int err = run_defaults_script(opts, why, sizeof(why));

    if (err == -ENOENT) {
        return complain_missing(command, asked, why);
    }
    if (err == -EINVAL) {
        fprintf(stderr, "%s\n", why);
        return EXIT_SCRIPT;
    }
    if (err < 0) {
        fprintf(stderr, "msgrlab %s: %s\n", command, why);
        return EXIT_FILE;
    }
    return EXIT_OK;
}

/* ---- options ----------------------------------------------------------------------- */

const struct cli_option run_cli_options[] = {
    {"schedule", 0, "NAME", RUN_CLI_SCHEDULE, "sim: random (default), fifo, pct or starve"},
    {"profile", 0, "NAME", RUN_CLI_PROFILE,
     "sim: what differs from seed to seed: none (default), schedule, lite or chaos "
     "(scenarios/README.md)"},
    {"stack", 0, "NAME", RUN_CLI_STACK,
     "the network stack: tcp or rdma. By default the one the script is about; else rdma in "
     "the simulated world, tcp on Linux"},
    {"device", 0, "NAME", RUN_CLI_DEVICE,
     "rdma: the device, by default the first that is usable; sim: what the virtual one is "
     "like: hca (default) or rxe"},
    {"rdma", 0, "K=V,...", RUN_CLI_RDMA,
     "rdma: options by Ceph's names (stacks/rdma/README.md)"},
    {"driver", 0, "NAME", RUN_CLI_DRIVER,
     "epoll (default), poll or select, for nodes that do not say"},
    {"set", 0, "KEY=VALUE", RUN_CLI_SET,
     "what the script reads as set.KEY; instructions=N is the host's: how many the script "
     "may use (default 100000000)"},
    {"timeout", 0, "TIME", RUN_CLI_TIMEOUT,
     "limit of a run by its own clock, like 90s, 500ms or 1h (ns, us, ms, s, m or min, h, "
     "d); default 60s"},
    {"real-timeout", 0, "TIME", RUN_CLI_REAL_TIMEOUT,
     "sim: limit by the real clock; default 300s, for each seed of a campaign 60s"},
    {"require", 0, NULL, RUN_CLI_REQUIRE,
     "a run that would be skipped, as its world or device is not here or as it says so "
     "itself, is an error (4)"},
    {0},
};

static int take_schedule(const char *command, const char *value, struct run_opts *opts)
{
    if (world_schedule_by_name(value) < 0) {
        return cli_usage_error(
            command, "there is no schedule '%s'; valid: fifo, random, pct, starve", value);
    }
    opts->world.schedule = value;
    return EXIT_OK;
}

static int take_stack(const char *command, const char *value, struct run_opts *opts)
{
    int stack = stack_kind_by_name(value);

    if (stack < 0) {
        return cli_usage_error(command, "there is no stack '%s'; valid: tcp, rdma", value);
    }
    opts->world.stack = (enum stack_kind)stack;
    opts->stack_asked = true;
    return EXIT_OK;
}

static int take_rdma(const char *command, const char *value, struct run_opts *opts)
{
    struct rdma_opts parsed;
    const char *why;

    rdma_opts_init(&parsed);
    if (rdma_opts_parse(&parsed, value, &why) < 0) {
        return cli_usage_error(command, "--rdma %s: %s", value, why);
    }
    opts->world.rdma = value;
    return EXIT_OK;
}

static int take_driver(const char *command, const char *value, struct run_opts *opts)
{
    int driver = event_driver_by_name(value);

    if (driver < 0) {
        return cli_usage_error(
            command, "there is no driver '%s'; valid: epoll, poll, select", value);
    }
    opts->world.driver = (enum event_driver_kind)driver;
    return EXIT_OK;
}

static int take_set(const char *command, char *value, struct run_opts *opts)
{
    char *equals = strchr(value, '=');

    if (equals == NULL || equals == value) {
        return cli_usage_error(command, "--set wants KEY=VALUE, not '%s'", value);
    }
    *equals = '\0';
    if (strcmp(value, "instructions") == 0) {
        if (!words_number(equals + 1, UINT64_MAX / 2, &opts->instructions_max) ||
            opts->instructions_max == 0) {
            return cli_usage_error(command, "--set instructions=N: '%s' is no number",
                                   equals + 1);
        }
        return EXIT_OK;
    }
    for (int i = 0; i < opts->n_sets; i++) {
        if (strcmp(opts->sets[i].key, value) == 0) {
            return cli_usage_error(command, "--set %s is given twice", value);
        }
    }
    if (opts->n_sets == RUN_SETS_MAX) {
        return cli_usage_error(command, "at most %d times --set", RUN_SETS_MAX);
    }
    opts->sets[opts->n_sets++] = (struct setting){.key = value, .value = equals + 1};
    return EXIT_OK;
}

static int take_profile(const char *command, const char *value, struct run_opts *opts)
{
    if (profile_by_name(value) < 0) {
        return cli_usage_error(command,
                               "there is no profile '%s'; valid: none, schedule, lite, "
                               "chaos",
                               value);
    }
    opts->world.profile = value;
    return EXIT_OK;
}

static int take_time(const char *command, const char *value, const char *option,
                     uint64_t *ret_ns)
{
    return words_duration(value, ret_ns) && *ret_ns > 0
               ? EXIT_OK
               : cli_usage_error(command, "%s wants %s, not '%s'", option,
                                 WORDS_DURATION_FORM, value);
}

int run_cli_take(const char *command, int option, char *value, struct run_opts *opts)
{
    switch (option) {
    case RUN_CLI_SCHEDULE:
        return take_schedule(command, value, opts);
    case RUN_CLI_STACK:
        return take_stack(command, value, opts);
    case RUN_CLI_DEVICE:
        opts->world.device = value;
        return EXIT_OK;
    case RUN_CLI_RDMA:
        return take_rdma(command, value, opts);
    case RUN_CLI_DRIVER:
        return take_driver(command, value, opts);
    case RUN_CLI_SET:
        return take_set(command, value, opts);
    case RUN_CLI_PROFILE:
        return take_profile(command, value, opts);
    case RUN_CLI_REQUIRE:
        opts->require = true;
        return EXIT_OK;
    case RUN_CLI_TIMEOUT:
        return take_time(command, value, "--timeout", &opts->timeout_ns);
    default:
        CHECK(option == RUN_CLI_REAL_TIMEOUT);
        return take_time(command, value, "--real-timeout", &opts->real_timeout_ns);
    }
}

int run_cli_bad_seeds(const char *command, const char *text)
{
    unsigned long long first, last;
    char dash[4] = "", more[2] = "";
    int n = sscanf(text, "%llu%3[-.:]%llu%1s", &first, dash, &last, more);

    if (n == 3 && strcmp(dash, "..") == 0 && first > last) {
        return cli_usage_error(command, "--seeds %s goes backwards: write %llu..%llu", text,
                               last, first);
    }
    if (n == 3 && strcmp(dash, "..") != 0 && first <= last) {
        return cli_usage_error(command, "--seeds %s: a range is written %llu..%llu", text,
                               first, last);
    }
    return cli_usage_error(command,
                           "--seeds wants a range like 1..1000 of numbers below 2^64, not "
                           "'%s'",
                           text);
}

bool run_cli_seeds(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
    const char *dots = strstr(text, "..");
    char first[32];

    if (dots == NULL) {
        return words_number(text, UINT64_MAX, ret_first) &&
               words_number(text, UINT64_MAX, ret_last);
    }
    if ((size_t)(dots - text) >= sizeof(first)) {
        return false;
    }
    snprintf(first, sizeof(first), "%.*s", (int)(dots - text), text);
    return words_number(first, UINT64_MAX, ret_first) &&
           words_number(dots + 2, UINT64_MAX, ret_last) && *ret_first <= *ret_last;
}
