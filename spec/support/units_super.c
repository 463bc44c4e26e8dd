/* Binds super/ for its specs: what is pure there, and the agent's reading of its words. */
#include "super/backoff.h"
#include "units.h"
#include "worker/word.h"

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

/* word(line) -> slot, incarnation, how, number, on_cpu | nothing */
static int unit_word(lua_State *L)
{
    struct word w;
    if (moil_word_parse(luaL_checkstring(L, 1), &w) != 0)
        return 0;
    lua_pushinteger(L, w.slot);
    lua_pushstring(L, w.incarnation);
    lua_pushstring(L, w.how);
    lua_pushinteger(L, w.number);
    lua_pushstring(L, w.on_cpu);
    return 5;
}

static const luaL_Reg functions[] = {{"delays", unit_delays}, {"word", unit_word}, {NULL, NULL}};
UNITS(super, functions)
