/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.c: what a script may use up: memory, instructions, and the time somebody else
 * measures. Also for functions of C that loop on behalf of a script (sandbox.c).
 */
#include <stdlib.h>

#include "engine/util.h"
#include "scenarios/lua/host.h"

struct lua_host *lua_host_of(lua_State *L)
{
    return *(struct lua_host **)lua_getextraspace(L);
}

void *lua_host_allocate(void *arg, void *ptr, size_t old, size_t size)
{
    struct lua_host *host = arg;
    void *grown;

    old = ptr != NULL ? old : 0; /* else it tells the kind of object */
    if (size == 0) {
        free(ptr);
        host->memory -= old;
        return NULL;
    }
    if (size > old && host->memory + (size - old) > host->opts.memory_max) {
        return NULL;
    }
    grown = realloc(ptr, size);
    if (grown != NULL) {
        host->memory = host->memory - old + size;
        host->memory_peak = MAX(host->memory_peak, host->memory);
    }
    return grown;
}

static void stop_script(lua_State *L, struct lua_host *host, enum lua_host_stop stop)
{
    host->stop = stop;
    if (stop == LUA_HOST_INSTRUCTION_LIMIT) {
        luaL_error(L,
                   "the script ran for more than %I instructions: an endless loop? "
                   "(--set instructions=N allows more)",
                   (lua_Integer)host->opts.instructions_max);
    }
    luaL_error(L, "stopped");
}

void lua_host_charge(lua_State *L, uint64_t n)
{
    struct lua_host *host = lua_host_of(L);

    host->instructions += n;
    if (host->stop != LUA_HOST_RUNNING) {
        stop_script(L, host, host->stop);
    }
    if (host->instructions > host->opts.instructions_max) {
        stop_script(L, host, LUA_HOST_INSTRUCTION_LIMIT);
    }
}

void lua_host_check_stop(lua_State *L)
{
    struct lua_host *host = lua_host_of(L);

    if (host->opts.is_stopped != NULL && host->opts.is_stopped(host->opts.arg)) {
        stop_script(L, host, LUA_HOST_STOPPED);
    }
}

void lua_host_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_host_charge(L, LUA_HOST_COUNT);
    lua_host_check_stop(L);
}

int lua_host_end(lua_State *L)
{
    lua_host_of(L)->stop = LUA_HOST_ENDED;
    return luaL_error(L, "the script has ended");
}
