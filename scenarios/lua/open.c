/* SPDX-License-Identifier: Apache-2.0 */
/* open.c: all that a scenario can say, opened. */
#include "scenarios/lua/api.h"

int lua_api_open(lua_State *L)
{
    api_open_node(L);
    api_open_connect(L);
    api_open_fates(L);
    api_open_conn(L);
    api_open_message(L);
    api_open_expect(L);
    api_open_wait(L);
    api_open_world(L);
    api_open_fault(L);
    api_open_swarm(L);
    api_open_net(L);
    return 0;
}
