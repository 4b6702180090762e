/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/lua/args.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/lua/sandbox.h"

int args_unknown(lua_State *L, const char *what, const char *kind, const char *word,
                 const char *const *names, size_t n)
{
    const char *meant = words_suggest(word, names, n);
    luaL_Buffer text;

    luaL_buffinit(L, &text);
    lua_pushfstring(L, "%s: there is no %s '%s'", what, kind, word);
    luaL_addvalue(&text);
    if (meant != NULL) {
        lua_pushfstring(L, "; did you mean '%s'?", meant);
        luaL_addvalue(&text);
    }
    luaL_addstring(&text, " valid: ");
    for (size_t i = 0; i < n; i++) {
        luaL_addstring(&text, i > 0 ? ", " : "");
        luaL_addstring(&text, names[i]);
    }
    luaL_pushresult(&text);
    return luaL_error(L, "%s", lua_tostring(L, -1));
}

static bool is_listed(const char *word, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

void args_table(lua_State *L, int idx, const char *what, const char *const *keys, size_t n,
                int positional)
{
    idx = lua_absindex(L, idx);
    if (lua_isnoneornil(L, idx)) {
        lua_settop(L, MAX(lua_gettop(L), idx));
        lua_newtable(L);
        lua_replace(L, idx);
        return;
    }
    if (!lua_istable(L, idx)) {
        luaL_error(L, "%s: options are a table { ... }, not a %s", what,
                   luaL_typename(L, idx));
    }
    if (lua_getmetatable(L, idx)) {
        luaL_error(L,
                   "%s: options are a plain table; this one has a metatable, which could "
                   "answer otherwise each time it is asked",
                   what);
    }
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            if (!is_listed(lua_tostring(L, -2), keys, n)) {
                args_unknown(L, what, "option", lua_tostring(L, -2), keys, n);
            }
        } else if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 ||
                   lua_tointeger(L, -2) > positional) {
            lua_sandbox_tostring(L, -2); /* shows no address */
            luaL_error(L, "%s: the value at [%s] has no name; write NAME = VALUE", what,
                       lua_tostring(L, -1));
        }
    }
}

int args_field(lua_State *L, int idx, const char *key)
{
    idx = lua_absindex(L, idx);
    lua_pushstring(L, key);
    return lua_rawget(L, idx);
}

lua_Integer args_to_integer(lua_State *L, int idx, const char *what, const char *key,
                            lua_Integer min, lua_Integer max)
{
    int is_integer;
    lua_Integer value = lua_tointegerx(L, idx, &is_integer);

    if (!is_integer || lua_type(L, idx) != LUA_TNUMBER || value < min || value > max) {
        luaL_error(L, "%s: %s is a whole number from %I to %I", what, key, min, max);
    }
    return value;
}

lua_Integer args_integer(lua_State *L, int idx, const char *what, const char *key,
                         lua_Integer fallback, lua_Integer min, lua_Integer max)
{
    lua_Integer value = fallback;

    if (args_field(L, idx, key) != LUA_TNIL) {
        value = args_to_integer(L, -1, what, key, min, max);
    }
    lua_pop(L, 1);
    return value;
}

bool args_boolean(lua_State *L, int idx, const char *what, const char *key, bool fallback)
{
    bool value = fallback;

    if (args_field(L, idx, key) != LUA_TNIL) {
        if (!lua_isboolean(L, -1)) {
            luaL_error(L, "%s: %s is true or false", what, key);
        }
        value = lua_toboolean(L, -1);
    }
    lua_pop(L, 1);
    return value;
}

const char *args_string(lua_State *L, int idx, const char *what, const char *key,
                        const char *fallback)
{
    const char *value = fallback;

    if (args_field(L, idx, key) != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING) {
            luaL_error(L, "%s: %s is a string", what, key);
        }
        value = lua_tostring(L, -1);
    }
    lua_pop(L, 1);
    return value;
}

uint64_t args_to_duration(lua_State *L, int idx, const char *what)
{
    uint64_t ns = 0;

    if (lua_type(L, idx) == LUA_TNUMBER) {
        double seconds = lua_tonumber(L, idx);

        if (seconds >= 0 && seconds * 1e9 <= (double)WORDS_DURATION_MAX) {
            return (uint64_t)(seconds * 1e9 + 0.5);
        }
    } else if (lua_type(L, idx) == LUA_TSTRING &&
               words_duration(lua_tostring(L, idx), &ns)) {
        return ns;
    }
    luaL_error(L,
               "%s: '%s' is no time; a time is like \"250us\", \"10ms\", \"1.5s\", \"5m\", "
               "\"1h\", \"2d\", or a number of seconds; at most 3650 days",
               what, luaL_tolstring(L, idx, NULL));
    return 0;
}

uint64_t args_duration(lua_State *L, int idx, const char *what, const char *key,
                       uint64_t fallback_ns)
{
    uint64_t ns = fallback_ns;
    char call[80];

    if (args_field(L, idx, key) != LUA_TNIL) {
        snprintf(call, sizeof(call), "%s: %s", what, key);
        ns = args_to_duration(L, -1, call);
    }
    lua_pop(L, 1);
    return ns;
}

int args_to_choice(lua_State *L, int idx, const char *what, const char *kind,
                   const char *const *names, size_t n)
{
    const char *word = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : NULL;

    if (word == NULL) {
        return luaL_error(L, "%s: %s is a string", what, kind);
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, names[i]) == 0) {
            return (int)i;
        }
    }
    return args_unknown(L, what, kind, word, names, n);
}

int args_choice(lua_State *L, int idx, const char *what, const char *key,
                const char *const *names, size_t n)
{
    int choice = -1;

    if (args_field(L, idx, key) != LUA_TNIL) {
        choice = args_to_choice(L, -1, what, key, names, n);
    }
    lua_pop(L, 1);
    return choice;
}
