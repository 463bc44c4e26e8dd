/* beat_file.c: see beat_file.h. The JSON being built hangs on a box of the Lua state. */
#include "conf/beat_file.h"

#include <lauxlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_dump.h"
#include "conf/chunk.h"
#include "conf/lua_json.h"
#include "conf/suggest.h"

/* 10,000 entries with arguments take 10 MB. */
enum { MEMORY_MAX = 64 << 20 };

/* Key below, value on the top; leaves both. */
static void read_entry(lua_State *lua, const char *path, json_t *schedule)
{
    size_t n;
    if (lua_type(lua, -2) != LUA_TSTRING) {
        luaL_error(lua, "%s: schedule: each entry has a name: [\"name\"] = { … }", path);
    }
    const char *name = lua_tolstring(lua, -2, &n);
    if (strlen(name) != n) {
        luaL_error(lua, "%s: schedule: a name has a NUL byte in it", path);
    }
    const char *where = lua_pushfstring(lua, "entry \"%s\"", name); /* +1 */
    if (!lua_istable(lua, -2)) {
        luaL_error(lua, "%s: %s: it must be a table, and is a %s", path, where,
                   luaL_typename(lua, -2));
    }
    lua_pushvalue(lua, -2); /* +1: the table */
    json_t *entry = moil_lua_to_json(lua, path, where);
    if (json_object_set_new(schedule, name, entry) < 0) {
        luaL_error(lua, "%s: %s: its name is not UTF-8", path, where);
    }
    lua_pop(lua, 2); /* -2 */
}

/* The table of entries is on the top. */
static void read_schedule(lua_State *lua, const char *path, json_t *object)
{
    if (!lua_istable(lua, -1)) {
        luaL_error(lua, "%s: schedule: it must be a table of entries, and is a %s", path,
                   luaL_typename(lua, -1));
    }
    json_t *schedule = json_object();
    if (json_object_set_new(object, "schedule", schedule) < 0) {
        luaL_error(lua, "%s: out of memory", path);
    }
    lua_pushnil(lua);           /* +1 */
    while (lua_next(lua, -2)) { /* -1, +2 */
        read_entry(lua, path, schedule);
        lua_pop(lua, 1); /* -1 */
    }
}

static void read_zone(lua_State *lua, const char *path, json_t *object)
{
    json_t *zone = moil_lua_to_json(lua, path, "timezone");
    if (!json_is_string(zone)) {
        json_decref(zone);
        luaL_error(lua, "%s: timezone: it must be a name such as \"Europe/Paris\", and is a %s",
                   path, luaL_typename(lua, -1));
    }
    json_object_set_new(object, "timezone", zone);
}

static void refuse_key(lua_State *lua, const char *path, const char *key)
{
    static const char *const known[] = {"timezone", "schedule"};
    const char *nearest = moil_nearest_name(key, known, sizeof known / sizeof *known);
    if (nearest) {
        luaL_error(lua, "%s: unknown key \"%s\": did you mean \"%s\"?", path, key, nearest);
    }
    luaL_error(lua, "%s: unknown key \"%s\": a beat file has timezone and schedule", path, key);
}

static void read_table(lua_State *lua, const char *path, void *data)
{
    char **json = data;
    struct json_box *box = moil_lua_push_box(lua); /* +1 */
    box->json = json_object();
    lua_pushvalue(lua, -2);     /* +1: the table */
    lua_pushnil(lua);           /* +1 */
    while (lua_next(lua, -2)) { /* -1, +2 */
        const char *key = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "";
        if (strcmp(key, "schedule") == 0) {
            read_schedule(lua, path, box->json);
        } else if (strcmp(key, "timezone") == 0) {
            read_zone(lua, path, box->json);
        } else {
            refuse_key(lua, path, key);
        }
        lua_pop(lua, 1); /* -1: the value */
    }
    if (!json_object_get(box->json, "schedule")) {
        luaL_error(lua, "%s: there is no schedule in it: return { schedule = { … } }", path);
    }
    *json = moil_json_dump(box->json, JSON_COMPACT | JSON_SORT_KEYS);
    lua_pop(lua, 2); /* -2: the table and the box */
}

int moil_beat_file_load(const char *path, char **json, char *errstr, size_t errlen)
{
    *json = NULL;
    int rc = moil_chunk_run(&(struct chunk){.path = path,
                                            .what = "beat file",
                                            .returns = "timezone and schedule",
                                            .memory_max = MEMORY_MAX,
                                            .read = read_table,
                                            .data = json},
                            errstr, errlen);
    return rc == 0 && !*json ? MOIL_ENOMEM : rc;
}
