/* Reading the config file's table: option keys to text, `routes` and `task_defaults` to JSON.
 *
 * Runs in the protected call of conf/file.c and raises what it refuses. The JSON being built hangs
 * on a userdata with a finalizer, the rest on struct config_file: nothing leaks when it unwinds. */
#include "conf/plain.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_dump.h"
#include "base/mem.h"
#include "conf/lua_json.h"

enum { LIST_MAX = 1000 };

struct reader {
    lua_State *lua;
    const char *path;
    struct config_file *out;
};

/* `moil.lua: workers: a function is no value for this option` */
static int refuse_plain(struct reader *r, const char *where, const char *why)
{
    return luaL_error(r->lua, "%s: %s: %s", r->path, where, why);
}

/* --- routes and task_defaults ---------------------------------------------------------------- */

static bool is_plain_key(const char *key)
{
    return strcmp(key, "routes") == 0 || strcmp(key, "task_defaults") == 0;
}

/* Each route is a pattern and the name of a queue. The table is on the top. */
static void check_routes(struct reader *r)
{
    lua_State *lua = r->lua;
    lua_pushnil(lua);           /* +1 */
    while (lua_next(lua, -2)) { /* -1, +2 */
        if (lua_type(lua, -2) != LUA_TSTRING || lua_type(lua, -1) != LUA_TSTRING) {
            refuse_plain(r, "routes", "it is { [\"pattern of task names\"] = \"queue\", … }");
        }
        lua_pop(lua, 1); /* -1 */
    }
}

/* The value on the top becomes a member of the JSON object in the box. */
static void read_plain(struct reader *r, json_t *object, const char *key)
{
    if (!lua_istable(r->lua, -1)) {
        refuse_plain(r, key, "it must be a table");
    }
    if (strcmp(key, "routes") == 0) {
        check_routes(r);
    }
    json_t *v = moil_lua_to_json(r->lua, r->path, key);
    if (json_is_array(v) && json_array_size(v) == 0) { /* {} says nothing either way */
        json_decref(v);
        v = json_object();
    }
    if (json_object_set_new(object, key, v) < 0) {
        refuse_plain(r, key, "out of memory");
    }
    if (!json_is_object(json_object_get(object, key))) {
        refuse_plain(r, key, "its keys must be names");
    }
}

/* --- options --------------------------------------------------------------------------------- */

/* A list of strings on the top becomes one string with commas. [-1, +1, e] */
static void join_list(struct reader *r, const char *key)
{
    lua_State *lua = r->lua;
    lua_Unsigned n = lua_rawlen(lua, -1);
    luaL_Buffer b;
    if (n == 0 || n > LIST_MAX || !moil_lua_is_list(lua)) {
        refuse_plain(r, key, "it must be a string, or a list of strings");
    }
    int list = lua_gettop(lua);
    luaL_buffinit(lua, &b);
    for (lua_Unsigned i = 1; i <= n; i++) {
        if (lua_rawgeti(lua, list, (lua_Integer)i) != LUA_TSTRING) { /* +1 */
            refuse_plain(r, key, "it must be a string, or a list of strings");
        }
        luaL_addvalue(&b); /* -1 */
        if (i < n) {
            luaL_addchar(&b, ',');
        }
    }
    luaL_pushresult(&b); /* +1 */
    lua_remove(lua, -2); /* -1: the list */
}

/* The value on the top as the text that would stand behind the flag. [-1, +1, e] */
static void value_to_text(struct reader *r, const struct option_row *row)
{
    lua_State *lua = r->lua;
    switch (lua_type(lua, -1)) {
    case LUA_TBOOLEAN:
        lua_pushstring(lua, lua_toboolean(lua, -1) ? "true" : "false"); /* +1 */
        lua_remove(lua, -2);                                            /* -1 */
        break;
    case LUA_TNUMBER: {
        lua_Integer n;
        int exact;
        n = lua_tointegerx(lua, -1, &exact); /* 4.0 is 4 */
        if (exact) {
            lua_pushfstring(lua, "%I", (LUAI_UACINT)n); /* +1 */
            lua_remove(lua, -2);                        /* -1 */
        }
        break;
    }
    case LUA_TSTRING:
        break;
    default:
        if (row->type == OPTION_QUEUES && lua_istable(lua, -1)) {
            join_list(r, row->key);
            break;
        }
        refuse_plain(
            r, row->key,
            lua_pushfstring(lua, "a %s is no value for this option", luaL_typename(lua, -1)));
    }
}

static void read_option(struct reader *r, const struct option_row *row)
{
    value_to_text(r, row);
    size_t n;
    const char *text = lua_tolstring(r->lua, -1, &n); /* of a copy: the table stays as it is */
    if (strlen(text) != n) {
        refuse_plain(r, row->key, "it has a NUL byte in it");
    }
    struct config_setting *setting = &r->out->settings[r->out->count];
    setting->row = row;
    setting->text = moil_mem_strdup(text);
    if (!setting->text) {
        refuse_plain(r, row->key, "out of memory");
    }
    r->out->count++;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void refuse_key(struct reader *r, const char *key)
{
    const char *nearest = moil_option_nearest_key(key);
    if (nearest) {
        luaL_error(r->lua, "%s: unknown option \"%s\": did you mean \"%s\"?", r->path, key,
                   nearest);
    }
    luaL_error(r->lua, "%s: unknown option \"%s\" (`moil --help=markdown` lists them)", r->path,
               key);
}

/* Key below, value on the top; leaves both. */
static void read_pair(struct reader *r, json_t *object)
{
    lua_State *lua = r->lua;
    if (lua_type(lua, -2) != LUA_TSTRING) {
        luaL_error(lua, "%s: the table's keys must be names of options", r->path);
    }
    const char *key = lua_tostring(lua, -2);
    const struct option_row *row = moil_option_by_key(key);
    lua_pushvalue(lua, -1); /* +1 */
    if (is_plain_key(key)) {
        read_plain(r, object, key);
    } else if (row) {
        read_option(r, row);
    } else {
        refuse_key(r, key);
    }
    lua_pop(lua, 1); /* -1 */
}

void moil_plain_read(lua_State *lua, const char *path, struct config_file *out)
{
    struct reader r = {.lua = lua, .path = path, .out = out};
    out->settings = moil_mem_zalloc(moil_option_count(), sizeof *out->settings);
    struct json_box *box = moil_lua_push_box(lua); /* +1 */
    box->json = json_object();
    if (!out->settings || !box->json) {
        luaL_error(lua, "%s: out of memory", path);
        return; /* not reached */
    }
    lua_pushvalue(lua, -2);     /* +1: the table */
    lua_pushnil(lua);           /* +1 */
    while (lua_next(lua, -2)) { /* -1, +2 */
        read_pair(&r, box->json);
        lua_pop(lua, 1); /* -1: the value */
    }
    if (json_object_size(box->json) > 0) {
        out->json = moil_json_dump(box->json, JSON_COMPACT | JSON_SORT_KEYS);
        if (!out->json) {
            luaL_error(lua, "%s: out of memory", path);
        }
    }
    lua_pop(lua, 2); /* -2: the table and the box */
}
