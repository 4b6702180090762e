/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args.h: arguments of the scenario API: tables of options whose unknown keys are
 * errors that name the valid ones, and values with ranges and units. Every function raises
 * a Lua error when it is not content. `what` is the call's name in messages: "node",
 * "send".
 */
#ifndef MSGRLAB_SCENARIOS_LUA_ARGS_H
#define MSGRLAB_SCENARIOS_LUA_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

/*
 * A table at idx with these keys at most, and up to `positional` values without key. nil
 * becomes an empty table. One with a metatable is refused: reading it could run the script,
 * give another value the second time, or one that nothing keeps alive. So everything else
 * here, and whoever reads an option, looks at the table itself (raw), and what it finds
 * lives as long as the table does.
 */
void args_table(lua_State *L, int idx, const char *what, const char *const *keys, size_t n,
                int positional);

/* Pushes the table's field; returns its type. */
int args_field(lua_State *L, int idx, const char *key);
/* The table's field, or `fallback` if it has none. */
lua_Integer args_integer(lua_State *L, int idx, const char *what, const char *key,
                         lua_Integer fallback, lua_Integer min, lua_Integer max);
bool args_boolean(lua_State *L, int idx, const char *what, const char *key, bool fallback);
/* The text lives as long as the table has it. */
const char *args_string(lua_State *L, int idx, const char *what, const char *key,
                        const char *fallback);
uint64_t args_duration(lua_State *L, int idx, const char *what, const char *key,
                       uint64_t fallback_ns);
/* The place of the field's text among the names; -1 if the table has no such field. */
int args_choice(lua_State *L, int idx, const char *what, const char *key,
                const char *const *names, size_t n);

/* The same for the value itself at idx. */
lua_Integer args_to_integer(lua_State *L, int idx, const char *what, const char *key,
                            lua_Integer min, lua_Integer max);
uint64_t args_to_duration(lua_State *L, int idx, const char *what);
int args_to_choice(lua_State *L, int idx, const char *what, const char *kind,
                   const char *const *names, size_t n);

/* "there is no 'x'; did you mean 'y'? valid: ...". Does not return. */
int args_unknown(lua_State *L, const char *what, const char *kind, const char *word,
                 const char *const *names, size_t n);

#endif
