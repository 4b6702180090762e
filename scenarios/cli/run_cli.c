/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/cli/run_cli.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/util.h"
#include "stacks/rdma/rdma_stack.h"

/* ---- missing scripts --------------------------------------------------------------- */

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".lua") == 0;
}

/* True if there were any. */
static bool list_scripts(const char *dir)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, is_script, alphasort);

    if (n < 0) {
        return false;
    }
    if (n > 0) {
        fprintf(stderr, "Scenarios that are here:\n");
    }
    for (int i = 0; i < n; i++) {
        fprintf(stderr, "  %s/%s\n", dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return n > 0;
}

/* In the working directory, beside the program's build directory, or where it is installed.
 */
static int complain_missing(const char *command, const char *script)
{
    static const char *const places[] = {"/../../scenarios", "/../share/msgrlab/scenarios"};
    char exe[400], dir[500];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    fprintf(stderr, "msgrlab %s: there is no script %s\n", command, script);
    if (list_scripts("scenarios") || len <= 0) {
        return EXIT_FILE;
    }
    exe[len] = '\0';
    *strrchr(exe, '/') = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char *real;

        snprintf(dir, sizeof(dir), "%s%s", exe, places[i]);
        real = realpath(dir, NULL);
        if (real != NULL && list_scripts(real)) {
            free(real);
            break;
        }
        free(real);
    }
    return EXIT_FILE;
}

/* ---- the stack a script is about --------------------------------------------------- */

/* "-- stack: tcp", a line of the comment that a script begins with. NULL: none there; a
 * script that cannot be read is for the Lua host to complain about. */
static const char *stack_of_script(const char *script)
{
    FILE *f = fopen(script, "re");
    const char *stack = NULL;
    char line[200];

    while (f != NULL && stack == NULL && fgets(line, sizeof(line), f) != NULL &&
           strncmp(line, "--", 2) == 0) {
        stack = strcmp(line, "-- stack: tcp\n") == 0    ? "tcp"
                : strcmp(line, "-- stack: rdma\n") == 0 ? "rdma"
                                                        : NULL;
    }
    if (f != NULL) {
        fclose(f);
    }
    return stack;
}

int run_cli_script(const char *command, struct run_opts *opts)
{
    if (access(opts->script, F_OK) != 0) {
        return complain_missing(command, opts->script);
    }
    if (opts->world.stack == NULL) {
        opts->world.stack = stack_of_script(opts->script);
    }
    if (opts->world.stack == NULL) {
        opts->world.stack = strcmp(opts->world.on, "sim") == 0 ? "rdma" : "tcp";
    }
    return EXIT_OK;
}

/* ---- options ----------------------------------------------------------------------- */

static int take_schedule(const char *command, const char *value, struct run_opts *opts)
{
    for (size_t i = 0; i < ARRAY_SIZE(world_schedules); i++) {
        if (strcmp(value, world_schedules[i]) == 0) {
            opts->world.schedule = value;
            return EXIT_OK;
        }
    }
    return cli_usage_error(
        command, "there is no schedule '%s'; valid: fifo, random, pct, starve", value);
}

static int take_stack(const char *command, const char *value, struct run_opts *opts)
{
    if (strcmp(value, "tcp") != 0 && strcmp(value, "rdma") != 0) {
        return cli_usage_error(command, "there is no stack '%s'; valid: tcp, rdma", value);
    }
    opts->world.stack = value[0] == 'r' ? "rdma" : "tcp";
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
        if (!cli_number(equals + 1, UINT64_MAX / 2, &opts->instructions_max) ||
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
    opts->sets[opts->n_sets++] = (struct run_set){.key = value, .value = equals + 1};
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
    return cli_duration(value, ret_ns) && *ret_ns > 0
               ? EXIT_OK
               : cli_usage_error(command, "%s wants a time like 90s, not '%s'", option,
                                 value);
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
    case RUN_CLI_TIMEOUT:
        return take_time(command, value, "--timeout", &opts->timeout_ns);
    default:
        CHECK(option == RUN_CLI_REAL_TIMEOUT);
        return take_time(command, value, "--real-timeout", &opts->real_timeout_ns);
    }
}

void run_cli_defaults(struct run_opts *ret)
{
    *ret = (struct run_opts){.timeout_ns = RUN_TIMEOUT_NS, .world = {.on = "sim"}};
}

bool run_cli_seeds(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
    const char *dots = strstr(text, "..");
    char first[32];

    if (dots == NULL) {
        return cli_number(text, UINT64_MAX, ret_first) &&
               cli_number(text, UINT64_MAX, ret_last);
    }
    if ((size_t)(dots - text) >= sizeof(first)) {
        return false;
    }
    snprintf(first, sizeof(first), "%.*s", (int)(dots - text), text);
    return cli_number(first, UINT64_MAX, ret_first) &&
           cli_number(dots + 2, UINT64_MAX, ret_last) && *ret_first <= *ret_last;
}
