/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_lua.c: any bytes as a script. It must compile or be refused, run or be stopped, and
 * never take more memory or instructions than it may.
 *
 * There are no nodes, as this is about the sandbox; but an input that begins with "--api"
 * runs as a scenario in the simulated world, with two nodes a and b and a connection c:
 * that is about what scripts keep, and hand over, of the API's objects.
 *
 * Patterns (string.find and its like) are taken away: they are the one part that
 * instructions do not bound, and the time limit of a run is not under test.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/util.h"
#include "scenarios/base/exit_codes.h"
#include "scenarios/lua/host.h"
#include "scenarios/run/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSTRUCTIONS_MAX 20000
#define MEMORY_MAX (256u << 10)

static const char api[] = {'-', '-', 'a', 'p', 'i'};

static int remove_patterns(lua_State *L)
{
    static const char *const names[] = {"find", "match", "gmatch", "gsub"};

    lua_getglobal(L, "string");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, names[i]);
    }
    return 0;
}

/* The prelude is one line, so that the lines of an input count as its own. */
static void write_script(int fd, const uint8_t *data, size_t size)
{
    static const char prelude[] =
        "for _, f in ipairs { 'find', 'match', 'gmatch', 'gsub' } do string[f] = nil end "
        "local a, b = node 'a', node 'b' local c = a:connect(b) ";

    CHECK(write(fd, prelude, sizeof(prelude) - 1) == (ssize_t)sizeof(prelude) - 1);
    CHECK(write(fd, data, size) == (ssize_t)size);
}

/* Whatever the script does, the run ends with an outcome that is known. */
static void run_in_world(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz_lua", 0);
    char path[40];
    struct run_opts opts = {
        .script = path,
        .timeout_ns = 100 * NSEC_PER_MSEC,
        .instructions_max = INSTRUCTIONS_MAX,
        .bare = true,
        .quiet = true,
        .world = {.on = WORLD_SIM, .stack = STACK_TCP, .title = "fuzz"}};
    struct run_outcome outcome;
    int code;

    CHECK(fd >= 0);
    write_script(fd, data, size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    code = run_scenario(&opts, &outcome);
    CHECK(!outcome.poisoned); /* it did not stand still */
    CHECK(code == EXIT_OK || code == EXIT_EXPECTATION || code == EXIT_SCRIPT ||
          code == EXIT_CANNOT || code == EXIT_TIMEOUT || code == EXIT_LIVENESS);
    run_outcome_fini(&outcome);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lua_host_opts opts = {
        .instructions_max = INSTRUCTIONS_MAX, .memory_max = MEMORY_MAX, .seed = size};
    struct lua_host *host;

    if (size > sizeof(api) && memcmp(data, api, sizeof(api)) == 0) {
        run_in_world(data + sizeof(api), size - sizeof(api));
        return 0;
    }
    host = lua_host_new(&opts);
    CHECK(host != NULL);
    lua_pushcfunction(host->L, remove_patterns);
    CHECK(lua_host_call(host, 0, 0));
    if (lua_host_load(host, (const char *)data, size, "input.lua")) {
        if (!lua_host_call(host, 0, 0)) {
            CHECK(host->error[0] != '\0');
        }
    } else {
        CHECK(host->error[0] != '\0');
    }
    CHECK(host->memory_peak <= MEMORY_MAX);
    lua_host_free(host);
    return 0;
}
