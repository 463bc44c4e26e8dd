/* Reading the config file's table: option keys to text, `routes` and `task_defaults` to JSON.
 *
 * Runs in the protected call of conf/file.c and raises what it refuses. The JSON being built hangs
 * on a userdata with a finalizer, the rest on struct config_file: nothing leaks when it unwinds. */
#include "conf/plain.h"

#include <jansson.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conf/suggest.h"

enum { DEPTH_MAX = 16, LIST_MAX = 1000 };

struct reader {
    lua_State *lua;
    const char *path;
    struct config_file *out;
};

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *to_json(struct reader *r, int depth, const char *where);

/* `routes.img: a function is not plain data` */
static int refuse_plain(struct reader *r, const char *where, const char *why)
{
    return luaL_error(r->lua, "%s: %s: %s", r->path, where, why);
}

/* The table on the top is a list when its keys are 1 … n; an empty one is. */
static bool is_list(struct reader *r)
{
    lua_Unsigned n = lua_rawlen(r->lua, -1);
    lua_Unsigned keys = 0;
    lua_pushnil(r->lua);           /* +1 */
    while (lua_next(r->lua, -2)) { /* -1, +2 */
        lua_pop(r->lua, 1);        /* -1: the value */
        keys++;
        if (!lua_isinteger(r->lua, -1) || lua_tointeger(r->lua, -1) < 1 ||
            (lua_Unsigned)lua_tointeger(r->lua, -1) > n) {
            lua_pop(r->lua, 1); /* -1: the key */
            return false;
        }
    }
    return keys == n;
}

/* The value on the top goes into `parent` (which holds what was built when an error unwinds). */
static void add_list(struct reader *r, json_t *parent, int depth, const char *where)
{
    lua_Unsigned n = lua_rawlen(r->lua, -1);
    for (lua_Unsigned i = 1; i <= n; i++) {
        lua_rawgeti(r->lua, -1, (lua_Integer)i); /* +1 */
        json_t *v = to_json(r, depth + 1, where);
        lua_pop(r->lua, 1); /* -1 */
        if (json_array_append_new(parent, v) < 0) {
            refuse_plain(r, where, "out of memory");
        }
    }
}

static void add_members(struct reader *r, json_t *parent, int depth, const char *where)
{
    lua_pushnil(r->lua);           /* +1 */
    while (lua_next(r->lua, -2)) { /* -1, +2 */
        if (lua_type(r->lua, -2) != LUA_TSTRING) {
            refuse_plain(r, where, "the keys must be strings, or 1 … n for a list");
        }
        const char *key = lua_tostring(r->lua, -2);
        const char *path = lua_pushfstring(r->lua, "%s.%s", where, key); /* +1 */
        lua_insert(r->lua, -2); /* the value back to the top */
        json_t *v = to_json(r, depth + 1, path);
        if (json_object_set_new(parent, key, v) < 0) {
            refuse_plain(r, path, "the key is not UTF-8");
        }
        lua_pop(r->lua, 2); /* -2 */
    }
}

struct json_box {
    json_t *json;
};

static int box_gc(lua_State *lua)
{
    struct json_box *box = lua_touserdata(lua, 1);
    json_decref(box->json);
    box->json = NULL;
    return 0;
}

/* A box that frees its JSON when Lua drops it. [-0, +1, m] */
static struct json_box *push_box(lua_State *lua)
{
    struct json_box *box = lua_newuserdatauv(lua, sizeof *box, 0); /* +1 */
    box->json = NULL;
    if (luaL_newmetatable(lua, "moil.config.json")) { /* +1 */
        lua_pushcfunction(lua, box_gc);               /* +1 */
        lua_setfield(lua, -2, "__gc");                /* -1 */
    }
    lua_setmetatable(lua, -2); /* -1 */
    return box;
}

static json_t *table_to_json(struct reader *r, int depth, const char *where)
{
    if (depth > DEPTH_MAX) {
        refuse_plain(r, where, "nested too deeply, or a table that contains itself");
    }
    luaL_checkstack(r->lua, 8, "nested too deeply");
    bool list = is_list(r);
    struct json_box *box = push_box(r->lua); /* +1 */
    box->json = list ? json_array() : json_object();
    lua_insert(r->lua, -2); /* the table back to the top */
    if (list) {
        add_list(r, box->json, depth, where);
    } else {
        add_members(r, box->json, depth, where);
    }
    json_t *v = box->json;
    box->json = NULL;
    lua_remove(r->lua, -2); /* -1: the box */
    return v;
}

/* A new reference to the value on the top; raises for what is no plain data. [-0, +0, e] */
static json_t *to_json(struct reader *r, int depth, const char *where)
{
    lua_State *lua = r->lua;
    json_t *v = NULL;
    size_t n;
    switch (lua_type(lua, -1)) {
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(lua, -1));
    case LUA_TNUMBER:
        v = lua_isinteger(lua, -1) ? json_integer(lua_tointeger(lua, -1))
                                   : json_real(lua_tonumber(lua, -1));
        break;
    case LUA_TSTRING: {
        const char *s = lua_tolstring(lua, -1, &n);
        v = json_stringn(s, n);
        break;
    }
    case LUA_TTABLE:
        return table_to_json(r, depth, where);
    default:
        refuse_plain(r, where,
                     lua_pushfstring(lua, "a %s is not plain data", luaL_typename(lua, -1)));
    }
    if (!v) {
        refuse_plain(r, where, "it cannot be JSON (a string that is not UTF-8, or NaN)");
    }
    return v;
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
    json_t *v = to_json(r, 1, key);
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
    if (n == 0 || n > LIST_MAX || !is_list(r)) {
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
    setting->text = strdup(text);
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
    out->settings = calloc(moil_option_count, sizeof *out->settings);
    struct json_box *box = push_box(lua); /* +1 */
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
        out->json = json_dumps(box->json, JSON_COMPACT | JSON_SORT_KEYS);
        if (!out->json) {
            luaL_error(lua, "%s: out of memory", path);
        }
    }
    lua_pop(lua, 2); /* -2: the table and the box */
}
