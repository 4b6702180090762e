/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errors.c: what an error of a script says: its whole name, the line, what was perhaps
 * meant, and who called it.
 */
#include <stdio.h>
#include <string.h>

#include "engine/util.h"
#include "scenarios/base/words.h"
#include "scenarios/lua/host.h"

#define TRACEBACK_MAX 12
#define GLOBALS_MAX 200 /* that are looked at for a misspelt one */

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
int lua_host_on_error(lua_State *L)
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
