/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_version.c: msgrlab version: which one this is, and what was built into it. Its first
 * line is for programs and does not change its form.
 */
#include <stdio.h>

#include <lua.h>

#include "engine/event_driver.h"
#include "engine/util.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/commands.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/run/record.h"

#ifndef MSGRLAB_VERSION
#define MSGRLAB_VERSION "unknown"
#endif

/* What else than the code itself was compiled in. */
static const char *sanitizers(void)
{
#if defined(__SANITIZE_THREAD__)
    return "thread";
#elif defined(__SANITIZE_ADDRESS__)
    return "address and undefined behaviour";
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    return "thread";
#elif __has_feature(address_sanitizer)
    return "address and undefined behaviour";
#else
    return "none";
#endif
#else
    return "none";
#endif
}

static void print_version(void)
{
    printf("msgrlab %s\n", MSGRLAB_VERSION);
    printf("worlds        sim, linux\n");
    printf("stacks        tcp, rdma (libibverbs; in the simulated world hca and rxe)\n");
    printf("drivers       epoll, poll, select\n");
    printf("protocol      msgr2.1 and msgr2.0, crc mode, AUTH_NONE\n");
    printf("scripts       %s\n", LUA_RELEASE);
    printf("records       version %d\n", RECORD_VERSION);
#ifdef __clang__
    printf("compiler      clang %d.%d\n", __clang_major__, __clang_minor__);
#else
    printf("compiler      gcc %d.%d\n", __GNUC__, __GNUC_MINOR__);
#endif
    printf("sanitizers    %s\n", sanitizers());
}

static int run_version(int argc, char **argv)
{
    int code = cli_options(&command_version, argc, argv, NULL);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (optind < argc) {
        return cli_usage_error("version", "it takes no argument, not '%s'", argv[optind]);
    }
    print_version();
    return EXIT_OK;
}

const struct cli_command command_version = {
    .name = "version",
    .summary = "the version, and what was built into it",
    .usage = "",
    .about =
        "Prints \"msgrlab VERSION\" and, below, what was built into it: network stacks,\n"
        "worlds, drivers, RDMA devices that can be simulated, languages, compiler and\n"
        "sanitizers. The same as msgrlab --version and msgrlab -V.",
    .exits = {{EXIT_OK, "it was printed"}},
    .run = run_version,
};
