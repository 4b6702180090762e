/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.c: what a script finds, and how it differs from plain Lua 5.4.
 *
 *   gone        io, os, package, require, debug, coroutine, dofile, loadfile,
 *               collectgarbage, warn, string.dump
 *   load        text only, no bytecode
 *   pairs,next  in sorted order: numbers, then strings; other keys are an error
 *   tostring    shows no address; so do print and string.format ("%p" is an error)
 *   random      a function of --seed; randomseed is an error
 *   sort        a stable merge sort (Lua's own picks pivots by the clock)
 *   metatables  no __gc and no __mode: the collector's timing must not be visible
 *   pcall       does not catch the end of the script or a limit
 *   loops       functions of table that loop in C are bounded, and what they do counts as
 *               instructions
 *
 * Functions that go through tables are in sandbox_tables.c. The one thing not bounded by
 * instructions is a pathological pattern (string.find and its like); the time limit of the
 * run ends it.
 */
#include "scenarios/lua/sandbox.h"

#include <string.h>

#include "engine/util.h"
#include "scenarios/base/keyed.h"
#include "scenarios/lua/sandbox_tables.h"

/* ---- text -------------------------------------------------------------------------- */

void lua_sandbox_tostring(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    if (luaL_callmeta(L, idx, "__tostring")) {
        if (!lua_isstring(L, -1)) {
            luaL_error(L, "'__tostring' must return a string");
        }
        return;
    }
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
        luaL_tolstring(L, idx, NULL);
        return;
    default:
        if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING) {
            return;
        }
        lua_pushstring(L, luaL_typename(L, idx));
    }
}

static int sandbox_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_sandbox_tostring(L, 1);
    return 1;
}

static int sandbox_print(lua_State *L)
{
    FILE *out = lua_host_of(L)->opts.out;
    int n = lua_gettop(L);

    for (int i = 1; i <= n; i++) {
        size_t len;
        const char *text;

        lua_sandbox_tostring(L, i);
        text = lua_tolstring(L, -1, &len);
        if (out != NULL) {
            fwrite(i > 1 ? "\t" : "", 1, i > 1, out);
            fwrite(text, 1, len, out);
        }
        lua_pop(L, 1);
    }
    if (out != NULL) {
        fputc('\n', out);
        fflush(out);
    }
    return 0;
}

/* Upvalue: the real string.format. A format may have NULs in it; one ends behind it. */
static int sandbox_format(lua_State *L)
{
    size_t len;
    const char *p = luaL_checklstring(L, 1, &len), *end = p + len;
    int n = lua_gettop(L);

    while ((p = memchr(p, '%', (size_t)(end - p))) != NULL) {
        p += 1 + strspn(p + 1, "-+ #0123456789.");
        if (*p == 'p') {
            return luaL_error(L, "'%%p' shows an address, which differs from run to run");
        }
        p += p < end;
    }
    for (int i = 2; i <= n; i++) {
        int type = lua_type(L, i);

        if (type == LUA_TTABLE || type == LUA_TUSERDATA || type == LUA_TFUNCTION ||
            type == LUA_TLIGHTUSERDATA || type == LUA_TTHREAD) {
            lua_sandbox_tostring(L, i);
            lua_replace(L, i);
        }
    }
    return sandbox_call_original(L);
}

/* Upvalue: the real string.rep, which counts to n even if there is nothing to repeat. */
static int sandbox_rep(lua_State *L)
{
    size_t len, separator_len;

    luaL_checklstring(L, 1, &len);
    luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator_len);
    if (len + separator_len == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    return sandbox_call_original(L);
}

/* ---- random ------------------------------------------------------------------------ */

static uint64_t draw(lua_State *L)
{
    struct lua_host *host = lua_host_of(L);

    return keyed_u64(host->opts.seed, host->random_n++);
}

static int sandbox_random(lua_State *L)
{
    lua_Integer low = 1, high;
    uint64_t range, mask, value;

    switch (lua_gettop(L)) {
    case 0:
        lua_pushnumber(L, (lua_Number)(draw(L) >> 11) * (1.0 / 9007199254740992.0));
        return 1;
    case 1:
        high = luaL_checkinteger(L, 1);
        break;
    default:
        low = luaL_checkinteger(L, 1);
        high = luaL_checkinteger(L, 2);
    }
    luaL_argcheck(L, low <= high, lua_gettop(L), "interval is empty");
    range = (uint64_t)high - (uint64_t)low;
    mask = range == 0 ? 0 : UINT64_MAX >> __builtin_clzll(range);
    do { /* at most two draws on average */
        value = draw(L) & mask;
    } while (value > range);
    lua_pushinteger(L, (lua_Integer)((uint64_t)low + value));
    return 1;
}

static int sandbox_randomseed(lua_State *L)
{
    return luaL_error(L, "the seed of a run comes from --seed; read it as world.seed");
}

/* ---- errors ------------------------------------------------------------------------ */

static int finish_call(lua_State *L, int rc, int below)
{
    if (rc == LUA_OK) {
        lua_pushboolean(L, 1);
        lua_insert(L, below + 1);
        return lua_gettop(L) - below;
    }
    if (lua_host_of(L)->stop != LUA_HOST_RUNNING) {
        return lua_error(L);
    }
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int sandbox_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    return finish_call(L, lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0), 0);
}

/* Upvalue: the script's handler. When a limit is the error, Lua calls handlers with hooks
 * off: one that loops would never be stopped, so it does not get its turn. */
static int handle_error(lua_State *L)
{
    if (lua_host_of(L)->stop != LUA_HOST_RUNNING) {
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int sandbox_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handle_error, 1);
    lua_pushvalue(L, 1);
    lua_replace(L, 2);
    lua_replace(L, 1); /* handler, function, arguments */
    return finish_call(L, lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1), 1);
}

static int sandbox_setmetatable(lua_State *L)
{
    static const char *const refused[] = {"__gc", "__mode"};

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    for (size_t i = 0; i < ARRAY_SIZE(refused) && lua_istable(L, 2); i++) {
        lua_pushstring(L, refused[i]);
        if (lua_rawget(L, 2) != LUA_TNIL) {
            return luaL_error(L,
                              "'%s' is not allowed: when the collector runs must not show",
                              refused[i]);
        }
        lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
        return luaL_error(L, "cannot change a protected metatable");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int sandbox_load(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *name = luaL_optstring(L, 2, "=(load)");
    bool has_env = lua_gettop(L) >= 4;

    luaL_argcheck(L, len <= LUA_HOST_SCRIPT_MAX, 1, "text is too long");
    if (luaL_loadbufferx(L, text, len, name, "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 4);
        lua_setupvalue(L, -2, 1);
    }
    return 1;
}

/* ---- putting it together ----------------------------------------------------------- */

/* table[name] = function with the former table[name] as upvalue; table on top. */
static void wrap(lua_State *L, const char *name, lua_CFunction function)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

static void change(lua_State *L, const char *library, const luaL_Reg *functions)
{
    lua_getglobal(L, library);
    for (; functions->name != NULL; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
    lua_pop(L, 1);
}

static void remove_field(lua_State *L, const char *library, const char *name)
{
    lua_getglobal(L, library);
    lua_pushnil(L);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void wrap_libraries(lua_State *L)
{
    lua_getglobal(L, LUA_STRLIBNAME);
    wrap(L, "format", sandbox_format);
    wrap(L, "rep", sandbox_rep);
    lua_pop(L, 1);
    lua_getglobal(L, LUA_TABLIBNAME);
    wrap(L, "move", sandbox_move);
    wrap(L, "insert", sandbox_shifting);
    wrap(L, "remove", sandbox_shifting);
    wrap(L, "concat", sandbox_concat);
    wrap(L, "unpack", sandbox_unpack);
    lua_pop(L, 1);
}

int lua_sandbox_open(lua_State *L)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8}};
    static const char *const gone[] = {"collectgarbage", "dofile", "loadfile", "warn",
                                       "require"};
    static const luaL_Reg base[] = {{"tostring", sandbox_tostring},
                                    {"print", sandbox_print},
                                    {"pairs", sandbox_pairs},
                                    {"next", sandbox_next},
                                    {"pcall", sandbox_pcall},
                                    {"xpcall", sandbox_xpcall},
                                    {"setmetatable", sandbox_setmetatable},
                                    {"load", sandbox_load},
                                    {NULL, NULL}};
    static const luaL_Reg math[] = {
        {"random", sandbox_random}, {"randomseed", sandbox_randomseed}, {NULL, NULL}};
    static const luaL_Reg table[] = {{"sort", sandbox_sort}, {NULL, NULL}};

    for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
        remove_field(L, LUA_GNAME, gone[i]);
    }
    remove_field(L, LUA_STRLIBNAME, "dump");
    change(L, LUA_GNAME, base);
    change(L, LUA_MATHLIBNAME, math);
    change(L, LUA_TABLIBNAME, table);
    wrap_libraries(L);
    return 0;
}
