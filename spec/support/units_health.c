/* Binds worker/health. */
#include "worker/health.h"

#include "units.h"

static int64_t field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    int64_t s = (int64_t)(luaL_optnumber(L, -1, 0) * 1e6);
    lua_pop(L, 1);
    return s;
}

/* judge({unlinked =, hungry =, unsettled =, turned =, on_cpu =}, now) -> name, reason; in seconds
 */
static int unit_judge(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct health_facts facts = {
        .unlinked_us = field(L, "unlinked"),
        .hungry_us = field(L, "hungry"),
        .unsettled_us = field(L, "unsettled"),
        .turned_us = field(L, "turned"),
    };
    lua_getfield(L, 1, "on_cpu");
    facts.is_on_cpu = lua_toboolean(L, -1);
    char why[96];
    enum health health =
        moil_health_judge(&facts, (int64_t)(luaL_checknumber(L, 2) * 1e6), why, sizeof why);
    lua_pushstring(L, moil_health_name(health));
    lua_pushstring(L, why);
    return 2;
}

static const luaL_Reg functions[] = {{"judge", unit_judge}, {NULL, NULL}};
UNITS(health, functions)
