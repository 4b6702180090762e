/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_tables.h: what sandbox.c puts in the place of functions that go through tables:
 * in an order that is always the same, over no more elements than may be, and counted as
 * instructions. Each is a lua_CFunction.
 */
#ifndef MSGRLAB_SCENARIOS_LUA_SANDBOX_TABLES_H
#define MSGRLAB_SCENARIOS_LUA_SANDBOX_TABLES_H

#include <lua.h>

int sandbox_pairs(lua_State *L);
int sandbox_next(lua_State *L);
int sandbox_sort(lua_State *L);

/* Upvalue: the function of the library. */
int sandbox_shifting(lua_State *L); /* table.insert, table.remove */
int sandbox_concat(lua_State *L);
int sandbox_unpack(lua_State *L);
int sandbox_move(lua_State *L);

/* The function that a wrapper has as its upvalue, in the wrapper's own frame, so that its
 * error messages know their name and place. It has no upvalues itself. */
int sandbox_call_original(lua_State *L);

#endif
