/* SPDX-License-Identifier: Apache-2.0 */
/*
 * class.c: classes of objects, whose unknown methods are errors that suggest one, and
 * globals that can only be read.
 */
#include <string.h>

#include "scenarios/lua/api.h"
#include "scenarios/lua/args.h"

#define METHODS_MAX 64

/* ---- classes ----------------------------------------------------------------------- */

/* Upvalues: the methods, the class. */
static int class_index(lua_State *L)
{
    const char *names[METHODS_MAX];
    size_t n = 0;

    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
            return 1;
        }
        for (lua_pushnil(L); lua_next(L, lua_upvalueindex(1)) && n < METHODS_MAX;
             lua_pop(L, 1)) {
            names[n++] = lua_tostring(L, -2);
        }
        return args_unknown(L, lua_tostring(L, lua_upvalueindex(2)), "method",
                            lua_tostring(L, 2), names, n);
    }
    return luaL_error(L, "%s: methods have names", lua_tostring(L, lua_upvalueindex(2)));
}

/* Methods go into the table below the metatable on top, what Lua calls itself into that. */
static void add_methods(lua_State *L, const luaL_Reg *methods)
{
    for (; methods->name != NULL; methods++) {
        lua_pushcfunction(L, methods->func);
        if (strncmp(methods->name, "__", 2) == 0) {
            lua_setfield(L, -2, methods->name);
        } else {
            lua_setfield(L, -3, methods->name);
        }
    }
}

void api_class(lua_State *L, const char *class_, const luaL_Reg *methods)
{
    lua_newtable(L);
    luaL_newmetatable(L, class_);
    add_methods(L, methods);
    lua_pushvalue(L, -2);
    lua_pushstring(L, class_);
    lua_pushcclosure(L, class_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

void api_more_methods(lua_State *L, const char *class_, const luaL_Reg *methods)
{
    luaL_getmetatable(L, class_);
    lua_getfield(L, -1, "__index");
    lua_getupvalue(L, -1, 1);
    lua_replace(L, -2);
    lua_insert(L, -2);
    add_methods(L, methods);
    lua_pop(L, 2);
}

void api_set_class(lua_State *L, const char *class_)
{
    luaL_setmetatable(L, class_);
}

/* ---- views ------------------------------------------------------------------------- */

static int read_only(lua_State *L)
{
    return luaL_error(L, "'%s' can only be read", lua_tostring(L, lua_upvalueindex(1)));
}

void api_view(lua_State *L, const char *name, lua_CFunction index)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_pushcclosure(L, read_only, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setglobal(L, name);
}
