/* Binds super/ for its specs: what is pure there, and the agent's reading of its words. */
#include "super/backoff.h"
#include "super/pulse.h"
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

/* word(line) -> slot, incarnation, how, number, on_cpu, deliveries | generation | request, ok, text
 * | nothing */
static int unit_word(lua_State *L)
{
    struct word w;
    if (moil_word_parse(luaL_checkstring(L, 1), &w) != 0)
        return 0;
    if (w.kind == WORD_ANSWER) {
        lua_pushstring(L, w.request);
        lua_pushboolean(L, w.is_ok);
        lua_pushstring(L, w.text);
        return 3;
    }
    if (w.kind == WORD_REPORT) {
        lua_pushstring(L, "report");
        return 1;
    }
    if (w.generation) {
        lua_pushinteger(L, w.generation);
        return 1;
    }
    lua_pushinteger(L, w.slot);
    lua_pushstring(L, w.incarnation);
    lua_pushstring(L, w.how);
    lua_pushinteger(L, w.number);
    lua_pushstring(L, w.on_cpu);
    lua_pushinteger(L, w.deliveries_max);
    return 6;
}

/* silences(silence_ms, started_ms, {beat_ms, look_ms}, …) -> what each look finds; beat_ms 0: there
 * was none */
static int unit_silences(lua_State *L)
{
    struct pulse_watch w;
    int n = lua_gettop(L);
    luaL_checkstack(L, n + 2, "too many looks");
    luaL_argcheck(L, moil_pulse_open(&w, luaL_checkinteger(L, 1)) == 0, 1, "no memory");
    int64_t started_ms = luaL_checkinteger(L, 2);
    for (int i = 3; i <= n; i++) {
        lua_geti(L, i, 1);
        lua_geti(L, i, 2);
        int64_t beat_ms = lua_tointeger(L, -2), look_ms = lua_tointeger(L, -1);
        lua_pop(L, 2);
        if (beat_ms)
            atomic_store(&w.pulse->heartbeat_us, beat_ms * 1000);
        lua_pushinteger(L, moil_pulse_look(&w, started_ms, look_ms));
    }
    moil_pulse_close(&w);
    return n - 2;
}

static const luaL_Reg functions[] = {
    {"delays", unit_delays},
    {"word", unit_word},
    {"silences", unit_silences},
    {NULL, NULL},
};
UNITS(super, functions)
