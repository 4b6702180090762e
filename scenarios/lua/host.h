/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h: one Lua 5.4 state for one script: a sandbox, limits, and errors that say
 * where.
 *
 * The script sees base functions, string, table, math and utf8, changed where they would
 * let it out, let it run for ever, or make two runs differ (sandbox.c has the list). It
 * knows nothing of messengers: api.h adds that.
 *
 * Limits: instructions (counted), memory (all of Lua's), and whatever `is_stopped` says,
 * which is asked every 1,000 instructions. A script cannot catch any of these with pcall.
 *
 * A host belongs to one thread.
 */
#ifndef MSGRLAB_SCENARIOS_LUA_HOST_H
#define MSGRLAB_SCENARIOS_LUA_HOST_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LUA_HOST_INSTRUCTIONS 100000000ULL
#define LUA_HOST_MEMORY (256ULL << 20)
#define LUA_HOST_SCRIPT_MAX (4u << 20) /* bytes of a script file */
#define LUA_HOST_ERROR_BYTES 4096

struct lua_host_opts {
    uint64_t instructions_max;     /* 0 = LUA_HOST_INSTRUCTIONS */
    uint64_t memory_max;           /* 0 = LUA_HOST_MEMORY */
    uint64_t seed;                 /* of math.random */
    FILE *out;                     /* where print goes; borrowed */
    bool (*is_stopped)(void *arg); /* may be NULL */
    void *arg;
};

enum lua_host_stop {
    LUA_HOST_RUNNING,
    LUA_HOST_INSTRUCTION_LIMIT,
    LUA_HOST_STOPPED, /* is_stopped said so */
    LUA_HOST_ENDED,   /* lua_host_end */
};

struct lua_host {
    struct lua_host_opts opts;
    lua_State *L;
    uint64_t memory, memory_peak;
    uint64_t instructions;
    uint64_t random_n;           /* numbers drawn */
    enum lua_host_stop stop;     /* why the script may not go on */
    char *name;                  /* owned: the script's, as messages show it */
    char short_name[LUA_IDSIZE]; /* as Lua abbreviates it */
    char error[LUA_HOST_ERROR_BYTES];
    void *user; /* of the API */
};

/* NULL: no memory. */
struct lua_host *lua_host_new(const struct lua_host_opts *opts);
void lua_host_free(struct lua_host *host); /* NULL is fine */
struct lua_host *lua_host_of(lua_State *L);

/* Compiles a script and leaves it on the stack. False: host->error has "name:line: what".
 */
bool lua_host_load(struct lua_host *host, const char *text, size_t len, const char *name);
/* Calls what is on the stack with n arguments, results dropped. False: host->error has the
 * message and where in the script, host->stop whether it was stopped. */
bool lua_host_call(struct lua_host *host, int n_args, int n_results);
/* Ends the script from inside a C function, past every pcall. Does not return. */
int lua_host_end(lua_State *L);

/* Raises, past every pcall, if is_stopped says so: for C functions that wait. */
void lua_host_check_stop(lua_State *L);

/* So many instructions more were executed, inside a C function. Raises past every pcall
 * when that is too many. */
void lua_host_charge(lua_State *L, uint64_t n);

/* "scenarios/x.lua:12" of the script's line that is being executed; "?" outside. */
const char *lua_host_where(lua_State *L, char *buf, size_t size);

/* ---- between the files of a host ---- */

/* limits.c: lua_Alloc and lua_Hook of a state; the hook counts LUA_HOST_COUNT. */
#define LUA_HOST_COUNT 1000
void *lua_host_allocate(void *arg, void *ptr, size_t old, size_t size);
void lua_host_count(lua_State *L, lua_Debug *ar);
/* errors.c: the handler of every protected call: keeps the text in host->error, outside of
 * Lua, where no memory limit can take it. */
int lua_host_on_error(lua_State *L);

#endif
