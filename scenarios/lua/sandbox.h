/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h: what a script finds, and how it differs from plain Lua 5.4 (sandbox.c has the
 * list).
 */
#ifndef MSGRLAB_SCENARIOS_LUA_SANDBOX_H
#define MSGRLAB_SCENARIOS_LUA_SANDBOX_H

#include "scenarios/lua/host.h"

/* Opens the libraries. Called under protection. */
int lua_sandbox_open(lua_State *L);
/* Pushes what print shows: no address in it. */
void lua_sandbox_tostring(lua_State *L, int idx);

#endif
