/* Binds super/ for its specs: what is pure there. */
#include "super/backoff.h"
#include "units.h"

/* delays(lived_ms, …) -> delay_ms, … of one child that died after each of these lives, and whether
 * the last is a crash loop */
static int unit_delays(lua_State *L)
{
    struct backoff b = {0};
    int n = lua_gettop(L);
    luaL_checkstack(L, n + 1, "too many lives");
    for (int i = 1; i <= n; i++)
        lua_pushinteger(L, moil_backoff_death(&b, luaL_checkinteger(L, i)));
    lua_pushboolean(L, moil_backoff_is_loop(&b));
    return n + 1;
}

static const luaL_Reg functions[] = {{"delays", unit_delays}, {NULL, NULL}};
UNITS(super, functions)
