/* Plain data of a Lua file as JSON: tables, strings, numbers and booleans; all else is refused by
 * its place in the file's table. Used by plain.c and beat_file.c, inside the protected call of
 * chunk.c. */
#ifndef MOIL_CONF_LUA_JSON_H
#define MOIL_CONF_LUA_JSON_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>

struct json_box {
    json_t *json;
};

/* A box that frees its JSON when Lua drops it. [-0, +1, m] */
struct json_box *moil_lua_push_box(lua_State *lua);

/* A new reference to the value on the top; raises `path: where.key: why` for what is no plain data,
 * or nested more than 16 levels deep. An empty table is a list. [-0, +0, e] */
json_t *moil_lua_to_json(lua_State *lua, const char *path, const char *where);

/* The table on the top is a list when its keys are 1 … n; an empty one is. [-0, +0, m] */
bool moil_lua_is_list(lua_State *lua);

#endif
