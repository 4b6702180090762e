/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_lua.c: any bytes as a script. It must compile or be refused, run or be stopped, and
 * never take more memory or instructions than it may. There are no nodes here: this is
 * about the sandbox.
 *
 * Patterns (string.find and its like) are taken away: they are the one part that
 * instructions do not bound, and the time limit of a run is not under test.
 */
#include <stddef.h>
#include <stdint.h>

#include "engine/util.h"
#include "scenarios/lua/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSTRUCTIONS_MAX 20000
#define MEMORY_MAX (256u << 10)

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lua_host_opts opts = {
        .instructions_max = INSTRUCTIONS_MAX, .memory_max = MEMORY_MAX, .seed = size};
    struct lua_host *host = lua_host_new(&opts);

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
