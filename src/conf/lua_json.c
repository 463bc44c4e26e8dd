/* lua_json.c: see lua_json.h. What is built hangs on boxes: nothing leaks when an error unwinds. */
#include "conf/lua_json.h"

#include <lauxlib.h>

enum { DEPTH_MAX = 16 };

struct origin {
    lua_State *lua;
    const char *path;
};

static json_t *to_json(struct origin *r, int depth, const char *where);

/* `moil.lua: routes.img: a function is not plain data` */
static int refuse(struct origin *r, const char *where, const char *why)
{
    return luaL_error(r->lua, "%s: %s: %s", r->path, where, why);
}

bool moil_lua_is_list(lua_State *lua)
{
    lua_Unsigned n = lua_rawlen(lua, -1);
    lua_Unsigned keys = 0;
    lua_pushnil(lua);           /* +1 */
    while (lua_next(lua, -2)) { /* -1, +2 */
        lua_pop(lua, 1);        /* -1: the value */
        keys++;
        if (!lua_isinteger(lua, -1) || lua_tointeger(lua, -1) < 1 ||
            (lua_Unsigned)lua_tointeger(lua, -1) > n) {
            lua_pop(lua, 1); /* -1: the key */
            return false;
        }
    }
    return keys == n;
}

/* The value on the top goes into `parent` (which holds what was built when an error unwinds). */
static void add_list(struct origin *r, json_t *parent, int depth, const char *where)
{
    lua_Unsigned n = lua_rawlen(r->lua, -1);
    for (lua_Unsigned i = 1; i <= n; i++) {
        lua_rawgeti(r->lua, -1, (lua_Integer)i); /* +1 */
        json_t *v = to_json(r, depth + 1, where);
        lua_pop(r->lua, 1); /* -1 */
        if (json_array_append_new(parent, v) < 0) {
            refuse(r, where, "out of memory");
        }
    }
}

static void add_members(struct origin *r, json_t *parent, int depth, const char *where)
{
    lua_pushnil(r->lua);           /* +1 */
    while (lua_next(r->lua, -2)) { /* -1, +2 */
        if (lua_type(r->lua, -2) != LUA_TSTRING) {
            refuse(r, where, "the keys must be strings, or 1 … n for a list");
        }
        const char *key = lua_tostring(r->lua, -2);
        const char *path = lua_pushfstring(r->lua, "%s.%s", where, key); /* +1 */
        lua_insert(r->lua, -2); /* the value back to the top */
        json_t *v = to_json(r, depth + 1, path);
        if (json_object_set_new(parent, key, v) < 0) {
            refuse(r, path, "the key is not UTF-8");
        }
        lua_pop(r->lua, 2); /* -2 */
    }
}

static int box_gc(lua_State *lua)
{
    struct json_box *box = lua_touserdata(lua, 1);
    json_decref(box->json);
    box->json = NULL;
    return 0;
}

struct json_box *moil_lua_push_box(lua_State *lua)
{
    struct json_box *box = lua_newuserdatauv(lua, sizeof *box, 0); /* +1 */
    box->json = NULL;
    if (luaL_newmetatable(lua, "moil.json")) { /* +1 */
        lua_pushcfunction(lua, box_gc);        /* +1 */
        lua_setfield(lua, -2, "__gc");         /* -1 */
    }
    lua_setmetatable(lua, -2); /* -1 */
    return box;
}

static json_t *table_to_json(struct origin *r, int depth, const char *where)
{
    if (depth > DEPTH_MAX) {
        refuse(r, where, "nested too deeply, or a table that contains itself");
    }
    luaL_checkstack(r->lua, 8, "nested too deeply");
    bool list = moil_lua_is_list(r->lua);
    struct json_box *box = moil_lua_push_box(r->lua); /* +1 */
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
static json_t *to_json(struct origin *r, int depth, const char *where)
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
        refuse(r, where, lua_pushfstring(lua, "a %s is not plain data", luaL_typename(lua, -1)));
    }
    if (!v) {
        refuse(r, where, "it cannot be JSON (a string that is not UTF-8, or NaN)");
    }
    return v;
}

json_t *moil_lua_to_json(lua_State *lua, const char *path, const char *where)
{
    struct origin r = {lua, path};
    return to_json(&r, 1, where);
}
