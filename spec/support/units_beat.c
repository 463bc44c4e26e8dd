/* src/beat for the specs: dates, zones, cron expressions, the sun's events, entries.
 *
 * zones() -> object with get(name) -> zone | nil, message; default(name); entry(name, json).
 * A zone and an entry keep the zones that they came from. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "beat/calendar.h"
#include "beat/cron.h"
#include "beat/entry.h"
#include "beat/solar.h"
#include "beat/zone.h"
#include "units.h"

enum { MESSAGE_MAX = 512 };

static const char zones_type[] = "moil.spec.zones";
static const char zone_type[] = "moil.spec.zone";
static const char entry_type[] = "moil.spec.entry";

static int push_failure(lua_State *L, const char *message)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

/* A userdata that holds one pointer, and what it must not outlive (keep: an index, or 0). */
static void push_pointer(lua_State *L, void *p, const char *type, int keep)
{
    void **box = lua_newuserdatauv(L, sizeof *box, 1); /* +1 */
    *box = p;
    if (keep) {
        lua_pushvalue(L, keep);
        lua_setiuservalue(L, -2, 1);
    }
    luaL_setmetatable(L, type);
}

static void *check_pointer(lua_State *L, const char *type)
{
    return *(void **)luaL_checkudata(L, 1, type);
}

/* --- dates ----------------------------------------------------------------------------------- */

static int unit_days(lua_State *L)
{
    lua_pushinteger(L, moil_days_of((int)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2),
                                    (int)luaL_checkinteger(L, 3)));
    return 1;
}

static int unit_date(lua_State *L)
{
    lua_Integer days = luaL_checkinteger(L, 1);
    struct date d = moil_date_of(days);
    lua_pushinteger(L, d.year);
    lua_pushinteger(L, d.month);
    lua_pushinteger(L, d.day);
    lua_pushinteger(L, moil_weekday_of(days));
    return 4;
}

/* --- cron and sun ---------------------------------------------------------------------------- */

/* cron(text) -> true | nil, message */
static int unit_cron(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    struct cron c;
    if (moil_cron_parse(luaL_checkstring(L, 1), &c, errstr, sizeof errstr) < 0)
        return push_failure(L, errstr);
    lua_pushboolean(L, 1);
    return 1;
}

/* cron_next(text, local second, count) -> the next ones | nil, message */
static int unit_cron_next(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    struct cron c;
    int64_t local = luaL_checkinteger(L, 2);
    lua_Integer count = luaL_optinteger(L, 3, 1);
    if (moil_cron_parse(luaL_checkstring(L, 1), &c, errstr, sizeof errstr) < 0)
        return push_failure(L, errstr);
    lua_newtable(L);
    for (lua_Integer i = 1; i <= count && local < INT64_MAX; i++) {
        local = moil_cron_next(&c, local);
        lua_pushinteger(L, local);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

/* solar_next(event, latitude, longitude, instant) -> instant | nil, message */
static int unit_solar_next(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    struct solar s;
    if (moil_solar_init(&s, luaL_checkstring(L, 1), luaL_checknumber(L, 2), luaL_checknumber(L, 3),
                        errstr, sizeof errstr) < 0)
        return push_failure(L, errstr);
    lua_pushinteger(L, moil_solar_next(&s, luaL_checkinteger(L, 4)));
    return 1;
}

/* --- zones ----------------------------------------------------------------------------------- */

static int unit_zones(lua_State *L)
{
    struct zones *zones = moil_zones_new();
    if (!zones)
        return luaL_error(L, "moil_zones_new failed");
    push_pointer(L, zones, zones_type, 0);
    return 1;
}

static int zones_gc(lua_State *L)
{
    moil_zones_free(check_pointer(L, zones_type));
    return 0;
}

static int zones_get(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    struct zones *zones = check_pointer(L, zones_type);
    const struct zone *z = moil_zones_get(zones, luaL_checkstring(L, 2), errstr, sizeof errstr);
    if (!z)
        return push_failure(L, errstr);
    push_pointer(L, (void *)z, zone_type, 1);
    return 1;
}

static int zones_default(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    struct zones *zones = check_pointer(L, zones_type);
    const char *name = luaL_optstring(L, 2, NULL);
    if (name && moil_zones_set_default(zones, name, errstr, sizeof errstr) < 0)
        return push_failure(L, errstr);
    lua_pushstring(L, moil_zone_name(moil_zones_default(zones)));
    return 1;
}

/* zone_decode(name, bytes) -> zone | nil, message; after zones() */
static int unit_zone_decode(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    struct zone *z =
        moil_zone_decode(luaL_checkstring(L, 1), units_slice(L, 2), errstr, sizeof errstr);
    if (!z)
        return push_failure(L, errstr);
    struct zone **box = lua_newuserdatauv(L, sizeof(struct zone *), 1); /* the owner: +1 */
    *box = z;
    luaL_setmetatable(L, "moil.spec.zone.owner");
    push_pointer(L, z, zone_type, lua_gettop(L));
    return 1;
}

static int zone_owner_gc(lua_State *L)
{
    moil_zone_free(check_pointer(L, "moil.spec.zone.owner"));
    return 0;
}

static int zone_name(lua_State *L)
{
    lua_pushstring(L, moil_zone_name(check_pointer(L, zone_type)));
    return 1;
}

/* zone:span(instant) -> from, until, offset */
static int zone_span(lua_State *L)
{
    struct zone_span s = moil_zone_span(check_pointer(L, zone_type), luaL_checkinteger(L, 2));
    lua_pushinteger(L, s.from);
    lua_pushinteger(L, s.until);
    lua_pushinteger(L, s.offset);
    return 3;
}

static int zone_reached(lua_State *L)
{
    lua_pushinteger(L, moil_zone_reached(check_pointer(L, zone_type), luaL_checkinteger(L, 2)));
    return 1;
}

static int zone_first(lua_State *L)
{
    lua_pushinteger(L, moil_zone_first(check_pointer(L, zone_type), luaL_checkinteger(L, 2)));
    return 1;
}

/* --- entries --------------------------------------------------------------------------------- */

/* zones:entry(name, json) -> entry | nil, message */
static int zones_entry(lua_State *L)
{
    char errstr[MESSAGE_MAX] = "";
    struct zones *zones = check_pointer(L, zones_type);
    struct entry *e =
        moil_entry_parse(zones, luaL_checkstring(L, 2), units_slice(L, 3), errstr, sizeof errstr);
    if (!e)
        return push_failure(L, errstr);
    push_pointer(L, e, entry_type, 1);
    return 1;
}

static int entry_gc(lua_State *L)
{
    moil_entry_free(check_pointer(L, entry_type));
    return 0;
}

/* entry:next(after_ms) -> ms; math.maxinteger: never */
static int entry_next(lua_State *L)
{
    lua_pushinteger(L, moil_entry_next(check_pointer(L, entry_type), luaL_checkinteger(L, 2)));
    return 1;
}

/* entry:count(after_ms, until_ms) -> how many are due after the one and before the other */
static int entry_count(lua_State *L)
{
    const struct entry *e = check_pointer(L, entry_type);
    int64_t t = luaL_checkinteger(L, 2), until = luaL_checkinteger(L, 3);
    lua_Integer n = 0;
    while ((t = moil_entry_next(e, t)) < until)
        n++;
    lua_pushinteger(L, n);
    return 1;
}

static int entry_extra(lua_State *L)
{
    struct buffer out;
    moil_buffer_init(&out);
    moil_entry_extra(check_pointer(L, entry_type), luaL_checkinteger(L, 2), &out);
    lua_pushlstring(L, out.data, out.len);
    moil_buffer_fini(&out);
    return 1;
}

static void set_string(lua_State *L, const char *key, const char *v)
{
    lua_pushstring(L, v);
    lua_setfield(L, -2, key);
}

static void set_int(lua_State *L, const char *key, lua_Integer v)
{
    lua_pushinteger(L, v);
    lua_setfield(L, -2, key);
}

static void set_bool(lua_State *L, const char *key, bool v)
{
    lua_pushboolean(L, v);
    lua_setfield(L, -2, key);
}

static int entry_fields(lua_State *L)
{
    const struct entry *e = check_pointer(L, entry_type);
    lua_newtable(L);
    set_string(L, "name", e->name);
    set_string(L, "task", e->task);
    set_string(L, "queue", e->queue);
    set_string(L, "args", e->args);
    set_string(L, "kwargs", e->kwargs);
    set_string(L, "extra", e->extra);
    set_string(L, "when", e->when);
    set_string(L, "timezone", moil_zone_name(e->schedule.zone));
    set_string(L, "catch_up", moil_catch_up_name(e->catch_up));
    set_int(L, "priority", e->priority);
    set_int(L, "expires_ms", e->expires_ms);
    set_int(L, "jitter_ms", e->jitter_ms);
    set_int(L, "max_runs", e->max_runs);
    set_bool(L, "at_front", e->at_front);
    set_bool(L, "overlap", e->overlap);
    set_bool(L, "paused", e->paused);
    return 1;
}

/* --- the module ------------------------------------------------------------------------------ */

static void make_type(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name); /* +1 */
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

static int unit_open(lua_State *L)
{
    static const luaL_Reg zones_methods[] = {{"__gc", zones_gc},
                                             {"get", zones_get},
                                             {"default", zones_default},
                                             {"entry", zones_entry},
                                             {NULL, NULL}};
    static const luaL_Reg zone_methods[] = {{"name", zone_name},
                                            {"span", zone_span},
                                            {"reached", zone_reached},
                                            {"first", zone_first},
                                            {NULL, NULL}};
    static const luaL_Reg owner_methods[] = {{"__gc", zone_owner_gc}, {NULL, NULL}};
    static const luaL_Reg entry_methods[] = {{"__gc", entry_gc},       {"next", entry_next},
                                             {"count", entry_count},   {"extra", entry_extra},
                                             {"fields", entry_fields}, {NULL, NULL}};
    make_type(L, zones_type, zones_methods);
    make_type(L, zone_type, zone_methods);
    make_type(L, "moil.spec.zone.owner", owner_methods);
    make_type(L, entry_type, entry_methods);
    return unit_zones(L);
}

static const luaL_Reg functions[] = {
    {"days", unit_days},
    {"date", unit_date},
    {"cron", unit_cron},
    {"cron_next", unit_cron_next},
    {"solar_next", unit_solar_next},
    {"zones", unit_open},
    {"zone_decode", unit_zone_decode},
    {NULL, NULL},
};

UNITS(beat, functions)
