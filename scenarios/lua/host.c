/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios/lua/host.h"

#include <stdlib.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/text.h"
#include "scenarios/base/words.h"

#define HOOK_EVERY 1000
#define TRACEBACK_MAX 12
#define GLOBALS_MAX 200 /* that are looked at for a misspelt one */

/* ---- limits ------------------------------------------------------------------------ */

static void *allocate(void *arg, void *ptr, size_t old, size_t size)
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

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_host_charge(L, HOOK_EVERY);
    lua_host_check_stop(L);
}

void lua_host_check_stop(lua_State *L)
{
    struct lua_host *host = lua_host_of(L);

    if (host->opts.is_stopped != NULL && host->opts.is_stopped(host->opts.arg)) {
        stop_script(L, host, LUA_HOST_STOPPED);
    }
}

int lua_host_end(lua_State *L)
{
    lua_host_of(L)->stop = LUA_HOST_ENDED;
    return luaL_error(L, "the script has ended");
}

/* ---- life -------------------------------------------------------------------------- */

struct lua_host *lua_host_of(lua_State *L)
{
    return *(struct lua_host **)lua_getextraspace(L);
}

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
    host->L = lua_newstate(allocate, host);
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
    lua_sethook(host->L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
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

/* ---- errors ------------------------------------------------------------------------ */

/* Lua cuts long names to LUA_IDSIZE; a message shows the whole one. */
static const char *full_name(const struct lua_host *host, const char *short_src)
{
    return host->name != NULL && strcmp(short_src, host->short_name) == 0 ? host->name
                                                                          : short_src;
}

const char *lua_host_where(lua_State *L, char *buf, size_t size)
{
    struct lua_host *host = lua_host_of(L);
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            snprintf(buf, size, "%s:%d", full_name(host, ar.short_src), ar.currentline);
            return buf;
        }
    }
    snprintf(buf, size, "?");
    return buf;
}

static void append(struct lua_host *host, const char *text)
{
    size_t len = strlen(host->error);

    snprintf(host->error + len, sizeof(host->error) - len, "%s", text);
}

/* "attempt to call a nil value (global 'nodes')": a word that was misspelt, or one that is
 * not in the sandbox. */
static void append_hint(lua_State *L, struct lua_host *host, const char *message)
{
    static const char *const absent[] = {"io",    "os",       "require",
                                         "debug", "package",  "dofile",
                                         "load",  "loadfile", "coroutine"};
    const char *names[GLOBALS_MAX], *at = strstr(message, "(global '"), *meant;
    char word[40];
    size_t n = 0;

    if (at == NULL || !lua_checkstack(L, 4) ||
        sscanf(at, "(global '%39[A-Za-z0-9_]')", word) != 1) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        if (strcmp(word, absent[i]) == 0) {
            append(host, ": scripts run in a sandbox, where it is not to be had");
            return;
        }
    }
    lua_pushglobaltable(L);
    for (lua_pushnil(L); n < GLOBALS_MAX && lua_next(L, -2) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            names[n++] = lua_tostring(L, -2); /* the table keeps it */
        }
    }
    meant = words_suggest(word, names, n);
    if (meant != NULL) {
        append(host, "; did you mean '");
        append(host, meant);
        append(host, "'?");
    }
}

/* The message behind its position, with the full name of the script. */
static void write_message(lua_State *L, struct lua_host *host, const char *message)
{
    size_t n = strlen(host->short_name);
    char where[700];

    host->error[0] = '\0';
    if (n > 0 && strncmp(message, host->short_name, n) == 0 && message[n] == ':') {
        append(host, host->name);
        message += n;
    } else if (strcmp(lua_host_where(L, where, sizeof(where)), "?") != 0) {
        append(host, where);
        append(host, ": ");
    }
    append(host, message);
}

/* "  in function 'f', x.lua:3", one line for each level that is the script's own. */
static void append_traceback(lua_State *L, struct lua_host *host)
{
    lua_Debug ar;
    int shown = 0;

    for (int level = 1; lua_getstack(L, level, &ar) && shown < TRACEBACK_MAX; level++) {
        char line[300];

        lua_getinfo(L, "Sln", &ar);
        if (ar.currentline <= 0) {
            continue;
        }
        snprintf(line, sizeof(line), "\n  at %s:%d%s%s%s", full_name(host, ar.short_src),
                 ar.currentline, ar.name != NULL ? " in '" : "",
                 ar.name != NULL ? ar.name : "", ar.name != NULL ? "'" : "");
        append(host, line);
        shown++;
    }
}

/* The handler of every protected call: keeps the text outside of Lua, where no memory limit
 * can take it. */
static int on_error(lua_State *L)
{
    struct lua_host *host = lua_host_of(L);

    if (lua_type(L, 1) == LUA_TSTRING) {
        write_message(L, host, lua_tostring(L, 1));
        append_hint(L, host, lua_tostring(L, 1));
    } else {
        char text[64];

        snprintf(text, sizeof(text), "error with a %s instead of a message",
                 luaL_typename(L, 1));
        write_message(L, host, text);
    }
    append_traceback(L, host);
    return 1;
}

bool lua_host_call(struct lua_host *host, int n_args, int n_results)
{
    lua_State *L = host->L;
    int handler = lua_gettop(L) - n_args;
    int rc;

    host->error[0] = '\0';
    lua_pushcfunction(L, on_error);
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
