/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/lua/sandbox_tables.h"

#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/lua/host.h"

#define ELEMENTS_MAX 10000000 /* of a table handed to a function of C */

int sandbox_call_original(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* ---- tables in order --------------------------------------------------------------- */

struct key {
    const char *text; /* NULL: a number; else borrowed from the table */
    size_t len;
    bool is_integer;
    lua_Integer integer;
    lua_Number number;
};

/* Total over the keys a table can have: numbers by value, then strings by bytes. */
static int compare_keys(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;

    if ((a->text == NULL) != (b->text == NULL)) {
        return a->text == NULL ? -1 : 1;
    }
    if (a->text != NULL) {
        int order = memcmp(a->text, b->text, MIN(a->len, b->len));

        return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
    }
    if (a->is_integer && b->is_integer) {
        return (a->integer > b->integer) - (a->integer < b->integer);
    }
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return b->is_integer - a->is_integer;
}

/* From the value at idx; `text` stays valid as long as the value. */
static struct key to_key(lua_State *L, int idx)
{
    struct key key = {.text = NULL};

    switch (lua_type(L, idx)) {
    case LUA_TNUMBER:
        key.is_integer = lua_isinteger(L, idx);
        key.integer = lua_tointeger(L, idx);
        key.number = lua_tonumber(L, idx);
        break;
    case LUA_TSTRING:
        key.text = lua_tolstring(L, idx, &key.len);
        break;
    default:
        luaL_error(L, "a table with a %s as key has no order; use numbers or strings",
                   luaL_typename(L, idx));
    }
    return key;
}

static void push_key(lua_State *L, const struct key *key)
{
    if (key->text != NULL) {
        lua_pushlstring(L, key->text, key->len);
    } else if (key->is_integer) {
        lua_pushinteger(L, key->integer);
    } else {
        lua_pushnumber(L, key->number);
    }
}

/* Pushes an array of the keys of the table at 1, in order. */
static void push_sorted_keys(lua_State *L)
{
    struct key *keys;
    lua_Integer n = 0;

    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        n++;
    }
    lua_host_charge(L, (uint64_t)n);
    keys = lua_newuserdatauv(L, (size_t)n * sizeof(*keys), 0);
    n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        keys[n++] = to_key(L, -2);
    }
    qsort(keys, (size_t)n, sizeof(*keys), compare_keys);
    lua_createtable(L, (int)MIN(n, ELEMENTS_MAX), 0);
    for (lua_Integer i = 0; i < n; i++) {
        push_key(L, &keys[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_remove(L, -2);
}

/* Upvalues: the keys, how many were visited. Keys that were removed meanwhile are skipped.
 */
static int pairs_step(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));

    luaL_checktype(L, 1, LUA_TTABLE);
    for (;;) {
        i++;
        if (lua_rawgeti(L, lua_upvalueindex(1), i) == LUA_TNIL) {
            return 1;
        }
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) != LUA_TNIL) {
            lua_pushinteger(L, i);
            lua_replace(L, lua_upvalueindex(2));
            return 2;
        }
        lua_pop(L, 2);
    }
}

int sandbox_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    push_sorted_keys(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_step, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* The least key that is greater than the given one; a look at every key. */
int sandbox_next(lua_State *L)
{
    struct key after, best = {.text = NULL}, key;
    bool first, found = false;
    uint64_t n = 0;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    first = lua_isnil(L, 2);
    after = first ? best : to_key(L, 2);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        n++;
        key = to_key(L, -2);
        if ((first || compare_keys(&key, &after) > 0) &&
            (!found || compare_keys(&key, &best) < 0)) {
            best = key;
            found = true;
        }
    }
    lua_host_charge(L, n);
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    push_key(L, &best);
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    return 2;
}

/* How many elements a function of C is about to visit: not too many, and they count. */
static void check_elements(lua_State *L, lua_Unsigned n)
{
    if (n > ELEMENTS_MAX) {
        luaL_error(L, "more than %d elements of a table", ELEMENTS_MAX);
    }
    lua_host_charge(L, n);
}

/* Of the table at 1. */
static lua_Integer check_length(lua_State *L)
{
    lua_Integer n;

    luaL_checktype(L, 1, LUA_TTABLE);
    n = luaL_len(L, 1);
    check_elements(L, n > 0 ? (lua_Unsigned)n : 0);
    return n;
}

/* Upvalue: table.insert or table.remove, which loop to the length that they ask for
 * themselves: __len could give them another one than us. */
int sandbox_shifting(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL) {
        return luaL_error(L, "a table with a __len of its own cannot be shifted");
    }
    check_length(L);
    return sandbox_call_original(L);
}

/* Both ends are given to the original, the last one at `last`; __len is asked once. */
static int call_with_range(lua_State *L, int last)
{
    lua_Integer n = check_length(L), from, to;

    lua_settop(L, last);
    from = luaL_optinteger(L, last - 1, 1);
    to = luaL_optinteger(L, last, n);
    check_elements(L, to >= from ? (lua_Unsigned)to - (lua_Unsigned)from : 0);
    lua_pushinteger(L, to);
    lua_replace(L, last);
    return sandbox_call_original(L);
}

/* Upvalue: the real table.concat. */
int sandbox_concat(lua_State *L)
{
    return call_with_range(L, 4);
}

/* Upvalue: the real table.unpack. */
int sandbox_unpack(lua_State *L)
{
    return call_with_range(L, 3);
}

/* Upvalue: the real table.move. */
int sandbox_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);

    check_elements(L, to >= from ? (lua_Unsigned)to - (lua_Unsigned)from : 0);
    return sandbox_call_original(L);
}

/* ---- sort -------------------------------------------------------------------------- */

/* Whether from[i] must come after from[j]; i stands before j. The comparator is at 2. */
static bool is_after(lua_State *L, int from, lua_Integer i, lua_Integer j)
{
    bool after;

    if (lua_isnil(L, 2)) {
        lua_rawgeti(L, from, j);
        lua_rawgeti(L, from, i);
        after = lua_compare(L, -2, -1, LUA_OPLT);
        lua_pop(L, 2);
    } else {
        lua_pushvalue(L, 2);
        lua_rawgeti(L, from, j);
        lua_rawgeti(L, from, i);
        lua_call(L, 2, 1);
        after = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    return after;
}

/* Merges from[low, middle) and from[middle, high) into the table at `to`. */
static void merge(lua_State *L, int from, int to, lua_Integer low, lua_Integer middle,
                  lua_Integer high)
{
    lua_Integer i = low, j = middle;

    for (lua_Integer out = low; out < high; out++) {
        bool take_right = i >= middle || (j < high && is_after(L, from, i, j));

        lua_rawgeti(L, from, take_right ? j++ : i++);
        lua_rawseti(L, to, out);
    }
}

int sandbox_sort(lua_State *L)
{
    lua_Integer n = check_length(L);
    int from = 3, to = 4;

    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
    }
    lua_settop(L, 2);
    lua_createtable(L, (int)MAX(n, 0), 0);
    lua_createtable(L, (int)MAX(n, 0), 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, 1, i);
        lua_rawseti(L, from, i);
    }
    for (lua_Integer width = 1; width < n; width *= 2) {
        lua_host_charge(L, (uint64_t)n);
        for (lua_Integer low = 1; low <= n; low += 2 * width) {
            merge(L, from, to, low, MIN(low + width, n + 1), MIN(low + 2 * width, n + 1));
        }
        from = 7 - from;
        to = 7 - to;
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, from, i);
        lua_seti(L, 1, i);
    }
    return 0;
}
