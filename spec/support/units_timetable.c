/* src/worker's timetable and clock for the specs.
 *
 * latest(json, due, now), put_off(json, due): of an entry; milliseconds. clock() -> object with
 * hear(sent, now, redis) -> moved, offset; microseconds. timetable(json) -> object with
 * add(name, text), state(name, text), forget() (all that was not named since), plan(now),
 * timing(name), next(now) -> name, action, due, final. */
#include <string.h>

#include "beat/entry.h"
#include "units.h"
#include "worker/redis_clock.h"
#include "worker/timetable.h"

static const char clock_type[] = "moil.spec.redis_clock";
static const char table_type[] = "moil.spec.timetable";

/* --- entries --------------------------------------------------------------------------------- */

typedef int64_t of_entry(const struct entry *e, int64_t due_ms, int64_t now_ms);

static int push_of_entry(lua_State *L, of_entry *fn)
{
    char why[512];
    struct zones *zones = moil_zones_new();
    struct entry *e = moil_entry_parse(zones, "e", units_slice(L, 1), why, sizeof why);
    if (e)
        lua_pushinteger(L, fn(e, luaL_checkinteger(L, 2), luaL_optinteger(L, 3, 0)));
    if (e)
        moil_entry_free(e);
    moil_zones_free(zones);
    return e ? 1 : luaL_error(L, "%s", why);
}

static int unit_latest(lua_State *L)
{
    return push_of_entry(L, moil_entry_latest);
}

static int64_t put_off(const struct entry *e, int64_t due_ms, int64_t now_ms)
{
    (void)now_ms;
    return moil_entry_put_off(e, due_ms);
}

static int unit_put_off(lua_State *L)
{
    return push_of_entry(L, put_off);
}

/* --- the clock ------------------------------------------------------------------------------- */

static int unit_clock(lua_State *L)
{
    memset(lua_newuserdatauv(L, sizeof(struct redis_clock), 0), 0, sizeof(struct redis_clock));
    luaL_setmetatable(L, clock_type);
    return 1;
}

static int clock_hear(lua_State *L)
{
    struct redis_clock *c = luaL_checkudata(L, 1, clock_type);
    lua_pushboolean(L, moil_redis_clock_hear(c, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3),
                                             luaL_checkinteger(L, 4)));
    lua_pushinteger(L, c->offset_us);
    return 2;
}

/* --- the timetable --------------------------------------------------------------------------- */

static struct timetable *check_table(lua_State *L)
{
    return luaL_checkudata(L, 1, table_type);
}

static int unit_timetable(lua_State *L)
{
    char why[512] = "";
    struct timetable *t = lua_newuserdatauv(L, sizeof *t, 0);
    if (moil_timetable_init(t, NULL) != 0)
        return luaL_error(L, "out of memory");
    luaL_setmetatable(L, table_type);
    if (moil_timetable_set_file(t, units_slice(L, 1), why, sizeof why) != 0)
        return luaL_error(L, "%s", why);
    moil_timetable_read_begin(t);
    return 1;
}

static int table_gc(lua_State *L)
{
    moil_timetable_fini(check_table(L));
    return 0;
}

static int table_file(lua_State *L)
{
    char why[512] = "";
    int err = moil_timetable_set_file(check_table(L), units_slice(L, 2), why, sizeof why);
    lua_pushstring(L, err ? why : NULL);
    return 1;
}

static int table_add(lua_State *L)
{
    char why[512] = "";
    int err =
        moil_timetable_add(check_table(L), units_slice(L, 2), units_slice(L, 3), why, sizeof why);
    lua_pushstring(L, err ? why : NULL);
    return 1;
}

static int table_state(lua_State *L)
{
    moil_timetable_set_state(check_table(L), units_slice(L, 2), units_slice(L, 3));
    return 0;
}

/* The fingerprint of a file's entry. */
static int table_timing(lua_State *L)
{
    struct planned *p;
    struct slice name = units_slice(L, 2);
    HASH_FIND(hh, check_table(L)->all, name.p, name.n, p);
    lua_pushstring(L, p ? p->timing : NULL);
    return 1;
}

static int table_forget(lua_State *L)
{
    moil_timetable_read_end(check_table(L));
    moil_timetable_read_begin(check_table(L));
    return 0;
}

static int table_plan(lua_State *L)
{
    moil_timetable_plan_all(check_table(L), luaL_checkinteger(L, 2));
    return 0;
}

static int table_next(lua_State *L)
{
    static const char *const actions[TICK_ACTIONS] = {"fire", "late", "seen", "anew"};
    int64_t now_ms = luaL_checkinteger(L, 2);
    struct planned *p = moil_timetable_take(check_table(L), now_ms);
    if (!p)
        return 0;
    struct tick tick = moil_timetable_decide(p, now_ms);
    lua_pushstring(L, p->name);
    lua_pushstring(L, actions[tick.action]);
    lua_pushinteger(L, tick.due_ms);
    lua_pushboolean(L, tick.final);
    return 4;
}

static const luaL_Reg clock_methods[] = {{"hear", clock_hear}, {NULL, NULL}};
static const luaL_Reg table_methods[] = {
    {"file", table_file},     {"add", table_add},   {"state", table_state},
    {"forget", table_forget}, {"plan", table_plan}, {"next", table_next},
    {"timing", table_timing}, {"__gc", table_gc},   {NULL, NULL},
};

static void make_type(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name); /* +1 */
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);           /* +1 */
    lua_setfield(L, -2, "__index"); /* -1 */
    lua_pop(L, 1);                  /* -1 */
}

static int unit_open(lua_State *L)
{
    make_type(L, clock_type, clock_methods);
    make_type(L, table_type, table_methods);
    return 0;
}

static const luaL_Reg functions[] = {
    {"open", unit_open},   {"latest", unit_latest},       {"put_off", unit_put_off},
    {"clock", unit_clock}, {"timetable", unit_timetable}, {NULL, NULL},
};
UNITS(timetable, functions)
