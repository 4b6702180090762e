/* SPDX-License-Identifier: Apache-2.0 */
/* story.c: what a script cannot have here and now goes into its story. */
#include "scenarios/lua/story.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/lab/disturb.h"
#include "scenarios/lua/api.h"
#include "sim/faults/faults.h"

struct story *story_of(lua_State *L)
{
    return lua_host_of(L)->user;
}

int api_cannot(lua_State *L, int rc, const char *format, ...)
{
    struct story *story = story_of(L);
    char why[sizeof(story->cannot_why)];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    if (rc != -EINVAL || lab_has_met(story->lab, FC_NO_RESOURCE)) {
        memcpy(story->cannot_why, why, sizeof(why));
        story->cannot_rc = rc;
    }
    return luaL_error(L, "%s", why);
}
