/* SPDX-License-Identifier: Apache-2.0 */
/* host.c: the life of a Lua state, and scripts loaded and called in it. */
#include "scenarios/lua/host.h"

#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/text.h"
#include "scenarios/lua/sandbox.h"

/* ---- life -------------------------------------------------------------------------- */

static int panic(lua_State *L)
{
    fprintf(stderr, "lua_host: error outside of protection: %s\n", lua_tostring(L, -1));
    return 0; /* Lua aborts */
}

struct lua_host *lua_host_new(const struct lua_host_opts *opts)
{
    struct lua_host *host = calloc(1, sizeof(*host));

    if (host == NULL) {
        return NULL;
    }
    host->opts = *opts;
    if (host->opts.instructions_max == 0) {
        host->opts.instructions_max = LUA_HOST_INSTRUCTIONS;
    }
    if (host->opts.memory_max == 0) {
        host->opts.memory_max = LUA_HOST_MEMORY;
    }
    host->L = lua_newstate(lua_host_allocate, host);
    if (host->L == NULL) {
        free(host);
        return NULL;
    }
    *(struct lua_host **)lua_getextraspace(host->L) = host;
    lua_atpanic(host->L, panic);
    lua_pushcfunction(host->L, lua_sandbox_open);
    if (lua_pcall(host->L, 0, 0, 0) != LUA_OK) {
        lua_host_free(host);
        return NULL;
    }
    lua_sethook(host->L, lua_host_count, LUA_MASKCOUNT, LUA_HOST_COUNT);
    return host;
}

void lua_host_free(struct lua_host *host)
{
    if (host == NULL) {
        return;
    }
    lua_close(host->L);
    free(host->name);
    free(host);
}

/* ---- calling ------------------------------------------------------------------------ */

bool lua_host_call(struct lua_host *host, int n_args, int n_results)
{
    lua_State *L = host->L;
    int handler = lua_gettop(L) - n_args;
    int rc;

    host->error[0] = '\0';
    lua_pushcfunction(L, lua_host_on_error);
    lua_insert(L, handler);
    rc = lua_pcall(L, n_args, n_results, handler);
    lua_remove(L, handler);
    if (rc == LUA_OK) {
        return true;
    }
    if (rc != LUA_ERRRUN && host->error[0] == '\0') { /* no handler is called for these */
        snprintf(host->error, sizeof(host->error), "%s: %s", host->name,
                 rc == LUA_ERRMEM ? "the script's memory limit is reached"
                                  : "an error in an error");
    }
    lua_pop(L, 1);
    return false;
}

/* ---- loading ----------------------------------------------------------------------- */

static int load_protected(lua_State *L)
{
    const char *chunk = lua_tostring(L, 3);

    if (luaL_loadbufferx(L, lua_touserdata(L, 1), (size_t)lua_tointeger(L, 2), chunk,
                         "t") != LUA_OK) {
        return lua_error(L);
    }
    return 1;
}

/* Lua's own abbreviation of a name, learnt from a chunk that has it. */
static int learn_short_name(lua_State *L)
{
    struct lua_host *host = lua_host_of(L);
    lua_Debug ar;

    if (luaL_loadbufferx(L, "", 0, lua_tostring(L, 1), "t") != LUA_OK) {
        return lua_error(L);
    }
    lua_getinfo(L, ">S", &ar);
    snprintf(host->short_name, sizeof(host->short_name), "%s", ar.short_src);
    return 0;
}

bool lua_host_load(struct lua_host *host, const char *text, size_t len, const char *name)
{
    lua_State *L = host->L;
    char chunk[600];

    free(host->name);
    host->name = strdup(name);
    CHECK(host->name != NULL);
    snprintf(chunk, sizeof(chunk), "@%s", name);
    lua_settop(L, 0);
    lua_pushcfunction(L, learn_short_name);
    lua_pushstring(L, chunk);
    if (!lua_host_call(host, 1, 0)) {
        return false;
    }
    text = text_begin(text, &len);
    /* A first line "#!..." is for the shell. */
    if (len > 0 && text[0] == '#') {
        const char *end = memchr(text, '\n', len);
        size_t skip = end != NULL ? (size_t)(end - text) : len;

        text += skip;
        len -= skip;
    }
    lua_pushcfunction(L, load_protected);
    lua_pushlightuserdata(L, (void *)(uintptr_t)text);
    lua_pushinteger(L, (lua_Integer)len);
    lua_pushstring(L, chunk);
    return lua_host_call(host, 3, 1);
}
